//! The two listeners: accept, serve, drain.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use keyward::SettingsError;
use keyward::clock::{Clock, SystemClock};
use keyward_server::{listener, logs, tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::server::TlsStream;

use crate::admin::Admin;
use crate::authorize::{Answer, Authorizer};
use crate::config::{Config, ConfigError, Limits, TracesSettings};
use crate::connection::Connection;
use crate::events;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::observers::Observers;
use crate::recorder::{self, Dumps, Recorder};
use crate::reload::{Lasting, Reloader};
use crate::tls::ListenerTls;
use crate::traces::{Exporter, Traces};

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS: usize = 64;

/// The listeners' names in metrics and logs.
const ADMIN: &str = "admin";
const GATEWAY: &str = "gateway";

/// Why a gateway does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The settings of an issuer cannot be used.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Where the gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For proxies.
    pub listen: SocketAddr,
    /// For operators.
    pub admin_listen: SocketAddr,
}

/// A gateway whose listeners are open.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    admin_listener: TcpListener,
    authorizer: Arc<Authorizer>,
    admin: Arc<Admin>,
    dumps: Arc<Dumps>,
    exporter: Option<Exporter>,
    limits: Limits,
    lasting: Lasting,
    files: Vec<PathBuf>,
}

/// Runs a gateway by the file at `path`, until SIGTERM or SIGINT, and reloads it as it changes.
///
/// # Errors
/// [`RunError`], before the first request is answered.
pub async fn run(path: &Path) -> Result<(), RunError> {
    let config = Config::load(path)?;
    logs::set_up(config.log_format, config.log_level);
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    // Before its listeners: who does not know this signal ends by it.
    let dump = signal(SignalKind::user_defined1()).map_err(RunError::Signals)?;
    let gateway = Gateway::bind(config).await?;
    let dumping = tokio::spawn(recorder::keep_at(dump, Arc::clone(&gateway.dumps)));
    let reloading = tokio::spawn(gateway.reloader(path).run());
    let addresses = gateway.addresses();
    tracing::info!(
        event = events::GATEWAY_STARTED,
        listen = addresses.as_ref().map(|a| a.listen.to_string()),
        admin_listen = addresses.as_ref().map(|a| a.admin_listen.to_string()),
        version = env!("CARGO_PKG_VERSION"),
        "keyward gateway started"
    );
    gateway
        .serve(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    reloading.abort();
    dumping.abort();
    tracing::info!(event = events::GATEWAY_STOPPED, "keyward gateway stopped");
    Ok(())
}

impl Gateway {
    /// Opens the listeners and starts to fetch keys. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn bind(mut config: Config) -> Result<Self, RunError> {
        let listener = listen(config.listen).await?;
        let admin_listener = listen(config.admin_listen).await?;
        let limits = config.limits;
        let lasting = Lasting::of(&config);
        let files = config.files.clone();
        let metrics = Metrics::new(&config.metrics_namespace, config.traces.is_some());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let recorder = Recorder::new(Arc::clone(&clock), config.recorder.capacity);
        let (traces, exporter) =
            config.traces.take().map(|settings| traced(settings, &clock, &metrics)).unzip();
        let observers = Arc::new(Observers { metrics, recorder, traces });
        let dumps = Arc::new(Dumps::new(Arc::clone(&observers), config.recorder.folder.clone()));
        let live = Live::start(config, &observers, None)?;
        let authorizer = Arc::new(Authorizer::new(live, observers));
        let admin = Arc::new(Admin::new(Arc::clone(&authorizer)));
        Ok(Self { listener, admin_listener, authorizer, admin, dumps, exporter, limits, lasting, files })
    }

    /// Where it listens; none where the system does not say.
    pub fn addresses(&self) -> Option<Addresses> {
        let listen = self.listener.local_addr().ok()?;
        Some(Addresses { listen, admin_listen: self.admin_listener.local_addr().ok()? })
    }

    /// What takes a changed configuration in while this gateway serves; `path` is where its own was read.
    pub fn reloader(&self, path: &Path) -> Reloader {
        Reloader::new(path, self.files.clone(), self.lasting.clone(), Arc::clone(&self.authorizer))
    }

    /// Answers one forward-auth request, as the listener does, but that nothing is known of who asks.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        self.authorizer.answer(request, Connection::default()).await
    }

    /// Serves until `shutdown`, then says so on `/readyz`, takes no new connections once the grace is over, and
    /// lets open requests end within the drain timeout.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, admin_listener, authorizer, admin, dumps, exporter, limits, .. } = self;
        let serving_operators =
            serve_admin(admin_listener, Arc::clone(&admin), Arc::clone(&authorizer), limits);
        let answering_operators = tokio::spawn(serving_operators);
        let recording = tokio::spawn(recorder::watch(Arc::clone(&authorizer.observers), dumps));
        let graceful = GracefulShutdown::new();
        // It ends the handshakes when it is dropped: nobody has asked anything there.
        let (shaking_hands, ending) = watch::channel(());
        {
            let mut serving = pin!(serve_proxies(&listener, &authorizer, limits, &graceful, &ending));
            tokio::select! {
                () = &mut serving => {}
                () = shutdown => {}
            }
            admin.drain();
            if !limits.drain_grace.is_zero() {
                tracing::info!(
                    event = events::GATEWAY_LEAVING,
                    "not ready any more; new connections are still taken"
                );
                let _ = tokio::time::timeout(limits.drain_grace, serving).await;
            }
        }
        drop((listener, shaking_hands));
        tracing::info!(event = events::GATEWAY_DRAINING, "no new connections; open requests may end");
        if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(
                event = events::GATEWAY_DRAIN_CUT,
                "requests were still open after the drain timeout"
            );
        }
        answering_operators.abort();
        recording.abort();
        if let Some(exporter) = exporter {
            exporter.end().await;
        }
    }
}

