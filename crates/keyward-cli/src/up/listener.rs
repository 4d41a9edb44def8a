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

/// Two addresses that are free at this moment. 0 leaves the choice of a port to the system.
pub(super) async fn free(ports: [u16; 2]) -> Result<[SocketAddr; 2], Failure> {
    let [one, other] = ports;
    // Both are held until both are known: a port that is let go of may be given a second time.
    let (one, other) = (on(one).await?, on(other).await?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(|_| unknown());
    Ok([address(&one)?, address(&other)?])
}

/// The system does not say where a listener listens.
pub(super) fn unknown() -> Failure {
    Failure::Listen {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        cause: io::ErrorKind::AddrNotAvailable.into(),
    }
}
