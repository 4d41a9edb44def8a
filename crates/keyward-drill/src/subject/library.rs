//! The library in this process, against a provider in memory: what virtual time needs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::event::{Event, Observer};
use keyward::{Forget, IssuerSettings, MonoTime, Now, UnixTime, Verdict, Verifier};
use keyward_lab::Lab;
use tokio::time::Instant;

use super::memory_transport::MemoryTransport;
use super::{Facts, KeyFacts, Subject};
use crate::drill::{Damage, Drill, GatewayStep, Header};
use crate::error::RunError;
use crate::expectation::Detail;
use crate::gateway_plan::settings;
use crate::introspection::{CredentialState, IntrospectionPlan};
use crate::seen::Outcome;

/// A verifier that is started and stopped by a drill.
#[derive(Debug)]
pub(crate) struct Library {
    settings: Mutex<Vec<IssuerSettings>>,
    transport: Arc<MemoryTransport>,
    clock: Arc<VirtualClock>,
    seed: u64,
    /// Kept for as long as the drill runs.
    snapshots: Option<tempfile::TempDir>,
    credentials: Option<Credentials>,
    events: Arc<Events>,
    verifier: Mutex<Option<Verifier>>,
}

/// What it shows its providers, in a folder that is kept for as long as the drill runs.
#[derive(Debug)]
struct Credentials {
    plan: IntrospectionPlan,
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Library {
    /// Builds it, and starts it where the drill says so.
    pub(crate) fn new(drill: &Drill, lab: &Lab, wall: i64, seed: u64) -> Result<Self, RunError> {
        let credentials = drill.gateway.introspection.as_ref().map(|plan| {
            let folder = folder().map_err(RunError::io("make a folder"))?;
            Ok::<_, RunError>(Credentials { plan: plan.clone(), lab: lab.clone(), folder })
        });
        let credentials = credentials.transpose()?;
        let below = credentials.as_ref().map_or(Path::new(""), |credentials| credentials.folder.path());
        let settings = settings(drill, lab, below)?;
        let mut library = Self::stopped(settings, drill.gateway.snapshots, lab, wall, seed)?;
        library.credentials = credentials;
        library.write_credentials(CredentialState::Right)?;
        if drill.gateway.starts {
            library.start()?;
        }
        Ok(library)
    }

    /// One with these settings, which is started.
    pub(crate) fn with_settings(
        settings: Vec<IssuerSettings>,
        snapshots: bool,
        lab: &Lab,
        wall: i64,
        seed: u64,
    ) -> Result<Self, RunError> {
        let library = Self::stopped(settings, snapshots, lab, wall, seed)?;
        library.start()?;
        Ok(library)
    }

    fn stopped(
        settings: Vec<IssuerSettings>,
        snapshots: bool,
        lab: &Lab,
        wall: i64,
        seed: u64,
    ) -> Result<Self, RunError> {
        let snapshots = if snapshots { Some(folder()) } else { None };
        Ok(Self {
            settings: Mutex::new(settings),
            transport: Arc::new(MemoryTransport::new(lab.clone())),
            clock: Arc::new(VirtualClock::starting_at(wall)),
            seed,
            snapshots: snapshots.transpose().map_err(RunError::io("make a folder"))?,
            credentials: None,
            events: Arc::default(),
            verifier: Mutex::new(None),
        })
    }

    /// The one that runs; none while it is stopped.
    pub(crate) fn verifier(&self) -> Option<Verifier> {
        lock(&self.verifier).clone()
    }

    fn start(&self) -> Result<(), RunError> {
        self.start_after(None)
    }

    fn start_after(&self, previous: Option<&Verifier>) -> Result<(), RunError> {
        let mut builder = Verifier::builder()
            .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
            .observer(Arc::clone(&self.events) as Arc<dyn Observer>)
            .transport(Arc::clone(&self.transport) as _)
            .seed(self.seed);
        if let Some(folder) = &self.snapshots {
            builder = builder.snapshots(folder.path());
        }
        if let Some(previous) = previous {
            builder = builder.previous(previous);
        }
        let settings = lock(&self.settings).clone();
        let verifier =
            settings.into_iter().fold(builder, |builder, issuer| builder.issuer(issuer)).start()?;
        *lock(&self.verifier) = Some(verifier);
        Ok(())
    }

    fn write_credentials(&self, state: CredentialState) -> Result<(), RunError> {
        let Some(Credentials { plan, lab, folder }) = &self.credentials else {
            return Ok(());
        };
        lab.issuers()
            .try_for_each(|issuer| plan.write(lab, issuer, folder.path(), state))
            .map_err(RunError::credential)
    }

    fn kill(&self) {
        lock(&self.verifier).take();
    }

    fn deny(&self, kids: &[String]) -> Result<(), RunError> {
        for issuer in &mut *lock(&self.settings) {
            issuer.policy.denied_kids = kids.iter().map(|kid| kid.as_str().into()).collect();
        }
        self.start_after(self.verifier().as_ref())
    }

    fn damage(&self, damage: Damage) -> Result<(), RunError> {
        self.snapshots
            .as_ref()
            .map_or(Ok(()), |folder| super::gateway::damage_snapshots(folder.path(), damage))
    }
}

impl Subject for Library {
    fn detail(&self) -> Detail {
        Detail::Reason
    }

