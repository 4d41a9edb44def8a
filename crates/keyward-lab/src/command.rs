//! What a running issuer can be told to do, by the control API and by drills.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{ClientCommand, ClientPlan};
use crate::fault::{Endpoint, Fault};
use crate::plan::{KeyPlan, WrapperPlan};
use crate::revocation::Revoke;
use crate::time::Time;

/// What an issuer is to do from now on. Every member that is there is carried out, in the order they have here.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Which issuer. Default: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Ends the faults of these endpoints. Connections on which half an exchange hangs are closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mend: Vec<Endpoint>,
    /// Makes endpoints fail.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fault: BTreeMap<Endpoint, Fault>,
    /// Makes new keys, neither published nor signing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generate: Vec<KeyPlan>,
    /// Puts other X.509 certificates around keys, which stay the same, under the same `kid`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wrapper: BTreeMap<String, WrapperPlan>,
    /// Puts keys into the JWK Set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    /// Signs with this key from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_with: Option<String>,
    /// Takes keys out of the JWK Set. They are kept: tokens can still be signed with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdraw: Vec<String>,
    /// Rotates by itself from now on, or no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Rotate>,
    /// JWKs that stand in the JWK Set beside the good ones, as they are, and before them. They replace those of an
    /// earlier command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Vec<Beside>>,
    /// Serves `{"keys":[]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<bool>,
    /// Leaves keys out of the JWK Set whose X.509 certificate is over, as Keycloak's
    /// keystores did (keycloak#35185).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_expired: Option<bool>,
    /// Serves the JWK Set as it was this long ago, as a cache in front does, with `Age` if `age_header`. No time ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// What each node behind one address publishes: answers take turns. No node: every node the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<Vec<String>>>,
    /// Sets its clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockError>,
    /// What its discovery document says of `jwks_uri` in place of the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<JwksUri>,
    /// What it calls itself in its discovery document and its tokens, in place of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_itself: Option<IssuerName>,
    /// Registers clients, in place of those of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub register: BTreeMap<String, ClientPlan>,
    /// Changes clients.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub client: BTreeMap<String, ClientCommand>,
    /// What assertions have to be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_audience: Option<AssertionAudience>,
    /// Takes tokens back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<Revoke>,
}

/// What the `aud` of an assertion has to be (RFC 7523 §3).
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The issuer, or the address of the endpoint that it comes to.
    #[default]
    Either,
    /// The address of the endpoint that it comes to.
    Endpoint,
    /// The issuer.
    Issuer,
    /// This.
    Given(String),
}

/// A rotation that goes on by itself.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Rotate {
    /// A new ES256 key in each period, at its end, with the kids `rotated-1`, `rotated-2` and so on. The last 256 of
    /// those that were withdrawn are kept.
    Every {
        /// The time between two rotations, at least 10 ms.
        period: Time,
        /// How long a new key is published before it signs. Default: none.
        #[serde(default)]
        ahead: Time,
        /// How long the key before it stays published. Default: none.
        #[serde(default)]
        overlap: Time,
    },
    /// The keys stay as they are.
    Never,
}

/// Something that should not be in a JWK Set.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// A post-quantum key, `"kty": "AKP"`.
    Akp,
    /// An EC key whose point is not on its curve, with this kid.
    BrokenPoint(String),
    /// Another key with the kid of this one.
    DuplicateOf(String),
    /// An RSA key of 1024 bits.
    WeakRsa,
    /// A symmetric key, which has no business being published.
    Symmetric,
    /// An encryption key, `"use": "enc"`.
    Encryption,
    /// A key without `kid`.
    Nameless,
    /// Something that is no JSON object.
    NoObject,
    /// Any JWK, in JSON.
    Raw(String),
}

/// A cache in front of the provider.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// How old its answers are.
    pub by: Time,
    /// Whether it says so in `Age` (RFC 9111 §5.1).
    #[serde(default)]
    pub age_header: bool,
}

/// A clock that is wrong.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ClockError {
    /// By how many seconds it is ahead; behind, where negative.
    pub ahead_s: i64,
    /// Whether tokens are dated by it. Default: yes.
    #[serde(default = "yes")]
    pub tokens: bool,
    /// Whether the `Date` header is. Default: yes.
    #[serde(default = "yes")]
    pub date_header: bool,
}

fn yes() -> bool {
    true
}

/// What an issuer can call itself. None of the others is the true one to the letter.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum IssuerName {
    /// Its address.
    #[default]
    True,
    /// That with a slash at its end.
    Slash,
    /// That with its scheme in capital letters.
    UpperCase,
    /// That with the next port.
    OtherPort,
    /// This.
    Given(String),
}

/// What a discovery document can say of `jwks_uri`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum JwksUri {
    /// Where the keys are.
    True,
    /// The same by http. Refused where it is by http already.
    Http,
    /// The same by the name `localhost`, where it answers as well.
    OtherHost,
    /// 169.254.13.37.
    LinkLocal,
    /// `http://169.254.169.254/latest/meta-data/`.
    Metadata,
    /// Whatever this is.
    Url(String),
}
