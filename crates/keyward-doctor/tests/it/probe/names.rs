//! Names, and addresses that are not asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyward::IssuerSettings;
use keyward::clock::SystemClock;
use keyward_doctor::facts::{Ended, Lookup};
use keyward_doctor::probe::{Means, Silent, look};
use serde_json::json;
use url::Url;

use super::server::{Reply, Server};
use super::{Names, OPENID, attempt, jwk_set, key_set_reach, seen, seen_by, target};

fn at(url: &str) -> IssuerSettings {
    IssuerSettings::jwks_uri("urn:test", Url::parse(url).unwrap())
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_so_and_is_looked_up_once() {
    let settings =
        IssuerSettings::jwks_uri("https://idp.example", "https://idp.example/jwks".parse().unwrap());
    let names = Arc::new(Names::default());
    let means = Means {
        clock: Arc::new(SystemClock::new()),
        progress: Arc::new(Silent),
        resolver: Arc::clone(&names) as _,
    };
    let facts = look(&target(settings), &means).await.issuers.remove(0);
    let expected = Lookup::Failed("no such name".to_owned());
    assert_eq!(key_set_reach(&facts).lookup, expected);
    assert_eq!(facts.discovery.unwrap().reach.lookup, expected);
    assert_eq!(names.lookups.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_lookup_that_hangs_is_given_up() {
    let names = Names { hangs: true, ..Names::default() };
    let facts = seen_by(at("https://idp.example/jwks"), names).await;
    assert_eq!(key_set_reach(&facts).lookup, Lookup::TimedOut);
    assert_eq!(key_set_reach(&facts).attempts, []);
}

#[tokio::test]
async fn an_address_that_no_provider_has_is_not_asked() {
    let server = Server::provider(&jwk_set()).await;
    let port = server.address.port();
    let names = || Names::of("idp.example", &["127.0.0.1", "169.254.169.254"]);
    let url = format!("https://idp.example:{port}/jwks");
    let facts = seen_by(at(&url), names()).await;
    let reach = key_set_reach(&facts);
    let ended: Vec<_> = reach.attempts.iter().map(|one| one.ended.clone()).collect();
    let forbidden = |class: &str| Ended::Forbidden(class.to_owned());
    assert_eq!(ended, [forbidden("a loopback address"), forbidden("a cloud's metadata address")]);
    assert!(reach.attempts.iter().all(|one| one.connect_ms.is_none()));

    // A name server may say what it likes of names that mean this machine.
    let names = Names::of("idp.localhost", &["192.0.2.1"]);
    let facts = seen_by(at(&format!("http://idp.localhost:{port}/jwks")), names).await;
    assert_eq!(attempt(&facts).ended, forbidden("not an address of this machine"));

    let facts = seen(at("https://169.254.169.254/jwks")).await;
    assert_eq!(key_set_reach(&facts).refused.as_deref(), Some("forbidden_address"));
    assert_eq!(attempt(&facts).ended, forbidden("a cloud's metadata address"));
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn what_the_gateway_refuses_by_its_address_is_not_asked_either() {
    let names = || Names::of("idp.example", &["192.0.2.1"]);
    let facts = seen_by(at("http://idp.example/jwks"), names()).await;
    assert_eq!(key_set_reach(&facts).refused.as_deref(), Some("insecure_address"));
    assert_eq!(key_set_reach(&facts).lookup, Lookup::NotTried);

    let server = Server::provider(&jwk_set()).await;
    let foreign = json!({ "issuer": server.issuer(), "jwks_uri": "https://keys.example/jwks" });
    server.set(OPENID, Reply::json(&foreign.to_string()));
    let facts = seen_by(IssuerSettings::discover(&server.issuer()), names()).await;
    assert_eq!(key_set_reach(&facts).refused.as_deref(), Some("foreign_host"));
    assert_eq!(key_set_reach(&facts).attempts, []);
    assert_eq!(facts.discovery.unwrap().jwks_uri.as_deref(), Some("https://keys.example/jwks"));
}
