//! Keys that are where their owner keeps them: at a `jwks_uri`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, ClientAuthMethod, ServiceAccount};
use keyward_authority::observer::Observer;
use keyward_jose::{CertifiedJwk, LocalSigner};
use serde_json::{Value, json};

use super::desk::{Desk, NOW, Pair, account, assertion, claims, client, from, pair, signed, told};
use super::key_server::{KeyServer, Reply, jwk, set_of};
use crate::bench::{Bench, conformance};

conformance! {
    an_address_that_another_node_has_taken_in_or_away_counts_at_once
}

const JWT: ClientAuthMethod = ClientAuthMethod::PrivateKeyJwt;
const KEYS: &str = "/keys";

async fn desk() -> (Desk, KeyServer, Bench) {
    let bench = Bench::sqlite();
    (Desk::open(bench.open().await).await, KeyServer::start().await, bench)
}

fn at(id: &str, jwks_uri: &str) -> Client {
    Client { jwks_uri: Some(jwks_uri.to_owned()), ..client(id, &[JWT]) }
}

/// Claims of an assertion that is made when the clock says `after` seconds.
fn claims_after(subject: &str, jti: &str, after: u32) -> Value {
    let now = NOW + i64::from(after);
    let mut claims = claims(subject, jti);
    claims["iat"] = now.into();
    claims["exp"] = (now + 60).into();
    claims
}

#[tokio::test]
async fn keys_at_an_address_sign_as_those_do_that_are_kept() {
    let (desk, server, _bench) = desk().await;
    let (app, robot) = (pair("", "a"), pair("", "r"));
    server.publish(KEYS, [&app.signer, &robot.signer]);
    desk.put(&at("app", &server.url(KEYS))).await;
    desk.put(&ServiceAccount { jwks_uri: Some(server.url(KEYS)), ..account("robot") }).await;
    for round in 0..3 {
        let text = signed(&app.signer, &claims("app", &round.to_string())).await;
        assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
        assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionReplayed));
        let text = signed(&robot.signer, &claims("robot", &round.to_string())).await;
        assert_eq!(desk.account_of(&text).await.as_deref(), Ok("robot"));
    }
    assert_eq!(server.hits(KEYS), 1);
    let forged = pair("", "a");
    let text = signed(&forged.signer, &claims("app", "x")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionSignatureWrong));
}

#[tokio::test]
async fn a_rotation_is_found_by_the_first_assertion_and_ends_the_old_key() {
    let (desk, server, _bench) = desk().await;
    let [old, new] = ["old", "new"].map(|kid| pair("", kid));
    server.publish(KEYS, [&old.signer]);
    desk.put(&at("app", &server.url(KEYS))).await;
    let text = signed(&old.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    server.publish(KEYS, [&new.signer]);
    desk.clock.advance(5);
    let text = signed(&new.signer, &claims("app", "2")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    let text = signed(&old.signer, &claims("app", "3")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyUnknown));
    assert_eq!(server.hits(KEYS), 2);
}

#[tokio::test]
async fn an_outage_takes_no_good_key_before_the_stale_limit_and_blames_no_client() {
    let (desk, server, _bench) = desk().await;
    let [known, new] = ["known", "new"].map(|kid| pair("", kid));
    server.publish(KEYS, [&known.signer]);
    desk.put(&at("app", &server.url(KEYS))).await;
    let text = signed(&known.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    server.set(KEYS, Reply::Status(500));
    desk.clock.advance(3590);
    // The key that is not there yet is what a fetch is made for.
    let text = signed(&new.signer, &claims_after("app", "2", 3590)).await;
    let refusal = desk.authenticate(&desk.request(&assertion(&text))).await.unwrap_err();
    assert_eq!(refusal.cause, Cause::KeySetUnavailable);
    let answer = told(refusal).await;
    assert!(answer.starts_with("503") && answer.contains("temporarily_unavailable"), "{answer}");
    assert!(answer.contains("retry-after") && !answer.contains("invalid_client"), "{answer}");
    let text = signed(&known.signer, &claims_after("app", "3", 3590)).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    desk.clock.advance(10);
    let text = signed(&known.signer, &claims_after("app", "4", 3600)).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::KeySetUnavailable));
    // Nobody is locked out by it.
    for round in 0..20 {
        let text = signed(&known.signer, &claims_after("app", &format!("r{round}"), 3600)).await;
        assert_eq!(desk.client_of(&text).await, Err(Cause::KeySetUnavailable));
    }
}

