//! A node: its storage, its listeners, and its end.

mod certificate_end;
mod clients;
mod node;
mod operators;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use keyward::clock::{Clock, SystemClock};
use keyward_server::logs;
use tokio::signal::unix::{SignalKind, signal};

use crate::authority::Authority;
use crate::config::{Config, ConfigError};
use crate::signing::ClosedKey;
use crate::storage::{Store, StoreError};
use crate::view::View;

pub use crate::reload::Reloader;
pub use node::{Addresses, Node};

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

/// Runs a node by the file at `path`, until SIGTERM or SIGINT, and reloads it as it changes; `environment` looks up a variable.
///
/// # Errors
/// [`RunError`], before the first request is answered.
pub async fn run(
    path: &Path,
    environment: impl Fn(&str) -> Option<String> + Send + 'static,
) -> Result<(), RunError> {
    let config = Config::load(path, &environment)?;
    logs::set_up(config.log_format, config.log_level);
    for warning in &config.warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let node = Node::bind(config).await?;
    let reloading = tokio::spawn(node.reloader(path, environment).run());
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
    reloading.abort();
    tracing::info!(event = "authority_stopped", "keyward authority stopped");
    Ok(())
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
    let authority = Authority::new(view, clock, &config.origin, keys);
    let dpop = &config.dpop;
    Ok(authority.with_dpop(dpop.binding.clone(), dpop.secret.octets()).with_failure_limits(config.failures))
}
