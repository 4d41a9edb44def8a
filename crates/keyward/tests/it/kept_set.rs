//! A set that is kept for other things than tokens.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::Clock;
use keyward::fetch::NetworkTransport;
use keyward::{Algorithm, KeptSet, KeptSetSettings, KeySetSettings, MonoTime, NoSigningKey, Reason};
use keyward_jose::{DecodeBuffer, Jws, LocalSigner, Signer, UnusableKey, sign_compact};
use serde_json::{Value, json};

use crate::support::{JWKS, Provider, Record, Reply, TestClock, pass};

const PATIENCE: Duration = Duration::from_secs(5);

fn pair(kid: &str) -> LocalSigner {
    LocalSigner::generate(Algorithm::EdDsa, Some(kid)).unwrap()
}

struct Kept {
    set: KeptSet,
    clock: Arc<TestClock>,
    record: Arc<Record>,
}

fn keep(provider: &Provider) -> Kept {
    let (clock, record) = (TestClock::new(), Record::new());
    let settings = KeptSetSettings {
        key_set: KeySetSettings::default(),
        fetch_timeout: Duration::from_secs(2),
        octets: 10_000,
        allowed_hosts: Vec::new(),
    };
    let transport = Arc::new(NetworkTransport::new(&[], &[]).unwrap());
    let url = provider.url(JWKS).parse().unwrap();
    let set = KeptSet::start(url, settings, transport, Arc::clone(&clock) as _, Arc::clone(&record) as _);
    Kept { set, clock, record }
}

impl Kept {
    async fn signed_by(&self, signer: &LocalSigner) -> Result<(), NoSigningKey> {
        let arrived = self.clock.mono();
        let text = sign_compact(signer, None, b"{}").await.unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(text.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        self.set.signing_key(arrived, &jws, None, PATIENCE).await.map(drop)
    }

    fn arrived(&self) -> MonoTime {
        self.clock.mono()
    }
}

#[tokio::test]
async fn a_key_is_found_by_the_first_fetch_and_after_a_rotation() {
    let [old, new] = ["old", "new"].map(pair);
    let provider = Provider::start([&old]).await;
    let kept = keep(&provider);
    assert_eq!(kept.signed_by(&old).await, Ok(()));
    assert_eq!(kept.signed_by(&new).await, Err(NoSigningKey::Unknown));
    provider.publish([&new]);
    pass(Duration::from_secs(5)).await;
    assert_eq!(kept.signed_by(&new).await, Ok(()));
    assert_eq!(kept.signed_by(&old).await, Err(NoSigningKey::Unknown));
    assert_eq!(kept.signed_by(&pair("new")).await, Err(NoSigningKey::Invalid));
    let thumbprint = |signer: &LocalSigner| {
        let jwk = serde_json::to_vec(&signer.public_jwk().unwrap()).unwrap();
        keyward_jose::VerificationKey::from_jwk(&jwk).unwrap().thumbprint().unwrap()
    };
    let (has, lacks) = (thumbprint(&new), thumbprint(&old));
    assert!(kept.set.key_with_thumbprint(kept.arrived(), &has, PATIENCE).await.is_ok());
    pass(Duration::from_secs(5)).await;
    let found = kept.set.key_with_thumbprint(kept.arrived(), &lacks, PATIENCE).await;
    assert_eq!(found.err(), Some(NoSigningKey::Unknown));
}

#[tokio::test]
async fn what_cannot_be_told_blames_nobody_and_known_keys_last_up_to_the_stale_limit() {
    let [known, new] = ["known", "new"].map(pair);
    let provider = Provider::start([&known]).await;
    let kept = keep(&provider);
    assert_eq!(kept.signed_by(&known).await, Ok(()));
    provider.set(JWKS, Reply::status(500));
    pass(Duration::from_secs(3590)).await;
    kept.record.seen(&provider.url(JWKS), "failed: status", 1).await;
    assert_eq!(kept.signed_by(&known).await, Ok(()));
    let unknown = kept.signed_by(&new).await;
    assert_eq!(unknown, Err(NoSigningKey::Unavailable(Reason::KeysUnavailable)));
    pass(Duration::from_secs(10)).await;
    assert_eq!(kept.signed_by(&known).await, Err(NoSigningKey::Unavailable(Reason::KeysStaleLimit)));
}

#[tokio::test]
async fn a_key_that_cannot_be_used_costs_no_other_and_is_told_apart() {
    let [good, bad] = ["good", "bad"].map(pair);
    let provider = Provider::start([]).await;
    let jwk = |signer: &LocalSigner| serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    let mut encrypts: Value = jwk(&bad);
    encrypts["use"] = "enc".into();
    let set = json!({ "keys": [encrypts, { "kty": "nonsense" }, jwk(&good)] });
    provider.set(JWKS, Reply::ok(set.to_string()));
    let kept = keep(&provider);
    assert_eq!(kept.signed_by(&good).await, Ok(()));
    let unusable = kept.signed_by(&bad).await;
    assert_eq!(unusable, Err(NoSigningKey::Unusable(UnusableKey::NotForVerification)));
}
