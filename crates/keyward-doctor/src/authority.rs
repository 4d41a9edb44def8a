//! What our own authority calls its refusals: in its log and metric by a label, to whom it refuses by a description, which may be
//! the same for several.

use crate::code::Code;
use crate::facts::ProviderLogCause;

/// A refusal of the authority's that may be of a credential that introspects, or of what it asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuthorityCause {
    /// `cause` in its log and its metric.
    pub label: &'static str,
    /// What it means.
    pub cause: ProviderLogCause,
    /// `error_description`, to the letter.
    pub description: &'static str,
}

macro_rules! causes {
    ($($label:literal $cause:ident $description:literal)*) => {
        /// Every one. Tests hold it against the authority's own table.
        pub const CAUSES: &[AuthorityCause] = &[$(AuthorityCause {
            label: $label,
            cause: ProviderLogCause::$cause,
            description: $description,
        },)*];
    };
}

causes! {
    "assertion_audience_wrong" AssertionAudience "the assertion's aud must be this realm's issuer, and nothing else"
    "assertion_expired" AssertionTimes "the assertion has expired"
    "assertion_issuer_wrong" WrongIssuer "the assertion's iss and sub must both be the client or the service account"
    "assertion_key_disabled" KeyDisabled "the assertion's key is not accepted"
    "assertion_key_expired" KeyExpired "the assertion's key is not accepted"
    "assertion_key_kind_not_allowed" WrongKind
        "the assertion's key is not accepted for this; keys of clients authenticate clients, keys of service accounts are for the jwt-bearer grant"
    "assertion_key_of_another" WrongIssuer "the assertion's key is not accepted"
    "assertion_key_unknown" KeyNotFound "the assertion's key is not accepted"
    "assertion_lives_too_long" AssertionForm
        "the assertion's exp must be at most five minutes ahead, or an hour for the jwt-bearer grant"
    "assertion_malformed" AssertionForm
        "the assertion must be a signed JWT with iss, sub, aud and exp, and a client's with jti"
    "assertion_not_yet_valid" AssertionTimes "the assertion is not valid yet"
    "assertion_of_another_type" AssertionForm "the assertion's typ is not one for this; leave it out or write JWT"
    "assertion_replayed" Replayed "the assertion was used before"
    "assertion_signature_wrong" Signature "the assertion's key is not accepted"
    "assertion_type_unsupported" AssertionForm
        "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    "assertion_without_kid" NoKid "the assertion's header must have a kid"
    "audience_not_allowed" GrantRefused "tokens for this resource are not issued to this client"
    "audience_unclear" GrantRefused "say by resource which resource server the token is for"
    "authentication_malformed" WrongMethod "the Authorization header must be Basic with the encoded client_id and secret"
    "authentication_method_not_allowed" WrongMethod "client authentication failed"
    "authentication_missing" WrongMethod "client authentication is missing"
    "authentication_several" WrongMethod "the client authenticates itself in more than one way"
    "bearer_refused" BearerRefused "the bearer token is not accepted"
    "bearer_scope_missing" BearerRefused "the bearer token lacks the scope for this"
    "certificate_key_disabled" Certificate "client authentication failed"
    "certificate_key_expired" Certificate "client authentication failed"
    "certificate_missing" Certificate "client authentication failed"
    "certificate_of_another" Certificate "client authentication failed"
    "certificate_untrusted" Certificate "client authentication failed"
    "client_disabled" ClientDisabled "client authentication failed"
    "client_unknown" ClientUnknown "client authentication failed"
    "dpop_proof_missing" GrantRefused "this client's tokens need a DPoP proof"
    "grant_not_allowed" GrantRefused "this client may not use this grant type"
    "introspection_not_allowed" MayNotIntrospect "this client may not ask about tokens"
    "key_set_unavailable" Unavailable "this cannot be answered just now"
    "rate_limited" Limited "too many failed attempts; come back later"
    "scope_not_allowed" GrantRefused "a scope is not granted to this client"
    "secret_disabled" SecretExpired "client authentication failed"
    "secret_expired" SecretExpired "client authentication failed"
    "secret_wrong" SecretWrong "client authentication failed"
    "service_account_disabled" ClientDisabled "the assertion's key is not accepted"
    "service_account_unknown" ClientUnknown "the assertion's key is not accepted"
    "unavailable" Unavailable "this cannot be answered just now"
}

impl AuthorityCause {
    /// The one of this label; none where it is of no credential that introspects.
    pub fn of(label: &str) -> Option<Self> {
        CAUSES.iter().copied().find(|cause| cause.label == label)
    }
}

/// The finding that a refusal of this label is where it is of our own credential; of another label, that there are many.
pub fn finding(label: &str) -> Code {
    match AuthorityCause::of(label).map(|known| known.cause) {
        Some(ProviderLogCause::WrongKind) => Code::ApplicationKeyForGrant,
        Some(ProviderLogCause::Limited) => Code::IntrospectionRateLimited,
        // Whose keys are at an address: the authority itself is well.
        Some(ProviderLogCause::Unavailable) if label != "unavailable" => Code::AuthorityRefuses,
        Some(cause) => cause.code("private_key_jwt"),
        None => Code::AuthorityRefuses,
    }
}

/// The causes that somebody who is told this may have.
pub(crate) fn told_so(description: &str) -> impl Iterator<Item = &'static AuthorityCause> {
    CAUSES.iter().filter(move |known| known.description == description)
}

/// The cause that a description names; none where it is that of several, or none of the authority's.
pub(crate) fn named(description: &str) -> Option<ProviderLogCause> {
    let mut causes = told_so(description).map(|known| known.cause);
    let first = causes.next()?;
    causes.all(|other| other == first).then_some(first)
}

/// Where a realm's issuer is, `https://host/realms/NAME`: its origin and its name.
pub(crate) fn realm_of(issuer: &str) -> Option<(&str, &str)> {
    let (origin, realm) = issuer.rsplit_once("/realms/")?;
    (!realm.is_empty() && !realm.contains('/')).then_some((origin, realm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_a_cause_where_it_is_that_of_one() {
        for (description, cause) in [
            ("the assertion's header must have a kid", Some(ProviderLogCause::NoKid)),
            ("the assertion was used before", Some(ProviderLogCause::Replayed)),
            ("the assertion's key is not accepted", None),
            ("client authentication failed", None),
            ("the bearer token is not accepted", Some(ProviderLogCause::BearerRefused)),
            ("something else", None),
        ] {
            assert_eq!(named(description), cause, "{description}");
        }
    }

    #[test]
    fn an_issuer_of_a_realm_is_read_and_another_is_not() {
        assert_eq!(realm_of("https://a.example/realms/main"), Some(("https://a.example", "main")));
        for issuer in ["https://a.example", "https://a.example/realms/", "https://a.example/realms/a/b"] {
            assert_eq!(realm_of(issuer), None, "{issuer}");
        }
    }
}
