//! Private keys are sealed, each for its place.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use keyward_authority::entity::{SealedKey, SigningKey};
use keyward_authority::signing::{ALGORITHMS, KeyState, KeyStore, KeyStoreError, LocalKeys, MasterKey};
use keyward_jose::{Algorithm, DecodeBuffer, Jws, VerificationKey, sign_compact};

use super::node::{Node, REALM, local_keys, realm};
use crate::bench::Bench;

#[tokio::test]
async fn a_sealed_key_signs_what_its_public_half_verifies() {
    let keys = local_keys();
    for algorithm in ALGORITHMS {
        let new = keys.generate("main", algorithm).await.unwrap();
        let kid = new.jwk.kid().unwrap().to_owned();
        assert_eq!(kid, new.jwk.thumbprint().to_string());
        let signer = keys.open("main", &kid, algorithm, &new.private).await.unwrap();
        let token = sign_compact(&*signer, None, b"{}").await.unwrap();
        let key = VerificationKey::from_jwk(&serde_json::to_vec(&new.jwk).unwrap()).unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token.as_bytes(), 10_000, &mut buffer).unwrap();
        assert_eq!((jws.header().algorithm(), jws.verify(&key).is_ok()), (algorithm, true));
    }
    for algorithm in [Algorithm::Hs256, Algorithm::Es512] {
        let refused = keys.generate("main", algorithm).await.unwrap_err();
        assert_eq!(refused, KeyStoreError::Algorithm(algorithm));
    }
}

#[tokio::test]
async fn a_sealed_key_opens_under_its_master_key_and_as_what_it_is_alone() {
    let keys = local_keys();
    let new = keys.generate("main", Algorithm::Ps256).await.unwrap();
    let kid = new.jwk.kid().unwrap();
    let open = async |realm: &str, kid: &str, algorithm, key: &SealedKey| {
        keys.open(realm, kid, algorithm, key).await.err()
    };
    assert_eq!(open("main", kid, Algorithm::Ps256, &new.private).await, None);
    let sealed = Some(KeyStoreError::Sealed);
    assert_eq!(open("other", kid, Algorithm::Ps256, &new.private).await, sealed);
    assert_eq!(open("main", "other", Algorithm::Ps256, &new.private).await, sealed);
    assert_eq!(open("main", kid, Algorithm::Rs256, &new.private).await, sealed);
    assert_eq!(open("main", kid, Algorithm::Es256, &new.private).await, sealed);
    let other = LocalKeys::new(MasterKey::parse(&"0e".repeat(32)).unwrap());
    let absent = KeyStoreError::MasterKeyAbsent { id: MasterKey::parse(&"0f".repeat(32)).unwrap().id() };
    assert_eq!(other.open("main", kid, Algorithm::Ps256, &new.private).await.err(), Some(absent));
    let key = SealedKey { under: None, ..new.private.clone() };
    assert_eq!(other.open("main", kid, Algorithm::Ps256, &key).await.err(), sealed);
    let octets = URL_SAFE_NO_PAD.decode_to_vec(&new.private.sealed).unwrap();
    for place in [0, NONCE_LEN, octets.len() / 2, octets.len() - 1] {
        let mut changed = octets.clone();
        changed[place] ^= 1;
        let changed = [changed, octets[..place].to_vec()];
        for octets in changed {
            let key = SealedKey { sealed: URL_SAFE_NO_PAD.encode_to_string(octets), ..new.private.clone() };
            assert_eq!(open("main", kid, Algorithm::Ps256, &key).await, sealed);
        }
    }
    let key = SealedKey { sealed: "no base64!".to_owned(), ..new.private.clone() };
    assert_eq!(open("main", kid, Algorithm::Ps256, &key).await, sealed);
    let key = SealedKey { store: "kms".to_owned(), ..new.private.clone() };
    assert_eq!(open("main", kid, Algorithm::Ps256, &key).await, Some(KeyStoreError::Foreign));
}

/// The PKCS#8 document that a sealed key is, as whoever has the master key could have it.
fn pkcs8(key: &SigningKey) -> Vec<u8> {
    let master = RandomizedNonceKey::new(&AES_256_GCM, &[0x0f; 32]).unwrap();
    let mut octets = URL_SAFE_NO_PAD.decode_to_vec(&key.private.sealed).unwrap();
    let (nonce, sealed) = octets.split_at_mut(NONCE_LEN);
    let aad = format!(r#"["keyward signing key 1","{REALM}","{}","{}"]"#, key.kid, key.algorithm);
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    master.open_in_place(nonce, Aad::from(aad), sealed).unwrap().to_vec()
}

/// What must not be seen of it: the whole, and the private scalar alone, as they are and in what is text.
fn secrets(pkcs8: &[u8]) -> Vec<Vec<u8>> {
    // SEC 1 §C.4: version 1, then an octet string of 32.
    let at = pkcs8.windows(5).position(|octets| octets == [2, 1, 1, 4, 32]).unwrap() + 5;
    let mut secrets = Vec::new();
    for secret in [pkcs8, &pkcs8[at..at + 32]] {
        let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        let list = format!("{secret:?}");
        let texts = [STANDARD.encode_to_string(secret), URL_SAFE_NO_PAD.encode_to_string(secret), hex, list];
        secrets.push(secret.to_vec());
        secrets.extend(
            texts.map(|text| text.trim_end_matches('=').trim_matches(['[', ']']).as_bytes().to_vec()),
        );
    }
    secrets
}

fn holds(text: &[u8], secret: &[u8]) -> bool {
    text.windows(secret.len()).any(|octets| octets == secret)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What else runs in this process decides with this test which lines are written at all: so it looks from a process of its own.
#[tokio::test]
async fn no_private_key_is_in_the_database_the_log_or_what_is_shown() {
    if std::env::var_os(ALONE).is_some() {
        return no_private_key_is_seen().await;
    }
    let name = "keys::sealed::no_private_key_is_in_the_database_the_log_or_what_is_shown";
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

const ALONE: &str = "KEYWARD_TEST_ALONE";

async fn no_private_key_is_seen() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let bench = Bench::sqlite();
    let mut node = Node::of(&bench).await;
    node.create(&realm(&["ES256"])).await;
    node.sign(REALM).await;
    node.clock.pass(1500);
    node.rounds.round().await.unwrap();
    let ring = node.authority.ring(REALM).await.unwrap();
    let keys = node.keys(REALM).await;
    let shown = format!("{:?} {ring:?} {keys:?} {:?}", node.authority, node.rounds);
    assert_eq!(node.kids(KeyState::Published).await.len(), 1);
    let log = log.0.lock().unwrap().clone();
    assert!(holds(&log, b"signing_key_changed"));
    let files = files(&bench);
    assert!(files.iter().any(|octets| holds(octets, keys[0].kid.as_bytes())));
    for key in &keys {
        for secret in secrets(&pkcs8(key)) {
            assert!(!files.iter().any(|octets| holds(octets, &secret)), "in the database");
            assert!(!holds(&log, &secret), "in the log");
            assert!(!holds(shown.as_bytes(), &secret), "shown");
        }
        assert!(!shown.contains(&key.private.sealed), "shown, though sealed");
    }
}

/// The database as it is on the disk, with what is not written back yet.
fn files(bench: &Bench) -> Vec<Vec<u8>> {
    let keyward_authority::storage::StoreAddress::Sqlite(path) = &bench.address else {
        panic!("this looks at files");
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}
