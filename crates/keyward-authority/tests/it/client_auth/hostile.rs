//! What somebody sends who has no key, or another's.

use aws_lc_rs::hmac;
use base64_simd::URL_SAFE_NO_PAD;
use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, ClientAuthMethod};
use keyward_jose::Signer;
use serde_json::{Value, json};

use super::desk::{
    Desk, ISSUER, NOW, Pair, account, assertion, claims, client, from, pair, secret_of, signed,
};
use super::key_server::{KeyServer, Reply, jwk};
use crate::bench::Bench;

const JWT: ClientAuthMethod = ClientAuthMethod::PrivateKeyJwt;

async fn desk() -> (Desk, Pair, Bench) {
    let bench = Bench::sqlite();
    let desk = Desk::open(bench.open().await).await;
    let app = pair("client/app", "a");
    desk.put(&client("app", &[JWT])).await;
    desk.put(&app.key).await;
    (desk, app, bench)
}

fn encoded(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(part)
}

/// Signed by this pair whatever stands in the header and the payload.
async fn text(pair: &Pair, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encoded(header), encoded(payload));
    let signature = pair.signer.sign(input.as_bytes()).await.unwrap();
    format!("{input}.{}", encoded(signature))
}

/// Each from elsewhere, so that none is refused for those before it.
async fn causes(desk: &Desk, texts: Vec<(String, Cause)>) {
    for (place, (text, cause)) in texts.into_iter().enumerate() {
        let request = from(desk.request(&assertion(&text)), [10, 0, 0, u8::try_from(place).unwrap()]);
        assert_eq!(desk.cause(&request).await, Some(cause), "{place}: {text}");
    }
}

