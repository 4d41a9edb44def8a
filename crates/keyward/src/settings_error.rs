//! Why a verifier cannot be started with its settings.

use keyward_jose::UnusableKey;
use keyward_verify::strategy::{GivenUp, Strategy};
use keyward_x509::{BundleError, NoAnchor};

use crate::address::AddressClass;
use crate::credentials::CredentialFileError;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Two issuers have the same `issuer` or the same name.
    #[error("two issuers are called {0:?}")]
    DuplicateIssuer(String),
    /// A file of our credential is of no use.
    #[error("issuer {issuer:?}: {cause}")]
    Credential {
        /// Our name for the issuer.
        issuer: String,
        /// Which file, and why.
        cause: CredentialFileError,
    },
    /// A strategy falls back to what gives something up, and nobody said that this may be.
    #[error(
        "issuer {issuer:?}: the strategy {strategy} gives up the {gives_up} of tokens when it falls back, and no fallback that says so is configured"
    )]
    FallbackNotDeclared {
        /// Our name for the issuer.
        issuer: String,
        /// Which strategy.
        strategy: Strategy,
        /// What it gives up.
        gives_up: GivenUp,
    },
    /// An address that no provider has, and that is not allowed either.
    #[error("issuer {issuer:?}: {address} is refused: that is {class}, and not among the allowed hosts")]
    ForbiddenAddress {
        /// Our name for the issuer.
        issuer: String,
        /// Which address.
        address: String,
        /// What it is.
        class: AddressClass,
    },
    /// The HTTP client could not be made, mostly because of the extra trust anchors.
    #[error("issuer {issuer:?}: no HTTP client can be made: {cause}")]
    HttpClient {
        /// Our name for the issuer.
        issuer: String,
        /// What the library said.
        cause: reqwest::Error,
    },
    /// The secret cannot serve any of the algorithms that the policy allows.
    #[error("issuer {issuer:?}: the HMAC secret cannot be used: {cause}")]
    HmacSecret {
        /// Our name for the issuer.
        issuer: String,
        /// Why not.
        cause: UnusableKey,
    },
    /// An address that is neither https nor on this machine.
    #[error("issuer {issuer:?}: {address} is refused: keys are fetched by https, or by http from loopback")]
    InsecureAddress {
        /// Our name for the issuer.
        issuer: String,
        /// Which address.
        address: String,
    },
    /// The extra trust anchors are there and hold no certificate.
    #[error("issuer {issuer:?}: the extra trust anchors hold no certificate in PEM")]
    NoAnchor {
        /// Our name for the issuer.
        issuer: String,
    },
    /// There is no issuer.
    #[error("no issuer is configured: every token would be refused")]
    NoIssuer,
    /// A strategy asks an introspection endpoint, and there is none.
    #[error(
        "issuer {issuer:?}: the strategy {strategy} needs an introspection endpoint, and none is configured"
    )]
    NoIntrospection {
        /// Our name for the issuer.
        issuer: String,
        /// Which strategy.
        strategy: Strategy,
    },
    /// An issuer has neither a key source nor a secret, nor an introspection endpoint that is all it needs.
    #[error("issuer {issuer:?} has neither a source of keys nor a secret")]
    NoKeys {
        /// Our name for the issuer.
        issuer: String,
    },
    /// Opaque tokens are to be taken to an issuer that has no introspection endpoint, or whose tokens may not pass.
    #[error(
        "issuer {issuer:?}: opaque tokens cannot be taken there: it has no introspection endpoint, or its tokens are not accepted here"
    )]
    OpaqueTokens {
        /// Our name for the issuer.
        issuer: String,
    },
    /// A memory of used proofs is shared, and no secret: each process would know its own proofs alone.
    #[error("a shared memory of used proofs needs a proof secret that is shared as well")]
    SharedReplayWithoutSecret,
    /// The stale limit is shorter than the TTL, or a time is zero.
    #[error("issuer {issuer:?}: {what}")]
    Times {
        /// Our name for the issuer.
        issuer: String,
        /// Which rule is broken.
        what: &'static str,
    },
    /// Of the anchors for the certificates around keys none can be one, now or ever.
    #[error("issuer {issuer:?}: none of the anchors for certificates around keys can be one: {cause}")]
    WrapperAnchors {
        /// Our name for the issuer.
        issuer: String,
        /// Why not the first.
        cause: NoAnchor,
    },
    /// The anchors for the certificates around keys are there and hold no certificate.
    #[error("issuer {issuer:?}: the anchors for certificates around keys cannot be read: {cause}")]
    WrapperAnchorsUnreadable {
        /// Our name for the issuer.
        issuer: String,
        /// Why not.
        cause: BundleError,
    },
}
