//! Why a request is refused: one enum, one label each, made here and read everywhere.
//!
//! A client is told the RFC's code and a description that helps it and gives nothing away; the label is for our log and our
//! metric, where one opaque answer must not stand for six causes (incident A1).

use std::fmt;

/// A code of RFC 6749 §5.2 and its extensions.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum OAuthError {
    /// RFC 6749 §5.2.
    InvalidClient,
    /// RFC 9449 §5.
    InvalidDpopProof,
    /// RFC 6749 §5.2.
    InvalidGrant,
    /// RFC 6749 §5.2.
    InvalidRequest,
    /// RFC 6749 §5.2.
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    /// RFC 6750 §3.1, where a bearer token authenticates the request.
    InvalidToken,
    /// RFC 6750 §3.1.
    InsufficientScope,
    /// Not of an RFC's table; with 429 and `Retry-After` (RFC 6585 §4).
    SlowDown,
    /// RFC 6749 §4.1.2.1, with 503 and `Retry-After`.
    TemporarilyUnavailable,
    /// RFC 6749 §5.2.
    UnauthorizedClient,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 9449 §8.
    UseDpopNonce,
}

impl OAuthError {
    /// `error` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }

    /// The status of the answer. Nothing that a client sends is answered with a 500.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::SlowDown => 429,
            Self::TemporarilyUnavailable => 503,
            Self::InvalidDpopProof
            | Self::InvalidGrant
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UseDpopNonce => 400,
        }
    }
}