fn traced(settings: TracesSettings, clock: &Arc<dyn Clock>, metrics: &Metrics) -> (Traces, Exporter) {
    let counters = metrics.span_counters();
    let (traces, spans) = Traces::new(&settings, Arc::clone(clock), counters.clone());
    (traces, Exporter::start(settings, spans, Arc::clone(clock), counters))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|cause| RunError::Listen { address, cause })
}

async fn serve_proxies(
    listener: &TcpListener,
    authorizer: &Arc<Authorizer>,
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
        let Some((stream, peer)) = accept(listener, GATEWAY, authorizer).await else {
            continue;
        };
        let (watcher, mut ending) = (graceful.watcher(), ending.clone());
        let authorizer = Arc::clone(authorizer);
        let tls = authorizer.live.load().tls.clone();
        tokio::spawn(async move {
            // Both end with the connection, even where answering panics.
            let _open = (place, authorizer.metrics().connection());
            // A client that hangs up or talks nonsense is no event of ours.
            let _ = match tls {
                None => {
                    let service = answering(&authorizer, Connection::plain(peer));
                    watcher.watch(http1(limits).serve_connection(TokioIo::new(stream), service)).await
                }
                Some(tls) => {
                    let shaken = tokio::select! {
                        shaken = shake_hands(&authorizer, GATEWAY, &tls, stream, peer, limits) => shaken,
                        _ = ending.changed() => None,
                    };
                    let Some((stream, connection)) = shaken else {
                        return;
                    };
                    let service = answering(&authorizer, connection);
                    watcher.watch(http1(limits).serve_connection(TokioIo::new(stream), service)).await
                }
            };
        });
    }
}

fn answering(
    authorizer: &Arc<Authorizer>,
    connection: Connection,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> {
    let authorizer = Arc::clone(authorizer);
    service_fn(move |request| {
        let authorizer = Arc::clone(&authorizer);
        async move { Ok::<_, Infallible>(authorizer.answer(request, connection).await) }
    })
}

async fn serve_admin(listener: TcpListener, admin: Arc<Admin>, authorizer: Arc<Authorizer>, limits: Limits) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Some((stream, peer)) = accept(&listener, ADMIN, &authorizer).await else {
            continue;
        };
        let (admin, authorizer) = (Arc::clone(&admin), Arc::clone(&authorizer));
        let tls = authorizer.live.load().admin_tls.clone();
        tokio::spawn(async move {
            let _open = place;
            let service = service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(admin.answer(request).await) }
            });
            let _ = match tls {
                None => http1(limits).serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => {
                    let shaken = shake_hands(&authorizer, ADMIN, &tls, stream, peer, limits).await;
                    let Some((stream, _)) = shaken else {
                        return;
                    };
                    http1(limits).serve_connection(TokioIo::new(stream), service).await
                }
            };
        });
    }
}

