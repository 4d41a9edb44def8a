//! What a named cause is called.

use crate::code::Code;
use crate::facts::ProviderLogCause;

impl ProviderLogCause {
    /// Its code, for a credential of this method.
    pub(crate) fn code(self, method: &str) -> Code {
        let is_grant = method == "bearer_jwt" || method == "bearer";
        match self {
            Self::AssertionAudience => Code::AssertionAudienceWrong,
            Self::AssertionForm => Code::AssertionFormWrong,
            Self::AssertionTimes => Code::AssertionTimesRefused,
            Self::BearerRefused => Code::BearerRefused,
            Self::Certificate => Code::CertificateRefused,
            Self::ClientDisabled => Code::ClientDisabled,
            Self::ClientUnknown => Code::ClientUnknown,
            Self::GrantRefused => Code::GrantRefused,
            Self::KeyDisabled => Code::OwnKeyDisabled,
            Self::KeyExpired => Code::OwnKeyExpired,
            Self::KeyNotFound => Code::OwnKeyUnknown,
            Self::Limited | Self::Untold => Code::CredentialsRefused,
            Self::MayNotIntrospect => Code::IntrospectionNotAllowed,
            Self::NoKid => Code::AssertionWithoutKid,
            Self::ProjectionBehind => Code::ProviderLosesSightOfKey,
            Self::Replayed => Code::AssertionReplayed,
            Self::SecretExpired => Code::SecretExpired,
            Self::SecretWrong => Code::SecretWrong,
            Self::Signature => Code::AssertionSignatureWrong,
            Self::Unavailable => Code::AuthorityCutOff,
            Self::WrongIssuer => Code::AssertionIssuerWrong,
            Self::WrongKind if is_grant => Code::ApplicationKeyForGrant,
            Self::WrongKind => Code::KeyKindWrong,
            Self::WrongMethod => Code::AuthMethodWrong,
        }
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
        Code::SecretExpired => format!("the client secret of {who} has expired at {issuer}, or is disabled"),
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
        Code::AssertionFormWrong => format!("our assertion is not of the form that {issuer} wants"),
        Code::AssertionReplayed => {
            format!(
                "{issuer} has taken our assertion before: something sends it twice, or somebody reads along"
            )
        }
        Code::GrantRefused => {
            format!("{issuer} knows {who}, and does not give it the token that it asks for")
        }
        Code::IntrospectionNotAllowed => format!("{issuer} knows {who}, which may not ask about tokens"),
        Code::CertificateRefused => format!("{issuer} refuses the certificate of {who}"),
        Code::BearerRefused => format!("the introspection endpoint of {issuer} refuses our bearer token"),
        Code::ExchangeFails => format!("{issuer} fails when we ask for our own token, and does not say why"),
        _ => format!("{issuer} refuses our credential, and does not say why"),
    }
}
