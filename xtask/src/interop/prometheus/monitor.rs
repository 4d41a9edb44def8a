//! Prometheus and Alertmanager, running with our rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::Value;

use super::super::error::Error;
use super::super::process::{Daemon, free_port, run};
use super::super::workshop::Workshop;
use super::scaled::scaled;
use crate::command;

/// Both, until this is dropped.
#[derive(Debug)]
pub(super) struct Monitor {
    http: Client,
    folder: PathBuf,
    alertmanager_port: u16,
    prometheus: Daemon,
    alertmanager: Daemon,
}

/// An alert that is active: its name and its job.
pub(super) type Active = (String, String);

impl Monitor {
    /// Starts both over these jobs: a name, and the port that metrics are at.
    pub(super) fn start(workshop: &Workshop, jobs: &[(String, u16)]) -> Result<Self, Error> {
        let folder = workshop.subfolder("prometheus")?;
        let (port, alertmanager_port) = (free_port()?, free_port()?);
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))
        };
        let rules = deployed().join("alerts.yaml");
        let rules = fs::read_to_string(&rules).map_err(Error::io(format!("read {}", rules.display())))?;
        write("alerts.yaml", &scaled(&rules))?;
        write("prometheus.yaml", &configuration(jobs, alertmanager_port))?;
        write("alertmanager.yaml", ALERTMANAGER)?;
        let mut alertmanager = Daemon::start(
            "alertmanager",
            Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", folder.join("alertmanager.yaml").display()))
                .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{alertmanager_port}"))
                .arg("--cluster.listen-address="),
            &folder,
        )?;
        let mut prometheus = Daemon::start(
            "prometheus",
            Command::new("prometheus")
                .arg(format!("--config.file={}", folder.join("prometheus.yaml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}")),
            &folder,
        )?;
        let http = workshop.http.clone();
        alertmanager.wait_until(&http, &format!("http://127.0.0.1:{alertmanager_port}/-/ready"), 200)?;
        prometheus.wait_until(&http, &format!("http://127.0.0.1:{port}/-/ready"), 200)?;
        Ok(Self { http, folder, alertmanager_port, prometheus, alertmanager })
    }

    /// What Alertmanager would wake somebody for now.
    pub(super) fn active(&self) -> Result<BTreeSet<Active>, Error> {
        const WHAT: &str = "ask Alertmanager for its alerts";
        let url = format!("http://127.0.0.1:{}/api/v2/alerts?active=true", self.alertmanager_port);
        let answer = self.http.get(url).send().and_then(|answer| answer.json::<Vec<Value>>());
        let label = |alert: &Value, name: &str| {
            let text = alert.get("labels").and_then(|labels| labels.get(name)).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let alerts = answer.map_err(Error::http(WHAT))?;
        Ok(alerts.iter().map(|alert| (label(alert, "alertname"), label(alert, "job"))).collect())
    }

    /// Whether `promtool` and `amtool` take the configurations that run.
    pub(super) fn check_configurations(&self) -> Result<(), Error> {
        run(Command::new("promtool").args(["check", "config"]).arg(self.folder.join("prometheus.yaml")))?;
        run(Command::new("amtool").arg("check-config").arg(self.folder.join("alertmanager.yaml"))).map(drop)
    }

    pub(super) fn log_tail(&self) -> String {
        format!("{}{}", self.prometheus.log_tail(), self.alertmanager.log_tail())
    }
}

/// Where the rules are that are deployed.
pub(super) fn deployed() -> PathBuf {
    command::workspace().join("deploy/prometheus")
}

/// Nobody is told: they are asked for.
const ALERTMANAGER: &str = "route: { receiver: nobody, group_wait: 0s, group_interval: 1s }\n\
                            receivers: [{ name: nobody }]\n";

fn configuration(jobs: &[(String, u16)], alertmanager_port: u16) -> String {
    let mut text = format!(
        "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n\
         rule_files: [alerts.yaml]\n\
         alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['127.0.0.1:{alertmanager_port}'] }}] }}] }}\n\
         scrape_configs:\n"
    );
    for (job, port) in jobs {
        text.push_str(&format!(
            "  - {{ job_name: {job}, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}\n"
        ));
    }
    text
}
