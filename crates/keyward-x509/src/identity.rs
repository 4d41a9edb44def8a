//! Names that a certificate is held against.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls_pki_types::{CertificateDer, DnsName, ServerName};
use webpki::EndEntityCert;

use crate::Certificate;

/// A name that a certificate may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A host, as RFC 9525 §6.3 compares it: case aside, `*` for one whole leftmost label. The subject's common name
    /// never counts.
    Dns(DnsName<'static>),
    /// An address, octet for octet.
    Ip(IpAddr),
    /// A SPIFFE id, which has to be the only URI.
    Spiffe(SpiffeId),
}

/// Why a text is no [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a DNS name, without `*`.
    #[error("neither a DNS name nor an IP address nor a SPIFFE id")]
    NotAName,
    /// Not a SPIFFE id.
    #[error("{0}")]
    Spiffe(#[from] SpiffeError),
}

/// Why a certificate has no SPIFFE id, or a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeError {
    /// It is not of the form `spiffe://trust-domain/path` (SPIFFE-ID §2).
    #[error("not a SPIFFE id such as spiffe://example.org/service")]
    Malformed,
    /// The certificate's key may sign certificates or CRLs, or may not sign (X509-SVID §4.3).
    #[error("the key usage of a leaf with a SPIFFE id is digitalSignature, without keyCertSign and cRLSign")]
    NotALeaf,
    /// The certificate has none, or another URI beside it (X509-SVID §2).
    #[error("{uris} URIs among the subject alternative names, where one makes a SPIFFE id")]
    NotTheOnlyUri {
        /// How many there are.
        uris: usize,
    },
}

/// The name of a workload, `spiffe://trust-domain/path`, as the SPIFFE-ID specification writes it (§2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId(Box<str>);

impl SpiffeId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its trust domain, such as `example.org`.
    pub fn trust_domain(&self) -> &str {
        let rest = self.0.strip_prefix(SCHEME).unwrap_or_default();
        rest.split_once('/').map_or(rest, |(domain, _)| domain)
    }

    /// Its path with the slash before it; empty where it names the trust domain itself.
    pub fn path(&self) -> &str {
        self.0.get(SCHEME.len() + self.trust_domain().len()..).unwrap_or_default()
    }
}

const SCHEME: &str = "spiffe://";

impl FromStr for SpiffeId {
    type Err = SpiffeError;

    fn from_str(text: &str) -> Result<Self, SpiffeError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeError::Malformed)?;
        let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
        let is_of = |text: &str, more: fn(u8) -> bool| {
            !text.is_empty()
                && text.bytes().all(|octet| octet.is_ascii_digit() || b"-._".contains(&octet) || more(octet))
        };
        let is_segment =
            |text: &str| is_of(text, |octet| octet.is_ascii_alphabetic()) && text != "." && text != "..";
        let is_good = text.len() <= 2048
            && domain.len() <= 255
            && is_of(domain, |octet| octet.is_ascii_lowercase())
            && path.is_none_or(|path| path.split('/').all(is_segment));
        if is_good { Ok(Self(text.into())) } else { Err(SpiffeError::Malformed) }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.contains("://") {
            return Ok(Self::Spiffe(text.parse()?));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = DnsName::try_from(text.to_owned()).map_err(|_| IdentityError::NotAName)?;
        Ok(Self::Dns(name))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_ref()),
            Self::Ip(address) => address.fmt(f),
            Self::Spiffe(id) => id.fmt(f),
        }
    }
}

impl Identity {
    /// Whether `certificate` is for this name. That it may be believed is not said.
    pub(crate) fn is_named_by(&self, certificate: &Certificate) -> bool {
        let name = match self {
            Self::Dns(name) => ServerName::DnsName(name.borrow()),
            Self::Ip(address) => ServerName::IpAddress((*address).into()),
            Self::Spiffe(id) => return certificate.spiffe_id().as_ref() == Ok(id),
        };
        let der = CertificateDer::from(certificate.der());
        EndEntityCert::try_from(&der)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

impl Certificate {
    /// The SPIFFE id of a leaf. Like everything a certificate says it may be invented, until it is verified.
    ///
    /// # Errors
    /// [`SpiffeError`] where it has none, or is no leaf that may have one.
    pub fn spiffe_id(&self) -> Result<SpiffeId, SpiffeError> {
        let mut uris = self.uris();
        let (Some(uri), None) = (uris.next(), uris.next()) else {
            return Err(SpiffeError::NotTheOnlyUri { uris: self.uris().count() });
        };
        let id = uri.parse()?;
        let signs_only =
            |usage: crate::KeyUsage| usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign();
        if self.is_ca() || !self.key_usage().is_some_and(signs_only) {
            return Err(SpiffeError::NotALeaf);
        }
        Ok(id)
    }
}
