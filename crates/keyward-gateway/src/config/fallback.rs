//! Resolves `[issuer.fallback]`, and holds strategies against what it allows.

use std::ops::Range;

use http::HeaderName;
use keyward::{Fallback, FallbackSettings, GivenUp, IssuerSettings, Strategy};
use toml::Spanned;

use super::raw::{RawFallback, RawGivenUp};
use super::routes::NOT_OURS;
use super::{ConfigError, Source};

/// What `[issuer.fallback]` says beyond what the verifier is told, and where.
pub(super) struct DeclaredFallback {
    place: Range<usize>,
    gives_up: Vec<Spanned<RawGivenUp>>,
    routes: Option<Vec<Spanned<String>>>,
    pub(super) header: Option<HeaderName>,
}

impl DeclaredFallback {
    /// Whether it holds on the route of this name.
    pub(super) fn holds_on(&self, route: Option<&str>) -> bool {
        let names = |routes: &Vec<Spanned<String>>| {
            route.is_some_and(|name| routes.iter().any(|route| route.get_ref() == name))
        };
        self.routes.as_ref().is_none_or(names)
    }
}

impl Source<'_> {
    pub(super) fn fallback(
        &self,
        raw: Spanned<RawFallback>,
    ) -> Result<(FallbackSettings, DeclaredFallback), ConfigError> {
        let (place, raw) = (raw.span(), raw.into_inner());
        if raw.gives_up.is_empty() {
            let why =
                "a fallback says what it goes without: add gives_up = [\"revocation\"], or [\"signature\"]";
            return Err(self.error(&place, why));
        }
        let younger_than = raw.younger_than.as_ref().map(|time| self.longer_than_zero(time)).transpose()?;
        if let Some(routes) = raw.routes.as_ref().filter(|routes| routes.get_ref().is_empty()) {
            let why = "without a route there is no fallback: leave routes out for all, or the table for none";
            return Err(self.error(&routes.span(), why));
        }
        let header = raw.header.as_ref().map(|name| self.marking_header(name)).transpose()?;
        let gives_up = raw.gives_up.iter().map(|given_up| (*given_up.get_ref()).into()).collect();
        let settings = FallbackSettings { gives_up, fallback: Fallback { younger_than } };
        let routes = raw.routes.map(Spanned::into_inner);
        Ok((settings, DeclaredFallback { place, gives_up: raw.gives_up, routes, header }))
    }

    fn marking_header(&self, name: &Spanned<String>) -> Result<HeaderName, ConfigError> {
        HeaderName::try_from(name.get_ref().as_str())
            .ok()
            .filter(|header| !NOT_OURS.contains(&header.as_str()))
            .ok_or_else(|| self.error(&name.span(), "this header cannot mark a fallback"))
    }

    /// Whether the issuer's tokens may be decided this way; `place` is what says so.
    pub(super) fn check_strategy(
        &self,
        place: &Range<usize>,
        issuer: &IssuerSettings,
        strategy: Strategy,
    ) -> Result<(), ConfigError> {
        let name = &issuer.policy.name;
        if strategy.introspects() && issuer.introspection.is_none() {
            let why = format!(
                "the strategy {strategy} asks an introspection endpoint, and the issuer {name:?} has none: add \
                 [issuer.introspection] and [issuer.introspection.credential] to it"
            );
            return Err(self.error(place, why));
        }
        if strategy != Strategy::Introspection && issuer.source.is_none() && issuer.hmac_secret.is_none() {
            let why = format!(
                "the strategy {strategy} needs keys, and the issuer {name:?} has neither a source of keys nor a secret"
            );
            return Err(self.error(place, why));
        }
        let gives_up = strategy.gives_up().filter(|_| strategy.needs_fallback());
        let declared = issuer.fallback.as_ref().map(|fallback| &fallback.gives_up);
        let why = match (gives_up, declared) {
            (Some(given_up), None) => format!(
                "the strategy {strategy} gives up the {given_up} of tokens when it falls back, and that has to be \
                 said: add [issuer.fallback] with gives_up = [\"{given_up}\"] to the issuer {name:?}"
            ),
            (Some(given_up), Some(declared)) if !declared.contains(&given_up) => format!(
                "the strategy {strategy} gives up the {given_up} of tokens when it falls back, and that has to be \
                 said: add \"{given_up}\" to gives_up in [issuer.fallback] of the issuer {name:?}"
            ),
            _ => return Ok(()),
        };
        Err(self.error(place, why))
    }

    /// Whether each fallback has a strategy that it is for; `strategies` are those that an issuer's tokens are decided
    /// by anywhere. One that never comes into play is a mistake: somebody counts on it.
    pub(super) fn check_fallback(
        &self,
        declared: &DeclaredFallback,
        strategies: &[Strategy],
        routes: &[&str],
    ) -> Result<(), ConfigError> {
        let given_up: Vec<GivenUp> = strategies.iter().filter_map(|strategy| strategy.gives_up()).collect();
        let labels = || strategies.iter().map(|strategy| strategy.label()).collect::<Vec<_>>().join(", ");
        if given_up.is_empty() {
            let why =
                format!("there is nothing to fall back to with the strategy {}: leave this out", labels());
            return Err(self.error(&declared.place, why));
        }
        for wanted in &declared.gives_up {
            let wanted_one = GivenUp::from(*wanted.get_ref());
            if !given_up.contains(&wanted_one) {
                let why =
                    format!("the strategy {} does not give up the {wanted_one}: leave it out", labels());
                return Err(self.error(&wanted.span(), why));
            }
        }
        for name in declared.routes.iter().flatten() {
            if !routes.contains(&name.get_ref().as_str()) {
                let why = match routes {
                    [] => "no [[route]] has a name: add one, such as name = \"read\"".to_owned(),
                    names => format!("no [[route]] has this name; there are: {}", names.join(", ")),
                };
                return Err(self.error(&name.span(), why));
            }
        }
        Ok(())
    }
}
