//! What can be used as it is configured, and should not stay so.

use std::path::PathBuf;

use keyward::credentials::PermissionsTooWide;
use keyward_server::config::FileWarning;

/// Something that an operator should look at before it becomes a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigWarning {
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
    /// What is in another file of those that are named.
    #[error(transparent)]
    File(FileWarning),
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
    /// Spans, and the headers that go along with them, are sent to another machine without TLS.
    #[error(
        "{endpoint} is on another machine and reached without TLS: whoever is between can read what headers_file says"
    )]
    TracesInTheClear {
        /// Where they are sent.
        endpoint: String,
    },
}
