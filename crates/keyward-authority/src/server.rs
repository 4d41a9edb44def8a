//! A node: its storage, its listeners, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use keyward::clock::{Clock, SystemClock};
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::server::TlsStream;
use tower_service::Service as _;

use crate::authority::Authority;
use crate::config::{Config, ConfigError, Limits};
use crate::health::Health;
use crate::http::{Abilities, Answering, ClientCertificates, Connection, Endpoints};
use crate::last_use;
use crate::logs;
use crate::metrics::Metrics;
use crate::refusal_log::RefusalLog;
use crate::signing::{self, ClosedKey, Rotation};
use crate::storage::{Store, StoreError};
use crate::tls::ListenerTls;
use crate::token::prune;
use crate::view::{Follower, View};

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS: usize = 64;

/// How often it is written when keys and secrets were last used.
const LAST_USES: Duration = Duration::from_secs(60);

/// How often what is over is forgotten.
const PRUNING: Duration = Duration::from_secs(60);

/// How long accepting rests after an error such as "too many open files".
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A key that signs or is going to is sealed under a master key that is not there.
    #[error("{0}")]
    KeyClosed(ClosedKey),
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    /// The storage cannot be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For clients.
    pub listen: SocketAddr,
    /// For operators.
    pub admin_listen: SocketAddr,
}

/// A node whose storage and listeners are open.
#[derive(Debug)]
pub struct Node {
    listener: TcpListener,
    admin_listener: TcpListener,
    authority: Authority,
    answering: Arc<Answering>,
    shared: Arc<Shared>,
    health: Arc<Health>,
    limits: Limits,
    follower: Follower,
    rotation: Rotation,
    tasks: Tasks,
}

/// What runs beside the listeners. It ends with this.
#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

/// What connections share.
#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    refusals: Arc<RefusalLog>,
    clock: Arc<dyn Clock>,
    tls: Option<ListenerTls>,
}

/// Runs a node by the file at `path`, until SIGTERM or SIGINT; `environment` looks up a variable.
///
/// # Errors
/// [`RunError`], before the first request is answered.
pub async fn run(path: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<(), RunError> {
    let config = Config::load(path, environment)?;
    logs::set_up(config.log_format, config.log_level);
    for warning in &config.warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let node = Node::bind(config).await?;
    let addresses = node.addresses();
    tracing::info!(
        event = "authority_started",
        listen = addresses.as_ref().map(|a| a.listen.to_string()),
        admin_listen = addresses.as_ref().map(|a| a.admin_listen.to_string()),
        version = env!("CARGO_PKG_VERSION"),
        "keyward authority started"
    );
    node.serve(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await;
    tracing::info!(event = "authority_stopped", "keyward authority stopped");
    Ok(())
}

impl Node {
    /// Opens the storage and the listeners, and begins to follow the log. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn bind(config: Config) -> Result<Self, RunError> {
        let listener = listen(config.listen).await?;
        let admin_listener = listen(config.admin_listen).await?;
        let metrics = Arc::new(Metrics::new(&config.metrics_namespace));
        let authority = open(&config).await?.with_observer(Arc::clone(&metrics) as _);
        if let Some(key) = signing::first_closed(&authority).await? {
            return Err(RunError::KeyClosed(key));
        }
        let clock = Arc::clone(authority.clock());
        let follower = Follower::start(authority.view()).await?;
        let rotation = Rotation::start(authority.clone());
        let refusals = Arc::new(RefusalLog::new());
        let told = config.proxies.client_cert;
        let certificates = match &config.tls {
            Some(tls) if tls.asks() => ClientCertificates::Seen,
            _ if told => ClientCertificates::Seen,
            _ => ClientCertificates::Unseen,
        };
        let answering = Answering::new(Endpoints {
            authority: authority.clone(),
            abilities: Arc::new(Abilities::served(certificates)),
            metrics: Arc::clone(&metrics),
            refusals: Arc::clone(&refusals),
            proxies: Arc::new(config.proxies),
            tls: config.tls.clone(),
            body_timeout: config.limits.body_timeout,
        });
        let health = Arc::new(Health::new(authority.clone(), Arc::clone(&metrics)));
        let shared = Arc::new(Shared { metrics, refusals, clock, tls: config.tls });
        let limits = config.limits;
        let tasks = Tasks(vec![
            last_use::flush_every(authority.clone(), LAST_USES),
            prune::every(authority.clone(), PRUNING),
        ]);
        Ok(Self {
            listener,
            admin_listener,
            authority,
            answering: Arc::new(answering),
            shared,
            health,
            limits,
            follower,
            rotation,
            tasks,
        })
    }

    /// Where it listens; none where the system does not say.
    pub fn addresses(&self) -> Option<Addresses> {
        let listen = self.listener.local_addr().ok()?;
        Some(Addresses { listen, admin_listen: self.admin_listener.local_addr().ok()? })
    }

    /// What it answers with.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Serves until `shutdown`, then says so on `/readyz`, takes no new connections once the grace is over, and
    /// lets open requests end within the drain timeout.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            admin_listener,
            authority,
            answering,
            shared,
            health,
            limits,
            follower,
            rotation,
            tasks,
        } = self;
        let answering_operators =
            tokio::spawn(serve_admin(admin_listener, Arc::clone(&health).router(), limits));
        let graceful = GracefulShutdown::new();
        // It ends the handshakes when it is dropped: nobody has asked anything there.
        let (shaking_hands, ending) = watch::channel(());
        {
            let mut serving = pin!(serve_clients(&listener, &answering, &shared, limits, &graceful, &ending));
            tokio::select! {
                () = &mut serving => {}
                () = shutdown => {}
            }
            health.drain();
            if !limits.drain_grace.is_zero() {
                tracing::info!(
                    event = "authority_leaving",
                    "not ready any more; new connections are still taken"
                );
                let _ = tokio::time::timeout(limits.drain_grace, serving).await;
            }
        }
        drop((listener, shaking_hands));
        tracing::info!(event = "authority_draining", "no new connections; open requests may end");
        if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(event = "authority_drain_cut", "requests were still open after the drain timeout");
        }
        answering_operators.abort();
        drop((follower, rotation, tasks));
        let store = authority.view().store().clone();
        if let Err(error) = authority.client_auth().last_uses().flush(&store).await {
            tracing::warn!(event = "last_uses_lost", "when keys were last used is not written: {error}");
        }
        store.close().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// An authority without listeners, for what an operator does at the storage. Until somebody follows the log, it reads everything
