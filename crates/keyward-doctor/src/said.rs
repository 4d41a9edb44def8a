//! What an answer to our credential means, and which cause it names: read alike by the probe, which goes on accordingly, and by
//! the rules.

use crate::authority;
use crate::facts::{Call, CallResult, ProviderLogCause, Spoken};

/// What came of a call, as far as our credential goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// Whoever answered asks to be left alone.
    AskedToWait,
    /// It fails, whoever asks.
    Fails,
    /// What answered is no such endpoint's answer.
    Malformed,
    /// There is no such endpoint.
    NotThere,
    /// A token endpoint says `server_error`, which some say to whatever is wrong with an assertion (incident A1).
    Opaque,
    /// It refuses us.
    RefusesUs,
    /// There was no answer.
    Silent,
    /// It was taken.
    Taken,
}

impl Meaning {
    /// What a call came to.
    pub(crate) fn of(call: &Call) -> Self {
        match &call.result {
            CallResult::Accepted | CallResult::BelievesAnything => Self::Taken,
            CallResult::Malformed(_) => Self::Malformed,
            CallResult::Refused(said) => Self::of_refusal(said, call.endpoint == TOKEN),
            CallResult::Unanswered { .. } => Self::Silent,
        }
    }

    fn of_refusal(said: &Spoken, is_token: bool) -> Self {
        let error = said.error.as_deref();
        let names_us = matches!(error, Some("invalid_client" | "unauthorized_client" | "invalid_grant"));
        match said.status {
            429 => Self::AskedToWait,
            503 if said.retry_after_s.is_some() => Self::AskedToWait,
            401 | 403 => Self::RefusesUs,
            300..=399 | 404 | 405 | 410 => Self::NotThere,
            // Of a token request there is nothing else to refuse.
            400..=499 if names_us || (is_token && error.is_some()) => Self::RefusesUs,
            500 if is_token && error == Some("server_error") => Self::Opaque,
            500..=599 => Self::Fails,
            _ => Self::Malformed,
        }
    }

    /// Whether it may be our credential that is wrong.
    pub(crate) const fn may_be_ours(self) -> bool {
        matches!(self, Self::Opaque | Self::RefusesUs)
    }
}

/// [`Call::endpoint`] of the two.
pub(crate) const TOKEN: &str = "token";
pub(crate) const INTROSPECTION: &str = "introspection";

/// What descriptions say, in lower case, and what it means: the first that is found counts, so that what says more stands
/// before what says less.
const WORDS: &[(&str, ProviderLogCause)] = &[
    // Microsoft Entra: error codes of the token service.
    ("aadsts7000215", ProviderLogCause::SecretWrong),
    ("aadsts7000222", ProviderLogCause::SecretExpired),
    ("aadsts700016", ProviderLogCause::ClientUnknown),
    ("aadsts7000112", ProviderLogCause::ClientDisabled),
    ("aadsts700027", ProviderLogCause::KeyNotFound),
    ("aadsts700024", ProviderLogCause::AssertionTimes),
    ("aadsts700023", ProviderLogCause::AssertionAudience),
    ("aadsts50013", ProviderLogCause::Signature),
    // Zitadel: its lookup of a key by `kid` and subject.
    ("authnkey.notfound", ProviderLogCause::KeyNotFound),
    // A key.
    ("key is not known yet", ProviderLogCause::ProjectionBehind),
    ("key is disabled", ProviderLogCause::KeyDisabled),
    ("key is inactive", ProviderLogCause::KeyDisabled),
    ("key disabled", ProviderLogCause::KeyDisabled),
    ("key has expired", ProviderLogCause::KeyExpired),
    ("key is expired", ProviderLogCause::KeyExpired),
    ("key expired", ProviderLogCause::KeyExpired),
    ("expired key", ProviderLogCause::KeyExpired),
    ("wrong kind", ProviderLogCause::WrongKind),
    ("has no kid", ProviderLogCause::NoKid),
    ("no kid", ProviderLogCause::NoKid),
    ("kid is missing", ProviderLogCause::NoKid),
    ("missing kid", ProviderLogCause::NoKid),
    ("kid header parameter is missing", ProviderLogCause::NoKid),
    ("key is not known", ProviderLogCause::KeyNotFound),
    ("unknown key", ProviderLogCause::KeyNotFound),
    ("key not found", ProviderLogCause::KeyNotFound),
    ("no matching key", ProviderLogCause::KeyNotFound),
    ("unable to load public key", ProviderLogCause::KeyNotFound),
    // An assertion.
    ("token reuse detected", ProviderLogCause::Replayed),
    ("jti was already used", ProviderLogCause::Replayed),
    ("jti has been used", ProviderLogCause::Replayed),
    ("jti", ProviderLogCause::AssertionForm),
    ("audience", ProviderLogCause::AssertionAudience),
    ("'aud'", ProviderLogCause::AssertionAudience),
    ("token is not active", ProviderLogCause::AssertionTimes),
    ("assertion has expired", ProviderLogCause::AssertionTimes),
    ("assertion expired", ProviderLogCause::AssertionTimes),
    ("token is expired", ProviderLogCause::AssertionTimes),
    ("token used before issued", ProviderLogCause::AssertionTimes),
    ("not valid yet", ProviderLogCause::AssertionTimes),
    ("not yet valid", ProviderLogCause::AssertionTimes),
    ("issuer of the assertion", ProviderLogCause::WrongIssuer),
    ("'iss'", ProviderLogCause::WrongIssuer),
    ("'sub'", ProviderLogCause::WrongIssuer),
    // A client. Keycloak says one and the same of both: it is no name of a cause.
    ("client or invalid client credentials", ProviderLogCause::Untold),
    ("client is disabled", ProviderLogCause::ClientDisabled),
    ("client disabled", ProviderLogCause::ClientDisabled),
    ("client is not known", ProviderLogCause::ClientUnknown),
    ("client not found", ProviderLogCause::ClientUnknown),
    ("client does not exist", ProviderLogCause::ClientUnknown),
    ("invalid client secret", ProviderLogCause::SecretWrong),
    ("client secret supplied for a confidential client is invalid", ProviderLogCause::SecretWrong),
    ("secret is wrong", ProviderLogCause::SecretWrong),
    // Last: some call everything that is wrong with an assertion an invalid signature.
    ("signature", ProviderLogCause::Signature),
];

