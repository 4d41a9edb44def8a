//! What can go wrong between installing a server and asking it something.

use std::fmt;
use std::io;
use std::process::ExitStatus;

/// Says what was tried and what came back; where a server is to blame, with the end of its log.
#[derive(Debug)]
pub(crate) enum Error {
    /// A server answered, but not with what was asked for.
    Answer { what: &'static str, status: u16, body: String },
    /// A certificate could not be made.
    Certificate(rcgen::Error),
    /// A command ran and failed.
    Command { command: String, status: ExitStatus, output: String },
    /// A server ended before it was asked to.
    Exited { name: String, status: ExitStatus, log: String },
    /// No answer over HTTP.
    Http { what: &'static str, source: reqwest::Error },
    /// The machine refused something.
    Io { what: String, source: io::Error },
    /// A JSON answer without a field that it must have.
    MissingField { what: &'static str, field: &'static str },
    /// A command line names nothing that could run.
    NothingNamed { name: String },
    /// A server did not get ready in time.
    NotReady { name: String, seconds: u64, last: String, log: String },
    /// An issuer's token is no compact JWS with a JSON header and payload.
    Token { why: &'static str },
    /// A package is installed in another version than the pinned one.
    WrongVersion { package: &'static str, found: String, wanted: &'static str },
}

impl Error {
    /// For `map_err` on file and process calls; `what` reads as "cannot {what}".
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err` on HTTP calls; `what` reads as "cannot {what}".
    pub(crate) fn http(what: &'static str) -> impl FnOnce(reqwest::Error) -> Self {
        move |source| Self::Http { what, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { what, status, body } => write!(f, "cannot {what}: answered {status}: {body}"),
            Self::Certificate(source) => write!(f, "cannot make a certificate: {source}"),
            Self::Command { command, status, output } => write!(f, "{command}: {status}\n{output}"),
            Self::Exited { name, status, log } => write!(f, "{name} ended ({status})\n{log}"),
            Self::Http { what, source } => {
                write!(f, "cannot {what}: {source}")?;
                let mut cause = std::error::Error::source(source);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Io { what, source } => write!(f, "cannot {what}: {source}"),
            Self::MissingField { what, field } => write!(f, "cannot {what}: no {field} in the answer"),
            Self::NothingNamed { name } => {
                write!(f, "nothing here is called {name}; --list shows what there is")
            }
            Self::NotReady { name, seconds, last, log } => {
                write!(f, "{name} was not ready within {seconds} s ({last})\n{log}")
            }
            Self::Token { why } => write!(f, "not a token that can be taken apart: {why}"),
            Self::WrongVersion { package, found, wanted } => {
                write!(f, "{package} is installed in version {found}, pinned is {wanted}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(source) => Some(source),
            Self::Http { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
