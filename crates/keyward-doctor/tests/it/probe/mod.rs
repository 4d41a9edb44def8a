//! What the probes see of providers that answer, fail, hang and lie, over real sockets.

mod clocks;
mod documents;
mod gateway;
mod manners;
mod names;
mod secrets;
pub(crate) mod server;
mod tls;
mod way;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::IssuerSettings;
use keyward::clock::SystemClock;
use keyward_doctor::facts::{Answer, Attempt, Ended, Facts, IssuerFacts, KeySetFacts, Reach};
use keyward_doctor::probe::{
    IssuerTarget, Limits, Means, Probe, Progress, Resolver, Resolving, Target, look,
};
use serde_json::{Value, json};

pub(crate) const OPENID: &str = "/.well-known/openid-configuration";
pub(crate) const OAUTH: &str = "/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "/jwks";

/// Limits that let a test see what hangs without waiting long for it.
pub(crate) fn short() -> Limits {
    Limits {
        total: Duration::from_secs(5),
        request: Duration::from_millis(400),
        lookup: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// Names of a test's own.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) known: HashMap<&'static str, Vec<IpAddr>>,
    pub(crate) lookups: AtomicUsize,
    pub(crate) hangs: bool,
}

impl Names {
    pub(crate) fn of(name: &'static str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Self { known: HashMap::from([(name, addresses)]), ..Self::default() }
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            self.known.get(name).cloned().ok_or_else(|| io::Error::other("no such name"))
        })
    }
}

/// What was told of a look.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<String>>);

impl Progress for Told {
    fn begins(&self, probe: &Probe) {
        self.0.lock().unwrap().push(format!("begins {probe}"));
    }

    fn is_over(&self, probe: &Probe) {
        self.0.lock().unwrap().push(format!("is over {probe}"));
    }
}

pub(crate) fn means(names: Names) -> Means {
    let (clock, progress) = (Arc::new(SystemClock::new()), Arc::new(Told::default()));
    Means { clock, progress, resolver: Arc::new(names) }
}

pub(crate) fn target(settings: IssuerSettings) -> Target {
    Target { issuers: vec![IssuerTarget { settings }], limits: short(), ..Target::default() }
}

/// Looks at one issuer.
pub(crate) async fn seen(settings: IssuerSettings) -> IssuerFacts {
    seen_by(settings, Names::default()).await
}

pub(crate) async fn seen_by(settings: IssuerSettings, names: Names) -> IssuerFacts {
    let mut facts = look(&target(settings), &means(names)).await;
    let read: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    assert_eq!(read.issuers.len(), facts.issuers.len(), "a bundle holds all of it");
    facts.issuers.remove(0)
}

pub(crate) fn key_set(facts: &IssuerFacts) -> &KeySetFacts {
    facts.key_set.as_ref().unwrap()
}

pub(crate) fn key_set_reach(facts: &IssuerFacts) -> &Reach {
    key_set(facts).reach.as_ref().unwrap()
}

/// The only attempt for the keys.
pub(crate) fn attempt(facts: &IssuerFacts) -> &Attempt {
    let attempts = &key_set_reach(facts).attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    &attempts[0]
}

pub(crate) fn answer(attempt: &Attempt) -> &Answer {
    match &attempt.ended {
        Ended::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// RFC 7517 §A.1, the first key.
pub(crate) fn first_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

/// RFC 7515 §A.3.
pub(crate) fn second_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "2",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

pub(crate) fn jwk_set() -> String {
    json!({ "keys": [first_key()] }).to_string()
}
