//! DPoP (RFC 9449) behind a proxy: which URI a proof has to be for.

use keyward::binding::{BindingSettings, normalized};
use keyward_server::ProofSecret;

use crate::original::{AsWritten, Asked, Unclear, host_and_port};
use crate::route::{HostPattern, Needs};
use crate::shared_proofs::SharedMemory;

/// How tokens that are bound to a key are taken.
#[derive(Debug)]
pub struct Dpop {
    pub(crate) origins: Vec<Origin>,
    /// What proofs must be like.
    pub binding: BindingSettings,
    /// How many proofs are remembered as used.
    pub used_proofs: usize,
    /// What gateways behind one address share, so that each takes the others' nonces and knows their proofs.
    pub(crate) secret: Option<ProofSecret>,
    /// Where they remember used proofs together.
    pub(crate) shared: Option<SharedMemory>,
}

/// Where clients know us: the scheme, the host and the port of a proof's `htu` (RFC 9449 §4.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    /// As it stands before the path, where it is one host's.
    text: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Dpop {
    /// The method and the URI of the request that wants to pass. The origin is one of ours, and never what a client
    /// makes of it: a proof that it made for another service, which passes it on, is not for us.
    ///
    /// # Errors
    /// [`Unclear`], where the proxy does not tell enough, or a host that is none of ours.
    pub(crate) fn target<'a>(&self, asked: Asked<'a>) -> Result<(&'a str, String), Unclear> {
        let only = match &self.origins[..] {
            [origin] => origin.text.as_deref(),
            _ => None,
        };
        let needs = Needs { host: only.is_none(), path: true, method: true };
        let AsWritten { method, host, path } = AsWritten::clear(asked, needs)?;
        if let Some(origin) = only {
            return Ok((method, format!("{origin}{path}")));
        }
        let (name, port) = host_and_port(host);
        let origin = self.origins.iter().find(|origin| origin.is(name, port));
        let Origin { scheme, port, .. } = origin.ok_or(Unclear::ForeignOrigin)?;
        Ok((method, format!("{}://{name}:{port}{path}", scheme.name())))
    }
}

impl Origin {
    /// `https://api.example`, with a port where it is not the scheme's own; `*.` stands for all hosts below one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let (name, port) = host_and_port(authority);
        let host = HostPattern::parse(name)?;
        let text = match &host {
            HostPattern::Below(_) => None,
            // It has to stay what it is, or no proof would ever be for it.
            HostPattern::Exact(_) => Some(normalized(text)?.strip_suffix('/')?.into()),
        };
        let port = port.map_or(Ok(scheme.port()), str::parse).ok()?;
        Some(Self { scheme, host, port, text })
    }

    /// Whether a request to this host, and to this port where one is named, is to this origin.
    fn is(&self, name: &str, port: Option<&str>) -> bool {
        self.host.matches(name)
            && port.map_or(Some(self.scheme.port()), |port| port.parse().ok()) == Some(self.port)
    }

    /// Whether a request that names no port could be to either, so that nothing would tell the scheme.
    pub(crate) fn is_confused_with(&self, other: &Self) -> bool {
        let is_default = |origin: &Self| origin.port == origin.scheme.port();
        self.host == other.host && is_default(self) && is_default(other)
    }
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn dpop(origins: &[&str]) -> Dpop {
        let origins = origins.iter().map(|origin| Origin::parse(origin).expect("an origin"));
        let (binding, origins) = (BindingSettings::default(), origins.collect());
        Dpop { origins, binding, used_proofs: 1, secret: None, shared: None }
    }

    fn target(origins: &[&str], headers: &[(&str, &str)]) -> Result<(String, String), Unclear> {
        let builder = Request::builder().method("POST").uri("/own?q").header("host", "own.example:8080");
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let request = builder.body(()).expect("a request");
        let (method, uri) = dpop(origins).target(Asked::of(&request))?;
        let uri = normalized(&uri).expect("a sound URI");
        Ok((method.to_owned(), uri))
    }

    fn told<'a>(host: &'a str, uri: &'a str) -> [(&'static str, &'a str); 3] {
        [("x-forwarded-method", "GET"), ("x-forwarded-host", host), ("x-forwarded-uri", uri)]
    }

    #[test]
    fn the_one_origin_is_that_of_every_request() {
        let get = |uri: &str| Ok(("GET".to_owned(), uri.to_owned()));
        let one = ["https://api.example"];
        assert_eq!(target(&one, &told("evil.example", "/a?b")), get("https://api.example/a"));
        assert_eq!(target(&one, &told("api.example", "/%7Ea/b%20c")), get("https://api.example/~a/b%20c"));
        assert_eq!(target(&["http://[::1]:8080"], &told("a", "/")), get("http://[::1]:8080/"));
        // Without a proxy the request is its own.
        assert_eq!(target(&one, &[]), Ok(("POST".to_owned(), "https://api.example/own".to_owned())));
        // Nor need the host be told.
        assert_eq!(target(&one, &told("", "/a")[..1]), Err(Unclear::Incomplete));
        let no_host = [("x-original-method", "GET"), ("x-original-uri", "/a")];
        assert_eq!(target(&one, &no_host), get("https://api.example/a"));
        assert_eq!(target(&one, &told("a", "/a/../b")), Err(Unclear::AmbiguousPath));
        assert_eq!(
            target(&one, &[&told("a", "/a")[..], &[("x-original-uri", "/b")]].concat()),
            Err(Unclear::Contradiction)
        );
    }

    #[test]
    fn of_several_origins_the_host_says_which_one_it_is() {
        let several = ["https://api.example", "https://*.app.example:8443", "http://localhost:3000"];
        for (host, origin) in [
            ("api.example", Some("https://api.example")),
            ("API.example:443", Some("https://api.example")),
            ("api.example.", Some("https://api.example")),
            ("a.b.app.example:8443", Some("https://a.b.app.example:8443")),
            ("localhost:3000", Some("http://localhost:3000")),
            ("api.example:8443", None),
            ("a.app.example", None),
            ("app.example:8443", None),
            ("localhost", None),
            ("evil.example", None),
        ] {
            let right = origin.map(|origin| ("GET".to_owned(), format!("{origin}/a")));
            assert_eq!(target(&several, &told(host, "/a")), right.ok_or(Unclear::ForeignOrigin), "{host}");
        }
        assert_eq!(target(&several, &told("a b", "/a")), Err(Unclear::OddHost));
        assert_eq!(
            target(&several, &[("x-original-uri", "/a"), ("x-original-method", "GET")]),
            Err(Unclear::Incomplete)
        );
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for text in [
            "api.example",
            "ftp://api.example",
            "https://",
            "https://api.example/",
            "https://api.example/a",
            "https://api.example?a",
            "https://user@api.example",
            "https://api.example:",
            "https://api.example:65536",
            "https://*",
            "HTTPS://api.example",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
