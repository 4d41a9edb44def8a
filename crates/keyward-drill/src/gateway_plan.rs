//! How the gateway under drill is set up: the same plan for the binary's configuration, for the library, and for what a
//! doctor is told.

use std::path::Path;

use keyward::address::NoHost;
use keyward::{IssuerSettings, KeySource, Strategy};
use keyward_lab::Lab;
use keyward_lab::plan::Algorithm;
use keyward_lab::time::Time;
use serde::Deserialize;
use url::Url;

use crate::drill::Drill;
use crate::error::RunError;
use crate::introspection::{self, FallbackPlan, IntrospectionPlan, strategy};
use crate::wrapper::WrapperPlan;

/// How the gateway under drill is set up. What is not said is as the gateway has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayPlan {
    /// Which of the provider's issuers it knows. Default: all.
    pub issuers: Option<Vec<String>>,
    /// The audiences of which `aud` has to name one. Default: `aud` is not looked at.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The algorithms that tokens may be signed with. Default: the gateway's.
    #[serde(default)]
    pub algorithms: Vec<Algorithm>,
    /// By how much clocks may differ.
    pub leeway: Option<Time>,
    /// A path at each issuer's address where its keys are said to be. Default: where discovery says.
    pub jwks_path: Option<String>,
    /// How long a fetched key set is fresh.
    pub ttl: Option<Time>,
    /// How long it may verify while no newer one can be had.
    pub stale_limit: Option<Time>,
    /// For one fetch.
    pub timeout: Option<Time>,
    /// How often a failed fetch is tried again before it rests.
    pub retries: Option<u32>,
    /// Hosts from which keys may be fetched beside the issuer's own.
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// Which way tokens are decided. Default: by keys.
    #[serde(default, deserialize_with = "strategy")]
    pub strategy: Strategy,
    /// Whether the strategy's second way may decide what the first one could not.
    pub fallback: Option<FallbackPlan>,
    /// How each issuer's introspection endpoint is asked.
    pub introspection: Option<IntrospectionPlan>,
    /// What X.509 certificates around keys mean.
    pub wrapper: Option<WrapperPlan>,
    /// Whether keys are kept on the disk. Default: yes.
    #[serde(default = "yes")]
    pub snapshots: bool,
    /// Whether it is started before the first phase. Default: yes.
    #[serde(default = "yes")]
    pub starts: bool,
}

fn yes() -> bool {
    true
}

impl Default for GatewayPlan {
    /// As an empty table has it.
    fn default() -> Self {
        Self {
            issuers: None,
            audiences: Vec::new(),
            algorithms: Vec::new(),
            leeway: None,
            jwks_path: None,
            ttl: None,
            stale_limit: None,
            timeout: None,
            retries: None,
            allow_hosts: Vec::new(),
            strategy: Strategy::default(),
            fallback: None,
            introspection: None,
            wrapper: None,
            snapshots: true,
            starts: true,
        }
    }
}

impl GatewayPlan {
    /// Whether the gateway is set up otherwise than somebody else's can be expected to be.
    pub(crate) fn is_ours_alone(&self) -> bool {
        self.issuers.is_some()
            || self.jwks_path.is_some()
            || self.leeway.is_some()
            || !(self.audiences.is_empty() && self.algorithms.is_empty())
    }

    /// Whether it knows this issuer.
    pub(crate) fn knows(&self, issuer: &str) -> bool {
        self.issuers.as_ref().is_none_or(|known| known.iter().any(|known| known == issuer))
    }

    /// Where an issuer's keys are said to be; none where discovery says it.
    fn jwks_uri(&self, issuer: &str) -> Option<String> {
        self.jwks_path.as_ref().map(|path| format!("{}{path}", issuer.trim_end_matches('/')))
    }

    /// `[[issuer]]` of the gateway's configuration, as far as it says what tokens look like and where keys are.
    pub(crate) fn table(&self, issuer: &str) -> toml::Table {
        let mut table = toml::Table::new();
        if let Some(jwks_uri) = self.jwks_uri(issuer) {
            table.insert("jwks_uri".to_owned(), jwks_uri.into());
        }
        let lists = [
            ("allow_hosts", self.allow_hosts.clone()),
            ("algorithms", self.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect()),
            ("audiences", self.audiences.clone()),
        ];
        for (name, texts) in lists.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            table.insert(name.to_owned(), strings(&texts));
        }
        if let Some(Time(leeway)) = self.leeway {
            table.insert("leeway".to_owned(), humantime::format_duration(leeway).to_string().into());
        }
        table
    }
}

/// The issuers of a drill as its gateway has them. What introspection needs is below `folder`.
pub(crate) fn settings(drill: &Drill, lab: &Lab, folder: &Path) -> Result<Vec<IssuerSettings>, RunError> {
    let plan = &drill.gateway;
    let allowed_hosts = plan.allow_hosts.iter().map(|host| host.parse()).collect::<Result<Vec<_>, _>>();
    let allowed_hosts = allowed_hosts
        .map_err(|error: NoHost| RunError::Gateway { what: format!("allow_hosts: {error}"), log: None })?;
    let known = drill.provider.issuer.iter().filter(|(name, _)| plan.knows(name));
    let issuers = known.filter_map(|(name, issuer)| {
        let identifier = lab.issuer(name)?.issuer;
        let mut settings = IssuerSettings::discover(&identifier).named(name);
        if let Some(jwks_uri) = plan.jwks_uri(&identifier).and_then(|uri| Url::parse(&uri).ok()) {
            settings.source = Some(KeySource::JwksUri(jwks_uri));
        }
        if !plan.algorithms.is_empty() {
            let named = |algorithm: &Algorithm| keyward::Algorithm::from_name(algorithm.name());
            settings = settings.algorithms(plan.algorithms.iter().filter_map(named));
        }
        let policy = &mut settings.policy;
        policy.audiences = plan.audiences.iter().map(|audience| audience.as_str().into()).collect();
        policy.leeway = plan.leeway.map_or(policy.leeway, |Time(leeway)| leeway);
        let key_set = &mut settings.key_set;
        key_set.ttl = plan.ttl.map_or(key_set.ttl, |ttl| ttl.0);
        key_set.stale_limit = plan.stale_limit.map_or(key_set.stale_limit, |limit| limit.0);
        key_set.retries = plan.retries.unwrap_or(key_set.retries);
        settings.fetch_timeout = plan.timeout.map_or(settings.fetch_timeout, |timeout| timeout.0);
        settings.allowed_hosts.clone_from(&allowed_hosts);
        if issuer.tls {
            settings.extra_anchors = lab.authority_pem().as_bytes().to_vec();
        }
        if let Some(wrapper) = plan.wrapper {
            wrapper.set_up(&mut settings, lab);
        }
        let GatewayPlan { strategy, fallback, introspection, .. } = plan;
        introspection::set_up(&mut settings, *strategy, fallback.as_ref(), introspection.as_ref(), folder);
        Some(settings)
    });
    Ok(issuers.collect())
}

pub(crate) fn strings(texts: &[String]) -> toml::Value {
    toml::Value::Array(texts.iter().map(|text| text.as_str().into()).collect())
}
