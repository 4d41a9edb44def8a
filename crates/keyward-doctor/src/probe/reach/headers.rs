//! Those headers of an answer that say who answered and for how long it is good, each in a form that has no place for a secret.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::LOCATION;
use keyward::fetch::shown;
use url::Url;

/// The most characters of one header.
const LONGEST: usize = 120;

/// What is told of a header, where it says something that can be.
type Read = fn(&str) -> Option<String>;

/// The headers that are told, and how each is read.
const TOLD: [(&str, Read); 9] = [
    ("age", number),
    ("cache-control", directives),
    ("content-type", media_type),
    ("date", date),
    ("expires", date),
    ("retry-after", |text| number(text).or_else(|| date(text))),
    ("server", names),
    ("via", names),
    ("x-cache", names),
];

/// What is told of `headers`, which `url` answered.
pub(super) fn told(url: &Url, headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let read = |(name, read): (&str, Read)| Some((name.to_owned(), read(text(name)?)?));
    let mut told: BTreeMap<_, _> = TOLD.into_iter().filter_map(read).collect();
    if let Some(target) = text(LOCATION.as_str()).and_then(|location| url.join(location).ok()) {
        told.insert("location".to_owned(), shown(&target).as_str().chars().take(2 * LONGEST).collect());
    }
    told
}

fn number(text: &str) -> Option<String> {
    text.parse().ok().map(|number: u64| number.to_string())
}

/// A date as HTTP writes it. `Expires: 0` and `-1` are common, and mean that it is over.
fn date(text: &str) -> Option<String> {
    let is_past = matches!(text, "0" | "-1");
    (is_past || httpdate::parse_http_date(text).is_ok()).then(|| text.to_owned())
}

/// The media type without its parameters.
fn media_type(text: &str) -> Option<String> {
    let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_one = |letter: char| letter.is_ascii_alphanumeric() || "/+-.".contains(letter);
    (!name.is_empty() && name.len() <= LONGEST && name.chars().all(is_one)).then_some(name)
}

/// The directives of RFC 9111 §5.2 and RFC 5861 that are known; others may say anything.
fn directives(text: &str) -> Option<String> {
    const WITH_SECONDS: [&str; 4] = ["max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"];
    const ALONE: [&str; 8] = [
        "immutable",
        "must-revalidate",
        "must-understand",
        "no-cache",
        "no-store",
        "no-transform",
        "private",
        "public",
    ];
    let known = |directive: &str| {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.split_once('=') {
            Some((name, seconds)) if WITH_SECONDS.contains(&name.trim()) => {
                Some(format!("{}={}", name.trim(), number(seconds.trim().trim_matches('"'))?))
            }
            Some(_) => None,
            None => ALONE.contains(&directive.as_str()).then_some(directive),
        }
    };
    let known: Vec<_> = text.split(',').take(16).filter_map(known).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// Products and hosts (RFC 9110 §7.6.3, §10.2.4): words of a few letters, of which none is as long as a secret.
fn names(text: &str) -> Option<String> {
    const WORD: usize = 40;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/.-_:,()".contains(letter);
    let words = text.split_ascii_whitespace().take(8);
    let words: Vec<_> = words.filter(|word| word.len() <= WORD && word.chars().all(is_plain)).collect();
    let text = words.join(" ");
    (!text.is_empty()).then(|| text.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn told_of(headers: &[(&'static str, &'static str)]) -> BTreeMap<String, String> {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let url = Url::parse("https://user:planted@idp.example/jwks?key=planted").expect("a URL");
        told(&url, &headers.iter().map(header).collect())
    }

    #[test]
    fn headers_are_told_in_a_form_that_holds_no_secret() {
        let told = told_of(&[
            ("age", "12"),
            ("cache-control", "Public, max-age=\"300\", x-key=planted, planted"),
            ("content-type", "Application/JSON; key=planted"),
            ("location", "//user:planted@idp.example/other?key=planted#planted"),
            ("retry-after", "30"),
            ("server", "nginx/1.27.1 (planted=secret)"),
            ("set-cookie", "session=planted"),
            ("via", "1.1 varnish, 1.1 cache.example:8080"),
            ("www-authenticate", "Bearer planted"),
        ]);
        let told: Vec<_> = told.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            told,
            [
                "age: 12",
                "cache-control: public, max-age=300",
                "content-type: application/json",
                "location: https://idp.example/other",
                "retry-after: 30",
                "server: nginx/1.27.1",
                "via: 1.1 varnish, 1.1 cache.example:8080",
            ]
        );
    }

    #[test]
    fn what_is_no_date_and_no_number_is_not_told() {
        assert!(told_of(&[("age", "planted"), ("date", "planted"), ("retry-after", "soon")]).is_empty());
        let told = told_of(&[("expires", "0"), ("date", "Sat, 21 Nov 2026 17:10:00 GMT")]);
        assert_eq!(told.len(), 2);
    }
}
