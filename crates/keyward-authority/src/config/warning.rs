//! What can be used as it is configured, and should not stay so.

use std::path::PathBuf;

use keyward::credentials::PermissionsTooWide;
use keyward_x509::{Certificate, NoAnchor};

/// Something that an operator should look at before it becomes a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// A certificate of ours is over: no client that looks accepts it.
    #[error("{}: {certificate} is over since {seconds} s", path.display())]
    CertificateExpired {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// For how long.
        seconds: i64,
    },
    /// A certificate of ours is over soon.
    #[error("{}: {certificate} is over in {days} days", path.display())]
    CertificateExpires {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// Whole days until then.
        days: i64,
    },
    /// A certificate of ours is not valid yet.
    #[error("{}: {certificate} is not valid before {seconds} s from now", path.display())]
    CertificateNotYetValid {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// How long it takes.
        seconds: i64,
    },
    /// A certificate for clients' chains that anchors nothing.
    #[error("{}: {certificate} is no trust anchor: {why}", path.display())]
    NoAnchor {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// Why not.
        why: NoAnchor,
    },
    /// A secret that others can read.
    #[error(transparent)]
    Secret(#[from] PermissionsTooWide),
}
