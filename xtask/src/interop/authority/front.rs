//! What is in front of several nodes: each connection goes to the next one.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::interop::error::Error;

/// Listens on loopback until it is dropped.
#[derive(Debug)]
pub(super) struct Front {
    port: u16,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Front {
    /// In front of these ports on loopback.
    pub(super) fn start(listener: TcpListener, nodes: Vec<u16>) -> Result<Self, Error> {
        let port = listener.local_addr().map_err(Error::io("read a socket's address"))?.port();
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let acceptor = thread::spawn(move || {
            let next = AtomicUsize::new(0);
            for client in listener.incoming().flatten() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let turn = next.fetch_add(1, Ordering::SeqCst);
                if let Some(node) = nodes.get(turn % nodes.len().max(1)).copied() {
                    thread::spawn(move || pass(&client, node));
                }
            }
        });
        Ok(Self { port, stopped, acceptor: Some(acceptor) })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Both ways, until both are over.
fn pass(client: &TcpStream, node: u16) -> io::Result<()> {
    let node = TcpStream::connect(("127.0.0.1", node))?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client.try_clone()?);
    let (mut from_node, mut to_node) = (node.try_clone()?, node);
    let upwards = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_node);
        to_node.shutdown(Shutdown::Write)
    });
    let _ = io::copy(&mut from_node, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    upwards.join().unwrap_or(Ok(()))
}
