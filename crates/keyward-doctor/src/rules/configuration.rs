//! What is configured, against what the provider says of itself and what the gateway runs on.

use std::collections::BTreeSet;

use keyward::address::{AddressClass, AllowedHost, is_acceptable};
use url::{Host, Url};

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Configured, Facts, GatewayIssuer, IssuerFacts};

use super::counts::Counts;
use super::found::Found;
use super::held;
use super::words::{listed, several};

pub(super) fn look(facts: &Facts, found: &mut Found) {
    warnings(&facts.warnings, found);
    refused(facts, found);
    for issuer in &facts.issuers {
        key_set_address(issuer, found);
        named_otherwise(facts, issuer, found);
        named_address(issuer, found);
    }
    outdated(facts, found);
}

/// What can be used, and should not stay.
fn warnings(warnings: &[String], found: &mut Found) {
    let Some(first) = warnings.first() else { return };
    let cause = match warnings.len() {
        1 => first.clone(),
        count => format!("the configuration has {}; the first: {first}", several(count, "warning")),
    };
    found.add(
        Finding::new(Code::ConfigurationWarning, cause)
            .seen_all(warnings)
            .certain()
            .run("See them all, with their lines", ["keyward", "config", "check", "keyward.toml"]),
    );
}

/// A new configuration that the gateway did not take.
fn refused(facts: &Facts, found: &mut Found) {
    let transitions = held::recorder(facts).into_iter().flat_map(|recorder| &recorder.transitions);
    // The last first: that one says what it runs on.
    let last = transitions
        .into_iter()
        .find(|transition| matches!(transition.event.as_str(), "config_refused" | "config_reloaded"));
    if let Some(last) = last.filter(|last| last.event == "config_refused") {
        found.add(
            Finding::new(
                Code::ConfigurationRefused,
                "the gateway refused its new configuration and runs on the old one",
            )
            .seen(format!("gateway: config_refused at {}", last.at))
            .certain()
            .run("See what is wrong, with its line", ["keyward", "config", "check", "keyward.toml"])
            .run("and once it is mended, have it read again", ["systemctl", "reload", "keyward"]),
        );
    }
}

/// The keys are elsewhere than where they are looked for.
fn key_set_address(issuer: &IssuerFacts, found: &mut Found) {
    let Some(set) = issuer.key_set.as_ref().filter(|set| set.answers.is_empty() && set.reach.is_some())
    else {
        return;
    };
    let configured = &issuer.configured;
    let there = set.elsewhere.iter().find(|place| place.usable_keys.is_some_and(|keys| keys > 0));
    let named = issuer.discovery.as_ref().and_then(|discovery| discovery.jwks_uri.as_ref());
    let named = named.filter(|uri| !configured.discovers && **uri != set.place);
    let is_named = there.is_some_and(|place| Some(&place.url) == named);
    let (url, finding) = match (there, named) {
        (Some(place), _) => {
            let keys = several(place.usable_keys.unwrap_or(0), "usable key");
            let cause = format!("the key set is not at {} but at {}", set.place, place.url);
            let finding =
                Finding::new(Code::KeySetAddressWrong, cause).seen(format!("{} has {keys}", place.url));
            (
                &place.url,
                if is_named || configured.key_source.is_some() {
                    finding.certain()
                } else {
                    finding.likely()
                },
            )
        }
        (None, Some(uri)) => {
            let cause = format!(
                "the key set is looked for at {}, and the provider says that it is at {uri}",
                set.place
            );
            (uri, Finding::new(Code::KeySetAddressWrong, cause).likely())
        }
        (None, None) => return,
    };
    let trouble = set.trouble.as_deref().unwrap_or("no key set is there");
    found.add(
        finding
            .of(&configured.name)
            .seen(format!("{}: {trouble}", set.place))
            .seen_all(set.elsewhere.iter().map(|place| match (place.usable_keys, place.status) {
                (Some(keys), _) => format!("{}: {}", place.url, several(keys, "usable key")),
                (None, Some(status)) => format!("{}: answers {status}, no key set", place.url),
                (None, None) => format!("{}: does not answer", place.url),
            }))
            .seen_all(named.map(|uri| format!("discovery: jwks_uri is {uri}")))
            .run("See that the keys are there", ["curl", "-sS", "-g", "--max-time", "10", "--url", url])
            .step(format!(
                "Set jwks_uri = {url:?} of this [[issuer]], or leave it out where the provider has discovery"
            ))
            .run("Check the file, then have it read", ["keyward", "config", "check", "keyward.toml"]),
    );
}

