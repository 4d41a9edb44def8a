//! Load for a server on loopback: requests over kept connections, each answered before the next is sent on
//! its connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use memchr::{memchr_iter, memmem};

use crate::Failure;

/// Connections, in two halves: while one half's requests are under way, the other half's answers are read.
const CONNECTIONS: usize = 32;

/// Connections to one server.
pub(crate) struct Load {
    connections: Vec<Connection>,
    next: usize,
}

/// What a time of load came to.
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) fn connect(server: SocketAddr) -> Result<Self, Failure> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(server)).collect::<Result<_, _>>()?;
        Ok(Self { connections, next: 0 })
    }

    /// Sends `requests` round and round for `time`. Each must be answered with 2xx.
    pub(crate) fn run(&mut self, requests: &[Vec<u8>], time: Duration) -> Result<Count, Failure> {
        let started = Instant::now();
        let mut count = 0;
        let half = CONNECTIONS / 2;
        self.send(0..half, requests)?;
        while started.elapsed() < time {
            self.send(half..CONNECTIONS, requests)?;
            self.receive(0..half)?;
            self.send(0..half, requests)?;
            self.receive(half..CONNECTIONS)?;
            count += CONNECTIONS as u64;
        }
        self.receive(0..half)?;
        Ok(Count { requests: count + half as u64, took: started.elapsed() })
    }

    /// How many requests were sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.next
    }

    fn send(&mut self, which: std::ops::Range<usize>, requests: &[Vec<u8>]) -> Result<(), Failure> {
        for connection in self.connections.get_mut(which).unwrap_or_default() {
            let request = requests.get(self.next % requests.len()).ok_or("no request")?;
            self.next += 1;
            connection.send(request)?;
        }
        Ok(())
    }

    fn receive(&mut self, which: std::ops::Range<usize>) -> Result<(), Failure> {
        for connection in self.connections.get_mut(which).unwrap_or_default() {
            connection.receive()?;
        }
        Ok(())
    }
}

/// One connection, on which each request is answered before the next is sent.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(request)?)
    }

    /// The answer, which must be 2xx.
    pub(crate) fn receive(&mut self) -> Result<&[u8], Failure> {
        let mut octets = 0;
        loop {
            let room = self.buffer.get_mut(octets..).ok_or("an answer that never ends")?;
            octets += match self.stream.read(room)? {
                0 => return Err("the server closed the connection".into()),
                read => read,
            };
            if self.buffer.get(..octets).is_some_and(is_whole) {
                break;
            }
        }
        let answer = self.buffer.get(..octets).unwrap_or_default();
        if answer.starts_with(b"HTTP/1.1 20") {
            Ok(answer)
        } else {
            Err(format!("answered {}", String::from_utf8_lossy(answer)).into())
        }
    }
}

/// Whether there is all of an answer: its head, and as much of a body as `Content-Length` says. What it costs is taken from the
/// servers, and from those with long heads most.
fn is_whole(answer: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = memmem::find(answer, b"\r\n\r\n") else { return false };
    let lines = memchr_iter(b'\n', answer.get(..head).unwrap_or_default());
    let said = lines
        .filter_map(|end| answer.get(end + 1..head)?.split_at_checked(NAME.len()))
        .find(|(name, _)| name.eq_ignore_ascii_case(NAME))
        .and_then(|(_, rest)| str::from_utf8(rest).ok()?.lines().next()?.trim().parse::<usize>().ok());
    answer.len() >= head + 4 + said.unwrap_or(0)
}
