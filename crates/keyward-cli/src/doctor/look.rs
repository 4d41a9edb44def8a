//! What is looked at, as the command line says it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use keyward::address::AllowedHost;
use keyward::clock::SystemClock;
use keyward::{IssuerSettings, KeySource};
use keyward_doctor::facts::Facts;
use keyward_doctor::probe::{self, IssuerTarget, Limits, Means, RouteTarget, Target};
use keyward_gateway::Config;
use keyward_gateway::config::ConfigWarning;
use tokio::net::TcpStream;
use url::Url;
use zeroize::Zeroizing;

use super::progress::ProgressLine;
use crate::exit::Failure;
use crate::output::tell;
use crate::{place, runtime};

/// Octets of standard input that may be a token. The gateway takes a hundredth of it.
const TOKEN_LIMIT: u64 = 1024 * 1024;

/// Octets of a provider's log that are read: the last ones.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// How long the gateway of the configuration may take to be there.
const GATEWAY_PATIENCE: Duration = Duration::from_millis(500);

/// What is looked at, and for how long.
#[derive(Args, Debug)]
pub(crate) struct LookArgs {
    /// Look at the issuers of this gateway configuration, and at its gateway
    #[arg(long, value_name = "FILE", conflicts_with = "issuer", help_heading = "What to look at")]
    config: Option<PathBuf>,
    /// Look at this issuer
    #[arg(long, value_name = "URL", value_parser = issuer, help_heading = "What to look at")]
    issuer: Option<String>,
    /// Where the issuer's JWK Set is; without it, where its discovery document says
    #[arg(
        long,
        value_name = "URL",
        requires = "issuer",
        conflicts_with = "config",
        help_heading = "What to look at"
    )]
    jwks_uri: Option<Url>,
    /// An audience that the issuer's tokens are for; may be given several times
    #[arg(
        long,
        value_name = "AUDIENCE",
        requires = "issuer",
        conflicts_with = "config",
        help_heading = "What to look at"
    )]
    audience: Vec<String>,
    /// A host that the issuer may name its keys on beside its own; may be given several times
    #[arg(
        long,
        value_name = "HOST",
        requires = "issuer",
        conflicts_with = "config",
        help_heading = "What to look at"
    )]
    allow_host: Vec<AllowedHost>,
    /// Look at a token, too: - for standard input, the only place that one is taken from
    #[arg(long, value_name = "-", value_parser = standard_input, help_heading = "What to look at")]
    token: Option<StandardInput>,
    /// The gateway's admin listener [default: the configuration's, where a gateway answers there]
    #[arg(long, value_name = "URL", value_parser = admin, help_heading = "What to look at")]
    admin: Option<Url>,
    /// An authority's node, by its admin listener; may be given several times, for the nodes of one authority
    #[arg(long, value_name = "URL", value_parser = admin, help_heading = "What to look at")]
    authority: Vec<Url>,
    /// A log of the provider: what it says of our requests
    #[arg(long, value_name = "FILE", help_heading = "What to look at")]
    provider_log: Option<PathBuf>,
    /// How far back the gateway's counts go [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration,
          help_heading = "What to look at")]
    since: Option<Duration>,
    /// How long all of it may take [default: 14s]
    #[arg(long, value_name = "TIME", value_parser = time_limit, help_heading = "What to look at")]
    timeout: Option<Duration>,
}

/// Standard input.
#[derive(Clone, Copy, Debug)]
struct StandardInput;

impl LookArgs {
    /// The ids of all.
    pub(super) const ALL: [&str; 11] = [
        "config",
        "issuer",
        "jwks_uri",
        "audience",
        "allow_host",
        "token",
        "admin",
        "authority",
        "provider_log",
        "since",
        "timeout",
    ];

    /// Looks.
    pub(super) fn look(&self) -> Result<Facts, Failure> {
        let runtime = runtime::single()?;
        let facts = runtime.block_on(async {
            let target = self.target().await?;
            let means = Means::new(Arc::new(SystemClock::new()), Arc::new(ProgressLine::new()));
            Ok(probe::look(&target, &means).await)
        });
        // A lookup of a name may still be waited for by a thread; nobody wants it any more.
        runtime.shutdown_background();
        facts
    }

