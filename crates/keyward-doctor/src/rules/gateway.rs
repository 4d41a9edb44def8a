//! The gateway as a whole.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Attempt, Ended, Facts, GatewayFacts, GatewayIssuer};

use super::counts::Counts;
use super::found::Found;
use super::held;
use super::reach::ending_soon;
use super::way;
use super::words::{lasting, listed};

/// Why nobody can tell, where it is not that there is more to ask than there may be, and not a key that is not known.
const KEYS_OR_ENDPOINT: &[&str] = &[
    "introspection_circuit_open",
    "introspection_credentials_rejected",
    "introspection_malformed",
    "introspection_unavailable",
    "keys_stale_limit",
    "keys_unavailable",
];

pub(super) fn look(facts: &Facts, found: &mut Found) {
    let Some(gateway) = &facts.gateway else {
        // Whoever looks at an authority alone has none in mind.
        if !facts.issuers.is_empty() || facts.authority.is_empty() {
            found.unseen("the gateway: none was asked (--admin URL)");
        }
        return;
    };
    if !is_reached(gateway) {
        found.add(unreachable(gateway));
        return;
    }
    listener(gateway, facts.gathered_at, found);
    readiness(gateway, found);
    let Some(counts) = Counts::of(facts) else {
        found.unseen("what the gateway decided of late: it has no recorder, or does not tell");
        return;
    };
    undecided(gateway, counts, found);
    let overloaded = counts.reason("overloaded");
    if counts.enough(overloaded) {
        found.add(
            Finding::new(
                Code::GatewayOverloaded,
                "the gateway has more to ask of providers than it may at once, and leaves requests undecided",
            )
            .seen(format!("overloaded: {}", counts.in_words(overloaded)))
            .certain()
            .step("Look whether the introspection endpoint has become slow: what is under way then piles up")
            .step("Or let more be under way: introspection.concurrency of the [[issuer]]"),
        );
    }
    shared_memory(facts, found);
}

fn is_reached(gateway: &GatewayFacts) -> bool {
    let is_answered = |attempt: &Attempt| matches!(attempt.ended, Ended::Answered(_));
    let tells = gateway.readiness.is_some() || gateway.issuers.is_some() || gateway.recorder.is_some();
    tells
        || (gateway.reach.attempts.iter().any(is_answered)
            && gateway.reach.attempts.iter().any(is_not_http_error))
}

/// Whatever answers 404 to everything is no admin listener.
fn is_not_http_error(attempt: &Attempt) -> bool {
    matches!(&attempt.ended, Ended::Answered(answer) if matches!(answer.status, 200 | 503))
}

fn unreachable(gateway: &GatewayFacts) -> Finding {
    let url = &gateway.reach.url;
    let answers = gateway.reach.attempts.iter().any(|attempt| matches!(attempt.ended, Ended::Answered(_)));
    let (cause, finding) = if answers {
        let cause = format!("what answers at {url} is not a gateway's admin listener");
        (cause, Finding::likely as fn(Finding) -> Finding)
    } else {
        (
            format!("the gateway's admin listener at {url} does not answer"),
            Finding::certain as fn(Finding) -> Finding,
        )
    };
    finding(Finding::new(Code::GatewayUnreachable, cause))
        .seen_all(way::told(&gateway.reach))
        .step("Is it running, and is this its [admin] listen address? It is another one than the clients'")
        .run("See the service", ["systemctl", "status", "keyward"])
        .run_curl("Ask it yourself, on its machine", url)
}

/// The certificate of its own listener.
fn listener(gateway: &GatewayFacts, now: i64, found: &mut Found) {
    let url = &gateway.reach.url;
    for attempt in &gateway.reach.attempts {
        let Some(tls) = &attempt.tls else { continue };
        let cause = match (tls.not_after, ending_soon(now, tls.not_before, tls.not_after)) {
            (Some(end), _) if end <= now => {
                format!(
                    "the certificate of the gateway's listener at {url} expired {} ago",
                    lasting(now.saturating_sub(end) as f64)
                )
            }
            (_, Some(left)) => format!(
                "the certificate of the gateway's listener at {url} expires in {}",
                lasting(left as f64)
            ),
            _ => continue,
        };
        found.add(
            Finding::new(Code::ListenerCertificateExpiring, cause)
                .seen_all(way::certificate_told(attempt))
                .certain()
                .run_s_client("See the certificate", url)
                .step("Renew it; the gateway reads the new file by itself"),
        );
        return;
    }
}

