//! What happens to a connection before anybody answers on it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};

/// How long accepting rests after an error such as "too many open files".
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Accepts a connection.
///
/// # Errors
/// What the system said, after a rest: it may be the same at once.
pub async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are one small packet; waiting to fill it only delays them.
            let _ = stream.set_nodelay(true);
            Ok((stream, peer))
        }
        Err(error) => {
            tokio::time::sleep(ACCEPT_REST).await;
            Err(error)
        }
    }
}

/// HTTP/1.1 whose heads have to come within `head_timeout`, the wait for the next one included, and in `head_octets`.
pub fn http1(head_timeout: Duration, head_octets: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_buf_size(head_octets);
    builder
}
