//! Which certificates were revoked, as far as lists say so (RFC 5280 §5).

use std::fmt;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::bundle::is_pem;
use crate::{Certificate, name};

/// A certificate revocation list. That its signature holds is looked at when it is used.
#[derive(Clone)]
pub struct Crl {
    list: std::sync::Arc<CertRevocationList<'static>>,
    issuer: Box<str>,
    issuer_der: Box<[u8]>,
    this_update: i64,
    next_update: i64,
}

/// Why octets are no list of revoked certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// They are not the DER of a CRL.
    #[error("not the DER of a certificate revocation list")]
    Malformed,
    /// There is no CRL in it.
    #[error("there is no certificate revocation list in it, neither PEM (\"BEGIN X509 CRL\") nor DER")]
    NoList,
    /// There are more octets than [`Crl::SIZE_LIMIT`].
    #[error("{octets} octets, over the limit of {limit}", limit = Crl::SIZE_LIMIT)]
    TooLarge {
        /// How many there are.
        octets: usize,
    },
    /// It is of a kind that is not supported: version 1, a delta, an indirect one, one for some reasons only, or one
    /// without `nextUpdate`.
    #[error("a kind of certificate revocation list that is not supported")]
    Unsupported,
}

impl Crl {
    /// The most octets of a list, 16 MiB.
    pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;

    /// Reads one list.
    ///
    /// # Errors
    /// [`CrlError`] where these octets are none, or of a kind that is not supported.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > Self::SIZE_LIMIT {
            return Err(CrlError::TooLarge { octets: der.len() });
        }
        let (rest, read) = CertificateRevocationList::from_der(der).map_err(|_| CrlError::Malformed)?;
        if !rest.is_empty() {
            return Err(CrlError::Malformed);
        }
        let list = OwnedCertRevocationList::from_der(der).map_err(|_| CrlError::Unsupported)?;
        Ok(Self {
            list: std::sync::Arc::new(list.into()),
            issuer: name::text(read.issuer().as_raw()),
            issuer_der: read.issuer().as_raw().into(),
            this_update: read.last_update().timestamp(),
            next_update: read.next_update().ok_or(CrlError::Unsupported)?.timestamp(),
        })
    }

    /// Reads all lists of a file, PEM or one in DER.
    ///
    /// # Errors
    /// [`CrlError`] where one cannot be read: which certificates were revoked is then unknown.
    pub fn all_from_pem_or_der(octets: &[u8]) -> Result<Vec<Self>, CrlError> {
        if octets.len() > Self::SIZE_LIMIT {
            return Err(CrlError::TooLarge { octets: octets.len() });
        }
        if !is_pem(octets) {
            return Ok(vec![Self::from_der(octets)?]);
        }
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(octets)
            .map(|der| der.map_err(|_| CrlError::Malformed).and_then(|der| Self::from_der(&der)))
            .collect::<Result<_, _>>()?;
        if lists.is_empty() { Err(CrlError::NoList) } else { Ok(lists) }
    }

    /// Its issuer, for people; see [`Certificate::subject`].
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When it was made, in seconds since 1970.
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// When there will be a newer one at the latest.
    pub fn next_update(&self) -> i64 {
        self.next_update
    }

    /// Whether it speaks of what the issuer of `certificate` issued.
    pub(crate) fn is_of_issuer(&self, certificate: &Certificate) -> bool {
        *self.issuer_der == *certificate.issuer_der()
    }

    /// When `certificate` was revoked, if it speaks of it.
    pub(crate) fn revoked_at(&self, certificate: &Certificate) -> Option<i64> {
        let revoked = self.list.find_serial(certificate.serial_octets()).ok()??;
        Some(i64::try_from(revoked.revocation_date.as_secs()).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {} to {})", self.issuer, self.this_update, self.next_update)
    }
}

/// What is known of revoked certificates, and what it means not to know.
///
/// A certificate that a list names is refused, whatever the mode, and so is one whose list has a signature that does
/// not verify: each certificate of a path below its anchor is looked at.
#[derive(Clone, Debug)]
pub struct Revocation {
    crls: Vec<Crl>,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Hard,
    None,
    Soft,
}

impl Revocation {
    /// Nobody looks.
    pub fn none() -> Self {
        Self { crls: Vec::new(), mode: Mode::None }
    }

    /// Every certificate needs a list of its issuer that is not past its `nextUpdate`.
    pub fn hard(crls: impl IntoIterator<Item = Crl>) -> Self {
        Self { crls: newest_first(crls), mode: Mode::Hard }
    }

    /// A certificate of whose issuer there is no list passes, and a list past its `nextUpdate` still counts.
    pub fn soft(crls: impl IntoIterator<Item = Crl>) -> Self {
        Self { crls: newest_first(crls), mode: Mode::Soft }
    }

    /// The lists, the newest first.
    pub fn crls(&self) -> &[Crl] {
        &self.crls
    }

    pub(crate) fn is_hard(&self) -> bool {
        self.mode == Mode::Hard
    }

    /// The lists for rustls-webpki.
    pub(crate) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.crls.iter().map(|crl| &*crl.list).collect()
    }

    /// None where nothing is to be checked, which is not so in hard mode.
    pub(crate) fn options<'a>(
        &self,
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Option<RevocationOptions<'a>> {
        let builder = RevocationOptionsBuilder::new(lists).ok()?;
        let builder = match self.mode {
            Mode::Hard => builder
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce),
            Mode::None => return None,
            Mode::Soft => builder
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore),
        };
        Some(builder.build())
    }
}

/// Of several lists of one issuer rustls-webpki looks at the first only.
fn newest_first(crls: impl IntoIterator<Item = Crl>) -> Vec<Crl> {
    let mut crls: Vec<_> = crls.into_iter().collect();
    crls.sort_by_key(|crl| std::cmp::Reverse(crl.this_update));
    crls
}
