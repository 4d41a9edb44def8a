//! What tokens are bound to, held against what requests show: by claim, by scheme, by demand and by strategy.

use std::sync::Arc;

use keyward_jose::DecodeBuffer;
use keyward_verify::binding::{BindingError, Checked, Demanded, Presented, ProofError, Proofs, Scheme};
use keyward_verify::introspection::{AnswerCache, Failure};
use keyward_verify::strategy::{Advance, Fallback, Flow, Grounds, Plan, Strategy, Tactic};
use keyward_verify::{MonoTime, Now, Reason, Requirement, UnixTime, Verdict, VerdictCache, Verified};
use serde_json::{Value, json};

use crate::proofs::*;
use crate::support::*;

/// What a request may show.
fn shown() -> Vec<Shown> {
    let mut all = Vec::new();
    for scheme in [Scheme::Bearer, Scheme::Dpop] {
        for certificate in [Certificate::None, Certificate::Own, Certificate::Other] {
            for key in [Key::None, Key::Own, Key::Other, Key::Twice] {
                all.push((scheme, certificate, key));
            }
        }
    }
    all
}

type Shown = (Scheme, Certificate, Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certificate {
    None,
    Own,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    None,
    Own,
    Other,
    Twice,
}

/// The table, in other words than the code's: what a token that is bound to a certificate, and to each of these keys,
/// comes to; whether a proof is used up.
fn expected(
    to_certificate: bool,
    to_keys: &[Key],
    demanded: Option<Demanded>,
    (scheme, certificate, key): Shown,
) -> Result<bool, Reason> {
    let to_key = !to_keys.is_empty();
    let meets = match demanded {
        Some(Demanded::Any) => to_certificate | to_key,
        Some(Demanded::Certificate) => to_certificate,
        Some(Demanded::Dpop) => to_key,
        None => true,
    };
    match (scheme, to_key) {
        _ if !meets => return Err(Reason::BindingMissing),
        (Scheme::Bearer, true) | (Scheme::Dpop, false) => return Err(Reason::BindingMissing),
        _ => {}
    }
    match certificate {
        Certificate::None if to_certificate => return Err(Reason::BindingMissing),
        Certificate::Other if to_certificate => return Err(Reason::BindingMismatch),
        _ => {}
    }
    match key {
        _ if !to_key => Ok(false),
        Key::None => Err(Reason::BindingMissing),
        Key::Twice => Err(Reason::ProofInvalid),
        own_or_other if to_keys.iter().all(|bound| *bound == own_or_other) => Ok(true),
        _ => Err(Reason::BindingMismatch),
    }
}

/// What the check comes to: whether a proof is used up, or why not.
fn came(
    demanded: Option<Demanded>,
    token: &str,
    verified: &Verified,
    (scheme, certificate, key): Shown,
) -> Result<bool, Reason> {
    let own = proof(token);
    let theirs = sign_proof(&THIEF, &proof_header(&THIEF), &proof_claims(token));
    let presented = Presented {
        scheme,
        certificate: match certificate {
            Certificate::None => None,
            Certificate::Own => Some(CERTIFICATE),
            Certificate::Other => Some(OTHER_CERTIFICATE),
        },
        proofs: match key {
            Key::None => Proofs::Absent,
            Key::Own => one(&own),
            Key::Other => one(&theirs),
            Key::Twice => Proofs::Several,
        },
    };
    match check_demanding(demanded, token, verified, &presented) {
        Ok(checked) => Ok(matches!(checked, Checked::Once(_))),
        Err(error) => Err(error.reason()),
    }
}

fn confirmation((to_certificate, to_key): (bool, bool)) -> Value {
    let mut cnf = json!({ "kid": "nobody looks at this" });
    if to_certificate {
        cnf["x5t#S256"] = x5t(CERTIFICATE).into();
    }
    if to_key {
        cnf["jkt"] = jkt(&CLIENT).into();
    }
    cnf
}

const BOUND: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];

