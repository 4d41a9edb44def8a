//! What a named cause is called.

use crate::code::Code;
use crate::facts::ProviderLogCause;

/// The code of a cause, for a credential of this method.
pub(super) fn code(cause: ProviderLogCause, method: &str) -> Code {
    let is_grant = method == "bearer_jwt" || method == "bearer";
    match cause {
        ProviderLogCause::AssertionAudience => Code::AssertionAudienceWrong,
        ProviderLogCause::AssertionTimes => Code::AssertionTimesRefused,
        ProviderLogCause::ClientDisabled => Code::ClientDisabled,
        ProviderLogCause::ClientUnknown => Code::ClientUnknown,
        ProviderLogCause::KeyDisabled => Code::OwnKeyDisabled,
        ProviderLogCause::KeyExpired => Code::OwnKeyExpired,
        ProviderLogCause::KeyNotFound => Code::OwnKeyUnknown,
        ProviderLogCause::ProjectionBehind => Code::ProviderLosesSightOfKey,
        ProviderLogCause::SecretExpired | ProviderLogCause::SecretWrong => Code::SecretWrong,
        ProviderLogCause::Signature => Code::AssertionSignatureWrong,
        ProviderLogCause::NoKid => Code::AssertionWithoutKid,
        ProviderLogCause::Replayed | ProviderLogCause::Untold => Code::CredentialsRefused,
        ProviderLogCause::WrongIssuer => Code::AssertionIssuerWrong,
        ProviderLogCause::WrongKind if is_grant => Code::ApplicationKeyForGrant,
        ProviderLogCause::WrongKind => Code::KeyKindWrong,
    }
}

/// The cause in one line. `who` is our name there, or what stands for it; `issuer` our name for the issuer.
pub(super) fn in_words(code: Code, issuer: &str, who: &str, key: &str) -> String {
    match code {
        Code::ApplicationKeyForGrant => format!(
            "{key} is an application's, and is used for the grant of service accounts: {issuer} looks for it among their keys and never finds it"
        ),
        Code::ProviderLosesSightOfKey => {
            format!("{issuer} does not find {key}: its own tables are behind, or the key was deleted")
        }
        Code::OwnKeyDisabled => format!("{key} is disabled at {issuer}"),
        Code::OwnKeyExpired => format!("{key} has expired at {issuer}"),
        Code::AssertionWithoutKid => {
            format!("our assertion names no key, and {issuer} looks for keys by their kid")
        }
        Code::AssertionIssuerWrong => {
            format!("our assertion is in the name of {who}, to whom {key} does not belong at {issuer}")
        }
        Code::KeyKindWrong => {
            format!(
                "{key} is a service account's, and is used to authenticate a client: {issuer} looks for it among the keys of applications"
            )
        }
        Code::SecretWrong => format!("the client secret of {who} is not the one that {issuer} has"),
        Code::OwnKeyUnknown => format!("{issuer} does not know {key} for {who}"),
        Code::ClientUnknown => format!("{issuer} does not know {who}"),
        Code::AssertionAudienceWrong => {
            format!("our assertion is for another audience than {issuer} expects")
        }
        Code::AssertionTimesRefused => {
            format!("{issuer} refuses the times of our assertion: its clock and ours differ")
        }
        Code::AuthMethodWrong => format!("{issuer} wants another client authentication method of {who}"),
        Code::ClientDisabled => format!("{who} is disabled at {issuer}"),
        Code::AssertionSignatureWrong => {
            format!("{issuer} has another public key for {key}: our signature does not fit")
        }
        Code::BearerRefused => format!("the introspection endpoint of {issuer} refuses our bearer token"),
        Code::ExchangeFails => format!("{issuer} fails when we ask for our own token, and does not say why"),
        _ => format!("{issuer} refuses our credential, and does not say why"),
    }
}
