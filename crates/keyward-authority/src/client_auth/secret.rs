//! A client's secret, and its hash.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64_simd::URL_SAFE_NO_PAD;
use keyward::entropy;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// What new hashes cost: argon2id with 19 MiB, two passes, one lane. It is OWASP's first choice for passwords; the secrets that
/// [`generate`] makes have 256 bits and could do with less, those that a person brings along could not.
pub const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The most that a hash from elsewhere may cost: RFC 9106's second choice (§4), 64 MiB, three passes, four lanes.
const MEMORY_KIB_LIMIT: u32 = 65_536;
const PASSES_LIMIT: u32 = 3;
const LANES_LIMIT: u32 = 4;

/// The longest secret that is looked at, in octets.
pub const SECRET_OCTETS: usize = 256;

/// Why a secret or a hash is none that clients could be known by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretError {
    /// The hash would cost too much to check.
    #[error("the hash costs more than 64 MiB, three passes or four lanes")]
    Costly,
    /// It could not be hashed.
    #[error("the secret could not be hashed")]
    Failed,
    /// It is no argon2id hash in PHC's string format.
    #[error("the hash is not argon2id in PHC's string format")]
    Malformed,
    /// The secret is empty, or longer than 256 octets.
    #[error("a secret has 1 to {SECRET_OCTETS} octets")]
    Size,
}

/// A new secret of 256 bits, to be shown once: 43 characters of base64url.
pub fn generate() -> Zeroizing<String> {
    let octets = Zeroizing::new(entropy::secret());
    Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(*octets))
}

/// The hash of a secret, in PHC's string format, made off the async threads. Nothing bounds how many are made at once: it is for
/// operators, not for strangers.
///
/// # Errors
/// [`SecretError::Size`], [`SecretError::Failed`].
pub async fn hash(secret: Zeroizing<String>) -> Result<String, SecretError> {
    if secret.is_empty() || secret.len() > SECRET_OCTETS {
        return Err(SecretError::Size);
    }
    let hashed = move || {
        let salt = salt();
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| SecretError::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash =
            argon2.hash_password_with_salt(secret.as_bytes(), &salt).map_err(|_| SecretError::Failed)?;
        Ok(hash.to_string())
    };
    spawn_blocking(hashed).await.map_err(|_| SecretError::Failed)?
}

/// A hash that was parsed: checking it costs no more than the limits.
#[derive(Clone, Debug)]
pub(super) struct SecretHash {
    hash: PasswordHash,
    params: Params,
}

impl SecretHash {
    /// Reads PHC's string format.
    ///
    /// # Errors
    /// [`SecretError::Malformed`], [`SecretError::Costly`].
    pub(super) fn parse(text: &str) -> Result<Self, SecretError> {
        let hash = PasswordHash::new(text).map_err(|_| SecretError::Malformed)?;
        let is_argon2id = hash.algorithm.as_str() == Algorithm::Argon2id.as_str();
        if !is_argon2id || hash.salt.is_none() || hash.hash.is_none() {
            return Err(SecretError::Malformed);
        }
        let params = Params::try_from(&hash).map_err(|_| SecretError::Malformed)?;
        let is_cheap = params.m_cost() <= MEMORY_KIB_LIMIT
            && params.t_cost() <= PASSES_LIMIT
            && params.p_cost() <= LANES_LIMIT;
        if is_cheap { Ok(Self { hash, params }) } else { Err(SecretError::Costly) }
    }

    /// One of no secret at all, that costs as much as one of [`hash`].
    ///
    /// # Errors
    /// None that could happen.
    pub(super) fn of_nothing() -> Result<Self, SecretError> {
        let encode = |octets: &[u8]| base64_simd::STANDARD_NO_PAD.encode_to_string(octets);
        let (salt, hash) = (encode(&salt()), encode(&entropy::secret()));
        Self::parse(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
    }

    /// Whether it is `secret`'s. It blocks for some milliseconds; the comparison takes as long whatever differs.
    pub(super) fn is_of(&self, secret: &[u8]) -> bool {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        argon2.verify_password(secret, &self.hash).is_ok()
    }
}

/// Whether a hash from elsewhere can be kept.
///
/// # Errors
/// [`SecretError::Malformed`], [`SecretError::Costly`].
pub fn check_hash(text: &str) -> Result<(), SecretError> {
    SecretHash::parse(text).map(drop)
}

fn salt() -> [u8; 16] {
    let mut salt = [0; 16];
    for (octet, random) in salt.iter_mut().zip(entropy::secret()) {
        *octet = random;
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_its_secrets_alone_and_no_two_are_the_same() {
        let secret = generate();
        assert_eq!(secret.len(), 43);
        let (one, other) = (hash(secret.clone()).await.unwrap(), hash(secret.clone()).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != other);
        let parsed = SecretHash::parse(&one).unwrap();
        assert!(parsed.is_of(secret.as_bytes()));
        assert!(!parsed.is_of(generate().as_bytes()) && !parsed.is_of(b""));
        assert!(!SecretHash::of_nothing().unwrap().is_of(secret.as_bytes()));
    }

    #[tokio::test]
    async fn what_no_client_could_be_known_by_is_refused() {
        assert_eq!(hash(Zeroizing::default()).await, Err(SecretError::Size));
        assert_eq!(hash("x".repeat(SECRET_OCTETS + 1).into()).await, Err(SecretError::Size));
        let rest = "c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
        let with = |start: &str| check_hash(&format!("{start}{rest}"));
        assert_eq!(with("$argon2id$v=19$m=65536,t=3,p=4$"), Ok(()));
        for costly in ["m=65537,t=1,p=1", "m=8192,t=4,p=1", "m=8192,t=1,p=5"] {
            assert_eq!(with(&format!("$argon2id$v=19${costly}$")), Err(SecretError::Costly), "{costly}");
        }
        for malformed in ["$argon2i$v=19$m=8192,t=1,p=1$", "$scrypt$ln=1,r=1,p=1$", "", "$"] {
            assert_eq!(with(malformed), Err(SecretError::Malformed), "{malformed}");
        }
        assert_eq!(check_hash("$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHQ"), Err(SecretError::Malformed));
    }
}
