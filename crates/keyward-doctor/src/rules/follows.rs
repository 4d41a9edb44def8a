//! What follows from what, in one table.

use crate::code::Code;

/// Whether `effect` can follow from `cause`.
pub(super) fn can_follow(effect: Code, cause: Code) -> bool {
    EXPLAINS.iter().any(|(causes, effects)| causes.contains(&cause) && effects.contains(&effect))
}

/// Which finding explains which others, where both are of one issuer, or one of them concerns no issuer alone. Nothing explains
/// itself by any way round.
const EXPLAINS: &[(&[Code], &[Code])] = &[
    // A gateway that nobody reaches tells nothing, and clients reach it as little.
    (&[Code::GatewayUnreachable], &[Code::ListenerCertificateExpiring]),
    // A wrong clock makes everything look too old or too young.
    (
        &[Code::OurClockWrong, Code::ProviderClockWrong],
        &[
            Code::LeewayTooSmall,
            Code::AssertionTimesRefused,
            Code::TokenExpired,
            Code::TokenNotYetValid,
            Code::ProofRefused,
        ],
    ),
    (
        &[Code::OurClockWrong],
        &[
            Code::TlsCertificateExpired,
            Code::TlsCertificateExpiring,
            Code::WrapperExpired,
            Code::WrapperNotYetValid,
        ],
    ),
    (&[Code::LeewayTooSmall], &[Code::TokenExpired, Code::TokenNotYetValid, Code::AssertionTimesRefused]),
    // What is configured wrong shows as what is not there.
    (
        &[Code::KeySetAddressWrong],
        &[
            Code::NameNotResolved,
            Code::ConnectionRefused,
            Code::ConnectionTimedOut,
            Code::NotFound,
            Code::AccessDenied,
            Code::Redirected,
            Code::NoKeySet,
            Code::ProviderFails,
            Code::KeySetEmpty,
        ],
    ),
    (
        &[Code::IssuerMismatch],
        &[Code::DiscoveryBroken, Code::IssuerUnknown, Code::IssuerNotAllowed, Code::OtherEnvironment],
    ),
    (
        &[Code::HostForeign, Code::AddressInsecure, Code::AddressForbidden],
        &[Code::DiscoveryBroken, Code::NotFound],
    ),
    (&[Code::ConfigurationRefused], &[Code::ConfigurationOutdated]),
    (&[Code::AudienceConfiguredWrong], &[Code::AudienceWrong, Code::AudienceElsewhere]),
    // The way to the provider, from its beginning to its end.
    (
        &[Code::OneFamilyBlocked, Code::SomeAddressesDead],
        &[Code::ConnectionTimedOut, Code::ConnectionRefused],
    ),
    (
        UNREACHABLE,
        &[
            Code::DiscoveryBroken,
            Code::IntrospectionUnreachable,
            Code::IntrospectionSlow,
            Code::TokenEndpointUnreachable,
        ],
    ),
    (
        &[Code::ProviderFlaps],
        &[
            Code::ConnectionRefused,
            Code::ConnectionTimedOut,
            Code::SomeAddressesDead,
            Code::TlsFails,
            Code::ProviderFails,
            Code::NotFound,
            Code::RateLimited,
            Code::AnswersTooSlowly,
            Code::NoKeySet,
            Code::AccessDenied,
            Code::AnswerBreaksOff,
        ],
    ),
    (&[Code::TlsCertificateExpired], &[Code::TlsCertificateExpiring]),
    (&[Code::DiscoveryBroken], &[Code::NotFound, Code::IntrospectionWrongAddress]),
    // Whatever keeps the gateway from fetching keys makes them old.
    (KEEPS_KEYS_AWAY, CACHE_SYMPTOMS),
    (&[Code::ProviderFlaps, Code::SomeAddressesDead], CACHE_SYMPTOMS),
    (KEEPS_KEYS_AWAY, KEY_NOT_KNOWN),
    (CACHE_CAUSES, KEY_NOT_KNOWN),
    (&[Code::RefreshCrashed, Code::SnapshotRefused], &[Code::KeysTooOld, Code::NoKeysYet]),
    (&[Code::RefreshCrashed], &[Code::KeysStale, Code::SnapshotInUse]),
    (&[Code::NoUsableKey], &[Code::SomeKeysUnusable]),
    (&[Code::KeysTooOld, Code::NoKeysYet], UNDECIDED),
    (KEEPS_KEYS_AWAY, UNDECIDED),
    // What is published, and which of it is there.
    (
        &[
            Code::AnswersDiffer,
            Code::CacheServesOldSet,
            Code::KidOtherEncoding,
            Code::KeyWithdrawn,
            Code::RotationNotPickedUp,
            Code::SomeKeysUnusable,
        ],
        KEY_NOT_KNOWN,
    ),
    (&[Code::CacheServesOldSet], &[Code::AnswersDiffer]),
    // Where no key has a name, whatever a token says names none of them.
    (&[Code::KidMissing], &[Code::KidUnknown, Code::SignsWithUnpublishedKey]),
    (&[Code::KidOtherEncoding], &[Code::SignsWithUnpublishedKey]),
    (
        &[
            Code::AnswersDiffer,
            Code::CacheServesOldSet,
            Code::KeyWithdrawn,
            Code::KidDuplicate,
            Code::RotationNotPickedUp,
            Code::SignsWithUnpublishedKey,
            Code::SomeKeysUnusable,
            Code::JunkKids,
        ],
        &[Code::GatewayUndecided],
    ),
    (
        &[Code::AnswersDiffer, Code::CacheServesOldSet, Code::KeyWithdrawn, Code::RotationNotPickedUp],
        &[Code::SignsWithUnpublishedKey],
    ),
    (&[Code::SignsWithUnpublishedKey], &[Code::KidUnknown, Code::JunkKids]),
    (&[Code::AlgorithmChanged], &[Code::AlgorithmRefused, Code::GatewayUndecided]),
    (&[Code::SomeKeysUnusable], &[Code::AlgorithmRefused]),
    (&[Code::KeyDenied], &[Code::TokenRevoked]),
    // Our credential, and the endpoint that it is for.
    (CREDENTIAL, &[Code::CredentialsRefused, Code::ExchangeFails]),
    (CREDENTIAL, &[Code::IntrospectionFails, Code::IntrospectionRateLimited]),
    (&[Code::GatewayHoldsOldCredential], &[Code::CredentialsRefused]),
    (CREDENTIAL, INTROSPECTION_SYMPTOMS),
    (CREDENTIAL, UNDECIDED),
    (ENDPOINT, INTROSPECTION_SYMPTOMS),
    (ENDPOINT, UNDECIDED),
    (UNREACHABLE, INTROSPECTION_SYMPTOMS),
    (&[Code::AnswersTooSlowly], &[Code::IntrospectionSlow]),
    (&[Code::IntrospectionFlaps], &[Code::IntrospectionFails, Code::IntrospectionSlow]),
    (&[Code::IntrospectionUnreachable], &[Code::IntrospectionSlow]),
    (&[Code::BreakerOpen], &[Code::FallbackInUse, Code::FallbackFailsToo, Code::NoFallback]),
    (&[Code::BreakerOpen, Code::FallbackFailsToo, Code::NoFallback, Code::GatewayOverloaded], UNDECIDED),
    // An authority that cannot read its log answers nothing that it would have to know for.
    (&[Code::AuthorityCutOff], &[Code::AuthorityBehind, Code::AuthorityRefuses, Code::RotationOverdue]),
    (&[Code::AuthorityBehind, Code::RealmWithoutKey], &[Code::AuthorityRefuses]),
    (&[Code::RotationOverdue], &[Code::RealmWithoutKey]),
    // What clients send.
    (
        &[Code::OtherEnvironment],
        &[
            Code::SignatureForged,
            Code::KidUnknown,
            Code::IssuerUnknown,
            Code::IssuerNotAllowed,
            Code::AudienceWrong,
            Code::JunkKids,
        ],
    ),
    (&[Code::IdTokenSent], &[Code::AudienceWrong, Code::TokenTypeWrong]),
    (&[Code::AudienceElsewhere], &[Code::AudienceWrong]),
    (&[Code::SignedByAnotherKey], &[Code::SignatureForged]),
    (&[Code::OpaqueToken, Code::EncryptedToken, Code::TokenWrapped], &[Code::TokenMalformed]),
    (&[Code::CriticalHeader], &[Code::TokenMalformed]),
    (&[Code::SharedMemoryDown], &[Code::ProofReplayed, Code::GatewayUndecided]),
    (&[Code::GatewayNotReady], &[Code::GatewayUndecided]),
];

