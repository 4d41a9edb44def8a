//! The provider that misbehaves on command: `keyward drill lab`.

use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::Value;

use super::super::error::Error;
use super::super::process::{Daemon, free_port};
use super::super::workshop::Workshop;

/// It, running with an issuer for each scene.
#[derive(Debug)]
pub(super) struct Lab {
    http: Client,
    control: String,
    daemon: Daemon,
}

impl Lab {
    pub(super) fn start(workshop: &Workshop, plan: &str) -> Result<Self, Error> {
        let folder = workshop.subfolder("alerts-lab")?;
        let path = folder.join("plan.toml");
        fs::write(&path, plan).map_err(Error::io(format!("write {}", path.display())))?;
        let control = format!("127.0.0.1:{}", free_port()?);
        let mut daemon = Daemon::start("lab", &command(workshop, &path, &control), &folder)?;
        let control = format!("http://{control}");
        daemon.wait_until(&workshop.http, &format!("{control}/issuers"), 200)?;
        Ok(Self { http: workshop.http.clone(), control, daemon })
    }

    /// The address of an issuer.
    pub(super) fn issuer(&self, name: &str) -> Result<String, Error> {
        const WHAT: &str = "ask the lab for its issuers";
        let answer = self.http.get(format!("{}/issuers", self.control)).send();
        let issuers: Value = answer.and_then(|answer| answer.json()).map_err(Error::http(WHAT))?;
        let address = issuers.get(name).and_then(|issuer| issuer.get("issuer")).and_then(Value::as_str);
        address.map(str::to_owned).ok_or(Error::MissingField { what: WHAT, field: "such issuer" })
    }

    /// Has an issuer do what the command says.
    pub(super) fn command(&self, issuer: &str, command: &str) -> Result<(), Error> {
        let body = format!("{{\"issuer\": \"{issuer}\", {}", command.trim_start().trim_start_matches('{'));
        self.post("command the lab", "/command", body).map(drop)
    }

    /// A token of an issuer, by its plan.
    pub(super) fn token(&self, issuer: &str, plan: &str) -> Result<String, Error> {
        self.post("have the lab make a token", &format!("/token?issuer={issuer}"), plan.to_owned())
    }

    pub(super) fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }

    fn post(&self, what: &'static str, path: &str, body: String) -> Result<String, Error> {
        let answer =
            self.http.post(format!("{}{path}", self.control)).body(body).send().map_err(Error::http(what))?;
        let status = answer.status();
        let body = answer.text().map_err(Error::http(what))?;
        if status.is_success() {
            Ok(body)
        } else {
            Err(Error::Answer { what, status: status.as_u16(), body })
        }
    }
}

fn command(workshop: &Workshop, plan: &Path, control: &str) -> Command {
    let mut command = Command::new(&workshop.keyward);
    command.args(["drill", "lab"]).arg(plan).args(["--control", control]);
    command
}