/// The cause that a text names.
pub(crate) fn cause_in(text: &str) -> Option<ProviderLogCause> {
    let text = text.to_ascii_lowercase();
    // RFC 6749 §5.2 lists what all `invalid_client` may be, and many send its sentence as it stands.
    let (before, after) = text.split_once("e.g.").unwrap_or((&text, ""));
    let after = after.split_once(')').map_or("", |(_, after)| after);
    let found = WORDS.iter().find(|(words, _)| before.contains(words) || after.contains(words));
    found.map(|(_, cause)| *cause).filter(|cause| *cause != ProviderLogCause::Untold)
}

/// Whether a refusal is in the words of our own authority, which tells alike what a stranger could learn from: then nothing that is
/// tried in our place tells causes apart, and its log does.
pub(crate) fn is_authoritys(said: &Spoken) -> bool {
    said.description.as_deref().is_some_and(|description| authority::told_so(description).next().is_some())
}

/// The cause that a refusal names, where it names one.
pub(crate) fn named(said: &Spoken) -> Option<ProviderLogCause> {
    let description = said.description.as_deref()?;
    // What our own authority says is known to the letter.
    if is_authoritys(said) { authority::named(description) } else { cause_in(description) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoint: &str, status: u16, error: Option<&str>, retry_after_s: Option<u64>) -> Meaning {
        let error = error.map(str::to_owned);
        Meaning::of(&Call {
            endpoint: endpoint.to_owned(),
            method: "client_secret_basic".to_owned(),
            variation: crate::facts::Variation::Configured,
            result: CallResult::Refused(Spoken { status, error, retry_after_s, ..Spoken::default() }),
            took_ms: 1,
        })
    }

    #[test]
    fn a_status_and_an_error_say_whether_it_may_be_our_credential() {
        for (endpoint, status, error, meaning) in [
            (INTROSPECTION, 401, None, Meaning::RefusesUs),
            (INTROSPECTION, 403, Some("access_denied"), Meaning::RefusesUs),
            (INTROSPECTION, 400, Some("invalid_client"), Meaning::RefusesUs),
            (INTROSPECTION, 400, Some("invalid_request"), Meaning::Malformed),
            (INTROSPECTION, 404, None, Meaning::NotThere),
            (INTROSPECTION, 302, None, Meaning::NotThere),
            (INTROSPECTION, 500, Some("server_error"), Meaning::Fails),
            (TOKEN, 500, Some("server_error"), Meaning::Opaque),
            (TOKEN, 500, None, Meaning::Fails),
            (TOKEN, 502, Some("server_error"), Meaning::Fails),
            (TOKEN, 400, Some("invalid_grant"), Meaning::RefusesUs),
            (TOKEN, 400, Some("unsupported_grant_type"), Meaning::RefusesUs),
            (TOKEN, 400, None, Meaning::Malformed),
            (TOKEN, 429, None, Meaning::AskedToWait),
        ] {
            assert_eq!(refused(endpoint, status, error, None), meaning, "{endpoint} {status} {error:?}");
        }
        assert_eq!(refused(INTROSPECTION, 503, None, None), Meaning::Fails);
        assert_eq!(refused(INTROSPECTION, 503, None, Some(5)), Meaning::AskedToWait);
    }

    #[test]
    fn a_description_names_a_cause_and_a_sentence_that_fits_all_names_none() {
        for (text, cause) in [
            ("the key is not known yet", Some(ProviderLogCause::ProjectionBehind)),
            ("the key is not known", Some(ProviderLogCause::KeyNotFound)),
            ("The assertion has no kid", Some(ProviderLogCause::NoKid)),
            ("the audience of the assertion is wrong", Some(ProviderLogCause::AssertionAudience)),
            ("the signature of the assertion is wrong", Some(ProviderLogCause::Signature)),
            ("the issuer of the assertion is wrong", Some(ProviderLogCause::WrongIssuer)),
            ("AADSTS7000215: Invalid client secret provided.", Some(ProviderLogCause::SecretWrong)),
            ("Invalid client or Invalid client credentials", None),
            ("Client authentication failed (e.g., unknown client, no client authentication included)", None),
            ("Errors.Internal", None),
        ] {
            assert_eq!(cause_in(text), cause, "{text}");
        }
    }
}