/// The issuer, to the letter.
fn named_otherwise(facts: &Facts, issuer: &IssuerFacts, found: &mut Found) {
    let configured = &issuer.configured;
    let Some((said, discovery)) =
        issuer.discovery.as_ref().and_then(|discovery| Some((discovery.issuer.as_ref()?, discovery)))
    else {
        return;
    };
    // A document for several tenants says {tenantid}, and each token says which.
    if said.contains('{') {
        return;
    }
    if *said == configured.issuer {
        found.healthy(
            configured.name.as_str(),
            format!("the provider calls itself as it is configured: {said}"),
        );
        return;
    }
    let accepts = Counts::of(facts).is_some_and(|counts| counts.accepted() > 0);
    if !configured.discovers && accepts {
        return;
    }
    let differs = differences(&configured.issuer, said);
    let cause = format!(
        "the provider calls itself {said:?}, and {:?} is configured: another {}",
        configured.issuer,
        listed(&differs)
    );
    let finding = Finding::new(Code::IssuerMismatch, cause)
        .of(&configured.name)
        .seen(format!("GET {}: \"issuer\": {said:?}", discovery.reach.url))
        .seen(format!("configured: issuer = {:?}", configured.issuer))
        .step(format!("If that is the provider that you mean, set issuer = {said:?}: tokens say it to the letter"))
        .step("If the provider says the wrong thing (a proxy before it that it does not know of), mend its external address")
        .run("Check the file, then have it read", ["keyward", "config", "check", "keyward.toml"]);
    found.add(if configured.discovers { finding.certain() } else { finding.likely() });
}

/// Where two issuers differ: `case`, `host`, `path`, `port`, `scheme`, `trailing slash`, or `spelling` where no part does.
fn differences(configured: &str, said: &str) -> Vec<&'static str> {
    let bare = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    if bare(configured) == bare(said) {
        return vec!["trailing slash"];
    }
    if configured.eq_ignore_ascii_case(said) {
        return vec!["case"];
    }
    let (Ok(one), Ok(other)) = (Url::parse(configured), Url::parse(said)) else { return vec!["spelling"] };
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let parts = [
        ("scheme", one.scheme() == other.scheme()),
        ("host", one.host() == other.host()),
        ("port", one.port() == other.port()),
        ("path", path(&one) == path(&other)),
    ];
    let differing: Vec<_> = parts.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect();
    if differing.is_empty() { vec!["spelling"] } else { differing }
}

/// Where discovery says that the keys are, and whether anybody may fetch them there.
fn named_address(issuer: &IssuerFacts, found: &mut Found) {
    let configured = &issuer.configured;
    let document = issuer.discovery.as_ref().filter(|_| configured.discovers);
    let Some((discovery, uri)) =
        document.and_then(|discovery| Some((discovery, discovery.jwks_uri.as_ref()?)))
    else {
        return;
    };
    let (Ok(keys), Ok(own)) = (Url::parse(uri), Url::parse(&configured.issuer)) else { return };
    let evidence = format!("GET {}: \"jwks_uri\": {uri:?}", discovery.reach.url);
    if !is_acceptable(&keys) {
        found.add(
            Finding::new(Code::AddressInsecure, format!("the provider says that its keys are at {uri}, without TLS: whoever is between chooses them"))
                .of(&configured.name)
                .seen(evidence)
                .certain()
                .step("Have the provider say its https address (its external URL, or X-Forwarded-Proto of the proxy before it)"),
        );
        return;
    }
    let is_allowed = configured
        .allowed_hosts
        .iter()
        .filter_map(|host| host.parse::<AllowedHost>().ok())
        .any(|host| host.covers(&keys));
    if keys.host() == own.host() || is_allowed {
        return;
    }
    if let Some(class) = class(&keys) {
        let cause =
            format!("the provider says that its keys are at {uri}, which is {class}: nobody is asked there");
        let ask = "Ask whoever runs the provider how that came into the document: it may have been changed";
        found.add(
            Finding::new(Code::AddressForbidden, cause)
                .of(&configured.name)
                .seen(evidence)
                .certain()
                .step(ask),
        );
        return;
    }
    let host = keys.host_str().unwrap_or_default();
    found.add(
        Finding::new(
            Code::HostForeign,
            format!("the provider says that its keys are on another host, {host}, and that is not followed"),
        )
        .of(&configured.name)
        .seen(evidence)
        .seen(format!("the issuer is {}", configured.issuer))
        .seen(format!(
            "allow_hosts: {}",
            if configured.allowed_hosts.is_empty() {
                "none".to_owned()
            } else {
                listed(&configured.allowed_hosts)
            }
        ))
        .certain()
        .step(format!(
            "If that host is the provider's, allow it: allow_hosts = [{host:?}] of this [[issuer]]"
        ))
        .step("If it is not, somebody may have changed the document: ask whoever runs the provider first"),
    );
}

