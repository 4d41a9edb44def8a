//! What a provider, or whoever speaks for it, may make us ask: nothing beyond its own host.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keyward::address::AllowedHost;
use keyward::fetch::{FetchError, Fetcher, NetworkTransport};
use keyward::{IssuerSettings, Verifier, VerifierBuilder};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
use url::Url;

use crate::support::{Bench, JWKS, KEYS, OPENID, Outcome, Provider, Reply, TestClock, discover, patiently};

/// Every name has these addresses.
#[derive(Debug)]
struct Names(&'static [&'static str]);

impl Resolve for Names {
    fn resolve(&self, _name: Name) -> Resolving {
        let found: Vec<_> = self.0.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn hosts(texts: &[&str]) -> Vec<AllowedHost> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn allowing(settings: IssuerSettings, texts: &[&str]) -> IssuerSettings {
    IssuerSettings { allowed_hosts: hosts(texts), ..settings }
}

/// A fetcher for which every name has these addresses.
fn fetcher(names: &'static [&'static str], allowed: &[&str]) -> Fetcher {
    let allowed = hosts(allowed);
    let transport = NetworkTransport::with_resolver(&[], &allowed, Arc::new(Names(names))).unwrap();
    Fetcher::with_transport(Arc::new(transport), Duration::from_secs(5), 1024, &allowed)
}

async fn refused(fetcher: &Fetcher, url: &str) -> FetchError {
    patiently(fetcher.get(&Url::parse(url).unwrap())).await.unwrap_err()
}

fn names_keys_at(provider: &Provider, jwks_uri: &str) {
    let document = serde_json::json!({ "issuer": provider.issuer(), "jwks_uri": jwks_uri });
    provider.set(OPENID, Reply::ok(document.to_string()));
}

#[tokio::test]
async fn a_discovered_address_on_another_host_is_refused() {
    let (provider, other) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[..1]).await);
    for jwks_uri in [
        "https://www.googleapis.com/oauth2/v3/certs".to_owned(),
        "https://10.0.0.7/jwks".to_owned(),
        "https://127.0.0.1.example/jwks".to_owned(),
        // This machine by another name than the issuer's.
        other.url(JWKS).replace("127.0.0.1", "localhost"),
        other.url(JWKS).replace("127.0.0.1", "127.0.0.2"),
    ] {
        names_keys_at(&provider, &jwks_uri);
        Bench::new(discover(&provider)).seen("failed: foreign_host", 1).await;
    }
    assert_eq!(other.hits(JWKS), 0);
    // Another port of the same host is the issuer's own business.
    names_keys_at(&provider, &other.url(JWKS));
    Bench::ready(discover(&provider)).await;
    assert_eq!((provider.hits(JWKS), other.hits(JWKS)), (0, 1));
}

#[tokio::test]
async fn an_allowed_host_may_hold_the_keys() {
    let (provider, other) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[1..2]).await);
    let at_other = other.url(JWKS).replace("127.0.0.1", "localhost");
    let port = Url::parse(&at_other).unwrap().port().unwrap();
    names_keys_at(&provider, &at_other);
    for allowed in ["localhost".to_owned(), format!("localhost:{port}")] {
        let bench = Bench::ready(allowing(discover(&provider), &[&allowed])).await;
        let token = bench.token(&KEYS[1], &provider.issuer());
        assert_eq!(bench.outcome_at_once(&token), Outcome::Accept, "{allowed}");
    }
    let elsewhere = format!("localhost:{}", port ^ 1);
    for allowed in [elsewhere.as_str(), "idp.localhost", "127.0.0.1"] {
        Bench::new(allowing(discover(&provider), &[allowed])).seen("failed: foreign_host", 1).await;
    }
}

#[tokio::test]
async fn what_the_error_says_to_allow_is_what_allows_it() {
    let (provider, other) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[..1]).await);
    let at_other = other.url(JWKS).replace("127.0.0.1", "localhost");
    let fetch = async |settings: IssuerSettings| {
        let source = keyward::source::Source::new(&settings).unwrap().unwrap();
        patiently(source.fetch()).await.map(drop)
    };
    // By discovery, and by a redirect.
    names_keys_at(&provider, &at_other);
    provider.set(JWKS, Reply::redirect(&at_other));
    let redirected = IssuerSettings::jwks_uri(&provider.issuer(), provider.url(JWKS).parse().unwrap());
    for (settings, label) in [(discover(&provider), "foreign_host"), (redirected, "redirect_refused")] {
        let error = fetch(settings.clone()).await.unwrap_err();
        assert_eq!(error.label(), label);
        assert!(error.to_string().contains(r#"allow_hosts = ["localhost"]"#), "{error}");
        fetch(allowing(settings, &["localhost"])).await.unwrap();
    }
    assert_eq!(other.hits(JWKS), 2);
}

#[tokio::test]
async fn a_redirect_to_an_allowed_host_is_followed_unless_it_is_worse() {
    let (provider, other) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[..1]).await);
    let at_other = other.url(JWKS).replace("127.0.0.1", "localhost");
    provider.set("/away", Reply::redirect(&at_other));
    let allowed = hosts(&["localhost", "idp.example", "169.254.169.254"]);
    let fetcher = Fetcher::new(Duration::from_secs(5), 1024, b"", &allowed).unwrap();
    let away = Url::parse(&provider.url("/away")).unwrap();
    assert_eq!(patiently(fetcher.get(&away)).await.unwrap().body, crate::support::jwks(&KEYS[..1]));
    // Nothing makes plain http good, but this machine.
    for to in ["http://idp.example/jwks", "http://169.254.169.254/latest/meta-data", "ftp://localhost/"] {
        provider.set("/away", Reply::redirect(to));
        let error = refused(&fetcher, away.as_str()).await;
        assert_eq!(error.label(), "redirect_refused");
        assert!(!error.to_string().contains("allow_hosts"), "{error}");
    }
    // From there on, its rules are the same.
    provider.set("/away", Reply::redirect(&at_other));
    other.set(JWKS, Reply::redirect(&provider.url(JWKS)));
    assert_eq!(refused(&fetcher, away.as_str()).await.label(), "redirect_refused");
}

