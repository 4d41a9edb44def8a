//! What can be wrong with an endpoint.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The endpoints of an issuer. Each has a port of its own, so that a fault of the connection concerns one alone.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Every one below.
    All,
    /// `/.well-known/openid-configuration`, at the issuer's own address.
    Discovery,
    /// The JWK Set.
    Jwks,
    /// The token endpoint (RFC 6749 §3.2).
    Token,
    /// The introspection endpoint (RFC 7662 §2).
    Introspection,
}

/// What an endpoint does in place of answering well. An endpoint has one fault at a time.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The port is closed; connections that are open are cut.
    Refuse,
    /// Connections are accepted, and nothing is said on them: no TLS, no HTTP. Open ones fall silent. When it is
    /// mended, those on which anything was asked are closed.
    Hang,
    /// Status and headers are sent, and then nothing more.
    HangAfterHead,
    /// The answer comes after this.
    Delay(Time),
    /// The right answer, an octet a second after its head.
    Drip,
    /// The connection is closed in the middle of the body.
    CloseMidway,
    /// This status, with an error of RFC 6749 in the body.
    Status {
        /// Such as 401, 403, 404, 429, 500 or 503; from 200 to 599.
        code: u16,
        /// `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// This status, with this `error` in the body: an endpoint that refuses for a reason of its own.
    Refusal {
        /// From 200 to 599.
        code: u16,
        /// Such as `invalid_client` or `access_denied`.
        error: String,
    },
    /// An HTML page with 200, as a captive portal or a maintenance page answers.
    Html,
    /// The right answer, cut in the middle, with a `Content-Length` that fits the cut.
    TruncatedJson,
    /// The right answer as `text/plain`.
    WrongContentType,
    /// A body of 50 MB that begins like a JWK Set, in chunks without a `Content-Length`.
    Oversized,
    /// A small gzip body, sent with `Content-Encoding: gzip`, that unpacks to 1 GB, to whoever asks or not.
    GzipBomb,
    /// 302 to somewhere else.
    Redirect(RedirectTo),
    /// TLS with a certificate that nobody should accept. Where the issuer is reached by http it is `Refuse`.
    Tls(Certificate),
    /// Fails with 503 each time but the last one of so many: 2 is every other.
    Flap(u32),
    /// The right answer of introspection, with `active` not as RFC 7662 §2.2 has it.
    ActiveAs(ActiveAs),
    /// The answer of introspection, where it is active, with something in it that is not the token's.
    Says(Says),
    /// The answer of introspection, signed (RFC 9701) whether anybody asked for that or not, and not as it should be.
    SignedAs(SignedAs),
}

/// How an answer of introspection says `active`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ActiveAs {
    /// Not at all.
    Absent,
    /// Well, in an array of one answer.
    Array,
    /// Twice: first what it is not, then what it is.
    Duplicate,
    /// As 1 or 0.
    Number,
    /// As `"true"` or `"false"`.
    String,
}

/// What an active answer of introspection says that is not so.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Its `exp` was a day ago.
    Expired,
    /// Its `aud` is somebody else.
    OtherAudience,
    /// Its `iss` is `https://other.example`.
    OtherIssuer,
    /// Its `token_type` is `refresh_token`.
    RefreshToken,
}

/// How an answer of introspection is signed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SignedAs {
    /// A day ago, by its `iat`.
    Old,
    /// For another client.
    OtherAudience,
    /// By a key that is not the issuer's.
    OtherKey,
}

/// Where a redirect leads.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RedirectTo {
    /// To another host, `localhost`, which answers well.
    OtherHost,
    /// To the same by http, which answers well. Refused where it is by http already.
    Http,
    /// To a link-local address, 169.254.13.37.
    LinkLocal,
    /// To the metadata service of a cloud, `http://169.254.169.254/latest/meta-data/`.
    Metadata,
    /// To itself, for ever.
    Itself,
    /// To this address.
    Url(String),
}

/// A certificate that nobody should accept.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Its time is over.
    Expired,
    /// It is for another name.
    WrongName,
    /// Nobody knows who issued it.
    Untrusted,
}

impl Endpoint {
    /// Every one, in the order of their ports.
    pub const EACH: [Self; 4] = [Self::Discovery, Self::Jwks, Self::Token, Self::Introspection];
}