/// What an address is that no provider has, where it names one itself.
fn class(url: &Url) -> Option<AddressClass> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => AddressClass::of(address.into()),
        Host::Ipv6(address) => AddressClass::of(address.into()),
    }
}

/// What the gateway runs on, against the file.
fn outdated(facts: &Facts, found: &mut Found) {
    let Some(held) = held::held(facts) else { return };
    let of_file: Vec<&Configured> = facts
        .issuers
        .iter()
        .map(|issuer| &issuer.configured)
        .filter(|configured| configured.from_file)
        .collect();
    let mut differs: Vec<String> =
        of_file.iter().flat_map(|configured| differing(configured, held)).collect();
    if !of_file.is_empty() {
        let unknown =
            held.iter().filter(|held| !of_file.iter().any(|configured| configured.name == held.name));
        differs.extend(
            unknown.map(|held| format!("the gateway has issuer {}, and the file does not", held.name)),
        );
    }
    if of_file.is_empty() {
        return;
    }
    if differs.is_empty() {
        found.healthy(None, "the gateway runs on what the file says of its issuers");
        return;
    }
    found.add(
        Finding::new(
            Code::ConfigurationOutdated,
            format!(
                "the gateway runs on another configuration than the file: {}",
                listed(differs.iter().take(2))
            ),
        )
        .seen_all(differs)
        .likely()
        .run("See whether the file can be used", ["keyward", "config", "check", "keyward.toml"])
        .run("Have it read again", ["systemctl", "reload", "keyward"])
        .step("Or this is not the file that the gateway reads: see its command line"),
    );
}