#[tokio::test]
async fn junk_kids_cause_no_more_fetches_than_the_budget_has_and_keep_no_good_key_out() {
    let (desk, server, _bench) = desk().await;
    let app = pair("", "a");
    server.publish(KEYS, [&app.signer]);
    desk.put(&at("app", &server.url(KEYS))).await;
    let text = signed(&app.signer, &claims("app", "first")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    for second in 1..=5_u32 {
        desk.clock.advance(1);
        for round in 0..20_u8 {
            let junk = pair("", &format!("junk-{second}-{round}"));
            let text = signed(&junk.signer, &claims_after("app", "x", second)).await;
            let request = from(desk.request(&assertion(&text)), [198, 51, 100, round]);
            let cause = desk.cause(&request).await;
            let expected = [Some(Cause::AssertionKeyUnknown), Some(Cause::KeySetUnavailable)];
            assert!(expected.contains(&cause), "{cause:?}");
        }
        let text = signed(&app.signer, &claims_after("app", &second.to_string(), second)).await;
        assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    }
    // The first, four at once, and one a second.
    assert!((2..=1 + 4 + 5).contains(&server.hits(KEYS)), "{}", server.hits(KEYS));
}

#[tokio::test]
async fn one_clients_broken_address_costs_no_other_client_anything() {
    let (desk, server, _bench) = desk().await;
    let good = pair("", "good");
    server.publish("/good", [&good.signer]);
    server.set("/hangs", Reply::Hang);
    let huge = set_of((0..2000).map(|number| json!({ "kty": "EC", "kid": number, "x": "A".repeat(40) })));
    assert!(huge.len() > 64 * 1024);
    server.set("/huge", Reply::Set(huge));
    server.set("/empty", Reply::Set(set_of([])));
    server.set("/text", Reply::Set(b"no set".to_vec()));
    server.set("/gone", Reply::Status(410));
    for path in ["/good", "/hangs", "/huge", "/empty", "/text", "/gone"] {
        desk.put(&at(path.trim_start_matches('/'), &server.url(path))).await;
    }
    let stuck = {
        let (authority, text) = (desk.authority.clone(), signed(&good.signer, &claims("hangs", "1")).await);
        let request = desk.request(&assertion(&text));
        tokio::spawn(async move { keyward_authority::client_auth::authenticate(&authority, &request).await })
    };
    server.hit("/hangs", 1).await;
    for (round, broken) in ["huge", "empty", "text", "gone"].into_iter().enumerate() {
        let text = signed(&good.signer, &claims(broken, "1")).await;
        assert_eq!(desk.client_of(&text).await, Err(Cause::KeySetUnavailable), "{broken}");
        let text = signed(&good.signer, &claims("good", &round.to_string())).await;
        assert_eq!(desk.client_of(&text).await.as_deref(), Ok("good"));
    }
    assert!(!stuck.is_finished());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    tokio::time::resume();
    assert_eq!(stuck.await.unwrap().unwrap_err().cause, Cause::KeySetUnavailable);
    assert_eq!(server.hits("/good"), 1);
}

#[tokio::test]
async fn a_redirect_leads_nowhere_else() {
    let (desk, server, _bench) = desk().await;
    let inner = KeyServer::start().await;
    let app = pair("", "a");
    inner.publish(KEYS, [&app.signer]);
    server.publish("/moved", [&app.signer]);
    for (name, to) in [
        ("other-port", inner.url(KEYS)),
        ("private", "http://10.0.0.7/keys".to_owned()),
        ("metadata", "http://169.254.169.254/latest".to_owned()),
        ("file", "file:///etc/passwd".to_owned()),
    ] {
        let path = format!("/{name}");
        server.set(&path, Reply::Redirect(to));
        desk.put(&at(name, &server.url(&path))).await;
        let text = signed(&app.signer, &claims(name, "1")).await;
        assert_eq!(desk.client_of(&text).await, Err(Cause::KeySetUnavailable), "{name}");
    }
    assert_eq!(inner.hits(KEYS), 0);
    server.set(KEYS, Reply::Redirect("/moved".to_owned()));
    desk.put(&at("app", &server.url(KEYS))).await;
    let text = signed(&app.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn an_address_that_may_not_be_asked_is_not_asked_however_it_came_to_be_kept() {
    let (desk, _server, _bench) = desk().await;
    let app = pair("", "a");
    for (name, address) in [
        ("metadata", "http://169.254.169.254/latest"),
        ("plain", "http://keys.example/jwks"),
        ("nothing", "no address"),
    ] {
        desk.put(&at(name, address)).await;
        let text = signed(&app.signer, &claims(name, "1")).await;
        assert_eq!(desk.client_of(&text).await, Err(Cause::KeySetUnavailable), "{name}");
    }
}

#[tokio::test]
async fn a_key_of_the_set_that_cannot_be_used_is_told_apart_and_costs_no_other() {
    let (desk, server, _bench) = desk().await;
    let [good, encrypts] = ["good", "encrypts"].map(|kid| pair("", kid));
    let mut enc = jwk(&encrypts.signer);
    enc["use"] = "enc".into();
    let secret =
        json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWl0" });
    server.set(KEYS, Reply::Set(set_of([enc, json!("nonsense"), secret, jwk(&good.signer)])));
    desk.put(&at("app", &server.url(KEYS))).await;
    let text = signed(&good.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    let text = signed(&encrypts.signer, &claims("app", "2")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyKindNotAllowed));
    let text = signed(&pair("", "secret").signer, &claims("app", "3")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyKindNotAllowed));
}

#[tokio::test]
async fn of_two_keys_of_one_kid_the_one_that_is_kept_counts() {
    let (desk, server, _bench) = desk().await;
    let (published, mut kept) = (pair("", "a"), pair("client/app", "a"));
    server.publish(KEYS, [&published.signer]);
    desk.put(&at("app", &server.url(KEYS))).await;
    desk.put(&kept.key).await;
    let text = signed(&published.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionSignatureWrong));
    let text = signed(&kept.signer, &claims("app", "2")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    // So one of a set can be ended here.
    desk.put(&at("ended", &server.url(KEYS))).await;
    kept.key.owner = "client/ended".to_owned();
    kept.key.jwk = jwk(&published.signer);
    kept.key.enabled = false;
    desk.put(&kept.key).await;
    let text = signed(&published.signer, &claims("ended", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyDisabled));
    assert_eq!(server.hits(KEYS), 0);
}

/// What a node does within the time in which it learns of a change.
struct Bounded<'a>(&'a Desk);

impl Bounded<'_> {
    async fn refused(&self, subject: &str, signer: &LocalSigner, cause: Cause) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        for round in 0.. {
            let text = signed(signer, &claims(subject, &format!("bounded-{round}"))).await;
            let found = self.0.client_of(&text).await;
            if found == Err(cause) {
                return;
            }
            assert!(found.is_ok() && tokio::time::Instant::now() < deadline, "{found:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn who_is_disabled_or_gone_or_may_not_sign_has_their_address_left_alone() {
    let (desk, server, _bench) = desk().await;
    let app = pair("", "a");
    server.publish(KEYS, [&app.signer]);
    let enabled = at("app", &server.url(KEYS));
    let disabled = Client { enabled: false, ..enabled.clone() };
    desk.put(&disabled).await;
    let text = signed(&app.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyUnknown));
    let by_secret =
        Client { auth_methods: vec![ClientAuthMethod::ClientSecretPost], ..at("other", &server.url(KEYS)) };
    desk.put(&by_secret).await;
    let text = signed(&app.signer, &claims("other", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyUnknown));
    let text = signed(&app.signer, &claims("nobody", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyUnknown));
    assert_eq!(server.hits(KEYS), 0);
    let bounded = Bounded(&desk);
    desk.put(&enabled).await;
    let text = signed(&app.signer, &claims("app", "2")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    // Whose key is known as theirs, of them we are told more.
    desk.put(&disabled).await;
    bounded.refused("app", &app.signer, Cause::ClientDisabled).await;
    desk.put(&enabled).await;
    desk.delete(&enabled).await;
    bounded.refused("app", &app.signer, Cause::AssertionKeyUnknown).await;
}

#[tokio::test]
async fn two_clients_with_one_address_share_its_set_and_not_their_names() {
    let (desk, server, _bench) = desk().await;
    let [shared, own] = ["shared", "own"].map(|kid| pair("", kid));
    server.publish("/shared", [&shared.signer]);
    server.publish("/own", [&own.signer]);
    for (name, path) in [("one", "/shared"), ("two", "/shared"), ("three", "/own")] {
        desk.put(&at(name, &server.url(path))).await;
    }
    for name in ["one", "two"] {
        let text = signed(&shared.signer, &claims(name, "1")).await;
        assert_eq!(desk.client_of(&text).await.as_deref(), Ok(name));
    }
    assert_eq!(server.hits("/shared"), 1);
    // A key at another's address is nobody's here, and `iss` says whose it is to be.
    let text = signed(&own.signer, &claims("one", "2")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionKeyUnknown));
    let mut mixed = claims("one", "3");
    mixed["iss"] = "two".into();
    let text = signed(&shared.signer, &mixed).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionIssuerWrong));
    let text = signed(&own.signer, &claims("three", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("three"));
}

