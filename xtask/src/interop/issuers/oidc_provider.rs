//! oidc-provider (Node), in RS256, ES256 and EdDSA.

use std::process::Command;

use reqwest::blocking::Client;

use super::{CLIENT, Issuer, accepted, client_credentials};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::token::Token;
use crate::interop::workshop::Workshop;

/// `xtask/interop/oidc_provider.mjs`, running.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    http: Client,
    issuer: String,
    _daemon: Daemon,
}

impl OidcProvider {
    /// Starts it on a free port.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(workshop.installed.node());
        command.arg(workshop.installed.script("oidc_provider.mjs")).arg(port.to_string());
        let folder = workshop.subfolder(&format!("oidc-provider-{port}"))?;
        let mut daemon = Daemon::start("oidc-provider", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("{issuer}/.well-known/openid-configuration"), 200)?;
        Ok(Self { http: workshop.http.clone(), issuer, _daemon: daemon })
    }

    fn control(&self, step: &str) -> Result<(), Error> {
        const WHAT: &str = "rotate oidc-provider's keys";
        let url = format!("{}/control/{step}", self.issuer);
        accepted(self.http.post(url).send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }
}

impl Issuer for OidcProvider {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    fn audience(&self) -> &str {
        "api"
    }

    fn algorithms(&self) -> &'static [&'static str] {
        &["RS256", "ES256", "EdDSA"]
    }

    fn token(&self, algorithm: &str) -> Result<Token, Error> {
        let resource = format!("urn:keyward:{algorithm}");
        client_credentials(&self.http, &format!("{}/token", self.issuer), CLIENT, Some(&resource))
    }

    /// A Provider with the new keys published takes over, then one that signs with them; the old keys stay
    /// published.
    fn rotate(&self) -> Result<(), Error> {
        self.control("publish")?;
        self.control("activate")
    }
}
