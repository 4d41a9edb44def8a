//! One certificate, read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::{ExtendedKeyUsage, KeyUsage, name};

/// A certificate: its octets and what they say. To clone it is cheap.
///
/// Reading is not believing: all that it says may be a stranger's invention until [`verify`](crate::verify) took it
/// to an anchor. Two certificates are equal where their octets are.
#[derive(Clone)]
pub struct Certificate(Arc<Facts>);

struct Facts {
    der: Box<[u8]>,
    /// Made when somebody asks: what can be verified names nobody to a person.
    subject: OnceLock<Box<str>>,
    issuer: OnceLock<Box<str>>,
    serial: Box<[u8]>,
    subject_der: Box<[u8]>,
    issuer_der: Box<[u8]>,
    not_before: i64,
    not_after: i64,
    spki: Box<[u8]>,
    is_ca: bool,
    path_length: Option<u32>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<ExtendedKeyUsage>,
    subject_key_id: Option<Box<[u8]>>,
    authority_key_id: Option<Box<[u8]>>,
    dns_names: Vec<Box<str>>,
    uris: Vec<Box<str>>,
    email_addresses: Vec<Box<str>>,
    ip_addresses: Vec<IpAddr>,
    thumbprint_sha256: [u8; 32],
}

/// Why octets are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// They are not the DER of an X.509 certificate, or an extension is broken or stands twice.
    #[error("not the DER of an X.509 certificate")]
    Malformed,
    /// They are more than [`Certificate::SIZE_LIMIT`].
    #[error("{octets} octets, over the limit of {limit}", limit = Certificate::SIZE_LIMIT)]
    TooLarge {
        /// How many there are.
        octets: usize,
    },
    /// Something follows the certificate.
    #[error("{octets} octets follow the certificate")]
    TrailingOctets {
        /// How many do.
        octets: usize,
    },
}

/// Where a moment stands to a certificate's two times, both of which belong to its validity (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It is after `notAfter`.
    Expired,
    /// It is before `notBefore`.
    NotYetValid,
    /// It is neither.
    Valid,
}

impl Validity {
    /// Of these two times, in seconds since 1970, at `now`.
    pub fn of(not_before: i64, not_after: i64, now: i64) -> Self {
        if now > not_after {
            Self::Expired
        } else if now < not_before {
            Self::NotYetValid
        } else {
            Self::Valid
        }
    }
}

impl Certificate {
    /// The most octets of a certificate: no larger one can be part of a path.
    pub const SIZE_LIMIT: usize = 0xffff;

