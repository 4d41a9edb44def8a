//! One token on its way to a verdict: pure calls, between which somebody else waits.

use std::sync::Arc;

use keyward_jose::DecodeBuffer;

use super::{Pending, Plan, Tactic, Turn};
use crate::decide::{Decision, WantedKey, decide, precheck};
use crate::introspection::{Active, Answer, AnswerCache, Failure, Found, Unasked};
use crate::{Issuer, MonoTime, Now, Reason, Requirement, Verdict, VerdictCache, Verified};

/// What a verdict rests on beside the token.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// The issuers.
    pub issuers: &'a [Issuer],
    /// What their endpoints said, by the issuer's place; none where it has no endpoint.
    pub answers: &'a [Option<Arc<AnswerCache>>],
    /// What the keys accepted.
    pub verdicts: &'a VerdictCache,
    /// What is demanded.
    pub requirement: &'a Requirement,
    /// The requirement's number in `verdicts`.
    pub number: u32,
    /// How each issuer's tokens are decided under it.
    pub plan: &'a Plan,
}

/// A token that is being decided.
#[derive(Debug)]
pub struct Flow<'a> {
    grounds: Grounds<'a>,
    token: &'a [u8],
    arrived: MonoTime,
    stage: Stage,
    /// That its keys accepted it a moment ago, where they did.
    remembered: Option<Verified>,
    both_failed: Option<usize>,
}

/// How far a token has come.
#[derive(Debug)]
pub enum Advance<'a> {
    /// To its verdict.
    Decided(Verdict),
    /// Ask the endpoint of the issuer at `place`, and hand in what came of it with [`Flow::answered`].
    NeedsAnswer {
        /// The issuer's place.
        place: usize,
        /// What to ask about.
        unasked: Unasked<'a>,
    },
    /// Fetch the key and go on, or say why there is none with [`Flow::without_key`].
    NeedsKey(WantedKey),
}

#[derive(Clone, Debug)]
enum Stage {
    Begin,
    Decided(Verdict),
    Endpoint {
        place: usize,
        tactic: Tactic,
        pending: Pending,
    },
    /// `failure` is the endpoint's, where it was asked first.
    Keys {
        place: usize,
        tactic: Tactic,
        failure: Option<Failure>,
    },
}

impl<'a> Flow<'a> {
    /// Begins with a token that came in at `arrived`.
    pub fn new(grounds: Grounds<'a>, token: &'a [u8], arrived: MonoTime) -> Self {
        Self { grounds, token, arrived, stage: Stage::Begin, remembered: None, both_failed: None }
    }

