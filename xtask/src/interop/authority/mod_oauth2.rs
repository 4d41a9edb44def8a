//! Apache with mod_oauth2, which reads key sets by https alone.

use std::fs;
use std::process::Command;

use reqwest::blocking::Client;

use super::client_cases::BEHIND;
use super::consumers::{Consumer, Trusted, port_of};
use crate::interop::certificates;
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::workshop::{Workshop, write_template};

/// Apache, and what puts TLS before the authority.
pub(super) struct ModOauth2 {
    http: Client,
    url: String,
    // Before what it asks.
    apache: Daemon,
    caddy: Daemon,
}

impl ModOauth2 {
    pub(super) fn start(workshop: &Workshop, trusted: &Trusted<'_>) -> Result<Self, Error> {
        let folder = workshop.subfolder("mod-oauth2")?;
        let work = folder.display().to_string();
        let authority = certificates::Authority::new()?;
        authority.server()?.write(&folder, "server")?;
        // Apache's own user reads it.
        let trust = folder.join("ca.pem");
        fs::write(&trust, authority.pem()).map_err(Error::io("write a certificate"))?;

        let tls_port = free_port()?;
        let caddyfile = folder.join("Caddyfile");
        let values = [
            ("PORT", tls_port.to_string()),
            ("WORK", work.clone()),
            ("AUTHORITY", port_of(trusted.issuer).to_string()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        write_template(&caddyfile, include_str!("../../../interop/authority_Caddyfile"), &values)?;
        let mut command = Command::new(workshop.installed.pip_program("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(caddyfile).env("HOME", &folder);
        let mut caddy = Daemon::start("caddy", &command, &folder)?;
        let anchor = reqwest::Certificate::from_pem(authority.pem().as_bytes());
        let anchor = anchor.map_err(Error::http("read a certificate"))?;
        let https = Workshop::client().tls_certs_only([anchor]).build();
        let https = https.map_err(Error::http("build an HTTP client"))?;
        let path =
            trusted.issuer.find("/realms/").and_then(|at| trusted.issuer.get(at..)).unwrap_or_default();
        let jwks = format!("https://127.0.0.1:{tls_port}{path}/jwks");
        caddy.wait_until(&https, &jwks, 200)?;

        let port = free_port()?;
        let config = folder.join("oauth2.conf");
        let values = [
            ("PORT", port.to_string()),
            ("WORK", work),
            ("JWKS", jwks),
            ("BEHIND", (BEHIND * 2).to_string()),
            ("AUDIENCE", trusted.audience.to_owned()),
            ("ISSUER", trusted.issuer.to_owned()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        write_template(&config, include_str!("../../../interop/authority_oauth2.conf"), &values)?;
        // It trusts whom the machine trusts, so it sees another machine. Its processes end with the first.
        const TRUST_AND_RUN: &str =
            "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", TRUST_AND_RUN, "sh"]);
        command.arg(&trust).args(["apache2", "-DFOREGROUND", "-f"]).arg(config);
        let mut apache = Daemon::start("apache", &command, &folder)?;
        let url = format!("http://127.0.0.1:{port}/");
        apache.wait_until(&workshop.http, &url, 401)?;
        Ok(Self { http: workshop.http.clone(), url, apache, caddy })
    }
}

impl Consumer for ModOauth2 {
    fn ask(&self, token: &str) -> Result<u16, Error> {
        let answer = self.http.get(&self.url).bearer_auth(token).send();
        Ok(answer.map_err(Error::http("ask Apache"))?.status().as_u16())
    }

    fn log_tail(&self) -> String {
        self.apache.log_tail() + &self.caddy.log_tail()
    }
}
