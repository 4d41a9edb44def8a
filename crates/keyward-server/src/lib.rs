//! What the gateway and the authority have in common as servers: listeners and TLS from files, the certificate that a proxy
//! tells, files that are watched, log lines, what a metric is, and what configurations are written in.

pub mod certificate_header;
pub mod listener;
pub mod logs;
pub mod metric;
pub mod tls;

mod config_error;
mod net;
mod proof_algorithm;
mod proof_secret;
mod time;
mod watched_files;

pub use certificate_header::CertificateHeader;
pub use config_error::{ConfigError, Place};
pub use net::{NetError, net};
pub use proof_algorithm::{NotForProofs, proof_algorithm};
pub use proof_secret::{Guessable, ProofSecret};
pub use time::Time;
pub use watched_files::WatchedFiles;
