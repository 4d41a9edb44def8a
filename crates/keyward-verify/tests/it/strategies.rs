//! Every strategy against everything that keys and endpoint can come to: promise 2, held against a table that is
//! written down a second time.

use std::sync::Arc;

use keyward_jose::{DecodeBuffer, Signer};
use keyward_verify::introspection::{AnswerCache, Failure, Forget};
use keyward_verify::strategy::{
    Advance, Fallback, FallbackCause, Flow, GivenUp, Grounds, Plan, Strategy, Tactic,
};
use keyward_verify::{
    Issuer, MonoTime, Now, Reason, Requirement, UnixTime, Verdict, VerdictCache, VerifiedBy,
};
use serde_json::json;

use crate::support::*;

/// What an issuer's keys say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Accept,
    Reject,
    CannotTell,
}

/// What its endpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Active,
    /// Active, and for somebody else.
    ActiveElsewhere,
    Inactive,
    CannotTell(Failure),
}

/// What a verdict is, in a form that compares: by which way it was accepted, and why not by the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Accept { by_keys: bool, fallback: Option<FallbackCause> },
    Reject(Reason),
    Undecided(Reason),
}

const BEFORE: Now = Now { wall: UnixTime(START.wall.0 - 1), mono: MonoTime(START.mono.0 - 1_000_000_000) };

const KEYS_SAY: [Keys; 3] = [Keys::Accept, Keys::Reject, Keys::CannotTell];

fn endpoint_says() -> impl Iterator<Item = Endpoint> {
    let tells = [Endpoint::Active, Endpoint::ActiveElsewhere, Endpoint::Inactive];
    tells.into_iter().chain(Failure::ALL.map(Endpoint::CannotTell))
}

/// One issuer with an endpoint, in one place.
struct Desk {
    issuers: Vec<Issuer>,
    answers: Vec<Option<Arc<AnswerCache>>>,
    verdicts: VerdictCache,
    requirement: Requirement,
    plan: Plan,
}

impl Desk {
    fn new(tactic: Tactic, opaque: bool) -> Self {
        // Fetched before any token comes in: it cannot know the newest key.
        let machine = machine_with(BEFORE, &[own_jwk(&KEYS[0])]);
        let requirement = Requirement { audiences: vec!["api".into()], ..Requirement::default() };
        Self {
            issuers: vec![issuer_of(&machine)],
            answers: vec![Some(Arc::new(answers()))],
            verdicts: VerdictCache::new(1 << 20, 7),
            plan: Plan::new(&requirement, vec![tactic], opaque.then_some(0)),
            requirement,
        }
    }

    fn grounds(&self) -> Grounds<'_> {
        let Self { issuers, answers, verdicts, requirement, plan } = self;
        Grounds { issuers, answers, verdicts, requirement, number: 0, plan }
    }

    /// Takes a token to its verdict. Returns how often the endpoint was asked, too.
    fn decide(&self, now: Now, token: &str, endpoint: Endpoint) -> (Came, usize) {
        let (came, asked, _) = self.decide_and_tell(now, token, endpoint);
        (came, asked)
    }

    /// Returns whether the second way was asked and could not tell either, too.
    fn decide_and_tell(&self, now: Now, token: &str, endpoint: Endpoint) -> (Came, usize, bool) {
        let (mut flow, mut buffer) =
            (Flow::new(self.grounds(), token.as_bytes(), now.mono), DecodeBuffer::new());
        let mut asked = 0;
        loop {
            match flow.advance(now, &mut buffer) {
                Advance::Decided(verdict) => {
                    let both_failed = flow.both_failed().inspect(|place| assert_eq!(*place, 0)).is_some();
                    return (came(&verdict), asked, both_failed);
                }
                Advance::NeedsKey(wanted) => flow.without_key(now, wanted.otherwise),
                Advance::NeedsAnswer { place, unasked } => {
                    assert_eq!(place, 0);
                    asked += 1;
                    let response = match endpoint {
                        Endpoint::Active => good_response(),
                        Endpoint::ActiveElsewhere => with(good_response(), "aud", "another"),
                        Endpoint::Inactive => json!({ "active": false }),
                        Endpoint::CannotTell(failure) => {
                            flow.answered(now, Err(failure));
                            continue;
                        }
                    };
                    let answers = self.answers[0].as_ref().unwrap();
                    let answer = answered(&answers.question(unasked), &response);
                    answers.remember(now, &answer);
                    flow.answered(now, Ok(&answer));
                }
            }
        }
    }
}

