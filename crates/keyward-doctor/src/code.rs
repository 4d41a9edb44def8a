//! Every finding that there can be, under a code that never changes its meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::diagnosis::Who;

/// A new code has no page, and is not built without: `cargo xtask generate runbook` makes one.
macro_rules! codes {
    ($($number:literal $name:ident $who:ident $title:literal)*) => {
        /// A kind of finding, in the order of the numbers: 1xxx keys and the way to them, 2xxx introspection and our credentials,
        /// 3xxx clients' tokens, 4xxx our configuration, 5xxx certificates, 6xxx clocks, 7xxx the gateway and the authority. A number is never given
        /// to another kind.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)*
        }

        impl Code {
            /// Every code, in their order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is, in one line.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// Its page among the runbook's, in Markdown.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../docs/how-to/runbook/KW", $number, ".md")),)*
                }
            }

            /// Who can mostly mend it.
            pub const fn who(self) -> Who {
                match self {
                    $(Self::$name => Who::$who,)*
                }
            }
        }
    };
}

codes! {
    1101 NameNotResolved Us "The provider's name does not resolve"
    1102 ConnectionRefused Provider "Nothing listens at the provider's address"
    1103 ConnectionTimedOut Us "Connections to the provider get no answer"
    1104 OneFamilyBlocked Us "The provider answers on one address family and not on the other"
    1105 SomeAddressesDead Provider "Some of the provider's addresses do not answer"
    1106 TlsCertificateExpired Provider "The provider's TLS certificate has expired"
    1107 TlsNameMismatch Provider "The provider's TLS certificate is for another name"
    1108 TlsUntrusted Us "The provider's TLS certificate leads to no authority that we trust"
    1109 TlsFails Provider "The TLS handshake with the provider fails"
    1110 ProviderFails Provider "The provider answers with a server error"
    1111 NotFound Provider "Nothing is at the key set's address"
    1112 RateLimited Provider "The provider limits how often we may ask"
    1113 Redirected Us "The provider redirects to a place that is not followed"
    1114 AnswersTooSlowly Provider "The provider takes the connection and does not answer in time"
    1115 NoKeySet Provider "What the key set's address answers is no JWK Set"
    1116 KeySetTooLarge Provider "The key set is larger than we take"
    1117 AccessDenied Provider "The provider asks for credentials at its key set"
    1118 AnswerBreaksOff Provider "The provider's answer breaks off"
    1119 TlsCertificateExpiring Provider "The provider's TLS certificate expires soon"
    1120 DiscoveryBroken Provider "The provider's discovery document cannot be used"
    1121 KeyFileUnreadable Us "The file with the issuer's keys cannot be used"
    1122 ProviderFlaps Provider "The provider answers now and then"
    1201 KeySetEmpty Provider "The published key set is empty"
    1202 NoUsableKey Provider "None of the published keys can be used"
    1203 SomeKeysUnusable Provider "Some of the published keys cannot be used"
    1204 KidDuplicate Provider "Two published keys share a kid"
    1205 KidMissing Provider "Several keys are published without a kid"
    1206 AnswersDiffer Provider "The key set is another one at each answer"
    1207 CacheServesOldSet Provider "A cache in front of the provider serves an old key set"
    1208 KidOtherEncoding Provider "The kid in tokens is the published one in another spelling"
    1209 AlgorithmChanged Provider "The provider signs with an algorithm that is not accepted"
    1210 SignsWithUnpublishedKey Provider "The provider signs with a key that it does not publish"
    1211 KeyWithdrawn Provider "The provider withdrew a key that tokens are still signed with"
    1212 KeyDenied Us "Tokens are signed with a key that our configuration denies"
    1301 KeysStale Provider "The gateway verifies with an old key set, since it cannot fetch a new one"
    1302 KeysTooOld Provider "The gateway's keys are past the stale limit, and tokens cannot be decided"
    1303 NoKeysYet Provider "The gateway never had keys of this issuer"
    1304 SnapshotInUse Provider "The gateway runs on keys from its disk"
    1305 SnapshotRefused Us "The keys on the gateway's disk were refused"
    1306 SnapshotNotWritten Us "The gateway cannot write its keys to the disk"
    1307 JunkKids Client "Somebody sends tokens with made-up key ids"
    1308 RefreshCrashed Us "The gateway's refresh of an issuer's keys crashed"
    1309 RotationNotPickedUp Us "The gateway has not picked up keys that the provider publishes"
    2101 ApplicationKeyForGrant Us "An application's key is used for the service-account grant"
    2102 ProviderLosesSightOfKey Provider "The provider cannot see our key although it is there"
    2103 OwnKeyDisabled Us "Our key is disabled at the provider"
    2104 OwnKeyExpired Us "Our key has expired at the provider"
    2105 AssertionWithoutKid Us "Our assertion names no key"
    2106 AssertionIssuerWrong Us "Our assertion is not in the name of the key's owner"
    2107 ExchangeFails Provider "The provider fails when we ask for our own token, and does not say why"
    2108 TokenEndpointUnreachable Provider "The token endpoint does not answer"
    2109 KeyKindWrong Us "Our key is of a kind that the provider does not allow for this"
    2201 SecretWrong Us "Our client secret is wrong"
    2202 OwnKeyUnknown Us "The provider does not know our key"
    2203 ClientUnknown Us "The provider does not know our client"
    2204 AssertionAudienceWrong Us "Our assertion is for another audience than the provider expects"
    2205 AssertionTimesRefused Us "Our assertion's times are refused, since the clocks differ"
    2206 AuthMethodWrong Us "The provider wants another client authentication method"
    2207 CredentialsRefused Us "The provider refuses our credential, and does not say why"
    2208 ClientDisabled Provider "Our client is disabled at the provider"
    2209 AssertionSignatureWrong Us "The provider has another public key for our key id"
    2210 BearerRefused Us "The provider refuses the bearer token that we introspect with"
    2211 CredentialFileUnusable Us "A file of our credential cannot be used"
    2212 CredentialFileExposed Us "Others can read a file of our credential"
    2213 GatewayHoldsOldCredential Us "The gateway's credential is refused, and the one on the disk is not"
    2214 AssertionFormWrong Us "Our assertion is not of the form that the provider wants"
    2215 AssertionReplayed Us "Our assertion was used before"
    2216 GrantRefused Us "The provider does not give our client the token that it asks for"
    2217 IntrospectionNotAllowed Us "Our client may not ask about tokens"
    2218 CertificateRefused Us "The provider refuses our client's certificate"
    2219 SecretExpired Us "Our client secret has expired, or is disabled"
    2301 IntrospectionUnreachable Provider "The introspection endpoint does not answer"
    2302 IntrospectionFails Provider "The introspection endpoint answers with a server error"
    2303 IntrospectionWrongAddress Us "The introspection endpoint is not where we look"
    2304 IntrospectionMalformed Provider "What the introspection endpoint answers is no introspection response"
    2305 IntrospectionSlow Provider "The introspection endpoint does not answer in time"
    2306 BreakerOpen Provider "The gateway leaves the introspection endpoint alone"
    2307 FallbackInUse Provider "Tokens are accepted by the second way"
    2308 FallbackFailsToo Provider "Neither way can decide tokens"
    2309 NoFallback Us "Introspection cannot tell, and no other way is allowed"
    2310 IntrospectionRateLimited Provider "The introspection endpoint asks to be left alone"
    2311 IntrospectionFlaps Provider "The introspection endpoint answers now and then"
    2312 IntrospectionBelievesAnything Provider "The introspection endpoint calls a made-up token active"
    3101 TokenExpired Client "Clients send tokens that have expired"
    3102 TokenNotYetValid Client "Clients send tokens that are not valid yet"
    3103 AudienceWrong Client "Tokens are for another audience"
    3104 AudienceElsewhere Provider "Our audience is in the token, but not in aud"
    3105 IdTokenSent Client "An ID token is sent in place of an access token"
    3106 TokenTypeWrong Client "Tokens are of a type that is not accepted"
    3107 SignatureForged Client "Tokens are signed by nobody that we know"
    3108 SignedByAnotherKey Provider "Tokens are signed by another published key than their kid says"
    3109 KidUnknown Client "Tokens name a key that nobody publishes"
    3110 OtherEnvironment Client "Tokens come from another environment of the same provider"
    3111 IssuerUnknown Client "Tokens are of an issuer that is not configured"
    3112 TokenMalformed Client "What clients send is no token"
    3113 TokenTooLarge Client "Tokens are larger than we take"
    3114 ScopeMissing Client "Tokens lack a scope or a claim that a route demands"
    3115 TokenRevoked Client "Tokens are not active any more"
    3116 BindingMissing Us "Bound tokens arrive without the certificate or key that they are bound to"
    3117 BindingMismatch Client "Bound tokens are sent by others than they are bound to"
    3118 ProofRefused Client "DPoP proofs are refused"
    3119 ProofReplayed Client "DPoP proofs are sent twice"
    3120 HeaderStripped Us "Requests arrive without their Authorization header"
    3121 HeaderDoubled Us "Requests arrive with their token twice"
    3122 OpaqueToken Us "Opaque tokens are sent where no introspection endpoint is configured"
    3123 AlgorithmRefused Client "Tokens use an algorithm that is not accepted"
    3124 RouteUnclear Us "A proxy does not tell which request it asks about"
    3125 EncryptedToken Client "Encrypted tokens are sent, which are not read"
    3126 TokenWrapped Client "The token is sent inside quotes, or with its scheme twice"
    3127 CriticalHeader Client "Tokens have a critical header that is not understood"
    3128 IssuerNotAllowed Client "Tokens are of an issuer that the route does not take"
    4101 KeySetAddressWrong Us "The key set is at another address than the one that is configured"
    4102 IssuerMismatch Us "The provider calls itself otherwise than it is configured"
    4103 AudienceConfiguredWrong Us "The audience that is configured is nobody's"
    4104 AddressForbidden Us "The provider's address is one that keys are not fetched from"
    4105 HostForeign Us "The key set is on another host than the issuer"
    4106 AddressInsecure Us "The provider's address is without TLS"
    4107 ConfigurationRefused Us "The gateway refused its new configuration and runs on the old one"
    4108 ConfigurationOutdated Us "The gateway runs on another configuration than the file says"
    4109 LeewayTooSmall Us "The leeway is smaller than the difference of the clocks"
    4110 ConfigurationWarning Us "The configuration can be used, and should not stay as it is"
    5101 WrapperExpired Provider "The certificate around a key has expired"
    5102 WrapperExpiring Provider "The certificate around a key expires soon"
    5103 WrapperMismatch Provider "The certificate around a key is not that key's"
    5104 WrapperUntrusted Provider "The certificate around a key leads to no declared anchor"
    5105 WrapperNotYetValid Provider "The certificate around a key begins later"
    5106 WrapperMissing Provider "A key has no certificate where one is demanded"
    5107 ListenerCertificateExpiring Us "The certificate of our own listener is over, or soon"
    6101 OurClockWrong Us "Our clock is wrong"
    6102 ProviderClockWrong Provider "The provider's clock is wrong"
    7101 GatewayUnreachable Us "The gateway does not answer"
    7102 GatewayNotReady Us "The gateway is not ready"
    7103 GatewayUndecided Us "The gateway cannot decide tokens"
    7104 GatewayOverloaded Us "The gateway has more to ask than it may"
    7105 SharedMemoryDown Us "The shared memory of used proofs does not answer"
    7201 AuthorityUnreachable Us "A node of the authority does not answer"
    7202 AuthorityNotReady Us "A node of the authority is being stopped"
    7203 AuthorityCutOff Us "A node of the authority cannot read its database"
    7204 AuthorityBehind Us "A node of the authority is behind the log"
    7205 RealmWithoutKey Us "A realm of the authority has no key to sign with"
    7206 RotationOverdue Us "A realm's signing key should have been replaced by now"
    7207 AuthorityRefuses Client "The authority refuses many requests for one cause"
    7208 AuthorityConfigurationRefused Us "The authority refused its new configuration and runs on the old one"
}

impl Code {
    /// Where its page is in the repository.
    pub fn page(self) -> String {
        format!("docs/how-to/runbook/{self}.md")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KW{}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// No finding has this code, and no alert this name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{code:?} is no code of a finding and no alert; `keyward doctor explain` lists them all")]
pub struct UnknownCode {
    /// What was asked for.
    pub code: String,
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// `KW1203`, `kw1203` and `1203` are the same.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let digits = text.strip_prefix("KW").or_else(|| text.strip_prefix("kw")).unwrap_or(text);
        let number: Option<u16> = digits.parse().ok();
        Self::ALL
            .iter()
            .copied()
            .find(|code| Some(*code as u16) == number)
            .ok_or_else(|| UnknownCode { code: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_no_number_stands_twice() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
            assert_eq!((*code as u16).to_string().parse(), Ok(*code));
        }
        let numbers: BTreeSet<u16> = Code::ALL.iter().map(|code| *code as u16).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted());
        assert!("KW9999".parse::<Code>().is_err() && "".parse::<Code>().is_err());
    }

    #[test]
    fn no_two_findings_have_one_title() {
        let titles: BTreeSet<&str> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len());
    }
}
