//! The route that a request would be held to, for whoever asks without one.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use keyward::RequirementSettings;

use crate::config::{Access, Config};
use crate::original::{Asked, Original, Unclear};

/// A route, as it was chosen for a request.
#[derive(Clone, Debug)]
pub struct ChosenRoute {
    /// What a person knows it by: `route 2 (/api/)`, or `no route` where none matches.
    pub name: String,
    /// Who may pass.
    pub access: Access,
    /// What a token must say, and how that is found out.
    pub demanded: RequirementSettings,
}

impl Config {
    /// The route that a request for `path` is held to, where a proxy tells of it. Without a host, routes that look at it
    /// cannot be told apart.
    ///
    /// # Errors
    /// [`Unclear`], as the gateway answers 400 to such a request.
    pub fn route_of(&self, method: &str, host: Option<&str>, path: &str) -> Result<ChosenRoute, Unclear> {
        let mut headers = HeaderMap::new();
        let mut tell = |name, text: &str, refused| {
            let value = HeaderValue::try_from(text).map_err(|_| refused)?;
            headers.insert(HeaderName::from_static(name), value);
            Ok(())
        };
        tell("x-forwarded-method", method, Unclear::OddMethod)?;
        tell("x-forwarded-uri", path, Unclear::AmbiguousPath)?;
        host.map(|host| tell("x-forwarded-host", host, Unclear::OddHost)).transpose()?;
        let asked = Asked { method: &Method::GET, uri: &Uri::from_static("/"), headers: &headers };
        let original = Original::of(asked, self.routes.needs())?;
        let (id, route) = self.routes.find(&original)?;
        let name = match id.number(&self.routes) {
            Some(number) => format!("route {number}{}", route.matched()),
            None => "no route".to_owned(),
        };
        Ok(ChosenRoute { name, access: route.access, demanded: route.demanded.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config() -> Config {
        let text = r#"
            [[issuer]]
            name = "main"
            issuer = "https://idp.example"

            [[route]]
            paths = ["/health"]
            access = "public"

            [[route]]
            hosts = ["shop.example"]
            paths = ["/api/"]
            methods = ["POST"]
            scopes = ["write"]

            [[route]]
            paths = ["/api/"]
        "#;
        Config::parse(text, Path::new(".")).expect("a sound configuration")
    }

    #[test]
    fn it_is_chosen_as_for_a_request() {
        let config = config();
        for (method, host, path, name) in [
            ("GET", "shop.example", "/health", "route 1 (/health)"),
            ("POST", "shop.example:443", "/api/orders?page=2", "route 2 (POST shop.example /api/)"),
            ("GET", "shop.example", "/api", "route 3 (/api/)"),
            ("GET", "shop.example", "/", "no route"),
        ] {
            let route = config.route_of(method, Some(host), path).expect("a clear request");
            assert_eq!(route.name, name);
        }
        let scopes = |method| {
            config
                .route_of(method, Some("shop.example"), "/api/")
                .map(|route| route.demanded.requirement.scopes)
        };
        assert_eq!(scopes("POST"), Ok(vec!["write".into()]));
        assert_eq!(scopes("GET"), Ok(Vec::new()));
    }

    #[test]
    fn what_the_gateway_would_not_decide_is_not_guessed_here() {
        let config = config();
        for (method, host, path, unclear) in [
            ("GET", None, "/api/", Unclear::Incomplete),
            ("GET", Some("shop.example"), "/api/../health", Unclear::AmbiguousPath),
            ("GET", Some("shop.example"), "api", Unclear::AmbiguousPath),
            ("get", Some("shop.example"), "/api/", Unclear::OddMethod),
            ("GET", Some("a b"), "/api/", Unclear::OddHost),
        ] {
            assert_eq!(config.route_of(method, host, path).map(|route| route.name), Err(unclear), "{path}");
        }
    }
}
