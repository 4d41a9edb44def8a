//! However a path is written: if the service behind the proxy may take it for one that needs a token, no
//! public route answers for it.

use http::{HeaderValue, Request};
use keyward_gateway::Gateway;
use proptest::prelude::*;

use crate::support::{Folder, config};

/// A route without hosts and methods: its path, and whether it is public.
type Table = Vec<(String, bool)>;

/// Every path that some service may read out of `target`. What none does is not among them: a service that
/// decodes nothing knows no other path than the one it was built with.
fn readings(target: &[u8]) -> Vec<Vec<u8>> {
    let before_query = target.split(|octet| *octet == b'?').next().unwrap_or_default();
    let before_fragment = before_query.split(|octet| *octet == b'#').next().unwrap_or_default();
    let mut readings = vec![decoded(before_query), decoded(before_fragment)];
    let each = |readings: &mut Vec<Vec<u8>>, read: fn(&[u8]) -> Vec<u8>| {
        let more: Vec<_> = readings.iter().map(|path| read(path)).collect();
        readings.extend(more);
    };
    each(&mut readings, decoded);
    each(&mut readings, |path| path.iter().map(|b| if *b == b'\\' { b'/' } else { *b }).collect());
    each(&mut readings, with_short_forms);
    each(&mut readings, |path| path.split(|octet| *octet == 0).next().unwrap_or_default().to_vec());
    each(&mut readings, |path| {
        let segments: Vec<_> =
            path.split(|b| *b == b'/').map(|s| s.split(|b| *b == b';').next().unwrap()).collect();
        segments.join(&b'/')
    });
    each(&mut readings, |path| {
        let mut merged = path.to_vec();
        merged.dedup_by(|a, b| *a == b'/' && *b == b'/');
        merged
    });
    each(&mut readings, without_dot_segments);
    readings.sort();
    readings.dedup();
    readings
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let hex = |octet: u8| char::from(octet).to_digit(16).map(|digit| u8::try_from(digit).unwrap());
    let mut plain = Vec::new();
    let mut rest = path;
    loop {
        rest = match rest {
            [] => return plain,
            [b'%', high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                plain.push(hex(*high).unwrap() << 4 | hex(*low).unwrap());
                after
            }
            [octet, after @ ..] => {
                plain.push(*octet);
                after
            }
        };
    }
}

/// Overlong UTF-8, as old services take it.
fn with_short_forms(path: &[u8]) -> Vec<u8> {
    let mut short = Vec::new();
    let mut rest = path;
    loop {
        rest = match rest {
            [] => return short,
            [0xc0, low @ 0x80..=0xbf, after @ ..] => {
                short.push(low & 0x3f);
                after
            }
            [octet, after @ ..] => {
                short.push(*octet);
                after
            }
        };
    }
}

/// RFC 3986 §5.2.4.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<_> = path.split(|octet| *octet == b'/').skip(1).collect();
    for (place, segment) in segments.iter().enumerate() {
        let last = place + 1 == segments.len();
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    kept.pop();
                }
                if last {
                    kept.push(b"");
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.iter().flat_map(|segment| [&b"/"[..], segment].concat()).collect()
}

/// Whether a public route is for this path, told by the tables' meaning alone.
fn is_public(table: &Table, path: &[u8]) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('/') {
        Some(above) => path.starts_with(pattern.as_bytes()) || path == above.as_bytes(),
        None => path == pattern.as_bytes(),
    };
    table.iter().find(|(pattern, _)| pattern == "*" || matches(pattern)).is_some_and(|(_, public)| *public)
}

fn written(table: &Table) -> String {
    let route = |(pattern, public): &(String, bool)| {
        let access = if *public { "public" } else { "required" };
        let paths = if pattern == "*" { String::new() } else { format!("paths = [{pattern:?}]") };
        format!("[[route]]\naccess = \"{access}\"\n{paths}\n")
    };
    config(&table.iter().map(route).collect::<String>())
}

const PATTERNS: [&str; 12] = [
    "/",
    "/admin",
    "/admin/",
    "/admin/keys",
    "/admin/keys/",
    "/public",
    "/public/",
    "/public/admin/",
    "/a/",
    "/a.b/",
    "/é/",
    "*",
];

