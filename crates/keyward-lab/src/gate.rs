//! What stands between a connection and its octets: it lets none through while the endpoint hangs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::port::{Condition, Line};

/// A connection whose endpoint may fall silent at any octet.
pub(crate) struct Gate<IO> {
    io: IO,
    condition: watch::Receiver<Condition>,
    stuck: Stuck,
    /// Whether the client has said that nothing more comes from it.
    ended: bool,
}

/// Whether a connection said less than it should have. Such a one is cut as soon as its endpoint is mended: half an
/// exchange cannot go on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stuck(Arc<AtomicBool>);

impl Stuck {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<IO> Gate<IO> {
    pub(crate) fn new(io: IO, condition: watch::Receiver<Condition>, stuck: Stuck) -> Self {
        Self { io, condition, stuck, ended: false }
    }

    fn line(&self) -> Line {
        self.condition.borrow().line()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gate<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.line() {
            Line::Open(_) => Pin::new(&mut self.io).poll_read(cx, buf),
            Line::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            // What comes is thrown away: the end has to be seen, or a client that gave up would keep its place.
            Line::Silent => loop {
                let mut octets = [0; 1024];
                let mut ignored = ReadBuf::new(&mut octets);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut ignored))?;
                if ignored.filled().is_empty() {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
                self.stuck.set();
            },
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Gate<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.line() {
            Line::Open(_) => Pin::new(&mut self.io).poll_write(cx, octets),
            Line::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            // Said, as far as HTTP knows: it must not wait for what never comes, or a client that gave up would keep
            // its place.
            Line::Silent => {
                self.stuck.set();
                Poll::Ready(Ok(octets.len()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line() == Line::Silent && !self.ended {
            // An end would be an answer, too.
            self.stuck.set();
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connection whose first octet was looked at.
pub(crate) struct Prefixed<IO> {
    first: Option<u8>,
    io: IO,
}

impl<IO> Prefixed<IO> {
    pub(crate) fn new(first: u8, io: IO) -> Self {
        Self { first: Some(first), io }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Prefixed<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(first) = self.first.take_if(|_| buf.remaining() > 0) {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Prefixed<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
