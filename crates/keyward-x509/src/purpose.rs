//! What a chain is verified for.

use webpki::{ExtendedKeyUsageValidator, KeyPurposeIdIter};

use crate::Certificate;

/// What the key of a leaf is to be used for.
///
/// The extended key usage of leaf, intermediates and anchor has to allow it where it is there (RFC 5280 §4.2.1.12),
/// and so has the leaf's key usage. `anyExtendedKeyUsage` does not stand for a purpose that is not named beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever the certificates say.
    Any,
    /// A TLS client.
    ClientAuth,
    /// A TLS server.
    ServerAuth,
}

impl Purpose {
    /// The label of this purpose: `any`, `client`, `server`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ClientAuth => "client",
            Self::ServerAuth => "server",
        }
    }

    /// Whether the extended key usage of `certificate` allows it.
    pub(crate) fn is_named_by(self, certificate: &Certificate) -> bool {
        certificate.extended_key_usage().is_none_or(|usage| match self {
            Self::Any => true,
            Self::ClientAuth => usage.client_auth,
            Self::ServerAuth => usage.server_auth,
        })
    }

    /// Whether the key usage of `leaf` goes with it: one of the bits that RFC 5280 §4.2.1.12 lists.
    pub(crate) fn allows_key_usage_of(self, leaf: &Certificate) -> bool {
        leaf.key_usage().is_none_or(|usage| match self {
            Self::Any => true,
            Self::ClientAuth => usage.digital_signature() || usage.key_agreement(),
            Self::ServerAuth => {
                usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
            }
        })
    }
}

impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, mut ids: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        match self {
            Self::Any => ids.try_for_each(|id| id.map(drop)),
            Self::ClientAuth => webpki::KeyUsage::client_auth().validate(ids),
            Self::ServerAuth => webpki::KeyUsage::server_auth().validate(ids),
        }
    }
}
