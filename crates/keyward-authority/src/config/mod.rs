//! The configuration: written (`raw`), then resolved here, then used.

mod dpop;
mod key_store;
mod proxies;
mod raw;
mod storage;
mod tls;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::clock::{Clock as _, SystemClock};
use keyward_server::config;
use tokio::sync::Semaphore;
use toml::Spanned;
use url::{Host, Url};

pub use dpop::Dpop;
pub use keyward_server::config::{ConfigError, FileWarning, Place};
pub use keyward_server::logs::{LogFormat, LogLevel};
pub use proxies::Proxies;
pub(crate) use proxies::ToldCertificates;

use raw::{RawConfig, RawLimits, Time};

use crate::limits::{FailureLimits, FailureRate};
use crate::signing::LocalKeys;
use crate::storage::StoreAddress;
use crate::tls::ListenerTls;

/// The commented default file: what `keyward authority config default` prints and the reference is made from.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// A configuration that was checked and whose files were read.
#[derive(Debug)]
pub struct Config {
    /// Where clients know us, with scheme, host and port.
    pub origin: Url,
    /// Where clients ask.
    pub listen: SocketAddr,
    /// Where operators and what watches us ask.
    pub admin_listen: SocketAddr,
    /// The TLS of the first; none for HTTP without it.
    pub tls: Option<ListenerTls>,
    /// Whose word counts about who asks.
    pub proxies: Proxies,
    /// What DPoP proofs must be like.
    pub dpop: Dpop,
    /// The first word of our metrics' names.
    pub metrics_namespace: String,
    /// What a client may take up.
    pub limits: Limits,
    /// How often somebody may fail to authenticate.
    pub failures: FailureLimits,
    /// The database, with its password.
    pub storage: StoreAddress,
    /// What private keys are sealed and opened with.
    pub key_store: LocalKeys,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are.
    pub log_level: LogLevel,
    /// The files that it was read from, this one first: a change of any makes a new configuration.
    pub files: Vec<PathBuf>,
    /// What should not stay as it is.
    pub warnings: Vec<FileWarning>,
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
    /// How long it may take to send the body.
    pub body_timeout: Duration,
    /// How long new connections are still taken when the authority is told to end, and says so on `/readyz`.
    pub drain_grace: Duration,
    /// How long open requests may go on after that.
    pub drain_timeout: Duration,
    /// Entities that a node keeps in memory.
    pub remembered_entities: usize,
}

impl Config {
    /// Reads a file and those that it names; `environment` looks up a variable.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, the line and the column.
    pub fn load(path: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::new(format!("cannot be read: {error}")).in_file(path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut config = Self::parse(&text, folder, environment).map_err(|error| error.in_file(path))?;
        config.files.insert(0, path.to_owned());
        Ok(config)
    }

    /// Reads a text; the files that it names are looked for in `folder`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line and the column.
    pub fn parse(
        text: &str,
        folder: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut source = Source(config::Source::new(text, folder));
        let raw = source.parse()?;
        match Self::resolve(&mut source, raw, environment) {
            Ok(config) => Ok(Self { files: source.0.files, warnings: source.0.warnings, ..config }),
            Err(error) => Err(error.having_read(source.0.files)),
        }
    }

    fn resolve(
        source: &mut Source<'_>,
        raw: RawConfig,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let authority = raw.authority.into_inner();
        let (listen, admin_listen) = (authority.listen.as_ref(), authority.admin_listen.as_ref());
        let [listen, admin_listen] = source.addresses(listen, admin_listen, [8085, 9085])?;
        let now = SystemClock::new().now().wall.0;
        let failures = source.failure_limits(&authority.limits)?;
        let tls = source.tls(authority.tls, now)?;
        let storage = source.storage(raw.storage)?;
        Ok(Self {
            origin: source.origin(&authority.origin)?,
            listen,
            admin_listen,
            tls,
            proxies: source.proxies(authority.proxies, now)?,
            dpop: source.dpop(authority.dpop, &storage, &environment)?,
            metrics_namespace: source.namespace(authority.metrics_namespace)?,
            limits: source.limits(authority.limits)?,
            failures,
            storage,
            key_store: source.key_store(&raw.key_store, environment)?,
            log_format: raw.log.format.unwrap_or_default(),
            log_level: raw.log.level.unwrap_or_default(),
            files: Vec::new(),
            warnings: Vec::new(),
        })
    }
}

/// The text being resolved.
struct Source<'a>(config::Source<'a>);

impl<'a> Deref for Source<'a> {
    type Target = config::Source<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Source<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Source<'_> {
    fn origin(&self, text: &Spanned<String>) -> Result<Url, ConfigError> {
        let error = |why: &str| self.error(&text.span(), why);
        let url = Url::parse(text.get_ref())
            .map_err(|_| error("this is no address; write one such as \"https://auth.example\""))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !bare || !anonymous {
            return Err(error("an origin has a scheme, a host and a port, and nothing else"));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_this_machine(&url) => Ok(url),
            "http" => Err(error("tokens and secrets go here: by https, or by http on this machine only")),
            _ => Err(error("an origin begins with https://")),
        }
    }

    fn limits(&self, raw: RawLimits) -> Result<Limits, ConfigError> {
        let time =
            |time: Option<Spanned<Time>>, default| self.time_or(time.as_ref(), Duration::from_secs(default));
        Ok(Limits {
            connections: self.number(raw.connections, 10_000, 1..=Semaphore::MAX_PERMITS)?,
            // hyper takes no less.
            head_octets: self.number(raw.head_octets, 64 * 1024, 8 * 1024..=usize::MAX)?,
            head_timeout: time(raw.head_timeout, 75)?,
            body_timeout: time(raw.body_timeout, 10)?,
            drain_grace: raw.drain_grace.map_or(Duration::ZERO, |Time(grace)| grace),
            drain_timeout: time(raw.drain_timeout, 30)?,
            remembered_entities: self.number(raw.remembered_entities, 100_000, 1..=10_000_000)?,
        })
    }

    fn failure_limits(&self, raw: &RawLimits) -> Result<FailureLimits, ConfigError> {
        let rate = |burst: &Option<Spanned<usize>>, period: &Option<Spanned<Time>>, default: FailureRate| {
            let least_to_most = 1..=1_000_000;
            let most = usize::try_from(default.burst.get()).unwrap_or(usize::MAX);
            let burst = self.number(burst.clone(), most, least_to_most)?;
            let burst = u32::try_from(burst).ok().and_then(NonZeroU32::new).unwrap_or(default.burst);
            let period = self.time_or(period.as_ref(), default.period)?;
            Ok(FailureRate { burst, period })
        };
        let default = FailureLimits::default();
        Ok(FailureLimits {
            per_client: rate(&raw.failures_per_client, &raw.failures_per_client_period, default.per_client)?,
            per_address: rate(
                &raw.failures_per_address,
                &raw.failures_per_address_period,
                default.per_address,
            )?,
        })
    }
}

/// Whether what is sent there stays on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
