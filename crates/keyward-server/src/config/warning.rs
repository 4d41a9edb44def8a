//! What can be used as it is in a file, and should not stay so.

use std::path::PathBuf;

use keyward::credentials::PermissionsTooWide;
use keyward_x509::{Certificate, CertificateError, NoAnchor};

/// Something in a file that an operator should look at before it becomes a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileWarning {
    /// A certificate of a listener is over: no client that looks accepts it.
    #[error("{}: {certificate} is over since {seconds} s", path.display())]
    CertificateExpired {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// For how long.
        seconds: i64,
    },
    /// A certificate of a listener is over soon.
    #[error("{}: {certificate} is over in {days} days", path.display())]
    CertificateExpires {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// Whole days until then.
        days: i64,
    },
    /// A certificate of a listener is not valid yet.
    #[error("{}: {certificate} is not valid before {seconds} s from now", path.display())]
    CertificateNotYetValid {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// How long it takes.
        seconds: i64,
    },
    /// A certificate that is declared as an anchor is none: chains may lead through it, and do not end there.
    #[error("{}: {certificate} is no trust anchor: {why}", path.display())]
    NoAnchor {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// Why.
        why: NoAnchor,
    },
    /// Others than its owner have rights on the file of a secret.
    #[error(transparent)]
    Secret(PermissionsTooWide),
    /// An entry of a file with authorities that cannot be read. The others count.
    #[error("{}: the certificate at place {place} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Its place, from 1.
        place: usize,
        /// Why.
        why: CertificateError,
    },
}
