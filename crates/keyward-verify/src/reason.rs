//! Why a token was not accepted: one enum, one label each, made here and read everywhere.

use std::fmt;

/// Whose matter a reason is, which is what the answer on the wire is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonKind {
    /// The request itself is wrong: 400.
    BadRequest,
    /// The token is good and does not suffice: 403.
    Forbidden,
    /// The token is bad, or there is none: 401.
    Unauthenticated,
    /// We cannot tell: 503. The client's token may well be good.
    Undecided,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $label:literal, $kind:ident, $description:literal;)+) => {
        /// Why a token was rejected, or why nothing could be decided.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of their labels.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label in metrics, logs, HTTP answers, the doctor and the reference.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// Whose matter it is.
            pub const fn kind(self) -> ReasonKind {
                match self { $(Self::$variant => ReasonKind::$kind),+ }
            }

            /// One line for the client: fixed text, nothing of the token in it.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }

            /// What the reference says of it: the text of this source.
            pub const fn documentation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc, "\n"),+)),+ }
            }
        }
    };
}

reasons! {
    /// The key that the token names does not serve the token's `alg`.
    AlgorithmMismatch = "algorithm_mismatch", Unauthenticated,
        "the token's algorithm is not one its key serves";
    /// The token is bound to a key or certificate and the request proves none, or it is not bound as it must be here (RFC
    /// 8705 §3, RFC 9449 §7).
    BindingMissing = "binding_missing", Unauthenticated,
        "the request does not prove a key that the token is bound to";
    /// The proof that came along is of another key than the token is bound to.
    BindingMismatch = "binding_mismatch", Unauthenticated,
        "the token is bound to another key";
    /// The header demands an extension by `crit` or `b64` that is not understood (RFC 7515 §4.1.11).
    CriticalHeaderUnsupported = "critical_header_unsupported", Unauthenticated,
        "the token demands an extension that is not supported";
    /// `exp` has passed, leeway included (RFC 7519 §4.1.4).
    Expired = "expired", Unauthenticated,
        "the token has expired";
    /// The introspection endpoint says that the token is not active (RFC 7662 §2.2).
    Inactive = "inactive", Unauthenticated,
        "the token is not active";
    /// The token is good and lacks a scope that the route demands (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope", Forbidden,
        "the token lacks a scope that is needed here";
    /// The introspection endpoint's breaker is open, and no strategy is left.
    IntrospectionCircuitOpen = "introspection_circuit_open", Undecided,
        "the token cannot be checked at the moment";
    /// The introspection endpoint refuses our own credentials. Nothing is known about the token.
    IntrospectionCredentialsRejected = "introspection_credentials_rejected", Undecided,
        "the token cannot be checked at the moment";
    /// The introspection endpoint's answer makes no sense.
    IntrospectionMalformed = "introspection_malformed", Undecided,
        "the token cannot be checked at the moment";
    /// The introspection endpoint cannot be reached, or fails.
    IntrospectionUnavailable = "introspection_unavailable", Undecided,
        "the token cannot be checked at the moment";
    /// No published key that the token may have been signed with verifies its signature.
    InvalidSignature = "invalid_signature", Unauthenticated,
        "the token's signature is not valid";
    /// `iat` lies further ahead than the leeway.
    IssuedInFuture = "issued_in_future", Unauthenticated,
        "the token was issued in the future";
    /// The token's key id is unknown, and no more fetches may be spent on finding it now.
    KeyRefreshLimited = "key_refresh_limited", Undecided,
        "the token's key is not known yet";
    /// The last good key set is older than the stale limit, and no newer one could be fetched.
    KeysStaleLimit = "keys_stale_limit", Undecided,
        "the issuer's keys could not be refreshed for too long";
    /// No key set of this issuer could be fetched, or none that could hold this token's key.
    KeysUnavailable = "keys_unavailable", Undecided,
        "the issuer's keys are not available at the moment";
    /// Not a token that can be read: not three parts of base64url, a header or claims that are not sound.
    MalformedToken = "malformed_token", Unauthenticated,
        "the token is malformed";
    /// A claim that is needed is not there, or does not have the value that the route demands.
    MissingClaim = "missing_claim", Unauthenticated,
        "the token lacks a claim that is needed here";
    /// No token came along, and the route demands one.
    MissingToken = "missing_token", Unauthenticated,
        "no token was sent";
    /// `nbf` has not come yet, leeway included (RFC 7519 §4.1.5).
    NotYetValid = "not_yet_valid", Unauthenticated,
        "the token is not valid yet";
    /// More work is under way than the limits allow.
    Overloaded = "overloaded", Undecided,
        "too many requests are being checked";
    /// The proof of possession is not valid (RFC 9449 §4.3).
    ProofInvalid = "proof_invalid", Unauthenticated,
        "the proof of possession is not valid";
    /// Whether the proof of possession was used before cannot be told: the memory that gateways share does not answer.
    ProofMemoryUnavailable = "proof_memory_unavailable", Undecided,
        "whether the proof of possession was used before cannot be told at the moment";
    /// The proof of possession holds no nonce that was given lately, and one is demanded (RFC 9449 §9).
    ProofNonceRequired = "proof_nonce_required", Unauthenticated,
        "the proof of possession needs a nonce that was given lately";
    /// The proof of possession was used before (RFC 9449 §11.1).
    ProofReplayed = "proof_replayed", Unauthenticated,
        "the proof of possession was used before";
    /// The token, or the key that signed it, was revoked or denied by configuration.
    Revoked = "revoked", Unauthenticated,
        "the token, or the key that signed it, was revoked";
    /// Tokens came in more than one place, or more than one in the same place (RFC 6750 §2).
    SeveralTokens = "several_tokens", BadRequest,
        "more than one token was sent";
    /// The token is longer than the limit.
    TokenTooLarge = "token_too_large", Unauthenticated,
        "the token is too large";
    /// `iss` is no issuer that is configured.
    UnknownIssuer = "unknown_issuer", Unauthenticated,
        "the token's issuer is not known here";
    /// A key set fetched after the token could have been signed does not hold the token's key.
    UnknownKid = "unknown_kid", Unauthenticated,
        "the token's key is not one of its issuer's";
    /// `alg` is `none`, not known, or not one that this issuer may use.
    UnsupportedAlgorithm = "unsupported_algorithm", Unauthenticated,
        "the token's algorithm is not allowed";
    /// The X.509 certificate around the key has expired, and the policy is `enforce`.
    WrapperCertificateExpired = "wrapper_certificate_expired", Unauthenticated,
        "the certificate of the token's key has expired";
    /// The X.509 certificate around the key is another key's, is not the one that its thumbprints name, or cannot be read,
    /// and the policy is `enforce`.
    WrapperCertificateMismatch = "wrapper_certificate_mismatch", Unauthenticated,
        "the certificate of the token's key is not its own";
    /// The X.509 certificate around the key leads to no declared anchor, or is still to begin, and the policy is `enforce`.
    WrapperCertificateUntrusted = "wrapper_certificate_untrusted", Unauthenticated,
        "the certificate of the token's key is not trusted";
    /// `aud` names no audience that is accepted here (RFC 7519 §4.1.3).
    WrongAudience = "wrong_audience", Unauthenticated,
        "the token is for another audience";
    /// `iss` is configured, and not allowed on this route.
    WrongIssuer = "wrong_issuer", Unauthenticated,
        "the token's issuer is not accepted here";
    /// `typ` is not one that is accepted here, such as an ID token where an access token belongs.
    WrongTokenType = "wrong_token_type", Unauthenticated,
        "the token is of another type";
}

impl Reason {
    /// The reason of a label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.label() == label)
    }

    /// Whether this leaves the verdict open: see [`ReasonKind::Undecided`].
    pub const fn is_undecided(self) -> bool {
        matches!(self.kind(), ReasonKind::Undecided)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn labels_are_unique_snake_case_and_name_the_variant() {
        let labels: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!(labels.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_label(reason.label()), Some(*reason));
            let variant = format!("{reason:?}").to_lowercase();
            assert_eq!(reason.label().replace('_', ""), variant);
        }
    }

    #[test]
    fn each_label_has_a_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/reasons");
        for reason in Reason::ALL {
            let page = pages.join(reason.label()).with_extension("md");
            assert!(page.is_file(), "{} has no page", reason.label());
        }
        let count = std::fs::read_dir(&pages).expect("the folder of pages").count();
        assert_eq!(count, Reason::ALL.len() + 1, "a page for each reason, and their index");
    }

    #[test]
    fn descriptions_can_stand_in_a_quoted_string() {
        for reason in Reason::ALL {
            assert!(reason.description().chars().all(|c| c.is_ascii() && c != '"' && c != '\\'));
        }
    }
}