/// What keeps anybody from reaching a provider.
const UNREACHABLE: &[Code] = &[
    Code::NameNotResolved,
    Code::ConnectionRefused,
    Code::ConnectionTimedOut,
    Code::OneFamilyBlocked,
    Code::TlsCertificateExpired,
    Code::TlsNameMismatch,
    Code::TlsUntrusted,
    Code::TlsFails,
];

/// What keeps a gateway from fetching an issuer's keys.
const KEEPS_KEYS_AWAY: &[Code] = &[
    Code::NameNotResolved,
    Code::ConnectionRefused,
    Code::ConnectionTimedOut,
    Code::OneFamilyBlocked,
    Code::TlsCertificateExpired,
    Code::TlsNameMismatch,
    Code::TlsUntrusted,
    Code::TlsFails,
    Code::ProviderFails,
    Code::NotFound,
    Code::RateLimited,
    Code::Redirected,
    Code::AnswersTooSlowly,
    Code::NoKeySet,
    Code::KeySetTooLarge,
    Code::AccessDenied,
    Code::AnswerBreaksOff,
    Code::DiscoveryBroken,
    Code::KeyFileUnreadable,
    Code::KeySetEmpty,
    Code::NoUsableKey,
    Code::KeySetAddressWrong,
    Code::IssuerMismatch,
    Code::AddressForbidden,
    Code::HostForeign,
    Code::AddressInsecure,
];

