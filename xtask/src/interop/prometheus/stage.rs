//! The stage that the scenes are played on: all is well, then all goes wrong, then all is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use super::super::certificates::{Certified, now, write_private};
use super::super::error::Error;
use super::super::workshop::Workshop;
use super::lab::Lab;
use super::monitor::{Active, Monitor};
use super::scene::{Fault, SCENES, Scene};
use super::traffic::Traffic;
use super::watched::Watched;

/// How long all is well: longer than the longest window of the rules.
const QUIET: Duration = Duration::from_secs(12);

/// How long it may take until all is told, and until all is over: a breaker, a credential and a key set are left alone
/// for up to a minute, half of that, and half a minute.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
const OVER_WITHIN: Duration = Duration::from_secs(90);

/// How long everything stays wrong after all is told, so that what should stay quiet has its chance to speak.
const LINGER: Duration = Duration::from_secs(3);

const LOOK: Duration = Duration::from_millis(250);

const DAY: i64 = 86_400;

/// A lab, a gateway for each scene, who asks them, and who watches.
pub(super) struct Stage<'a> {
    lab: Lab,
    gateways: Vec<(&'static Scene, Watched<'a>, Traffic)>,
    monitor: Monitor,
}

/// What Alertmanager told, and when.
#[derive(Debug, Default)]
pub(super) struct Run {
    before: BTreeSet<Active>,
    /// After the faults began.
    told: BTreeMap<Active, Duration>,
    /// After they were mended.
    over: BTreeMap<Active, Duration>,
}

impl<'a> Stage<'a> {
    /// Starts everything, and all is well.
    pub(super) fn set(workshop: &'a Workshop) -> Result<Self, Error> {
        let plan: String =
            SCENES.iter().map(|scene| format!("[issuer.{}]\n{}\n", scene.name, scene.plan)).collect();
        let lab = Lab::start(workshop, &plan)?;
        let mut gateways = Vec::new();
        for scene in &SCENES {
            let gateway = Watched::new(workshop, scene.name)?;
            write_private(&gateway.folder().join("client-secret"), "drill\n")?;
            show_certificate(&gateway, 300)?;
            gateway.configure(&configuration(scene, &lab, &gateway)?)?;
            gateway.start("readyz")?;
            let traffic = Traffic::start(&workshop.http, gateway.port());
            traffic.send(tokens(&lab, scene.name, scene.well)?);
            gateways.push((scene, gateway, traffic));
        }
        let jobs: Vec<_> =
            gateways.iter().map(|(scene, gateway, _)| (job(scene), gateway.admin_port())).collect();
        let monitor = Monitor::start(workshop, &jobs)?;
        Ok(Self { lab, gateways, monitor })
    }

    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// All is well, then nothing is, then all is again.
    pub(super) fn play(&self) -> Result<Run, Error> {
        let mut run = Run::default();
        let quiet = Instant::now();
        while quiet.elapsed() < QUIET {
            run.before.append(&mut self.monitor.active()?);
            thread::sleep(LOOK);
        }
        let began = Instant::now();
        for (scene, gateway, traffic) in &self.gateways {
            self.go_wrong(scene, gateway)?;
            traffic.send(tokens(&self.lab, scene.name, scene.ill)?);
        }
        let wanted: BTreeSet<Active> = SCENES
            .iter()
            .flat_map(|scene| scene.fires.iter().map(|alert| (alert.to_string(), job(scene))))
            .collect();
        let mut all_told = None;
        while began.elapsed() < TOLD_WITHIN && all_told.is_none_or(|at: Instant| at.elapsed() < LINGER) {
            for active in self.monitor.active()? {
                run.told.entry(active).or_insert(began.elapsed());
            }
            if all_told.is_none() && wanted.iter().all(|wanted| run.told.contains_key(wanted)) {
                all_told = Some(Instant::now());
            }
            thread::sleep(LOOK);
        }
        let mended = Instant::now();
        for (scene, gateway, traffic) in &self.gateways {
            self.mend(scene, gateway)?;
            traffic.send(tokens(&self.lab, scene.name, scene.well)?);
        }
        loop {
            let active = self.monitor.active()?;
            for ended in run.told.keys().filter(|told| !active.contains(*told)) {
                run.over.entry(ended.clone()).or_insert(mended.elapsed());
            }
            // What comes back was not over.
            run.over.retain(|ended, _| !active.contains(ended));
            for late in active {
                run.told.entry(late).or_insert(began.elapsed());
            }
            if mended.elapsed() > OVER_WITHIN || run.told.keys().all(|told| run.over.contains_key(told)) {
                return Ok(run);
            }
            thread::sleep(LOOK);
        }
    }

