//! Bodies that are not what they should be.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// What a body that is too long begins with.
const START: &[u8] = b"{\"keys\":[";
const CHUNK: usize = 64 * 1024;
const OVERSIZED: usize = 50_000_000;
const BOMB: usize = 1 << 30;
const BOMB_CHUNK: usize = 1 << 20;

/// A body of the lab.
#[derive(Debug)]
pub(crate) enum LabBody {
    /// As it should be.
    Whole(Full<Bytes>),
    /// Promised, and never sent.
    Withheld(u64),
    /// An octet a second.
    Drip { rest: Bytes, next: Pin<Box<Sleep>> },
    /// Some of it, and then the connection is cut.
    Half { length: u64, first: Option<Bytes>, flushed: bool },
    /// This many octets of spaces after the start of a JWK Set, in chunks without a `Content-Length`.
    Endless { left: usize },
}

/// The body ends before it is complete, so the connection has to be closed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut, as the lab was told")]
pub(crate) struct Cut;

impl LabBody {
    pub(crate) fn whole(body: Bytes) -> Self {
        Self::Whole(Full::new(body))
    }

    pub(crate) fn drip(body: Bytes) -> Self {
        Self::Drip { rest: body, next: Box::pin(tokio::time::sleep(Duration::from_secs(1))) }
    }

    pub(crate) fn half(body: &Bytes) -> Self {
        let first = body.slice(..body.len() / 2);
        Self::Half { length: body.len() as u64, first: Some(first), flushed: false }
    }

    pub(crate) fn oversized() -> Self {
        Self::Endless { left: OVERSIZED }
    }
}

impl Body for LabBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never: Infallible| match never {}),
            Self::Withheld(_) => Poll::Pending,
            Self::Drip { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Drip { rest, next } => {
                ready!(next.as_mut().poll(cx));
                next.as_mut().reset(Instant::now() + Duration::from_secs(1));
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
            }
            Self::Half { first, flushed, .. } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                // hyper writes what it has before it asks again: only then is the half on its way.
                if !std::mem::replace(flushed, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(Cut)))
            }
            Self::Endless { left: 0 } => Poll::Ready(None),
            Self::Endless { left } => {
                static SPACES: [u8; CHUNK] = [b' '; CHUNK];
                let chunk = match *left {
                    OVERSIZED => Bytes::from_static(START),
                    left => Bytes::from_static(SPACES.split_at(CHUNK.min(left)).0),
                };
                *left = left.saturating_sub(chunk.len());
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Drip { rest, .. } => rest.is_empty(),
            Self::Endless { left } => *left == 0,
            Self::Withheld(_) | Self::Half { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Withheld(length) | Self::Half { length, .. } => SizeHint::with_exact(*length),
            Self::Drip { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Self::Endless { .. } => SizeHint::default(),
        }
    }
}

/// About a megabyte of gzip (RFC 1952) that unpacks to a gibibyte. Made once.
pub(crate) fn gzip_bomb() -> Bytes {
    static MADE: LazyLock<Bytes> = LazyLock::new(|| make_bomb().into());
    MADE.clone()
}

/// One stretch of spaces is compressed, and repeated: after a full flush nothing refers to what stood before.
fn make_bomb() -> Vec<u8> {
    let spaces = vec![b' '; BOMB_CHUNK];
    let mut stretch = Vec::with_capacity(BOMB_CHUNK);
    let mut deflate = Compress::new(Compression::best(), false);
    // A vector of spare room is all that it can miss.
    let _ = deflate.compress_vec(&spaces, &mut stretch, FlushCompress::Full);
    let mut of_stretch = Crc::new();
    of_stretch.update(&spaces);
    let mut checksum = Crc::new();
    checksum.update(START);
    // The head of gzip, and the start as it is: a block that is not compressed, not the last, nine octets long.
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, 9, 0, !9, !0];
    bomb.extend_from_slice(START);
    for _ in 0..BOMB / BOMB_CHUNK {
        bomb.extend_from_slice(&stretch);
        checksum.combine(&of_stretch);
    }
    // An empty last block, the checksum and the length.
    bomb.extend_from_slice(&[3, 0]);
    bomb.extend_from_slice(&checksum.sum().to_le_bytes());
    bomb.extend_from_slice(&checksum.amount().to_le_bytes());
    bomb
}
