//! Secrets, public clients, and what is shown in more than one way.

use http::header::AUTHORIZATION;
use keyward_authority::cause::Cause;
use keyward_authority::client_auth::shows_any;
use keyward_authority::entity::{ClientAuthMethod, ClientKind};
use keyward_authority::http::FormRequest;
use tokio::time::{Duration, Instant};

use super::desk::{Desk, assertion, client, from, secret_of, told};
use crate::bench::{Bench, conformance};

conformance! {
    a_secret_that_another_node_has_taken_in_is_right_at_once_and_wrong_within_a_second_of_its_end
}

const BASIC: ClientAuthMethod = ClientAuthMethod::ClientSecretBasic;
const POST: ClientAuthMethod = ClientAuthMethod::ClientSecretPost;

async fn desk() -> (Desk, Bench) {
    let bench = Bench::sqlite();
    let desk = Desk::open(bench.open().await).await;
    desk.put(&client("app", &[BASIC, POST])).await;
    desk.put(&secret_of("app", "one", "right").await).await;
    (desk, bench)
}

fn post(desk: &Desk, client: &str, secret: &str) -> FormRequest {
    desk.request(&[("client_id", client), ("client_secret", secret)])
}

#[tokio::test]
async fn a_client_is_known_by_its_secret_in_the_header_and_in_the_form() {
    let (desk, _bench) = desk().await;
    for (request, method) in [(desk.basic("app", "right"), BASIC), (post(&desk, "app", "right"), POST)] {
        assert!(shows_any(&request));
        let authenticated = desk.authenticate(&request).await.unwrap();
        assert_eq!((authenticated.client.id.as_str(), authenticated.method), ("app", method));
    }
    desk.put(&client("app", &[POST])).await;
    let changed = Instant::now();
    while desk.cause(&desk.basic("app", "right")).await != Some(Cause::AuthenticationMethodNotAllowed) {
        assert!(changed.elapsed() < Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn why_a_secret_is_refused_is_told_apart_to_us_and_alike_to_the_client() {
    let (desk, _bench) = desk().await;
    let mut disabled = secret_of("app", "two", "disabled").await;
    disabled.enabled = false;
    desk.put(&disabled).await;
    let mut expired = secret_of("app", "three", "expired").await;
    expired.expires_at = Some(super::desk::NOW);
    desk.put(&expired).await;
    let mut off = client("off", &[BASIC]);
    off.enabled = false;
    desk.put(&off).await;
    desk.put(&secret_of("off", "one", "right").await).await;
    desk.put(&client("post", &[POST])).await;
    desk.put(&secret_of("post", "one", "right").await).await;

    let mut tellings = Vec::new();
    for (name, secret, cause) in [
        ("app", "wrong", Cause::SecretWrong),
        ("app", "", Cause::SecretWrong),
        ("app", &"x".repeat(300), Cause::SecretWrong),
        ("app", "disabled", Cause::SecretDisabled),
        ("app", "expired", Cause::SecretExpired),
        ("off", "wrong", Cause::SecretWrong),
        ("off", "right", Cause::ClientDisabled),
        ("post", "right", Cause::AuthenticationMethodNotAllowed),
        ("nobody", "right", Cause::ClientUnknown),
        ("no%00body", "right", Cause::ClientUnknown),
    ] {
        let refusal = desk.authenticate(&desk.basic(name, secret)).await.unwrap_err();
        assert_eq!(refusal.cause, cause, "{name} {secret}");
        tellings.push(told(refusal).await);
    }
    tellings.dedup();
    assert_eq!(tellings.len(), 1, "{tellings:?}");
    assert!(tellings[0].starts_with("401 ") && tellings[0].contains("invalid_client"));
}

#[tokio::test]
async fn a_client_shows_who_it_is_in_one_way() {
    let (desk, _bench) = desk().await;
    let (id, secret) = (("client_id", "app"), ("client_secret", "right"));
    let [kind, text] = assertion("a.b.c");
    let several = Some(Cause::AuthenticationSeveral);
    assert_eq!(desk.cause(&desk.request(&[id, secret, kind, text])).await, several);
    let header = desk.basic("app", "right").headers[AUTHORIZATION].clone();
    for (parameters, expected) in [
        (vec![secret], several),
        (vec![kind, text], several),
        (vec![("client_id", "other")], several),
        (vec![id], None),
    ] {
        let mut request = desk.request(&parameters);
        request.headers.insert(AUTHORIZATION, header.clone());
        assert_eq!(desk.cause(&request).await, expected, "{parameters:?}");
        request.headers.append(AUTHORIZATION, header.clone());
        assert_eq!(desk.cause(&request).await, several);
    }
    for (parameters, expected) in [
        (vec![], Cause::AuthenticationMissing),
        (vec![secret], Cause::AuthenticationMissing),
        (vec![text], Cause::ParameterMissing),
        (vec![kind], Cause::ParameterMissing),
        (vec![("client_assertion_type", "urn:x"), text], Cause::AssertionTypeUnsupported),
    ] {
        assert_eq!(desk.cause(&desk.request(&parameters)).await, Some(expected), "{parameters:?}");
    }
    assert!(!shows_any(&desk.request(&[("grant_type", "x")])));
}

#[tokio::test]
async fn a_name_alone_is_enough_for_a_public_client_and_nobody_else() {
    let (desk, _bench) = desk().await;
    let mut public = client("public", &[ClientAuthMethod::None]);
    desk.put(&public).await;
    let request = desk.request(&[("client_id", "public")]);
    assert_eq!(desk.cause(&request).await, Some(Cause::AuthenticationMethodNotAllowed), "it is confidential");
    public.id = "open".to_owned();
    public.kind = ClientKind::Public;
    desk.put(&public).await;
    let authenticated = desk.authenticate(&desk.request(&[("client_id", "open")])).await.unwrap();
    assert_eq!(authenticated.method, ClientAuthMethod::None);
    let mut tellings = Vec::new();
    for (name, cause) in [("app", Cause::AuthenticationMethodNotAllowed), ("nobody", Cause::ClientUnknown)] {
        let refusal = desk.authenticate(&desk.request(&[("client_id", name)])).await.unwrap_err();
        assert_eq!(refusal.cause, cause);
        tellings.push(told(refusal).await);
    }
    assert_eq!(tellings[0], tellings[1]);
}

#[tokio::test]
async fn who_fails_too_often_is_refused_and_whoever_was_right_a_moment_ago_is_not() {
    let (desk, _bench) = desk().await;
    assert_eq!(desk.cause(&desk.basic("app", "right")).await, None);
    // Nothing is hashed for a secret that no client can have.
    let long = "x".repeat(257);
    let mut causes = Vec::new();
    for _ in 0..12 {
        causes.push(desk.cause(&desk.basic("app", "wrong")).await);
    }
    assert_eq!(causes[..11], [Some(Cause::SecretWrong); 11]);
    assert_eq!(causes[11], Some(Cause::RateLimited));
    let refusal = desk.authenticate(&desk.basic("app", "wrong")).await.unwrap_err();
    let telling = told(refusal).await;
    assert!(telling.starts_with("429 ") && telling.contains("retry-after"), "{telling}");

    assert_eq!(desk.cause(&desk.basic("app", "right")).await, None, "it is remembered");
    assert_eq!(desk.cause(&from(desk.basic("app", "wrong"), [192, 0, 2, 2])).await, Some(Cause::SecretWrong));
    assert_eq!(desk.cause(&from(desk.basic("app", &long), [192, 0, 2, 2])).await, Some(Cause::SecretWrong));
    // What was remembered is over, and so is the limit.
    desk.clock.advance(61);
    assert_eq!(desk.cause(&desk.basic("app", "right")).await, None);
}

async fn a_secret_that_another_node_has_taken_in_is_right_at_once_and_wrong_within_a_second_of_its_end(
    bench: Bench,
) {
    let first = bench.open().await;
    let second = if bench.is_shared() { bench.open().await } else { first.clone() };
    let (one, other) = (Desk::open(first).await, Desk::open(second).await);
    one.put(&client("app", &[BASIC])).await;
    let mut new = secret_of("app", "new", "new").await;
    assert_eq!(other.cause(&other.basic("app", "new")).await, Some(Cause::SecretWrong));
    one.put(&new).await;
    assert_eq!(other.cause(&other.basic("app", "new")).await, None);
    for (round, is_deleted) in [false, true].into_iter().enumerate() {
        new.enabled = false;
        if is_deleted {
            one.delete(&new).await
        } else {
            one.put(&new).await
        }
        let ended = Instant::now();
        let address = [192, 0, 2, 10 + u8::try_from(round).unwrap()];
        // The node remembers that it was right; what it was held against is what ends.
        while other.cause(&from(other.basic("app", "new"), address)).await.is_none() {
            assert!(ended.elapsed() < Duration::from_secs(2), "it still is");
            tokio::task::yield_now().await;
        }
        new.enabled = true;
        one.put(&new).await;
        let back = Instant::now();
        while other.cause(&from(other.basic("app", "new"), [192, 0, 2, 20])).await.is_some() {
            assert!(back.elapsed() < Duration::from_secs(5), "it is not taken again");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_last_use_of_a_secret_is_written_down_later() {
    let (desk, _bench) = desk().await;
    assert_eq!(desk.cause(&desk.basic("app", "right")).await, None);
    let kind = keyward_authority::storage::Kind("secret");
    let uses = async || desk.store().last_uses(kind, "main", "app/").await.unwrap();
    assert_eq!(uses().await, []);
    let waiting = desk.authority.client_auth().last_uses();
    waiting.flush(desk.store()).await.unwrap();
    assert_eq!(uses().await, [("app/one".to_owned(), super::desk::NOW)]);
    desk.clock.advance(7);
    assert_eq!(desk.cause(&desk.basic("app", "right")).await, None);
    waiting.flush(desk.store()).await.unwrap();
    assert_eq!(uses().await, [("app/one".to_owned(), super::desk::NOW + 7)]);
    assert_eq!(desk.store().verify().await.unwrap(), vec![]);
}
