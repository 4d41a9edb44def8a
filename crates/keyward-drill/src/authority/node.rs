//! A node: the binary, as a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::wire::{Wire, says, text};
use crate::error::RunError;

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often is looked whether it has.
const GLANCE: Duration = Duration::from_millis(20);

/// How many lines of its log an error shows.
const LOG_TAIL_LINES: usize = 15;

/// One node. It is killed with this.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: usize,
    /// Where its clients ask, such as `http://127.0.0.1:8085`.
    pub(super) address: String,
    admin: String,
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Node {
    /// One that does not run yet.
    pub(super) fn new(program: &Path, folder: &Path, number: usize, ports: [u16; 2]) -> Self {
        let [port, admin_port] = ports;
        Self {
            number,
            address: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{admin_port}"),
            program: program.to_owned(),
            config: folder.join(format!("authority-{number}.toml")),
            log: folder.join(format!("authority-{number}.log")),
            child: Mutex::default(),
        }
    }

    /// Where it listens for clients, and for operators.
    pub(super) fn listens(&self) -> (&str, &str) {
        (self.address.trim_start_matches("http://"), self.admin.trim_start_matches("http://"))
    }

    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Starts it, and waits until it is ready.
    pub(super) async fn start(&self, wire: &Wire) -> Result<(), RunError> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(RunError::io("open a node's log"))?;
        let child = Command::new(&self.program)
            .args(["authority", "serve", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(RunError::io(format!("start {}", self.program.display())))?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let started = Instant::now();
        while wire.read(&format!("{}/readyz", self.admin)).await.is_none_or(|(status, _)| status != 200) {
            if self.has_ended() || started.elapsed() > PATIENCE {
                return Err(self.failure("a node does not come up"));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().is_some_and(|child| child.try_wait().ok().flatten().is_some())
    }

    /// As a crash would.
    pub(super) async fn kill(&self) -> Result<(), RunError> {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        match child {
            // One that has ended by itself need not be.
            Some(mut child) if child.id().is_some() => {
                child.kill().await.map_err(RunError::io("kill a node"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The causes of the refusals that its log tells of, in its order.
    pub(super) fn refusals_logged(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| says(line, "/event", "token_refused"));
        lines.filter_map(|line| text(&line, "/cause").map(str::to_owned)).collect()
    }

    /// How many refusals it has counted, by cause.
    pub(super) async fn refusals_counted(&self, wire: &Wire) -> BTreeMap<String, f64> {
        let (_, metrics) = wire.read(&format!("{}/metrics", self.admin)).await.unwrap_or_default();
        let mut counted = BTreeMap::new();
        for sample in metrics.lines().filter(|line| line.starts_with("keyward_authority_refusals_total")) {
            let cause = sample.split_once("cause=\"").and_then(|(_, rest)| rest.split_once('"'));
            let count = sample.rsplit_once(' ').and_then(|(_, count)| count.parse::<f64>().ok());
            if let (Some((cause, _)), Some(count)) = (cause, count) {
                *counted.entry(cause.to_owned()).or_default() += count;
            }
        }
        counted
    }

    /// With the end of its log.
    pub(super) fn failure(&self, what: &str) -> RunError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(LOG_TAIL_LINES)).copied();
        RunError::Gateway { what: what.to_owned(), log: Some(tail.collect::<Vec<_>>().join("\n")) }
    }
}
