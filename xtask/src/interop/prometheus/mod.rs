//! Our rules in a real Prometheus, and its alerts at a real Alertmanager, while gateways go through faults.

mod lab;
mod monitor;
mod scaled;
mod scene;
mod stage;
mod traffic;
mod watched;

use std::process::Command;
use std::time::Duration;

use super::case::{Bench, Case};
use super::error::Error;
use super::outcome::Outcome;
use super::process::run;
use super::workshop::Workshop;

use monitor::deployed;
use scene::SCENES;
use stage::{Run, Stage};

/// What came of the scenes, which are all played once, at the same time.
pub(crate) struct PrometheusBench<'a> {
    stage: Stage<'a>,
    run: Run,
}

/// A row for each check of the files, and for each alert.
pub(crate) type PrometheusCase = Case<PrometheusBench<'static>>;

const SUCCESS: &str = "SUCCESS";
const TOLD: &str = "told within 60 s, over within 90 s, nothing else told";

macro_rules! alerts {
    ($($name:literal),+) => {
        [$(PrometheusCase { name: $name, target: TOLD, run: |bench| alert(bench, $name) }),+]
    };
}

/// What is checked of the files.
pub(crate) const FILE_CASES: [PrometheusCase; 4] = [
    PrometheusCase { name: "check-rules", target: SUCCESS, run: check_rules },
    PrometheusCase { name: "test-rules", target: SUCCESS, run: test_rules },
    PrometheusCase { name: "check-configurations", target: SUCCESS, run: check_configurations },
    PrometheusCase { name: "quiet", target: "no alert while all is well", run: quiet },
];

/// In the order of `deploy/prometheus/alerts.yaml`.
pub(crate) const ALERT_CASES: [PrometheusCase; 19] = alerts!(
    "JWTInvalidRateHigh",
    "KeywardUndecidedRateHigh",
    "KeywardUnknownKids",
    "KeywardVerdictLatencyHigh",
    "KeywardKeySetRefreshFailing",
    "KeywardKeySetNearStaleLimit",
    "KeywardSnapshotInUse",
    "KeywardClockSkew",
    "KeywardWrapperExpires30Days",
    "KeywardWrapperExpires7Days",
    "KeywardWrapperExpires1Day",
    "KeywardWrapperExpired",
    "KeywardIntrospectionCredentialsRefused",
    "KeywardBreakerOpen",
    "KeywardFallbackInUse",
    "KeywardFallbackFailing",
    "KeywardConfigurationRefused",
    "KeywardTlsCertificateExpires",
    "KeywardGatewayDown"
);

impl<'a> PrometheusBench<'a> {
    /// Plays the scenes.
    pub(crate) fn start(workshop: &'a Workshop) -> Result<Self, Error> {
        let stage = Stage::set(workshop)?;
        let run = stage.play()?;
        Ok(Self { stage, run })
    }
}

impl Bench for PrometheusBench<'_> {
    type On<'a> = PrometheusBench<'a>;

    fn log_tail(&self) -> String {
        self.stage.log_tail()
    }
}

fn check_rules(_: &PrometheusBench<'_>) -> Result<Outcome, Error> {
    let files = ["alerts.yaml", "authority-alerts.yaml"].map(|file| deployed().join(file));
    let text = run(Command::new("promtool").args(["check", "rules"]).args(&files))?;
    let found: Vec<_> = text.lines().filter(|line| line.contains(SUCCESS)).map(str::trim).collect();
    Ok(Outcome { passed: found.len() == files.len(), measured: found.join(", ") })
}

/// The cases in which each alert fires, and does not.
fn test_rules(_: &PrometheusBench<'_>) -> Result<Outcome, Error> {
    let folder = deployed();
    let entries = std::fs::read_dir(&folder).map_err(Error::io(format!("read {}", folder.display())))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(".test.yaml")).collect();
    files.sort();
    run(Command::new("promtool").args(["test", "rules"]).args(&files))?;
    Ok(Outcome { measured: format!("SUCCESS: {} files", files.len()), passed: !files.is_empty() })
}

fn check_configurations(bench: &PrometheusBench<'_>) -> Result<Outcome, Error> {
    bench.stage.monitor().check_configurations()?;
    Ok(Outcome { measured: SUCCESS.to_owned(), passed: true })
}

/// Before anything goes wrong nobody is woken, and where nothing does, nobody ever is.
fn quiet(bench: &PrometheusBench<'_>) -> Result<Outcome, Error> {
    let told = bench.run.told_before();
    let measured = if told.is_empty() { "no alert while all is well".to_owned() } else { told.join(", ") };
    Ok(Outcome { passed: told.is_empty(), measured })
}

/// The alert is told in each scene that it belongs to, ends when it is mended, and no other is told there.
fn alert(bench: &PrometheusBench<'_>, name: &str) -> Result<Outcome, Error> {
    let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for scene in SCENES.iter().filter(|scene| scene.fires.contains(&name)) {
        match bench.run.of(scene.name, name) {
            Some((after, Some(over))) => {
                told.push(format!("told after {}, over after {}", seconds(after), seconds(over)));
            }
            Some((after, None)) => {
                wrong.push(format!("{}: told after {}, not over", scene.name, seconds(after)))
            }
            None => wrong.push(format!("{}: not told", scene.name)),
        }
        let others = bench.run.others(scene);
        if !others.is_empty() {
            wrong.push(format!("{}: told as well: {}", scene.name, others.join(", ")));
        }
    }
    let passed = wrong.is_empty() && !told.is_empty();
    Ok(Outcome { measured: if passed { told } else { wrong }.join("; "), passed })
}
