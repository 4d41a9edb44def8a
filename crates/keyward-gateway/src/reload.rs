//! Takes a changed configuration in while requests flow, or refuses it and goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use crate::authorize::Authorizer;
use crate::config::Config;
use crate::live::Live;
use crate::server::Addresses;

/// How often the files are looked at. A mounted secret changes by a symbolic link far away, which no file
/// notification follows.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Reloads on SIGHUP and on a change of any file that the configuration names.
#[derive(Debug)]
pub(crate) struct Reloader {
    path: PathBuf,
    addresses: Addresses,
    authorizer: Arc<Authorizer>,
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// By what a file's change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
}

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        files: Vec<PathBuf>,
        addresses: Addresses,
        authorizer: Arc<Authorizer>,
    ) -> Self {
        Self { path: path.to_owned(), addresses, authorizer, seen: stamped(files) }
    }

    /// Never ends.
    pub(crate) async fn run(mut self) -> std::io::Error {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => return error,
        };
        loop {
            let asked = tokio::time::timeout(LOOK_INTERVAL, hang_up.recv()).await.is_ok();
            if asked || self.has_changed() {
                self.reload();
            }
        }
    }

    fn has_changed(&self) -> bool {
        self.seen.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    fn reload(&mut self) {
        // What is seen now counts as seen, even if it is refused: it is not tried again until it changes.
        self.seen = stamped(self.seen.drain(..).map(|(path, _)| path).collect());
        let config = match Config::load(&self.path) {
            Ok(config) => config,
            Err(error) => return self.refuse(&error),
        };
        if (Addresses { listen: config.listen, admin_listen: config.admin_listen }) != self.addresses {
            tracing::warn!(
                event = "config_needs_restart",
                "the listeners' addresses change with a restart only"
            );
        }
        self.seen = stamped(config.files.clone());
        let observer = Arc::clone(&self.authorizer.metrics) as _;
        match Live::start(config, observer, Some(&self.authorizer.live.load())) {
            Ok(live) => {
                self.authorizer.live.store(Arc::new(live));
                self.authorizer.metrics.config_reload("reloaded");
                tracing::info!(event = "config_reloaded", "the new configuration decides from now on");
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&self, error: &dyn std::error::Error) {
        self.authorizer.metrics.config_reload("refused");
        tracing::error!(event = "config_refused", "the old configuration goes on deciding: {error}");
    }
}

fn stamped(files: Vec<PathBuf>) -> Vec<(PathBuf, Option<Stamp>)> {
    files.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok()?, octets: metadata.len() })
}
