//! Where a token may stand, and what is answered to each kind of bad one.

use crate::support::{
    Folder, Got, ISSUER, KEY, OTHER_KEY, STRANGERS_KEY, bearer, claims, config, expired_token, good_token,
    now, sign, with,
};

const COOKIE: &str = "[[route]]\ncookie = \"session\"\n";

#[tokio::test]
async fn a_token_stands_in_the_header_or_in_the_routes_cookie() {
    let folder = Folder::new();
    let routes = format!("[[route]]\npaths = [\"/header/\"]\n{COOKIE}");
    let running = folder.start(&config(&routes)).await;
    let good = good_token();
    let cookie = format!("theme=dark; session={good}; a=b");
    for authorization in [format!("Bearer {good}"), format!("bearer {good}"), format!("BEARER   {good}")] {
        assert_eq!(
            running.ask("/", &[("authorization", &authorization)]).await.status,
            200,
            "{authorization}"
        );
    }
    assert_eq!(running.ask("/", &[("cookie", &cookie)]).await.status, 200);
    // Another route does not look into cookies.
    assert_eq!(running.ask("/header/", &[("cookie", &cookie)]).await.reason(), Some("missing_token"));
    for cookie in
        [format!("Session={good}"), format!("xsession={good}"), format!("session_={good}"), good.clone()]
    {
        assert_eq!(
            running.ask("/", &[("cookie", &cookie)]).await.reason(),
            Some("missing_token"),
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn several_tokens_are_one_too_many() {
    let folder = Folder::new();
    let running = folder.start(&config(COOKIE)).await;
    let (good, authorization) = (good_token(), bearer(&good_token()));
    let cookie = format!("session={good}");
    for headers in [
        &[("authorization", &*authorization), ("cookie", &cookie)][..],
        &[("authorization", &authorization), ("authorization", &authorization)],
        &[("cookie", &cookie), ("cookie", &cookie)],
        &[("cookie", &format!("{cookie}; {cookie}"))],
    ] {
        let got = running.ask("/", headers).await;
        assert_eq!((got.status, got.reason()), (400, Some("several_tokens")), "{headers:?}");
        assert_eq!(got.json()["error"], "invalid_request");
        let challenge = got.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"invalid_request\", error_description=\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn another_scheme_is_no_token() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let without = running.ask("/", &[]).await;
    let other_schemes = ["Basic YTpi", "Digest x", "Bearerx", "DPoP x", ""];
    let mut answers = vec![("", without)];
    for value in other_schemes {
        answers.push((value, running.ask("/", &[("authorization", value)]).await));
    }
    for (value, got) in answers {
        assert_eq!((got.status, got.reason()), (401, Some("missing_token")), "{value}");
        // RFC 6750 §3.1: who sent no token is told no error.
        assert_eq!(got.header("www-authenticate"), Some("Bearer"));
        assert_eq!(got.json()["reason"], "missing_token");
    }
}

#[tokio::test]
async fn each_bad_token_is_told_why() {
    let folder = Folder::new();
    let running = folder
        .start(&config("").replace("jwks_file", "audiences = [\"api\"]\ntoken_octets = 4096\njwks_file"))
        .await;
    let good = good_token();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let others_signature = sign(&KEY, &with(claims(), "sub", "bob")).rsplit_once('.').unwrap().1.to_owned();
    for (token, reason) in [
        ("x".to_owned(), "malformed_token"),
        (String::new(), "malformed_token"),
        ("..".to_owned(), "malformed_token"),
        (format!("{good}="), "malformed_token"),
        (format!("{good} x"), "malformed_token"),
        (format!("{good},{good}"), "malformed_token"),
        (format!("{header}.{payload}."), "invalid_signature"),
        (format!("{head}.{others_signature}"), "invalid_signature"),
        (format!("eyJhbGciOiJub25lIn0.{payload}.{signature}"), "unsupported_algorithm"),
        (format!("eyJhbGciOiJub25lIn0.{payload}."), "unsupported_algorithm"),
        ("x".repeat(5000), "token_too_large"),
        (expired_token(), "expired"),
        (sign(&KEY, &with(claims(), "nbf", now() + 999)), "not_yet_valid"),
        (sign(&KEY, &with(claims(), "iat", now() + 999)), "issued_in_future"),
        (sign(&KEY, &with(claims(), "iss", "https://evil.example")), "unknown_issuer"),
        (sign(&KEY, &with(claims(), "iss", format!("{ISSUER}/"))), "unknown_issuer"),
        (sign(&KEY, &with(claims(), "aud", "files")), "wrong_audience"),
        (sign(&STRANGERS_KEY, &claims()), "invalid_signature"),
        (sign(&OTHER_KEY, &claims()), "unknown_kid"),
    ] {
        let got = running.ask_with(&token).await;
        assert_eq!((got.status, got.reason()), (401, Some(reason)), "{token}");
        is_a_refusal(&got, reason);
        let challenge = got.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{challenge}");
        assert_eq!(challenge.matches('"').count(), 4, "{challenge}");
        assert_eq!(got.header("retry-after"), None);
        assert_eq!(got.json()["error"], "invalid_token");
    }
    assert_eq!(running.ask_with(&good).await.status, 200);
}

#[tokio::test]
async fn who_lacks_a_scope_is_told_which() {
    let folder = Folder::new();
    let running = folder.start(&config("[[route]]\nscopes = [\"read\", \"admin:all\"]")).await;
    let got = running.ask_with(&good_token()).await;
    assert_eq!((got.status, got.reason()), (403, Some("insufficient_scope")));
    is_a_refusal(&got, "insufficient_scope");
    let challenge = got.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", "), "{challenge}");
    assert!(challenge.ends_with(", scope=\"read admin:all\""), "{challenge}");
    // A bad token learns nothing of scopes.
    let got = running.ask_with(&expired_token()).await;
    assert!(!got.header("www-authenticate").unwrap().contains("scope"));
}

#[tokio::test]
async fn who_cannot_be_judged_is_asked_to_come_back() {
    let folder = Folder::new();
    folder.write("keys.json", "no key set");
    let running = folder.start(&config("")).await;
    let got = running.ask_with(&good_token()).await;
    assert_eq!((got.status, got.reason()), (503, Some("keys_unavailable")));
    is_a_refusal(&got, "keys_unavailable");
    assert_eq!(got.header("www-authenticate"), None);
    assert!(got.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(got.json()["error"], "temporarily_unavailable");
    // What needs no key is decided nevertheless.
    for (token, reason) in [("x".to_owned(), "malformed_token"), (expired_token(), "expired")] {
        assert_eq!(running.ask_with(&token).await.reason(), Some(reason));
    }
}

fn is_a_refusal(got: &Got, reason: &str) {
    assert_eq!(got.header("cache-control"), Some("no-store"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let body = got.json();
    assert_eq!(body["reason"], reason);
    assert!(!body["description"].as_str().unwrap().is_empty());
    assert_eq!(body["correlation_id"].as_str(), got.header("x-correlation-id"));
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["correlation_id", "description", "error", "reason"]);
}