fn readiness(gateway: &GatewayFacts, found: &mut Found) {
    let Some(readiness) = gateway.readiness.as_deref() else {
        found.unseen("whether the gateway is ready: /readyz cannot be read");
        return;
    };
    let up = gateway
        .recorder
        .as_ref()
        .map(|recorder| format!(", running for {}", lasting(recorder.up_seconds as f64)));
    let up = up.unwrap_or_default();
    let why = match readiness {
        "draining" => "it has been told to stop, and takes no new requests",
        "no_introspection" => "it can decide tokens of no issuer, since introspection fails",
        "no_keys" => "it can decide tokens of no issuer, since it has no keys",
        "starting" => "it has not asked every issuer for keys yet",
        "ready" => {
            found.healthy(None, format!("the gateway is ready{up}"));
            return;
        }
        // Who is to blame for that, other findings say.
        _ => return,
    };
    let unusable = gateway.issuers.iter().flatten().filter(|issuer| !issuer.usable);
    found.add(
        Finding::new(Code::GatewayNotReady, format!("the gateway is not ready ({readiness}): {why}"))
            .seen(format!("GET /readyz: {readiness}{up}"))
            .seen_all(unusable.map(|issuer| format!("tokens of {} cannot be decided: its keys are {}", issuer.name, issuer.state)))
            .certain()
            .step("Mend what is found beside this; it is ready by itself then. A restart helps nothing while a provider is down"),
    );
}

