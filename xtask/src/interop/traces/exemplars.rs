//! A Prometheus that keeps exemplars.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use serde_json::Value;

use super::super::error::Error;
use super::super::process::{Daemon, free_port};
use super::super::workshop::Workshop;

/// Some scrapes, and what a busy machine needs.
const KEPT_WITHIN: Duration = Duration::from_secs(15);

/// It, scraping one gateway.
#[derive(Debug)]
pub(super) struct Prometheus {
    http: Client,
    port: u16,
    _daemon: Daemon,
}

impl Prometheus {
    /// Starts it over the metrics at this port.
    pub(super) fn start(workshop: &Workshop, scraped: u16) -> Result<Self, Error> {
        let (folder, port) = (workshop.subfolder("exemplars")?, free_port()?);
        let config = folder.join("prometheus.yaml");
        let text = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\nscrape_configs:\n  \
             - {{ job_name: gateway, static_configs: [{{ targets: ['127.0.0.1:{scraped}'] }}] }}\n"
        );
        fs::write(&config, text).map_err(Error::io(format!("write {}", config.display())))?;
        let mut command = Command::new("prometheus");
        command
            .arg("--enable-feature=exemplar-storage")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut daemon = Daemon::start("prometheus", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("http://127.0.0.1:{port}/-/ready"), 200)?;
        Ok(Self { http: workshop.http.clone(), port, _daemon: daemon })
    }

    /// Whether it comes to keep an exemplar of this trace at this metric.
    pub(super) fn has_exemplar(&self, metric: &str, trace_id: &str) -> Result<bool, Error> {
        const WHAT: &str = "ask Prometheus for exemplars";
        // All that there ever were.
        let url = format!(
            "http://127.0.0.1:{}/api/v1/query_exemplars?query={metric}&start=0&end=9999999999",
            self.port
        );
        let started = Instant::now();
        loop {
            let answer = self.http.get(&url).send();
            let answer: Value = answer.and_then(|answer| answer.json()).map_err(Error::http(WHAT))?;
            let series = answer.get("data").and_then(Value::as_array).into_iter().flatten();
            let mut kept = series.filter_map(|series| series.get("exemplars")?.as_array()).flatten();
            let found =
                kept.any(|one| one.pointer("/labels/trace_id").and_then(Value::as_str) == Some(trace_id));
            if found || started.elapsed() > KEPT_WITHIN {
                return Ok(found);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}