    /// As far as it goes with what is known.
    pub fn advance(&mut self, now: Now, buffer: &mut DecodeBuffer) -> Advance<'a> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Begin);
            self.stage = match stage {
                Stage::Begin => self.begin(now, buffer),
                Stage::Decided(verdict) => {
                    self.stage = Stage::Decided(verdict.clone());
                    return Advance::Decided(verdict);
                }
                Stage::Keys { place, tactic, failure } => match self.ask_keys(now, buffer) {
                    Decision::Decided(verdict) => {
                        self.note_keys(place, &verdict, failure);
                        Stage::of(place, tactic, tactic.after_keys(now, verdict, failure))
                    }
                    Decision::NeedsKey(wanted) => {
                        self.stage = Stage::Keys { place, tactic, failure };
                        return Advance::NeedsKey(wanted);
                    }
                },
                Stage::Endpoint { place, tactic, pending } => match self.look(now, place, &pending, buffer) {
                    Looked::Known(active) => self.turn(now, place, tactic, pending, Ok(active.as_ref())),
                    Looked::Refused(reason) => Stage::Decided(reason.into()),
                    Looked::Unknown(unasked) => {
                        self.stage = Stage::Endpoint { place, tactic, pending };
                        return Advance::NeedsAnswer { place, unasked };
                    }
                },
            };
        }
    }

    /// What came of the question that [`Advance::NeedsAnswer`] asked for.
    pub fn answered(&mut self, now: Now, answer: Result<&Answer, Failure>) {
        if let Stage::Endpoint { place, tactic, pending } = self.stage.clone() {
            let active = answer.map(|answer| match answer {
                Answer::Active(active) => Some(active),
                Answer::Inactive(_) => None,
            });
            if active.is_err() && matches!(pending, Pending::InsteadOfKeys(_)) {
                self.both_failed = Some(place);
            }
            self.stage = self.turn(now, place, tactic, pending, active);
        }
    }

    /// No fetch brought the key that [`Advance::NeedsKey`] asked for.
    pub fn without_key(&mut self, now: Now, reason: Reason) {
        if let Stage::Keys { place, tactic, failure } = self.stage {
            let verdict = Verdict::from(reason);
            self.note_keys(place, &verdict, failure);
            self.stage = Stage::of(place, tactic, tactic.after_keys(now, verdict, failure));
        }
    }

    /// The place of the issuer whose fallback was asked and could not tell either. A token that the fallback is not
    /// allowed for, such as one that is too old, is none of these: there the second way could tell.
    pub fn both_failed(&self) -> Option<usize> {
        self.both_failed
    }

    fn note_keys(&mut self, place: usize, verdict: &Verdict, failure: Option<Failure>) {
        if failure.is_some() && matches!(verdict, Verdict::Undecided(_)) {
            self.both_failed = Some(place);
        }
    }

    fn begin(&mut self, now: Now, buffer: &mut DecodeBuffer) -> Stage {
        let Grounds { issuers, verdicts, plan, number, .. } = self.grounds;
        if let Some(place) = plan.opaque().filter(|_| is_opaque(self.token)) {
            let limit = issuers.get(place).map_or(0, |issuer| issuer.policy.token_size_limit);
            if self.token.len() > limit {
                return Stage::Decided(Reason::TokenTooLarge.into());
            }
            return Stage::Endpoint { place, tactic: Tactic::OPAQUE, pending: Pending::Alone };
        }
        if plan.sole().is_none_or(|place| plan.uses_keys(place)) {
            self.remembered = verdicts.get(now, number, self.token);
        }
        let place = match plan.sole() {
            Some(place) => Ok(place),
            None => self.claimed_place(now, buffer),
        };
        match place.map(|place| (place, plan.tactic(place))) {
            Ok((place, tactic)) if tactic.strategy.begins_with_keys() => {
                Stage::Keys { place, tactic, failure: None }
            }
            Ok((place, tactic)) => Stage::Endpoint { place, tactic, pending: Pending::Alone },
            Err(reason) => Stage::Decided(reason.into()),
        }
    }

    /// The issuer that the token claims to be of, unless its own claims give it away. Of a token that its keys
    /// accepted a moment ago, they do not.
    fn claimed_place(&self, now: Now, buffer: &mut DecodeBuffer) -> Result<usize, Reason> {
        let Grounds { issuers, requirement, .. } = self.grounds;
        let remembered = self.remembered.as_ref().filter(|verified| verified.still_holds(now));
        let its_place = remembered.and_then(|verified| {
            let policy = &verified.accepted().issuer;
            issuers.iter().position(|issuer| Arc::ptr_eq(&issuer.policy, policy))
        });
        match its_place {
            Some(place) => Ok(place),
            None => precheck(now, issuers, requirement, self.token, buffer),
        }
    }

    fn ask_keys(&mut self, now: Now, buffer: &mut DecodeBuffer) -> Decision {
        let Grounds { issuers, verdicts, requirement, number, .. } = self.grounds;
        let remembered = self.remembered.take().filter(|verified| verified.still_holds(now));
        if let Some(verified) = remembered.or_else(|| verdicts.get(now, number, self.token)) {
            return Decision::Decided(Verdict::Accept(verified));
        }
        let decision = decide(now, self.arrived, issuers, requirement, self.token, buffer);
        if let Decision::Decided(Verdict::Accept(verified)) = &decision {
            verdicts.insert(number, self.token, verified.clone());
        }
        decision
    }

    /// What is known without asking: of a token that nobody has looked at yet, what its own claims give away. A
    /// stranger's junk must not cost a call.
    fn look(&self, now: Now, place: usize, pending: &Pending, buffer: &mut DecodeBuffer) -> Looked<'a> {
        let Grounds { issuers, answers, .. } = self.grounds;
        let Some(answers) = answers.get(place).and_then(Option::as_ref) else {
            return Looked::Refused(Reason::IntrospectionUnavailable);
        };
        let limit = issuers.get(place).map_or(0, |issuer| issuer.policy.token_size_limit);
        if self.token.len() > limit {
            return Looked::Refused(Reason::TokenTooLarge);
        }
        let unasked = match answers.look(now, self.token) {
            Found::Active(active) => return Looked::Known(Some(active)),
            Found::Inactive => return Looked::Known(None),
            Found::Unknown(unasked) => unasked,
        };
        if is_opaque(self.token) && self.grounds.plan.opaque() == Some(place) {
            return if is_b64token(self.token) {
                Looked::Unknown(unasked)
            } else {
                Looked::Refused(Reason::MalformedToken)
            };
        }
        match pending {
            Pending::Alone => match self.claimed_place(now, buffer) {
                Ok(found) if found == place => Looked::Unknown(unasked),
                Ok(_) => Looked::Refused(Reason::WrongIssuer),
                Err(reason) => Looked::Refused(reason),
            },
            Pending::Confirm(_) | Pending::InsteadOfKeys(_) => Looked::Unknown(unasked),
        }
    }

    fn turn(
        &self,
        now: Now,
        place: usize,
        tactic: Tactic,
        pending: Pending,
        active: Result<Option<&Active>, Failure>,
    ) -> Stage {
        Stage::of(place, tactic, tactic.after_endpoint(now, self.grounds.requirement, pending, active))
    }
}

enum Looked<'a> {
    /// It was active a moment ago, or was not.
    Known(Option<Active>),
    Refused(Reason),
    Unknown(Unasked<'a>),
}

impl Stage {
    fn of(place: usize, tactic: Tactic, turn: Turn) -> Self {
        match turn {
            Turn::Ask(pending) => Self::Endpoint { place, tactic, pending },
            Turn::Decided(verdict) => Self::Decided(verdict),
            Turn::UseKeys(failure) => Self::Keys { place, tactic, failure: Some(failure) },
        }
    }
}

/// Whether it can be no JWS. One that is merely broken must not get around the keys by being asked about: a lax
/// provider might mend it.
fn is_opaque(token: &[u8]) -> bool {
    // So few at a time that their number fits an octet, which is counted many at once.
    let dots = |octets: &[u8]| octets.iter().map(|octet| u8::from(*octet == b'.')).sum::<u8>();
    token.chunks(128).map(|octets| usize::from(dots(octets))).sum::<usize>() < 2
}

/// RFC 6750 §2.1.
fn is_b64token(token: &[u8]) -> bool {
    let of_token = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet);
    let padding = token.iter().rev().take_while(|octet| **octet == b'=').count();
    let body = token.len().saturating_sub(padding);
    body > 0 && token.iter().take(body).all(of_token)
}
