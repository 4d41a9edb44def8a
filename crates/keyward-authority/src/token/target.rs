//! Which resource servers a token is for, and which scopes it has.

use std::sync::Arc;

use super::Allowed;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Realm, ResourceServer, TokenFormat};
use crate::http::FormRequest;

/// The scope by which a token for the authority itself may ask about others.
pub const INTROSPECT_SCOPE: &str = "introspect";

/// What a token is for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `aud`, at least one.
    pub(super) audiences: Vec<String>,
    /// `scope`, in the order in which they were asked for, or in which they are allowed.
    pub(super) scopes: Vec<String>,
    pub(super) format: TokenFormat,
    /// None for the realm's own.
    pub(super) algorithm: Option<String>,
    /// How long it is good at most, in seconds.
    pub(super) lifetime: u64,
}

/// What a token is for where a request does not say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unsaid {
    /// All that it may be for.
    All,
    /// The only one that it may be for.
    Only,
}

impl Target {
    /// What is asked for, as far as each of `allowed` may have it and the resource servers offer it.
    ///
    /// # Errors
    /// [`Cause::AudienceNotAllowed`], [`Cause::AudienceUnclear`], [`Cause::ScopeNotAllowed`], [`Cause::Unavailable`].
    pub(super) async fn resolve(
        authority: &Authority,
        request: &FormRequest,
        allowed: &[Allowed<'_>],
        unsaid: Unsaid,
    ) -> Result<Self, Cause> {
        let audiences = audiences(request, allowed, unsaid)?;
        let mut servers = Vec::with_capacity(audiences.len());
        for audience in &audiences {
            servers.push(resource_server(authority, request, audience).await?);
        }
        let scopes = scopes(request, allowed, &servers)?;
        let (format, algorithm) = form(&servers)?;
        let lifetime = lifetime(&request.realm, &servers);
        let audiences = audiences.into_iter().map(str::to_owned).collect();
        Ok(Self { audiences, scopes, format, algorithm, lifetime })
    }
}

/// By `resource` (RFC 8707 §2) and `audience` (RFC 8693 §2.1), which mean the same here.
fn audiences<'a>(
    request: &'a FormRequest,
    allowed: &[Allowed<'a>],
    unsaid: Unsaid,
) -> Result<Vec<&'a str>, Cause> {
    let is_allowed = |audience: &str| {
        let mut each = allowed.iter();
        each.all(|allowed| allowed.audiences.iter().any(|one| one == audience))
    };
    let mut wanted: Vec<&str> = Vec::new();
    for resource in request.form.all("resource") {
        if !is_absolute_uri(resource) {
            return Err(Cause::AudienceNotAllowed);
        }
        wanted.push(resource);
    }
    wanted.extend(request.form.all("audience"));
    if !wanted.is_empty() {
        let mut once: Vec<&str> = Vec::with_capacity(wanted.len());
        for audience in wanted {
            if !once.contains(&audience) {
                once.push(audience);
            }
        }
        return if once.iter().all(|one| is_allowed(one)) {
            Ok(once)
        } else {
            Err(Cause::AudienceNotAllowed)
        };
    }
    let Some(first) = allowed.first() else {
        return Err(Cause::AudienceNotAllowed);
    };
    let all: Vec<_> = first.audiences.iter().map(String::as_str).filter(|one| is_allowed(one)).collect();
    match (all.len(), unsaid) {
        (0, _) => Err(Cause::AudienceNotAllowed),
        (1, _) | (_, Unsaid::All) => Ok(all),
        _ => Err(Cause::AudienceUnclear),
    }
}

/// An absolute URI (RFC 3986 §4.3), as `resource` has to be (RFC 8707 §2): with a scheme, and without a fragment.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let of_scheme = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    let of_rest = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(&octet);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(of_scheme)
        && rest.bytes().all(of_rest)
}

async fn resource_server(
    authority: &Authority,
    request: &FormRequest,
    audience: &str,
) -> Result<Arc<ResourceServer>, Cause> {
    let kept = authority.view().find::<ResourceServer>(&request.realm.name, audience).await?;
    match kept {
        Some(server) if server.enabled => Ok(server),
        None if audience == request.issuer => Ok(Arc::new(ourselves(audience))),
        _ => Err(Cause::AudienceNotAllowed),
    }
}

/// The authority as a resource server, where nobody declared it.
fn ourselves(issuer: &str) -> ResourceServer {
    ResourceServer {
        audience: issuer.to_owned(),
        description: String::new(),
        enabled: true,
        scopes: vec![INTROSPECT_SCOPE.to_owned()],
        token_format: TokenFormat::Jwt,
        access_token_lifetime: None,
        algorithm: None,
        introspected_by: None,
    }
}

fn scopes(
    request: &FormRequest,
    allowed: &[Allowed<'_>],
    servers: &[Arc<ResourceServer>],
) -> Result<Vec<String>, Cause> {
    let may_have = |scope: &str| {
        let is_offered = servers.iter().any(|server| server.scopes.iter().any(|offered| offered == scope));
        is_offered && allowed.iter().all(|allowed| allowed.scopes.iter().any(|one| one == scope))
    };
    let mut granted: Vec<String> = Vec::new();
    let Some(wanted) = request.form.find("scope") else {
        let all = allowed.first().map_or(&[][..], |allowed| allowed.scopes);
        for scope in all.iter().filter(|scope| may_have(scope)) {
            if !granted.contains(scope) {
                granted.push(scope.clone());
            }
        }
        return Ok(granted);
    };
    for scope in wanted.split(' ').filter(|scope| !scope.is_empty()) {
        if !may_have(scope) {
            return Err(Cause::ScopeNotAllowed);
        }
        if !granted.iter().any(|one| one == scope) {
            granted.push(scope.to_owned());
        }
    }
    Ok(granted)
}

/// What one token for all of them looks like.
fn form(servers: &[Arc<ResourceServer>]) -> Result<(TokenFormat, Option<String>), Cause> {
    let Some((first, others)) = servers.split_first() else {
        return Err(Cause::AudienceNotAllowed);
    };
    let agrees = |other: &Arc<ResourceServer>| {
        other.token_format == first.token_format && other.algorithm == first.algorithm
    };
    if !others.iter().all(agrees) {
        return Err(Cause::AudienceUnclear);
    }
    Ok((first.token_format, first.algorithm.clone()))
}

fn lifetime(realm: &Realm, servers: &[Arc<ResourceServer>]) -> u64 {
    let each =
        servers.iter().map(|server| server.access_token_lifetime.unwrap_or(realm.access_token_lifetime));
    each.min().unwrap_or(realm.access_token_lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://api.example/v1?a=b%20c", "urn:example:api", "a+b-c.d:", "http://[::1]:8080/"] {
            assert!(is_absolute_uri(good), "{good}");
        }
        for bad in [
            "",
            "api",
            "//api.example",
            "/v1",
            ":api",
            "1a:b",
            "a b:c",
            "https://api.example/#v1",
            "https://é/",
            "a:b\n",
        ] {
            assert!(!is_absolute_uri(bad), "{bad:?}");
        }
    }
}
