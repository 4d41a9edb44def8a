//! The one writer: results to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

pub(crate) use keyward_doctor::report::Printable;
use serde::Serialize;

use crate::exit::Failure;

/// Results on their way to stdout.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    /// Takes stdout until it is dropped.
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// One line for a person.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(Failure::Output)
    }

    /// One JSON object on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.value(value)?;
        self.octets(b"\n")
    }

    /// A JSON value, without an end of line.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| Failure::Output(error.into()))
    }

    /// These octets as they are.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.0.write_all(octets).map_err(Failure::Output)
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::Output)
    }
}

/// One line to stderr. Where that cannot be written, nobody is left to be told.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "keyward: {line}");
}
