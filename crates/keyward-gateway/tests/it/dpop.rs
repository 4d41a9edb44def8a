//! Tokens that are bound to a key, as clients and thieves send them through a proxy.

use serde_json::json;

use crate::proof::{Prover, proof_claims};
use crate::support::{Folder, Got, Running, claims, config, expired_token, good_token, sign, with};

const DPOP: &str = "[gateway.dpop]\norigins = [\"https://api.example\"]\n";

const URI: &str = "https://api.example/orders";

/// Asks for a GET of `/orders?page=2` with this token and these proofs.
async fn ask(running: &Running, token: &str, proofs: &[&str]) -> Got {
    let authorization = format!("DPoP {token}");
    let proofs = proofs.iter().map(|proof| ("dpop", *proof));
    let headers: Vec<_> = [("authorization", authorization.as_str())].into_iter().chain(proofs).collect();
    running.ask("/orders?page=2", &headers).await
}

fn challenges(got: &Got) -> Vec<&str> {
    got.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_token_passes_with_a_proof_of_its_key_and_each_proof_once() {
    let folder = Folder::new();
    let running = folder.start(&(config("") + DPOP)).await;
    let client = Prover::new();
    let token = client.token();
    let proof = client.proof("GET", URI, &token);
    let got = ask(&running, &token, &[&proof]).await;
    assert_eq!((got.status, got.header("dpop-nonce")), (200, None));
    let replayed = ask(&running, &token, &[&proof]).await;
    assert_eq!((replayed.status, replayed.reason()), (401, Some("proof_replayed")));
    assert!(challenges(&replayed)[0].starts_with("DPoP error=\"invalid_dpop_proof\""), "{replayed:?}");
    // Whatever is normalized away makes no other URI.
    for uri in ["HTTPS://API.example:443/%6Frders", "https://api.example/./orders?page=3#x"] {
        let got = ask(&running, &token, &[&client.proof("GET", uri, &token)]).await;
        assert_eq!(got.status, 200, "{uri} {got:?}");
    }
    let metric = "keyward_verdicts_total{verdict=\"reject\",reason=\"proof_replayed\"}";
    assert_eq!(running.metric(metric).await, Some(1.0));
    assert_eq!(running.metric("keyward_dpop_used_proofs").await, Some(3.0));
}

#[tokio::test]
async fn what_proves_nothing_is_refused_with_its_reason() {
    let folder = Folder::new();
    let running = folder.start(&(config("") + DPOP)).await;
    let (client, thief) = (Prover::new(), Prover::new());
    let token = client.token();
    let good = |uri: &str| client.proof("GET", uri, &token);
    let with_claim = |name: &str, value: serde_json::Value| {
        client.sign(&with(proof_claims("GET", URI, &token), name, value))
    };
    for (proofs, reason) in [
        (vec![], "binding_missing"),
        (vec![thief.proof("GET", URI, &token)], "binding_mismatch"),
        (vec![good(URI), good(URI)], "proof_invalid"),
        (vec!["junk".to_owned()], "proof_invalid"),
        (vec![format!("{}, {}", good(URI), good(URI))], "proof_invalid"),
        (vec![client.proof("POST", URI, &token)], "proof_invalid"),
        (vec![good("https://api.example/other")], "proof_invalid"),
        (vec![good("https://api.example/orders/")], "proof_invalid"),
        (vec![good("http://api.example/orders")], "proof_invalid"),
        (vec![good("https://api.example:8443/orders")], "proof_invalid"),
        // By the host that the proxy was asked for: a proof for another service is not for this one.
        (vec![good("https://app.example/orders")], "proof_invalid"),
        (vec![client.proof("GET", URI, &good_token())], "proof_invalid"),
        (vec![with_claim("iat", json!(1))], "proof_invalid"),
        (vec![with_claim("jti", json!(""))], "proof_invalid"),
        (vec![with_claim("ath", json!(null))], "proof_invalid"),
    ] {
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let got = ask(&running, &token, &proofs).await;
        assert_eq!((got.status, got.reason()), (401, Some(reason)), "{proofs:?}");
        let error = if reason == "proof_invalid" { "invalid_dpop_proof" } else { "invalid_token" };
        let [dpop, bearer] = challenges(&got)[..] else { panic!("two challenges: {got:?}") };
        assert_eq!(bearer, "Bearer");
        assert!(
            dpop.starts_with(&format!("DPoP error=\"{error}\"")) && dpop.contains(", algs=\"EdDSA ES256 "),
            "{dpop}"
        );
        assert_eq!(got.json()["reason"], reason);
    }
    // What is wrong with the token itself comes first, proof or not.
    let got = ask(&running, &expired_token(), &[&client.proof("GET", URI, &expired_token())]).await;
    assert_eq!(got.reason(), Some("expired"));
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_and_an_unbound_one_no_dpop_token() {
    let folder = Folder::new();
    let client = Prover::new();
    let route = "[[route]]\ncookie = \"session\"\n";
    let with_dpop = folder.start(&(config(route) + DPOP)).await;
    let without = folder.start(&config(route)).await;
    let token = client.token();
    let (bearer, cookie) = (format!("Bearer {token}"), format!("session={token}"));
    let proof = client.proof("GET", "https://api.example/", &token);
    for running in [&with_dpop, &without] {
        for headers in [
            vec![("authorization", bearer.as_str())],
            vec![("authorization", bearer.as_str()), ("dpop", &proof)],
            vec![("cookie", cookie.as_str())],
            vec![("cookie", cookie.as_str()), ("dpop", &proof)],
        ] {
            let got = running.ask("/", &headers).await;
            assert_eq!((got.status, got.reason()), (401, Some("binding_missing")), "{headers:?}");
            // It says what the request was sent as.
            assert!(challenges(&got)[0].starts_with("Bearer error=\"invalid_token\""), "{got:?}");
        }
    }
    let unbound = good_token();
    let got = ask(&with_dpop, &unbound, &[&client.proof("GET", URI, &unbound)]).await;
    assert_eq!((got.status, got.reason()), (401, Some("binding_missing")));
    assert_eq!(with_dpop.ask_with(&unbound).await.status, 200);
    // What is not understood is no token, and DPoP is not offered.
    let got = ask(&without, &token, &[&client.proof("GET", URI, &token)]).await;
    assert_eq!((got.reason(), challenges(&got)), (Some("missing_token"), vec!["Bearer"]));
    let got = with_dpop.ask("/", &[]).await;
    assert_eq!(got.reason(), Some("missing_token"));
    let [bearer, dpop] = challenges(&got)[..] else { panic!("two challenges: {got:?}") };
    assert!(bearer == "Bearer" && dpop.starts_with("DPoP algs=\"EdDSA ES256 "), "{got:?}");
    // One token by each scheme is one too many.
    let bearer = format!("Bearer {unbound}");
    let headers = [("authorization", bearer.as_str()), ("authorization", &format!("DPoP {token}"))];
    assert_eq!(with_dpop.ask("/", &headers).await.reason(), Some("several_tokens"));
    let headers = [("cookie", cookie.as_str()), ("authorization", &format!("DPoP {token}"))];
    assert_eq!(with_dpop.ask("/", &headers).await.reason(), Some("several_tokens"));
}

#[tokio::test]
async fn where_a_nonce_is_demanded_it_is_handed_out_and_taken_back() {
    let folder = Folder::new();
    let mut running = folder.start(&format!("{}{DPOP}nonce_slot = \"5m\"\n", config(""))).await;
    let client = Prover::new();
    let token = client.token();
    let got = ask(&running, &token, &[&client.proof("GET", URI, &token)]).await;
    assert_eq!((got.status, got.reason()), (401, Some("proof_nonce_required")));
    assert!(challenges(&got)[0].starts_with("DPoP error=\"use_dpop_nonce\""), "{got:?}");
    let nonce = got.header("dpop-nonce").expect("a nonce").to_owned();
    let proof = client.proof_with(&nonce, "GET", URI, &token);
    let got = ask(&running, &token, &[&proof]).await;
    assert_eq!((got.status, got.header("dpop-nonce").is_some()), (200, true));
    let got = ask(&running, &token, &[&client.proof_with("of-my-own", "GET", URI, &token)]).await;
    assert_eq!((got.reason(), got.header("dpop-nonce").is_some()), (Some("proof_nonce_required"), true));
    // A reload forgets neither the nonces nor the proofs that were used.
    running.reloader.take().unwrap().reload().unwrap();
    assert_eq!(ask(&running, &token, &[&proof]).await.reason(), Some("proof_replayed"));
    let got = ask(&running, &token, &[&client.proof_with(&nonce, "GET", URI, &token)]).await;
    assert_eq!(got.status, 200);
    // Bearer tokens have nothing to do with it.
    let got = running.ask_with(&good_token()).await;
    assert_eq!((got.status, got.header("dpop-nonce")), (200, None));
}

#[tokio::test]
async fn a_request_whose_uri_is_not_clear_is_refused() {
    let folder = Folder::new();
    let two = "[gateway.dpop]\norigins = [\"https://api.example\", \"https://*.app.example\"]\n";
    let running = folder.start(&(config("") + two)).await;
    let client = Prover::new();
    let token = client.token();
    let authorization = format!("DPoP {token}");
    let ask = async |told: &[(&str, &str)], uri: &str| {
        let proof = client.proof("GET", uri, &token);
        let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
        let got = running.send(&[told, &headers].concat()).await;
        (got.status, got.reason().map(ToOwned::to_owned))
    };
    let told = |host, uri| [("x-original-method", "GET"), ("x-original-host", host), ("x-original-uri", uri)];
    assert_eq!(ask(&told("api.example", "/a"), "https://api.example/a").await.0, 200);
    assert_eq!(ask(&told("x.app.example", "/a"), "https://x.app.example/a").await.0, 200);
    let unclear = (400, Some("request_unclear".to_owned()));
    for told in [
        &told("evil.example", "/a")[..],
        &told("api.example:8443", "/a"),
        &told("api.example", "/a/../b"),
        &told("api.example", "//a"),
        &[("x-original-method", "GET"), ("x-original-uri", "/a")],
        &[("x-original-host", "api.example"), ("x-original-uri", "/a")],
        &[&told("api.example", "/a")[..], &[("x-forwarded-uri", "/b")]].concat(),
    ] {
        assert_eq!(ask(told, "https://api.example/a").await, unclear, "{told:?}");
    }
    // A bearer token needs none of it.
    let bearer = format!("Bearer {}", good_token());
    assert_eq!(running.send(&[("authorization", &bearer), ("x-original-uri", "/a")]).await.status, 200);
}

#[tokio::test]
async fn a_route_may_demand_it_of_every_token() {
    let folder = Folder::new();
    let routes = "[[route]]\npaths = [\"/orders\"]\nbinding = \"dpop\"\n[[route]]\nbinding = \"any\"\n";
    let running = folder.start(&(config(routes) + DPOP)).await;
    let client = Prover::new();
    let token = client.token();
    assert_eq!(ask(&running, &token, &[&client.proof("GET", URI, &token)]).await.status, 200);
    let bearer = format!("Bearer {}", good_token());
    let got = running.ask("/orders", &[("authorization", &bearer)]).await;
    assert_eq!((got.status, got.reason()), (401, Some("binding_missing")));
    // What would not do is not offered.
    assert!(challenges(&got).len() == 1 && challenges(&got)[0].starts_with("DPoP error="), "{got:?}");
    let got = running.ask("/other", &[("authorization", &bearer)]).await;
    assert_eq!((got.reason(), challenges(&got).len()), (Some("binding_missing"), 2));
}

#[tokio::test]
async fn a_token_that_has_to_wait_for_its_key_uses_its_proof_once() {
    let folder = Folder::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("jwks_uri = \"http://{}/keys\"", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let set = crate::support::key_set(&[&crate::support::KEY]);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", set.len());
        let _ = stream.write_all((head + &set).as_bytes()).await;
        std::future::pending::<()>().await;
    });
    let text = config("").replace("jwks_file = \"keys.json\"", &uri) + DPOP;
    let running = folder.start_unready(&text).await;
    let client = Prover::new();
    let token = client.token();
    let proof = client.proof("GET", URI, &token);
    assert_eq!(ask(&running, &token, &[&proof]).await.status, 200);
    assert_eq!(ask(&running, &token, &[&proof]).await.reason(), Some("proof_replayed"));
}

#[tokio::test]
async fn a_confirmation_that_nobody_knows_is_refused() {
    let folder = Folder::new();
    let running = folder.start(&(config("") + DPOP)).await;
    let client = Prover::new();
    for cnf in [json!({ "x": 1 }), json!({}), json!("x")] {
        let token = sign(&crate::support::KEY, &with(claims(), "cnf", cnf));
        assert_eq!(running.ask_with(&token).await.status, 401);
        assert_eq!(ask(&running, &token, &[&client.proof("GET", URI, &token)]).await.status, 401);
    }
}

#[tokio::test]
async fn gateways_that_share_a_secret_take_each_others_nonces_and_others_do_not() {
    let (folder, client) = (Folder::new(), Prover::new());
    folder.write_secret("shared", "thirty-two characters of a secret\n");
    let text = format!("{}{DPOP}nonce_slot = \"5m\"\n", config(""));
    let shared = format!("{text}secret_file = \"shared\"\n");
    let (first, second) = (folder.start(&shared).await, folder.start(&shared).await);
    let other = folder.start(&text).await;
    let token = client.token();
    let got = ask(&first, &token, &[&client.proof("GET", URI, &token)]).await;
    let nonce = got.header("dpop-nonce").expect("a nonce").to_owned();
    for (running, reason) in [(&first, None), (&second, None), (&other, Some("proof_nonce_required"))] {
        let got = ask(running, &token, &[&client.proof_with(&nonce, "GET", URI, &token)]).await;
        assert_eq!(got.reason(), reason);
    }
}
