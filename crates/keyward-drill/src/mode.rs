//! Where drills run: on the gateway itself, on somebody else's, or in virtual time.

use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use keyward::WrapperPolicy;
use keyward_lab::{Lab, Sockets};
use tokio::runtime::Builder;

use crate::doctor::Doctor;
use crate::drill::{Drill, Runs};
use crate::engine::{self, Run};
use crate::error::RunError;
use crate::judge::Pace;
use crate::progress::Progress;
use crate::report::{DrillReport, Result as DrillResult};
use crate::subject::{Foreign, Gateway, Library};

/// How drills are run.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Against the gateway, a process of its own, over real sockets. Drills about days run in virtual time.
    Gateway {
        /// The `keyward` binary.
        program: PathBuf,
        /// Who looks at the end of each phase, where somebody does.
        doctor: Option<Doctor>,
    },
    /// Against a gateway that somebody else runs, and that trusts the lab's issuers.
    Target(Target),
    /// Against the library, in this process, on a clock that jumps from one deadline to the next.
    VirtualTime {
        /// What jitter and random tokens are made from: the same seed makes the same run.
        seed: u64,
    },
}

/// A gateway that somebody else runs.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it answers: 2xx is accept, 5xx undecided, all else reject.
    pub address: Uri,
    /// What restarts it, for `sh -c`.
    pub restart_command: Option<String>,
    /// Where the lab listens, so that the gateway could be told of it beforehand.
    pub sockets: Sockets,
    /// Whether all issuers are reached by https, whatever the drill says. Some gateways want nothing else.
    pub https: bool,
}

/// The seed of a drill that runs in virtual time although the mode is another.
const SEED: u64 = 1;

/// How many times a drill is run where nothing but its latency is out of bounds: noise only ever adds to that.
const ATTEMPTS: u32 = 5;

impl Mode {
    /// Why the drill cannot be run in this mode; none where it can.
    pub fn not_applicable(&self, drill: &Drill) -> Option<String> {
        match self {
            Self::Gateway { .. } => None,
            Self::Target(target) => {
                let restart = target.restart_command.as_deref();
                let mut steps = drill.phases.iter().flat_map(|phase| &phase.steps);
                let all_possible =
                    steps.all(|step| step.gateway.as_ref().is_none_or(|step| Foreign::can(step, restart)));
                if drill.runs == Runs::VirtualTime {
                    Some("it is about days and runs in virtual time only".to_owned())
                } else if !all_possible || !drill.gateway.starts {
                    Some("it starts, stops or configures the gateway".to_owned())
                } else if drill
                    .gateway
                    .wrapper
                    .is_some_and(|wrapper| wrapper.policy == WrapperPolicy::Enforce)
                {
                    Some("it has the gateway refuse keys for the certificates around them".to_owned())
                } else if drill.gateway.is_ours_alone() {
                    Some("it is about how the gateway is set up".to_owned())
                } else {
                    None
                }
            }
            Self::VirtualTime { .. } => {
                let reason = "it is about TLS, processes, load or memory and runs over sockets only";
                (drill.runs == Runs::Sockets).then(|| reason.to_owned())
            }
        }
    }

    /// Runs a drill, on a runtime of its own.
    pub fn run(&self, drill: &Drill, progress: &dyn Progress) -> DrillReport {
        if let Some(reason) = self.not_applicable(drill) {
            return DrillReport::not_applicable(drill, reason);
        }
        let mut attempt = 1;
        loop {
            let report = self.run_once(drill, progress).unwrap_or_else(|e| DrillReport::broken(drill, &e));
            if attempt == ATTEMPTS || report.result != DrillResult::Failed || !report.fails_by_latency_alone()
            {
                return report.after(attempt);
            }
            attempt += 1;
        }
    }

    fn run_once(&self, drill: &Drill, progress: &dyn Progress) -> Result<DrillReport, RunError> {
        match self {
            Self::Gateway { .. } if drill.runs == Runs::VirtualTime => virtual_time(drill, SEED, progress),
            Self::Gateway { program, doctor } => on_all_cores(async {
                let lab = Lab::on_sockets(&drill.provider, &Sockets::default()).await?;
                let subject = Arc::new(Gateway::new(drill, &lab, program).await?);
                Run { drill, lab, subject, pace: Pace::Real, progress, doctor: *doctor }.report().await
            }),
            Self::Target(target) => on_all_cores(async {
                let mut plan = drill.provider.clone();
                if target.https {
                    plan.issuer.values_mut().for_each(|issuer| issuer.tls = true);
                }
                let lab = Lab::on_sockets(&plan, &target.sockets).await?;
                let subject = Foreign::new(target.address.clone(), target.restart_command.clone());
                let subject = Arc::new(subject);
                Run { drill, lab, subject, pace: Pace::Real, progress, doctor: None }.report().await
            }),
            Self::VirtualTime { seed } => virtual_time(drill, *seed, progress),
        }
    }
}

fn on_all_cores<T>(run: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(RunError::io("start a runtime"))?.block_on(run)
}

fn virtual_time(drill: &Drill, seed: u64, progress: &dyn Progress) -> Result<DrillReport, RunError> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map_err(RunError::io("start a runtime"))?.block_on(async {
        let lab = Lab::in_memory(&drill.provider, engine::VIRTUAL_WALL, seed)?;
        let subject = Arc::new(Library::new(drill, &lab, engine::VIRTUAL_WALL, seed)?);
        Run { drill, lab, subject, pace: Pace::Virtual, progress, doctor: None }.report().await
    })
}