#[tokio::test]
async fn a_certificate_whose_key_is_in_the_set_is_the_clients() {
    let (desk, server, _bench) = desk().await;
    let own = rcgen::generate_simple_self_signed(vec!["app.example".to_owned()]).unwrap().cert;
    let others = rcgen::generate_simple_self_signed(vec!["app.example".to_owned()]).unwrap().cert;
    let parsed = keyward_x509::Certificate::from_der(own.der()).unwrap();
    let with_chain = CertifiedJwk::new(parsed.spki(), Some("tls"), &[own.der()]).unwrap();
    server.set(KEYS, Reply::Set(set_of([serde_json::to_value(with_chain).unwrap()])));
    let app = Client {
        auth_methods: vec![ClientAuthMethod::SelfSignedTlsClientAuth],
        ..at("app", &server.url(KEYS))
    };
    desk.put(&app).await;
    let over = |certificate: &rcgen::Certificate| {
        let mut request = desk.request(&[("client_id", "app")]);
        request.peer.certificate = Some(Arc::from(&**certificate.der()));
        request
    };
    for _ in 0..2 {
        assert_eq!(desk.cause(&over(&own)).await, None);
    }
    assert_eq!(desk.cause(&over(&others)).await, Some(Cause::CertificateOfAnother));
    server.set(KEYS, Reply::Status(500));
    desk.clock.advance(10);
    assert_eq!(desk.cause(&over(&others)).await, Some(Cause::KeySetUnavailable));
    assert_eq!(desk.cause(&over(&own)).await, None);
}