#[test]
fn every_binding_under_every_demand_holds_only_with_what_it_takes() {
    let demands = [None].into_iter().chain(Demanded::ALL.map(Some));
    for demanded in demands {
        for bound in BOUND {
            let (token, verified) = verified(&bound_claims(confirmation(bound)));
            assert!(verified.is_bound());
            for shown in shown() {
                let came = came(demanded, &token, &verified, shown);
                let keys: &[Key] = if bound.1 { &[Key::Own] } else { &[] };
                let expected = expected(bound.0, keys, demanded, shown);
                assert_eq!(came, expected, "{bound:?} {demanded:?} {shown:?}");
            }
        }
        let (token, verified) = verified(&good_claims());
        assert!(!verified.is_bound());
        for shown in shown() {
            let came = came(demanded, &token, &verified, shown);
            assert_eq!(came, expected(false, &[], demanded, shown), "unbound {demanded:?} {shown:?}");
        }
    }
}

#[test]
fn a_confirmation_that_names_nothing_we_know_is_never_met() {
    for cnf in
        [json!({}), json!({ "kid": "a" }), json!({ "jwk": own_jwk(&KEYS[1]) }), json!({ "jku": "https://x" })]
    {
        let (token, verified) = verified(&bound_claims(cnf.clone()));
        assert!(verified.is_bound(), "{cnf}");
        for demanded in [None].into_iter().chain(Demanded::ALL.map(Some)) {
            for shown in shown() {
                assert_eq!(
                    came(demanded, &token, &verified, shown),
                    Err(Reason::BindingMissing),
                    "{cnf} {shown:?}"
                );
            }
        }
    }
}

#[test]
fn a_confirmation_that_is_none_makes_the_token_malformed() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    for cnf in [
        json!(null),
        json!("x"),
        json!([]),
        json!([{ "jkt": jkt(&CLIENT) }]),
        json!({ "jkt": 7 }),
        json!({ "jkt": null }),
        json!({ "jkt": "x" }),
        json!({ "jkt": format!("{}=", jkt(&CLIENT)) }),
        json!({ "jkt": [jkt(&CLIENT)] }),
        json!({ "jkt": jkt(&CLIENT), "x5t#S256": "" }),
        json!({ "x5t#S256": { "x": 1 } }),
    ] {
        let token = sign(&KEYS[0], &bound_claims(cnf.clone()));
        let outcome = outcome_now(START, &issuer_of(&machine), &token);
        assert_eq!(outcome, Outcome::Reject(Reason::MalformedToken), "{cnf}");
    }
    let twice = good_claims().to_string().replacen(
        '{',
        &format!(r#"{{"cnf":{{"jkt":"{0}","jkt":"{0}"}},"#, jkt(&CLIENT)),
        1,
    );
    let token = sign_parts(&KEYS[0], br#"{"alg":"EdDSA"}"#, twice.as_bytes());
    assert_eq!(outcome_now(START, &issuer_of(&machine), &token), Outcome::Reject(Reason::MalformedToken));
}

#[test]
fn nothing_presented_is_a_bearer_token_alone() {
    let (token, verified) = dpop_bound();
    assert_eq!(check(&token, &verified, &Presented::NOTHING), Err(BindingError::Missing));
    assert_eq!(check(&token, &verified, &Presented::default()), Err(BindingError::Missing));
    let (token, verified) = crate::proofs::verified(&good_claims());
    assert_eq!(check(&token, &verified, &Presented::NOTHING), Ok(Checked::Holds));
    // A proof that nobody asked for is no fault: a client may not know what its token is.
    let stray = Presented { proofs: Proofs::Several, certificate: Some(CERTIFICATE), ..Presented::NOTHING };
    assert_eq!(check(&token, &verified, &stray), Ok(Checked::Holds));
}

#[test]
fn a_verdict_that_is_remembered_stays_bound() {
    let (token, verified) = dpop_bound();
    let cache = VerdictCache::new(1 << 20, 7);
    cache.insert(0, token.as_bytes(), verified);
    for _ in 0..3 {
        let remembered = cache.get(START, 0, token.as_bytes()).expect("it still holds");
        assert_eq!(check(&token, &remembered, &Presented::NOTHING), Err(BindingError::Missing));
        let jws = proof(&token);
        assert!(matches!(check(&token, &remembered, &with_proof(&jws)), Ok(Checked::Once(_))));
    }
}

/// What one side says that a token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    Certificate,
    Key,
    OtherKey,
    Unknown,
}