/// Requests that nobody could decide, unless that is over.
fn undecided(gateway: &GatewayFacts, counts: Counts<'_>, found: &mut Found) {
    let reasons: Vec<(&str, u64)> = KEYS_OR_ENDPOINT
        .iter()
        .map(|label| (*label, counts.reason(label)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let total = reasons.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    if counts.total() > counts.accepted() && counts.undecided() == 0 {
        found.healthy(
            None,
            format!(
                "the gateway decided every one of {} requests in the last {} s",
                counts.total(),
                counts.over_s()
            ),
        );
    }
    if !counts.enough(total) || is_over(gateway) {
        return;
    }
    let labels = listed(reasons.iter().map(|(label, _)| label));
    found.add(
        Finding::new(Code::GatewayUndecided, format!("the gateway cannot decide {:.0} % of the requests: {labels}", counts.share(total) * 100.0))
            .seen_all(reasons.iter().map(|(label, count)| format!("{label}: {}", counts.in_words(*count))))
            .certain()
            .step("Clients are answered 503 with Retry-After, and nobody is told that a token is bad. Mend what is found beside this")
            .run("Look at what it has of each issuer", ["curl", "-sS", "-g", "--max-time", "10", "--url", &beside(&gateway.reach.url, "/debug/jwks-cache")]),
    );
}

/// Whether all can be decided again: the counts are of a while ago.
fn is_over(gateway: &GatewayFacts) -> bool {
    let is_well = |issuer: &GatewayIssuer| {
        let introspects = issuer.introspection.as_ref().is_none_or(|endpoint| {
            endpoint.breaker == "closed" && endpoint.failures == 0 && endpoint.credential.state != "rejected"
        });
        issuer.usable && issuer.failures == 0 && introspects
    };
    gateway.readiness.as_deref() == Some("ready")
        && gateway.issuers.as_ref().is_some_and(|issuers| issuers.iter().all(is_well))
}

/// The memory of used proofs that several gateways share.
fn shared_memory(facts: &Facts, found: &mut Found) {
    let transitions = held::recorder(facts).into_iter().flat_map(|recorder| &recorder.transitions);
    let mut of_memory = transitions.filter(|transition| transition.event.starts_with("proof_memory_"));
    // The last first: that one says how it stands.
    match of_memory.next() {
        Some(last) if last.event == "proof_memory_failed" => {
            let cause = last.cause.as_deref().unwrap_or("unknown");
            found.add(
                Finding::new(
                    Code::SharedMemoryDown,
                    format!("the shared memory of used proofs does not answer ({cause})"),
                )
                .seen(format!("gateway: proof_memory_failed since {}", lasting(last.seconds_ago as f64)))
                .certain()
                .step("Look at the Redis of shared_memory of [gateway.dpop], and at the way to it")
                .step("Until it is back, when_down says what becomes of requests with proofs"),
            );
        }
        Some(_) => found.healthy(None, "the shared memory of used proofs answers"),
        None => {}
    }
}

/// Another path of the same listener.
fn beside(url: &str, path: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.join(path).ok()).map_or_else(|| url.to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::TlsFacts;
    use crate::rules::diagnose;
    use crate::rules::fixture::{NOW, answer, changed, counted, first, found, tls, with};

    fn gateway(change: impl FnOnce(&mut GatewayFacts)) -> Facts {
        with(|facts| change(facts.gateway.as_mut().expect("a gateway")))
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_told_from_something_else_that_does() {
        let silent = |ended: Ended| {
            gateway(|gateway| {
                (gateway.readiness, gateway.issuers, gateway.recorder) = (None, None, None);
                gateway.reach.attempts[0].ended = ended;
            })
        };
        let finding = first(&silent(Ended::ConnectRefused));
        assert_eq!(
            (finding.code, finding.certainty),
            (Code::GatewayUnreachable, crate::diagnosis::Certainty::Certain)
        );
        assert!(finding.cause.ends_with("does not answer"), "{}", finding.cause);
        let finding = first(&silent(Ended::Answered(answer(404))));
        assert!(finding.cause.ends_with("is not a gateway's admin listener"), "{}", finding.cause);
        let diagnosis = diagnose(&with(|facts| facts.gateway = None));
        assert_eq!(diagnosis.findings, []);
        assert!(diagnosis.unseen.iter().any(|what| what.contains("--admin")), "{:?}", diagnosis.unseen);
    }

    #[test]
    fn a_gateway_that_is_not_ready_says_why_and_a_degraded_one_is_somebody_elses_finding() {
        for (readiness, expected) in [
            ("ready", ""),
            ("degraded", ""),
            ("starting", "KW7102"),
            ("draining", "KW7102"),
            ("no_keys", "KW7102"),
            ("no_introspection", "KW7102"),
        ] {
            let facts = gateway(|gateway| gateway.readiness = Some(readiness.to_owned()));
            assert_eq!(found(&facts), expected, "{readiness}");
        }
    }

    #[test]
    fn undecided_requests_are_told_while_they_go_on_and_not_after() {
        let undecided = |readiness: &str| {
            with(|facts| {
                facts.gateway.as_mut().expect("a gateway").readiness = Some(readiness.to_owned());
                facts.recorder().verdicts =
                    vec![counted("accept", None, 50), counted("undecided", Some("keys_stale_limit"), 50)];
            })
        };
        assert_eq!(found(&undecided("degraded")), "KW7103");
        assert_eq!(
            first(&undecided("degraded")).cause,
            "the gateway cannot decide 50 % of the requests: keys_stale_limit"
        );
        assert_eq!(found(&undecided("ready")), "");
    }

    #[test]
    fn a_gateway_with_more_to_ask_than_it_may_is_told() {
        let facts = with(|facts| {
            facts.recorder().verdicts =
                vec![counted("accept", None, 90), counted("undecided", Some("overloaded"), 10)];
        });
        assert_eq!(found(&facts), "KW7104");
        assert_eq!(first(&facts).evidence, ["overloaded: 10 of 100 requests (10.0 %) in the last 300 s"]);
    }

    #[test]
    fn the_shared_memory_is_down_until_it_is_back() {
        let memory = |events: &[&str]| {
            with(|facts| {
                facts.recorder().transitions =
                    events.iter().map(|event| changed(event, Some("timeout"), 4)).collect();
            })
        };
        assert_eq!(found(&memory(&["proof_memory_failed", "proof_memory_recovered"])), "KW7105");
        assert_eq!(found(&memory(&["proof_memory_recovered", "proof_memory_failed"])), "");
    }

    #[test]
    fn the_certificate_of_its_own_listener_is_told_before_and_after_its_end() {
        for (left, expected) in [(40 * 86_400, ""), (5 * 86_400, "KW5107"), (-60, "KW5107")] {
            let facts = gateway(|gateway| {
                let (not_before, not_after) = (Some(NOW - 60 * 86_400), Some(NOW + left));
                gateway.reach.attempts[0].tls = Some(TlsFacts { not_before, not_after, ..tls() });
            });
            assert_eq!(found(&facts), expected, "{left}");
        }
    }
}
