//! `keyward drill run`.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use clap::{ArgGroup, Args};
use http::Uri;
use keyward_drill::authority::{self, AuthorityDrill};
use keyward_drill::drill::Runs;
use keyward_drill::progress::Progress;
use keyward_drill::report::{DrillReport, Report};
use keyward_drill::{Doctor, Drill, Mode, Target, catalogue, junit};
use keyward_lab::Sockets;

use super::progress::StatusLine;
use super::table;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").required(true).multiple(false).args(["drills", "all"])))]
#[command(after_help = "\
Examples:
  keyward drill run --all
  keyward drill run outage-status-503 --json
  keyward drill run --all --virtual-time
  keyward drill run --all --with-doctor
  keyward drill run mine.toml
  keyward drill run --all --target http://127.0.0.1:10000/ --lab-port 9400 --lab-folder /tmp/lab

Without --target and --virtual-time, this very binary is started as a gateway, once a drill, on free ports of
127.0.0.1. With --target, the gateway at that address is asked by GET with a Bearer token; it has to trust the
lab's issuers: 2xx is accept, 5xx undecided, all else reject.

The drills of the authority start this binary as nodes: one on SQLite, or two where KEYWARD_TEST_POSTGRES is the
address of a PostgreSQL on which databases may be made, such as postgres://postgres@127.0.0.1/postgres. With one, what
happens between two is left out, and the report says so.

Exit code 0: all passed. 1: one failed. 2: one could not be run.")]
pub(crate) struct RunArgs {
    /// Names of drills, or files of your own ending in .toml
    #[arg(value_name = "NAME_OR_FILE")]
    drills: Vec<String>,
    /// Every drill that comes along
    #[arg(long)]
    all: bool,
    /// Run the library and the provider in this process, on a clock that jumps from deadline to deadline
    #[arg(long, conflicts_with = "target")]
    virtual_time: bool,
    /// Have the doctor look at the end of each phase, and hold what it names first against what the drill says
    #[arg(long)]
    with_doctor: bool,
    /// What jitter and random tokens are made from in virtual time: the same seed makes the same run
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "virtual_time")]
    seed: u64,
    /// The forward-auth address of a gateway that you run
    #[arg(long, value_name = "URL")]
    target: Option<Uri>,
    /// The first port of the provider; each issuer takes four, in the order of their names
    #[arg(long, value_name = "PORT", requires = "target")]
    lab_port: Option<u16>,
    /// Where the certificate authority of the provider is kept as authority.pem, and its key
    #[arg(long, value_name = "FOLDER", requires = "target")]
    lab_folder: Option<PathBuf>,
    /// The provider's issuers are reached by https in every drill
    #[arg(long, requires = "target")]
    lab_https: bool,
    /// What restarts your gateway; without it, drills that do so are left out
    #[arg(long, value_name = "COMMAND", requires = "target")]
    restart_command: Option<String>,
    /// How many drills run at once, of those that measure no time. Default 6, and 1 with --target
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write JUnit XML there, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let drills = args.chosen()?;
    let mode = args.mode()?;
    let jobs = args.jobs.unwrap_or(if args.target.is_some() { 1 } else { 6 });
    let status = StatusLine::new(drills.len());
    let report = Report::new(run_all(&drills, &mode, jobs.max(1), &status));
    if let Some(path) = &args.junit {
        let unwritable = |cause| Failure::File { path: path.display().to_string(), cause };
        let file = File::create(path).map_err(unwritable)?;
        junit::write(&report, io::BufWriter::new(file)).map_err(unwritable)?;
    }
    let mut output = Output::stdout();
    if args.json {
        output.json(&report)?;
    } else {
        table::write(&report, &mut output)?;
    }
    output.flush()?;
    Ok(if report.failed == 0 { Exit::Yes } else { Exit::No })
}

impl RunArgs {
    /// Those that were named, in that order, or all: first what decides on tokens, then the authority.
    fn chosen(&self) -> Result<Vec<Chosen>, Failure> {
        if self.all {
            let deciding = catalogue::all()?.into_iter().map(Chosen::deciding);
            return Ok(deciding.chain(authority::ALL.iter().copied().map(Chosen::Authority)).collect());
        }
        let mut chosen = Vec::new();
        for name in &self.drills {
            match authority::find(name) {
                Some(drill) => chosen.push(Chosen::Authority(drill)),
                None => chosen.extend(catalogue::find(name)?.into_iter().map(Chosen::deciding)),
            }
        }
        Ok(chosen)
    }

