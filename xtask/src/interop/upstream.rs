//! The service behind the proxies: answers every request with the headers that reached it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::Error;

/// Serves on loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: AtomicU64,
    stopped: AtomicBool,
}

impl Upstream {
    /// Listens on a free port.
    pub(crate) fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("listen for the upstream"))?;
        let port = listener.local_addr().map_err(Error::io("read a socket's address"))?.port();
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &seen));
        Ok(Self { port, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many requests reached it so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = stream {
            let shared = Arc::clone(shared);
            thread::spawn(move || answer(stream, &shared));
        }
    }
}

/// Reads one request without a body, answers it with its headers as `[[name, value], ...]`, closes.
fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    if lines.next().transpose()?.is_none_or(|line| line.is_empty()) {
        return Ok(());
    }
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) => headers.push([name.to_owned(), value.trim().to_owned()]),
            None => break,
        }
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let body = serde_json::to_vec(&headers)?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}
