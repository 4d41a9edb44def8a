//! A compact JWS, parsed without copying the token (RFC 7515 §7.1), and the proof that a key signed it.

use serde::Deserialize;

use crate::jwk::InnerJwk;
use crate::{Algorithm, AlgorithmSet, Header, UnusableKey, VerificationKey, base64url};

/// A well-formed compact JWS whose signature nobody has checked yet.
///
/// It borrows the token and the buffer into which the token's parts were decoded. [`Jws::verify`] is the
/// only way from here to a [`VerifiedJws`].
#[derive(Debug)]
pub struct Jws<'a> {
    header: Header<'a>,
    header_json: &'a [u8],
    signing_input: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Jws<'a> {
    /// 16 KiB, the longest token that is looked at unless the caller says otherwise.
    pub const DEFAULT_SIZE_LIMIT: usize = 16 * 1024;

    /// Splits and decodes `token`: three parts, canonical base64url, a header that is sound.
    ///
    /// # Errors
    /// [`JwsError`]. The token's length is checked before anything else is done with it.
    pub fn parse(token: &'a [u8], size_limit: usize, buffer: &'a mut DecodeBuffer) -> Result<Self, JwsError> {
        if token.len() > size_limit {
            return Err(JwsError::TooLarge { octets: token.len(), limit: size_limit });
        }
        let mut dots = memchr::memchr_iter(b'.', token);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(JwsError::NotThreeParts);
        };
        let (signing_input, signature) = split_around(token, second);
        let (header, payload) = split_around(signing_input, first);
        let [header, payload, signature] = buffer.decode([header, payload, signature])?;
        Ok(Self { header: Header::parse(header)?, header_json: header, signing_input, payload, signature })
    }

    /// The header. Nothing in it is authenticated yet.
    pub fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// The payload of which nothing is known but that somebody sent it. Use it to find the issuer and to
    /// refuse early, never to accept.
    pub fn dangerous_unverified_payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The public key that the JWS carries itself (`jwk`, RFC 7515 §4.1.3), where it carries one, for the header's `alg`.
    ///
    /// Anybody can sign with a key of their own and send it along: that this key verifies the JWS says nothing, unless
    /// its thumbprint is one that the caller trusts already, as that of a DPoP proof is (RFC 9449 §4.3).
    ///
    /// # Errors
    /// [`UnusableKey`], as [`VerificationKey::from_jwk`] has it: for a private or symmetric one, too.
    pub fn dangerous_embedded_key(&self) -> Result<Option<VerificationKey>, UnusableKey> {
        #[derive(Deserialize)]
        struct Embedded<'a> {
            #[serde(borrow)]
            jwk: Option<InnerJwk<'a>>,
        }
        // An object whose names are unique, at every depth, or it would not be a header.
        let json = str::from_utf8(self.header_json).map_err(|_| UnusableKey::Malformed)?;
        let embedded: Embedded<'_> = serde_json::from_str(json).map_err(|_| UnusableKey::Malformed)?;
        let Some(InnerJwk(jwk)) = embedded.jwk else {
            return Ok(None);
        };
        let wanted = AlgorithmSet::from_iter([self.header.algorithm()]);
        VerificationKey::serving(&jwk, wanted).map(Some)
    }

    /// Checks the signature with `key`.
    ///
    /// # Errors
    /// [`SignatureError::AlgorithmMismatch`] where `key` does not serve the header's `alg`, otherwise
    /// [`SignatureError::Invalid`].
    pub fn verify(&self, key: &VerificationKey) -> Result<VerifiedJws<'a>, SignatureError> {
        key.verify(self.header.algorithm(), self.signing_input, self.signature)?;
        Ok(VerifiedJws { algorithm: self.header.algorithm(), payload: self.payload })
    }
}

/// What stands before and after the octet at `place`.
fn split_around(octets: &[u8], place: usize) -> (&[u8], &[u8]) {
    let (before, after) = octets.split_at(place);
    (before, after.get(1..).unwrap_or_default())
}

/// A JWS that a key of the caller's choice did sign. Only [`Jws::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedJws<'a> {
    algorithm: Algorithm,
    payload: &'a [u8],
}

impl<'a> VerifiedJws<'a> {
    /// The algorithm that was used.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The payload that was signed.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Where the decoded parts of one token stand; reuse it to verify many tokens with one allocation.
#[derive(Debug, Default)]
pub struct DecodeBuffer(Vec<u8>);

impl DecodeBuffer {
    /// An empty buffer. It grows to the largest token it has seen, which the size limit bounds.
    pub fn new() -> Self {
        Self::default()
    }

    fn decode(&mut self, parts: [&[u8]; 3]) -> Result<[&[u8]; 3], JwsError> {
        let octets = &mut self.0;
        octets.clear();
        octets.reserve(parts.iter().map(|part| part.len()).sum::<usize>() / 4 * 3 + 9);
        let [header, payload, signature] = parts;
        base64url::decode_append(header, octets).map_err(|_| JwsError::NotBase64Url)?;
        let header_end = octets.len();
        base64url::decode_append(payload, octets).map_err(|_| JwsError::NotBase64Url)?;
        let payload_end = octets.len();
        base64url::decode_append(signature, octets).map_err(|_| JwsError::NotBase64Url)?;
        let (signed, signature) = octets.split_at(payload_end);
        let (header, payload) = signed.split_at(header_end);
        Ok([header, payload, signature])
    }
}

/// Why octets are not a compact JWS that could be verified at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// The header has `crit`, or `b64: false`: extensions that we do not understand (RFC 7515 §4.1.11).
    #[error("the header demands an extension that is not supported (crit, b64)")]
    CriticalHeaderUnsupported,
    /// A header parameter stands twice (RFC 7515 §4).
    #[error("a header parameter stands twice")]
    DuplicateHeaderName,
    /// The header is no JSON object, lacks `alg`, or a parameter is of the wrong type.
    #[error("the header is not a JOSE header")]
    MalformedHeader,
    /// A part is not canonical unpadded base64url.
    #[error("a part is not canonical unpadded base64url")]
    NotBase64Url,
    /// Not three parts separated by two dots.
    #[error("not three parts separated by dots")]
    NotThreeParts,
    /// Longer than the limit.
    #[error("{octets} octets, over the limit of {limit}")]
    TooLarge {
        /// The token's length.
        octets: usize,
        /// The limit it was held against.
        limit: usize,
    },
    /// `alg` is `none` or another algorithm that does not exist here.
    #[error("the algorithm is not supported")]
    UnsupportedAlgorithm,
}

/// Why a key did not verify a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key does not serve this algorithm.
    #[error("the key does not serve this algorithm")]
    AlgorithmMismatch,
    /// The signature is not this key's over these octets.
    #[error("the signature is not valid")]
    Invalid,
}
