//! TLS of our own listeners: our certificate and its key, and the handshake.

mod fault;
mod handshake;
mod key;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use fault::TlsFault;
pub use handshake::{HandshakeError, handshake};
pub use key::{certificates, certified_key};

/// All cryptography is aws-lc-rs.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
