//! A node whose storage and listeners are open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clients::Clients;
use super::{RunError, certificate_end, open, operators};
use crate::authority::Authority;
use crate::config::{Config, Limits};
use crate::health::Health;
use crate::http::{Answering, Endpoints};
use crate::last_use;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refusal_log::RefusalLog;
use crate::reload::{Lasting, Reloader};
use crate::signing::{self, Rotation};
use crate::token::prune;
use crate::view::Follower;

/// How often it is written when keys and secrets were last used.
const LAST_USES: Duration = Duration::from_secs(60);

/// How often what is over is forgotten.
const PRUNING: Duration = Duration::from_secs(60);

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
    clients: Clients,
    health: Arc<Health>,
    limits: Limits,
    follower: Follower,
    rotation: Rotation,
    tasks: Tasks,
    live: Arc<ArcSwap<Live>>,
    lasting: Lasting,
    files: Vec<PathBuf>,
    metrics: Arc<Metrics>,
}

/// What runs beside the listeners. It ends with this.
#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

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
        let follower = Follower::start(authority.view()).await?;
        let rotation = Rotation::start(authority.clone());
        let (limits, lasting) = (config.limits, Lasting::of(&config));
        let live = Live::of(&config, config.dpop.binding.algorithms);
        metrics.tls_certificate(live.tls_not_after());
        let live = Arc::new(ArcSwap::from_pointee(live));
        let refusals = Arc::new(RefusalLog::new());
        let answering = Answering::new(Endpoints {
            authority: authority.clone(),
            live: Arc::clone(&live),
            metrics: Arc::clone(&metrics),
            refusals: Arc::clone(&refusals),
            body_timeout: limits.body_timeout,
        });
        let health = Arc::new(Health::new(authority.clone(), Arc::clone(&metrics)));
        let clients = Clients {
            answering: Arc::new(answering),
            live: Arc::clone(&live),
            metrics: Arc::clone(&metrics),
            refusals,
            clock: Arc::clone(authority.clock()),
            limits,
        };
        let tasks = Tasks(vec![
            last_use::flush_every(authority.clone(), LAST_USES),
            prune::every(authority.clone(), PRUNING),
            certificate_end::watch(Arc::clone(&live), Arc::clone(authority.clock())),
        ]);
        Ok(Self {
            listener,
            admin_listener,
            authority,
            clients,
            health,
            limits,
            follower,
            rotation,
            tasks,
            live,
            lasting,
            files: config.files,
            metrics,
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

    /// What takes a changed configuration in while this node serves; `path` is where its own was read, and `environment` looks up
    /// a variable.
    pub fn reloader(
        &self,
        path: &Path,
        environment: impl Fn(&str) -> Option<String> + Send + 'static,
    ) -> Reloader {
        let (live, metrics) = (Arc::clone(&self.live), Arc::clone(&self.metrics));
        Reloader::new(path, Box::new(environment), &self.files, self.lasting.clone(), live, metrics)
    }

    /// Serves until `shutdown`, then says so on `/readyz`, takes no new connections once the grace is over, and
    /// lets open requests end within the drain timeout.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            admin_listener,
            authority,
            clients,
            health,
            limits,
            follower,
            rotation,
            tasks,
            ..
        } = self;
        let answering_operators =
            tokio::spawn(operators::serve(admin_listener, Arc::clone(&health).router(), limits));
        let graceful = GracefulShutdown::new();
        // It ends the handshakes when it is dropped: nobody has asked anything there.
        let (shaking_hands, ending) = watch::channel(());
        {
            let mut serving = pin!(clients.serve(&listener, &graceful, &ending));
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

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|cause| RunError::Listen { address, cause })
}
