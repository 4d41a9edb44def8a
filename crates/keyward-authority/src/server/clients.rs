//! The clients' listener: accept, shake hands, answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use keyward::clock::Clock;
use keyward_server::{listener, tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::server::TlsStream;

use crate::config::Limits;
use crate::http::{Answering, Connection};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refusal_log::RefusalLog;
use crate::tls::ListenerTls;

/// What answers clients. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) answering: Arc<Answering>,
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) refusals: Arc<RefusalLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
}

impl Clients {
    /// Answers until it is dropped. Handshakes come to an end with `ending`.
    pub(super) async fn serve(
        &self,
        listener: &TcpListener,
        graceful: &GracefulShutdown,
        ending: &watch::Receiver<()>,
    ) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            // Without a place nothing is accepted: clients wait in the kernel's queue, not in our memory.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Some((stream, peer)) = accepted(listener).await else {
                continue;
            };
            let (clients, watcher, mut ending) = (self.clone(), graceful.watcher(), ending.clone());
            tokio::spawn(async move {
                // Both end with the connection, even where answering panics.
                let _open = (place, clients.metrics.connection());
                let http1 = listener::http1(clients.limits.head_timeout, clients.limits.head_octets);
                let tls = clients.live.load().tls.clone();
                // A client that hangs up or talks nonsense is no event of ours.
                let _ = match tls {
                    None => {
                        let service = clients.answering(Connection::new(peer, &[]));
                        watcher.watch(http1.serve_connection(TokioIo::new(stream), service)).await
                    }
                    Some(tls) => {
                        let shaken = tokio::select! {
                            shaken = clients.shake_hands(&tls, stream, peer) => shaken,
                            _ = ending.changed() => None,
                        };
                        let Some(stream) = shaken else {
                            return;
                        };
                        let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
                        let service = clients.answering(Connection::new(peer, presented));
                        watcher.watch(http1.serve_connection(TokioIo::new(stream), service)).await
                    }
                };
            });
        }
    }

    /// Answers what is asked over a connection.
    fn answering(
        &self,
        connection: Connection,
    ) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<> {
        let (answering, connection) = (Arc::clone(&self.answering), Arc::new(connection));
        service_fn(move |request: Request<Incoming>| {
            let (answering, connection) = (Arc::clone(&answering), Arc::clone(&connection));
            async move { Ok(answering.answer(request, &connection).await) }
        })
    }

    /// A client that sends no head in time sends no handshake in time, either.
    async fn shake_hands(
        &self,
        tls: &ListenerTls,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<TlsStream<TcpStream>> {
        let error = match tls::handshake(tls.config(), stream, self.limits.head_timeout).await {
            Ok(stream) => {
                self.metrics.handshake("completed");
                return Some(stream);
            }
            Err(error) => error,
        };
        let outcome = error.label();
        self.metrics.handshake(outcome);
        match self.refusals.admit_handshake(self.clock.mono()) {
            Some(left_out) => tracing::info!(
                event = "tls_handshake_failed",
                peer = peer.ip().to_canonical().to_string(),
                outcome,
                left_out,
                "a TLS handshake came to nothing: {error}"
            ),
            None => self.metrics.line_left_out("tls_handshake_failed"),
        }
        None
    }
}

pub(super) async fn accepted(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let accepted = listener::accept(listener).await;
    let told = |error: &std::io::Error| {
        tracing::warn!(event = "accept_failed", "a connection could not be accepted: {error}");
    };
    accepted.inspect_err(told).ok()
}
