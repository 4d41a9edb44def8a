//! Whatever is sent: an answer or a refusal, and never more than is allowed.

use keyward_authority::cause::Cause;
use keyward_authority::http::{introspect, revoke, token};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::office::{API, ISSUER, OPAQUE, OTHER, Office, SECRET, identity, said};

/// Names that mean something here, and others.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "grant_type",
        "client_id",
        "client_secret",
        "assertion",
        "scope",
        "subject_token",
        "subject_token_type",
        "actor_token",
        "actor_token_type",
        "refresh_token",
        "token",
        "requested_token_type",
        "client_assertion",
        "client_assertion_type",
        "token_type_hint",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>().prop_filter("a form repeats these", |name| !name.is_empty()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let known = [
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:token-type:jwt",
        "urn:ietf:params:oauth:token-type:access_token",
        "shop",
        "app",
        "robot",
        "checker",
        "read",
        "write",
        SECRET,
        API,
        OPAQUE,
        ISSUER,
        "kw_at_x",
        "kw_rt_aaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a.b.c",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn form() -> impl Strategy<Value = Vec<(String, String)>> {
    let once = prop::collection::btree_map(name(), value(), 0..10);
    let often = prop::collection::vec((prop::sample::select(vec!["resource", "audience"]), value()), 0..4);
    (once, often).prop_map(|(once, often)| {
        let often = often.into_iter().map(|(name, value)| (name.to_owned(), value));
        once.into_iter().chain(often).filter(|(_, value)| !value.is_empty()).collect()
    })
}

/// Runs `check` on one office: to open one takes longer than to ask it.
fn check<S: Strategy>(
    cases: u32,
    strategy: S,
    check: impl AsyncFn(&Office, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let office = runtime.block_on(async {
        let office = Office::open().await;
        office.put(&identity("alice")).await;
        office
    });
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner.run(&strategy, |value| runtime.block_on(check(&office, value))).unwrap();
}

#[test]
fn every_form_is_answered_or_refused_and_never_by_a_fault() {
    check(400, (form(), any::<u32>()), async |office, (form, address)| {
        let parameters: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut request = office.request(&parameters).await;
        // Who fails too often is not looked at any more.
        request.peer.address = std::net::Ipv4Addr::from(address).into();
        for answer in [
            token(&office.authority, &request).await,
            introspect(&office.authority, &request).await,
            revoke(&office.authority, &request).await,
        ] {
            match answer {
                Ok(answer) => prop_assert_eq!(answer.status().as_u16(), 200),
                Err(refusal) => {
                    prop_assert!((400..500).contains(&refusal.error.status()), "{:?}", refusal);
                    prop_assert_ne!(refusal.cause, Cause::Unavailable);
                }
            }
        }
        Ok(())
    });
}

#[test]
fn no_token_is_for_more_than_was_asked_for_and_may_be_had() {
    let word = || prop::sample::select(vec!["read", "write", "other", "admin", ""]);
    let scope = prop::option::of(prop::collection::vec(word(), 0..4).prop_map(|words| words.join(" ")));
    let resource = prop::collection::vec(prop::sample::select(vec![API, OTHER, ISSUER, "x"]), 0..3);
    let may_have = prop::collection::vec(word(), 0..4);
    check(150, (scope, resource, may_have), async |office, (scope, resource, may_have)| {
        let may_have: Vec<_> = may_have.into_iter().filter(|scope| !scope.is_empty()).collect();
        let client = super::office::confidential("wide", &[API, OTHER], &may_have);
        office.put(&client).await;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(resource.iter().map(|resource| ("resource", *resource)));
        let Ok(answer) = office.ask_as("wide", &form).await else {
            return Ok(());
        };
        let claims = said(&answer["access_token"]);
        let granted: Vec<_> =
            claims["scope"].as_str().unwrap_or_default().split(' ').filter(|s| !s.is_empty()).collect();
        for granted in &granted {
            prop_assert!(may_have.contains(granted));
            let asked = scope.as_deref().map(|scope| scope.split(' ').any(|asked| asked == *granted));
            prop_assert!(asked != Some(false) || scope.as_deref() == Some(""));
        }
        let audiences: Vec<_> = match &claims["aud"] {
            serde_json::Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
            one => vec![one.as_str().unwrap()],
        };
        for audience in audiences {
            prop_assert!([API, OTHER].contains(&audience) && resource.contains(&audience));
        }
        Ok(())
    });
}

#[test]
fn a_chain_of_exchanges_only_ever_gets_less_and_never_later() {
    let steps = prop::collection::vec(
        (prop::option::of(prop::sample::select(vec!["read", "write", "read write"])), 0_i64..40),
        1..5,
    );
    check(40, steps, async |office, steps| {
        let answer = office.ask_as("shop", &[("grant_type", "client_credentials")]).await.unwrap();
        let mut token = answer["access_token"].clone();
        for (scope, pause) in steps {
            let before = said(&token);
            office.clock.advance(pause);
            let mut form = vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", token.as_str().unwrap()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ];
            form.extend(scope.map(|scope| ("scope", scope)));
            let Ok(answer) = office.ask_as("shop", &form).await else {
                break;
            };
            let after = said(&answer["access_token"]);
            prop_assert!(after["exp"].as_i64() <= before["exp"].as_i64());
            let had: Vec<_> = before["scope"].as_str().unwrap().split(' ').collect();
            prop_assert!(after["scope"].as_str().unwrap().split(' ').all(|scope| had.contains(&scope)));
            token = answer["access_token"].clone();
        }
        Ok(())
    });
}
