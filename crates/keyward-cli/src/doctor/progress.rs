//! What is being looked at, on standard error, where a person sees it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use keyward_doctor::probe::{Probe, Progress};
use keyward_doctor::report::Printable;

/// One line that is written over, on a terminal only; it is gone when this is.
pub(super) struct ProgressLine {
    is_terminal: bool,
    running: Mutex<Vec<Probe>>,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), running: Mutex::default() }
    }

    /// Where standard error cannot be written, nobody is left to be told.
    fn change(&self, change: impl FnOnce(&mut Vec<Probe>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        if self.is_terminal {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[2K{}", line(&running));
            let _ = err.flush();
        }
    }
}

/// What is looked at, on one line.
fn line(running: &[Probe]) -> String {
    if running.is_empty() {
        return String::new();
    }
    let probes: Vec<String> = running.iter().map(|probe| Printable(&probe.to_string()).to_string()).collect();
    format!("looking at {}", probes.join(", ")).chars().take(78).collect()
}

impl Progress for ProgressLine {
    fn begins(&self, probe: &Probe) {
        self.change(|running| running.push(probe.clone()));
    }

    fn is_over(&self, probe: &Probe) {
        self.change(|running| {
            if let Some(place) = running.iter().position(|other| other == probe) {
                running.remove(place);
            }
        });
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.change(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_one_line_whatever_an_issuer_is_called() {
        assert_eq!(line(&[]), "");
        let running = [Probe::Gateway, Probe::KeySet("a\nb\u{1b}[2J".to_owned())];
        assert_eq!(line(&running), "looking at the gateway, keys of a\\u000ab\\u001b[2J");
        let many = vec![Probe::KeySet("main".to_owned()); 100];
        assert_eq!(line(&many).chars().count(), 78);
    }
}
