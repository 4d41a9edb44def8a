//! What tokens are held against, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyward::{Algorithm, IssuerSettings, UnixTime};
use keyward_gateway::Config;

use super::route::{Demands, RouteArgs};
use crate::exit::Failure;
use crate::place::{self, Place};
use crate::time::parse_rfc3339;

/// Where the keys are, and what a token must say.
#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// The JWK Set: a file, or an address by https (by http on this machine)
    #[arg(long, value_name = "FILE_OR_URL", conflicts_with = "config", help_heading = "Keys")]
    jwks: Option<Place>,
    /// Take keys and policy of an issuer of this gateway configuration
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    config: Option<PathBuf>,
    /// The issuer's name in the configuration; needed where it has several
    #[arg(long, value_name = "NAME", requires = "config", help_heading = "Keys")]
    issuer_name: Option<String>,
    /// What `iss` must be, to the letter. Without it, --jwks accepts any issuer
    #[arg(long, value_name = "ISSUER", value_parser = place::issuer, conflicts_with = "config",
          help_heading = "Policy")]
    issuer: Option<Box<str>>,
    /// An audience of which `aud` must name one; may be given several times
    #[arg(long, value_name = "AUDIENCE", help_heading = "Policy")]
    audience: Vec<String>,
    /// A type of which `typ` must be one; may be given several times [default: at+jwt and JWT]
    #[arg(long = "type", value_name = "TYPE", help_heading = "Policy")]
    token_type: Vec<String>,
    /// Decide as of this time instead of now
    #[arg(long, value_name = "RFC3339", value_parser = parse_rfc3339, help_heading = "Policy")]
    at: Option<UnixTime>,
    /// By how much the issuer's clock may differ [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Policy")]
    leeway: Option<Duration>,
    /// The algorithms that tokens may use [default: every asymmetric one]
    #[arg(long, value_name = "ALG,...", value_delimiter = ',', value_parser = algorithm,
          help_heading = "Policy")]
    algorithms: Vec<Algorithm>,
}

/// A policy that was made of the command line and the configuration.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) settings: IssuerSettings,
    pub(crate) naming: Naming,
    pub(crate) demands: Demands,
    pub(crate) at: Option<UnixTime>,
}

/// What `iss` is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Nothing: whoever holds a key of the set may call itself what it likes.
    AnyIssuer,
    /// The issuer of the settings.
    Issuer,
}

impl PolicyArgs {
    /// The policy, with keys from `--jwks` or `--config`; none where neither is given.
    pub(crate) fn resolve(&self) -> Result<Option<Policy>, Failure> {
        self.resolve_for(None, None)
    }

    /// The same for one token that says it is of `issuer`, on the route that is asked.
    pub(crate) fn resolve_for(
        &self,
        issuer: Option<&str>,
        route: Option<&RouteArgs>,
    ) -> Result<Option<Policy>, Failure> {
        let (mut settings, naming, demands) = match (&self.jwks, &self.config) {
            (Some(jwks), _) => {
                let (settings, naming) = self.of_jwks(jwks);
                let demands = Demands::of_issuer(&settings);
                (settings, naming, demands)
            }
            (None, Some(config)) => {
                let config = Config::load(config)?;
                let route = route.map(|route| route.choose(&config)).transpose()?.flatten();
                let place = choose(&config.issuers, self.issuer_name.as_deref(), issuer)?;
                let settings = config.issuers.get(place).cloned();
                let settings = settings.ok_or_else(|| not_named(&config.issuers))?;
                let demands = match route {
                    Some(route) => Demands::of_route(route, &config.issuers, place),
                    None => Demands::of_issuer(&settings),
                };
                (settings, Naming::Issuer, demands)
            }
            (None, None) => return Ok(None),
        };
        let policy = &mut settings.policy;
        let boxed = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        if !self.audience.is_empty() {
            policy.audiences = boxed(&self.audience);
        }
        if !self.token_type.is_empty() {
            policy.token_types = boxed(&self.token_type);
        }
        if let Some(leeway) = self.leeway {
            policy.leeway = leeway;
        }
        if !self.algorithms.is_empty() {
            policy.algorithms = self.algorithms.iter().copied().collect();
        }
        settings.check()?;
        Ok(Some(Policy { settings, naming, demands, at: self.at }))
    }

    /// As [`PolicyArgs::resolve`], where keys are needed.
    pub(crate) fn resolve_or_usage(&self) -> Result<Policy, Failure> {
        let missing = "no keys to verify with: give --jwks FILE_OR_URL, or --config FILE";
        self.resolve()?.ok_or_else(|| Failure::Usage(missing.to_owned()))
    }

    /// The time that was asked for.
    pub(crate) fn at(&self) -> Option<UnixTime> {
        self.at
    }

    /// Whether keys to verify with were given.
    pub(crate) fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.config.is_some()
    }

    /// What was given that means nothing without keys.
    pub(crate) fn has_demands(&self) -> bool {
        self.issuer.is_some()
            || self.leeway.is_some()
            || !(self.audience.is_empty() && self.token_type.is_empty() && self.algorithms.is_empty())
    }

    fn of_jwks(&self, jwks: &Place) -> (IssuerSettings, Naming) {
        let mut settings = IssuerSettings::discover(self.issuer.as_deref().unwrap_or_default());
        settings.source = Some(jwks.clone().into());
        settings.allowed_hosts.extend(jwks.host());
        let naming = if self.issuer.is_some() { Naming::Issuer } else { Naming::AnyIssuer };
        (settings, naming)
    }
}

/// The place of the issuer that is wanted by name, of the one that the token says it is of, or of the only one.
fn choose(issuers: &[IssuerSettings], wanted: Option<&str>, said: Option<&str>) -> Result<usize, Failure> {
    let place = |is: &dyn Fn(&IssuerSettings) -> bool| issuers.iter().position(is);
    match (wanted, issuers) {
        (Some(wanted), _) => place(&|issuer| *issuer.policy.name == *wanted)
            .ok_or_else(|| Failure::IssuerNotConfigured { wanted: wanted.to_owned(), known: names(issuers) }),
        (None, [_]) => Ok(0),
        (None, _) => place(&|issuer| said == Some(&*issuer.policy.issuer)).ok_or_else(|| not_named(issuers)),
    }
}

fn not_named(issuers: &[IssuerSettings]) -> Failure {
    Failure::IssuerNotNamed { known: names(issuers) }
}

fn names(issuers: &[IssuerSettings]) -> String {
    issuers.iter().map(|issuer| &*issuer.policy.name).collect::<Vec<_>>().join(", ")
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        format!("there is no such algorithm; known are {}", known.join(", "))
    })
}