macro_rules! causes {
    ($($variant:ident = $label:literal, $client:ident, $grant:ident, $description:literal;)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Cause {
            $(#[doc = $description] $variant,)+
        }

        impl Cause {
            /// Every cause, in the order of their labels.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label in logs, metrics, the doctor and the reference.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// What the client is told where this was found out while it authenticated itself (RFC 6749 §2.3).
            pub const fn of_authentication(self) -> OAuthError {
                match self { $(Self::$variant => OAuthError::$client),+ }
            }

            /// What it is told where this was found out of what it asked for, or by.
            pub const fn of_request(self) -> OAuthError {
                match self { $(Self::$variant => OAuthError::$grant),+ }
            }

            /// `error_description`: fixed text, nothing of the request in it. That a client or a key is not known, is
            /// disabled or is another's is told alike.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }
        }
    };
}

// Label, what it is to a client that authenticates itself, what it is of a request, and the description.
causes! {
    AssertionAudienceWrong = "assertion_audience_wrong", InvalidClient, InvalidGrant,
        "the assertion's aud must be this realm's issuer, and nothing else";
    AssertionExpired = "assertion_expired", InvalidClient, InvalidGrant, "the assertion has expired";
    AssertionIssuerWrong = "assertion_issuer_wrong", InvalidClient, InvalidGrant,
        "the assertion's iss and sub must both be the client or the service account";
    AssertionKeyDisabled = "assertion_key_disabled", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted";
    AssertionKeyExpired = "assertion_key_expired", InvalidClient, InvalidGrant, "the assertion's key is not accepted";
    AssertionKeyKindNotAllowed = "assertion_key_kind_not_allowed", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted for this; keys of clients authenticate clients, keys of service accounts are \
         for the jwt-bearer grant";
    AssertionKeyOfAnother = "assertion_key_of_another", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted";
    AssertionKeyUnknown = "assertion_key_unknown", InvalidClient, InvalidGrant, "the assertion's key is not accepted";
    AssertionLivesTooLong = "assertion_lives_too_long", InvalidClient, InvalidGrant,
        "the assertion's exp must be at most five minutes ahead, or an hour for the jwt-bearer grant";
    AssertionMalformed = "assertion_malformed", InvalidClient, InvalidGrant,
        "the assertion must be a signed JWT with iss, sub, aud and exp, and a client's with jti";
    AssertionNotYetValid = "assertion_not_yet_valid", InvalidClient, InvalidGrant, "the assertion is not valid yet";
    AssertionOfAnotherType = "assertion_of_another_type", InvalidClient, InvalidGrant,
        "the assertion's typ is not one for this; leave it out or write JWT";
    AssertionReplayed = "assertion_replayed", InvalidClient, InvalidGrant, "the assertion was used before";
    AssertionSignatureWrong = "assertion_signature_wrong", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted";
    AssertionTypeUnsupported = "assertion_type_unsupported", InvalidClient, InvalidClient,
        "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    AssertionWithoutKid = "assertion_without_kid", InvalidClient, InvalidGrant,
        "the assertion's header must have a kid";
    AudienceNotAllowed = "audience_not_allowed", InvalidTarget, InvalidTarget,
        "tokens for this resource are not issued to this client";
    AudienceUnclear = "audience_unclear", InvalidTarget, InvalidTarget,
        "say by resource which resource server the token is for";
    AuthenticationMalformed = "authentication_malformed", InvalidClient, InvalidClient,
        "the Authorization header must be Basic with the encoded client_id and secret";
    AuthenticationMethodNotAllowed = "authentication_method_not_allowed", InvalidClient, InvalidClient,
        "client authentication failed";
    AuthenticationMissing = "authentication_missing", InvalidClient, InvalidClient, "client authentication is missing";
    AuthenticationSeveral = "authentication_several", InvalidRequest, InvalidRequest,
        "the client authenticates itself in more than one way";
    BearerRefused = "bearer_refused", InvalidToken, InvalidToken, "the bearer token is not accepted";
    BearerScopeMissing = "bearer_scope_missing", InsufficientScope, InsufficientScope,
        "the bearer token lacks the scope for this";
    BodyTooLarge = "body_too_large", InvalidRequest, InvalidRequest, "the request is too large";
    CertificateHeaderMalformed = "certificate_header_malformed", InvalidRequest, InvalidRequest,
        "the proxy does not tell clearly which certificate the client has";
    CertificateKeyDisabled = "certificate_key_disabled", InvalidClient, InvalidClient, "client authentication failed";
    CertificateKeyExpired = "certificate_key_expired", InvalidClient, InvalidClient, "client authentication failed";
    CertificateMissing = "certificate_missing", InvalidClient, InvalidClient, "client authentication failed";
    CertificateOfAnother = "certificate_of_another", InvalidClient, InvalidClient, "client authentication failed";
    CertificateUntrusted = "certificate_untrusted", InvalidClient, InvalidClient, "client authentication failed";
    ClientDisabled = "client_disabled", InvalidClient, InvalidGrant, "client authentication failed";
    ClientUnknown = "client_unknown", InvalidClient, InvalidGrant, "client authentication failed";
    DpopNonceWanted = "dpop_nonce_wanted", UseDpopNonce, UseDpopNonce, "the proof needs the nonce of DPoP-Nonce";
    DpopProofInvalid = "dpop_proof_invalid", InvalidDpopProof, InvalidDpopProof, "the DPoP proof is not accepted";
    DpopProofMissing = "dpop_proof_missing", InvalidDpopProof, InvalidDpopProof,
        "this client's tokens need a DPoP proof";
    DpopProofReplayed = "dpop_proof_replayed", InvalidDpopProof, InvalidDpopProof, "the DPoP proof was used before";
    FormMalformed = "form_malformed", InvalidRequest, InvalidRequest,
        "the request must be a form: application/x-www-form-urlencoded";
    GrantNotAllowed = "grant_not_allowed", UnauthorizedClient, UnauthorizedClient,
        "this client may not use this grant type";
    GrantUnsupported = "grant_unsupported", UnsupportedGrantType, UnsupportedGrantType,
        "there is no such grant type here";
    IdentityDisabled = "identity_disabled", InvalidGrant, InvalidGrant, "the subject token is not accepted";
    IdentityUnknown = "identity_unknown", InvalidGrant, InvalidGrant, "the subject token is not accepted";
    IntrospectionNotAllowed = "introspection_not_allowed", InsufficientScope, InsufficientScope,
        "this client may not ask about tokens";
    KeySetUnavailable = "key_set_unavailable", TemporarilyUnavailable, TemporarilyUnavailable,
        "this cannot be answered just now";
    ParameterMissing = "parameter_missing", InvalidRequest, InvalidRequest, "a parameter is missing";
    ParameterRepeated = "parameter_repeated", InvalidRequest, InvalidRequest, "a parameter is there more than once";
    RateLimited = "rate_limited", SlowDown, SlowDown, "too many failed attempts; come back later";
    RefreshTokenExpired = "refresh_token_expired", InvalidGrant, InvalidGrant, "the refresh token is not accepted";
    RefreshTokenOfAnother = "refresh_token_of_another", InvalidGrant, InvalidGrant,
        "the refresh token is not accepted";
    RefreshTokenReused = "refresh_token_reused", InvalidGrant, InvalidGrant, "the refresh token is not accepted";
    RefreshTokenRevoked = "refresh_token_revoked", InvalidGrant, InvalidGrant, "the refresh token is not accepted";
    RefreshTokenUnknown = "refresh_token_unknown", InvalidGrant, InvalidGrant, "the refresh token is not accepted";
    ScopeNotAllowed = "scope_not_allowed", InvalidScope, InvalidScope, "a scope is not granted to this client";
    SecretDisabled = "secret_disabled", InvalidClient, InvalidClient, "client authentication failed";
    SecretExpired = "secret_expired", InvalidClient, InvalidClient, "client authentication failed";
    SecretWrong = "secret_wrong", InvalidClient, InvalidClient, "client authentication failed";
    ServiceAccountDisabled = "service_account_disabled", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted";
    ServiceAccountUnknown = "service_account_unknown", InvalidClient, InvalidGrant,
        "the assertion's key is not accepted";
    SubjectTokenRefused = "subject_token_refused", InvalidRequest, InvalidRequest, "the subject token is not accepted";
    SubjectTokenTypeUnsupported = "subject_token_type_unsupported", InvalidRequest, InvalidRequest,
        "there is no such token type here";
    SubjectTokenUndecided = "subject_token_undecided", TemporarilyUnavailable, TemporarilyUnavailable,
        "the subject token cannot be checked just now";
    TokenOfAnother = "token_of_another", UnauthorizedClient, UnauthorizedClient,
        "the token was not issued to this client";
    Unavailable = "unavailable", TemporarilyUnavailable, TemporarilyUnavailable, "this cannot be answered just now";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_unique_and_name_the_variant() {
        let labels: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
        assert_eq!(labels.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert_eq!(cause.label().replace('_', ""), format!("{cause:?}").to_lowercase());
        }
    }

    #[test]
    fn nobody_learns_from_the_answer_whether_a_client_a_secret_or_a_key_is_there() {
        let told = |causes: &[Cause]| {
            causes
                .iter()
                .map(|cause| (cause.of_authentication(), cause.description()))
                .collect::<BTreeSet<_>>()
                .len()
        };
        assert_eq!(
            told(&[
                Cause::AuthenticationMethodNotAllowed,
                Cause::CertificateKeyDisabled,
                Cause::CertificateKeyExpired,
                Cause::CertificateMissing,
                Cause::CertificateOfAnother,
                Cause::CertificateUntrusted,
                Cause::ClientDisabled,
                Cause::ClientUnknown,
                Cause::SecretDisabled,
                Cause::SecretExpired,
                Cause::SecretWrong,
            ]),
            1
        );
        assert_eq!(
            told(&[
                Cause::AssertionKeyUnknown,
                Cause::AssertionKeyDisabled,
                Cause::AssertionKeyExpired,
                Cause::AssertionKeyOfAnother,
                Cause::AssertionSignatureWrong,
                Cause::ServiceAccountUnknown,
                Cause::ServiceAccountDisabled,
            ]),
            1
        );
        assert_eq!(told(&[Cause::KeySetUnavailable, Cause::Unavailable]), 1);
        let of_request = |cause: &Cause| (cause.of_request(), cause.description());
        let unknown = of_request(&Cause::RefreshTokenUnknown);
        for cause in [Cause::RefreshTokenExpired, Cause::RefreshTokenOfAnother, Cause::RefreshTokenRevoked] {
            assert_eq!(of_request(&cause), unknown, "{cause}");
        }
        let unknown = of_request(&Cause::IdentityUnknown);
        assert_eq!(of_request(&Cause::IdentityDisabled), unknown);
    }

    #[test]
    fn no_answer_is_a_500() {
        let statuses = Cause::ALL.iter().flat_map(|cause| [cause.of_request(), cause.of_authentication()]);
        assert!(statuses.map(OAuthError::status).all(|status| status != 500));
    }
}