const BEFORE: Now = Now { wall: UnixTime(START.wall.0 - 1), mono: MonoTime(START.mono.0 - 1_000_000_000) };

const SAYS: [Says; 5] = [Says::Nothing, Says::Certificate, Says::Key, Says::OtherKey, Says::Unknown];

fn saying(claims: Value, says: Says) -> Value {
    match says {
        Says::Nothing => claims,
        Says::Certificate => with(claims, "cnf", json!({ "x5t#S256": x5t(CERTIFICATE) })),
        Says::Key => with(claims, "cnf", json!({ "jkt": jkt(&CLIENT) })),
        Says::OtherKey => with(claims, "cnf", json!({ "jkt": jkt(&THIEF) })),
        Says::Unknown => with(claims, "cnf", json!({ "kid": "x" })),
    }
}

/// Takes a token of the first key, or of one that is not known, to its verdict by this tactic.
fn decided(
    tactic: Tactic,
    by_known_key: bool,
    token_says: Says,
    answer: Option<Says>,
) -> (String, Option<Verified>) {
    // Fetched before any token comes in: it cannot know the newest key.
    let machine = machine_with(BEFORE, &[own_jwk(&KEYS[0])]);
    let requirement = Requirement { audiences: vec!["api".into()], ..Requirement::default() };
    let plan = Plan::new(&requirement, vec![tactic], None);
    let (issuers, verdicts) = (vec![issuer_of(&machine)], VerdictCache::new(1 << 20, 7));
    let remembered: Vec<Option<Arc<AnswerCache>>> = vec![Some(Arc::new(answers()))];
    let signer = if by_known_key { &KEYS[0] } else { &KEYS[1] };
    let token = sign(signer, &saying(good_claims(), token_says));
    let mut last = None;
    // The second time by what is remembered.
    for _ in 0..2 {
        let grounds = Grounds {
            issuers: &issuers,
            answers: &remembered,
            verdicts: &verdicts,
            requirement: &requirement,
            number: 0,
            plan: &plan,
        };
        let mut flow = Flow::new(grounds, token.as_bytes(), START.mono);
        last = loop {
            match flow.advance(START, &mut DecodeBuffer::new()) {
                Advance::Decided(Verdict::Accept(verified)) => break Some(verified),
                Advance::Decided(_) => break None,
                Advance::NeedsKey(wanted) => flow.without_key(START, wanted.otherwise),
                Advance::NeedsAnswer { unasked, .. } => match answer {
                    Some(says) => {
                        let cache = remembered[0].as_ref().unwrap();
                        let answer = answered(&cache.question(unasked), &saying(good_response(), says));
                        cache.remember(START, &answer);
                        flow.answered(START, Ok(&answer));
                    }
                    None => flow.answered(START, Err(Failure::TimedOut)),
                },
            }
        };
    }
    (token, last)
}