/// A client that sends no head in time sends no handshake in time, either.
async fn shake_hands(
    authorizer: &Authorizer,
    listener: &'static str,
    tls: &ListenerTls,
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
) -> Option<(TlsStream<TcpStream>, Connection)> {
    match tls::handshake(tls.config(), stream, limits.head_timeout).await {
        Ok(stream) => {
            authorizer.metrics().tls_handshake(listener, "completed");
            let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let connection = Connection::tls(peer, certificate.map(|certificate| &**certificate));
            Some((stream, connection))
        }
        Err(error) => {
            authorizer.handshake_failed(listener, peer.ip(), &error);
            None
        }
    }
}

async fn accept(
    listener: &TcpListener,
    name: &'static str,
    authorizer: &Authorizer,
) -> Option<(TcpStream, SocketAddr)> {
    listener::accept(listener).await.map_err(|error| authorizer.accept_failed(name, &error)).ok()
}

fn http1(limits: Limits) -> hyper::server::conn::http1::Builder {
    listener::http1(limits.head_timeout, limits.head_octets)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use keyward::clock::Clock;
    use keyward::{HmacSecret, IssuerSettings, Verifier};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A clock that panics the next time it is read after it was told to.
    #[derive(Debug)]
    struct Bomb {
        clock: SystemClock,
        armed: AtomicBool,
    }

    impl Clock for Bomb {
        fn now(&self) -> keyward_verify::Now {
            assert!(!self.armed.swap(false, Ordering::Relaxed), "as this test wants it");
            self.clock.now()
        }
    }

    async fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.expect("a request");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_connection_only() {
        let text = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[gateway.limits]\n\
                    connections = 1\n[[issuer]]\nname = \"a\"\nissuer = \"https://idp.example\"";
        let config = Config::parse(text, Path::new("/nowhere")).expect("a configuration");
        let mut gateway = Gateway::bind(config).await.expect("a gateway");
        let bomb = Arc::new(Bomb { clock: SystemClock::new(), armed: AtomicBool::new(false) });
        // With a secret only, so that no task but a connection's reads the clock.
        let mut issuer = IssuerSettings::discover("supabase").algorithms([keyward::Algorithm::Hs256]);
        issuer.source = None;
        issuer.hmac_secret = Some(HmacSecret::new(vec![7; 32]));
        let builder = Verifier::builder().issuer(issuer).clock(Arc::clone(&bomb) as _);
        let config = Config::parse(text, Path::new("/nowhere")).expect("a configuration");
        let needs = config.routes.needs();
        let verifier = builder.start().expect("a verifier");
        let live = Live {
            verifier,
            routes: config.routes,
            needs,
            requirements: Vec::new(),
            tls: None,
            admin_tls: None,
            client_certificate: None,
            dpop: None,
        };
        gateway.authorizer = Arc::new(Authorizer::new(live, Arc::clone(&gateway.authorizer.observers)));
        let authorizer = Arc::clone(&gateway.authorizer);
        let address = gateway.addresses().expect("addresses").listen;
        let serving = tokio::spawn(gateway.serve(std::future::pending()));

        for _ in 0..3 {
            bomb.armed.store(true, Ordering::Relaxed);
            assert_eq!(ask(address).await, "");
            // There is one place only: it must be free again.
            assert!(ask(address).await.starts_with("HTTP/1.1 401 "));
        }
        assert!(!serving.is_finished());
        tokio::task::yield_now().await;
        let metrics = authorizer.metrics().encode(&authorizer.live.load().verifier);
        assert!(metrics.contains("\nkeyward_connections 0\n"), "{metrics}");
    }
}