    async fn target(&self) -> Result<Target, Failure> {
        let mut target = match (&self.config, &self.issuer) {
            (Some(path), _) => self.of_config(&Config::inspect(path)?).await,
            (None, Some(issuer)) => self.of_issuer(issuer),
            (None, None) if !self.authority.is_empty() => {
                Target { gateway: self.admin.clone(), ..Target::default() }
            }
            (None, None) => {
                let missing =
                    "nothing to look at: give --config FILE, --issuer URL, --authority URL or --facts BUNDLE";
                return Err(Failure::Usage(missing.to_owned()));
            }
        };
        target.authority.clone_from(&self.authority);
        target.since = self.since.unwrap_or(Duration::from_secs(300));
        if let Some(total) = self.timeout {
            target.limits = within(total, target.limits);
        }
        target.provider_log = self.provider_log.as_deref().map(end_of_log).transpose()?;
        target.token = self.token.map(read_token).transpose()?;
        Ok(target)
    }

    async fn of_config(&self, config: &Config) -> Target {
        let gateway = match &self.admin {
            Some(admin) => Some(admin.clone()),
            None => gateway_of(config).await,
        };
        let routes = config.routes.demands();
        Target {
            issuers: config.issuers.iter().cloned().map(|settings| IssuerTarget { settings }).collect(),
            gateway,
            routes: routes.map(|(name, settings)| RouteTarget { name, settings: settings.clone() }).collect(),
            warnings: config.warnings.iter().filter(is_told_here).map(ToString::to_string).collect(),
            ..Target::default()
        }
    }

    fn of_issuer(&self, issuer: &str) -> Target {
        let mut settings = IssuerSettings::discover(issuer);
        settings.policy.audiences = self.audience.iter().map(|audience| audience.as_str().into()).collect();
        // Whoever types a host means it, whatever it resolves to.
        settings.allowed_hosts = self.allow_host.clone();
        settings.allowed_hosts.extend(place::issuer_host(issuer));
        if let Some(url) = &self.jwks_uri {
            settings.allowed_hosts.extend(AllowedHost::of(url));
            settings.source = Some(KeySource::JwksUri(url.clone()));
        }
        Target { issuers: vec![IssuerTarget { settings }], gateway: self.admin.clone(), ..Target::default() }
    }
}

/// Limits with which a request that hangs, and the next one, are over and told of before the whole is.
fn within(total: Duration, Limits { request, lookup, addresses, body, .. }: Limits) -> Limits {
    Limits { total, request: request.min(total / 3), lookup: lookup.min(total / 4), addresses, body }
}

/// Of credentials the probes tell more.
fn is_told_here(warning: &&ConfigWarning) -> bool {
    !matches!(warning, ConfigWarning::Credential(_) | ConfigWarning::CredentialUnusable { .. })
}

/// The admin listener of the configuration, where somebody listens there: the doctor may be on another machine.
async fn gateway_of(config: &Config) -> Option<Url> {
    let listen = config.admin_listen;
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port())),
        IpAddr::V4(_) | IpAddr::V6(_) => listen,
    };
    let connected = tokio::time::timeout(GATEWAY_PATIENCE, TcpStream::connect(address)).await;
    if !matches!(connected, Ok(Ok(_))) {
        tell(format_args!("no gateway answers at {address}, so none is asked; --admin names another"));
        return None;
    }
    let scheme = if config.admin_tls.is_some() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{address}")).ok()
}

/// The token, without what an editor or `echo` puts after it.
fn read_token(_: StandardInput) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // As large as it can become, so that no smaller copy is left behind when it grows.
    let mut token = Zeroizing::new(Vec::with_capacity(64 * 1024));
    io::stdin().lock().take(TOKEN_LIMIT + 1).read_to_end(&mut token).map_err(Failure::Input)?;
    if u64::try_from(token.len()).is_ok_and(|length| length > TOKEN_LIMIT) {
        return Err(Failure::TokenTooLarge { limit: TOKEN_LIMIT });
    }
    let end = token.trim_ascii_end().len();
    token.truncate(end);
    if token.is_empty() { Err(Failure::TokenMissing) } else { Ok(token) }
}

fn end_of_log(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > LOG_LIMIT {
            file.seek(SeekFrom::Start(length - LOG_LIMIT))?;
        }
        let mut octets = Vec::new();
        file.take(LOG_LIMIT).read_to_end(&mut octets)?;
        Ok(octets)
    };
    read().map_err(|cause| Failure::File { path: path.display().to_string(), cause })
}

fn standard_input(text: &str) -> Result<StandardInput, &'static str> {
    match text {
        "-" => Ok(StandardInput),
        _ => Err("tokens are taken from standard input only, where nobody else sees them: --token - < FILE"),
    }
}

/// Any address: whether keys would be fetched there is what is looked at.
fn issuer(text: &str) -> Result<String, &'static str> {
    let is_address = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_address { Ok(text.to_owned()) } else { Err("this is no address, such as https://idp.example") }
}

fn admin(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or("this is no address by http, such as http://127.0.0.1:9080")
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(600));
    if (least..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err("from 1s to 10m is possible here".to_owned())
    }
}
