//! The configuration: written (`raw`), then resolved here, then used.

mod client_certificate;
mod credential;
mod dpop;
mod fallback;
mod introspection;
mod issuers;
mod raw;
mod raw_gateway;
mod routes;
mod shared_memory;
mod tls;
mod traces;
mod warning;
mod wrapper;

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::IssuerSettings;
use keyward_server::config;
use tokio::sync::Semaphore;
use toml::Spanned;

pub use keyward_server::config::{ConfigError, FileWarning, Place};
pub use keyward_server::logs::{LogFormat, LogLevel};
pub use raw::Access;
pub use traces::TracesSettings;
pub use warning::ConfigWarning;

use raw::{RawConfig, Time};
use raw_gateway::RawLimits;

use crate::client_certificate::ToldCertificates;
use crate::dpop::Dpop;
use crate::route::RouteTable;
use crate::tls::ListenerTls;

/// The commented default file: what `keyward config default` prints and the reference is made from.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// A configuration that was checked and whose files were read.
#[derive(Debug)]
pub struct Config {
    /// Where proxies ask.
    pub listen: SocketAddr,
    /// Where operators ask.
    pub admin_listen: SocketAddr,
    /// The TLS of the first; none for HTTP without it.
    pub tls: Option<ListenerTls>,
    /// The TLS of the second.
    pub admin_tls: Option<ListenerTls>,
    /// Which proxies tell of their clients' certificates, and how.
    pub client_certificate: Option<ToldCertificates>,
    /// How tokens that are bound to a key are taken; none where they are not.
    pub dpop: Option<Dpop>,
    /// The first word of our metrics' names.
    pub metrics_namespace: String,
    /// What a client may take up.
    pub limits: Limits,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are.
    pub log_level: LogLevel,
    /// Memory for remembered verdicts, in octets.
    pub verdict_cache_octets: u64,
    /// Where the last good keys are kept.
    pub snapshot_folder: Option<PathBuf>,
    /// What is recorded.
    pub recorder: RecorderSettings,
    /// Where traces are sent; none where there are none.
    pub traces: Option<TracesSettings>,
    /// The issuers, in their order.
    pub issuers: Vec<IssuerSettings>,
    /// The routes, in their order.
    pub routes: RouteTable,
    /// The files that it was read from, this one first: a change of any makes a new configuration. Those of
    /// credentials are not among them: the verifier itself reads them again.
    pub files: Vec<PathBuf>,
    /// What should not stay as it is.
    pub warnings: Vec<ConfigWarning>,
}

/// What a client may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Octets of a request's head.
    pub head_octets: usize,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long new connections are still taken when the gateway is told to end, and says so on `/readyz`.
    pub drain_grace: Duration,
    /// How long open requests may go on after that.
    pub drain_timeout: Duration,
}

/// What the flight recorder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderSettings {
    /// Verdicts, in memory.
    pub capacity: usize,
    /// Where it is written to when somebody asks for it, or verdicts multiply; none for a line in the log.
    pub folder: Option<PathBuf>,
}