const PIECES: [&str; 44] = [
    "/",
    "/",
    "/",
    "admin",
    "admin",
    "keys",
    "public",
    "public",
    "a",
    "a.b",
    "é",
    "%c3%a9",
    "%C3%A9",
    ".",
    "..",
    "...",
    "%2e",
    "%2E%2e",
    ".%2e",
    "%2f",
    "%2F",
    "%5c",
    "\\",
    "%25",
    "%252e",
    "%252f",
    "%25%32%66",
    "%61dmin",
    "%61",
    "%70ublic",
    ";",
    ";x=1",
    "%3b",
    "%3B..",
    "%00",
    "//",
    "?",
    "#",
    "%",
    "%zz",
    "%c0%af",
    "%c0%ae",
    "%20",
    "%3f",
];

fn table() -> impl Strategy<Value = Table> {
    let route = (prop::sample::select(&PATTERNS[..]).prop_map(str::to_owned), any::<bool>());
    prop::collection::vec(route, 1..6)
}

fn target() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..10);
    pieces.prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// The status that a request for `target` without a token gets.
async fn status(gateway: &Gateway, header: &str, target: &str) -> u16 {
    let request =
        Request::builder().uri("/").header(header, HeaderValue::from_bytes(target.as_bytes()).unwrap());
    gateway.answer(request.body(()).unwrap()).await.status().as_u16()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_public_route_answers_for_a_path_that_may_need_a_token(
        table in table(),
        targets in prop::collection::vec(target(), 64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = Folder::new();
            let gateway = Gateway::bind(folder.parse(&written(&table)).unwrap()).await.unwrap();
            for target in &targets {
                let status = status(&gateway, "x-forwarded-uri", target).await;
                prop_assert!(matches!(status, 200 | 400 | 401), "{target}: {status}");
                let readings = readings(target.as_bytes());
                if status == 200 {
                    for reading in &readings {
                        let text = String::from_utf8_lossy(reading);
                        prop_assert!(is_public(&table, reading), "{target} may be read as {text}");
                    }
                }
                // What can be read in one way only is never refused for being unclear.
                let plain = target.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'/');
                if plain && !target.contains("//") {
                    let expected = if is_public(&table, target.as_bytes()) { 200 } else { 401 };
                    prop_assert_eq!(status, expected, "{}", target);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn known_ways_around_a_prefix() {
    let folder = Folder::new();
    let table: Table = vec![("/admin/".to_owned(), false), ("*".to_owned(), true)];
    let gateway = Gateway::bind(folder.parse(&written(&table)).unwrap()).await.unwrap();
    for (target, expected) in [
        ("/public", 200),
        ("/public?/../admin", 200),
        ("/f%C3%B6%20o", 200),
        ("/app;jsessionid=1", 200),
        ("/app;v=1/x", 200),
        ("/...", 200),
        ("/administrators", 200),
        ("/admin", 401),
        ("/admin?x", 401),
        // What a service decodes for itself.
        ("/%61dmin/", 401),
        ("/adm%69n", 401),
        ("/%61%64%6D%69%6e/x", 401),
        // Parameters, which Tomcat and others cut off each segment.
        ("/admin;x/keys", 400),
        ("/admin;x", 400),
        ("/admin%3bx/keys", 400),
        ("/public/..;/admin", 400),
        ("/public/..%3b/admin", 400),
        ("/;/admin/", 400),
        ("/.;x/admin/", 400),
        // A fragment, which some cut and others do not.
        ("/public#/../admin/", 400),
        ("/public#", 400),
        ("/public/%c0%ae%c0%ae/admin", 400),
        ("/%ff", 400),
        ("/a%0d%0ab", 400),
        ("/public/../admin/", 400),
        ("//admin/", 400),
        ("admin/", 400),
        ("", 400),
        ("http://app.example/public", 400),
    ] {
        for header in ["x-forwarded-uri", "x-original-uri"] {
            assert_eq!(status(&gateway, header, target).await, expected, "{target}");
        }
    }
}
