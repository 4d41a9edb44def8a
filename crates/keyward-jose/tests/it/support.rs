//! What several topics need: keys, tokens signed by hand, and one way to try a token with a key.

use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, Jws, JwsError, KeyType, LocalSigner, SignatureError, Signer,
    VerificationKey,
};
use serde_json::Value;

pub(crate) const SECRET: &[u8; 64] = b"a secret that is public knowledge, 64 octets long, for HS512 too";

/// RSA keys whose private half anybody may read, so that no test waits for a key to be made.
pub(crate) static KEYS: LazyLock<Value> = LazyLock::new(|| vectors(include_str!("../vectors/keys.json")));

/// One signer for each algorithm, in the order of [`Algorithm::ALL`].
pub(crate) static SIGNERS: LazyLock<Vec<LocalSigner>> =
    LazyLock::new(|| Algorithm::ALL.into_iter().map(|algorithm| new_signer(algorithm, "rsa_2048")).collect());

/// As [`SIGNERS`], with other keys.
pub(crate) static OTHER_SIGNERS: LazyLock<Vec<LocalSigner>> = LazyLock::new(|| {
    Algorithm::ALL.into_iter().map(|algorithm| new_signer(algorithm, "rsa_2048_other")).collect()
});

fn new_signer(algorithm: Algorithm, rsa: &str) -> LocalSigner {
    match algorithm.key_type() {
        KeyType::Rsa => {
            let der = from_base64url(KEYS[rsa]["pkcs8"].as_str().unwrap());
            LocalSigner::from_pkcs8(algorithm, Some(rsa), &der).unwrap()
        }
        KeyType::Oct => {
            let mut secret = *SECRET;
            secret[0] ^= u8::from(rsa != "rsa_2048");
            LocalSigner::from_secret(algorithm, Some("secret"), &secret).unwrap()
        }
        _ => LocalSigner::generate(algorithm, Some("generated")).unwrap(),
    }
}

pub(crate) fn signer(algorithm: Algorithm) -> &'static LocalSigner {
    SIGNERS.iter().find(|signer| signer.algorithm() == algorithm).unwrap()
}

/// The key that checks what `signer` signs; for a secret, [`SECRET`].
pub(crate) fn verifier(signer: &LocalSigner) -> VerificationKey {
    match signer.public_jwk() {
        Some(jwk) => VerificationKey::from_jwk(&serde_json::to_vec(jwk).unwrap()).unwrap(),
        None => {
            VerificationKey::from_secret(SECRET, AlgorithmSet::from_iter([signer.algorithm()]), None).unwrap()
        }
    }
}

/// The public JWK of `signer` as a JSON value that a test may spoil, without `alg`, `use` and `kid`.
pub(crate) fn bare_jwk(signer: &LocalSigner) -> Value {
    let mut jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    for member in ["alg", "use", "kid"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk
}

/// `value` with `member` set to something else.
pub(crate) fn with(mut value: Value, member: &str, content: impl Into<Value>) -> Value {
    value[member] = content.into();
    value
}

/// `value` without `member`.
pub(crate) fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member).unwrap();
    value
}

/// A token of exactly this header and payload, well signed.
pub(crate) fn signed(header: &[u8], payload: &[u8], signer: &dyn Signer) -> String {
    let input = format!("{}.{}", to_base64url(header), to_base64url(payload));
    let signature = sign(signer, input.as_bytes());
    format!("{input}.{}", to_base64url(&signature))
}

pub(crate) fn sign(signer: &dyn Signer, message: &[u8]) -> Vec<u8> {
    ready(signer.sign(message)).unwrap()
}

/// The result of a future that a local signer returns: it never waits.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a local signer has nothing to wait for"),
    }
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was no token.
    Unparsed(JwsError),
    /// It was one, and this key did not sign it.
    Unverified(SignatureError),
    /// It was accepted.
    Verified,
}

/// Parses `token` under the default limit and checks it with `key`.
pub(crate) fn attempt(token: &[u8], key: &VerificationKey) -> Outcome {
    let mut buffer = DecodeBuffer::new();
    match Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer) {
        Err(error) => Outcome::Unparsed(error),
        Ok(jws) => match jws.verify(key) {
            Err(error) => Outcome::Unverified(error),
            Ok(_) => Outcome::Verified,
        },
    }
}

pub(crate) fn vectors(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn to_base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

pub(crate) fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(text).unwrap()
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn octets(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
        })
        .take(length)
        .collect()
    }
}
