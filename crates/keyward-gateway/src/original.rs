//! The request that a proxy asks about, as its headers describe it.

use std::borrow::Cow;

use http::header::HOST;
use http::{HeaderMap, Method, Request, Uri};

use crate::route::Needs;

/// A request as it came to us.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

/// The request that wants to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its host, without the port and the root's dot.
    pub host: &'a str,
    /// Its path, percent-decoded, without the query.
    pub path: Cow<'a, str>,
}

/// Why it is not clear what a proxy asks about. No route is guessed then: the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// The path may mean another one to the service behind the proxy: it holds a dot segment, an empty
    /// segment, a backslash, a fragment, a control character, one of them percent-encoded, what is no
    /// UTF-8, or parameters of a segment without which another route would be found.
    #[error("the path is ambiguous: it holds a dot segment, an empty segment, an encoded slash or the like")]
    AmbiguousPath,
    /// `X-Forwarded-Uri` and `X-Original-URI` say different things, or one of them comes twice: a client's
    /// own header got through.
    #[error("the proxy passed contradicting headers about the original request's method, host or path")]
    Contradiction,
    /// A trusted proxy's header with the client's certificate comes twice, or holds none.
    #[error(
        "the proxy's header with the client's certificate comes twice, or no certificate can be read from it"
    )]
    ClientCertificate,
    /// The proof of possession is for an address that no `origins` of `[gateway.dpop]` names.
    #[error("the original request's host is none of those that tokens bound to a key are taken for")]
    ForeignOrigin,
    /// A route, or a proof of possession, looks at a part of the request that the proxy did not tell.
    #[error("the proxy does not tell the original request's method, host or path, and it is needed")]
    Incomplete,
    /// The host is no name and no address, such as a list of two.
    #[error("the original request's host is none")]
    OddHost,
    /// The method has small letters, which some services take for capital ones, or is none.
    #[error("the original request's method is none in capital letters")]
    OddMethod,
}

/// The request that wants to pass, as its client wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsWritten<'a> {
    /// Its method.
    pub(crate) method: &'a str,
    /// Its host, with the port where there is one; empty where nobody looks at it.
    pub(crate) host: &'a str,
    /// Its path, encoded as it was, without the query.
    pub(crate) path: &'a str,
}

/// What a proxy's headers say of the original request.
#[derive(Default)]
struct Told<'a> {
    method: Option<&'a str>,
    host: Option<&'a str>,
    uri: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'a> Original<'a> {
    /// The request that `asked` asks about; itself, where no proxy says otherwise.
    ///
    /// # Errors
    /// [`Unclear`], where a route could be chosen by somebody who should not.
    pub fn of(asked: Asked<'a>, needs: Needs) -> Result<Self, Unclear> {
        let AsWritten { method, host, path } = AsWritten::of(asked, needs)?;
        if needs.method && !is_sound_method(method) {
            return Err(Unclear::OddMethod);
        }
        let host = host_name(host);
        if needs.host && host.is_empty() {
            return Err(Unclear::Incomplete);
        }
        if needs.host && !host.bytes().all(is_of_host) {
            return Err(Unclear::OddHost);
        }
        let path = match needs.path {
            true if path.starts_with('/') => plain_path(path).ok_or(Unclear::AmbiguousPath)?,
            true => return Err(Unclear::AmbiguousPath),
            false => path.into(),
        };
        Ok(Self { method, host, path })
    }
}

impl<'a> AsWritten<'a> {
    /// The same as [`Original::of`], before anything is made of it.
    fn of(asked: Asked<'a>, needs: Needs) -> Result<Self, Unclear> {
        let Told { method, host, uri } = Told::read(asked.headers)?;
        let (method, host, target) = if uri.is_some() || method.is_some() {
            let missing = (needs.path && uri.is_none())
                || (needs.method && method.is_none())
                || (needs.host && host.is_none());
            if missing {
                return Err(Unclear::Incomplete);
            }
            (method.unwrap_or_default(), host.unwrap_or_default(), uri.unwrap_or("/"))
        } else {
            let own_host = if needs.host && host.is_none() { own_host(asked)? } else { None };
            (asked.method.as_str(), host.or(own_host).unwrap_or_default(), asked.uri.path())
        };
        Ok(Self { method, host, path: target.split('?').next().unwrap_or_default() })
    }

    /// The request, where it is as clear as a route that looks at these parts of it wants it.
    ///
    /// # Errors
    /// [`Unclear`].
    pub(crate) fn clear(asked: Asked<'a>, needs: Needs) -> Result<Self, Unclear> {
        Original::of(asked, needs)?;
        Self::of(asked, needs)
    }
}

/// The host that the request names in its target or its one `Host` (RFC 9112 §3.2).
fn own_host(asked: Asked<'_>) -> Result<Option<&str>, Unclear> {
    let mut said = asked.uri.authority().map(http::uri::Authority::as_str);
    for value in asked.headers.get_all(HOST) {
        let value = value.to_str().map_err(|_| Unclear::OddHost)?;
        if said.is_some_and(|said| !said.eq_ignore_ascii_case(value)) {
            return Err(Unclear::Contradiction);
        }
        said = Some(value);
    }
    Ok(said)
}

