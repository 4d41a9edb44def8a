//! A realm's keys: what is published of them, and who signs.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use keyward::UnixTime;
use keyward_jose::{Algorithm, DecodeBuffer, Jws, Signer, VerificationKey, sign_compact};
use tokio::sync::OnceCell;

use super::error::SigningError;
use super::lifecycle::KeyState;
use super::store::{self, KeyStore};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::digest;
use crate::entity::{Realm, SigningKey};

/// A realm's keys as they are now. There is always one that signs, and so one that is published.
#[derive(Clone, Debug)]
pub struct KeyRing {
    authority: Authority,
    keys: Arc<RingKeys>,
    realm: Arc<Realm>,
}

impl Authority {
    /// The keys of a realm.
    ///
    /// # Errors
    /// [`Cause::Unavailable`] where the realm or a key of it that signs cannot be found: then nothing is said of its keys.
    pub async fn ring(&self, realm: &str) -> Result<Arc<KeyRing>, Cause> {
        let ring = self.key_rings().ring(self, realm).await;
        ring.map(Arc::new).map_err(|error| self.unsigned(&error))
    }

    /// The same of one that was found already.
    ///
    /// # Errors
    /// As [`Authority::ring`].
    pub(crate) async fn ring_of(&self, realm: &Arc<Realm>) -> Result<KeyRing, Cause> {
        self.key_rings().ring_of(self, realm).await.map_err(|error| self.unsigned(&error))
    }

    /// The keys of a realm by the log's head: for a token of a key that is none of them.
    ///
    /// # Errors
    /// As [`Authority::ring`].
    pub(crate) async fn ring_now(&self, realm: &str) -> Result<Arc<KeyRing>, Cause> {
        let ring = self.key_rings().ring_now(self, realm).await;
        ring.map(Arc::new).map_err(|error| self.unsigned(&error))
    }

    fn unsigned(&self, error: &SigningError) -> Cause {
        self.key_rings().tell(error, self.clock().mono());
        Cause::Unavailable
    }
}

impl KeyRing {
    pub(super) fn new(
        authority: &Authority,
        realm: Arc<Realm>,
        keys: Arc<RingKeys>,
    ) -> Result<Self, SigningError> {
        if keys.active.is_empty() {
            return Err(SigningError::NoActiveKey);
        }
        Ok(Self { authority: authority.clone(), keys, realm })
    }

    /// Signs claims, which are JSON, as a compact JWS of this `typ`, with the key of `algorithm`; where that is none, of the first
    /// of the realm's algorithms that has a key that signs.
    ///
    /// # Errors
    /// [`Cause::Unavailable`] where that has none, or it cannot be used.
    pub async fn sign(&self, typ: &str, claims: &[u8], algorithm: Option<&str>) -> Result<String, Cause> {
        let signed = self.try_sign(typ, claims, algorithm).await;
        signed.map_err(|error| self.authority.unsigned(&error))
    }

    async fn try_sign(
        &self,
        typ: &str,
        claims: &[u8],
        algorithm: Option<&str>,
    ) -> Result<String, SigningError> {
        let key = self.active(algorithm).ok_or(SigningError::NoActiveKey)?;
        let signer = key.open(&self.keys.store).await?;
        let (clock, observer) = (self.authority.clock(), self.authority.observer());
        let began = clock.mono();
        let token = sign_compact(&**signer, Some(typ), claims).await.map_err(SigningError::Signature)?;
        observer.signed(key.algorithm.name(), clock.mono().saturating_since(began));
        Ok(token)
    }

    /// Until when what is signed now with `algorithm` can be verified: no token's `exp` may lie behind it. None where nothing
    /// bounds it but the rotation, which waits for the longest token.
    pub fn signs_until(&self, algorithm: Option<&str>) -> Option<UnixTime> {
        self.active(algorithm)?.wrapper_not_after.map(UnixTime)
    }

    /// The payload of a compact JWS of this `typ` that a published key of the realm signed. Nothing in it was looked at.
    pub fn verify(&self, token: &[u8], typ: &str) -> Option<Vec<u8>> {
        self.verify_with(token, typ).map(|(payload, _)| payload)
    }

    /// The same, and the key that signed it.
    pub(crate) fn verify_with(&self, token: &[u8], typ: &str) -> Option<(Vec<u8>, SignedWith)> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer).ok()?;
        if !jws.header().is_type(typ) {
            return None;
        }
        let kid = jws.header().kid()?;
        let key = self.keys.published.iter().find(|key| key.kid() == Some(kid))?;
        let verified = jws.verify(key).ok()?;
        let with = SignedWith { kid: kid.into(), algorithm: verified.algorithm() };
        Some((verified.payload().to_vec(), with))
    }

    /// Whether this is one of the published keys, so that what it signed is still signed.
    pub(crate) fn publishes(&self, with: &SignedWith) -> bool {
        let is_it = |key: &VerificationKey| key.kid() == Some(&with.kid) && key.serves(with.algorithm);
        self.keys.published.iter().any(is_it)
    }

    /// Whether a compact JWS names a key that is none of the published ones.
    pub(crate) fn lacks_key_of(&self, token: &[u8]) -> bool {
        let mut buffer = DecodeBuffer::new();
        let Ok(jws) = Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer) else {
            return false;
        };
        jws.header().kid().is_some_and(|kid| self.keys.published.iter().all(|key| key.kid() != Some(kid)))
    }

    /// The JWK Set (RFC 7517 §5).
    pub fn jwk_set(&self) -> &Bytes {
        &self.keys.jwk_set
    }

    /// What is different where the JWK Set is.
    pub fn jwk_set_tag(&self) -> &str {
        &self.keys.jwk_set_tag
    }

    /// What tokens may be signed with, now or when the keys that are published sign, in the order of their names.
    pub fn algorithms(&self) -> &[&'static str] {
        &self.keys.algorithms
    }

    /// Opens every key that signs or is going to, so that no request waits for that.
    ///
    /// # Errors
    /// [`SigningError::Store`] for the first that cannot be opened.
    pub async fn open(&self) -> Result<(), SigningError> {
        for key in self.keys.active.iter().chain(&self.keys.next) {
            key.open(&self.keys.store).await?;
        }
        Ok(())
    }

    fn active(&self, algorithm: Option<&str>) -> Option<&Arc<PrivateKey>> {
        let of = |name: &str| self.keys.active.iter().find(|key| key.algorithm.name() == name);
        match algorithm {
            Some(name) => of(name),
            // Until a new algorithm's key is known everywhere, that of an old one signs.
            None => {
                self.realm.rotation.algorithms.iter().find_map(|name| of(name)).or(self.keys.active.first())
            }
        }
    }
}

