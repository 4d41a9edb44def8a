//! The token that was handed in: how it relates to what is configured and published. None of its claims stands here.

use serde::{Deserialize, Serialize};

/// A token, without the token.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// What it is, by its form.
    pub form: TokenForm,
    /// Its length in octets.
    pub octets: usize,
    /// Why it is no token that could be verified, in words; none where its form is sound.
    pub malformed: Option<String>,
    /// The label of the reason that its form alone is refused for; none where its form is sound.
    #[serde(default)]
    pub refused_for: Option<String>,
    /// What it was handed in with and should not be: quotes, `Bearer `, spaces, a comma.
    pub wrapped_in: Option<String>,
    /// `alg` of its header; `none` for that, and `another` for one that Keyward does not know.
    pub algorithm: Option<String>,
    /// `typ` of its header, where it is a usual one or one that is configured; `another` where it is not.
    pub token_type: Option<String>,
    /// What it seems to be.
    pub kind: TokenKind,
    /// Whose it says it is.
    pub issuer: IssuerMatch,
    /// Its `kid`, against what is published.
    pub kid: KidMatch,
    /// Which key verifies it.
    pub signed: Signed,
    /// Its times.
    pub times: TokenTimes,
    /// Where an audience of ours stands.
    pub audience: AudiencePlace,
    /// How it is bound to a key or a certificate: `jkt` or `x5t#S256`; none where it is not.
    pub bound: Option<String>,
    /// What each route of the gateway, or each issuer, would say of it now.
    #[serde(default)]
    pub would_be: Vec<WouldBe>,
}

/// What a token is, by its form.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// Five parts: a JWE.
    Encrypted,
    /// Three parts: a JWS.
    #[default]
    Jws,
    /// Anything else with dots.
    Malformed,
    /// No parts.
    Opaque,
}

/// What a token seems to be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// An access token.
    AccessToken,
    /// An ID token: it has what only those have (`nonce`, `at_hash`, `c_hash`, `auth_time` with an `aud` that is the client).
    IdToken,
    /// A logout token, a refresh token or another that `typ` names.
    Other,
    /// Nothing says.
    #[default]
    Unknown,
}

/// Whose a token says it is, against the configured issuers.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerMatch {
    /// It has no `iss`, or none that can be read.
    #[default]
    Absent,
    /// To the letter that of the issuer that we call so.
    Exact(String),
    /// Almost that of the issuer that we call so.
    Near {
        /// Our name for the issuer.
        name: String,
        /// Where they differ: `case`, `host`, `path`, `port`, `scheme`, `trailing_slash`.
        differs_in: Vec<String>,
    },
    /// Nobody's that we know.
    Unknown,
}

/// A token's `kid`, against the published keys of its issuer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KidMatch {
    /// It has none.
    #[default]
    Absent,
    /// There is no key set to look in.
    NotTried,
    /// It is published in another spelling.
    Otherwise {
        /// How it is published.
        published: String,
        /// What the difference is, in words: `case`, `hexadecimal for base64url`, `thumbprint` and the like.
        differs_in: String,
    },
    /// It is published.
    Published(String),
    /// The gateway holds it, and it is not published any more.
    Withdrawn(String),
    /// Nobody publishes it.
    Unknown,
}

/// Which key verifies a token's signature.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// Another published key than its `kid` says.
    ByAnother {
        /// That key's `kid`, or its thumbprint where it has none.
        kid: String,
    },
    /// The key that its `kid` says.
    ByItsKey,
    /// None that is published.
    ByNone,
    /// A key of another issuer that is configured.
    ByOtherIssuer {
        /// Our name for that issuer.
        name: String,
    },
    /// It could not be tried: no keys, or no signature.
    #[default]
    NotTried,
}

/// A token's times against our clock, in seconds; none where a claim is missing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTimes {
    /// Since when it is over; negative while it is not.
    pub expired_for_s: Option<i64>,
    /// Until it begins (`nbf`); negative once it has.
    pub begins_in_s: Option<i64>,
    /// How far `iat` is ahead; negative where it is past.
    pub issued_in_s: Option<i64>,
    /// From `iat` to `exp`.
    pub lifetime_s: Option<i64>,
}

/// Where an audience that we accept stands in a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AudiencePlace {
    /// In `aud`, where it belongs.
    Audience,
    /// In `azp`, and not in `aud`.
    AuthorizedParty,
    /// In `client_id`, and not in `aud`.
    ClientId,
    /// It has no `aud`, nor an audience of ours elsewhere.
    Missing,
    /// No audience is demanded.
    #[default]
    NotDemanded,
    /// Others are in `aud`.
    Others,
}

/// What a route, or an issuer's policy, would say of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WouldBe {
    /// Which: `route 1 (/api)`, or the issuer's name.
    pub of: String,
    /// `accept`, `reject`, `undecided`, or `introspected` where the issuer's endpoint has the word, which was not asked.
    pub verdict: String,
    /// The reason's label; none where it is accepted or introspected.
    pub reason: Option<String>,
}
