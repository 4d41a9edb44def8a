//! Programs that take the authority's tokens by its key set.

use std::path::Path;
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::mod_oauth2::ModOauth2;
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::workshop::{Workshop, write_template};

type Started = Result<Box<dyn Consumer>, Error>;

/// A program, set up so that it takes tokens of an issuer.
pub(super) struct ConsumerKind {
    /// Names it in rows.
    pub(super) name: &'static str,
    /// Starts it and waits until it knows the issuer's keys.
    pub(super) start: fn(&Workshop, &Trusted<'_>) -> Started,
}

/// Whose tokens are taken.
pub(super) struct Trusted<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) folder: &'a Path,
}

/// It runs until it is dropped.
pub(super) trait Consumer {
    /// What it says of a token: its status.
    fn ask(&self, token: &str) -> Result<u16, Error>;

    /// What it wrote last.
    fn log_tail(&self) -> String;
}

/// Every program that takes tokens.
pub(super) const CONSUMERS: [ConsumerKind; 3] = [
    ConsumerKind { name: "envoy", start: |workshop, trusted| Ok(Box::new(Envoy::start(workshop, trusted)?)) },
    ConsumerKind {
        name: "mod-oauth2",
        start: |workshop, trusted| Ok(Box::new(ModOauth2::start(workshop, trusted)?)),
    },
    ConsumerKind {
        name: "openbao",
        start: |workshop, trusted| Ok(Box::new(OpenBao::start(workshop, trusted)?)),
    },
];

/// Where an issuer on loopback listens.
pub(super) fn port_of(issuer: &str) -> u16 {
    reqwest::Url::parse(issuer).ok().and_then(|url| url.port()).unwrap_or_default()
}

/// Envoy, by jwt_authn.
struct Envoy {
    http: Client,
    url: String,
    daemon: Daemon,
}

impl Envoy {
    fn start(workshop: &Workshop, trusted: &Trusted<'_>) -> Result<Self, Error> {
        let port = free_port()?;
        let config = trusted.folder.join("envoy.yaml");
        let values = [
            ("PORT", port.to_string()),
            ("AUTHORITY", port_of(trusted.issuer).to_string()),
            ("ISSUER", trusted.issuer.to_owned()),
            ("AUDIENCE", trusted.audience.to_owned()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        write_template(&config, include_str!("../../../interop/authority_envoy.yaml"), &values)?;
        let mut command = Command::new(workshop.installed.envoy());
        command.args(["--disable-hot-restart", "--log-level", "error", "--config-path"]).arg(config);
        let mut daemon = Daemon::start("envoy", &command, trusted.folder)?;
        let url = format!("http://127.0.0.1:{port}/");
        daemon.wait_until(&workshop.http, &url, 401)?;
        Ok(Self { http: workshop.http.clone(), url, daemon })
    }
}

impl Consumer for Envoy {
    fn ask(&self, token: &str) -> Result<u16, Error> {
        let answer = self.http.get(&self.url).bearer_auth(token).send();
        Ok(answer.map_err(Error::http("ask Envoy"))?.status().as_u16())
    }

    fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }
}

/// OpenBao, which lets those in that show a token.
struct OpenBao {
    http: Client,
    origin: String,
    daemon: Daemon,
}

impl OpenBao {
    const ROOT: &'static str = "interop-root";

    fn start(workshop: &Workshop, trusted: &Trusted<'_>) -> Result<Self, Error> {
        let port = free_port()?;
        let origin = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(workshop.installed.openbao());
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        command.arg(format!("-dev-root-token-id={}", Self::ROOT)).env("HOME", trusted.folder);
        let mut daemon = Daemon::start("openbao", &command, trusted.folder)?;
        daemon.wait_until(&workshop.http, &format!("{origin}/v1/sys/health"), 200)?;
        let bao = Self { http: workshop.http.clone(), origin, daemon };
        bao.configure("sys/auth/jwt", &json!({ "type": "jwt" }))?;
        let jwks_url = format!("{}/jwks", trusted.issuer);
        bao.configure("auth/jwt/config", &json!({ "jwks_url": jwks_url, "bound_issuer": trusted.issuer }))?;
        let role = json!({
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": [trusted.audience],
            "policies": ["default"],
        });
        bao.configure("auth/jwt/role/interop", &role)?;
        Ok(bao)
    }

    fn configure(&self, path: &str, body: &Value) -> Result<(), Error> {
        const WHAT: &str = "configure OpenBao";
        let request =
            self.http.post(format!("{}/v1/{path}", self.origin)).header("X-Vault-Token", Self::ROOT);
        let answer = request.json(body).send().map_err(Error::http(WHAT))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = answer.text().unwrap_or_default();
        Err(Error::Answer { what: WHAT, status: status.as_u16(), body })
    }
}

impl Consumer for OpenBao {
    fn ask(&self, token: &str) -> Result<u16, Error> {
        let login = json!({ "role": "interop", "jwt": token });
        let request = self.http.post(format!("{}/v1/auth/jwt/login", self.origin)).json(&login);
        Ok(request.send().map_err(Error::http("ask OpenBao"))?.status().as_u16())
    }

    fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }
}