#[derive(Debug, Default)]
struct Fetches(Mutex<Vec<(String, &'static str)>>);

impl Observer for Fetches {
    fn key_set_fetched(&self, realm: &str, outcome: &'static str) {
        self.0.lock().unwrap().push((realm.to_owned(), outcome));
    }
}

#[tokio::test]
async fn fetches_are_counted_by_realm_and_outcome() {
    let (mut desk, server, _bench) = desk().await;
    let fetches = Arc::new(Fetches::default());
    desk.authority = desk.authority.clone().with_observer(Arc::clone(&fetches) as _);
    let app = pair("", "a");
    server.publish("/good", [&app.signer]);
    server.set("/empty", Reply::Set(set_of([])));
    for (name, path) in [("good", "/good"), ("empty", "/empty"), ("gone", "/gone")] {
        desk.put(&at(name, &server.url(path))).await;
        let text = signed(&app.signer, &claims(name, "1")).await;
        assert_eq!(desk.client_of(&text).await.is_ok(), name == "good");
    }
    let told = fetches.0.lock().unwrap().clone();
    for outcome in ["fetched", "no_usable_key", "status"] {
        assert!(told.contains(&("main".to_owned(), outcome)), "{outcome} {told:?}");
    }
}

async fn an_address_that_another_node_has_taken_in_or_away_counts_at_once(bench: Bench) {
    let first = bench.open().await;
    let second = if bench.is_shared() { bench.open().await } else { first.clone() };
    let (one, other) = (Desk::open(first).await, Desk::open(second).await);
    let server = KeyServer::start().await;
    let mut previous: Option<Pair> = None;
    for round in 0..5 {
        let new = pair("", &format!("k{round}"));
        let path = format!("/{round}");
        server.publish(&path, [&new.signer]);
        one.put(&at("app", &server.url(&path))).await;
        let text = signed(&new.signer, &claims("app", &round.to_string())).await;
        assert_eq!(other.client_of(&text).await.as_deref(), Ok("app"), "address {round}");
        if let Some(previous) = previous.replace(new) {
            Bounded(&other).refused("app", &previous.signer, Cause::AssertionKeyUnknown).await;
        }
    }
}