/// from the database.
///
/// # Errors
/// [`StoreError`].
pub async fn open(config: &Config) -> Result<Authority, StoreError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Store::open(&config.storage).await?;
    let view = View::new(store, Arc::clone(&clock), config.limits.remembered_entities);
    let keys = Arc::new(config.key_store.clone());
    Ok(Authority::new(view, clock, &config.origin, keys))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|cause| RunError::Listen { address, cause })
}

async fn serve_clients(
    listener: &TcpListener,
    answering: &Arc<Answering>,
    shared: &Arc<Shared>,
    limits: Limits,
    graceful: &GracefulShutdown,
    ending: &watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        // Without a place nothing is accepted: clients wait in the kernel's queue, not in our memory.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Some((stream, peer)) = accept(listener).await else {
            continue;
        };
        let (watcher, mut ending) = (graceful.watcher(), ending.clone());
        let (answering, shared) = (Arc::clone(answering), Arc::clone(shared));
        tokio::spawn(async move {
            // Both end with the connection, even where answering panics.
            let _open = (place, shared.metrics.connection());
            // A client that hangs up or talks nonsense is no event of ours.
            let _ = match &shared.tls {
                None => {
                    let service = service(answering, Connection::new(peer, &[]));
                    watcher.watch(http1(limits).serve_connection(TokioIo::new(stream), service)).await
                }
                Some(tls) => {
                    let shaken = tokio::select! {
                        shaken = shake_hands(&shared, tls, stream, peer, limits) => shaken,
                        _ = ending.changed() => None,
                    };
                    let Some(stream) = shaken else {
                        return;
                    };
                    let presented = presented(&stream).to_vec();
                    let service = service(answering, Connection::new(peer, &presented));
                    watcher.watch(http1(limits).serve_connection(TokioIo::new(stream), service)).await
                }
            };
        });
    }
}

/// Answers what is asked over a connection.
fn service(
    answering: Arc<Answering>,
    connection: Connection,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> {
    let connection = Arc::new(connection);
    service_fn(move |request: Request<Incoming>| {
        let (answering, connection) = (Arc::clone(&answering), Arc::clone(&connection));
        async move { Ok(answering.answer(request, &connection).await) }
    })
}

async fn serve_admin(listener: TcpListener, router: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Some((stream, _)) = accept(&listener).await else {
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let _open = place;
            // A router is always ready.
            let service =
                service_fn(move |request: Request<Incoming>| router.clone().call(request.map(Body::new)));
            let _ = http1(limits).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// A client that sends no head in time sends no handshake in time, either.
async fn shake_hands(
    shared: &Shared,
    tls: &ListenerTls,
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
) -> Option<TlsStream<TcpStream>> {
    let accepted = tokio::time::timeout(limits.head_timeout, tls.acceptor().accept(stream)).await;
    let (outcome, why) = match accepted {
        Ok(Ok(stream)) => {
            shared.metrics.handshake("completed");
            return Some(stream);
        }
        Err(_) => ("timed_out", "the client took too long".to_owned()),
        Ok(Err(error)) => match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            Some(error) => ("failed", error.to_string()),
            None => ("closed", "the client hung up".to_owned()),
        },
    };
    shared.metrics.handshake(outcome);
    match shared.refusals.admit_handshake(shared.clock.mono()) {
        Some(left_out) => tracing::info!(
            event = "tls_handshake_failed",
            peer = peer.ip().to_canonical().to_string(),
            outcome,
            left_out,
            "a TLS handshake came to nothing: {why}"
        ),
        None => shared.metrics.line_left_out("tls_handshake_failed"),
    }
    None
}

fn presented(stream: &TlsStream<TcpStream>) -> &[CertificateDer<'static>] {
    stream.get_ref().1.peer_certificates().unwrap_or_default()
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are one small packet; waiting to fill it only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) => {
            tracing::warn!(event = "accept_failed", "a connection could not be accepted: {error}");
            tokio::time::sleep(ACCEPT_REST).await;
            None
        }
    }
}

fn http1(limits: Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_octets);
    builder
}