    pub(super) fn log_tail(&self) -> String {
        let gateways: String = self.gateways.iter().map(|(_, gateway, _)| gateway.log_tail()).collect();
        format!("{gateways}{}{}", self.lab.log_tail(), self.monitor.log_tail())
    }

    fn go_wrong(&self, scene: &Scene, gateway: &Watched<'_>) -> Result<(), Error> {
        match scene.fault {
            Fault::Certificate => show_certificate(gateway, 5),
            Fault::Configuration => gateway.configure("[[issuer]]\nname = \"main\"\n"),
            Fault::Killed => {
                gateway.kill();
                Ok(())
            }
            Fault::Lab(breaks, _) => self.lab.command(scene.name, breaks),
            Fault::LabAndRestart(breaks, _) => {
                self.lab.command(scene.name, breaks)?;
                gateway.kill();
                gateway.start("healthz")
            }
            Fault::Requests => Ok(()),
        }
    }

    fn mend(&self, scene: &Scene, gateway: &Watched<'_>) -> Result<(), Error> {
        match scene.fault {
            Fault::Certificate => show_certificate(gateway, 300),
            Fault::Configuration => gateway.configure(&configuration(scene, &self.lab, gateway)?),
            Fault::Killed => gateway.start("readyz"),
            Fault::Lab(_, mends) | Fault::LabAndRestart(_, mends) => self.lab.command(scene.name, mends),
            Fault::Requests => Ok(()),
        }
    }
}

impl Run {
    /// What was told before anything went wrong, and in the scene in which nothing ever did.
    pub(super) fn told_before(&self) -> Vec<String> {
        let never = self.told.keys().filter(|(_, told_of)| {
            SCENES.iter().any(|scene| scene.fires.is_empty() && job(scene) == *told_of)
        });
        self.before.iter().chain(never).map(|(alert, job)| format!("{alert} of {job}")).collect()
    }

    /// How long it took until an alert was told in a scene, and until it was over.
    pub(super) fn of(&self, scene: &str, alert: &str) -> Option<(Duration, Option<Duration>)> {
        let active = (alert.to_owned(), format!("keyward-{scene}"));
        Some((*self.told.get(&active)?, self.over.get(&active).copied()))
    }

    /// What was told in a scene that has nothing to do with it.
    pub(super) fn others(&self, scene: &Scene) -> Vec<&str> {
        let told =
            self.told.keys().filter(|(_, told_of)| *told_of == job(scene)).map(|(alert, _)| alert.as_str());
        told.filter(|alert| !scene.fires.contains(alert) && !scene.may.contains(alert)).collect()
    }
}

fn job(scene: &Scene) -> String {
    format!("keyward-{}", scene.name)
}

fn tokens(lab: &Lab, issuer: &str, plans: &[&str]) -> Result<Vec<String>, Error> {
    plans.iter().map(|plan| lab.token(issuer, plan)).collect()
}

fn configuration(scene: &Scene, lab: &Lab, gateway: &Watched<'_>) -> Result<String, Error> {
    let folder = gateway.folder().join("state").display().to_string();
    Ok(format!(
        "{}\n[[issuer]]\nname = \"main\"\nissuer = {:?}\naudiences = [\"api\"]\n{}\n[[route]]\naccess = \"required\"\n",
        scene.gateway.replace("@FOLDER@", &folder),
        lab.issuer(scene.name)?,
        scene.issuer,
    ))
}

/// Writes a certificate that is over in so many days, and its key, both at once.
fn show_certificate(gateway: &Watched<'_>, days: i64) -> Result<(), Error> {
    let (new, path) = (gateway.folder().join("new.pem"), gateway.folder().join("gateway.pem"));
    write_private(&new, &Certified::signing_key("localhost", now() + days * DAY)?.bundle())?;
    std::fs::rename(&new, &path).map_err(Error::io(format!("write {}", path.display())))
}
