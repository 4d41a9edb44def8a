//! The gateway under test, and questions to it as a proxy would put them.

use std::fmt;
use std::fs;
use std::process::Command;

use reqwest::blocking::{Client, Response};
use serde_json::Value;

use super::error::Error;
use super::process::{Daemon, free_port};
use super::workshop::Workshop;

/// What time it is for a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The machine's time.
    Real,
    /// So many seconds later, or earlier where they are negative.
    Shifted(i64),
}

/// So much later, every issuer's tokens, which live an hour, are long expired.
pub(crate) const TWO_HOURS_AHEAD: Clock = Clock::Shifted(7200);

/// What to wait for after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// `/readyz`: the issuers' keys are there.
    WithKeys,
    /// `/healthz`: it runs. All that can be had where an issuer is down.
    WithoutKeys,
}

/// `keyward gateway`, running.
#[derive(Debug)]
pub(crate) struct Gateway {
    daemon: Daemon,
    http: Client,
    port: u16,
    admin_port: u16,
}

/// What the gateway says of one request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `X-Keyward-Reason`, empty where the token is accepted.
    pub(crate) reason: String,
}

impl Gateway {
    /// Starts a gateway over `issuers_and_routes`, the configuration without its `[gateway]`.
    pub(crate) fn start(
        workshop: &Workshop,
        name: &str,
        issuers_and_routes: &str,
        clock: Clock,
        ready: Ready,
    ) -> Result<Self, Error> {
        let folder = workshop.subfolder(name)?;
        let (port, admin_port) = (free_port()?, free_port()?);
        let config = folder.join("keyward.toml");
        let text = format!(
            "[gateway]\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\n\
             {issuers_and_routes}"
        );
        fs::write(&config, text).map_err(Error::io(format!("write {}", config.display())))?;
        let mut command = Command::new(&workshop.keyward);
        command.arg("gateway").arg("--config").arg(&config);
        if let Clock::Shifted(seconds) = clock {
            command.env("LD_PRELOAD", workshop.installed.faketime());
            command.env("FAKETIME", format!("{seconds:+}s"));
            // Waiting goes by the monotonic clock, which the kernel does not fake.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut daemon = Daemon::start(name, &command, &folder)?;
        let probe = match ready {
            Ready::WithKeys => "readyz",
            Ready::WithoutKeys => "healthz",
        };
        daemon.wait_until(&workshop.http, &format!("http://127.0.0.1:{admin_port}/{probe}"), 200)?;
        Ok(Self { daemon, http: workshop.http.clone(), port, admin_port })
    }

    /// Where proxies ask it, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where operators ask it, on 127.0.0.1.
    pub(crate) fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// The lines of its log with this `event`.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let log = self.daemon.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("event").and_then(Value::as_str) == Some(event)).collect()
    }

    /// What it wrote last.
    pub(crate) fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }

    /// Asks whether a GET of `path` with this token may pass, as Traefik would.
    pub(crate) fn ask(&self, path: &str, token: impl fmt::Display) -> Result<Answer, Error> {
        let response = self
            .http
            .get(format!("http://127.0.0.1:{}/", self.port))
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Host", "service.example")
            .header("X-Forwarded-Uri", path)
            .bearer_auth(token)
            .send()
            .map_err(Error::http("ask the gateway"))?;
        Ok(Answer { status: response.status().as_u16(), reason: header(&response, "x-keyward-reason") })
    }

    /// The value of a metric whose line begins with `name`, such as `keyward_verdicts_total{verdict="accept"}`.
    pub(crate) fn metric(&self, name: &str) -> Result<f64, Error> {
        const WHAT: &str = "read the gateway's metrics";
        let request = self.http.get(format!("http://127.0.0.1:{}/metrics", self.admin_port));
        let text = request.send().and_then(|answer| answer.text()).map_err(Error::http(WHAT))?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.ok_or(Error::MissingField { what: WHAT, field: "such metric" })
    }

    /// Has it forget what introspection said of a `token`, `jti`, `sub` or `sid`; how many answers that were.
    pub(crate) fn forget(&self, what: &str, value: &str) -> Result<u64, Error> {
        const WHAT: &str = "have the gateway forget";
        let request = self.http.post(format!("http://127.0.0.1:{}/cache/forget", self.admin_port));
        let answer = request.form(&[(what, value)]).send().map_err(Error::http(WHAT))?;
        let status = answer.status();
        let body = answer.text().map_err(Error::http(WHAT))?;
        let forgotten =
            serde_json::from_str(&body).ok().and_then(|body: Value| body.get("forgotten")?.as_u64());
        forgotten.filter(|_| status.is_success()).ok_or(Error::Answer {
            what: WHAT,
            status: status.as_u16(),
            body,
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " {}", self.reason) }
    }
}

/// A header's values, joined by `, `; empty where there is none.
pub(crate) fn header(response: &Response, name: &str) -> String {
    let values: Vec<_> =
        response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(", ")
}
