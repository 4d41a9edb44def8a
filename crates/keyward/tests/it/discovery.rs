//! Where keys are found, and which addresses are refused.

use keyward::{Algorithm, IssuerSettings, Reason, Verifier};
use url::Url;

use crate::support::{Bench, JWKS, KEYS, OAUTH, OPENID, Outcome, Provider, Reply, discover, token};

#[tokio::test]
async fn finds_the_keys_by_openid_connect_discovery() {
    let provider = Provider::start(&KEYS[..2]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let token = bench.token(&KEYS[1], &provider.issuer());
    assert_eq!(bench.outcome_at_once(&token), Outcome::Accept);
    assert_eq!((provider.hits(OPENID), provider.hits(OAUTH), provider.hits(JWKS)), (1, 0, 1));
    let status = bench.status();
    assert_eq!((status.state, status.usable, status.source), ("fresh", true, Some("fetched")));
    assert_eq!((status.keys.len(), status.failures), (2, 0));
}

#[tokio::test]
async fn falls_back_to_the_document_of_rfc_8414_where_there_is_no_other() {
    let provider = Provider::start(&KEYS[..1]).await;
    let issuer = provider.url("/tenants/a");
    provider.unset(OPENID);
    provider.set(&format!("{OAUTH}/tenants/a"), Reply::ok(provider.metadata(&issuer)));
    let bench = Bench::ready(IssuerSettings::discover(&issuer).named("idp")).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &issuer)), Outcome::Accept);
    assert_eq!(provider.hits(&format!("/tenants/a{OPENID}")), 1);
}

#[tokio::test]
async fn does_not_fall_back_where_the_provider_fails_or_lies() {
    for reply in [Reply::status(500), Reply::ok("<html>"), Reply::ok(r#"{"issuer":"https://other.example"}"#)]
    {
        let provider = Provider::start(&KEYS[..1]).await;
        provider.set(OPENID, reply);
        provider.set(OAUTH, Reply::ok(provider.metadata(&provider.issuer())));
        let bench = Bench::new(discover(&provider));
        provider.hit(OPENID, 2).await;
        assert_eq!((provider.hits(OAUTH), bench.status().state), (0, "empty"));
    }
}

#[tokio::test]
async fn the_issuer_must_match_to_the_letter() {
    let provider = Provider::start(&KEYS[..1]).await;
    let issuer = provider.issuer();
    for named in [
        format!("{issuer}/"),
        issuer.replace("http", "HTTP"),
        issuer.replace("127.0.0.1", "localhost"),
        issuer.replace("http:", "https:"),
        format!("{issuer}0"),
        format!("{issuer}/realms/other"),
        format!(" {issuer}"),
        "https://idp.example".to_owned(),
        String::new(),
    ] {
        provider.set(OPENID, Reply::ok(provider.metadata(&named)));
        let bench = Bench::new(discover(&provider));
        bench.seen("failed: issuer_mismatch", 1).await;
        assert_eq!((provider.hits(JWKS), bench.status().state), (0, "empty"), "{named}");
        for issuer in [&issuer, &named] {
            let outcome = bench.outcome(&bench.token(&KEYS[0], issuer)).await;
            let expected =
                [Outcome::Undecided(Reason::KeysUnavailable), Outcome::Reject(Reason::UnknownIssuer)];
            assert_eq!(outcome, expected[usize::from(issuer == &named)], "{named}");
        }
    }
}

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    let provider = Provider::start(&KEYS[..1]).await;
    let issuer = provider.issuer();
    let jwks = provider.url(JWKS);
    for document in [
        "<!doctype html><title>Sign in</title>".to_owned(),
        String::new(),
        format!(r#"{{"issuer":"{issuer}"}}"#),
        format!(r#"{{"issuer":"{issuer}","jwks_uri":"/jwks"}}"#),
        format!(r#"{{"issuer":"{issuer}","jwks_uri":null}}"#),
        format!(r#"{{"issuer":["{issuer}"],"jwks_uri":"{jwks}"}}"#),
        format!(r#"{{"issuer":"{issuer}","issuer":"{issuer}","jwks_uri":"{jwks}"}}"#),
        format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks}""#),
        format!(r#"["{issuer}","{jwks}",null]"#),
    ] {
        provider.set(OPENID, Reply::ok(document.clone()));
        let bench = Bench::new(discover(&provider));
        bench.seen("failed: discovery_malformed", 1).await;
        assert_eq!(provider.hits(JWKS), 0, "{document}");
    }
}

#[tokio::test]
async fn keys_are_not_fetched_from_where_they_should_not_be() {
    let provider = Provider::start(&KEYS[..1]).await;
    for jwks_uri in [
        "http://idp.example/jwks",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1.example/jwks",
        "file:///etc/passwd",
        "ftp://127.0.0.1/jwks",
        "data:application/json,{}",
    ] {
        let document = serde_json::json!({ "issuer": provider.issuer(), "jwks_uri": jwks_uri });
        provider.set(OPENID, Reply::ok(document.to_string()));
        Bench::new(discover(&provider)).seen("failed: insecure_address", 1).await;
    }
}

#[tokio::test]
async fn a_verifier_with_an_insecure_issuer_does_not_start() {
    let jwks_uri = Url::parse("http://user:hunter2@idp.example/jwks?apikey=hunter2").unwrap();
    for settings in [
        IssuerSettings::discover("http://idp.example"),
        IssuerSettings::discover("http://10.0.0.1"),
        IssuerSettings::discover("idp.example"),
        IssuerSettings::discover("file:///etc"),
        IssuerSettings::discover(""),
        IssuerSettings::jwks_uri("https://idp.example", jwks_uri),
    ] {
        let refused = Verifier::builder().issuer(settings).start().unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("https") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn keys_at_an_explicit_address_need_no_discovery() {
    let provider = Provider::start(&KEYS[..1]).await;
    let address = Url::parse(&provider.url(JWKS)).unwrap();
    let settings = IssuerSettings::jwks_uri("https://idp.example", address).named("idp");
    let bench = Bench::ready(settings.algorithms([Algorithm::EdDsa])).await;
    let good = bench.token(&KEYS[0], "https://idp.example");
    assert_eq!(bench.outcome_at_once(&good), Outcome::Accept);
    assert_eq!(provider.hits(OPENID), 0);
    let other = token(&KEYS[0], &provider.issuer(), bench.clock.wall());
    assert_eq!(bench.outcome_at_once(&other), Outcome::Reject(Reason::UnknownIssuer));
}

#[tokio::test]
async fn a_provider_may_move_its_keys() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let moved = serde_json::json!({ "issuer": provider.issuer(), "jwks_uri": provider.url("/moved") });
    provider.set(OPENID, Reply::ok(moved.to_string()));
    provider.set("/moved", Reply::ok(crate::support::jwks(&KEYS[1..2])));
    provider.set(JWKS, Reply::status(410));
    assert_eq!(bench.outcome(&bench.token(&KEYS[1], &provider.issuer())).await, Outcome::Accept);
}
