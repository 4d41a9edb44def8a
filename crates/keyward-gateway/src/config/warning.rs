//! What can be used as it is configured, and should not stay so.

use std::path::PathBuf;

use keyward::credentials::PermissionsTooWide;
use keyward_x509::{Certificate, CertificateError, NoAnchor};

/// Something that an operator should look at before it becomes a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigWarning {
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
    /// Others than its owner have rights on the file of a credential.
    #[error(transparent)]
    Credential(PermissionsTooWide),
    /// The file of a credential cannot be used. A gateway does not begin with it.
    #[error("{why}")]
    CredentialUnusable {
        /// The file.
        path: PathBuf,
        /// Why, with the file's name.
        why: String,
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
    /// The Redis of used proofs is on another machine, and reached without TLS.
    #[error(
        "{}: redis:// leads to another machine without TLS: whoever is between can read its password, and let used proofs \
         pass; rediss:// does not",
        path.display()
    )]
    RedisInTheClear {
        /// The file with its address.
        path: PathBuf,
    },
    /// Others than its owner have rights on a listener's key, on the secret of nonces, or on the
    /// address of the Redis of used proofs.
    #[error(transparent)]
    Secret(PermissionsTooWide),
    /// Spans, and the headers that go along with them, are sent to another machine without TLS.
    #[error(
        "{endpoint} is on another machine and reached without TLS: whoever is between can read what headers_file says"
    )]
    TracesInTheClear {
        /// Where they are sent.
        endpoint: String,
    },
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