/// How that shows in a gateway's cache.
const CACHE_SYMPTOMS: &[Code] =
    &[Code::KeysStale, Code::KeysTooOld, Code::NoKeysYet, Code::SnapshotInUse, Code::RotationNotPickedUp];

/// What of the cache keeps new keys unknown.
const CACHE_CAUSES: &[Code] =
    &[Code::KeysStale, Code::KeysTooOld, Code::NoKeysYet, Code::RefreshCrashed, Code::SnapshotInUse];

/// How a key that the gateway does not have shows.
const KEY_NOT_KNOWN: &[Code] = &[Code::KidUnknown, Code::JunkKids];

/// How it shows that nobody can tell.
const UNDECIDED: &[Code] = &[Code::GatewayNotReady, Code::GatewayUndecided];

/// What is wrong with our credential.
const CREDENTIAL: &[Code] = &[
    Code::ApplicationKeyForGrant,
    Code::ProviderLosesSightOfKey,
    Code::OwnKeyDisabled,
    Code::OwnKeyExpired,
    Code::AssertionWithoutKid,
    Code::AssertionIssuerWrong,
    Code::KeyKindWrong,
    Code::SecretWrong,
    Code::OwnKeyUnknown,
    Code::ClientUnknown,
    Code::AssertionAudienceWrong,
    Code::AssertionTimesRefused,
    Code::AuthMethodWrong,
    Code::ClientDisabled,
    Code::AssertionSignatureWrong,
    Code::BearerRefused,
    Code::CredentialFileUnusable,
    Code::AssertionFormWrong,
    Code::AssertionReplayed,
    Code::GrantRefused,
    Code::IntrospectionNotAllowed,
    Code::CertificateRefused,
    Code::SecretExpired,
];

/// What is wrong with the introspection endpoint, or with all that is known of our credential there.
const ENDPOINT: &[Code] = &[
    Code::ExchangeFails,
    Code::TokenEndpointUnreachable,
    Code::CredentialsRefused,
    Code::GatewayHoldsOldCredential,
    Code::IntrospectionUnreachable,
    Code::IntrospectionFails,
    Code::IntrospectionWrongAddress,
    Code::IntrospectionMalformed,
    Code::IntrospectionSlow,
    Code::IntrospectionRateLimited,
    Code::IntrospectionFlaps,
];

/// How that shows in a gateway.
const INTROSPECTION_SYMPTOMS: &[Code] =
    &[Code::BreakerOpen, Code::FallbackInUse, Code::FallbackFailsToo, Code::NoFallback];