    async fn ask(&self, token: &str, _: Header) -> Outcome {
        match self.verifier() {
            None => Outcome::Unanswered,
            Some(verifier) => match verifier.verify(token.as_bytes()).await {
                Verdict::Accept(verified) if verified.fallback().is_some() => Outcome::Fallback,
                Verdict::Accept(_) => Outcome::Accept,
                Verdict::Reject(reason) | Verdict::Undecided(reason) => reason.into(),
            },
        }
    }

    async fn step(&self, step: &GatewayStep) -> Result<(), RunError> {
        match step {
            GatewayStep::Credential(state) => self.write_credentials(*state),
            GatewayStep::Deny(kids) => self.deny(kids),
            GatewayStep::Forget(subject) => {
                if let Some(verifier) = self.verifier() {
                    verifier.forget(Forget::Subject(subject));
                }
                Ok(())
            }
            GatewayStep::Kill => {
                self.kill();
                Ok(())
            }
            GatewayStep::Restart => {
                self.kill();
                self.start()
            }
            GatewayStep::Snapshot(damage) => self.damage(*damage),
            GatewayStep::Start => self.start(),
        }
    }

    async fn facts(&self) -> Result<Option<Facts>, RunError> {
        let Some(verifier) = self.verifier() else {
            return Ok(None);
        };
        let status = verifier.status();
        let readiness = if !status.iter().any(|issuer| issuer.usable) {
            "no_keys"
        } else if status.iter().all(|issuer| issuer.usable && issuer.state == "fresh") {
            "ready"
        } else {
            "degraded"
        };
        let keys = status.iter().map(|issuer| (issuer.name.clone(), KeyFacts::of_status(issuer)));
        let keys = keys.collect();
        let skipped = status.into_iter().map(|issuer| {
            (issuer.name, issuer.skipped.into_iter().map(|key| key.reason.to_owned()).collect())
        });
        Ok(Some(Facts {
            readiness: readiness.to_owned(),
            events: lock(&self.events.0).clone(),
            skipped: skipped.collect(),
            keys,
            metrics: None,
            memory: None,
        }))
    }
}

/// In memory where the system has a place there: nothing of it has to outlive the run, and disks take their time.
fn folder() -> io::Result<tempfile::TempDir> {
    const IN_MEMORY: &str = "/dev/shm";
    tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir())
}

/// tokio's clock, which can be paused, and a wall clock that goes along with it.
#[derive(Debug)]
struct VirtualClock {
    wall: i64,
    origin: Instant,
}

impl VirtualClock {
    fn starting_at(wall: i64) -> Self {
        Self { wall, origin: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let elapsed = self.origin.elapsed();
        Now {
            wall: UnixTime(self.wall).saturating_add(elapsed),
            mono: MonoTime(0).saturating_add(elapsed).saturating_add(Duration::from_nanos(1)),
        }
    }
}

/// Counts events by what they are logged as, and by that with their cause.
#[derive(Debug, Default)]
struct Events(Mutex<BTreeMap<String, u64>>);

impl Observer for Events {
    fn observe(&self, _issuer: &str, event: &Event<'_>) {
        let mut events = lock(&self.0);
        *events.entry(event.label().to_owned()).or_default() += 1;
        let cause = match event {
            Event::CredentialFailed { error, .. } | Event::CredentialRefused { error, .. } => error.label(),
            Event::IntrospectionCalled { outcome, .. } => outcome,
            Event::IntrospectionFailed { failure, .. } => failure.label(),
            Event::RefreshFailed { error, .. } => error.label(),
            Event::RefreshRefused { .. } => "no_usable_key",
            Event::WrapperNotYetValid { .. } => "not_yet_valid",
            Event::WrapperTroubled { trouble, .. } => trouble.label(),
            _ => return,
        };
        *events.entry(format!("{}:{cause}", event.label())).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
