//! Decides on tokens by one issuer's keys, and fetches them when it must.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::{Clock, SystemClock};
use keyward::source::Source;
use keyward::{KeySetSettings, KeySource, UnixTime, entropy};
use keyward_jose::DecodeBuffer;
use keyward_jose::json::{JsonError, check_unique_names};
use keyward_verify::key_set::{Answer, KeySetMachine, LiveKey, PublishedKeys, Refresh, Step};
use keyward_verify::{
    Check, Decision, Issuer, MonoTime, Now, Outcome, Reason, Signed, Stop, Verdict, WantedKey,
    dangerous_decide_for_any_issuer, dangerous_verify_signature_only, decide, explain,
};
use tokio::runtime::Runtime;

use super::policy::{Naming, Policy};
use super::route::Demands;
use super::signer::Signer;
use super::why::Why;
use crate::exit::Failure;
use crate::output::tell;
use crate::runtime;

/// The keys of a file are what they are for as long as the command runs.
const WHOLE_RUN: Duration = Duration::from_secs(100 * 365 * 86_400);

/// One issuer, its keys, and the time by which tokens are judged.
pub(crate) struct Judge {
    issuer: Issuer,
    naming: Naming,
    demands: Demands,
    keys: Keys,
    clock: SystemClock,
    at: Option<UnixTime>,
}

/// When a token came in, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    now: Now,
    arrived: MonoTime,
}

impl Judge {
    /// Reads or fetches the keys.
    pub(crate) fn new(policy: Policy) -> Result<Self, Failure> {
        let Policy { mut settings, naming, demands, at } = policy;
        let clock = SystemClock::new();
        let now = clock.now();
        let from_file = matches!(settings.source, Some(KeySource::Certificates { .. } | KeySource::File(_)));
        if from_file {
            settings.key_set =
                KeySetSettings { ttl: WHOLE_RUN, stale_limit: WHOLE_RUN, ..KeySetSettings::default() };
        }
        let fixed = settings.hmac_key()?.map(|key| LiveKey::fixed(key, now.wall));
        let published = Arc::new(PublishedKeys::new(fixed.into_iter().collect()));
        let source = Source::new(&settings)?;
        let machine =
            KeySetMachine::new(settings.key_set.clone(), Arc::clone(&published), now, entropy::seed())
                .anchored(now, settings.wrapper_trust(now.wall)?.map(Arc::new));
        let mut keys = Keys { machine, source, from_file, runtime: runtime::single()? };
        keys.refresh(&clock)?;
        let issuer = Issuer { policy: Arc::new(settings.policy), keys: published };
        Ok(Self { issuer, naming, demands, keys, clock, at })
    }

    /// The longest token that is looked at, in octets.
    pub(crate) fn size_limit(&self) -> usize {
        self.issuer.policy.token_size_limit
    }

    /// Reads the clocks for what has just come in, and refreshes keys that are due.
    pub(crate) fn moment(&mut self) -> Result<Moment, Failure> {
        self.keys.refresh(&self.clock)?;
        let now = self.now();
        // Every token has arrived before the file of keys was read: nobody can add to that.
        let arrived = if self.keys.from_file { MonoTime(0) } else { now.mono };
        Ok(Moment { now, arrived })
    }

    /// The time by which tokens are judged.
    pub(crate) fn now(&self) -> Now {
        let now = self.clock.now();
        Now { wall: self.at.unwrap_or(now.wall), ..now }
    }

    /// Decides on a token.
    pub(crate) fn decide(&mut self, moment: Moment, token: &[u8], buffer: &mut DecodeBuffer) -> Verdict {
        let mut now = moment.now;
        loop {
            let decision = match self.naming {
                Naming::AnyIssuer => dangerous_decide_for_any_issuer(
                    now,
                    moment.arrived,
                    &self.issuer,
                    &self.demands.requirement,
                    token,
                    buffer,
                ),
                Naming::Issuer => {
                    let issuers = std::slice::from_ref(&self.issuer);
                    decide(now, moment.arrived, issuers, &self.demands.requirement, token, buffer)
                }
            };
            match decision {
                Decision::Decided(verdict) => return verdict,
                Decision::NeedsKey(wanted) => match self.keys.want(&self.clock, wanted) {
                    Ok(()) => now = self.now(),
                    Err(reason) => return reason.into(),
                },
            }
        }
    }

