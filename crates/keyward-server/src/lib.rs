//! What the gateway and the authority have in common as servers: listeners and TLS from files, the certificate that a proxy
//! tells, files that are watched, log lines, what a metric is, and what configurations have in common.

pub mod certificate_header;
pub mod config;
pub mod listener;
pub mod logs;
pub mod metric;
pub mod tls;

mod proof_secret;
mod watched_files;

pub use certificate_header::CertificateHeader;
pub use proof_secret::{Guessable, ProofSecret};
pub use watched_files::WatchedFiles;
