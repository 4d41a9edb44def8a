//! A DPoP proof (RFC 9449 §4), checked in full but for whether it was used before (§4.3).

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::json::{AnyValue, JsonError, MemberNames, Text};
use keyward_jose::{DecodeBuffer, Jws, JwsError, KeyType, KeyedHash, Thumbprint, UnusableKey};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::presented::sha256;
use super::target_uri::without_query;
use super::{BindingError, BindingSettings, DpopProof, Nonces, Once, ReplayKey, normalized};
use crate::claims::NumericDate;
use crate::{Now, UnixTime};

/// Why a DPoP proof is none for this request. It says nothing of what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// `alg` is not one that proofs may be signed with here.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// The payload is no JSON object whose members have the right types and stand once.
    #[error("its claims are not sound")]
    Claims,
    /// It is no compact JWS that could be verified.
    #[error("it is no JWS: {0}")]
    Form(#[from] JwsError),
    /// `jti` is empty or longer than [`ProofError::JTI_LIMIT`].
    #[error("its jti is empty or too long")]
    Id,
    /// `jwk` is not a public key that can be used.
    #[error("its key cannot be used: {0}")]
    Key(#[from] UnusableKey),
    /// `jwk`, `jti`, `htm`, `htu`, `iat` or `ath` is missing.
    #[error("member {member} is missing")]
    MemberMissing {
        /// The member's name.
        member: &'static str,
    },
    /// `htm` is not the request's method.
    #[error("it is for another method")]
    Method,
    /// More than one was sent.
    #[error("there is more than one")]
    Several,
    /// Its key did not sign it.
    #[error("its signature is not valid")]
    Signature,
    /// `iat` is too old, `exp` has passed, or `nbf` or `iat` lie ahead.
    #[error("it is not of now")]
    Time,
    /// `ath` is not the hash of the token.
    #[error("it is for another token")]
    Token,
    /// `typ` is not `dpop+jwt`.
    #[error("it is of another type")]
    Type,
    /// `htu` is not the request's URI.
    #[error("it is for another URI")]
    Uri,
}

impl ProofError {
    /// 256 octets: a UUID in any spelling is 45.
    pub const JTI_LIMIT: usize = 256;
}

/// What a proof is held against beside the request.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) settings: &'a BindingSettings,
    pub(super) nonces: Option<&'a Nonces>,
    pub(super) hash: &'a KeyedHash,
    /// The token that `ath` has to name; none where there is no token yet.
    pub(super) token: Option<&'a [u8]>,
}

impl Expected<'_> {
    /// Holds `proof` against all of it, what costs little first; `is_bound_to` tells whether a key is the token's.
    pub(super) fn check(
        self,
        now: Now,
        proof: &DpopProof<'_>,
        is_bound_to: impl FnOnce(Thumbprint) -> bool,
        buffer: &mut DecodeBuffer,
    ) -> Result<Once, BindingError> {
        let Self { settings, nonces, hash, token } = self;
        let jws = Jws::parse(proof.jws, settings.proof_size_limit, buffer).map_err(ProofError::from)?;
        let header = jws.header();
        if !header.is_type("dpop+jwt") {
            return Err(ProofError::Type.into());
        }
        if header.algorithm().key_type() == KeyType::Oct || !settings.algorithms.contains(header.algorithm())
        {
            return Err(ProofError::Algorithm.into());
        }
        let key = jws.dangerous_embedded_key().map_err(ProofError::from)?;
        let key = key.ok_or(ProofError::MemberMissing { member: "jwk" })?;
        // A secret has none, and no JWK of a header makes one.
        let thumbprint = key.thumbprint().ok_or(ProofError::Algorithm)?;
        if !is_bound_to(thumbprint) {
            return Err(BindingError::Mismatch);
        }
        let claims = ProofClaims::parse(jws.dangerous_unverified_payload())?;
        let jti = required(&claims.jti, "jti")?;
        if jti.is_empty() || jti.len() > ProofError::JTI_LIMIT {
            return Err(ProofError::Id.into());
        }
        if required(&claims.htm, "htm")? != proof.method {
            return Err(ProofError::Method.into());
        }
        let htu = required(&claims.htu, "htu")?;
        let uri = normalized(htu).ok_or(ProofError::Uri)?;
        // Mostly it is spelt as the request's own, and then normal the same way.
        if without_query(proof.uri) != htu && normalized(proof.uri).is_none_or(|asked| asked != uri) {
            return Err(ProofError::Uri.into());
        }
        let Window { issued_at, until } = claims.window(now, settings)?;
        if let Some(token) = token {
            let right = URL_SAFE_NO_PAD.encode_to_string(sha256(token));
            if verify_slices_are_equal(right.as_bytes(), required(&claims.ath, "ath")?.as_bytes()).is_err() {
                return Err(ProofError::Token.into());
            }
        }
        jws.verify(&key).map_err(|_| ProofError::Signature)?;
        let is_fresh = |nonces: &Nonces| claims.nonce.as_deref().is_some_and(|n| nonces.accepts(now.wall, n));
        if !nonces.is_none_or(is_fresh) {
            return Err(BindingError::Nonce);
        }
        Ok(Once { key: replay_key(hash, thumbprint, jti, &uri), issued_at, until })
    }
}

