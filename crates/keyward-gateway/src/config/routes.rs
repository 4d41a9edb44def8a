//! Resolves `[[route]]`.

use std::collections::BTreeSet;

use http::{HeaderName, Method};
use keyward::{ClaimRule, ClaimTest, IssuerSettings, Requirement, RequirementSettings, Strategy};
use toml::Spanned;

use super::fallback::DeclaredFallback;
use super::raw::{RawClaim, RawRoute};
use super::{ConfigError, Source};
use crate::original::is_sound_method;
use crate::route::{FallbackMark, HostPattern, IdentityHeader, PathPattern, Route, RouteTable};

/// Headers that a proxy takes from our answer for its own purposes; none of them carries an identity, or marks a
/// fallback.
pub(super) const NOT_OURS: [&str; 21] = [
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "dpop",
    "dpop-nonce",
    "host",
    "keep-alive",
    "location",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-correlation-id",
    "x-keyward-reason",
];

impl Source<'_> {
    /// `fallbacks` is what each issuer says of its own, by place.
    pub(super) fn routes(
        &self,
        raw: Vec<RawRoute>,
        issuers: &[IssuerSettings],
        fallbacks: &[Option<DeclaredFallback>],
    ) -> Result<RouteTable, ConfigError> {
        let names = self.route_names(&raw)?;
        // A request that no route matches is held to each issuer's own.
        let mut strategies: Vec<_> = issuers.iter().map(|issuer| BTreeSet::from([issuer.strategy])).collect();
        for (route, place) in raw.iter().flat_map(|route| (0..issuers.len()).map(move |place| (route, place)))
        {
            let allowed = |name: &Spanned<String>| is_called(issuers, place, name);
            if let Some(strategy) = route.strategy.as_ref().map(|strategy| (*strategy.get_ref()).into())
                && (route.issuers.is_empty() || route.issuers.iter().any(allowed))
                && let Some(strategies) = strategies.get_mut(place)
            {
                strategies.insert(strategy);
            }
        }
        for (declared, strategies) in fallbacks.iter().zip(&strategies) {
            if let Some(declared) = declared {
                self.check_fallback(declared, &Vec::from_iter(strategies.iter().copied()), &names)?;
            }
        }
        let marks = issuers.iter().zip(fallbacks).filter_map(|(issuer, declared)| {
            let header = declared.as_ref()?.header.clone()?;
            Some(FallbackMark { issuer: issuer.policy.name.clone(), header })
        });
        let marks: Vec<_> = marks.collect();
        let unmatched = RequirementSettings {
            without_fallback: without_fallback(fallbacks, None),
            ..RequirementSettings::default()
        };
        let routes = raw.into_iter().map(|route| self.route(route, issuers, fallbacks, &marks));
        Ok(RouteTable::new(routes.collect::<Result<_, _>>()?, unmatched, marks))
    }

    /// The names of those that have one.
    fn route_names<'a>(&self, raw: &'a [RawRoute]) -> Result<Vec<&'a str>, ConfigError> {
        let mut names = Vec::new();
        for name in raw.iter().filter_map(|route| route.name.as_ref()) {
            let text = name.get_ref().as_str();
            if text.is_empty() {
                return Err(self.error(&name.span(), "this is empty; leave it out where it is not needed"));
            }
            if names.contains(&text) {
                return Err(self.error(&name.span(), format!("two routes are called {text:?}")));
            }
            names.push(text);
        }
        Ok(names)
    }

    fn route(
        &self,
        raw: RawRoute,
        issuers: &[IssuerSettings],
        fallbacks: &[Option<DeclaredFallback>],
        marks: &[FallbackMark],
    ) -> Result<Route, ConfigError> {
        let hosts = raw.hosts.iter().map(|host| self.host(host)).collect::<Result<_, _>>()?;
        let paths = raw.paths.iter().map(|path| self.path(path)).collect::<Result<_, _>>()?;
        let methods = raw.methods.iter().map(|method| self.method(method)).collect::<Result<_, _>>()?;
        let names = raw.issuers.iter().map(|name| self.issuer_place(name, issuers));
        let claims = raw.claims.iter().map(|(pointer, claim)| self.claim_rule(pointer, claim));
        let requirement = Requirement {
            issuers: names.collect::<Result<_, _>>()?,
            audiences: raw.audiences.into_iter().map(Into::into).collect(),
            scopes: raw.scopes.iter().map(|scope| self.scope(scope)).collect::<Result<_, _>>()?,
            claims: claims.collect::<Result<_, _>>()?,
            binding: raw.binding.as_ref().map(|binding| (*binding.get_ref()).into()),
        };
        let strategy = raw.strategy.as_ref().map(|strategy| Strategy::from(*strategy.get_ref()));
        let allowed = issuers.iter().enumerate().filter(|(place, _)| allows(&requirement, *place));
        for (_, issuer) in allowed {
            if let Some(strategy) = &raw.strategy {
                self.check_strategy(&strategy.span(), issuer, (*strategy.get_ref()).into())?;
            }
        }
        let opaque_tokens = raw.opaque_tokens.as_ref();
        let opaque_issuer = opaque_tokens.map(|name| self.opaque_issuer(name, issuers, &requirement));
        let demanded = RequirementSettings {
            strategy,
            opaque_issuer: opaque_issuer.transpose()?,
            without_fallback: without_fallback(
                fallbacks,
                raw.name.as_ref().map(|name| name.get_ref().as_str()),
            ),
            ..requirement.into()
        };
        let cookie = raw.cookie.as_ref().map(|name| self.cookie(name)).transpose()?;
        let mut headers = Vec::new();
        for (name, pointer) in &raw.headers {
            headers.push(self.identity_header(name, pointer, &headers, marks)?);
        }
        Ok(Route { hosts, paths, methods, access: raw.access, demanded, cookie, headers })
    }

    /// The issuer that a route's opaque tokens are taken to.
    fn opaque_issuer(
        &self,
        name: &Spanned<String>,
        issuers: &[IssuerSettings],
        requirement: &Requirement,
    ) -> Result<usize, ConfigError> {
        let place = self.issuer_place(name, issuers)?;
        let has_endpoint = issuers.get(place).is_some_and(|issuer| issuer.introspection.is_some());
        if !has_endpoint {
            let why =
                "this issuer has no [issuer.introspection], and nobody else understands an opaque token";
            return Err(self.error(&name.span(), why));
        }
        if !allows(requirement, place) {
            return Err(
                self.error(&name.span(), "the route's issuers do not name this one: its tokens do not pass")
            );
        }
        Ok(place)
    }

    fn host(&self, host: &Spanned<String>) -> Result<HostPattern, ConfigError> {
        HostPattern::parse(host.get_ref()).ok_or_else(|| {
            self.error(&host.span(), "a host is a name without port, or \"*.\" and a name for all below it")
        })
    }

    fn path(&self, path: &Spanned<String>) -> Result<PathPattern, ConfigError> {
        PathPattern::parse(path.get_ref()).ok_or_else(|| {
            self.error(
                &path.span(),
                "a path begins with \"/\" and has no \"..\", \"//\", \"%\", \";\" or \"?\"; one that ends in \"/\" is a prefix",
            )
        })
    }

    fn method(&self, method: &Spanned<String>) -> Result<Method, ConfigError> {
        Method::from_bytes(method.get_ref().as_bytes())
            .ok()
            .filter(|_| is_sound_method(method.get_ref()))
            .ok_or_else(|| self.error(&method.span(), "this is no method; write one such as \"GET\""))
    }

    fn issuer_place(&self, name: &Spanned<String>, issuers: &[IssuerSettings]) -> Result<usize, ConfigError> {
        issuers.iter().position(|issuer| *issuer.policy.name == **name.get_ref()).ok_or_else(|| {
            let names: Vec<_> = issuers.iter().map(|issuer| &*issuer.policy.name).collect();
            self.error(&name.span(), format!("no [[issuer]] has this name; there are: {}", names.join(", ")))
        })
    }

    /// A scope-token of RFC 6749 §3.3, which can stand in a challenge as it is.
    fn scope(&self, scope: &Spanned<String>) -> Result<Box<str>, ConfigError> {
        let text = scope.get_ref();
        let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if sound {
            Ok(text.as_str().into())
        } else {
            Err(self.error(&scope.span(), "a scope is one word without spaces, quotes and backslashes"))
        }
    }

    fn claim_rule(
        &self,
        pointer: &Spanned<String>,
        claim: &Spanned<RawClaim>,
    ) -> Result<ClaimRule, ConfigError> {
        let test = match claim.get_ref() {
            RawClaim::Present(true) => ClaimTest::Present,
            RawClaim::OneOf(values) if !values.is_empty() => ClaimTest::Contains(values.clone()),
            RawClaim::Present(false) | RawClaim::OneOf(_) | RawClaim::Other(_) => {
                return Err(self.error(
                    &claim.span(),
                    "a claim needs true (it is present) or a list of values of which one must be there",
                ));
            }
        };
        Ok(ClaimRule { pointer: self.pointer(pointer)?, test })
    }

    fn pointer(&self, pointer: &Spanned<String>) -> Result<Box<str>, ConfigError> {
        let text = pointer.get_ref();
        // "~" stands in "~0" and "~1" only, which mean "~" and "/".
        let escapes = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if text.starts_with('/') && escapes {
            Ok(text.as_str().into())
        } else {
            Err(self.error(&pointer.span(), "a JSON Pointer begins with \"/\", such as \"/sub\" (RFC 6901)"))
        }
    }

    /// A cookie-name of RFC 6265 §4.1.1.
    fn cookie(&self, name: &Spanned<String>) -> Result<Box<str>, ConfigError> {
        let text = name.get_ref();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !text.is_empty() && text.bytes().all(token) {
            Ok(text.as_str().into())
        } else {
            Err(self.error(&name.span(), "this is no name of a cookie"))
        }
    }

    fn identity_header(
        &self,
        name: &Spanned<String>,
        pointer: &Spanned<String>,
        before: &[IdentityHeader],
        marks: &[FallbackMark],
    ) -> Result<IdentityHeader, ConfigError> {
        let header = HeaderName::try_from(name.get_ref().as_str())
            .ok()
            .filter(|header| !NOT_OURS.contains(&header.as_str()))
            .ok_or_else(|| self.error(&name.span(), "this header cannot carry an identity"))?;
        if before.iter().any(|other| other.name == header) {
            return Err(
                self.error(&name.span(), "this header is there twice: names differ in more than case")
            );
        }
        if marks.iter().any(|mark| mark.header == header) {
            return Err(
                self.error(&name.span(), "this header marks fallbacks: see header in [issuer.fallback]")
            );
        }
        Ok(IdentityHeader { name: header, pointer: self.pointer(pointer)? })
    }
}

/// The issuers whose fallback does not hold on the route of this name.
fn without_fallback(fallbacks: &[Option<DeclaredFallback>], route: Option<&str>) -> Vec<usize> {
    let fallbacks = fallbacks.iter().enumerate();
    let forbids = |declared: &Option<DeclaredFallback>| {
        declared.as_ref().is_some_and(|declared| !declared.holds_on(route))
    };
    fallbacks.filter(|(_, declared)| forbids(declared)).map(|(place, _)| place).collect()
}

fn allows(requirement: &Requirement, place: usize) -> bool {
    requirement.issuers.is_empty() || requirement.issuers.contains(&place)
}

fn is_called(issuers: &[IssuerSettings], place: usize, name: &Spanned<String>) -> bool {
    issuers.get(place).is_some_and(|issuer| *issuer.policy.name == **name.get_ref())
}
