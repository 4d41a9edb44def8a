//! A connection's handshake, in bounded time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{CertificateError, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side went away.
    #[error("the client hung up")]
    Closed,
    /// One side did not like what the other said.
    #[error("{}", told(.0))]
    Failed(rustls::Error),
    /// It took too long.
    #[error("the client took too long")]
    TimedOut,
}

impl HandshakeError {
    /// The label of the metric.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Shakes hands with a client.
///
/// # Errors
/// [`HandshakeError`].
pub async fn handshake(
    config: &Arc<ServerConfig>,
    stream: TcpStream,
    timeout: Duration,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let accepted = tokio::time::timeout(timeout, acceptor.accept(stream)).await;
    accepted.map_err(|_| HandshakeError::TimedOut)?.map_err(|error| of_io(&error))
}

/// What went wrong; our own words for a certificate are not wrapped in rustls'.
fn told(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(why)) => {
            format!("invalid peer certificate: {why}")
        }
        error => error.to_string(),
    }
}

fn of_io(error: &io::Error) -> HandshakeError {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(error) => HandshakeError::Failed(error.clone()),
        None => HandshakeError::Closed,
    }
}
