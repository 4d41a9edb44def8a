//! What a certificate says its key is for.

use x509_parser::extensions;

/// The key usage extension (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    pub(crate) fn of(extension: &extensions::KeyUsage) -> Self {
        Self(extension.flags)
    }

    /// The key makes signatures other than those on certificates and CRLs.
    pub fn digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    /// The key encrypts keys.
    pub fn key_encipherment(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// The key agrees on keys.
    pub fn key_agreement(self) -> bool {
        self.0 & 1 << 4 != 0
    }

    /// The key signs certificates.
    pub fn key_cert_sign(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// The key signs certificate revocation lists.
    pub fn crl_sign(self) -> bool {
        self.0 & 1 << 6 != 0
    }
}

/// The extended key usage extension (RFC 5280 §4.2.1.12), as far as anything here asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// `anyExtendedKeyUsage`. It does not stand for a purpose that is asked for by name.
    pub any: bool,
    /// `id-kp-clientAuth`.
    pub client_auth: bool,
    /// `id-kp-serverAuth`.
    pub server_auth: bool,
}

impl ExtendedKeyUsage {
    pub(crate) fn of(extension: &extensions::ExtendedKeyUsage<'_>) -> Self {
        Self { any: extension.any, client_auth: extension.client_auth, server_auth: extension.server_auth }
    }
}
