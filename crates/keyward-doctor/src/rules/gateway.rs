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
        found.unseen("the gateway: none was asked (--admin URL)");
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
    if counts.total() > 0 && counts.undecided() == 0 {
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
