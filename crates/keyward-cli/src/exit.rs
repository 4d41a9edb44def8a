//! How a command ends: what it came to, or why it could not run.

use std::io;
use std::process::ExitCode;

use keyward::SettingsError;
use keyward::fetch::FetchError;
use keyward_doctor::bundle::BundleError;
use keyward_drill::error::DrillError;
use keyward_gateway::{ConfigError, RunError};
use keyward_lab::LabError;
use keyward_lab::control::ControlError;
use keyward_lab::record::RecordError;

use crate::authority::ApiError;
use crate::output::Printable;
use crate::token::request::RequestError;

/// What a command came to. The numbers are part of the command line's promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: yes.
    Yes,
    /// 1: no. Something was rejected or found.
    No,
    /// 2: nobody can tell, or the command could not run.
    Undecided,
    /// 64: the command line makes no sense (`EX_USAGE` of sysexits.h).
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::Undecided => 2,
            Exit::Usage => 64,
        })
    }
}

/// Why a command could not run, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    Authority(#[from] keyward_authority::server::RunError),
    #[error("{0}")]
    AuthorityConfig(ConfigError),
    #[error("{0}")]
    Backup(#[from] keyward_authority::storage::BackupError),
    #[error("{0}")]
    Bootstrap(Box<keyward_authority::admin::BootstrapError>),
    #[error("{path}: {cause}")]
    Bundle { path: String, cause: keyward_x509::BundleError },
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("the lab takes no commands: {}", with_causes(.0))]
    Control(#[from] ControlError),
    #[error("{0}")]
    CredentialFile(#[from] keyward::credentials::CredentialFileError),
    #[error("{path}: {cause}")]
    Crl { path: String, cause: keyward_x509::CrlError },
    #[error("{0}")]
    Drill(#[from] DrillError),
    // A bundle's text may be in the error.
    #[error("{path}: {}", Printable(&.cause.to_string()))]
    Facts { path: String, cause: BundleError },
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error("the first token cannot be had: {}", with_causes(.0))]
    FirstToken(reqwest::Error),
    #[error("no folder for what is kept until the end: {0}")]
    Folder(io::Error),
    #[error("{0}")]
    Gateway(#[from] RunError),
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(reqwest::Error),
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    #[error("the configuration has no issuer {wanted:?}; it has {known}")]
    IssuerNotConfigured { wanted: String, known: String },
    #[error("the configuration has several issuers: choose one with --issuer-name, of {known}")]
    IssuerNotNamed { known: String },
    #[error("{path}: {cause}")]
    KeyFile { path: String, cause: keyward_authority::client_auth::key_files::KeyFileError },
    #[error("the lab cannot start: {}", with_causes(.0))]
    Lab(#[from] LabError),
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: std::net::SocketAddr, cause: io::Error },
    #[error("{0}")]
    Operation(#[from] keyward_authority::operations::OperationError),
    #[error("cannot write: {0}")]
    Output(io::Error),
    #[error("{path}: {error}")]
    Plan { path: String, error: String },
    #[error("{}", with_causes(.0))]
    Record(#[from] RecordError),
    #[error("{0}")]
    Request(#[from] RequestError),
    #[error("{0}")]
    Rotation(#[from] keyward_authority::signing::RotationError),
    #[error("the runtime cannot start: {0}")]
    Runtime(io::Error),
    #[error("the schedule of seed {seed} cannot be played: {cause}")]
    Schedule { seed: u64, cause: keyward_drill::error::RunError },
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Store(#[from] keyward_authority::storage::StoreError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    #[error("there is no token on standard input")]
    TokenMissing,
    #[error("what is on standard input is over {limit} octets, which no token is")]
    TokenTooLarge { limit: u64 },
    #[error("there is more than one line on standard input; `keyward token verify` takes many tokens")]
    TokensSeveral,
    #[error("{0}")]
    Usage(String),
}

/// An error and what is behind it.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            // It was asked, and says no.
            Self::Api(ApiError::Conflict) => Exit::No,
            Self::Api(ApiError::Refused { status, .. }) if status.is_client_error() => Exit::No,
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Undecided,
        }
    }

    /// Whether whoever reads our output went away: nobody is left to be told.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
