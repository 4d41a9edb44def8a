//! The route that a token is held against, as the command line says it.

use clap::Args;
use keyward::{IssuerSettings, Requirement, Strategy};
use keyward_gateway::config::Access;
use keyward_gateway::{ChosenRoute, Config};
use serde::Serialize;

use crate::exit::Failure;

/// The request whose route is asked.
#[derive(Args, Debug)]
pub(crate) struct RouteArgs {
    /// Hold the token against the route that a request for this path comes to, as the gateway chooses it
    #[arg(long, value_name = "PATH", requires = "config", help_heading = "Route")]
    route: Option<String>,
    /// The request's method, where routes look at it [default: GET]
    #[arg(long, value_name = "METHOD", requires = "route", help_heading = "Route")]
    method: Option<String>,
    /// The request's host, where routes look at it
    #[arg(long, value_name = "HOST", requires = "route", help_heading = "Route")]
    host: Option<String>,
}

impl RouteArgs {
    /// The route, where one is asked for.
    pub(crate) fn choose(&self, config: &Config) -> Result<Option<ChosenRoute>, Failure> {
        let Some(path) = &self.route else {
            return Ok(None);
        };
        let method = self.method.as_deref().unwrap_or("GET");
        let chosen = config.route_of(method, self.host.as_deref(), path);
        let refused = |unclear| {
            Failure::Usage(format!("the gateway answers 400 to such a request: {unclear} (--method, --host)"))
        };
        chosen.map(Some).map_err(refused)
    }
}

/// What a route demands, with the issuer that a token is held against at place 0.
#[derive(Clone, Debug)]
pub(crate) struct Demands {
    pub(crate) requirement: Requirement,
    pub(crate) strategy: Strategy,
    /// Whether tokens are not looked at.
    pub(crate) is_public: bool,
    pub(crate) route: Option<RouteReport>,
}

/// A route, for a person.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteReport {
    pub(crate) name: String,
    pub(crate) access: &'static str,
    pub(crate) issuers: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) claims: Vec<String>,
    pub(crate) binding: Option<&'static str>,
    pub(crate) strategy: &'static str,
}

impl Demands {
    /// Where no route is asked: what the issuer itself demands.
    pub(crate) fn of_issuer(issuer: &IssuerSettings) -> Self {
        Self { requirement: Requirement::default(), strategy: issuer.strategy, is_public: false, route: None }
    }

    /// What `route` demands of the tokens of the issuer at `place` among `issuers`.
    pub(crate) fn of_route(route: ChosenRoute, issuers: &[IssuerSettings], place: usize) -> Self {
        let ChosenRoute { name, access, demanded } = route;
        let mut requirement = demanded.requirement;
        let own = issuers.get(place);
        let strategy = demanded.strategy.or(own.map(|issuer| issuer.strategy)).unwrap_or_default();
        let named = issuers.iter().enumerate().filter(|(place, _)| requirement.issuers.contains(place));
        let texts = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let audiences = match requirement.audiences.as_slice() {
            [] => own.map(|issuer| texts(&issuer.policy.audiences)).unwrap_or_default(),
            audiences => texts(audiences),
        };
        let report = RouteReport {
            name,
            access: match access {
                Access::Required => "required",
                Access::Optional => "optional",
                Access::Public => "public",
            },
            issuers: named.map(|(_, issuer)| issuer.policy.name.to_string()).collect(),
            audiences,
            scopes: texts(&requirement.scopes),
            claims: requirement.claims.iter().map(|rule| rule.pointer.to_string()).collect(),
            binding: requirement.binding.map(|binding| binding.label()),
            strategy: strategy.label(),
        };
        // Only one issuer is judged by, at place 0. Where the route does not take its tokens, place 1 is nobody's.
        let is_taken = requirement.issuers.is_empty() || requirement.issuers.contains(&place);
        requirement.issuers = if is_taken { Vec::new() } else { vec![1] };
        Self { requirement, strategy, is_public: access == Access::Public, route: Some(report) }
    }
}

impl RouteReport {
    /// What it demands, a line each: a title and what stands there.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let list = |title, texts: &[String]| (!texts.is_empty()).then(|| (title, texts.join(", ")));
        let lines = [
            Some(("access", self.access.to_owned())),
            list("issuers", &self.issuers),
            list("audiences", &self.audiences),
            list("scopes", &self.scopes),
            list("claims", &self.claims),
            self.binding.map(|binding| ("binding", binding.to_owned())),
            Some(("strategy", self.strategy.to_owned())),
        ];
        lines.into_iter().flatten().collect()
    }
}
