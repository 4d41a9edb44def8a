//! What can be used as it is configured, and should not stay so.

use std::path::PathBuf;

use keyward::credentials::PermissionsTooWide;
use keyward_x509::{Certificate, NoAnchor};

/// Something that an operator should look at before it becomes a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// Our certificate is over soon, or already: no client that looks accepts it then.
    #[error("{}: {certificate} is over in {days} days", path.display())]
    CertificateExpires {
        /// The file.
        path: PathBuf,
        /// The certificate.
        certificate: Certificate,
        /// Whole days until then, negative where it is over.
        days: i64,
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