fn came(verdict: &Verdict) -> Came {
    match verdict {
        Verdict::Accept(verified) => Came::Accept {
            by_keys: matches!(verified.verified_by(), VerifiedBy::KeySet { .. }),
            fallback: verified.fallback(),
        },
        Verdict::Reject(reason) => Came::Reject(*reason),
        Verdict::Undecided(reason) => Came::Undecided(*reason),
    }
}

fn token(keys: Keys) -> String {
    let good = sign(&KEYS[0], &good_claims());
    match keys {
        Keys::Accept => good,
        Keys::Reject => {
            let (signed, _) = good.rsplit_once('.').unwrap();
            format!("{signed}.{}", base64url(&[7; 64]))
        }
        Keys::CannotTell => sign(&KEYS[1], &good_claims()),
    }
}

/// The table, in other words than the code's.
fn expected(tactic: Tactic, keys: Keys, endpoint: Endpoint) -> Came {
    let by_keys = Came::Accept { by_keys: true, fallback: None };
    let by_endpoint = Came::Accept { by_keys: false, fallback: None };
    let falls_back = tactic.fallback.is_some();
    let endpoint_alone = match endpoint {
        Endpoint::Active => by_endpoint,
        Endpoint::ActiveElsewhere => Came::Reject(Reason::WrongAudience),
        Endpoint::Inactive => Came::Reject(Reason::Inactive),
        Endpoint::CannotTell(failure) => Came::Undecided(failure.reason()),
    };
    let keys_alone = match keys {
        Keys::Accept => by_keys,
        Keys::Reject => Came::Reject(Reason::InvalidSignature),
        Keys::CannotTell => Came::Undecided(Reason::KeysUnavailable),
    };
    match (tactic.strategy, keys, endpoint) {
        (Strategy::KeySet, ..) => keys_alone,
        (Strategy::Introspection, ..) => endpoint_alone,
        (Strategy::IntrospectionThenKeySet, keys, Endpoint::CannotTell(failure)) if falls_back => {
            match keys {
                Keys::Accept => {
                    Came::Accept { by_keys: true, fallback: Some(FallbackCause::Introspection(failure)) }
                }
                Keys::Reject => keys_alone,
                Keys::CannotTell => endpoint_alone,
            }
        }
        (Strategy::IntrospectionThenKeySet, ..) => endpoint_alone,
        (Strategy::KeySetThenIntrospection, Keys::CannotTell, endpoint) if falls_back => match endpoint {
            Endpoint::Active => Came::Accept {
                by_keys: false,
                fallback: Some(FallbackCause::KeySet(Reason::KeysUnavailable)),
            },
            Endpoint::CannotTell(_) => keys_alone,
            _ => endpoint_alone,
        },
        (Strategy::KeySetThenIntrospection, ..) => keys_alone,
        (Strategy::Both, Keys::Accept, Endpoint::Active) => by_keys,
        (Strategy::Both, Keys::Accept, Endpoint::CannotTell(failure)) if falls_back => {
            Came::Accept { by_keys: true, fallback: Some(FallbackCause::Introspection(failure)) }
        }
        (Strategy::Both, Keys::Accept, _) => endpoint_alone,
        (Strategy::Both, ..) => keys_alone,
    }
}

fn tactics() -> impl Iterator<Item = Tactic> {
    let fallbacks = [None, Some(Fallback::default())];
    Strategy::ALL
        .into_iter()
        .flat_map(move |strategy| fallbacks.into_iter().map(move |fallback| Tactic { strategy, fallback }))
}