/// One `jti` may be used by each key, for each URI (RFC 9449 §4.2, §11.1).
fn replay_key(hash: &KeyedHash, key: Thumbprint, jti: &str, uri: &str) -> ReplayKey {
    let mut text = Vec::with_capacity(key.as_bytes().len() + size_of::<u64>() + jti.len() + uri.len());
    text.extend_from_slice(key.as_bytes());
    text.extend_from_slice(&(jti.len() as u64).to_be_bytes());
    text.extend_from_slice(jti.as_bytes());
    text.extend_from_slice(uri.as_bytes());
    ReplayKey(hash.of(&text))
}

fn required<'a>(claim: &'a Option<Cow<'_, str>>, member: &'static str) -> Result<&'a str, ProofError> {
    claim.as_deref().ok_or(ProofError::MemberMissing { member })
}

/// When a proof may be used.
struct Window {
    issued_at: UnixTime,
    until: UnixTime,
}

#[derive(Default)]
struct ProofClaims<'a> {
    jti: Option<Cow<'a, str>>,
    htm: Option<Cow<'a, str>>,
    htu: Option<Cow<'a, str>>,
    ath: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
    exp: Option<NumericDate>,
}

impl<'a> ProofClaims<'a> {
    fn parse(json: &'a [u8]) -> Result<Self, ProofError> {
        let json = str::from_utf8(json).map_err(|_| ProofError::Claims)?;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Self::deserialize(&mut deserializer)
            .and_then(|claims| deserializer.end().map(|()| claims))
            .map_err(JsonError::from)
            .map_err(|_| ProofError::Claims)
    }

    /// `exp` and `nbf` are no claims of a proof; where somebody put them in, they hold (RFC 7519 §4.1). For how long it is
    /// remembered they do not say: what is forgotten is as old as `iat` says, and younger proofs stay good.
    fn window(&self, now: Now, settings: &BindingSettings) -> Result<Window, ProofError> {
        let leeway = settings.leeway;
        let iat = self.iat.as_ref().ok_or(ProofError::MemberMissing { member: "iat" })?;
        let until = iat.floor().saturating_add(settings.age).saturating_add(leeway);
        let is_over = self.exp.as_ref().is_some_and(|exp| now.wall >= exp.floor().saturating_add(leeway));
        let begins = [Some(iat), self.nbf.as_ref()];
        let has_begun = |date: &NumericDate| date.ceil().saturating_sub(leeway) <= now.wall;
        if now.wall < until && !is_over && begins.into_iter().flatten().all(has_begun) {
            Ok(Window { issued_at: iat.floor(), until })
        } else {
            Err(ProofError::Time)
        }
    }
}

impl<'de> Deserialize<'de> for ProofClaims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ProofClaimsVisitor)
    }
}

struct ProofClaimsVisitor;

impl<'de> Visitor<'de> for ProofClaimsVisitor {
    type Value = ProofClaims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a DPoP proof")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = MemberNames::default();
        let mut claims = ProofClaims::default();
        while let Some(Text(name)) = members.next_key()? {
            match name.as_ref() {
                "jti" => claims.jti = Some(members.next_value::<Text<'de>>()?.0),
                "htm" => claims.htm = Some(members.next_value::<Text<'de>>()?.0),
                "htu" => claims.htu = Some(members.next_value::<Text<'de>>()?.0),
                "ath" => claims.ath = Some(members.next_value::<Text<'de>>()?.0),
                "nonce" => claims.nonce = Some(members.next_value::<Text<'de>>()?.0),
                "iat" => claims.iat = Some(members.next_value()?),
                "nbf" => claims.nbf = Some(members.next_value()?),
                "exp" => claims.exp = Some(members.next_value()?),
                _ => {
                    members.next_value::<AnyValue>()?;
                }
            }
            names.insert(name)?;
        }
        Ok(claims)
    }
}
