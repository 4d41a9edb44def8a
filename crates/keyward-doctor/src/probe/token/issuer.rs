//! Whose a token says it is, against those that are configured.

use url::{Host, Url};

use crate::facts::IssuerMatch;
use crate::probe::target::Target;

/// A longer name is nobody's.
const LONGEST: usize = 2048;

/// The issuer that it names to the letter, or the one that it comes nearest to.
pub(super) fn matched(named: Option<&str>, target: &Target) -> IssuerMatch {
    let Some(named) = named else {
        return IssuerMatch::Absent;
    };
    let mut nearest: Option<(&str, Vec<String>)> = None;
    for issuer in &target.issuers {
        let policy = &issuer.settings.policy;
        if *policy.issuer == *named {
            return IssuerMatch::Exact(policy.name.to_string());
        }
        let Some(differs_in) = differences(&policy.issuer, named) else {
            continue;
        };
        if nearest.as_ref().is_none_or(|(_, least)| weight(&differs_in) < weight(least)) {
            nearest = Some((&policy.name, differs_in));
        }
    }
    match nearest {
        Some((name, differs_in)) => IssuerMatch::Near { name: name.to_owned(), differs_in },
        None => IssuerMatch::Unknown,
    }
}

/// Another host is further away than all else.
fn weight(differs_in: &[String]) -> usize {
    differs_in.iter().map(|part| if part == "host" { 10 } else { 1 }).sum()
}

/// Where two issuers differ that may be meant to be one, or to be two environments of one provider; none where they have
/// nothing to do with each other.
fn differences(ours: &str, named: &str) -> Option<Vec<String>> {
    if named.len() > LONGEST {
        return None;
    }
    if ours.eq_ignore_ascii_case(named) {
        return Some(vec!["case".to_owned()]);
    }
    if ours.trim_end_matches('/') == named.trim_end_matches('/') {
        return Some(vec!["trailing_slash".to_owned()]);
    }
    // Some providers write the host alone.
    let read = |text: &str| Url::parse(text).or_else(|_| Url::parse(&format!("https://{text}"))).ok();
    let (a, b) = (read(ours)?, read(named)?);
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let is_same_host = a.host() == b.host();
    if !is_same_host && !is_neighbour(&a, &b) {
        return None;
    }
    let mut parts = Vec::new();
    let mut differs = |does: bool, part: &str| {
        if does {
            parts.push(part.to_owned());
        }
    };
    differs(a.scheme() != b.scheme() || ours.contains("://") != named.contains("://"), "scheme");
    differs(!is_same_host, "host");
    differs(a.port() != b.port(), "port");
    let (a_path, b_path) = (path(&a), path(&b));
    differs(a_path != b_path && a_path.eq_ignore_ascii_case(&b_path), "case");
    differs(!a_path.eq_ignore_ascii_case(&b_path), "path");
    differs(a_path == b_path && a.path() != b.path(), "trailing_slash");
    if parts.is_empty() {
        // A default port, a percent-encoding: the same address, and not the same text.
        parts.push("spelling".to_owned());
    }
    Some(parts)
}

/// Whether two hosts may be one provider's: names under one domain, or the same path on both.
fn is_neighbour(a: &Url, b: &Url) -> bool {
    let (Some(Host::Domain(ours)), Some(Host::Domain(named))) = (a.host(), b.host()) else {
        return false;
    };
    let domain = |name: &str| name.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    let is_alike = domain(ours).len() == 2 && domain(ours) == domain(named);
    is_alike || (a.path().len() > 1 && a.path() == b.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_two_issuers_is_named() {
        let ours = "https://idp.example.com/realms/main";
        for (named, differs_in) in [
            ("https://idp.example.com/realms/main/", Some("trailing_slash")),
            ("https://IDP.example.com/realms/main", Some("case")),
            ("https://idp.example.com/realms/Main", Some("case")),
            ("http://idp.example.com/realms/main", Some("scheme")),
            ("idp.example.com/realms/main", Some("scheme")),
            ("https://idp.example.com:8443/realms/main", Some("port")),
            ("https://idp.example.com:443/realms/main", Some("spelling")),
            ("https://idp.example.com/realms/staging", Some("path")),
            ("https://staging.example.com/realms/main", Some("host")),
            ("https://idp.example.org/realms/main", Some("host")),
            ("https://staging.example.com/realms/other", Some("host,path")),
            ("https://accounts.google.com", None),
            ("https://idp.example.org/realms/other", None),
            ("", None),
            ("robot", None),
        ] {
            let found = differences(ours, named).map(|parts| parts.join(","));
            assert_eq!(found.as_deref(), differs_in, "{named}");
        }
        assert_eq!(differences(ours, &"x".repeat(3000)), None);
    }
}
