//! Drills whose subject is the authority itself: nodes that serve, and what is done to them.

mod a1;
mod activation;
mod b20;
mod b21;
mod b8;
mod caches;
mod database;
mod inside;
mod node;
mod nodes;
mod steps;
mod watch;
mod wire;

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::error::RunError;
use crate::progress::Progress;
use crate::report::{DrillReport, PhaseReport, Result as DrillResult};
use database::Database;
use nodes::Nodes;
use steps::Steps;

/// The variable in which the tests and drills of the authority look for the address of a PostgreSQL.
pub const POSTGRES: &str = "KEYWARD_TEST_POSTGRES";

/// The longest that one may take. Whatever is not over by then hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A drill of the authority. What happens in it are calls, so it is written in Rust and not in TOML.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityDrill {
    /// What it is called.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// What happens and why it matters, in a few lines.
    pub about: &'static str,
    /// The rows of the catalogue of incidents that it replays.
    pub incidents: &'static [&'static str],
    /// Its phases, in order.
    pub phases: &'static [&'static str],
    /// Whether there have to be two nodes, and so a PostgreSQL.
    pub wants_two_nodes: bool,
    which: Which,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    A1,
    B8,
    B20,
    B21,
}

/// All of them, in the order in which they run.
pub const ALL: &[AuthorityDrill] = &[a1::DRILL, b8::DRILL, b20::DRILL, b21::DRILL];

/// The one of this name.
pub fn find(name: &str) -> Option<AuthorityDrill> {
    ALL.iter().find(|drill| drill.name == name).copied()
}

impl AuthorityDrill {
    /// Runs it: one node on SQLite, or two where `postgres` is the address of a server on which databases may be made.
    /// `program` is the `keyward` binary.
    pub fn run(&self, program: &Path, postgres: Option<&str>, progress: &dyn Progress) -> DrillReport {
        if self.wants_two_nodes && postgres.is_none() {
            return self
                .not_applicable(&format!("it needs two nodes, and {POSTGRES} names no PostgreSQL for them"));
        }
        let run = || {
            let runtime = Builder::new_multi_thread().enable_all().build();
            runtime.map_err(RunError::io("start a runtime"))?.block_on(self.play(program, postgres, progress))
        };
        match run() {
            Ok((phases, took)) => {
                let is_well = phases.iter().all(|phase| phase.failures.is_empty());
                let result = if is_well { DrillResult::Passed } else { DrillResult::Failed };
                let left_out = postgres.is_none().then(|| {
                    format!("what happens between two nodes: {POSTGRES} names no PostgreSQL for them")
                });
                DrillReport { left_out, ..self.report(result, None, phases, took) }
            }
            Err(error) => {
                self.report(DrillResult::Broken, Some(error.to_string()), Vec::new(), Duration::ZERO)
            }
        }
    }

    /// Why it is left out in a mode that has no authority.
    pub fn not_applicable(&self, reason: &str) -> DrillReport {
        self.report(DrillResult::NotApplicable, Some(reason.to_owned()), Vec::new(), Duration::ZERO)
    }

    async fn play(
        &self,
        program: &Path,
        postgres: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<(Vec<PhaseReport>, Duration), RunError> {
        let started = Instant::now();
        let database = Database::make(postgres, self.name).await?;
        let played = self.play_on(program, &database, progress).await;
        // It goes whatever came of the drill; what went wrong first is told.
        let dropped = database.drop().await;
        let phases = played?;
        dropped?;
        Ok((phases, started.elapsed()))
    }

    async fn play_on(
        &self,
        program: &Path,
        database: &Database,
        progress: &dyn Progress,
    ) -> Result<Vec<PhaseReport>, RunError> {
        let nodes = Nodes::start(program, database).await?;
        let mut steps = Steps::new(self, progress);
        let play = async {
            match self.which {
                Which::A1 => a1::play(&nodes, &mut steps).await,
                Which::B8 => b8::play(&nodes, &mut steps).await,
                Which::B20 => b20::play(&nodes, &mut steps).await,
                Which::B21 => b21::play(&nodes, &mut steps).await,
            }
        };
        let played = tokio::time::timeout(PATIENCE, play).await;
        played.map_err(|_| nodes.failure("the drill does not come to its end"))??;
        Ok(steps.phases())
    }

    fn report(
        &self,
        result: DrillResult,
        reason: Option<String>,
        phases: Vec<PhaseReport>,
        took: Duration,
    ) -> DrillReport {
        DrillReport {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            incidents: self.incidents.iter().map(|incident| (*incident).to_owned()).collect(),
            result,
            reason,
            left_out: None,
            took_seconds: took.as_secs_f64(),
            attempts: 1,
            phases,
        }
    }
}
