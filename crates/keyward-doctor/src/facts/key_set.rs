//! A published key set, as each address answers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Ended, Reach};

/// An issuer's key set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeySetFacts {
    /// Where it is: an address, or a file.
    pub place: String,
    /// How it was reached; none for a file.
    pub reach: Option<Reach>,
    /// Each answer that is a JWK Set, one for each address; and a second one of the first address, a moment later.
    #[serde(default)]
    pub answers: Vec<AnsweredKeySet>,
    /// How the second question to the first address ended; none where it was not asked a second time.
    #[serde(default)]
    pub again: Option<Ended>,
    /// Why it is no JWK Set, or the file cannot be read; none where it is one.
    pub trouble: Option<String>,
    /// Other places where a key set of this issuer might be, where this one is none.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
}

/// One answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AnsweredKeySet {
    /// Who answered; none for a file.
    pub address: Option<SocketAddr>,
    /// The keys that can be used.
    #[serde(default)]
    pub keys: Vec<PublishedKey>,
    /// Those that cannot.
    #[serde(default)]
    pub skipped: Vec<SkippedKey>,
    /// How long a cache has had it, in seconds (`Age`).
    pub age_s: Option<u64>,
    /// For how long it says it is good, in seconds (`max-age`).
    pub max_age_s: Option<u64>,
}

/// A key that can be used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedKey {
    /// `kid`.
    pub kid: Option<String>,
    /// `kty`.
    pub kty: String,
    /// The algorithms that it serves.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// The size of its modulus or curve, in bits.
    pub bits: usize,
    /// Its RFC 7638 thumbprint.
    pub thumbprint: Option<String>,
    /// The end of the X.509 certificate around it, in seconds since 1970; none where there is none that can be read.
    pub wrapper_not_after: Option<i64>,
    /// What is wrong with that certificate, as the gateway labels it: `absent`, `key_mismatch`, `malformed`,
    /// `thumbprint_mismatch`, `untrusted`; `valid`, `expired` and `not_yet_valid` are its times.
    pub wrapper_state: Option<String>,
    /// The subject of that certificate.
    pub wrapper_subject: Option<String>,
    /// Its serial number in hexadecimal digits.
    pub wrapper_serial: Option<String>,
}

/// A key that cannot be used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// `kid`, where it could be read.
    pub kid: Option<String>,
    /// The reason's label.
    pub reason: String,
    /// The reason in words.
    pub description: String,
}

/// Another place where the key set might be.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// Where.
    pub url: String,
    /// What it answers; none where it does not.
    pub status: Option<u16>,
    /// How many usable keys are there; none where it is no key set.
    pub usable_keys: Option<usize>,
}