fn differing(configured: &Configured, held: &[GatewayIssuer]) -> Vec<String> {
    let name = &configured.name;
    let Some(held) = held.iter().find(|held| held.name == *name) else {
        return vec![format!("the file has issuer {name}, and the gateway does not")];
    };
    let mut differs = Vec::new();
    if held.issuer != configured.issuer {
        differs.push(format!(
            "{name}: issuer is {:?} in the file and {:?} in the gateway",
            configured.issuer, held.issuer
        ));
    }
    let denied = |kids: &[String]| kids.iter().cloned().collect::<BTreeSet<_>>();
    if denied(&held.denied_kids) != denied(&configured.denied_kids) {
        differs.push(format!("{name}: other keys are denied in the file than in the gateway"));
    }
    if held.wrapper_policy != configured.wrapper_policy {
        differs.push(format!(
            "{name}: wrapper.policy is {} in the file and {} in the gateway",
            configured.wrapper_policy, held.wrapper_policy
        ));
    }
    differs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Certainty;
    use crate::facts::{Elsewhere, Ended};
    use crate::rules::fixture::{answer, changed, counted, first, found, with};

    #[test]
    fn a_key_set_that_is_elsewhere_is_named_with_the_address_where_it_is() {
        let facts = with(|facts| {
            facts.all_end(&Ended::Answered(answer(404)));
            facts.only().configured.discovers = false;
            facts.only().configured.key_source =
                Some("https://idp.example/rest/v1/.well-known/jwks.json".to_owned());
            facts.keys().place = "https://idp.example/rest/v1/.well-known/jwks.json".to_owned();
            let url = "https://idp.example/auth/v1/.well-known/jwks.json".to_owned();
            facts.keys().elsewhere = vec![Elsewhere { url, status: Some(200), usable_keys: Some(2) }];
            facts.gateway_fails("status", "stale");
        });
        assert_eq!(found(&facts), "KW4101(KW1111 KW1301)");
        let finding = first(&facts);
        assert_eq!(finding.certainty, Certainty::Certain);
        assert_eq!(
            finding.cause,
            "the key set is not at https://idp.example/rest/v1/.well-known/jwks.json but at https://idp.example/auth/v1/.well-known/jwks.json"
        );
    }

    #[test]
    fn discovery_tells_a_better_address_where_the_configured_one_is_none() {
        let facts = with(|facts| {
            facts.all_end(&Ended::Answered(answer(404)));
            facts.only().configured.discovers = false;
            facts.only().configured.key_source = Some("https://idp.example/old".to_owned());
            facts.keys().place = "https://idp.example/old".to_owned();
        });
        let finding = first(&facts);
        assert_eq!((finding.code, finding.certainty), (Code::KeySetAddressWrong, Certainty::Likely));
        assert_eq!(found(&with(|facts| facts.all_end(&Ended::Answered(answer(404))))), "KW1111");
    }

    #[test]
    fn an_issuer_is_held_against_what_the_provider_says_to_the_letter() {
        for (said, differs) in [
            ("https://idp.example/realms/main/", "trailing slash"),
            ("http://idp.example/realms/main", "scheme"),
            ("https://idp.internal/realms/main", "host"),
            ("https://idp.example:8443/realms/main", "port"),
            ("https://idp.example/realms/Main", "case"),
            ("https://idp.example/realms/staging", "path"),
            ("http://keycloak:8080/realms/main", "scheme, host, port"),
            ("idp.example", "spelling"),
        ] {
            let facts = with(|facts| {
                facts.only().discovery.as_mut().expect("discovery").issuer = Some(said.to_owned())
            });
            let finding = first(&facts);
            assert_eq!(
                (finding.code, finding.certainty),
                (Code::IssuerMismatch, Certainty::Certain),
                "{said}"
            );
            assert!(finding.cause.ends_with(&format!("another {differs}")), "{}", finding.cause);
        }
    }

    #[test]
    fn another_name_is_no_trouble_where_discovery_is_not_used_and_tokens_pass() {
        let named = |accepted: u64, said: &str| {
            with(|facts| {
                facts.only().configured.discovers = false;
                facts.only().discovery.as_mut().expect("discovery").issuer = Some(said.to_owned());
                facts.recorder().verdicts = vec![counted("accept", None, accepted)];
            })
        };
        assert_eq!(found(&named(100, "https://idp.internal")), "");
        assert_eq!(found(&named(0, "https://idp.internal")), "KW4102");
        assert_eq!(found(&named(0, "https://login.example/{tenantid}/v2.0")), "");
    }

    #[test]
    fn keys_on_another_host_or_without_tls_are_told_unless_that_is_allowed() {
        let named = |uri: &str, allowed: &[&str]| {
            with(|facts| {
                facts.only().discovery.as_mut().expect("discovery").jwks_uri = Some(uri.to_owned());
                facts.only().configured.allowed_hosts =
                    allowed.iter().map(|host| (*host).to_owned()).collect();
            })
        };
        assert_eq!(found(&named("https://keys.example/jwks", &[])), "KW4105");
        assert_eq!(found(&named("https://keys.example/jwks", &["keys.example"])), "");
        assert_eq!(found(&named("https://keys.example:8443/jwks", &["keys.example:443"])), "KW4105");
        assert_eq!(found(&named("http://idp.example/keys", &[])), "KW4106");
        assert_eq!(found(&named("https://idp.example:8443/keys", &[])), "");
        assert_eq!(found(&named("https://169.254.13.37/keys", &[])), "KW4104");
        assert_eq!(found(&named("https://169.254.13.37/keys", &["169.254.13.37"])), "");
    }

    #[test]
    fn the_last_word_on_a_configuration_counts() {
        let of_gateway = |events: &[&str]| {
            with(|facts| {
                let transitions = events.iter().map(|event| crate::facts::RecordedTransition {
                    issuer: None,
                    ..changed(event, None, 5_000)
                });
                facts.recorder().transitions = transitions.collect();
            })
        };
        assert_eq!(found(&of_gateway(&["config_refused", "config_reloaded"])), "KW4107");
        assert_eq!(found(&of_gateway(&["config_reloaded", "config_refused"])), "");
    }

    #[test]
    fn a_gateway_is_held_against_a_file_and_not_against_a_command_line() {
        let denied = |from_file: bool| {
            with(|facts| {
                facts.only().configured.from_file = from_file;
                facts.only().configured.denied_kids = vec!["leaked".to_owned()];
            })
        };
        assert_eq!(found(&denied(true)), "KW4108");
        assert_eq!(found(&denied(false)), "");
        let other = with(|facts| facts.held().name = "elsewhere".to_owned());
        let finding = first(&other);
        assert_eq!(finding.code, Code::ConfigurationOutdated);
        assert!(finding.cause.contains("the file has issuer main"), "{}", finding.cause);
    }

    #[test]
    fn warnings_are_one_finding() {
        assert_eq!(first(&with(|facts| facts.warnings = vec!["one".to_owned()])).cause, "one");
        let two = with(|facts| facts.warnings = vec!["one".to_owned(), "two".to_owned()]);
        assert_eq!(first(&two).cause, "the configuration has 2 warnings; the first: one");
        assert_eq!(first(&two).evidence, ["one", "two"]);
    }
}
