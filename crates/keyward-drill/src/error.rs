//! Why a drill could not be run at all, which is not the same as failing it.

use std::io;

use keyward_lab::{CommandError, LabError};

use crate::introspection::WriteError;

/// Why a drill cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// It names something that is not there, or could never happen.
    #[error("{drill}, phase at line {line}: {what}")]
    Senseless {
        /// Which drill.
        drill: String,
        /// Where the phase begins.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It is no TOML, or not a drill's.
    #[error("{drill}: {error}")]
    Toml {
        /// Which drill.
        drill: String,
        /// What the parser says, with line and column.
        error: String,
    },
    /// There is no drill of that name.
    #[error("there is no drill {name:?}; `keyward drill list` names them")]
    Unknown {
        /// What was asked for.
        name: String,
    },
}

/// Why a drill could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A step for the provider makes no sense.
    #[error("phase {phase:?}: {cause}")]
    Command {
        /// In which phase.
        phase: String,
        /// What the provider says.
        cause: CommandError,
    },
    /// A child process, a file or a socket failed.
    #[error("cannot {what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The provider cannot be started.
    #[error("the provider cannot start: {0}")]
    Lab(#[from] LabError),
    /// The gateway did not do what it was told to.
    #[error("{what}{}", log.as_deref().map(|log| format!("; its log ends with:\n{log}")).unwrap_or_default())]
    Gateway {
        /// What it did not do.
        what: String,
        /// The last lines that it wrote.
        log: Option<String>,
    },
    /// The library refuses the settings.
    #[error("the verifier cannot start: {0}")]
    Settings(#[from] keyward::SettingsError),
    /// A token cannot be made as planned.
    #[error("stream {stream:?}: {cause}")]
    Token {
        /// Which stream.
        stream: String,
        /// What the provider says.
        cause: CommandError,
    },
}

impl DrillError {
    pub(crate) fn toml(drill: &str, error: &toml::de::Error) -> Self {
        Self::Toml { drill: drill.to_owned(), error: error.to_string() }
    }
}

impl RunError {
    pub(crate) fn credential(cause: WriteError) -> Self {
        Self::Gateway { what: format!("the gateway's credential cannot be written: {cause}"), log: None }
    }

    /// For `map_err` on what the system does.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }
}
