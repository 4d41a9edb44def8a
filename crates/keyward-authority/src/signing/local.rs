//! Private keys that are kept with everything else, sealed under a key that is not.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{Algorithm, KeyType, LocalSigner, Signer};
use zeroize::Zeroizing;

use super::master_key::MasterKey;
use super::store::{ALGORITHMS, KeyStore, KeyStoreError, NewKey, Task};
use crate::entity::SealedKey;

const LABEL: &str = "local";

/// PKCS#8 documents (RFC 5958), each in AES-256-GCM under the master key with a nonce of its own, bound to its realm, `kid`
/// and algorithm. The nonces are random: NIST SP 800-38D §8.3 allows 2³² of them under one key.
#[derive(Clone)]
pub struct LocalKeys {
    master: MasterKey,
}

impl LocalKeys {
    /// A store that seals with `master`.
    pub const fn new(master: MasterKey) -> Self {
        Self { master }
    }

    fn make(&self, realm: &str, algorithm: Algorithm) -> Result<NewKey, KeyStoreError> {
        if !ALGORITHMS.contains(&algorithm) {
            return Err(KeyStoreError::Algorithm(algorithm));
        }
        let signer = LocalSigner::generate(algorithm, None).map_err(KeyStoreError::Generation)?;
        let pkcs8 = signer.to_pkcs8().map_err(KeyStoreError::Generation)?;
        let jwk = signer.public_jwk().cloned().ok_or(KeyStoreError::Algorithm(algorithm))?;
        let aad = associated(realm, jwk.kid().unwrap_or_default(), algorithm);
        // At once as long as it will be: a vector that grew would leave a copy of the key behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(pkcs8.len() + AES_256_GCM.tag_len()));
        sealed.extend_from_slice(&pkcs8);
        let nonce = self.master.aead().seal_in_place_append_tag(Aad::from(aad), &mut *sealed);
        let nonce = nonce.map_err(|_| KeyStoreError::Sealed)?;
        let text = [nonce.as_ref().as_slice(), sealed.as_slice()].concat();
        let private = SealedKey { store: LABEL.to_owned(), sealed: URL_SAFE_NO_PAD.encode_to_string(text) };
        Ok(NewKey { jwk, private })
    }

    fn unseal(
        &self,
        realm: &str,
        kid: &str,
        algorithm: Algorithm,
        key: &SealedKey,
    ) -> Result<Arc<dyn Signer>, KeyStoreError> {
        if key.store != LABEL {
            return Err(KeyStoreError::Foreign);
        }
        let text = URL_SAFE_NO_PAD.decode_to_vec(&key.sealed).map_err(|_| KeyStoreError::Sealed)?;
        let mut text = Zeroizing::new(text);
        let (nonce, sealed) = text.split_at_mut_checked(NONCE_LEN).ok_or(KeyStoreError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyStoreError::Sealed)?;
        let aad = Aad::from(associated(realm, kid, algorithm));
        let pkcs8 =
            self.master.aead().open_in_place(nonce, aad, sealed).map_err(|_| KeyStoreError::Sealed)?;
        let signer = LocalSigner::from_pkcs8(algorithm, None, pkcs8).map_err(|_| KeyStoreError::Sealed)?;
        // It is what its `kid` says, or is not used.
        if signer.kid() == Some(kid) { Ok(Arc::new(signer)) } else { Err(KeyStoreError::Sealed) }
    }
}

impl KeyStore for LocalKeys {
    fn label(&self) -> &'static str {
        LABEL
    }

    fn generate<'a>(&'a self, realm: &'a str, algorithm: Algorithm) -> Task<'a, NewKey> {
        let (store, realm) = (self.clone(), realm.to_owned());
        Box::pin(off_thread_where_slow(algorithm, move || store.make(&realm, algorithm)))
    }

    fn open<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Arc<dyn Signer>> {
        let (store, realm, kid, key) = (self.clone(), realm.to_owned(), kid.to_owned(), key.clone());
        Box::pin(off_thread_where_slow(algorithm, move || store.unseal(&realm, &kid, algorithm, &key)))
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeys").finish_non_exhaustive()
    }
}

/// What a sealed key is bound to, in a form that no two have in common.
fn associated(realm: &str, kid: &str, algorithm: Algorithm) -> Vec<u8> {
    serde_json::json!(["keyward signing key 1", realm, kid, algorithm.name()]).to_string().into_bytes()
}

/// RSA keys take up to a second to be made and a millisecond to be checked; requests must not wait for that.
async fn off_thread_where_slow<T: Send + 'static>(
    algorithm: Algorithm,
    work: impl FnOnce() -> Result<T, KeyStoreError> + Send + 'static,
) -> Result<T, KeyStoreError> {
    if algorithm.key_type() != KeyType::Rsa {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| KeyStoreError::ShuttingDown)?
}