    fn mode(&self) -> Result<Mode, Failure> {
        if self.with_doctor && self.virtual_time {
            return Err(Failure::Usage(
                "--with-doctor needs sockets: the doctor looks at addresses, and in virtual time nothing listens"
                    .to_owned(),
            ));
        }
        if self.with_doctor && self.target.is_some() {
            return Err(Failure::Usage(
                "--with-doctor asks our own gateway's admin listener, which the gateway at --target does not have"
                    .to_owned(),
            ));
        }
        if self.virtual_time {
            return Ok(Mode::VirtualTime { seed: self.seed });
        }
        match &self.target {
            Some(address) if address.scheme_str() != Some("http") || address.authority().is_none() => {
                Err(Failure::Usage(format!(
                    "--target {address} is no address by http, such as http://127.0.0.1:8080/"
                )))
            }
            Some(address) => Ok(Mode::Target(Target {
                address: address.clone(),
                restart_command: self.restart_command.clone(),
                sockets: Sockets { first_port: self.lab_port, folder: self.lab_folder.clone() },
                https: self.lab_https,
            })),
            None => {
                let program = std::env::current_exe();
                let program =
                    program.map_err(|cause| Failure::File { path: "this binary".to_owned(), cause })?;
                Ok(Mode::Gateway { program, doctor: self.with_doctor.then(Doctor::default) })
            }
        }
    }
}

/// A drill that is to be run.
enum Chosen {
    /// Of the authority.
    Authority(AuthorityDrill),
    /// Of what decides on tokens.
    Deciding(Box<Drill>),
}

impl Chosen {
    fn deciding(drill: Drill) -> Self {
        Self::Deciding(Box::new(drill))
    }

    /// Whether it measures time, so that nothing may run beside it.
    fn runs_alone(&self, mode: &Mode) -> bool {
        match self {
            Self::Authority(_) => false,
            Self::Deciding(drill) => {
                matches!(mode, Mode::Gateway { .. } | Mode::Target(_))
                    && drill.wants_the_machine()
                    && drill.runs != Runs::VirtualTime
            }
        }
    }

    fn run(&self, mode: &Mode, status: &StatusLine) -> DrillReport {
        match (self, mode) {
            (Self::Deciding(drill), _) => mode.run(drill, status),
            (Self::Authority(drill), Mode::Gateway { program, .. }) => {
                let postgres = std::env::var(authority::POSTGRES).ok();
                drill.run(program, postgres.as_deref(), status)
            }
            (Self::Authority(drill), Mode::Target(_) | Mode::VirtualTime { .. }) => {
                drill.not_applicable("it is about the authority, as processes of this binary")
            }
        }
    }
}

/// Runs them: those that measure no time side by side, the others alone. The reports are in the drills' order.
fn run_all(drills: &[Chosen], mode: &Mode, jobs: usize, status: &StatusLine) -> Vec<DrillReport> {
    let (alone, mut together): (Vec<_>, Vec<_>) =
        drills.iter().enumerate().partition(|(_, drill)| drill.runs_alone(mode));
    // Those of the authority take longest: whoever waits for them waits beside the others.
    together.sort_by_key(|(_, drill)| matches!(drill, Chosen::Deciding(_)));
    let reports = Mutex::new(Vec::new());
    let work = |queue: &Mutex<std::vec::IntoIter<(usize, &Chosen)>>| {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((place, drill)) = next() {
            let report = drill.run(mode, status);
            status.done(&report);
            reports.lock().unwrap_or_else(PoisonError::into_inner).push((place, report));
        }
    };
    for (queue, jobs) in [(together, jobs), (alone, 1)] {
        let queue = Mutex::new(queue.into_iter());
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| work(&queue));
            }
        });
    }
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(place, _)| *place);
    reports.into_iter().map(|(_, report)| report).collect()
}
