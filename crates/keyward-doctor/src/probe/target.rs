//! What is looked at.

use std::fmt;
use std::time::Duration;

use keyward::{IssuerSettings, RequirementSettings};
use url::Url;
use zeroize::Zeroizing;

/// All that one look is about. Its `Debug` shows neither the token nor the log.
#[derive(Clone, Default)]
pub struct Target {
    /// The issuers, in the order of the configuration: [`RouteTarget::settings`] has their places in it.
    pub issuers: Vec<IssuerTarget>,
    /// The gateway's admin listener; none where no gateway is asked.
    pub gateway: Option<Url>,
    /// The admin listeners of an authority's nodes; empty where none is asked.
    pub authority: Vec<Url>,
    /// A token as it was handed in; none where none was.
    pub token: Option<Zeroizing<Vec<u8>>>,
    /// A log of the provider; none where none was handed in.
    pub provider_log: Option<Vec<u8>>,
    /// The routes of the gateway, for what each would say of the token. Where there are none, each issuer's own policy says it.
    pub routes: Vec<RouteTarget>,
    /// Whether a configuration file says all this. Default not: it was given on the command line.
    pub from_file: bool,
    /// What is wrong with our configuration though it can be used, in words.
    pub warnings: Vec<String>,
    /// Over how long the gateway's counts are taken. Default none: since it started.
    pub since: Duration,
    /// How long things may take, and how large they may be.
    pub limits: Limits,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

/// One issuer.
#[derive(Clone, Debug)]
pub struct IssuerTarget {
    /// As the gateway has it.
    pub settings: IssuerSettings,
}

impl IssuerTarget {
    /// Our name for it.
    pub fn name(&self) -> &str {
        &self.settings.policy.name
    }
}

/// One place where tokens are decided.
#[derive(Clone, Debug)]
pub struct RouteTarget {
    /// What a person knows it by: `route 1 (/api)`.
    pub name: String,
    /// What is demanded there.
    pub settings: RequirementSettings,
}

/// How long things may take, and how large they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole look. Default 14 s.
    pub total: Duration,
    /// One request, of an issuer whose own limit is not shorter. Default 5 s, as the gateway's.
    pub request: Duration,
    /// One lookup of a name. Default 3 s.
    pub lookup: Duration,
    /// How many addresses of one name are tried. Default 8.
    pub addresses: usize,
    /// How many octets of a body are read. Default 512 KiB, as the gateway's limit of a key set.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(14),
            request: Duration::from_secs(5),
            lookup: Duration::from_secs(3),
            addresses: 8,
            body: 512 * 1024,
        }
    }
}
