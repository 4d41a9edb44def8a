//! Reverse proxies, each in front of the gateway and of the upstream as its manual has it.

mod caddy;
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

/// Every proxy that Keyward works beside.
pub(crate) const PROXIES: [ProxyKind; 3] = [
    ProxyKind { name: "nginx", command: nginx::command },
    ProxyKind { name: "traefik", command: traefik::command },
    ProxyKind { name: "caddy", command: caddy::command },
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