#[test]
fn that_the_fallback_failed_too_is_told_where_it_was_asked_and_could_not_tell_and_nowhere_else() {
    let mut told = 0;
    for tactic in tactics() {
        for keys in KEYS_SAY {
            for endpoint in endpoint_says() {
                let (came, _, both_failed) =
                    Desk::new(tactic, false).decide_and_tell(START, &token(keys), endpoint);
                let neither = matches!((keys, endpoint), (Keys::CannotTell, Endpoint::CannotTell(_)));
                let has_two_ways = tactic.strategy.needs_fallback() && tactic.fallback.is_some();
                assert_eq!(both_failed, neither && has_two_ways, "{tactic:?} {keys:?} {endpoint:?}");
                assert!(
                    !both_failed || matches!(came, Came::Undecided(_)),
                    "{tactic:?} {keys:?} {endpoint:?}"
                );
                told += usize::from(both_failed);
            }
        }
    }
    assert!(told > 0);
}

#[test]
fn every_strategy_does_as_the_table_says() {
    for tactic in tactics() {
        for keys in KEYS_SAY {
            for endpoint in endpoint_says() {
                let (came, asked) = Desk::new(tactic, false).decide(START, &token(keys), endpoint);
                assert_eq!(came, expected(tactic, keys, endpoint), "{tactic:?} {keys:?} {endpoint:?}");
                assert!(asked <= 1, "{tactic:?} {keys:?} {endpoint:?} asks {asked} times");
            }
        }
    }
}

/// The same without the table: what must hold whichever strategy somebody thinks of next.
#[test]
fn no_failure_of_ours_or_the_endpoints_blames_a_token_and_none_lets_a_bad_one_pass() {
    for tactic in tactics() {
        for keys in KEYS_SAY {
            for endpoint in endpoint_says() {
                let (came, asked) = Desk::new(tactic, false).decide(START, &token(keys), endpoint);
                let case = format!("{tactic:?} {keys:?} {endpoint:?}: {came:?}");
                match came {
                    Came::Accept { by_keys, fallback } => {
                        assert!(
                            if by_keys { keys == Keys::Accept } else { endpoint == Endpoint::Active },
                            "{case}"
                        );
                        let says_no = matches!(endpoint, Endpoint::Inactive | Endpoint::ActiveElsewhere);
                        assert!(asked == 0 || !says_no, "{case}");
                        assert!(fallback.is_none() || tactic.fallback.is_some(), "{case}");
                    }
                    Came::Reject(reason) => {
                        assert!(!reason.is_undecided(), "{case}");
                        let says_no = matches!(endpoint, Endpoint::Inactive | Endpoint::ActiveElsewhere);
                        assert!(keys == Keys::Reject || says_no, "{case}");
                    }
                    Came::Undecided(reason) => assert!(reason.is_undecided(), "{case}"),
                }
            }
        }
    }
}

#[test]
fn our_refused_credential_is_said_to_be_ours() {
    let refused = Endpoint::CannotTell(Failure::CredentialsRejected);
    for strategy in [Strategy::Introspection, Strategy::Both, Strategy::IntrospectionThenKeySet] {
        let desk = Desk::new(Tactic { strategy, fallback: None }, false);
        let (came, _) = desk.decide(START, &token(Keys::Accept), refused);
        assert_eq!(came, Came::Undecided(Reason::IntrospectionCredentialsRejected), "{strategy}");
    }
}

#[test]
fn a_fallback_for_young_tokens_leaves_the_others_undecided() {
    let fallback = Some(Fallback { younger_than: Some(seconds(600)) });
    let failure = Endpoint::CannotTell(Failure::TimedOut);
    let unavailable = Came::Undecided(Reason::IntrospectionUnavailable);
    for strategy in [Strategy::IntrospectionThenKeySet, Strategy::Both] {
        let tactic = Tactic { strategy, fallback };
        let at = |age: u64| {
            let claims = with(good_claims(), "iat", START.wall.0 - i64::try_from(age).unwrap());
            Desk::new(tactic, false).decide(START, &sign(&KEYS[0], &claims), failure).0
        };
        assert!(matches!(at(599), Came::Accept { fallback: Some(_), .. }), "{strategy}");
        assert_eq!(at(600), unavailable, "{strategy}");
        let ageless = sign(&KEYS[0], &without(good_claims(), "iat"));
        assert_eq!(Desk::new(tactic, false).decide(START, &ageless, failure).0, unavailable, "{strategy}");
    }
    // By the endpoint's word, what that says of the token's age counts.
    let tactic = Tactic { strategy: Strategy::KeySetThenIntrospection, fallback };
    let (young, _) = Desk::new(tactic, false).decide(START, &token(Keys::CannotTell), Endpoint::Active);
    assert!(matches!(young, Came::Accept { by_keys: false, .. }));
}

