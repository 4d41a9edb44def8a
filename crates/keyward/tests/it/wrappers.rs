//! Certificates around keys, over weeks of a fake clock: incident A5, and who is told what when (promise 7).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64_simd::STANDARD;
use http::Response;
use http_body_util::{BodyExt, Full};
use keyward::event::{Event, Observer};
use keyward::fetch::{Exchange, OutgoingRequest, Transport};
use keyward::{Algorithm, IssuerSettings, KeyStatus, Reason, SettingsError, Verifier, WrapperPolicy};
use keyward_jose::{LocalSigner, Signer};
use serde_json::{Value, json};

use crate::certificates::{authority, authority_over, issued, self_signed};
use crate::support::{Bench, Outcome, Record, START, TestClock, outcome, token, until};

const ISSUER: &str = "https://idp.example";
const DAY: i64 = 86_400;

/// Midnight: the certificate's last second is 23:59:59, as in the incident.
const END: i64 = START - START % DAY + 41 * DAY;

/// An issuer whose set is in memory.
#[derive(Debug)]
struct Memory {
    set: Mutex<Value>,
}

impl Memory {
    fn new(keys: &[Value]) -> Arc<Self> {
        Arc::new(Self { set: Mutex::new(json!({ "keys": keys })) })
    }

    fn publish(&self, keys: &[Value]) {
        *self.set.lock().unwrap() = json!({ "keys": keys });
    }

    fn fail(&self) {
        *self.set.lock().unwrap() = Value::Null;
    }
}

impl Transport for Memory {
    fn send<'a>(&'a self, _request: &'a OutgoingRequest) -> Exchange<'a> {
        let body = self.set.lock().unwrap().to_string().into_bytes();
        Box::pin(async move { Ok(Response::new(Full::from(body).map_err(|never| match never {}).boxed())) })
    }
}

/// Notes when what was told of which certificate.
#[derive(Debug)]
struct Noted {
    clock: Arc<TestClock>,
    told: Mutex<Vec<(i64, String)>>,
}

impl Noted {
    fn new(clock: &Arc<TestClock>) -> Arc<Self> {
        Arc::new(Self { clock: Arc::clone(clock), told: Mutex::default() })
    }

    /// When it was told, in seconds after [`END`], and of which key.
    fn told(&self) -> Vec<(i64, String)> {
        self.told.lock().unwrap().clone()
    }
}

impl Observer for Noted {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        let about = match event {
            Event::WrapperExpired { kid, since, .. } => {
                format!("{} over since {} s", kid.unwrap(), since.as_secs())
            }
            Event::WrapperExpiring { kid, left, .. } => {
                format!("{} over in {} days", kid.unwrap(), left.as_secs() / DAY.unsigned_abs())
            }
            Event::WrapperTroubled { kid, .. } => format!("{} {}", kid.unwrap(), event.label()),
            _ => return,
        };
        assert_eq!(issuer, "idp");
        self.told.lock().unwrap().push((self.clock.wall() - END, about));
    }
}

fn signer(kid: &str) -> LocalSigner {
    LocalSigner::generate(Algorithm::EdDsa, Some(kid)).unwrap()
}

/// The key's JWK with this certificate around it.
fn wrapped(signer: &LocalSigner, der: &[u8]) -> Value {
    let mut jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    jwk["x5c"] = json!([STANDARD.encode_to_string(der)]);
    jwk
}

/// The key with a certificate that is over at this time.
fn over_at(signer: &LocalSigner, end: i64) -> Value {
    wrapped(signer, &self_signed(signer, end - 365 * DAY, end - 1))
}

/// Fetched twice a day, so that weeks pass quickly.
fn settings(policy: WrapperPolicy) -> IssuerSettings {
    let uri = format!("{ISSUER}/jwks").parse().unwrap();
    let mut settings = IssuerSettings::jwks_uri(ISSUER, uri).named("idp").audience("api").wrapper(policy);
    settings.key_set.ttl = Duration::from_secs(12 * 3600);
    settings.key_set.stale_limit = Duration::from_secs(24 * 3600);
    settings
}

/// A verifier that starts at `wall`, and what it tells.
fn start(memory: &Arc<Memory>, settings: IssuerSettings, wall: i64) -> (Bench, Arc<Noted>) {
    let clock = TestClock::at(wall);
    let noted = Noted::new(&clock);
    let builder = Verifier::builder().clock(clock.clone()).observer(noted.clone());
    let verifier = builder.issuer(settings).transport(memory.clone()).seed(1).start().unwrap();
    (Bench { verifier, clock, record: Record::new() }, noted)
}

/// Lets the time come.
async fn reach(bench: &Bench, wall: i64) {
    let left = u64::try_from(wall - bench.clock.wall()).unwrap();
    tokio::time::sleep(Duration::from_secs(left)).await;
}