#[test]
fn what_the_token_says_and_what_its_endpoint_says_must_each_hold_by_every_strategy() {
    let tactics = [
        (Strategy::KeySet, true, None),
        (Strategy::Introspection, false, None),
        (Strategy::Both, true, None),
        (Strategy::IntrospectionThenKeySet, true, Some(Fallback::default())),
        (Strategy::KeySetThenIntrospection, true, Some(Fallback::default())),
        (Strategy::KeySetThenIntrospection, false, Some(Fallback::default())),
    ];
    for (strategy, by_known_key, fallback) in tactics {
        for token_says in SAYS {
            for answer_says in SAYS {
                let (token, verified) =
                    decided(Tactic { strategy, fallback }, by_known_key, token_says, Some(answer_says));
                let verified = verified.expect("it is accepted by every strategy");
                let is_asked = strategy != Strategy::KeySet
                    && (strategy != Strategy::KeySetThenIntrospection || !by_known_key);
                let says = if is_asked { vec![token_says, answer_says] } else { vec![token_says] };
                let label = format!("{strategy} {by_known_key} {token_says:?} {answer_says:?}");
                assert_eq!(verified.is_bound(), says.iter().any(|says| *says != Says::Nothing), "{label}");
                for shown in shown() {
                    let came = came(None, &token, &verified, shown);
                    assert_eq!(came, expected_of(&says, shown), "{label} {shown:?}");
                }
            }
        }
    }
}

/// What each side says, all of which must hold.
fn expected_of(says: &[Says], shown: Shown) -> Result<bool, Reason> {
    if says.contains(&Says::Unknown) {
        return Err(Reason::BindingMissing);
    }
    let key_of = |says: &Says| match says {
        Says::Key => Some(Key::Own),
        Says::OtherKey => Some(Key::Other),
        Says::Nothing | Says::Certificate | Says::Unknown => None,
    };
    let keys: Vec<_> = says.iter().filter_map(key_of).collect();
    expected(says.contains(&Says::Certificate), &keys, None, shown)
}

#[test]
fn a_fallback_to_the_keys_keeps_the_tokens_own_binding() {
    for strategy in [Strategy::Both, Strategy::IntrospectionThenKeySet] {
        let tactic = Tactic { strategy, fallback: Some(Fallback::default()) };
        let (token, verified) = decided(tactic, true, Says::Key, None);
        let verified = verified.expect("it falls back");
        assert!(verified.fallback().is_some() && verified.is_bound());
        assert_eq!(check(&token, &verified, &Presented::NOTHING), Err(BindingError::Missing));
    }
}

#[test]
fn an_answer_of_type_dpop_that_names_no_key_is_never_met() {
    for (response, reason) in [
        (with(good_response(), "token_type", "DPoP"), Reason::BindingMissing),
        (with(good_response(), "token_type", "dpop"), Reason::BindingMissing),
        (
            with(with(good_response(), "token_type", "DPoP"), "cnf", json!({ "x5t#S256": x5t(CERTIFICATE) })),
            Reason::BindingMissing,
        ),
    ] {
        let cache = answers();
        let verified = active(&question(&cache, START, "opaque"), &response)
            .check(START, &Requirement::default())
            .unwrap();
        for shown in shown() {
            assert_eq!(came(None, "opaque", &verified, shown), Err(reason), "{response} {shown:?}");
        }
    }
    let cache = answers();
    let response = with(with(good_response(), "token_type", "DPoP"), "cnf", json!({ "jkt": jkt(&CLIENT) }));
    let verified =
        active(&question(&cache, START, "opaque"), &response).check(START, &Requirement::default()).unwrap();
    let jws = proof("opaque");
    assert!(matches!(check("opaque", &verified, &with_proof(&jws)), Ok(Checked::Once(_))));
}

#[test]
fn an_error_says_which_reason_it_is_and_nothing_of_the_request() {
    for (error, reason) in [
        (BindingError::Mismatch, Reason::BindingMismatch),
        (BindingError::Missing, Reason::BindingMissing),
        (BindingError::Nonce, Reason::ProofNonceRequired),
        (BindingError::Proof(ProofError::Uri), Reason::ProofInvalid),
    ] {
        assert_eq!((error.reason(), Reason::from(error)), (reason, reason));
    }
    let jws = proof("secret");
    let shown = format!("{:?}", with_proof(&jws));
    assert!(!shown.contains(&jws) && !shown.contains(URI), "{shown}");
}
