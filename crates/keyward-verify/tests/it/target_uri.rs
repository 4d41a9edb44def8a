//! The one spelling of a URI that proofs are compared by.

use keyward_verify::binding::normalized;
use proptest::prelude::*;

#[test]
fn spellings_of_the_same_uri_are_one() {
    for (uri, one) in [
        // Case, port, empty path (RFC 3986 §6.2.2.1, §6.2.3).
        ("https://api.example/a", "https://api.example/a"),
        ("HTTPS://API.Example:443/a", "https://api.example/a"),
        ("https://api.example:0443/a", "https://api.example/a"),
        ("https://api.example:/a", "https://api.example/a"),
        ("https://api.example:80/a", "https://api.example:80/a"),
        ("http://api.example:80", "http://api.example/"),
        ("http://api.example:443", "http://api.example:443/"),
        ("https://api.example", "https://api.example/"),
        ("https://[2001:DB8:0::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://192.0.2.1/a", "https://192.0.2.1/a"),
        // Query and fragment are no part of it.
        ("https://api.example/a?b=c#d", "https://api.example/a"),
        ("https://api.example?b=/c", "https://api.example/"),
        ("https://api.example#d?e", "https://api.example/"),
        ("https://api.example/?", "https://api.example/"),
        // Percent-encoding (§6.2.2.2).
        ("https://api.example/%7eal%69ce/%c3%a9", "https://api.example/~alice/%C3%A9"),
        ("https://api.example/é", "https://api.example/%C3%A9"),
        ("https://api.example/a%2fb", "https://api.example/a%2Fb"),
        ("https://api.example/a%3Fb%23c%25", "https://api.example/a%3Fb%23c%25"),
        ("https://api.example/a|b\"<>^`{}", "https://api.example/a%7Cb%22%3C%3E%5E%60%7B%7D"),
        ("https://api.example/!$&'()*+,;=:@", "https://api.example/!$&'()*+,;=:@"),
        ("https://%41pi.example/", "https://api.example/"),
        ("https://a%e9.example/", "https://a%E9.example/"),
        // Dot segments (§6.2.2.3, §5.2.4).
        ("https://api.example/a/b/c/./../../g", "https://api.example/a/g"),
        ("https://api.example/..", "https://api.example/"),
        ("https://api.example/../../a/", "https://api.example/a/"),
        ("https://api.example/a/.", "https://api.example/a/"),
        ("https://api.example/a/b/..", "https://api.example/a/"),
        ("https://api.example/a/%2e%2E/b", "https://api.example/b"),
        ("https://api.example/a/%2e/b", "https://api.example/a/b"),
        ("https://api.example//a//b/", "https://api.example//a//b/"),
        ("https://api.example/a//../b", "https://api.example/a/b"),
        ("https://api.example/.../.a/a.", "https://api.example/.../.a/a."),
    ] {
        assert_eq!(normalized(uri).as_deref(), Some(one), "{uri}");
    }
}

#[test]
fn what_differs_stays_different() {
    let all = [
        "https://api.example/a",
        "http://api.example/a",
        "https://api.example/A",
        "https://api.example/a/",
        "https://api.example//a",
        "https://api.example/a%2F",
        "https://api.example./a",
        "https://api.example:8443/a",
        "https://api.example.org/a",
    ];
    let mut normal: Vec<_> = all.iter().map(|uri| normalized(uri).unwrap()).collect();
    normal.sort();
    normal.dedup();
    assert_eq!(normal.len(), all.len());
}

#[test]
fn what_is_no_uri_of_a_request_has_no_spelling() {
    for uri in [
        "",
        "/",
        "/a",
        "a",
        "//api.example/a",
        "https:",
        "https:/api.example/a",
        "https://",
        "https:///a",
        "https://:443/a",
        "ftp://api.example/a",
        "wss://api.example/a",
        "javascript:alert(1)",
        " https://api.example/a",
        "https://api.example/a b",
        "https://api.example/a\n",
        "https://api.example/a\0",
        "https://api.example\\a",
        "https://api.example/a\\b",
        "https://user@api.example/a",
        "https://user:secret@api.example/a",
        "https://api.example@evil.example/a",
        "https://api.example:65536/a",
        "https://api.example:+80/a",
        "https://api.example:-1/a",
        "https://api.example:a/a",
        "https://api.example:80:80/a",
        "https://api.exämple/a",
        "https://api example/a",
        "https://[::1/a",
        "https://::1/a",
        "https://[::1]x/a",
        "https://[v1.x]/a",
        "https://[fe80::1%25eth0]/a",
        "https://api.example/%",
        "https://api.example/%4",
        "https://api.example/%4g",
        "https://api.example/%%41",
        "https://api%/a",
    ] {
        assert_eq!(normalized(uri), None, "{uri:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_normal_form_is_its_own(
        scheme in "(https?|HTTPS?)",
        host in "([a-zA-Z0-9.-]{1,8}|%[0-9a-f]{2}|\\[::[0-9A-F]{0,4}\\])",
        port in "(:[0-9]{0,5})?",
        path in "(/([a-zA-Z.~!|%é]|\\.|\\.\\.|%2[eEfF5]|%[0-9A-Fa-f]{2}){0,6}){0,5}",
        rest in "([?#].{0,5})?",
    ) {
        let uri = format!("{scheme}://{host}{port}{path}{rest}");
        if let Some(normal) = normalized(&uri) {
            prop_assert_eq!(normalized(&normal), Some(normal.clone()), "{}", uri);
            let (_, path) = normal.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap();
            prop_assert!(normal.is_ascii() && path.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }

    #[test]
    fn no_text_is_too_strange(uri in any::<String>(), path in any::<String>()) {
        let _ = normalized(&uri);
        if let Some(normal) = normalized(&format!("https://api.example/{path}")) {
            prop_assert!(normal.starts_with("https://api.example/"));
            prop_assert_eq!(normalized(&normal), Some(normal.clone()));
        }
    }
}
