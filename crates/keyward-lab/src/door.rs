//! A listener that can be closed and opened again at the same port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use crate::connection::serve;
use crate::issuer::Issuer;
use crate::port::Port;

/// Connections that the system accepts before the lab does.
const BACKLOG: u32 = 1024;

/// The listener of a port.
#[derive(Debug)]
pub(crate) enum Door {
    /// Open; the task accepts.
    Open(JoinHandle<()>),
    /// Closed. The socket is bound and does not listen: connections are refused, and nobody else gets the port.
    Closed(Option<TcpSocket>),
}

impl Door {
    /// A socket that holds a port, any free one for 0.
    pub(crate) fn hold(port: u16) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        // Connections of the listener before it may linger.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(socket)
    }

    /// Opens what `hold` held.
    pub(crate) fn open(listener: TcpListener, issuer: Arc<Issuer>, port: Arc<Port>) -> Self {
        Self::Open(tokio::spawn(accept(listener, issuer, port)))
    }

    /// The listener of a closed door; none where it is open.
    pub(crate) fn listen(&mut self, port: u16) -> io::Result<Option<TcpListener>> {
        let Self::Closed(held) = self else { return Ok(None) };
        let socket = match held.take() {
            Some(socket) => socket,
            None => Self::hold(port)?,
        };
        listen(socket).map(Some)
    }

    /// Refuses connections when it returns.
    pub(crate) async fn close(&mut self, port: u16) {
        if let Self::Open(task) = self {
            task.abort();
            // It ends by being aborted; then its listener is gone.
            let _ = task.await;
            *self = Self::closed(port);
        }
    }

    /// A closed one. Where the port cannot be held, opening it again will say why.
    pub(crate) fn closed(port: u16) -> Self {
        Self::Closed(Self::hold(port).ok())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Self::Open(task) = self {
            task.abort();
        }
    }
}

pub(crate) fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, issuer: Arc<Issuer>, port: Arc<Port>) {
    loop {
        let Ok(place) = Arc::clone(&port.places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                port.count_connection();
                let (issuer, port) = (Arc::clone(&issuer), Arc::clone(&port));
                // Small answers go out at once; where that cannot be set they go out later.
                let _ = stream.set_nodelay(true);
                tokio::spawn(async move {
                    serve(issuer, port, stream).await;
                    drop(place);
                });
            }
            // Out of descriptors, or a client that has gone: both pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