impl<'a> Told<'a> {
    /// Reads the two families of headers by which proxies tell: Traefik's and Caddy's, and that of nginx's
    /// configurations. An error where they disagree or one comes twice with another value.
    fn read(headers: &'a HeaderMap) -> Result<Self, Unclear> {
        let mut told = Self::default();
        // One pass over all headers costs less than to look each of these up.
        for (name, value) in headers {
            let said = match name.as_str() {
                "x-forwarded-method" | "x-original-method" => &mut told.method,
                "x-forwarded-host" | "x-original-host" => &mut told.host,
                "x-forwarded-uri" | "x-original-uri" => &mut told.uri,
                _ => continue,
            };
            let value = value.to_str().map_err(|_| Unclear::Contradiction)?;
            if said.is_some_and(|said| said != value) {
                return Err(Unclear::Contradiction);
            }
            *said = Some(value);
        }
        Ok(told)
    }
}

/// A method that means itself only, whatever the service makes of small letters.
pub(crate) fn is_sound_method(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|octet| octet.is_ascii_uppercase() || octet == b'-')
}

/// The host without port and without the dot of the DNS root, which proxies cut off, too.
fn host_name(host: &str) -> &str {
    host_and_port(host).0
}

/// The same, and the port where one is written.
pub(crate) fn host_and_port(host: &str) -> (&str, Option<&str>) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    };
    (name.strip_suffix('.').unwrap_or(name), port)
}

/// Whether this octet can stand in a name or an address.
pub(crate) fn is_of_host(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._[]:".contains(&octet)
}

/// The path as a service understands it, which is percent-decoded (RFC 3986 §6.2.2.2). None where services
/// differ in what they understand.
pub(crate) fn plain_path(path: &str) -> Option<Cow<'_, str>> {
    let telling = |c: char| matches!(c, '%' | '\\' | '.' | ';' | '#') || c.is_control();
    // Almost every path is plain, and one look tells.
    if !path.contains(telling) && !path.contains("//") {
        return Some(path.into());
    }
    let plain = if path.contains('%') { decoded(path)?.into() } else { Cow::from(path) };
    let odd = |c: char| matches!(c, '\\' | '#') || c.is_control();
    // Where parameters are cut off, "/..;x/" is a dot segment and "/;x/" is an empty one.
    let is_removed = |segment: &str| match segment.split(';').next() {
        Some("." | "..") => true,
        Some("") => !segment.is_empty(),
        _ => false,
    };
    let ambiguous = plain.contains(odd) || plain.contains("//") || plain.split('/').any(is_removed);
    (!ambiguous).then_some(plain)
}

/// None where a slash, a backslash or a percent sign was hidden, or what comes out is no UTF-8.
fn decoded(path: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(path.len());
    let mut parts = path.split('%');
    plain.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (hex, after) = part.split_at_checked(2)?;
        let octet = u8::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'))?;
        if matches!(octet, b'/' | b'\\' | b'%') {
            return None;
        }
        plain.push(octet);
        plain.extend_from_slice(after.as_bytes());
    }
    String::from_utf8(plain).ok()
}

/// The path without the parameters of its segments (RFC 3986 §3.3), as some services read it; none where it
/// has none.
pub(crate) fn without_parameters(path: &str) -> Option<String> {
    path.contains(';').then(|| {
        let bare: Vec<_> = path.split('/').filter_map(|segment| segment.split(';').next()).collect();
        bare.join("/")
    })
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
        let original = Original { method: "POST", host: "own.example", path: "/own".into() };
        assert_eq!(Original::of(Asked::of(&request(&[])), ALL), Ok(original));
    }

    #[test]
    fn either_family_of_headers_tells() {
        let original = Original { method: "GET", host: "app.example", path: "/a/b.c".into() };
        for family in ["x-forwarded", "x-original"] {
            let names = ["method", "host", "uri"].map(|part| format!("{family}-{part}"));
            let [method, host, uri] = names.each_ref().map(String::as_str);
            let request = request(&[(method, "GET"), (host, "app.example:443"), (uri, "/a/b.c?x=//y")]);
            assert_eq!(Original::of(Asked::of(&request), ALL), Ok(original.clone()));
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
            assert_eq!(Original::of(Asked::of(&request(&headers)), ALL), Err(error), "{more:?}");
        }
        assert_eq!(
            Original::of(Asked::of(&request(&[("x-original-uri", "/a")])), ALL),
            Err(Unclear::Incomplete)
        );
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
            "/a%+1",
            "/a%é",
            "/..",
            "/a/.",
            "/..;x/admin",
            "/%2e%2e%3bx/admin",
            "/;x/admin",
            "/a#",
            "/a%23",
            "/a%0a",
            "/a\u{7f}",
            "/%ff",
            "/%c0%ae",
        ] {
            assert_eq!(plain_path(path), None, "{path}");
        }
        for path in ["/", "/a.b/c", "/...", "/a..b", "/.well-known/x", "/é", "/a;x/b", "/a;"] {
            assert_eq!(plain_path(path).as_deref(), Some(path));
        }
        for (path, plain) in [("/a%20b", "/a b"), ("/%C3%A9", "/é"), ("/%61%3Fb%3bx", "/a?b;x")] {
            assert_eq!(plain_path(path).as_deref(), Some(plain));
        }
    }

    #[test]
    fn parameters_are_those_of_each_segment() {
        assert_eq!(without_parameters("/a/b"), None);
        assert_eq!(without_parameters("/a;x=1;y/b;/c").as_deref(), Some("/a/b/c"));
    }
}