fn key(bench: &Bench, kid: &str) -> KeyStatus {
    let keys = bench.status().keys;
    keys.into_iter().find(|key| key.kid.as_deref() == Some(kid)).unwrap()
}

const SEVEN_HOURS_55: i64 = 7 * 3600 + 55 * 60;

/// Incident A5: `realm-key-v1` is passive and its certificate was over at midnight, 34 % of the tokens are its.
#[tokio::test(start_paused = true)]
async fn a5_the_passive_keys_certificate_is_over_and_a_third_of_the_traffic_is_on_it() {
    let [v1, v2] = ["realm-key-v1", "realm-key-v2"].map(signer);
    for policy in WrapperPolicy::ALL {
        let memory = Memory::new(&[over_at(&v1, END), over_at(&v2, END + 300 * DAY)]);
        let (bench, noted) = start(&memory, settings(policy), START);
        reach(&bench, END + SEVEN_HOURS_55).await;

        let (mut accepted, mut refused) = ([0, 0], [0, 0]);
        for request in 0..100 {
            // Each third one was seen before.
            let number = request - request % 3 / 2;
            let key = usize::from(number % 50 >= 17);
            let now = bench.clock.wall() - i64::from(number);
            let token = token([&v1, &v2][key], ISSUER, now);
            match bench.outcome_at_once(&token) {
                Outcome::Accept => accepted[key] += 1,
                Outcome::Reject(Reason::WrapperCertificateExpired) => refused[key] += 1,
                other => panic!("{other:?}"),
            }
        }
        let enforced = policy == WrapperPolicy::Enforce;
        assert_eq!(accepted[0] + refused[0], 34, "the share that the traffic has");
        assert_eq!((accepted, refused), if enforced { ([0, 66], [34, 0]) } else { ([34, 66], [0, 0]) });

        // The same can be read off.
        let [old, new] = ["realm-key-v1", "realm-key-v2"].map(|kid| key(&bench, kid));
        assert_eq!((old.verdicts, old.expired_wrapper_verdicts), (34, 34), "{policy}");
        assert_eq!((new.verdicts, new.expired_wrapper_verdicts), (66, 0), "{policy}");
        let wrapper = old.wrapper.unwrap();
        assert_eq!((wrapper.state, wrapper.expires_in_seconds), ("expired", Some(-SEVEN_HOURS_55)));
        assert!(wrapper.not_after.unwrap().ends_with("T23:59:59Z"));
        assert_eq!(new.wrapper.unwrap().state, "valid");
        assert_eq!(bench.status().wrapper_policy, policy.label());

        // And it was known for thirty days.
        let expected =
            [30, 14, 7, 3, 1].map(|days| (-days * DAY, format!("realm-key-v1 over in {days} days")));
        let over = (0, "realm-key-v1 over since 0 s".to_owned());
        let expected =
            if policy == WrapperPolicy::Ignore { vec![] } else { [&expected[..], &[over]].concat() };
        assert_eq!(noted.told(), expected, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_what_holds_is_told_once_and_not_all_that_led_there() {
    let v1 = signer("v1");
    let memory = Memory::new(&[over_at(&v1, END)]);
    for (from, told) in [(-10 * DAY, "v1 over in 10 days"), (SEVEN_HOURS_55, "v1 over since 28500 s")] {
        let (bench, noted) = start(&memory, settings(WrapperPolicy::Warn), END + from);
        reach(&bench, END + from + 2 * DAY).await;
        assert_eq!(noted.told(), [(from, told.to_owned())]);
    }
}

/// A snapshot's keys have their certificates, too, before anything is fetched.
#[tokio::test]
async fn a_cold_start_during_an_outage_knows_of_the_certificates() {
    let v1 = signer("v1");
    let memory = Memory::new(&[over_at(&v1, END)]);
    let folder = tempfile::tempdir().unwrap();
    let start = |wall| {
        let clock = TestClock::at(wall);
        let noted = Noted::new(&clock);
        let builder = Verifier::builder().clock(clock.clone()).observer(noted.clone());
        let builder = builder.issuer(settings(WrapperPolicy::Enforce)).snapshots(folder.path());
        let verifier = builder.transport(memory.clone()).seed(1).start().unwrap();
        (Bench { verifier, clock, record: Record::new() }, noted)
    };
    let (_first, _) = start(END - 600);
    let is_there = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().ends_with(".jwks.json")
    };
    until(|| std::fs::read_dir(folder.path()).unwrap().any(is_there)).await;
    memory.fail();
    let (bench, noted) = start(END + 600);
    assert_eq!(key(&bench, "v1").wrapper.unwrap().state, "expired");
    let refused = Outcome::Reject(Reason::WrapperCertificateExpired);
    assert_eq!(bench.outcome_at_once(&bench.token(&v1, ISSUER)), refused);
    until(|| !noted.told().is_empty()).await;
    assert_eq!(noted.told()[0].1, "v1 over since 600 s");
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_for_the_same_key_ends_the_refusals_at_once_and_others_are_told_of() {
    let v1 = signer("v1");
    let memory = Memory::new(&[over_at(&v1, END)]);
    let (bench, noted) = start(&memory, settings(WrapperPolicy::Enforce), END - 3600);
    reach(&bench, END - 1).await;
    let token = bench.token(&v1, ISSUER);
    assert_eq!(bench.outcome_at_once(&token), Outcome::Accept);
    // The remembered verdict is over to the second as well.
    reach(&bench, END).await;
    let refused = Outcome::Reject(Reason::WrapperCertificateExpired);
    assert_eq!((bench.outcome_at_once(&token), bench.outcome_at_once(&token)), (refused, refused));
    // Nobody fetched for that.
    assert_eq!(bench.status().next_refresh_seconds.map(|seconds| seconds > 3600), Some(true));
    let (since, verdicts) = (key(&bench, "v1").first_seen, key(&bench, "v1").verdicts);
    memory.publish(&[over_at(&v1, END + 365 * DAY)]);
    reach(&bench, END + DAY).await;
    let late = bench.token(&v1, ISSUER);
    assert_eq!(bench.outcome_at_once(&late), Outcome::Accept);
    assert_eq!(key(&bench, "v1").first_seen, since, "it is the same key");
    assert_eq!(key(&bench, "v1").verdicts, verdicts + 1);
    // Another key's certificate is told of once, for as long as it stays.
    let other = signer("other");
    memory.publish(&[wrapped(&v1, &self_signed(&other, END, END + 9 * DAY))]);
    reach(&bench, END + 5 * DAY).await;
    let news: Vec<_> = noted.told().into_iter().map(|(_, news)| news).collect();
    assert_eq!(news, ["v1 over in 0 days", "v1 over since 0 s", "v1 wrapper_certificate_mismatch"]);
    let late = bench.token(&v1, ISSUER);
    assert_eq!(bench.outcome_at_once(&late), Outcome::Reject(Reason::WrapperCertificateMismatch));
}

#[tokio::test(start_paused = true)]
async fn a_reload_with_other_anchors_or_another_policy_decides_by_them_at_once() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let v1 = signer("v1");
    let memory = Memory::new(&[wrapped(&v1, &issued(&v1, START - DAY, START + 100 * DAY, &ours))]);
    let (bench, _) = start(&memory, settings(WrapperPolicy::Enforce), START);
    reach(&bench, START + 1).await;
    let token = bench.token(&v1, ISSUER);
    assert_eq!(bench.outcome_at_once(&token), Outcome::Accept);
    let untrusted = Outcome::Reject(Reason::WrapperCertificateUntrusted);
    let mut verifier = bench.verifier.clone();
    for (anchors, policy, expected) in [
        (theirs.pem(), WrapperPolicy::Enforce, untrusted),
        (theirs.pem(), WrapperPolicy::Warn, Outcome::Accept),
        (ours.pem() + &theirs.pem(), WrapperPolicy::Enforce, Outcome::Accept),
        (theirs.pem(), WrapperPolicy::Enforce, untrusted),
        (String::new(), WrapperPolicy::Enforce, Outcome::Accept),
    ] {
        let settings = IssuerSettings { wrapper_anchors: anchors.into_bytes(), ..settings(policy) };
        let builder = Verifier::builder().issuer(settings).previous(&verifier).transport(memory.clone());
        verifier = builder.start().unwrap();
        // Before anything was fetched again.
        let verdict = verifier.try_verify_for(Default::default(), token.as_bytes()).unwrap();
        assert_eq!(outcome(&verdict), expected, "{policy}");
    }
}

#[test]
fn anchors_that_can_be_none_are_refused_before_anything_starts() {
    let v1 = signer("v1");
    let check = |octets: &[u8]| {
        let settings = settings(WrapperPolicy::Warn);
        IssuerSettings { wrapper_anchors: octets.to_vec(), ..settings }.check()
    };
    let leaf = self_signed(&v1, START - DAY, START + DAY);
    assert!(matches!(check(&leaf), Err(SettingsError::WrapperAnchors { .. })));
    assert!(matches!(check(b"junk"), Err(SettingsError::WrapperAnchorsUnreadable { .. })));
    assert!(check(authority("ours").pem().as_bytes()).is_ok());
    // One that is over was taken yesterday, and a restart must not end in a refusal.
    assert!(check(authority_over("old").pem().as_bytes()).is_ok());
}
