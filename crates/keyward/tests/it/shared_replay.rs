//! A memory of used proofs that verifiers share: a proof passes once in all of them, and where the memory cannot tell nobody
//! is blamed for it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::binding::ReplayKey;
use keyward::{
    Reason, Remembering, RequirementId, SettingsError, SharedReplay, SharedReplayError, SharedReplaySettings,
    Verifier, VerifierBuilder, WhenDown,
};

use crate::bound::{Client, bound, shown, with_proof};
use crate::support::{
    Bench, KEYS, Outcome, Provider, TestClock, at_once, discover, outcome, pass, patiently,
};

const SECRET: [u8; 32] = [7; 32];

/// What the shared memory does when it is asked.
#[derive(Clone, Copy, Debug, Default)]
enum Mood {
    #[default]
    Answers,
    Fails,
    /// It remembers, and its answer never comes.
    Hangs,
    Refuses,
}

/// A memory in this process, which fails when it is told to.
#[derive(Debug, Default)]
struct Memory {
    mood: Mutex<Mood>,
    seen: Mutex<HashSet<[u8; 32]>>,
    times: Mutex<Vec<Duration>>,
}

impl Memory {
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn questions(&self) -> usize {
        self.times.lock().unwrap().len()
    }
}

impl SharedReplay for Memory {
    fn remember<'a>(&'a self, key: &'a ReplayKey, time: Duration) -> Remembering<'a> {
        Box::pin(async move {
            self.times.lock().unwrap().push(time);
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Answers => Ok(self.seen.lock().unwrap().insert(*key.as_bytes())),
                Mood::Fails => Err(SharedReplayError::Unreachable { why: "nobody listens".to_owned() }),
                Mood::Hangs => std::future::pending().await,
                Mood::Refuses => Err(SharedReplayError::Refused { said: "OOM".to_owned() }),
            }
        })
    }
}

/// Several verifiers of one issuer, as gateways behind one address.
struct Gateways {
    memory: Arc<Memory>,
    provider: Provider,
    benches: Vec<Bench>,
    client: Client,
    token: String,
}

impl Gateways {
    async fn start(count: usize, settings: &SharedReplaySettings) -> Self {
        let (memory, clock) = (Arc::<Memory>::default(), TestClock::new());
        let provider = Provider::start(&KEYS[..1]).await;
        let mut benches = Vec::new();
        for _ in 0..count {
            let bench = Bench::with(Arc::clone(&clock), |builder| {
                let builder = builder.issuer(discover(&provider)).proof_secret(SECRET);
                builder.shared_replay(Arc::clone(&memory) as _, settings.clone())
            });
            bench.seen("refreshed", 1).await;
            benches.push(bench);
        }
        let client = Client::new();
        let token = bound(&benches[0], &provider.issuer(), &client.cnf());
        Self { memory, provider, benches, client, token }
    }

    async fn refusing(count: usize) -> Self {
        Self::start(count, &SharedReplaySettings::default()).await
    }

    fn proof(&self, jti: &str) -> String {
        self.client.proof(&self.token, jti, self.benches[0].clock.wall(), None)
    }

    async fn ask(&self, place: usize, jws: &str) -> Outcome {
        shown(&self.benches[place].verifier, &self.token, &with_proof(jws)).await
    }

    /// What was told of the memory.
    fn told(&self, place: usize) -> Vec<String> {
        let mut told = self.benches[place].record.events("");
        told.retain(|event| event != "proof_memory_asked");
        told
    }
}

const UNAVAILABLE: Outcome = Outcome::Undecided(Reason::ProofMemoryUnavailable);
const REPLAYED: Outcome = Outcome::Reject(Reason::ProofReplayed);

