//! Ports of processes that are started, killed and started again.

use std::io;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::RunError;

/// The first of them. They lie below those that systems give to whoever connects, or asks for any: nobody is given one while its
/// process is away.
const FIRST: u16 = 15_000;

/// How many there are.
const COUNT: u16 = 16_000;

/// How many are tried, where others listen.
const TRIES: usize = 100;

/// Which is next. Other runs begin elsewhere.
static NEXT: OnceLock<AtomicU64> = OnceLock::new();

/// Two ports on loopback that nobody listens on just now, and that nobody else here is given.
pub(crate) fn free_ports() -> Result<[u16; 2], RunError> {
    let found = || -> io::Result<[u16; 2]> { Ok([free_port()?, free_port()?]) };
    found().map_err(RunError::io("find free ports"))
}

fn free_port() -> io::Result<u16> {
    let next = NEXT.get_or_init(|| AtomicU64::new(keyward::entropy::seed()));
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let place = next.fetch_add(1, Ordering::Relaxed) % u64::from(COUNT);
        let port = FIRST.saturating_add(u16::try_from(place).unwrap_or_default());
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_given_once() {
        let mut given: Vec<u16> = (0..50).flat_map(|_| free_ports().unwrap()).collect();
        assert!(given.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 100);
    }
}
