//! One drill against one of the others.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::drill::Drill;
use super::rival::{Rival, Site};
use super::verdict::{Report, Verdict};
use crate::Failure;
use crate::interop::{Daemon, Workshop, ending_with_us};

/// How long the lab may take until it listens.
const LAB_WITHIN: Duration = Duration::from_secs(30);

/// Where the ports begin from which the lab and the gateway get ten in a row; below those that the kernel gives to
/// clients, of which a drill is one.
const FIRST_PORTS: u16 = 9400;

/// Of the ten: the lab has the first eight.
const GATEWAYS_PLACE: u16 = 8;

/// One drill against one of the others, begun.
#[derive(Debug)]
pub(super) enum Attempt {
    /// Nothing was started: there is nothing to learn from it.
    Pointless(Verdict),
    /// It runs.
    Running(Running),
}

/// A drill that runs: it asks, and the gateway that it asks is new, so that no drill inherits another's keys.
#[derive(Debug)]
pub(super) struct Running {
    drill: Child,
    report: PathBuf,
    log: PathBuf,
    /// None where the drill cannot be run.
    gateway: Option<Daemon>,
}

impl Attempt {
    /// Begins. To be called from the main thread, as all that starts servers.
    pub(super) fn start(workshop: &Workshop, rival: &Rival, drill: &Drill) -> Result<Self, Failure> {
        // Both are told where the key set is, so that they never ask.
        if drill.name.starts_with("outage-discovery-") {
            let reason = "its fault is in discovery, and the address of the key set is configured";
            return Ok(Self::Pointless(Verdict::not_applicable(&drill.name, reason)));
        }
        if drill.introspects {
            let reason = "it is about introspection, and here it verifies JWTs by key sets";
            return Ok(Self::Pointless(Verdict::not_applicable(&drill.name, reason)));
        }
        Running::start(workshop, rival, drill).map(Self::Running)
    }

    /// Waits until the drill is over.
    pub(super) fn finish(self) -> Result<Verdict, Failure> {
        match self {
            Self::Pointless(verdict) => Ok(verdict),
            Self::Running(running) => running.finish(),
        }
    }
}

impl Running {
    /// Starts the drill, which starts the lab, and then the gateway, which has to trust the lab's authority. The drill
    /// begins with the first token that is accepted.
    fn start(workshop: &Workshop, rival: &Rival, drill: &Drill) -> Result<Self, Failure> {
        let folder = workshop.subfolder(&format!("{}-{}", rival.name, drill.name))?;
        let lab = folder.join("lab");
        let lab_port = ten_free_ports()?;
        let port = lab_port + GATEWAYS_PLACE;
        let (report, log) = (folder.join("report.json"), folder.join("drill.log"));
        let address = format!("http://127.0.0.1:{port}/");
        let mut command = Command::new(&workshop.keyward);
        command.args(["drill", "run", &drill.name, "--json", "--target", &address, "--lab-https"]);
        command.args(["--lab-port", &lab_port.to_string(), "--lab-folder"]).arg(&lab);
        let child = ending_with_us(&command)
            .stdin(Stdio::null())
            .stdout(File::create(&report)?)
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut attempt = Self { drill: child, report, log, gateway: None };
        let authority = lab.join("authority.pem");
        if attempt.lab_listens(&authority)? {
            let site = Site { lab_port, port, folder: folder.clone(), authority };
            let command = (rival.command)(&workshop.installed, drill, &site)?;
            let mut gateway = Daemon::start(rival.name, &command, &folder)?;
            gateway.wait_until(&workshop.http, &address, 401)?;
            attempt.gateway = Some(gateway);
        }
        Ok(attempt)
    }

    /// Waits until the lab has written its authority; `false` where the drill ends without a lab.
    fn lab_listens(&mut self, authority: &Path) -> Result<bool, Failure> {
        let started = Instant::now();
        loop {
            if fs::read_to_string(authority).is_ok_and(|pem| pem.contains("-----END CERTIFICATE-----")) {
                return Ok(true);
            }
            if self.drill.try_wait()?.is_some() {
                return Ok(false);
            }
            if started.elapsed() > LAB_WITHIN {
                return Err(Failure(format!("the lab does not listen: {}", self.log())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn finish(mut self) -> Result<Verdict, Failure> {
        self.drill.wait()?;
        let report: Report = serde_json::from_slice(&fs::read(&self.report)?)
            .map_err(|error| Failure(format!("the drill has no report ({error}): {}", self.log())))?;
        report.drills.into_iter().next().ok_or_else(|| Failure("the report has no drill".to_owned()))
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where it is over already.
        let _ = self.drill.kill();
        let _ = self.drill.wait();
    }
}

/// The first of ten ports in a row that nobody listens on just now; a multiple of ten.
fn ten_free_ports() -> Result<u16, Failure> {
    let mut tens = (FIRST_PORTS..32_000).step_by(10);
    let is_free =
        |first: &u16| (*first..first + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    tens.find(is_free).ok_or_else(|| Failure("no ten ports in a row are free".to_owned()))
}