#[tokio::test]
async fn a_proof_that_was_used_at_one_verifier_is_replayed_at_the_other() {
    let gateways = Gateways::refusing(2).await;
    let jws = gateways.proof("a");
    let mut came = Vec::new();
    for place in [0, 1, 0, 1] {
        came.push(gateways.ask(place, &jws).await);
    }
    assert_eq!(came, [Outcome::Accept, REPLAYED, REPLAYED, REPLAYED]);
    // What each remembers itself is not asked about again, and is remembered for all clocks that differ by the leeway.
    assert_eq!(*gateways.memory.times.lock().unwrap(), [Duration::from_secs(180); 2]);
    assert_eq!(gateways.ask(1, &gateways.proof("b")).await, Outcome::Accept);
    assert!(gateways.told(0).is_empty() && gateways.told(1).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_show_the_same_proof_at_once_anywhere_one_passes() {
    let gateways = Arc::new(Gateways::refusing(3).await);
    for jti in ["a", "b", "c", "d"] {
        let jws = gateways.proof(jti);
        let tasks: Vec<_> = (0..30)
            .map(|place| {
                let (gateways, jws) = (Arc::clone(&gateways), jws.clone());
                tokio::spawn(async move { gateways.ask(place % 3, &jws).await })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            match task.await.unwrap() {
                Outcome::Accept => accepted += 1,
                other => assert_eq!(other, REPLAYED),
            }
        }
        assert_eq!(accepted, 1, "{jti}");
    }
}

#[tokio::test]
async fn a_memory_that_cannot_tell_is_nobodys_fault_and_its_proofs_are_not_used() {
    let gateways = Gateways::refusing(2).await;
    let jws = gateways.proof("a");
    for mood in [Mood::Fails, Mood::Refuses] {
        gateways.memory.is(mood);
        assert_eq!(gateways.ask(0, &jws).await, UNAVAILABLE);
    }
    // It neither counts nor stops anybody who needs no proof.
    let bearer = gateways.benches[0].token(&KEYS[0], &gateways.provider.issuer());
    assert_eq!(gateways.benches[0].outcome(&bearer).await, Outcome::Accept);
    gateways.memory.is(Mood::Answers);
    assert_eq!(gateways.ask(0, &jws).await, Outcome::Accept);
    assert_eq!(gateways.ask(0, &jws).await, REPLAYED);
    assert_eq!(gateways.ask(1, &jws).await, REPLAYED);
    assert_eq!(gateways.told(0), ["proof_memory_failed", "proof_memory_recovered"]);
}

#[tokio::test]
async fn a_memory_that_hangs_holds_a_request_for_its_time_and_no_longer() {
    let gateways = Gateways::refusing(1).await;
    gateways.memory.is(Mood::Hangs);
    let jws = gateways.proof("a");
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(gateways.ask(0, &jws).await, UNAVAILABLE);
    let took = began.elapsed();
    tokio::time::resume();
    assert!((250..300).contains(&took.as_millis()), "{took:?}");
    gateways.memory.is(Mood::Answers);
    assert_eq!(gateways.ask(0, &jws).await, Outcome::Accept);
}

#[tokio::test]
async fn an_outage_is_told_once_a_minute_and_its_end() {
    let gateways = Gateways::refusing(1).await;
    gateways.memory.is(Mood::Fails);
    for second in 0..130 {
        assert_eq!(gateways.ask(0, &gateways.proof(&second.to_string())).await, UNAVAILABLE);
        pass(Duration::from_secs(1)).await;
    }
    gateways.memory.is(Mood::Answers);
    assert_eq!(gateways.ask(0, &gateways.proof("after")).await, Outcome::Accept);
    let told = gateways.told(0);
    assert_eq!(
        told[..],
        ["failed", "failed", "failed", "recovered"].map(|end| format!("proof_memory_{end}"))
    );
    assert_eq!(gateways.benches[0].record.events("").len(), 131 + told.len(), "each question is counted");
}

#[tokio::test]
async fn where_that_is_configured_each_goes_on_by_itself_and_each_such_pass_is_told() {
    let local = SharedReplaySettings { when_down: WhenDown::Local, ..SharedReplaySettings::default() };
    let gateways = Gateways::start(2, &local).await;
    gateways.memory.is(Mood::Fails);
    let jws = gateways.proof("a");
    let mut came = Vec::new();
    for place in [0, 0, 1, 1] {
        came.push(gateways.ask(place, &jws).await);
    }
    // This is what it gives up, and no more.
    assert_eq!(came, [Outcome::Accept, REPLAYED, Outcome::Accept, REPLAYED]);
    assert_eq!(gateways.told(0), ["proof_memory_failed", "proof_memory_bypassed"]);
    gateways.memory.is(Mood::Answers);
    let jws = gateways.proof("b");
    assert_eq!(gateways.ask(0, &jws).await, Outcome::Accept);
    assert_eq!(gateways.ask(1, &jws).await, REPLAYED);
}

#[tokio::test]
async fn who_does_not_wait_is_told_so_and_uses_no_proof_up() {
    let gateways = Gateways::refusing(1).await;
    let (jws, verifier) = (gateways.proof("a"), &gateways.benches[0].verifier);
    let id = RequirementId::default();
    let at_rest =
        |token: &str, presented| verifier.try_verify_presented_for(id, token.as_bytes(), &presented);
    assert!(at_rest(&gateways.token, with_proof(&jws)).is_none());
    assert_eq!((verifier.used_proofs(), gateways.memory.questions()), (0, 0));
    assert_eq!(gateways.ask(0, &jws).await, Outcome::Accept);
    // What needs no such question is answered.
    let bad = with_proof("junk");
    let came = at_rest(&gateways.token, bad).map(|verdict| outcome(&verdict));
    assert_eq!(came, Some(Outcome::Reject(Reason::ProofInvalid)));
    let bearer = gateways.benches[0].token(&KEYS[0], &gateways.provider.issuer());
    assert_eq!(gateways.benches[0].outcome_at_once(&bearer), Outcome::Accept);
    assert_eq!(gateways.memory.questions(), 1);
}

#[tokio::test]
async fn a_new_configuration_knows_that_the_memory_was_down() {
    let gateways = Gateways::refusing(1).await;
    gateways.memory.is(Mood::Fails);
    assert_eq!(gateways.ask(0, &gateways.proof("a")).await, UNAVAILABLE);
    let next = |builder: VerifierBuilder| {
        let builder = builder.issuer(discover(&gateways.provider)).proof_secret(SECRET);
        builder.shared_replay(Arc::clone(&gateways.memory) as _, SharedReplaySettings::default())
    };
    let old = &gateways.benches[0].verifier;
    let new = next(Verifier::builder().previous(old)).start().unwrap();
    let jws = gateways.proof("b");
    let id = RequirementId::default();
    let ask = async || {
        outcome(&patiently(new.verify_presented_for(id, gateways.token.as_bytes(), &with_proof(&jws))).await)
    };
    assert_eq!(ask().await, UNAVAILABLE);
    gateways.memory.is(Mood::Answers);
    assert_eq!(ask().await, Outcome::Accept);
    assert_eq!(gateways.told(0), ["proof_memory_failed", "proof_memory_recovered"]);
}

#[tokio::test]
async fn a_shared_memory_without_a_shared_secret_is_refused() {
    let provider = Provider::start(&KEYS[..1]).await;
    let memory = Arc::<Memory>::default() as Arc<dyn SharedReplay>;
    let builder = Verifier::builder().issuer(discover(&provider));
    let refused = builder.shared_replay(memory, SharedReplaySettings::default()).start();
    assert!(matches!(refused, Err(SettingsError::SharedReplayWithoutSecret)), "{refused:?}");
}

#[tokio::test]
async fn a_verifier_of_its_own_waits_for_nobody() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let client = Client::new();
    let token = bound(&bench, &provider.issuer(), &client.cnf());
    let jws = client.proof(&token, "a", bench.clock.wall(), None);
    let (id, presented) = (RequirementId::default(), with_proof(&jws));
    let verdict = at_once(bench.verifier.verify_presented_for(id, token.as_bytes(), &presented));
    assert_eq!(outcome(&verdict), Outcome::Accept);
    let again = bench.verifier.try_verify_presented_for(id, token.as_bytes(), &presented);
    assert_eq!(again.map(|verdict| outcome(&verdict)), Some(REPLAYED));
}
