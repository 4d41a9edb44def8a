//! A look makes nothing worse: few requests, none to whoever asks to be left alone, and none after its time.

use std::sync::Arc;
use std::time::Duration;

use keyward::IssuerSettings;
use keyward::clock::{Clock, SystemClock};
use keyward_doctor::facts::{Ended, Waited};
use keyward_doctor::probe::{IssuerTarget, Limits, Means, Target, look};

use super::server::{Reply, Server, silent};
use super::{
    JWKS, Names, OAUTH, OPENID, Told, attempt, jwk_set, key_set, key_set_reach, means, seen, short, target,
};

#[tokio::test]
async fn each_document_is_asked_for_once_and_the_keys_twice() {
    let server = Server::provider(&jwk_set()).await;
    seen(IssuerSettings::discover(&server.issuer())).await;
    assert_eq!((server.hits(OPENID), server.hits(JWKS), server.asked().len()), (1, 2, 3));
    let name = format!("user-agent: keyward-doctor/{}", env!("CARGO_PKG_VERSION"));
    for asked in server.asked() {
        assert!(asked.head.contains(&name) && asked.head.starts_with("GET "), "{}", asked.head);
        assert!(asked.head.contains(&format!("host: {}\r\n", server.address)), "{}", asked.head);
    }
}

#[tokio::test]
async fn whoever_asks_to_be_left_alone_is() {
    for answer in [
        Reply::of("429 Too Many Requests", "retry-after: 30\r\n", ""),
        Reply::of("404 Not Found", "retry-after: 30\r\n", ""),
    ] {
        let server = Server::provider(&jwk_set()).await;
        server.set(OPENID, answer);
        let settings = IssuerSettings::jwks_uri(&server.issuer(), server.url(JWKS));
        let facts = seen(settings).await;
        assert_eq!(attempt(&facts).ended, Ended::AskedToWait(30));
        assert_eq!((server.asked().len(), server.hits(OAUTH)), (1, 0));
    }
    // The second question for the keys is one too many as well.
    let server = Server::provider(&jwk_set()).await;
    server.set(JWKS, Reply::of("200 OK", "retry-after: 5\r\n", &jwk_set()));
    let facts = seen(IssuerSettings::discover(&server.issuer())).await;
    assert_eq!((key_set(&facts).answers.len(), server.hits(JWKS)), (1, 1));
    // And so is every other place.
    server.set(JWKS, Reply::of("404 Not Found", "retry-after: 5\r\n", ""));
    let facts = seen(IssuerSettings::discover(&server.issuer())).await;
    assert_eq!((&key_set(&facts).elsewhere[..], server.hits(JWKS)), (&[][..], 2));
}

#[tokio::test]
async fn a_provider_that_hangs_costs_only_its_own_probes() {
    let (mute, _holding) = silent().await;
    let server = Server::provider(&jwk_set()).await;
    let issuers = [format!("http://{mute}"), server.issuer()];
    let issuers = issuers.iter().map(|issuer| IssuerTarget { settings: IssuerSettings::discover(issuer) });
    let target = Target { issuers: issuers.collect(), limits: short(), ..Target::default() };
    let told = Arc::new(Told::default());
    let means = Means { progress: Arc::clone(&told) as _, ..means(Names::default()) };
    let facts = look(&target, &means).await;
    let hung = facts.issuers[0].discovery.as_ref().unwrap();
    assert_eq!(hung.reach.attempts[0].ended, Ended::TimedOut(Waited::FirstOctet));
    assert_eq!(key_set(&facts.issuers[1]).answers.len(), 2);
    let told = told.0.lock().unwrap().clone();
    let place = |what: &str| told.iter().position(|told| told == what).unwrap();
    let (good, bad) = (server.issuer(), format!("http://{mute}"));
    assert!(place(&format!("is over keys of {good}")) < place(&format!("is over discovery of {bad}")));
}

#[tokio::test]
async fn a_look_may_be_made_beside_other_work() {
    let server = Server::provider(&jwk_set()).await;
    let target = target(IssuerSettings::discover(&server.issuer()));
    let looking = tokio::spawn(async move { look(&target, &means(Names::default())).await });
    assert_eq!(key_set(&looking.await.unwrap().issuers[0]).answers.len(), 2);
}

#[tokio::test]
async fn a_look_ends_in_its_time_and_tells_what_it_saw() {
    let (mute, _holding) = silent().await;
    let server = Server::start().await;
    server.set(OPENID, Reply::json(&server.metadata().to_string()));
    server.set(JWKS, Reply::Hangs(Vec::new()));
    let issuers = [format!("http://{mute}"), server.issuer()];
    let issuers = issuers.iter().map(|issuer| IssuerTarget { settings: IssuerSettings::discover(issuer) });
    let limits = Limits { total: Duration::from_millis(500), ..Limits::default() };
    let target = Target { issuers: issuers.collect(), limits, ..Target::default() };
    let clock = SystemClock::new();
    let began = clock.mono();
    let facts = look(&target, &means(Names::default())).await;
    let took = clock.mono().saturating_since(began);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(facts.took_ms >= 500, "{}", facts.took_ms);
    let mute = facts.issuers[0].discovery.as_ref().unwrap();
    assert_eq!(mute.reach.attempts[0].ended, Ended::OutOfTime);
    assert!(facts.issuers[1].discovery.as_ref().unwrap().issuer.is_some());
    assert_eq!(key_set_reach(&facts.issuers[1]).attempts[0].ended, Ended::OutOfTime);
}

#[tokio::test]
async fn an_issuer_s_own_time_for_a_fetch_counts_where_it_is_shorter() {
    let (mute, _holding) = silent().await;
    let url = format!("http://{mute}/jwks").parse().unwrap();
    let fetch_timeout = Duration::from_millis(100);
    let settings = IssuerSettings { fetch_timeout, ..IssuerSettings::jwks_uri("urn:test", url) };
    let target = Target { limits: Limits::default(), ..target(settings) };
    let facts = look(&target, &means(Names::default())).await;
    assert_eq!(attempt(&facts.issuers[0]).ended, Ended::TimedOut(Waited::FirstOctet));
    assert!(facts.took_ms < 2000, "{}", facts.took_ms);
}
