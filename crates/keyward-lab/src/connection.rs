//! A connection, over a socket or in memory: TLS or not, HTTP, and cut when its endpoint says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::gate::{Gate, Prefixed, Stuck};
use crate::issuer::Issuer;
use crate::misbehave;
use crate::port::{Condition, Line, Port};
use crate::visitor::Visitor;

/// How long a client may leave a connection idle, or take for a head.
const IDLE: Duration = Duration::from_secs(600);

/// The first octet of a TLS handshake (RFC 8446 §5.1); no method of HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// Serves a connection until either side ends it.
pub(crate) async fn serve<IO>(issuer: Arc<Issuer>, port: Arc<Port>, io: IO)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut condition = port.condition.subscribe();
    let stuck = Stuck::default();
    let gate = Gate::new(io, condition.clone(), stuck.clone());
    tokio::select! {
        biased;
        () = cut(&mut condition, &stuck) => {}
        () = talk(&issuer, &port, gate, stuck.clone()) => {}
    }
}

/// Until the connection has to be closed.
async fn cut(condition: &mut watch::Receiver<Condition>, stuck: &Stuck) {
    while condition.changed().await.is_ok() {
        let line = condition.borrow_and_update().line();
        let cut = match line {
            Line::Cut | Line::Open(Some(_)) => true,
            Line::Open(None) => stuck.is_set(),
            Line::Silent => false,
        };
        if cut {
            return;
        }
    }
}

async fn talk<IO>(issuer: &Arc<Issuer>, port: &Arc<Port>, mut io: IO, stuck: Stuck)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(certificates) = &issuer.certificates else {
        return http(issuer, port, io, false, stuck).await;
    };
    let Ok(first) = io.read_u8().await else { return };
    let io = Prefixed::new(first, io);
    if first != HANDSHAKE {
        return http(issuer, port, io, false, stuck).await;
    }
    let fault = match port.line() {
        Line::Open(fault) => fault,
        Line::Cut | Line::Silent => None,
    };
    if let Ok(stream) = TlsAcceptor::from(certificates.of(fault)).accept(io).await {
        http(issuer, port, stream, true, stuck).await;
    }
}

async fn http<IO>(issuer: &Arc<Issuer>, port: &Arc<Port>, io: IO, secure: bool, stuck: Stuck)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_new = AtomicBool::new(true);
    let service = service_fn(|request| {
        // Who comes is only known now, and the connection was counted when it came.
        let visitor = Visitor::of(Request::headers(&request));
        if is_new.swap(false, Ordering::Relaxed) && visitor == Visitor::Doctor {
            port.discount_connection();
        }
        misbehave::answer(issuer, port, secure, &stuck, request)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).auto_date_header(false);
    // Whatever ended it, there is nobody to tell.
    let _ = http.serve_connection(TokioIo::new(io), service).await;
}
