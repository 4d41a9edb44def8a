//! A gateway that Prometheus watches: at the same ports, however often it is started.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::super::error::Error;
use super::super::process::{Daemon, free_port};
use super::super::workshop::Workshop;

/// It, running or not.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    workshop: &'a Workshop,
    name: &'static str,
    folder: PathBuf,
    port: u16,
    admin_port: u16,
    daemon: RefCell<Option<Daemon>>,
}

impl<'a> Watched<'a> {
    /// With a folder and ports, and not started.
    pub(super) fn new(workshop: &'a Workshop, name: &'static str) -> Result<Self, Error> {
        let folder = workshop.subfolder(&format!("alerts-{name}"))?;
        let (port, admin_port, daemon) = (free_port()?, free_port()?, RefCell::default());
        Ok(Self { workshop, name, folder, port, admin_port, daemon })
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Writes its configuration, all of it at once.
    pub(super) fn configure(&self, rest: &str) -> Result<(), Error> {
        let Self { port, admin_port, .. } = self;
        let text = format!(
            "[gateway]\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\n{rest}"
        );
        let (new, path) = (self.folder.join("new.toml"), self.folder.join("keyward.toml"));
        fs::write(&new, text).map_err(Error::io(format!("write {}", new.display())))?;
        fs::rename(&new, &path).map_err(Error::io(format!("write {}", path.display())))
    }

    /// Starts it, and waits until `/readyz` or `/healthz` answers.
    pub(super) fn start(&self, probe: &str) -> Result<(), Error> {
        let mut command = Command::new(&self.workshop.keyward);
        command.arg("gateway").arg("--config").arg(self.folder.join("keyward.toml"));
        let mut daemon = Daemon::start(self.name, &command, &self.folder)?;
        daemon.wait_until(
            &self.workshop.http,
            &format!("http://127.0.0.1:{}/{probe}", self.admin_port),
            200,
        )?;
        *self.daemon.borrow_mut() = Some(daemon);
        Ok(())
    }

    /// Ends it, as a machine does that loses its power.
    pub(super) fn kill(&self) {
        drop(self.daemon.borrow_mut().take());
    }

    pub(super) fn log_tail(&self) -> String {
        self.daemon.borrow().as_ref().map(Daemon::log_tail).unwrap_or_default()
    }
}