    /// Reads one certificate.
    ///
    /// # Errors
    /// [`CertificateError`] where these octets are none, or more than one.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::SIZE_LIMIT {
            return Err(CertificateError::TooLarge { octets: der.len() });
        }
        let (rest, certificate) = Self::first_from_der(der)?;
        match rest.len() {
            0 => Ok(certificate),
            octets => Err(CertificateError::TrailingOctets { octets }),
        }
    }

    /// Reads the certificate that `octets` begin with, and hands back what follows it.
    pub(crate) fn first_from_der(octets: &[u8]) -> Result<(&[u8], Self), CertificateError> {
        let (rest, certificate) =
            X509Certificate::from_der(octets).map_err(|_| CertificateError::Malformed)?;
        let der = certificate.as_raw();
        if der.len() > Self::SIZE_LIMIT {
            return Err(CertificateError::TooLarge { octets: der.len() });
        }
        let facts = Facts::read(der, &certificate).ok_or(CertificateError::Malformed)?;
        Ok((rest, Self(Arc::new(facts))))
    }

    /// The octets.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The subject, such as `C=DE, O=Example, CN=Root`, for people: escaped, cut at 256 characters, and empty where it
    /// has none. Compare [`subject_der`](Self::subject_der).
    pub fn subject(&self) -> &str {
        self.0.subject.get_or_init(|| name::text(&self.0.subject_der))
    }

    /// The issuer, likewise.
    pub fn issuer(&self) -> &str {
        self.0.issuer.get_or_init(|| name::text(&self.0.issuer_der))
    }

    /// The subject as the DER of a Name (RFC 5280 §4.1.2.6). Chains are linked by its octets.
    pub fn subject_der(&self) -> &[u8] {
        &self.0.subject_der
    }

    /// The issuer, likewise.
    pub fn issuer_der(&self) -> &[u8] {
        &self.0.issuer_der
    }

    /// The serial number in lower-case hexadecimal digits, two an octet; what is over 20 octets (RFC 5280 §4.1.2.2) is
    /// cut.
    pub fn serial(&self) -> String {
        let octets = match &*self.0.serial {
            [0, rest @ ..] if !rest.is_empty() => rest,
            octets => octets,
        };
        let (shown, is_cut) =
            octets.split_at_checked(20).map_or((octets, false), |(shown, rest)| (shown, !rest.is_empty()));
        hex(shown) + if is_cut { "…" } else { "" }
    }

    /// The contents of the serial number's INTEGER.
    pub(crate) fn serial_octets(&self) -> &[u8] {
        &self.0.serial
    }

    /// The first second at which it is valid, since 1970.
    pub fn not_before(&self) -> i64 {
        self.0.not_before
    }

    /// The last second at which it is valid, since 1970.
    pub fn not_after(&self) -> i64 {
        self.0.not_after
    }

    /// Where `now` stands to both times.
    pub fn validity(&self, now: i64) -> Validity {
        Validity::of(self.not_before(), self.not_after(), now)
    }

    /// The SubjectPublicKeyInfo, DER (RFC 5280 §4.1.2.7).
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// Whether its basic constraints call it a CA (RFC 5280 §4.2.1.9). Without that extension it is none.
    pub fn is_ca(&self) -> bool {
        self.0.is_ca
    }

    /// How many intermediates may follow it, where it says.
    pub fn path_length(&self) -> Option<u32> {
        self.0.path_length
    }

    /// What its key is for, where it says.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.key_usage
    }

    /// The purposes of its key, where it says.
    pub fn extended_key_usage(&self) -> Option<ExtendedKeyUsage> {
        self.0.extended_key_usage
    }

    /// The DNS names of its subject alternative names, as they stand there: a stranger's text.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.0.dns_names.iter().map(|name| &**name)
    }

    /// The URIs among them, likewise.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.0.uris.iter().map(|uri| &**uri)
    }

    /// The e-mail addresses among them, likewise.
    pub fn email_addresses(&self) -> impl Iterator<Item = &str> {
        self.0.email_addresses.iter().map(|address| &**address)
    }

    /// The IP addresses among them.
    pub fn ip_addresses(&self) -> &[IpAddr] {
        &self.0.ip_addresses
    }

    /// Whether its subject key identifier is the one that `issued` names as its issuer's (RFC 5280 §4.2.1.1): a hint
    /// where to look first, and no more than that.
    pub(crate) fn is_hinted_at_by(&self, issued: &Self) -> bool {
        self.0.subject_key_id.is_some() && self.0.subject_key_id == issued.0.authority_key_id
    }

    /// Whether subject and issuer are the same. That it is also *signed* by its own key is not said.
    pub fn is_self_issued(&self) -> bool {
        self.0.subject_der == self.0.issuer_der
    }

    /// The SHA-1 of its octets: what `x5t` is held against (RFC 7517 §4.8), and good for nothing else.
    pub fn thumbprint_sha1(&self) -> [u8; 20] {
        let mut octets = [0; 20];
        octets.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, self.der()).as_ref());
        octets
    }

    /// The SHA-256 of its octets: its fingerprint, the `x5t#S256` of RFC 7517 §4.9 and RFC 8705 §3.1.
    pub fn thumbprint_sha256(&self) -> &[u8; 32] {
        &self.0.thumbprint_sha256
    }
}

impl Facts {
    /// None where an extension that is looked at is broken or stands twice.
    fn read(der: &[u8], certificate: &X509Certificate<'_>) -> Option<Self> {
        let basic_constraints = certificate.basic_constraints().ok()?;
        let key_usage = certificate.key_usage().ok()?;
        let extended_key_usage = certificate.extended_key_usage().ok()?;
        let alternative_names = certificate.subject_alternative_name().ok()?;
        let mut facts = Self {
            der: der.into(),
            subject: OnceLock::new(),
            issuer: OnceLock::new(),
            serial: certificate.raw_serial().into(),
            subject_der: certificate.subject().as_raw().into(),
            issuer_der: certificate.issuer().as_raw().into(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            spki: certificate.public_key().raw.into(),
            is_ca: basic_constraints.as_ref().is_some_and(|extension| extension.value.ca),
            path_length: basic_constraints.and_then(|extension| extension.value.path_len_constraint),
            key_usage: key_usage.map(|extension| KeyUsage::of(extension.value)),
            extended_key_usage: extended_key_usage.map(|extension| ExtendedKeyUsage::of(extension.value)),
            subject_key_id: None,
            authority_key_id: None,
            dns_names: Vec::new(),
            uris: Vec::new(),
            email_addresses: Vec::new(),
            ip_addresses: Vec::new(),
            thumbprint_sha256: sha256(der),
        };
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    facts.authority_key_id = authority.key_identifier.as_ref().map(|id| id.0.into());
                }
                ParsedExtension::SubjectKeyIdentifier(id) => facts.subject_key_id = Some(id.0.into()),
                _ => {}
            }
        }
        for name in alternative_names.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(name) => facts.dns_names.push((*name).into()),
                GeneralName::IPAddress(octets) => facts.ip_addresses.extend(ip_address(octets)),
                GeneralName::RFC822Name(address) => facts.email_addresses.push((*address).into()),
                GeneralName::URI(uri) => facts.uris.push((*uri).into()),
                _ => {}
            }
        }
        Some(facts)
    }
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into());
    v4().or_else(|_| v6()).ok()
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}

/// Lower-case hexadecimal digits, two an octet.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The certificate as an error names it: subject and serial number.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject() {
            "" => write!(f, "the certificate without subject (serial {})", self.serial()),
            subject => write!(f, "{subject} (serial {})", self.serial()),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}