#[tokio::test]
async fn no_key_and_no_algorithm_comes_from_the_header() {
    let (desk, app, _bench) = desk().await;
    let mallory = pair("", "a");
    let payload = claims("app", "1").to_string();
    let with = |members: Value| {
        let mut header = json!({ "alg": "ES256", "kid": "a", "typ": "JWT" });
        header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        header.to_string()
    };
    let mut texts = Vec::new();
    for members in [
        json!({ "jwk": jwk(&mallory.signer) }),
        json!({ "jku": "https://mallory.example/jwks" }),
        json!({ "x5u": "https://mallory.example/chain", "x5c": ["AAAA"] }),
    ] {
        texts.push(text(&mallory, &with(members), &payload).await);
    }
    // Keyed by what everybody knows of the key.
    let public = serde_json::to_string(&jwk(&app.signer)).unwrap();
    let header = with(json!({ "alg": "HS256" }));
    let input = format!("{}.{}", encoded(header), encoded(&payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), input.as_bytes());
    texts.push(format!("{input}.{}", encoded(tag)));
    let header = with(json!({ "alg": "none" }));
    texts.push(format!("{}.{}.", encoded(header), encoded(&payload)));
    for members in [
        json!({ "crit": ["exp"], "exp": 1 }),
        json!({ "b64": false, "crit": ["b64"] }),
        json!({ "alg": "ES384" }),
        json!({ "alg": "RS256" }),
    ] {
        texts.push(text(&app, &with(members), &payload).await);
    }
    for (place, text) in texts.into_iter().enumerate() {
        let request = from(desk.request(&assertion(&text)), [10, 0, 0, u8::try_from(place).unwrap()]);
        let cause = desk.cause(&request).await;
        let expected = [Some(Cause::AssertionMalformed), Some(Cause::AssertionSignatureWrong)];
        assert!(expected.contains(&cause), "{place}: {cause:?}");
    }
    // The one that they were made of.
    let good = text(&app, &with(json!({})), &payload).await;
    assert_eq!(desk.client_of(&good).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn what_two_readers_would_read_otherwise_is_read_by_none() {
    let (desk, app, _bench) = desk().await;
    let header = r#"{"alg":"ES256","kid":"a"}"#;
    let exp = NOW + 60;
    let body = |members: &str| format!(r#"{{"iss":"app","sub":"app","jti":"1","exp":{exp},{members}}}"#);
    let ours = format!(r#""aud":"{ISSUER}""#);
    let mut texts = Vec::new();
    for (header, payload, cause) in [
        (header, body(&format!(r#"{ours},"sub":"other""#)), Cause::AssertionMalformed),
        (header, body(&format!(r#"{ours},"\u0073ub":"other""#)), Cause::AssertionMalformed),
        (header, format!("[{}]", body(&ours)), Cause::AssertionMalformed),
        (header, format!(r#"["app","app","{ISSUER}",{exp},null,null,"1"]"#), Cause::AssertionMalformed),
        (r#"{"alg":"ES256","kid":"a","kid":"b"}"#, body(&ours), Cause::AssertionMalformed),
        (
            header,
            body(&format!(r#""aud":["{ISSUER}","https://other.example"]"#)),
            Cause::AssertionAudienceWrong,
        ),
        (header, body(&format!(r#""aud":["{ISSUER}","{ISSUER}"]"#)), Cause::AssertionAudienceWrong),
        (header, body(r#""aud":[]"#), Cause::AssertionAudienceWrong),
        (header, body(&format!(r#""aud":[["{ISSUER}"]]"#)), Cause::AssertionMalformed),
        (header, body(&format!(r#""aud":"{ISSUER}/""#)), Cause::AssertionAudienceWrong),
        (header, body(&format!(r#""aud":"{}""#, ISSUER.to_uppercase())), Cause::AssertionAudienceWrong),
        (header, body(r#""aud":"https://id.example/realms/other""#), Cause::AssertionAudienceWrong),
        (header, body(r#""aud":"https://id.example""#), Cause::AssertionAudienceWrong),
        (header, body(&format!(r#""aud":"{ISSUER}/introspect""#)), Cause::AssertionAudienceWrong),
    ] {
        texts.push((text(&app, header, &payload).await, cause));
    }
    causes(&desk, texts).await;
    // One of one is the same as the one (RFC 7519 §4.1.3).
    let good = text(&app, header, &body(&format!(r#""aud":["{ISSUER}"]"#))).await;
    assert_eq!(desk.client_of(&good).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn an_assertion_that_was_taken_is_taken_in_no_other_shape() {
    let (desk, app, _bench) = desk().await;
    let robot = pair("service_account/robot", "r");
    desk.put(&account("robot")).await;
    desk.put(&robot.key).await;
    let first = signed(&app.signer, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&first).await.as_deref(), Ok("app"));
    // Signed once more: another signature, another `exp`, another `typ`, and the same `jti`.
    let mut later = claims("app", "1");
    later["exp"] = (NOW + 90).into();
    for again in [
        signed(&app.signer, &claims("app", "1")).await,
        signed(&app.signer, &later).await,
        text(&app, r#"{"alg":"ES256","kid":"a","typ":"client-authentication+jwt"}"#, &later.to_string())
            .await,
    ] {
        assert_eq!(desk.client_of(&again).await, Err(Cause::AssertionReplayed));
    }
    // Nor for the grant, nor one for the grant as a client's.
    assert!(desk.account_of(&first).await.is_err());
    let grant = signed(&robot.signer, &claims("robot", "1")).await;
    assert_eq!(desk.client_of(&grant).await, Err(Cause::AssertionKeyKindNotAllowed));
    assert_eq!(desk.account_of(&grant).await.as_deref(), Ok("robot"));
    for same in [format!("{grant}="), format!("{grant} "), grant.replacen('.', "=.", 1)] {
        assert_eq!(desk.account_of(&same).await, Err(Cause::AssertionMalformed), "{same:?}");
    }
    // Without `jti` it is what was signed that is used up: the other signature of the same is no other one.
    let mut unnamed = claims("robot", "");
    unnamed.as_object_mut().unwrap().remove("jti");
    let one = signed(&robot.signer, &unnamed).await;
    let other = signed(&robot.signer, &unnamed).await;
    assert_ne!(one, other);
    assert_eq!(desk.account_of(&one).await.as_deref(), Ok("robot"));
    assert_eq!(desk.account_of(&other).await, Err(Cause::AssertionReplayed));
}

#[tokio::test]
async fn a_client_is_known_in_no_way_but_its_own() {
    let (desk, app, _bench) = desk().await;
    desk.put(&secret_of("app", "one", "right").await).await;
    let by_secret = client("web", &[ClientAuthMethod::ClientSecretBasic]);
    desk.put(&by_secret).await;
    desk.put(&secret_of("web", "one", "right").await).await;
    let mut key = pair("client/web", "w");
    desk.put(&key.key).await;
    let text = signed(&key.signer, &claims("web", "1")).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AuthenticationMethodNotAllowed));
    // Its secret is right, and it may not show one.
    assert_eq!(desk.cause(&desk.basic("app", "right")).await, Some(Cause::AuthenticationMethodNotAllowed));
    let post = |name| desk.request(&[("client_id", name), ("client_secret", "right")]);
    assert_eq!(desk.cause(&post("web")).await, Some(Cause::AuthenticationMethodNotAllowed));
    assert_eq!(
        desk.cause(&desk.request(&[("client_id", "app")])).await,
        Some(Cause::AuthenticationMethodNotAllowed)
    );
    assert_eq!(desk.cause(&desk.basic("web", "right")).await, None);
    // The key of a client that is named like the beginning of another's.
    key.key.owner = "client/app/a".to_owned();
    desk.put(&client("app/a", &[JWT])).await;
    desk.put(&key.key).await;
    let text = signed(&key.signer, &claims("app", "2")).await;
    assert!(desk.client_of(&text).await.is_err());
    let text = signed(&app.signer, &claims("app", "3")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_looked_for_once_a_second_and_nobody_else_waits_for_that() {
    let (desk, _, _bench) = desk().await;
    let server = KeyServer::start().await;
    let [known, new] = ["known", "new"].map(|kid| pair("client/web", kid));
    desk.put(&Client { jwks_uri: Some(server.url("/keys")), ..client("web", &[JWT]) }).await;
    desk.put(&known.key).await;
    server.set("/keys", Reply::Status(500));
    let shown = async |pair: &Pair, jti: &str, address: [u8; 4]| {
        let text = signed(&pair.signer, &claims("web", jti)).await;
        desk.cause(&from(desk.request(&assertion(&text)), address)).await
    };
    let (here, elsewhere) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    assert_eq!(shown(&new, "1", here).await, Some(Cause::KeySetUnavailable));
    desk.put(&new.key).await;
    // A key that is known, and whoever comes from elsewhere, are not kept waiting.
    assert_eq!(shown(&known, "2", here).await, None);
    assert_eq!(shown(&new, "3", elsewhere).await, None);
    // Nor is whoever tries again and again refused for longer.
    let third = pair("client/web", "third");
    assert_eq!(shown(&third, "4", here).await, Some(Cause::KeySetUnavailable));
    desk.clock.advance(1);
    assert_eq!(shown(&new, "5", here).await, None);
    // Without a database it is seen what is asked of it.
    let (store, view) = (desk.store().clone(), desk.authority.view());
    while view.position() != store.head().await.unwrap() || !view.is_current() {
        tokio::task::yield_now().await;
    }
    assert_eq!(shown(&third, "6", here).await, Some(Cause::KeySetUnavailable));
    store.close().await;
    for round in 0..200 {
        assert_eq!(shown(&third, &format!("7-{round}"), here).await, Some(Cause::KeySetUnavailable));
    }
    assert_eq!(shown(&third, "8", elsewhere).await, Some(Cause::Unavailable));
}
