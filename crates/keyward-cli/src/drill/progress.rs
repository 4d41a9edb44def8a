//! How far the drills are, on standard error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use keyward_drill::progress::Progress;
use keyward_drill::report::{DrillReport, Result as DrillResult};

/// One line that is written over on a terminal, and a line for each drill that is over.
pub(super) struct StatusLine {
    of: usize,
    is_terminal: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    running: BTreeMap<String, String>,
}

impl StatusLine {
    pub(super) fn new(of: usize) -> Self {
        Self { of, is_terminal: io::stderr().is_terminal(), state: Mutex::default() }
    }

    /// Where standard error cannot be written, nobody is left to be told.
    fn draw(&self, state: &State, over: Option<&str>) {
        let mut err = io::stderr().lock();
        if self.is_terminal {
            let _ = write!(err, "\r\x1b[2K");
        }
        if let Some(over) = over {
            let _ = writeln!(err, "{over}");
        }
        if self.is_terminal {
            let running: Vec<&str> = state.running.values().map(String::as_str).collect();
            let line = format!("{}/{} done  {}", state.done, self.of, running.join("  "));
            let _ = write!(err, "{}", line.chars().take(110).collect::<String>());
            let _ = err.flush();
        }
    }
}

impl Progress for StatusLine {
    fn phase(&self, drill: &str, phase: &str, number: usize, of: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.insert(drill.to_owned(), format!("{drill} {number}/{of} {phase}"));
        self.draw(&state, None);
    }

    fn done(&self, report: &DrillReport) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running.remove(&report.name);
        state.done += 1;
        let word = match report.result {
            DrillResult::Broken => "could not be run",
            DrillResult::Failed => "FAILED",
            DrillResult::NotApplicable => "not applicable",
            DrillResult::Passed => "passed",
        };
        let line =
            format!("[{}/{}] {} {word} ({:.1} s)", state.done, self.of, report.name, report.took_seconds);
        self.draw(&state, Some(&line));
        if self.is_terminal && state.done == self.of {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