/// The key that a token is signed with. A `kid` is its key's thumbprint, so that it never names another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SignedWith {
    kid: Box<str>,
    algorithm: Algorithm,
}

/// What is made of a realm's keys when one of them changes, and not otherwise.
#[derive(Debug)]
pub(super) struct RingKeys {
    store: Arc<dyn KeyStore>,
    jwk_set: Bytes,
    jwk_set_tag: String,
    algorithms: Vec<&'static str>,
    published: Vec<VerificationKey>,
    active: Vec<Arc<PrivateKey>>,
    next: Vec<Arc<PrivateKey>>,
}

impl RingKeys {
    /// What is published and signs of `keys`. What was opened before, as `known` finds it, need not be again.
    pub(super) fn new(
        store: Arc<dyn KeyStore>,
        realm: &str,
        keys: Vec<SigningKey>,
        known: impl Fn(&str) -> Option<Arc<PrivateKey>>,
    ) -> Self {
        let (mut published, mut active, mut next) = (Vec::new(), Vec::new(), Vec::new());
        let (mut algorithms, mut members) = (Vec::new(), String::new());
        for key in keys {
            let state = key.times.state();
            if state == KeyState::Retired {
                continue;
            }
            let jwk = key.jwk.to_string();
            // What nobody could verify with is not published, and so signs nothing; the others do.
            let Some((algorithm, verification)) = usable(&key, &jwk) else {
                tracing::error!(
                    event = "signing_key_unusable",
                    realm,
                    kid = key.kid,
                    "a signing key cannot be published"
                );
                continue;
            };
            let comma = if members.is_empty() { "" } else { "," };
            let _ = write!(members, "{comma}{jwk}");
            published.push(verification);
            algorithms.push(algorithm.name());
            let private = known(&key.kid).unwrap_or_else(|| Arc::new(PrivateKey::new(realm, algorithm, key)));
            match state {
                KeyState::Active => active.push(private),
                KeyState::Published => next.push(private),
                KeyState::Passive | KeyState::Retired => {}
            }
        }
        algorithms.sort_unstable();
        algorithms.dedup();
        let jwk_set = Bytes::from(format!("{{\"keys\":[{members}]}}"));
        let jwk_set_tag = digest::short(&jwk_set);
        Self { store, jwk_set, jwk_set_tag, algorithms, published, active, next }
    }

    /// The keys that sign or are going to.
    pub(super) fn signing(&self) -> impl Iterator<Item = &Arc<PrivateKey>> {
        self.active.iter().chain(&self.next)
    }
}

/// A key's algorithm and public half, where they are of use and those of its `kid`.
fn usable(key: &SigningKey, jwk: &str) -> Option<(Algorithm, VerificationKey)> {
    let algorithm = store::algorithm(&key.algorithm)?;
    let verification = VerificationKey::from_jwk(jwk.as_bytes()).ok()?;
    let is_its_own = verification.kid() == Some(&key.kid)
        && verification.thumbprint().is_some_and(|thumbprint| thumbprint.to_string() == key.kid);
    (is_its_own && verification.serves(algorithm)).then_some((algorithm, verification))
}

/// A key that signs or is going to. It is opened once, when that is wanted first.
#[derive(Debug)]
pub(super) struct PrivateKey {
    realm: String,
    entity: SigningKey,
    algorithm: Algorithm,
    wrapper_not_after: Option<i64>,
    signer: OnceCell<Opened>,
}

struct Opened(Arc<dyn Signer>);

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(…)")
    }
}

impl PrivateKey {
    fn new(realm: &str, algorithm: Algorithm, entity: SigningKey) -> Self {
        let wrapper_not_after = entity.wrapper_not_after;
        Self { realm: realm.to_owned(), entity, algorithm, wrapper_not_after, signer: OnceCell::new() }
    }

    pub(super) fn kid(&self) -> &str {
        &self.entity.kid
    }

    async fn open(&self, store: &Arc<dyn KeyStore>) -> Result<&Arc<dyn Signer>, SigningError> {
        match self.signer.get() {
            Some(opened) => Ok(&opened.0),
            None => Box::pin(self.open_now(store)).await,
        }
    }

    async fn open_now(&self, store: &Arc<dyn KeyStore>) -> Result<&Arc<dyn Signer>, SigningError> {
        let SigningKey { kid, private, .. } = &self.entity;
        let open = async || {
            let opened = store.open(&self.realm, kid, self.algorithm, private).await;
            opened.map(Opened).map_err(|cause| SigningError::Store { kid: kid.clone(), cause })
        };
        Ok(&self.signer.get_or_try_init(open).await?.0)
    }
}
