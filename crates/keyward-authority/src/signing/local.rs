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
    further: Arc<[MasterKey]>,
}

impl LocalKeys {
    /// A store that seals with `master`.
    pub fn new(master: MasterKey) -> Self {
        Self { master, further: Arc::default() }
    }

    /// The same, which also opens what is sealed under these: one that was the master key, or one that is going to be.
    #[must_use]
    pub fn with_further(self, further: Vec<MasterKey>) -> Self {
        Self { further: further.into(), ..self }
    }

    fn make(&self, realm: &str, algorithm: Algorithm) -> Result<NewKey, KeyStoreError> {
        if !ALGORITHMS.contains(&algorithm) {
            return Err(KeyStoreError::Algorithm(algorithm));
        }
        let signer = LocalSigner::generate(algorithm, None).map_err(KeyStoreError::Generation)?;
        let pkcs8 = signer.to_pkcs8().map_err(KeyStoreError::Generation)?;
        let jwk = signer.public_jwk().cloned().ok_or(KeyStoreError::Algorithm(algorithm))?;
        let private = self.seal(&pkcs8, &associated(realm, jwk.kid().unwrap_or_default(), algorithm))?;
        Ok(NewKey { jwk, private })
    }

    fn seal(&self, pkcs8: &[u8], associated: &[u8]) -> Result<SealedKey, KeyStoreError> {
        // At once as long as it will be: a vector that grew would leave a copy of the key behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(pkcs8.len() + AES_256_GCM.tag_len()));
        sealed.extend_from_slice(pkcs8);
        let nonce = self.master.aead().seal_in_place_append_tag(Aad::from(associated), &mut *sealed);
        let nonce = nonce.map_err(|_| KeyStoreError::Sealed)?;
        let text = [nonce.as_ref().as_slice(), sealed.as_slice()].concat();
        let (store, under) = (LABEL.to_owned(), Some(self.master.id().to_string()));
        Ok(SealedKey { store, under, sealed: URL_SAFE_NO_PAD.encode_to_string(text) })
    }

    fn unseal(
        &self,
        realm: &str,
        kid: &str,
        algorithm: Algorithm,
        key: &SealedKey,
    ) -> Result<(LocalSigner, Zeroizing<Vec<u8>>), KeyStoreError> {
        let text = URL_SAFE_NO_PAD.decode_to_vec(&key.sealed).map_err(|_| KeyStoreError::Sealed)?;
        let associated = associated(realm, kid, algorithm);
        let opened = self.masters(key)?.find_map(|master| unseal(master, &text, &associated));
        let pkcs8 = opened.ok_or(KeyStoreError::Sealed)?;
        let signer = LocalSigner::from_pkcs8(algorithm, None, &pkcs8).map_err(|_| KeyStoreError::Sealed)?;
        // It is what its `kid` says, or is not used.
        if signer.kid() == Some(kid) { Ok((signer, pkcs8)) } else { Err(KeyStoreError::Sealed) }
    }

    /// What it may be sealed under: the one that it says, or where it says none, each.
    fn masters(&self, key: &SealedKey) -> Result<impl Iterator<Item = &MasterKey>, KeyStoreError> {
        if key.store != LABEL {
            return Err(KeyStoreError::Foreign);
        }
        let all = || std::iter::once(&self.master).chain(&*self.further);
        let under = key.under.as_deref().map(str::parse).transpose().map_err(|_| KeyStoreError::Sealed)?;
        match under {
            Some(id) if all().all(|master| master.id() != id) => Err(KeyStoreError::MasterKeyAbsent { id }),
            _ => Ok(all().filter(move |master| under.is_none_or(|id| master.id() == id))),
        }
    }

    fn seal_anew(
        &self,
        realm: &str,
        kid: &str,
        algorithm: Algorithm,
        key: &SealedKey,
    ) -> Result<Option<SealedKey>, KeyStoreError> {
        // What cannot be opened is told, though it says that it is sealed as it should be.
        let (_, pkcs8) = self.unseal(realm, kid, algorithm, key)?;
        if key.under.as_deref() == Some(self.master.id().to_string().as_str()) {
            return Ok(None);
        }
        self.seal(&pkcs8, &associated(realm, kid, algorithm)).map(Some)
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
        Box::pin(off_thread_where_slow(algorithm, move || {
            let (signer, _) = store.unseal(&realm, &kid, algorithm, &key)?;
            Ok(Arc::new(signer) as _)
        }))
    }

    fn check(&self, key: &SealedKey) -> Result<(), KeyStoreError> {
        self.masters(key).map(drop)
    }

    fn reseal<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Option<SealedKey>> {
        let (store, realm, kid, key) = (self.clone(), realm.to_owned(), kid.to_owned(), key.clone());
        Box::pin(off_thread_where_slow(algorithm, move || store.seal_anew(&realm, &kid, algorithm, &key)))
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeys").finish_non_exhaustive()
    }
}

fn unseal(master: &MasterKey, text: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(text.to_vec());
    let (nonce, sealed) = text.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let pkcs8 = master.aead().open_in_place(nonce, Aad::from(associated), sealed).ok()?;
    Some(Zeroizing::new(pkcs8.to_vec()))
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
