//! Listeners on loopback: the wanted port, or a free one where that is taken.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::exit::Failure;
use crate::output::tell;

/// Listens on `port`.
pub(super) async fn on(port: u16) -> Result<TcpListener, Failure> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(wanted).await {
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
            tell(format_args!("port {port} is taken; a free one is used"));
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            TcpListener::bind(any).await.map_err(|cause| Failure::Listen { address: any, cause })
        }
        bound => bound.map_err(|cause| Failure::Listen { address: wanted, cause }),
    }
}

/// An address that is free at this moment. 0 leaves the choice to whoever binds it.
pub(super) async fn free(port: u16) -> Result<SocketAddr, Failure> {
    on(port).await?.local_addr().map_err(|_| unknown())
}

/// The system does not say where a listener listens.
pub(super) fn unknown() -> Failure {
    Failure::Listen {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        cause: io::ErrorKind::AddrNotAvailable.into(),
    }
}