#[tokio::test]
async fn an_address_that_no_provider_has_is_refused() {
    let provider = Provider::start(&KEYS[..1]).await;
    for host in [
        "169.254.169.254",
        "100.100.100.200",
        "169.254.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        // Other ways to write one.
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[fe80::1]",
        "[ff02::1]",
        "[::]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::1]",
    ] {
        let url = format!("https://{host}/jwks");
        names_keys_at(&provider, &url);
        Bench::new(discover(&provider)).seen("failed: forbidden_address", 1).await;
        // The operator does not mean it either, without saying so.
        let named = IssuerSettings::jwks_uri("https://idp.example", Url::parse(&url).unwrap());
        let error = Verifier::builder().issuer(named.clone()).start().unwrap_err();
        assert!(error.to_string().contains("not among the allowed hosts"), "{error}");
        let host = Url::parse(&url).unwrap().host_str().unwrap().to_owned();
        allowing(named, &[&host]).check().unwrap();
    }
}

#[tokio::test]
async fn a_remote_issuer_has_nothing_to_point_to_on_this_machine() {
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    for host in ["localhost", "idp.localhost", "127.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]"] {
        let url = format!("https://{host}:{port}/jwks");
        let settings = IssuerSettings::discover("https://idp.example").named("idp");
        let document = serde_json::json!({ "issuer": "https://idp.example", "jwks_uri": url });
        let bench = Bench::with(TestClock::new(), |builder: VerifierBuilder| {
            builder.issuer(settings).transport(Arc::new(Published(document.to_string())))
        });
        bench.seen("failed: forbidden_address", 1).await;
    }
}

/// Answers everything with this document.
#[derive(Debug)]
struct Published(String);

impl keyward::fetch::Transport for Published {
    fn send<'a>(&'a self, _request: &'a keyward::fetch::OutgoingRequest) -> keyward::fetch::Exchange<'a> {
        use http_body_util::{BodyExt, Full};
        let body = Full::from(self.0.clone()).map_err(|never| match never {}).boxed();
        Box::pin(async move { Ok(http::Response::new(body)) })
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_what_no_provider_has_is_refused() {
    // Who connects is noticed.
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = here.local_addr().unwrap().port();
    let url = format!("https://rebound.example:{port}/jwks");
    for names in [
        &["127.0.0.1"][..],
        &["::1"],
        &["169.254.169.254"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["0.0.0.0"],
        &["127.0.0.1", "169.254.169.254"],
    ] {
        let error = refused(&fetcher(names, &[]), &url).await;
        assert_eq!(error.label(), "forbidden_address", "{names:?}: {error}");
        let text = error.to_string();
        assert!(text.contains(names[0]) && text.contains(r#"allow_hosts = ["rebound.example"]"#), "{text}");
        // Another host's allowance is not this one's, nor is another port's.
        let other = format!("rebound.example:{}", port ^ 1);
        let other = fetcher(names, &["other.example", &other]);
        assert_eq!(refused(&other, &url).await.label(), "forbidden_address", "{names:?}");
    }
    assert!(tokio::time::timeout(Duration::ZERO, here.accept()).await.is_err());
    // What is allowed is asked, whatever it is.
    let asked = tokio::spawn(async move { here.accept().await.is_ok() });
    let error = refused(&fetcher(&["127.0.0.1"], &["rebound.example"]), &url).await;
    assert!(["connect", "tls"].contains(&error.label()), "{error}");
    assert!(patiently(asked).await.unwrap());
}

#[tokio::test]
async fn a_name_of_this_machine_is_this_machine_whatever_a_name_server_says() {
    let provider = Provider::start(&KEYS[..1]).await;
    let url = provider.url(JWKS).replace("127.0.0.1", "idp.localhost");
    let here = fetcher(&["192.0.2.1", "127.0.0.1"], &[]);
    let document = patiently(here.get(&url.parse().unwrap())).await.unwrap();
    assert_eq!(document.body, crate::support::jwks(&KEYS[..1]));
    let elsewhere = fetcher(&["192.0.2.1"], &[]);
    assert_eq!(refused(&elsewhere, &url).await.label(), "dns");
}

#[tokio::test]
async fn an_allowance_that_is_taken_back_is_gone_with_the_next_fetch() {
    let provider = Provider::start(&KEYS[..1]).await;
    names_keys_at(&provider, &provider.url(JWKS).replace("127.0.0.1", "localhost"));
    let old = Bench::ready(allowing(discover(&provider), &["localhost"])).await;
    let builder = Verifier::builder().issuer(discover(&provider)).observer(old.record.clone());
    let new = builder.previous(&old.verifier).start().unwrap();
    old.seen("failed: foreign_host", 1).await;
    // The keys stay for as long as they would in an outage.
    assert!(new.status()[0].usable);
}