#[test]
fn an_opaque_token_goes_to_the_endpoint_whatever_the_strategy_and_never_to_the_keys() {
    for tactic in tactics() {
        for endpoint in endpoint_says() {
            let (came, asked) = Desk::new(tactic, true).decide(START, "mF_9.B5f-4", endpoint);
            let alone = Tactic { strategy: Strategy::Introspection, fallback: None };
            assert_eq!(came, expected(alone, Keys::Accept, endpoint), "{tactic:?}");
            assert_eq!(asked, 1);
        }
        // Where none is asked, it is no token.
        let (came, asked) = Desk::new(tactic, false).decide(START, "mF_9.B5f-4", Endpoint::Active);
        assert_eq!((came, asked), (Came::Reject(Reason::MalformedToken), 0), "{tactic:?}");
    }
}

#[test]
fn a_broken_jws_does_not_get_around_the_keys_by_being_asked_about() {
    let good = token(Keys::Accept);
    let broken = [
        format!("{good}="),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.."),
        good.replace('.', ".."),
        format!(" {good}"),
        good.replacen('.', "%2E", 1),
        "a b".to_owned(),
        "tok\u{e9}n".to_owned(),
        "=".to_owned(),
        String::new(),
    ];
    for tactic in tactics() {
        for token in &broken {
            let (came, asked) = Desk::new(tactic, true).decide(START, token, Endpoint::Active);
            assert_eq!((came, asked), (Came::Reject(Reason::MalformedToken), 0), "{tactic:?} {token}");
        }
    }
}

#[test]
fn junk_costs_no_call() {
    let desk = Desk::new(Tactic { strategy: Strategy::Introspection, fallback: None }, true);
    let claims = good_claims();
    let header = json!({ "alg": "EdDSA", "typ": "logout+jwt" }).to_string();
    let of_wrong_type = sign_parts(&KEYS[0], header.as_bytes(), claims.to_string().as_bytes());
    for (token, reason) in [
        (sign(&KEYS[0], &with(claims.clone(), "exp", START.wall.0 - 61)), Reason::Expired),
        (sign(&KEYS[0], &with(claims.clone(), "nbf", START.wall.0 + 61)), Reason::NotYetValid),
        (sign(&KEYS[0], &with(claims, "iss", "https://other.example")), Reason::UnknownIssuer),
        (of_wrong_type, Reason::WrongTokenType),
        ("x".repeat(17_000), Reason::TokenTooLarge),
    ] {
        assert_eq!(desk.decide(START, &token, Endpoint::Active), (Came::Reject(reason), 0));
    }
}

#[test]
fn a_denied_key_is_denied_to_the_endpoint_too() {
    let mut desk = Desk::new(Tactic { strategy: Strategy::Introspection, fallback: None }, false);
    let policy = Arc::make_mut(&mut desk.issuers[0].policy);
    policy.denied_kids.push(KEYS[0].kid().unwrap().into());
    let (came, asked) = desk.decide(START, &token(Keys::Accept), Endpoint::Active);
    assert_eq!((came, asked), (Came::Reject(Reason::Revoked), 0));
}