impl Config {
    /// Reads a file and those that it names.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, the line and the column.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::read(path, BadCredential::IsRefused)
    }

    /// As [`Config::load`], for whoever looks for what is wrong: the file of a credential that cannot be used is a
    /// [warning](ConfigWarning::CredentialUnusable), so that all else can be looked at.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, the line and the column.
    pub fn inspect(path: &Path) -> Result<Self, ConfigError> {
        Self::read(path, BadCredential::IsToldOf)
    }

    fn read(path: &Path, bad_credential: BadCredential) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::new(format!("cannot be read: {error}")).in_file(path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let config = Self::parse_text(&text, folder, bad_credential);
        let mut config = config.map_err(|error| error.in_file(path))?;
        config.files.insert(0, path.to_owned());
        Ok(config)
    }

    /// Reads a text; the files that it names are looked for in `folder`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line and the column.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        Self::parse_text(text, folder, BadCredential::IsRefused)
    }

    fn parse_text(text: &str, folder: &Path, bad_credential: BadCredential) -> Result<Self, ConfigError> {
        let common = config::Source::new(text, folder);
        let mut source = Source { common, bad_credential, warnings: Vec::new() };
        let raw = source.parse()?;
        let resolved = Self::resolve(&mut source, raw);
        let Source { common, warnings, .. } = source;
        match resolved {
            Ok(config) => {
                let warnings = common.warnings.into_iter().map(ConfigWarning::File).chain(warnings).collect();
                Ok(Self { files: common.files, warnings, ..config })
            }
            Err(error) => Err(error.having_read(common.files)),
        }
    }

    fn resolve(source: &mut Source<'_>, raw: RawConfig) -> Result<Self, ConfigError> {
        let (mut issuers, mut fallbacks) = (Vec::new(), Vec::new());
        for issuer in raw.issuer {
            let (issuer, fallback) = source.issuer(issuer.into_inner(), &issuers)?;
            issuers.push(issuer);
            fallbacks.push(fallback);
        }
        if issuers.is_empty() {
            return Err(ConfigError::new(
                "no [[issuer]] is configured, so every token would be refused; \
                 `keyward config default` shows one",
            ));
        }
        source.check_bindings(&raw.route, &raw.gateway)?;
        let routes = source.routes(raw.route, &issuers, &fallbacks)?;
        let (listen, admin_listen) = (raw.gateway.listen.as_ref(), raw.gateway.admin_listen.as_ref());
        let [listen, admin_listen] = source.addresses(listen, admin_listen, [8080, 9080])?;
        let tls = source.tls(raw.gateway.tls)?;
        let admin_tls = source.tls(raw.gateway.admin_tls)?;
        Ok(Self {
            listen,
            admin_listen,
            tls,
            admin_tls,
            dpop: source.dpop(raw.gateway.dpop)?,
            client_certificate: source.client_certificate(raw.gateway.client_certificate)?,
            metrics_namespace: source.namespace(raw.gateway.metrics_namespace)?,
            limits: source.limits(raw.gateway.limits)?,
            log_format: raw.log.format.unwrap_or_default(),
            log_level: raw.log.level.unwrap_or_default(),
            verdict_cache_octets: raw.verdict_cache.octets.unwrap_or(32 * 1024 * 1024),
            snapshot_folder: raw.snapshot.folder.map(|snapshots| source.file_path(&snapshots)),
            recorder: RecorderSettings {
                capacity: source.number(raw.recorder.capacity, 2048, 0..=65_536)?,
                folder: raw.recorder.folder.map(|recordings| source.file_path(&recordings)),
            },
            traces: source.traces(raw.traces)?,
            issuers,
            routes,
            files: Vec::new(),
            warnings: Vec::new(),
        })
    }
}

/// The text being resolved, and what is to be said of it beside what is of its files.
struct Source<'a> {
    common: config::Source<'a>,
    bad_credential: BadCredential,
    warnings: Vec<ConfigWarning>,
}

/// What becomes of a credential whose file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadCredential {
    IsRefused,
    IsToldOf,
}

impl<'a> Deref for Source<'a> {
    type Target = config::Source<'a>;

    fn deref(&self) -> &Self::Target {
        &self.common
    }
}

impl DerefMut for Source<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.common
    }
}

impl Source<'_> {
    fn limits(&self, raw: RawLimits) -> Result<Limits, ConfigError> {
        let time =
            |time: Option<Spanned<Time>>, default| self.time_or(time.as_ref(), Duration::from_secs(default));
        Ok(Limits {
            connections: self.number(raw.connections, 10_000, 1..=Semaphore::MAX_PERMITS)?,
            // hyper takes no less.
            head_octets: self.number(raw.head_octets, 64 * 1024, 8 * 1024..=usize::MAX)?,
            head_timeout: time(raw.head_timeout, 75)?,
            drain_grace: raw.drain_grace.map_or(Duration::ZERO, |Time(grace)| grace),
            drain_timeout: time(raw.drain_timeout, 30)?,
        })
    }
}