    /// The signature alone, for what is no token: a JWS whose payload is no JSON object.
    ///
    /// # Errors
    /// The verdict's reason; [`Reason::MalformedToken`] where the payload is a JSON object, whose claims
    /// would have been checked if they could be read.
    pub(crate) fn verify_payload<'a>(
        &mut self,
        moment: Moment,
        token: &'a [u8],
        buffer: &'a mut DecodeBuffer,
    ) -> Result<Signed<'a>, Reason> {
        // The first look finds out whether a key must be fetched, the second one borrows the buffer.
        let first = dangerous_verify_signature_only(moment.now, moment.arrived, &self.issuer, token, buffer);
        let now = match first.map(|_| ()) {
            Ok(()) => moment.now,
            Err(Stop::Reason(reason)) => return Err(reason),
            Err(Stop::NeedsKey(wanted)) => {
                self.keys.want(&self.clock, wanted)?;
                self.now()
            }
        };
        match dangerous_verify_signature_only(now, moment.arrived, &self.issuer, token, buffer) {
            Ok(signed) if is_json_object(signed.payload()) => Err(Reason::MalformedToken),
            Ok(signed) => Ok(signed),
            Err(Stop::Reason(reason)) => Err(reason),
            Err(Stop::NeedsKey(_)) => Err(Reason::KeysUnavailable),
        }
    }

    /// What each check says of a token, and why.
    pub(crate) fn explain(&self, moment: Moment, token: &[u8]) -> Explained {
        let requirement = &self.demands.requirement;
        let mut buffer = DecodeBuffer::new();
        let mut outcomes = explain(moment.now, moment.arrived, &self.issuer, requirement, token, &mut buffer);
        let is_taken = requirement.issuers.is_empty();
        for (check, outcome) in &mut outcomes {
            match (&self.naming, &outcome) {
                (Naming::AnyIssuer, _) if *check == Check::Issuer => *outcome = Outcome::NotAsked,
                (Naming::Issuer, Outcome::Yes) if *check == Check::Issuer && !is_taken => {
                    *outcome = Outcome::No(Reason::WrongIssuer);
                }
                _ => {}
            }
        }
        let signer = Signer::of(&self.issuer, token);
        let why =
            Why { issuer: &self.issuer, requirement, token, now: moment.now.wall, signer: signer.as_ref() };
        let checks = outcomes.into_iter().map(|(check, outcome)| (check, outcome, why.of(check, outcome)));
        Explained { checks: checks.collect(), signer }
    }

    /// What the route demands, or the issuer where none is asked.
    pub(crate) fn demands(&self) -> &Demands {
        &self.demands
    }

    /// Our name for the issuer.
    pub(crate) fn issuer_name(&self) -> &str {
        &self.issuer.policy.name
    }
}

/// What each check says of a token, and which key signed it.
pub(crate) struct Explained {
    pub(crate) checks: Vec<(Check, Outcome, Option<String>)>,
    pub(crate) signer: Option<Signer>,
}

/// One that repeats a name is an object still: what it claims is not for us to guess.
fn is_json_object(payload: &[u8]) -> bool {
    payload.trim_ascii_start().starts_with(b"{") && check_unique_names(payload) != Err(JsonError::Malformed)
}

/// The issuer's keys: the machine that knows when to fetch, and where from.
struct Keys {
    machine: KeySetMachine,
    source: Option<Source>,
    from_file: bool,
    runtime: Runtime,
}

impl Keys {
    /// Fetches the set if that is due. A provider that fails leaves what was there, and a word on stderr; a
    /// file that fails is a mistake of whoever named it.
    fn refresh(&mut self, clock: &SystemClock) -> Result<(), Failure> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        if self.machine.poll(clock.now()) != Step::Fetch {
            return Ok(());
        }
        let result = self.runtime.block_on(source.fetch());
        let now = clock.now();
        match result {
            Ok(fetched) => {
                let skipped = fetched.fetched.set.skipped().len();
                match self.machine.fetched(now, Ok(fetched.fetched)) {
                    Refresh::Refused(no_usable_key) => tell(no_usable_key),
                    _ if skipped > 0 => {
                        tell(format_args!("{skipped} of the keys cannot be used: see `keyward keys check`"));
                    }
                    _ => {}
                }
                Ok(())
            }
            Err(error) => {
                let _ = self.machine.fetched(now, Err(error.retry_after()));
                if self.from_file {
                    return Err(error.into());
                }
                tell(error);
                Ok(())
            }
        }
    }

    /// Fetches the set again for a key that it does not hold, within the budget.
    fn want(&mut self, clock: &SystemClock, wanted: WantedKey) -> Result<(), Reason> {
        if self.source.is_none() {
            return Err(Reason::KeysUnavailable);
        }
        match self.machine.want(clock.now(), wanted) {
            Answer::Refused(reason) => return Err(reason),
            Answer::Wait => {}
        }
        let failures = self.machine.failures();
        self.refresh(clock).map_err(|_| Reason::KeysUnavailable)?;
        if self.machine.failures() > failures { Err(Reason::KeysUnavailable) } else { Ok(()) }
    }
}
