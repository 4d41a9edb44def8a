use super::*;
use crate::diagnosis::Certainty;
use crate::facts::{Configured, TokenKind, WouldBe};

fn facts(token: TokenFacts) -> Facts {
    let configured = Configured {
        name: "main".to_owned(),
        issuer: "https://idp.example".to_owned(),
        leeway_s: 60,
        ..Configured::default()
    };
    let issuers = vec![IssuerFacts { configured, ..IssuerFacts::default() }];
    Facts { issuers, token: Some(token), ..Facts::default() }
}

fn refused(reasons: &[Option<&str>]) -> TokenFacts {
    let would_be = |(place, reason): (usize, &Option<&str>)| WouldBe {
        of: format!("route {}", place + 1),
        verdict: if reason.is_some() { "reject" } else { "accept" }.to_owned(),
        reason: reason.map(str::to_owned),
    };
    TokenFacts {
        issuer: IssuerMatch::Exact("main".to_owned()),
        would_be: reasons.iter().enumerate().map(would_be).collect(),
        ..TokenFacts::default()
    }
}

fn looked_at(token: TokenFacts) -> Found {
    let mut found = Found::default();
    look(&facts(token), &mut found);
    found
}

#[test]
fn what_a_route_demands_is_certain_only_where_every_route_does() {
    for (reason, code) in [
        ("insufficient_scope", Code::ScopeMissing),
        ("wrong_issuer", Code::IssuerNotAllowed),
        ("binding_missing", Code::BindingMissing),
        ("revoked", Code::TokenRevoked),
        ("wrong_audience", Code::AudienceWrong),
    ] {
        for (reasons, certainty) in [
            (&[Some(reason), Some(reason)][..], Certainty::Certain),
            (&[Some(reason), None], Certainty::Possible),
        ] {
            let found = looked_at(refused(reasons));
            let found: Vec<_> =
                found.findings.iter().map(|finding| (finding.code, finding.certainty)).collect();
            assert_eq!(found, [(code, certainty)], "{reasons:?}");
        }
    }
}

#[test]
fn a_good_token_is_healthy_and_one_that_nobody_could_try_is_unseen() {
    let found = looked_at(refused(&[None, None]));
    assert!(found.findings.is_empty() && found.healthy.len() == 1 && found.unseen.is_empty());
    let mut token = refused(&[None]);
    token.would_be[0].verdict = "introspected".to_owned();
    let found = looked_at(token);
    assert!(found.findings.is_empty() && found.healthy.is_empty() && found.unseen.len() == 1);
    let mut token = refused(&[Some("keys_unavailable")]);
    token.would_be[0].verdict = "undecided".to_owned();
    let found = looked_at(token);
    assert!(found.findings.is_empty() && found.healthy.is_empty() && found.unseen.len() == 1);
}

#[test]
fn an_opaque_token_is_no_trouble_where_it_is_introspected() {
    let mut token = refused(&[None]);
    (token.form, token.refused_for) = (TokenForm::Opaque, Some("malformed_token".to_owned()));
    token.would_be[0].verdict = "introspected".to_owned();
    assert!(looked_at(token).findings.is_empty());
}

#[test]
fn an_id_token_that_would_pass_is_told_nevertheless() {
    let found = looked_at(TokenFacts { kind: TokenKind::IdToken, ..refused(&[None]) });
    assert_eq!(found.findings.first().map(|finding| finding.code), Some(Code::IdTokenSent));
}

#[test]
fn without_a_token_nothing_is_said() {
    let mut found = Found::default();
    look(&Facts::default(), &mut found);
    assert!(found.findings.is_empty() && found.healthy.is_empty() && found.unseen.is_empty());
}
