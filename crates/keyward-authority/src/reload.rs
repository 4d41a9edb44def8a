//! Takes a changed configuration in while requests flow, or refuses it and goes on.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_server::WatchedFiles;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::config::{Config, ConfigError, Limits, LogFormat, LogLevel};
use crate::limits::FailureLimits;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::storage::StoreAddress;

/// Looks a variable of the environment up.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Reloads on SIGHUP and on a change of any file that the configuration names.
pub struct Reloader {
    path: PathBuf,
    environment: Environment,
    lasting: Lasting,
    live: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    files: WatchedFiles,
    look_interval: Duration,
}

/// What of a configuration changes with a restart only. Secrets are not compared: another one counts after a restart, too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lasting {
    origin: Url,
    listen: SocketAddr,
    admin_listen: SocketAddr,
    limits: Limits,
    failures: FailureLimits,
    storage: StoreAddress,
    dpop: keyward::binding::BindingSettings,
    log_format: LogFormat,
    log_level: LogLevel,
    metrics_namespace: String,
}

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        environment: Environment,
        files: &[PathBuf],
        lasting: Lasting,
        live: Arc<ArcSwap<Live>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (files, look_interval) = (WatchedFiles::new(files.to_vec()), WatchedFiles::LOOK_INTERVAL);
        Self { path: path.to_owned(), environment, lasting, live, metrics, files, look_interval }
    }

    /// Looks at the files this often. Default 2 s.
    #[must_use]
    pub fn look_every(self, look_interval: Duration) -> Self {
        Self { look_interval, ..self }
    }

    /// Never ends, unless SIGHUP cannot be waited for.
    pub async fn run(mut self) -> std::io::Error {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => return error,
        };
        loop {
            self.files.changed(&mut hang_up, self.look_interval).await;
            // What came of it is in the log and counted.
            let _ = self.reload();
        }
    }

    /// Reads the configuration again. TLS and what proxies are believed count from now on, or it is refused, and the old one goes
    /// on.
    ///
    /// # Errors
    /// [`ConfigError`], which was logged as `config_refused`.
    pub fn reload(&mut self) -> Result<(), ConfigError> {
        let result = self.take_in();
        match &result {
            Ok(()) => {
                self.metrics.config_reload("reloaded");
                tracing::info!(event = "config_reloaded", "the new configuration counts from now on");
            }
            Err(error) => {
                self.metrics.config_reload("refused");
                tracing::error!(event = "config_refused", "the old configuration goes on: {error}");
            }
        }
        result
    }

    fn take_in(&mut self) -> Result<(), ConfigError> {
        // What is there before it is read counts as seen, even if it is refused: it is not tried again until it changes, and a
        // change while it is read is seen at the next look.
        self.files.seen_now();
        let config = match Config::load(&self.path, &self.environment) {
            Ok(config) => config,
            Err(error) => {
                self.files.watch_too(error.files());
                return Err(error);
            }
        };
        self.files.watch(&config.files);
        for warning in &config.warnings {
            tracing::warn!(event = "config_warning", "{warning}");
        }
        if Lasting::of(&config) != self.lasting {
            tracing::warn!(
                event = "config_needs_restart",
                "only TLS and proxies change without a restart: of the rest, what it was goes on"
            );
        }
        // What proofs must be like lasts, and discovery says what is at work.
        let algorithms = self.lasting.dpop.algorithms;
        let live = Live::of(&config, algorithms);
        self.metrics.tls_certificate(live.tls_not_after());
        self.live.store(Arc::new(live));
        Ok(())
    }
}

impl Lasting {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            origin: config.origin.clone(),
            listen: config.listen,
            admin_listen: config.admin_listen,
            limits: config.limits,
            failures: config.failures,
            storage: config.storage.clone(),
            dpop: config.dpop.binding.clone(),
            log_format: config.log_format,
            log_level: config.log_level,
            metrics_namespace: config.metrics_namespace.clone(),
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("path", &self.path).finish_non_exhaustive()
    }
}
