//! Which rules a request is held to: the first route that matches it.

use std::fmt;

use http::{HeaderName, Method};
use keyward::{RequirementId, RequirementSettings, VerifierBuilder};

use crate::config::Access;
use crate::original::{self, Original, Unclear};

/// The routes, in their order, and the one that holds where none matches.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<Route>,
    unmatched: Route,
    told_headers: Vec<HeaderName>,
    marks: Vec<FallbackMark>,
}

/// One route: what it matches, and what it demands.
#[derive(Debug)]
pub struct Route {
    /// The hosts it is for; empty for all.
    pub hosts: Vec<HostPattern>,
    /// The paths it is for; empty for all.
    pub paths: Vec<PathPattern>,
    /// The methods it is for; empty for all.
    pub methods: Vec<Method>,
    /// Who may pass.
    pub access: Access,
    /// What a token must say, and how that is found out.
    pub demanded: RequirementSettings,
    /// A cookie in which the token may come.
    pub cookie: Option<Box<str>>,
    /// What the service behind the proxy is told.
    pub headers: Vec<IdentityHeader>,
}

/// A header for the service behind the proxy.
#[derive(Debug)]
pub struct IdentityHeader {
    /// Its name.
    pub name: HeaderName,
    /// Where its value stands in the claims.
    pub pointer: Box<str>,
}

/// The header by which an answer says that an issuer's token was accepted by a fallback.
#[derive(Debug)]
pub(crate) struct FallbackMark {
    /// Our name for the issuer.
    pub(crate) issuer: Box<str>,
    /// Its name.
    pub(crate) header: HeaderName,
}

/// A host, or all hosts below one.
#[derive(Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `.example.com`: every name that ends so.
    Below(Box<str>),
    /// This name.
    Exact(Box<str>),
}

/// A path, or all paths below one.
#[derive(Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `/api/`: every path that begins so, and `/api` itself.
    Below(Box<str>),
    /// This path.
    Exact(Box<str>),
}

/// Which parts of a request a table looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The host.
    pub host: bool,
    /// The path.
    pub path: bool,
    /// The method.
    pub method: bool,
}

/// A route's place in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId(usize);

impl RouteTable {
    /// `unmatched` is demanded where no route matches.
    pub(crate) fn new(routes: Vec<Route>, unmatched: RequirementSettings, marks: Vec<FallbackMark>) -> Self {
        let identities = routes.iter().flat_map(|route| &route.headers).map(|header| &header.name);
        let mut told_headers: Vec<HeaderName> =
            identities.chain(marks.iter().map(|mark| &mark.header)).cloned().collect();
        told_headers.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        told_headers.dedup();
        Self { routes, unmatched: Route::required(unmatched), told_headers, marks }
    }

    /// Every header that tells the service behind the proxy something, on any route. Each answer has all of them.
    pub fn told_headers(&self) -> &[HeaderName] {
        &self.told_headers
    }

    /// Where fallbacks of this issuer are marked.
    pub(crate) fn mark(&self, issuer: &str) -> Option<&HeaderName> {
        self.marks.iter().find(|mark| *mark.issuer == *issuer).map(|mark| &mark.header)
    }

    /// The parts of a request that decide which route matches.
    pub fn needs(&self) -> Needs {
        let any = |of: fn(&Route) -> bool| self.routes.iter().any(of);
        Needs {
            host: any(|route| !route.hosts.is_empty()),
            path: any(|route| !route.paths.is_empty()),
            method: any(|route| !route.methods.is_empty()),
        }
    }

    /// The route that a request is held to.
    ///
    /// # Errors
    /// [`Unclear::AmbiguousPath`], where it depends on whether the service behind the proxy counts the
    /// parameters of a path's segments as part of the path.
    pub fn find(&self, original: &Original<'_>) -> Result<(RouteId, &Route), Unclear> {
        let (id, route) = self.first(original, &original.path);
        match original::without_parameters(&original.path) {
            Some(bare) if self.first(original, &bare).0 != id => Err(Unclear::AmbiguousPath),
            _ => Ok((id, route)),
        }
    }

