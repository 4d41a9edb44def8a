//! The request that a proxy asks about, as its headers describe it.

use http::{HeaderMap, Method, Request};

use crate::route::Needs;

/// The request that wants to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its host, without the port.
    pub host: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
}

/// Why it is not clear what a proxy asks about. No route is guessed then: the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// The path may mean another one to the service behind the proxy: it holds a dot segment, an empty
    /// segment, a backslash, or one of them percent-encoded.
    #[error("the path is ambiguous: it holds a dot segment, an empty segment or an encoded slash")]
    AmbiguousPath,
    /// `X-Forwarded-Uri` and `X-Original-URI` say different things, or one of them comes twice: a client's
    /// own header got through.
    #[error("the proxy passed contradicting headers about the original request")]
    Contradiction,
    /// A route looks at a part of the request that the proxy did not tell.
    #[error("the proxy does not tell the original request's method, host or path, and a route needs it")]
    Incomplete,
}

/// The two families of headers by which proxies tell.
struct Family {
    method: &'static str,
    host: &'static str,
    uri: &'static str,
}

/// What Traefik and Caddy send.
const FORWARDED: Family =
    Family { method: "x-forwarded-method", host: "x-forwarded-host", uri: "x-forwarded-uri" };

/// What nginx's configurations send.
const ORIGINAL: Family =
    Family { method: "x-original-method", host: "x-original-host", uri: "x-original-uri" };

impl<'a> Original<'a> {
    /// The request that `request` asks about; itself, where no proxy says otherwise.
    ///
    /// # Errors
    /// [`Unclear`], where a route could be chosen by somebody who should not.
    pub fn of<B>(request: &'a Request<B>, needs: Needs) -> Result<Self, Unclear> {
        let headers = request.headers();
        let uri = told(headers, |family| family.uri)?;
        let method = told(headers, |family| family.method)?;
        let host = told(headers, |family| family.host)?;
        let original = if uri.is_some() || method.is_some() {
            let missing = (needs.path && uri.is_none())
                || (needs.method && method.is_none())
                || (needs.host && host.is_none());
            if missing {
                return Err(Unclear::Incomplete);
            }
            Self {
                method: method.unwrap_or_default(),
                host: host.unwrap_or_default(),
                path: uri.unwrap_or("/"),
            }
        } else {
            let own_host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
            let host = host.or(own_host).unwrap_or_default();
            Self { method: method_name(request.method()), host, path: request.uri().path() }
        };
        let path = original.path.split(['?', '#']).next().unwrap_or_default();
        if needs.path && (!path.starts_with('/') || is_ambiguous(path)) {
            return Err(Unclear::AmbiguousPath);
        }
        Ok(Self { host: without_port(original.host), path, ..original })
    }
}

/// What the headers of both families say; an error where they disagree or one comes twice.
fn told(headers: &HeaderMap, name: fn(&Family) -> &'static str) -> Result<Option<&str>, Unclear> {
    let mut said = None;
    for family in [&FORWARDED, &ORIGINAL] {
        for value in headers.get_all(name(family)) {
            let value = value.to_str().map_err(|_| Unclear::Contradiction)?;
            if said.is_some_and(|said| said != value) {
                return Err(Unclear::Contradiction);
            }
            said = Some(value);
        }
    }
    Ok(said)
}

fn method_name(method: &Method) -> &str {
    method.as_str()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a server behind the proxy may read another path out of this one than we do.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    // Almost every path is plain, and one look tells.
    if !path.contains(['%', '\\', '.']) && !path.contains("//") {
        return false;
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            // A slash, a backslash, a NUL or a second percent sign, hidden from us.
            Some(b'/' | b'\\' | b'%' | 0) | None => return true,
            Some(octet) => plain.push(char::from(octet)),
        }
        rest = after.get(2..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain.contains(['\\', '\0'])
        || plain.contains("//")
        || plain.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Needs = Needs { host: true, path: true, method: true };

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().method("POST").uri("/own?q").header("host", "own.example:8080");
        headers.iter().fold(builder, |b, (name, value)| b.header(*name, *value)).body(()).expect("a request")
    }

    #[test]
    fn without_a_proxy_the_request_is_its_own_original() {
        let original = Original { method: "POST", host: "own.example", path: "/own" };
        assert_eq!(Original::of(&request(&[]), ALL), Ok(original));
    }

    #[test]
    fn either_family_of_headers_tells() {
        let original = Original { method: "GET", host: "app.example", path: "/a/b.c" };
        for family in ["x-forwarded", "x-original"] {
            let names = ["method", "host", "uri"].map(|part| format!("{family}-{part}"));
            let [method, host, uri] = names.each_ref().map(String::as_str);
            let request = request(&[(method, "GET"), (host, "app.example:443"), (uri, "/a/b.c?x=//y")]);
            assert_eq!(Original::of(&request, ALL), Ok(original));
        }
    }

    #[test]
    fn no_client_chooses_its_route() {
        let forwarded = [("x-forwarded-method", "GET"), ("x-forwarded-host", "a"), ("x-forwarded-uri", "/a")];
        for (more, error) in [
            (("x-original-uri", "/public"), Unclear::Contradiction),
            (("x-forwarded-uri", "/public"), Unclear::Contradiction),
            (("x-original-method", "HEAD"), Unclear::Contradiction),
            (("x-original-host", "b"), Unclear::Contradiction),
        ] {
            let headers = [&forwarded[..], &[more]].concat();
            assert_eq!(Original::of(&request(&headers), ALL), Err(error), "{more:?}");
        }
        assert_eq!(Original::of(&request(&[("x-original-uri", "/a")]), ALL), Err(Unclear::Incomplete));
    }

    #[test]
    fn a_path_with_two_readings_is_refused() {
        for path in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/.%2E/admin",
            "/public/..%2fadmin",
            "/public/..\\admin",
            "/public/%5c..",
            "//admin",
            "/./admin",
            "/a%00",
            "/a%2fb",
            "/a%252e",
            "/a%zz",
            "/a%2",
            "/..",
            "/a/.",
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
        for path in ["/", "/a.b/c", "/...", "/a..b", "/.well-known/x", "/a%20b", "/%C3%A9"] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }
}
