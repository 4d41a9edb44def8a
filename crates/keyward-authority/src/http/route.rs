//! Which endpoint a path is of, and of which realm.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::observer::Endpoint;

/// The longest name of a realm that is looked for, in octets.
const REALM_LIMIT: usize = 128;

/// An endpoint of a realm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Route<'a> {
    pub(super) endpoint: Endpoint,
    /// As it stands in the path.
    realm: &'a str,
}

impl<'a> Route<'a> {
    /// The endpoint that is at this path; none where there is none of a realm.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let mut next = || segments.next();
        let (endpoint, realm) = match (next(), next(), next(), next(), next()) {
            (Some("realms"), Some(realm), Some("introspect"), None, None) => (Endpoint::Introspect, realm),
            (Some("realms"), Some(realm), Some("jwks"), None, None) => (Endpoint::Jwks, realm),
            (Some("realms"), Some(realm), Some("revoke"), None, None) => (Endpoint::Revoke, realm),
            (Some("realms"), Some(realm), Some("token"), None, None) => (Endpoint::Token, realm),
            (
                Some("realms"),
                Some(realm),
                Some(".well-known"),
                Some("openid-configuration" | "oauth-authorization-server"),
                None,
            )
            | (Some(".well-known"), Some("oauth-authorization-server"), Some("realms"), Some(realm), None) => {
                (Endpoint::Discovery, realm)
            }
            _ => return None,
        };
        Some(Self { endpoint, realm })
    }

    /// The name of its realm; none where nothing is called so.
    pub(super) fn realm(&self) -> Option<Cow<'a, str>> {
        let name = percent_decode_str(self.realm).decode_utf8().ok()?;
        (name.len() <= REALM_LIMIT).then_some(name)
    }

    /// What its address ends in.
    pub(super) const fn name(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Introspect => "introspect",
            Endpoint::Revoke => "revoke",
            _ => "token",
        }
    }

    /// The methods that it takes, for `Allow` (RFC 9110 §10.2.1).
    pub(super) const fn allowed(&self) -> &'static str {
        if self.takes_form() { "POST" } else { "GET,HEAD" }
    }

    pub(super) fn allows(&self, method: &Method) -> bool {
        if self.takes_form() { method == Method::POST } else { matches!(*method, Method::GET | Method::HEAD) }
    }

    const fn takes_form(&self) -> bool {
        matches!(self.endpoint, Endpoint::Introspect | Endpoint::Revoke | Endpoint::Token)
    }
}

/// Which endpoint a request to this path is counted for, whether there is something at it or not.
pub(super) fn counted_for(path: &str) -> Endpoint {
    if let Some(route) = Route::of(path) {
        return route.endpoint;
    }
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("admin"), Some("v1"), _) => Endpoint::Admin,
        (Some("realms"), Some(_), Some(".well-known")) | (Some(".well-known"), ..) => Endpoint::Discovery,
        _ => Endpoint::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_an_endpoint_or_of_nothing() {
        for (path, endpoint) in [
            ("/realms/main/token", Endpoint::Token),
            ("/realms/main/introspect", Endpoint::Introspect),
            ("/realms/main/revoke", Endpoint::Revoke),
            ("/realms/main/jwks", Endpoint::Jwks),
            ("/realms/main/.well-known/openid-configuration", Endpoint::Discovery),
            ("/realms/main/.well-known/oauth-authorization-server", Endpoint::Discovery),
            ("/.well-known/oauth-authorization-server/realms/main", Endpoint::Discovery),
        ] {
            let route = Route::of(path).unwrap();
            assert_eq!((route.endpoint, route.realm().as_deref()), (endpoint, Some("main")), "{path}");
            assert_eq!(counted_for(path), endpoint, "{path}");
        }
        for (path, endpoint) in [
            ("/admin/v1/realms", Endpoint::Admin),
            ("/realms/main/.well-known/more", Endpoint::Discovery),
            ("/.well-known/security.txt", Endpoint::Discovery),
            ("/realms/main/token/more", Endpoint::Nothing),
            ("/realms/main/token/", Endpoint::Nothing),
            ("//realms/main/token", Endpoint::Nothing),
            ("/realms/main", Endpoint::Nothing),
            ("/admin", Endpoint::Nothing),
            ("", Endpoint::Nothing),
            ("*", Endpoint::Nothing),
        ] {
            assert_eq!((Route::of(path), counted_for(path)), (None, endpoint), "{path}");
        }
    }

    #[test]
    fn a_realm_is_named_in_any_spelling_of_its_name_that_is_text() {
        let named = |name: &str| {
            Route::of(&format!("/realms/{name}/jwks")).unwrap().realm().map(|name| name.into_owned())
        };
        assert_eq!(named("m%61in").as_deref(), Some("main"));
        assert_eq!(named("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(named("%ff"), None);
        assert_eq!(
            (named(&"a".repeat(128)).map(|name| name.len()), named(&"a".repeat(129))),
            (Some(128), None)
        );
    }

    #[test]
    fn forms_are_posted_and_documents_are_got() {
        let route = |name: &str| {
            let path = format!("/realms/main/{name}");
            let route = Route::of(&path).unwrap();
            let methods = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
            (route.allowed(), methods.map(|method| route.allows(&method)))
        };
        assert_eq!(route("token"), ("POST", [false, false, true, false]));
        assert_eq!(route("jwks"), ("GET,HEAD", [true, true, false, false]));
    }
}
