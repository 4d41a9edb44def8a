//! Reverse proxies, each in front of the gateway and of the upstream as its manual has it.

mod caddy;
mod envoy;
mod nginx;
mod traefik;

use std::path::Path;
use std::process::Command;

use super::error::Error;
use super::process::Daemon;
use super::workshop::Workshop;

/// How a proxy is called and started.
#[derive(Debug)]
pub(crate) struct ProxyKind {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// What its clients get where nothing could be decided for want of keys: the status, and the reason where it lets that
    /// through.
    pub(crate) undecided: &'static str,
    /// Writes its configuration into the folder and says what to run.
    command: fn(&Workshop, &Ports, &Path) -> Result<Command, Error>,
}

/// Where things listen, on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// The proxy itself.
    pub(crate) proxy: u16,
    /// Whom it asks.
    pub(crate) gateway: u16,
    /// Where allowed requests go.
    pub(crate) upstream: u16,
}

const UNDECIDED: &str = "503 keys_unavailable";

/// Every proxy that Keyward works beside.
pub(crate) const PROXIES: [ProxyKind; 4] = [
    ProxyKind { name: "nginx", undecided: UNDECIDED, command: nginx::command },
    ProxyKind { name: "traefik", undecided: UNDECIDED, command: traefik::command },
    ProxyKind { name: "caddy", undecided: UNDECIDED, command: caddy::command },
    ProxyKind { name: "envoy", undecided: "503", command: envoy::command },
];

impl ProxyKind {
    /// Starts it and waits until it asks the gateway, which wants a token.
    pub(crate) fn start(&self, workshop: &Workshop, ports: &Ports) -> Result<Daemon, Error> {
        let folder = workshop.subfolder(self.name)?;
        let command = (self.command)(workshop, ports, &folder)?;
        let mut daemon = Daemon::start(self.name, &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("http://127.0.0.1:{}/", ports.proxy), 401)?;
        Ok(daemon)
    }
}

/// Writes a template that names the ports and its own folder.
fn write_config(path: &Path, template: &str, ports: &Ports) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path).to_string_lossy();
    super::workshop::write_template(
        path,
        template,
        &[
            ("WORK", &folder),
            ("PORT", &ports.proxy.to_string()),
            ("GATEWAY", &ports.gateway.to_string()),
            ("UPSTREAM", &ports.upstream.to_string()),
        ],
    )
}