    fn first(&self, original: &Original<'_>, path: &str) -> (RouteId, &Route) {
        let found = self.routes.iter().enumerate().find(|(_, route)| route.matches(original, path));
        found.map_or((RouteId(self.routes.len()), &self.unmatched), |(place, route)| (RouteId(place), route))
    }

    /// The route with this id.
    pub(crate) fn route(&self, id: RouteId) -> &Route {
        self.routes.get(id.0).unwrap_or(&self.unmatched)
    }

    /// What is demanded on each route on which tokens are looked at, and last where none matches; each with what a person
    /// knows it by: `route 2 (/api/)`.
    pub fn demands(&self) -> impl Iterator<Item = (String, &RequirementSettings)> {
        let looked_at = (1..).zip(&self.routes).filter(|(_, route)| route.access != Access::Public);
        let named =
            looked_at.map(|(number, route)| (format!("route {number}{}", route.matched()), &route.demanded));
        named.chain([("no route".to_owned(), &self.unmatched.demanded)])
    }

    /// Adds each route's requirement to a verifier, in order.
    pub(crate) fn add_requirements(&self, builder: &mut VerifierBuilder) -> Vec<RequirementId> {
        self.routes
            .iter()
            .chain([&self.unmatched])
            .map(|route| builder.requirement(route.demanded.clone()))
            .collect()
    }
}

impl RouteId {
    /// The route's entry in a list with one for each route of the table, and one more.
    pub(crate) fn of<T: Copy>(self, list: &[T]) -> Option<T> {
        list.get(self.0).copied()
    }

    /// The route's number in the configuration, from 1; none where no route matched.
    pub(crate) fn number(self, table: &RouteTable) -> Option<usize> {
        (self.0 < table.routes.len()).then_some(self.0 + 1)
    }
}

impl Route {
    fn required(demanded: RequirementSettings) -> Self {
        Self {
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            access: Access::Required,
            demanded,
            cookie: None,
            headers: Vec::new(),
        }
    }

    /// Its methods, hosts and paths, for a person.
    pub(crate) fn matched(&self) -> String {
        let methods = self.methods.iter().map(ToString::to_string);
        let hosts = self.hosts.iter().map(ToString::to_string);
        let paths = self.paths.iter().map(ToString::to_string);
        let all: Vec<String> = methods.chain(hosts).chain(paths).collect();
        if all.is_empty() { String::new() } else { format!(" ({})", all.join(" ")) }
    }

    fn matches(&self, original: &Original<'_>, path: &str) -> bool {
        (self.hosts.is_empty() || self.hosts.iter().any(|host| host.matches(original.host)))
            && (self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)))
            && (self.methods.is_empty() || self.methods.iter().any(|method| method == original.method))
    }
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, below) = match text.strip_prefix('*') {
            Some(suffix) => (suffix.strip_prefix('.')?, true),
            None => (text, false),
        };
        let has_port = name.contains(':') && !name.ends_with(']');
        // Requests are looked at without the root's dot, so a pattern with it would match none.
        let rooted = name.ends_with('.');
        if name.is_empty() || !name.bytes().all(original::is_of_host) || has_port || rooted {
            return None;
        }
        let name = name.to_ascii_lowercase();
        Some(if below { Self::Below(format!(".{name}").into()) } else { Self::Exact(name.into()) })
    }

    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Below(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .filter(|prefix| *prefix > 0)
                .and_then(|prefix| host.get(prefix..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(suffix) => write!(f, "*{suffix}"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Below(path) | Self::Exact(path)) = self;
        f.write_str(path)
    }
}

impl PathPattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let sound = original::plain_path(text).is_some() && !text.contains(['%', '?', ';']);
        if !text.starts_with('/') || !sound {
            return None;
        }
        Some(if text.ends_with('/') { Self::Below(text.into()) } else { Self::Exact(text.into()) })
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Below(prefix) => path.starts_with(&**prefix) || prefix.strip_suffix('/') == Some(path),
            Self::Exact(exact) => path == &**exact,
        }
    }
}
