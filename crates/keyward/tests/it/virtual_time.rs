//! A provider in memory and a clock that stands still: everything that waits goes by tokio's time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use http_body_util::{BodyExt, Full};
use keyward::event::{Event, Observer};
use keyward::fetch::{Exchange, OutgoingRequest, Transport};
use keyward::{IssuerSettings, Reason, Verifier};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Bench, JWKS, KEYS, Outcome, Record, TestClock, jwks, outcome};

const ISSUER: &str = "https://idp.example";

/// Answers as it is told, and notes when it was asked for what.
#[derive(Debug)]
struct Memory {
    origin: Instant,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<(Duration, String)>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Mood {
    #[default]
    Answers,
    Hangs,
    Panics,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), mood: Mutex::default(), asked: Mutex::default() })
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// When the set was asked for, from the start on.
    fn fetches(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, path)| path == JWKS).map(|(at, _)| *at).collect()
    }
}

impl Transport for Memory {
    fn send<'a>(&'a self, request: &'a OutgoingRequest) -> Exchange<'a> {
        let url = &request.url;
        self.asked.lock().unwrap().push((self.origin.elapsed(), url.path().to_owned()));
        let mood = *self.mood.lock().unwrap();
        let body = if url.path() == JWKS { jwks(&KEYS[..1]) } else { discovery() };
        Box::pin(async move {
            match mood {
                Mood::Answers => {}
                Mood::Hangs => std::future::pending().await,
                Mood::Panics => panic!("a mistake that is meant"),
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
        memory.set(Mood::Hangs);
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
    memory.set(Mood::Hangs);
    let bench = start(&memory, 1);
    let began = Instant::now();
    bench.seen("failed: timeout", 1).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    let token = bench.token(&KEYS[0], ISSUER);
    let verdict = outcome(&bench.verifier.verify(token.as_bytes()).await);
    assert_eq!(verdict, Outcome::Undecided(Reason::KeysUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_fetch_and_not_the_end_of_the_refreshes() {
    let memory = Memory::new();
    memory.set(Mood::Panics);
    let bench = start(&memory, 1);
    let token = bench.token(&KEYS[0], ISSUER);
    // Who waits for it is told at once.
    let began = Instant::now();
    let verdict = outcome(&bench.verifier.verify(token.as_bytes()).await);
    assert_eq!(verdict, Outcome::Undecided(Reason::KeysUnavailable));
    assert_eq!(began.elapsed(), Duration::ZERO);
    // It is asked at a refresher's pace, and no faster.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let crashes = bench.record.events("idp");
    assert!(
        (4..=16).contains(&crashes.len()) && crashes.iter().all(|event| event == "crashed"),
        "{crashes:?}"
    );
    assert_eq!(bench.status().failures as usize, crashes.len());
    memory.set(Mood::Answers);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(bench.record.events("idp")[crashes.len()..], ["refreshed"]);
    assert_eq!(bench.outcome_at_once(&token), Outcome::Accept);
    // Later ones cost no key either.
    memory.set(Mood::Panics);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(bench.record.events("idp").len() > 2 * crashes.len());
    assert_eq!(bench.outcome_at_once(&token), Outcome::Accept);
    let asked = memory.asked.lock().unwrap().len();
    drop(bench);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(memory.asked.lock().unwrap().len(), asked, "who is dropped is not started again");
}

/// Panics at everything that it is told.
#[derive(Debug)]
struct Clumsy;

impl Observer for Clumsy {
    fn observe(&self, _issuer: &str, _event: &Event<'_>) {
        panic!("a mistake that is meant");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_costs_no_refresh() {
    let memory = Memory::new();
    let issuer = IssuerSettings::discover(ISSUER).named("idp").audience("api");
    let folder = tempfile::tempdir().unwrap();
    let snapshots = folder.path().join("snapshots");
    let builder = Verifier::builder().clock(TestClock::new()).observer(Arc::new(Clumsy));
    let builder = builder.issuer(issuer).snapshots(&snapshots).transport(memory.clone()).seed(1);
    let verifier = builder.start().unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!((15..=17).contains(&memory.fetches().len()), "{:?}", memory.fetches());
    assert!(verifier.status()[0].usable);
    // The set is on the disk, although nobody could be told of it.
    assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 1);
}
