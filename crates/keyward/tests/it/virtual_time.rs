//! A provider in memory and a clock that stands still: everything that waits goes by tokio's time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use http_body_util::{BodyExt, Full};
use keyward::fetch::{Exchange, Transport};
use keyward::{IssuerSettings, Reason, Verifier};
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use crate::support::{Bench, JWKS, KEYS, Outcome, Record, TestClock, jwks, outcome};

const ISSUER: &str = "https://idp.example";

/// Answers at once, or not at all, and notes when it was asked for what.
#[derive(Debug)]
struct Memory {
    origin: Instant,
    hangs: Mutex<bool>,
    asked: Mutex<Vec<(Duration, String)>>,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), hangs: Mutex::default(), asked: Mutex::default() })
    }

    /// When the set was asked for, from the start on.
    fn fetches(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, path)| path == JWKS).map(|(at, _)| *at).collect()
    }
}

impl Transport for Memory {
    fn get<'a>(&'a self, url: &'a Url) -> Exchange<'a> {
        self.asked.lock().unwrap().push((self.origin.elapsed(), url.path().to_owned()));
        let hangs = *self.hangs.lock().unwrap();
        let body = if url.path() == JWKS { jwks(&KEYS[..1]) } else { discovery() };
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(Response::new(Full::from(body).map_err(|never| match never {}).boxed()))
        })
    }
}

fn discovery() -> Vec<u8> {
    json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}{JWKS}") }).to_string().into_bytes()
}

fn start(transport: &Arc<Memory>, seed: u64) -> Bench {
    let (clock, record) = (TestClock::new(), Record::new());
    let builder = Verifier::builder().clock(clock.clone()).observer(record.clone());
    let issuer = IssuerSettings::discover(ISSUER).named("idp").audience("api");
    let verifier = builder.issuer(issuer).transport(transport.clone()).seed(seed).start().unwrap();
    Bench { verifier, clock, record }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_refreshes_comes_when_it_is_due() {
    let memory = Memory::new();
    let bench = start(&memory, 1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let fetches = memory.fetches();
    assert_eq!(fetches[0], Duration::ZERO);
    for pair in fetches.windows(2) {
        let between = (pair[1] - pair[0]).as_secs_f64();
        assert!((210.0..=240.1).contains(&between), "{fetches:?}");
    }
    assert!((15..=17).contains(&fetches.len()), "{fetches:?}");
    assert_eq!(bench.record.events("idp"), vec!["refreshed"; fetches.len()]);
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], ISSUER)), Outcome::Accept);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_asks_at_the_same_times() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let memory = Memory::new();
        *memory.hangs.lock().unwrap() = true;
        let bench = start(&memory, seed);
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(bench);
        runs.push(memory.asked.lock().unwrap().clone());
    }
    assert!(runs[0].len() > 10, "{runs:?}");
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[1], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_its_time_and_no_more() {
    let memory = Memory::new();
    *memory.hangs.lock().unwrap() = true;
    let bench = start(&memory, 1);
    let began = Instant::now();
    bench.seen("failed: timeout", 1).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    let token = bench.token(&KEYS[0], ISSUER);
    let verdict = outcome(&bench.verifier.verify(token.as_bytes()).await);
    assert_eq!(verdict, Outcome::Undecided(Reason::KeysUnavailable));
}
