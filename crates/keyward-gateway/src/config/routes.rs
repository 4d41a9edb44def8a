//! Resolves `[[route]]`.

use http::{HeaderName, Method};
use keyward::{ClaimRule, ClaimTest, IssuerSettings, Requirement};
use toml::Spanned;

use super::raw::{RawClaim, RawRoute};
use super::{ConfigError, Source};
use crate::original::is_sound_method;
use crate::route::{HostPattern, IdentityHeader, PathPattern, Route, RouteTable};

/// Headers that a proxy takes from our answer for its own purposes; an identity header must be none of them.
const NOT_IDENTITY: [&str; 19] = [
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
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
    pub(super) fn routes(
        &self,
        raw: Vec<RawRoute>,
        issuers: &[IssuerSettings],
    ) -> Result<RouteTable, ConfigError> {
        let routes = raw.into_iter().map(|route| self.route(route, issuers)).collect::<Result<_, _>>()?;
        Ok(RouteTable::new(routes))
    }

    fn route(&self, raw: RawRoute, issuers: &[IssuerSettings]) -> Result<Route, ConfigError> {
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
        };
        let cookie = raw.cookie.as_ref().map(|name| self.cookie(name)).transpose()?;
        let mut headers = Vec::new();
        for (name, pointer) in &raw.headers {
            headers.push(self.identity_header(name, pointer, &headers)?);
        }
        Ok(Route { hosts, paths, methods, access: raw.access, requirement, cookie, headers })
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
    ) -> Result<IdentityHeader, ConfigError> {
        let header = HeaderName::try_from(name.get_ref().as_str())
            .ok()
            .filter(|header| !NOT_IDENTITY.contains(&header.as_str()))
            .ok_or_else(|| self.error(&name.span(), "this header cannot carry an identity"))?;
        if before.iter().any(|other| other.name == header) {
            return Err(
                self.error(&name.span(), "this header is there twice: names differ in more than case")
            );
        }
        Ok(IdentityHeader { name: header, pointer: self.pointer(pointer)? })
    }
}
