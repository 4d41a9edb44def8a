//! A connection's handshake, in bounded time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::ListenerTls;
use crate::connection::Connection;

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
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
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Shakes hands with a client, and says what is known of it then.
pub(crate) async fn handshake(
    tls: &ListenerTls,
    stream: TcpStream,
    peer: SocketAddr,
    timeout: Duration,
) -> Result<(TlsStream<TcpStream>, Connection), HandshakeError> {
    let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
    let accepted = tokio::time::timeout(timeout, acceptor.accept(stream)).await;
    let stream = accepted.map_err(|_| HandshakeError::TimedOut)?.map_err(of_io)?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let connection = Connection::tls(peer, certificate.map(|certificate| &**certificate));
    Ok((stream, connection))
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

fn of_io(error: io::Error) -> HandshakeError {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(error) => HandshakeError::Failed(error.clone()),
        None => HandshakeError::Closed,
    }
}