#[test]
fn an_answer_is_asked_for_once_until_it_is_over_or_taken_back() {
    for strategy in [Strategy::Introspection, Strategy::Both] {
        let desk = Desk::new(Tactic { strategy, fallback: None }, false);
        let token = token(Keys::Accept);
        let asked = |now, endpoint| desk.decide(now, &token, endpoint);
        assert_eq!(asked(START, Endpoint::Active).1, 1);
        let (came, calls) = asked(later(START, seconds(29)), Endpoint::CannotTell(Failure::TimedOut));
        assert!(matches!(came, Came::Accept { fallback: None, .. }) && calls == 0, "{strategy}");
        assert_eq!(asked(later(START, seconds(30)), Endpoint::Inactive), (Came::Reject(Reason::Inactive), 1));
        assert_eq!(asked(later(START, seconds(34)), Endpoint::Active), (Came::Reject(Reason::Inactive), 0));
        assert_eq!(asked(later(START, seconds(35)), Endpoint::Active).1, 1);
        desk.answers[0].as_ref().unwrap().forget(Forget::Token(token.as_bytes()));
        let (came, calls) = asked(later(START, seconds(36)), Endpoint::Inactive);
        assert_eq!((came, calls), (Came::Reject(Reason::Inactive), 1), "{strategy}");
    }
}

#[test]
fn what_an_answer_names_must_suffice_here_each_time() {
    let token = token(Keys::Accept);
    for strategy in [Strategy::Introspection, Strategy::Both] {
        let mut desk = Desk::new(Tactic { strategy, fallback: None }, false);
        assert!(matches!(desk.decide(START, &token, Endpoint::Active).0, Came::Accept { .. }));
        desk.requirement.scopes = vec!["delete".into()];
        desk.verdicts = VerdictCache::new(1 << 20, 7);
        let (came, asked) = desk.decide(START, &token, Endpoint::Active);
        assert_eq!((came, asked), (Came::Reject(Reason::InsufficientScope), 0), "{strategy}");
    }
}

#[test]
fn of_several_issuers_the_one_that_a_token_names_is_asked_and_by_its_own_tactic() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let mut other = issuer_of(&machine);
    Arc::make_mut(&mut other.policy).issuer = "https://other.example".into();
    let requirement = Requirement::default();
    let introspection = Tactic { strategy: Strategy::Introspection, fallback: None };
    let desk = Desk {
        issuers: vec![issuer_of(&machine), other],
        answers: vec![None, Some(Arc::new(answers()))],
        verdicts: VerdictCache::new(1 << 20, 7),
        plan: Plan::new(&requirement, vec![Tactic::default(), introspection], Some(1)),
        requirement,
    };
    assert!(!desk.plan.is_keys_only());
    let asked_place = |token: &str| {
        let mut flow = Flow::new(desk.grounds(), token.as_bytes(), START.mono);
        match flow.advance(START, &mut DecodeBuffer::new()) {
            Advance::NeedsAnswer { place, .. } => Some(place),
            Advance::Decided(Verdict::Accept(_)) => None,
            other => panic!("{other:?}"),
        }
    };
    // Twice: from the second time on its verdict is remembered.
    for _ in 0..2 {
        assert_eq!(asked_place(&token(Keys::Accept)), None);
    }
    let of_other = sign(&KEYS[0], &with(good_claims(), "iss", "https://other.example"));
    assert_eq!(asked_place(&of_other), Some(1));
    assert_eq!(asked_place("opaque"), Some(1));
}

#[test]
fn a_plan_in_which_no_endpoint_is_asked_says_so() {
    let requirement = Requirement::default();
    let keys_only = |tactics: Vec<Tactic>, opaque| Plan::new(&requirement, tactics, opaque).is_keys_only();
    assert!(keys_only(vec![Tactic::default()], None));
    assert!(!keys_only(vec![Tactic::default()], Some(0)));
    for tactic in tactics().filter(|tactic| tactic.strategy.introspects()) {
        assert!(!keys_only(vec![Tactic::default(), tactic], None), "{tactic:?}");
    }
    // An issuer whose tokens may not pass here has no say.
    let first = Requirement { issuers: vec![0], ..Requirement::default() };
    let other = Tactic { strategy: Strategy::Both, fallback: None };
    assert!(Plan::new(&first, vec![Tactic::default(), other], None).is_keys_only());
}

#[test]
fn what_a_fallback_gives_up_has_a_name() {
    assert_eq!(Strategy::IntrospectionThenKeySet.gives_up(), Some(GivenUp::Revocation));
    assert_eq!(Strategy::KeySetThenIntrospection.gives_up(), Some(GivenUp::Signature));
}
