//! What tools for people may do that a service must not, and what they still may not.

use keyward_jose::{DecodeBuffer, Signer};
use keyward_verify::{
    Check, Now, Outcome as Found, Reason, Requirement, Stop, dangerous_decide_for_any_issuer,
    dangerous_verify_signature_only, explain,
};
use serde_json::Value;

use crate::support::*;

fn any_issuer(claims: &Value, signer: usize) -> Outcome {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let token = sign_as(&KEYS[signer], KEYS[0].kid(), claims);
    outcome(&dangerous_decide_for_any_issuer(
        START,
        START.mono,
        &issuer_of(&machine),
        &Requirement::default(),
        token.as_bytes(),
        &mut DecodeBuffer::new(),
    ))
}

#[test]
fn any_issuer_means_the_name_and_nothing_else() {
    assert_eq!(any_issuer(&good_claims(), 0), Outcome::Accept);
    assert_eq!(any_issuer(&with(good_claims(), "iss", "https://other.example"), 0), Outcome::Accept);
    assert_eq!(any_issuer(&without(good_claims(), "iss"), 0), Outcome::Accept);
    assert_eq!(any_issuer(&good_claims(), 1), Outcome::Reject(Reason::InvalidSignature));
    assert_eq!(any_issuer(&with(good_claims(), "exp", 1), 0), Outcome::Reject(Reason::Expired));
    assert_eq!(any_issuer(&without(good_claims(), "exp"), 0), Outcome::Reject(Reason::MissingClaim));
}

#[test]
fn the_signature_alone_needs_a_key_of_the_set() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let issuer = issuer_of(&machine);
    let verify = |token: &str| {
        let mut buffer = DecodeBuffer::new();
        let signed =
            dangerous_verify_signature_only(START, START.mono, &issuer, token.as_bytes(), &mut buffer);
        signed.map(|signed| signed.payload().to_vec())
    };
    let header = |kid: &str| format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"anything"}}"#);
    let own = header(KEYS[0].kid().unwrap());
    assert_eq!(verify(&sign_parts(&KEYS[0], own.as_bytes(), b"no \xff JSON")), Ok(b"no \xff JSON".to_vec()));
    assert_eq!(
        verify(&sign_parts(&KEYS[1], own.as_bytes(), b"x")),
        Err(Stop::Reason(Reason::InvalidSignature))
    );
    assert_eq!(
        verify(&sign_parts(&KEYS[0], header("other").as_bytes(), b"x")),
        Err(Stop::Reason(Reason::UnknownKid))
    );
    assert_eq!(
        verify(&sign_parts(&KEYS[0], br#"{"alg":"HS256"}"#, b"x")),
        Err(Stop::Reason(Reason::UnsupportedAlgorithm))
    );
}

#[test]
fn a_denied_key_signs_nothing_for_a_tool_either() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let mut issuer = issuer_of(&machine);
    std::sync::Arc::make_mut(&mut issuer.policy).denied_kids = vec![KEYS[0].kid().unwrap().into()];
    let mut buffer = DecodeBuffer::new();
    for kid in [KEYS[0].kid(), None] {
        let token = sign_as(&KEYS[0], kid, &good_claims());
        let token = token.as_bytes();
        let any = Requirement::default();
        let decision = dangerous_decide_for_any_issuer(START, START.mono, &issuer, &any, token, &mut buffer);
        assert_eq!(outcome(&decision), Outcome::Reject(Reason::Revoked));
        let explained = explain(START, START.mono, &issuer, &any, token, &mut buffer);
        assert!(explained.contains(&(Check::Signature, Found::No(Reason::Revoked))));
        let signed = dangerous_verify_signature_only(START, START.mono, &issuer, token, &mut buffer);
        assert_eq!(signed.err(), Some(Stop::Reason(Reason::Revoked)));
    }
}

#[test]
fn an_explanation_leaves_no_check_out() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let issuer = issuer_of(&machine);
    let explain_at = |now: Now, token: &str| {
        let mut buffer = DecodeBuffer::new();
        explain(now, now.mono, &issuer, &Requirement::default(), token.as_bytes(), &mut buffer)
    };
    let explain = |token: &str| explain_at(START, token);
    let bad = with(with(good_claims(), "iss", "https://other.example"), "exp", 1);
    assert_eq!(
        explain(&sign_as(&KEYS[1], KEYS[0].kid(), &bad)),
        [
            (Check::Form, Found::Yes),
            (Check::Claims, Found::Yes),
            (Check::Issuer, Found::No(Reason::UnknownIssuer)),
            (Check::Header, Found::Yes),
            (Check::Times, Found::No(Reason::Expired)),
            (Check::Audience, Found::NotAsked),
            (Check::Signature, Found::No(Reason::InvalidSignature)),
        ]
    );
    let good = sign(&KEYS[0], &with(good_claims(), "exp", START.wall.0 + 100_000));
    let late = later(START, seconds(86_400));
    let (check, found) = explain_at(late, &good)[6];
    assert_eq!((check, found), (Check::Signature, Found::No(Reason::KeysStaleLimit)));
    assert_eq!(explain("a.b"), [(Check::Form, Found::No(Reason::MalformedToken))]);
}
