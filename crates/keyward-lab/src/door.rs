//! A listener that can be closed and opened again at the same port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
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
    Closed(Option<Held>),
}

/// A port that is held: of 127.0.0.1, and of ::1 where this machine has that and nobody else the port, since `localhost`
/// may stand for either.
#[derive(Debug)]
pub(crate) struct Held {
    v4: TcpSocket,
    v6: Option<TcpSocket>,
}

/// The same, listening.
#[derive(Debug)]
pub(crate) struct Listeners {
    v4: TcpListener,
    v6: Option<TcpListener>,
}

impl Door {
    /// A socket that holds a port, any free one for 0.
    pub(crate) fn hold(port: u16) -> io::Result<Held> {
        let bound = |socket: TcpSocket, address: SocketAddr| {
            // Connections of the listener before it may linger.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok::<_, io::Error>(socket)
        };
        let v4 = bound(TcpSocket::new_v4()?, (Ipv4Addr::LOCALHOST, port).into())?;
        let port = v4.local_addr()?.port();
        let v6 = TcpSocket::new_v6().and_then(|socket| bound(socket, (Ipv6Addr::LOCALHOST, port).into()));
        Ok(Held { v4, v6: v6.ok() })
    }

    /// Opens what `hold` held.
    pub(crate) fn open(listeners: Listeners, issuer: Arc<Issuer>, port: Arc<Port>) -> Self {
        Self::Open(tokio::spawn(accept(listeners, issuer, port)))
    }

    /// The listeners of a closed door; none where it is open.
    pub(crate) fn listen(&mut self, port: u16) -> io::Result<Option<Listeners>> {
        let Self::Closed(held) = self else { return Ok(None) };
        let held = match held.take() {
            Some(held) => held,
            None => Self::hold(port)?,
        };
        held.listen().map(Some)
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

impl Held {
    /// The port's number.
    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.v4.local_addr()?.port())
    }

    pub(crate) fn listen(self) -> io::Result<Listeners> {
        let v6 = self.v6.and_then(|socket| socket.listen(BACKLOG).ok());
        Ok(Listeners { v4: self.v4.listen(BACKLOG)?, v6 })
    }
}

impl Listeners {
    /// The next connection, by either.
    async fn accept(&self) -> io::Result<TcpStream> {
        let accepted = match &self.v6 {
            Some(v6) => tokio::select! {
                accepted = self.v4.accept() => accepted,
                accepted = v6.accept() => accepted,
            },
            None => self.v4.accept().await,
        };
        Ok(accepted?.0)
    }
}

async fn accept(listeners: Listeners, issuer: Arc<Issuer>, port: Arc<Port>) {
    loop {
        let Ok(place) = Arc::clone(&port.places).acquire_owned().await else { return };
        match listeners.accept().await {
            Ok(stream) => {
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
