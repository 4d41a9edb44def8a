//! The way to an address: name, connection, TLS, answer. Each step of each address by itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// How an address was reached, or was not.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// What was asked for, without user, password, query and fragment.
    pub url: String,
    /// Why the gateway would not ask there whatever the address, as fetches label it: `foreign_host`, `insecure_address`; none
    /// where it would. Then nothing was asked.
    #[serde(default)]
    pub refused: Option<String>,
    /// What its name resolves to.
    pub lookup: Lookup,
    /// One for each address, in the order of the lookup.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// What a name resolves to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// It could not be resolved, for this reason.
    Failed(String),
    /// To these, of each family.
    Found(Vec<IpAddr>),
    /// It is an address itself.
    Literal(IpAddr),
    /// It was not looked up: nothing was to be asked there, or the time for the whole look was over.
    NotTried,
    /// Nobody said in time.
    TimedOut,
}

/// One address, tried.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Which.
    pub address: SocketAddr,
    /// How long the connection took, in milliseconds; none where there was none.
    pub connect_ms: Option<u64>,
    /// The TLS of it; none where there is none, or it did not come that far.
    pub tls: Option<TlsFacts>,
    /// How it ended.
    pub ended: Ended,
}

/// How a request ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With an answer.
    Answered(Answer),
    /// The connection broke while an answer was awaited or came.
    BrokeOff,
    /// Nobody listens there.
    ConnectRefused,
    /// The address is one that the gateway would not ask: its class.
    Forbidden(String),
    /// What came is no HTTP.
    NotHttp,
    /// It was not tried, since the provider asked to be left alone for so many seconds (`Retry-After`).
    AskedToWait(u64),
    /// The time for the whole look was over before its own was.
    OutOfTime,
    /// Not in time: while this was awaited.
    TimedOut(Waited),
    /// There is no TLS connection, for the reason in [`Attempt::tls`].
    TlsFailed,
    /// The network says that there is no way.
    Unreachable(String),
}

/// What was awaited when the time was over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    /// The rest of the body.
    Body,
    /// The connection.
    Connection,
    /// The first octet of the answer.
    FirstOctet,
    /// The TLS handshake.
    Handshake,
}

/// A server's side of TLS.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: Option<String>,
    /// The subject of its certificate.
    pub subject: Option<String>,
    /// The issuer of its certificate.
    pub issuer: Option<String>,
    /// The names and addresses that it is for.
    #[serde(default)]
    pub names: Vec<String>,
    /// From when, in seconds since 1970.
    pub not_before: Option<i64>,
    /// Until when.
    pub not_after: Option<i64>,
    /// How many certificates it sent.
    pub chain_length: usize,
    /// Why it is not accepted; none where it is.
    pub trouble: Option<TlsTrouble>,
}

/// Why a TLS connection does not come about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsTrouble {
    /// The server wants a certificate of ours.
    ClientCertificateWanted,
    /// Its certificate is over.
    Expired,
    /// Its certificate is for other names.
    NameMismatch,
    /// Its certificate begins later.
    NotYetValid,
    /// Something else, in the words of the TLS library.
    Other(String),
    /// Its certificate leads to no anchor of ours: an unknown authority, or an intermediate that it does not send.
    Untrusted,
}

/// An HTTP answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long until its first octet, in milliseconds from the request.
    pub first_octet_ms: u64,
    /// How long until its last, in milliseconds from the request.
    pub took_ms: u64,
    /// Some of its headers: those that say who answered and how long it is good (`age`, `cache-control`, `content-type`,
    /// `date`, `expires`, `location` without its query, `retry-after`, `server`, `via`, `x-cache`).
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What its body looks like.
    pub body: BodyShape,
}

/// What a body looks like. The body itself is not kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BodyShape {
    /// Its length, or what was read of it.
    pub octets: u64,
    /// What it is.
    pub kind: BodyKind,
    /// Whether it is longer than the limit, so that the rest was not read.
    pub over_limit: bool,
}

/// What a body is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Nothing.
    Empty,
    /// An HTML page.
    Html,
    /// A JSON array, or another JSON value that is no object.
    Json,
    /// JSON that breaks off or is otherwise broken.
    JsonBroken,
    /// A JSON object.
    JsonObject,
    /// Something else.
    Other,
}
