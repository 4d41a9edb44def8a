//! The gateway's cache of keys.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Ended, Facts, GatewayIssuer};

use super::found::Found;
use super::held::{self, Seen};
use super::words::{lasting, several};

/// So many failures in a row are no accident, though the keys are still fresh.
const FAILURES: u32 = 3;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for seen in held::issuers(facts) {
        if let Some(held) = seen.held {
            Look { facts, seen, held }.look(found);
        }
    }
}

struct Look<'a> {
    facts: &'a Facts,
    seen: Seen<'a>,
    held: &'a GatewayIssuer,
}

impl Look<'_> {
    fn look(&self, found: &mut Found) {
        self.failure(found);
        self.age(found);
        self.flapping(found);
        self.snapshot(found);
        if self.lately("jwks_refresh_crashed").is_some() {
            found.add(
                self.finding(Code::RefreshCrashed, format!("the gateway's refresh of {}'s keys crashed", self.seen.name))
                    .certain()
                    .step("It starts again by itself. Report it, with the log line jwks_refresh_crashed: it is a fault of Keyward"),
            );
        }
    }

    /// How old the keys are, and whether new ones come.
    fn age(&self, found: &mut Found) {
        let held = self.held;
        let age = lasting(held.age_seconds.unwrap_or(0) as f64);
        let finding = match held.state.as_str() {
            "expired" => {
                let cause = format!(
                    "the keys of {} are {age} old, past the stale limit: nothing is verified with them",
                    self.seen.name
                );
                self.finding(Code::KeysTooOld, cause).certain()
            }
            "empty" if held.failures > 0 => {
                let cause = format!("the gateway never had keys of {}: {}", self.seen.name, self.in_a_row());
                self.finding(Code::NoKeysYet, cause).certain()
            }
            "stale" if held.failures > 0 && held.source.as_deref() == Some("snapshot") => {
                let cause = format!(
                    "the gateway verifies tokens of {} with keys from its disk, {age} old",
                    self.seen.name
                );
                self.finding(Code::SnapshotInUse, cause).certain()
            }
            "stale" | "fresh"
                if held.failures >= FAILURES || (held.state == "stale" && held.failures > 0) =>
            {
                let left = held
                    .usable_for_seconds
                    .map_or("not for ever".to_owned(), |s| format!("for {} more", lasting(s as f64)));
                let cause = format!(
                    "the gateway cannot fetch keys of {}; those that it has are {age} old and good {left}",
                    self.seen.name
                );
                self.finding(Code::KeysStale, cause).certain()
            }
            "fresh" if held.failures == 0 => {
                return found.healthy(
                    self.seen.name,
                    format!("the gateway has {}, fetched {age} ago", several(held.keys.len(), "key")),
                );
            }
            "fixed" => {
                return found.healthy(self.seen.name, "the gateway has all keys from its configuration");
            }
            _ => return,
        };
        found.add(self.though_well(finding));
    }

    /// A provider that answers here and not there is another matter than one that is down.
    fn though_well(&self, finding: Finding) -> Finding {
        if !self.answers_here() {
            return finding.step(
                "Once the cause is mended, the gateway fetches by itself; nothing has to be restarted",
            );
        }
        let next =
            self.held.next_refresh_seconds.map_or("soon".to_owned(), |s| format!("in {}", lasting(s as f64)));
        finding
            .seen(format!("from here the provider answers; the gateway tries again {next}"))
            .step(format!("Wait for the next attempt ({next}). If it fails too, the way from the gateway's machine differs from the way from here: its resolver, its proxy, its network policy, its trust anchors"))
            .run("so look from there", ["keyward", "doctor", "--issuer", &self.held.issuer])
    }

    /// What the gateway says why, where nobody else can say it, or where it is the gateway's own doing.
    fn failure(&self, found: &mut Found) {
        let Some(label) = self.held.failing.as_deref().filter(|_| self.held.failures > 0) else { return };
        let Some((code, what)) = told_by(label, self.held.last_error.as_deref().unwrap_or_default()) else {
            return;
        };
        let is_its_own =
            matches!(label, "foreign_host" | "forbidden_address" | "insecure_address" | "issuer_mismatch");
        if self.was_probed() && !(is_its_own && self.answers_here()) {
            return;
        }
        let cause = format!("the gateway cannot fetch keys of {}: {what}", self.seen.name);
        found.add(self.finding(code, cause).likely().run(
            "Look at each step of the way, where the gateway runs",
            ["keyward", "doctor", "--issuer", &self.held.issuer],
        ));
    }

    /// Failures with successes between them.
    fn flapping(&self, found: &mut Found) {
        let mut runs = 0;
        let (mut failing, mut refreshed) = (false, 0);
        let mut causes: Vec<&str> = Vec::new();
        for transition in held::lately(self.facts, &self.held.name) {
            match transition.event.as_str() {
                "jwks_refresh_failed" => {
                    runs += usize::from(!failing);
                    failing = true;
                    causes.extend(transition.cause.as_deref());
                }
                "jwks_refreshed" => {
                    refreshed += 1;
                    failing = false;
                }
                _ => {}
            }
        }
        if runs < 2 {
            return;
        }
        causes.sort_unstable();
        causes.dedup();
        let cause = format!(
            "the provider of {} answers now and then: fetches fail and succeed by turns",
            self.seen.name
        );
        found.add(
            self.finding(Code::ProviderFlaps, cause)
                .seen(format!(
                    "{runs} times fetches failed ({}) and {refreshed} times they worked again",
                    causes.join(", ")
                ))
                .likely()
                .step("Look for one bad node behind the provider's load balancer")
                .step("Tokens are not affected as long as one fetch within the stale limit succeeds"),
        );
    }

    /// The keys on the disk.
    fn snapshot(&self, found: &mut Found) {
        if self.held.source.as_deref() != Some("fetched") && self.happened("snapshot_refused") {
            let cause = format!("the keys of {} on the gateway's disk were refused", self.seen.name);
            found.add(
                self.finding(Code::SnapshotRefused, cause)
                    .certain()
                    .step("The log line snapshot_refused says why: damaged, of another issuer, too old, or dated in the future")
                    .step("The next fetch writes it anew. If it was damaged, look at the disk, and at who can write to snapshot.folder"),
            );
        }
        if self.lately("snapshot_write_failed").is_some() {
            let cause = format!("the gateway cannot write the keys of {} to its disk", self.seen.name);
            found.add(
                self.finding(Code::SnapshotNotWritten, cause)
                    .certain()
                    .step("Until then a restart during an outage has no keys, or old ones")
                    .step("The log line snapshot_write_failed names the file. Is its disk full, and may the gateway's user write there?")
                    .run("The space that is left", ["df", "-h"]),
            );
        }
    }

    fn lately(&self, event: &str) -> Option<u64> {
        held::lately(self.facts, &self.held.name)
            .find(|transition| transition.event == event)
            .map(|transition| transition.seconds_ago)
    }

    /// Whenever that was: it holds as long as the gateway runs.
    fn happened(&self, event: &str) -> bool {
        let recorder = held::recorder(self.facts);
        recorder.into_iter().flat_map(|recorder| &recorder.transitions).any(|transition| {
            transition.event == event && transition.issuer.as_deref() == Some(self.held.name.as_str())
        })
    }

    /// Whether its key set was asked for from here, with whatever result.
    fn was_probed(&self) -> bool {
        let set = self.seen.probed.and_then(|issuer| issuer.key_set.as_ref());
        let way =
            self.seen.probed.and_then(|issuer| issuer.discovery.as_ref()).map(|discovery| &discovery.reach);
        let reaches = set.and_then(|set| set.reach.as_ref()).into_iter().chain(way);
        let is_tried = |ended: &Ended| !matches!(ended, Ended::OutOfTime);
        set.is_some_and(|set| set.reach.is_none())
            || reaches.into_iter().any(|reach| {
                reach.attempts.iter().any(|attempt| is_tried(&attempt.ended))
                    || matches!(
                        reach.lookup,
                        crate::facts::Lookup::Failed(_) | crate::facts::Lookup::TimedOut
                    )
            })
    }

    /// Whether it was asked for from here, and a usable key came.
    fn answers_here(&self) -> bool {
        let set = self.seen.probed.and_then(|issuer| issuer.key_set.as_ref());
        set.is_some_and(|set| set.answers.iter().any(|answer| !answer.keys.is_empty()))
    }

    fn finding(&self, code: Code, cause: String) -> Finding {
        let held = self.held;
        let source = held.source.as_deref().map_or(String::new(), |source| format!(", {source}"));
        Finding::new(code, cause)
            .of(self.seen.name)
            .seen(format!("gateway: the keys of {} are {}{source}", self.seen.name, held.state))
            .seen_all((held.failures > 0).then(|| format!("gateway: {}", self.in_a_row())))
            .seen_all(held.last_error.as_ref().map(|error| format!("gateway: {error}")))
    }

    fn in_a_row(&self) -> String {
        let cause = self.held.failing.as_deref().map_or(String::new(), |label| format!(", cause {label}"));
        match self.held.failures {
            1 => format!("the last fetch failed{cause}"),
            failures => format!("{failures} fetches in a row failed{cause}"),
        }
    }
}

/// What a fetch failed for, by its label and by what else it says.
fn told_by(label: &str, error: &str) -> Option<(Code, String)> {
    let says = |part: &str| error.contains(part);
    Some(match label {
        "certificate" | "file" => (Code::KeyFileUnreadable, "its key file cannot be used".to_owned()),
        "connect" if says("refused") => (Code::ConnectionRefused, "its connections are refused".to_owned()),
        "connect" if says("unreachable") || says("no route") => {
            (Code::ConnectionTimedOut, "there is no way to it".to_owned())
        }
        "connect" => (Code::AnswerBreaksOff, "its connections fail or break".to_owned()),
        "discovery_malformed" | "not_named" => {
            (Code::DiscoveryBroken, "its discovery document cannot be used".to_owned())
        }
        "dns" => (Code::NameNotResolved, "its name does not resolve".to_owned()),
        "foreign_host" => (Code::HostForeign, "its key set is on another host than the issuer".to_owned()),
        "forbidden_address" => {
            (Code::AddressForbidden, "its address is one that keys are not fetched from".to_owned())
        }
        "insecure_address" => (Code::AddressInsecure, "its address is without TLS".to_owned()),
        "issuer_mismatch" => (Code::IssuerMismatch, "its discovery document is another issuer's".to_owned()),
        "malformed" => (Code::NoKeySet, "what it answers is no JWK Set".to_owned()),
        "no_usable_key" => (Code::NoUsableKey, "none of its keys can be used, or there are none".to_owned()),
        "redirect_refused" | "too_many_redirects" => {
            (Code::Redirected, "it redirects to where nobody follows".to_owned())
        }
        "status" => {
            let status =
                error.rsplit("answers ").next().and_then(|rest| rest.get(..3)?.parse::<u16>().ok())?;
            let code = match status {
                401 | 403 | 407 => Code::AccessDenied,
                429 => Code::RateLimited,
                400..500 => Code::NotFound,
                500..600 => Code::ProviderFails,
                300..400 => Code::Redirected,
                _ => Code::NoKeySet,
            };
            (code, format!("it answers {status}"))
        }
        "timeout" => (Code::AnswersTooSlowly, "it does not answer in time".to_owned()),
        "tls" if says("xpired") => {
            (Code::TlsCertificateExpired, "its TLS certificate has expired".to_owned())
        }
        "tls" if says("NotValidForName") || says("not valid for name") => {
            (Code::TlsNameMismatch, "its TLS certificate is for another name".to_owned())
        }
        "tls" if says("UnknownIssuer") => {
            (Code::TlsUntrusted, "its TLS certificate leads to no anchor".to_owned())
        }
        "tls" => (Code::TlsFails, "the TLS handshake fails".to_owned()),
        "too_large" => (Code::KeySetTooLarge, "what it answers is too large".to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{changed, first, found, with};

    #[test]
    fn a_gateway_that_fails_while_the_provider_answers_here_says_so() {
        let facts = with(|facts| facts.gateway_fails("tls", "stale"));
        let finding = first(&facts);
        assert_eq!(finding.code, Code::KeysStale);
        for fact in [
            "gateway: 12 fetches in a row failed, cause tls",
            "from here the provider answers; the gateway tries again in 2 min",
        ] {
            assert!(
                finding.evidence.iter().any(|seen| seen == fact),
                "{fact:?} is not in {:?}",
                finding.evidence
            );
        }
    }

    #[test]
    fn the_states_of_a_cache_are_told_apart() {
        let state = |state: &str, source: Option<&str>, failures: u32| {
            with(|facts| {
                let held = facts.held();
                held.state = state.to_owned();
                held.source = source.map(str::to_owned);
                held.failures = failures;
            })
        };
        for (state, expected) in [
            (state("fresh", Some("fetched"), 0), ""),
            (state("fresh", Some("fetched"), 2), ""),
            (state("fresh", Some("fetched"), 3), "KW1301"),
            (state("stale", Some("fetched"), 0), ""),
            (state("stale", Some("fetched"), 1), "KW1301"),
            (state("stale", Some("snapshot"), 0), ""),
            (state("stale", Some("snapshot"), 1), "KW1304"),
            (state("expired", Some("fetched"), 9), "KW1302"),
            (state("empty", None, 0), ""),
            (state("empty", None, 1), "KW1303"),
            (state("fixed", None, 0), ""),
        ] {
            assert_eq!(found(&state), expected, "{:?}", state.gateway);
        }
    }

    #[test]
    fn a_gateway_alone_tells_why_its_fetches_fail() {
        for (label, error, code) in [
            ("dns", "cannot resolve the host of https://idp.example/", "KW1101"),
            (
                "connect",
                "the connection to https://idp.example/ failed: Connection refused (os error 111)",
                "KW1102",
            ),
            (
                "connect",
                "the connection to https://idp.example/ failed: connection closed before message completed",
                "KW1118",
            ),
            ("timeout", "https://idp.example/ did not answer within the time", "KW1114"),
            (
                "tls",
                "no TLS connection to https://idp.example/: invalid peer certificate: certificate expired",
                "KW1106",
            ),
            (
                "tls",
                "no TLS connection to https://idp.example/: invalid peer certificate: UnknownIssuer",
                "KW1108",
            ),
            (
                "tls",
                "no TLS connection to https://idp.example/: invalid peer certificate: certificate not valid for name",
                "KW1107",
            ),
            ("status", "https://idp.example/ answers 503 Service Unavailable", "KW1110"),
            ("status", "https://idp.example/ answers 404 Not Found", "KW1111"),
            ("status", "https://idp.example/ answers 429 Too Many Requests", "KW1112"),
            ("malformed", "the answer of https://idp.example/ is no JWK Set", "KW1115"),
            ("no_usable_key", "no usable key", "KW1202"),
            ("issuer_mismatch", "answers for issuer", "KW4102"),
            ("foreign_host", "is refused", "KW4105"),
        ] {
            let facts = with(|facts| {
                facts.issuers.clear();
                facts.gateway_fails(label, "stale");
                facts.held().last_error = Some(error.to_owned());
            });
            assert_eq!(found(&facts), format!("{code}(KW1301)"), "{label}: {error}");
        }
        let unknown = with(|facts| {
            facts.issuers.clear();
            facts.gateway_fails("of_a_newer_gateway", "stale");
        });
        assert_eq!(found(&unknown), "KW1301");
    }

    #[test]
    fn what_only_the_gateway_refuses_is_told_though_the_provider_answers_here() {
        assert_eq!(found(&with(|facts| facts.gateway_fails("forbidden_address", "stale"))), "KW4104(KW1301)");
    }

    #[test]
    fn failures_and_successes_by_turns_are_told_from_one_outage() {
        let failed = |ago| changed("jwks_refresh_failed", Some("status"), ago);
        let refreshed = |ago| changed("jwks_refreshed", None, ago);
        let transitions = |transitions: Vec<_>| with(|facts| facts.recorder().transitions = transitions);
        let flapping = transitions(vec![refreshed(1), failed(3), refreshed(10), failed(12), refreshed(20)]);
        assert_eq!(found(&flapping), "KW1122");
        assert_eq!(found(&transitions(vec![refreshed(1), failed(3), failed(5), refreshed(10)])), "");
        assert_eq!(found(&transitions(vec![refreshed(1), failed(3), refreshed(10), failed(301)])), "");
    }

    #[test]
    fn a_refused_snapshot_matters_until_keys_are_fetched() {
        let refused = |state: &str, source: Option<&str>| {
            with(|facts| {
                facts.recorder().transitions = vec![changed("snapshot_refused", None, 900)];
                let held = facts.held();
                (held.state, held.source) = (state.to_owned(), source.map(str::to_owned));
                held.failures = u32::from(state == "empty");
            })
        };
        assert_eq!(found(&refused("fresh", Some("fetched"))), "");
        assert_eq!(found(&refused("empty", None)), "KW1305(KW1303)");
    }

    #[test]
    fn what_happened_of_late_is_told_and_what_happened_long_ago_is_not() {
        for (event, code) in [("snapshot_write_failed", "KW1306"), ("jwks_refresh_crashed", "KW1308")] {
            let at = |ago| with(|facts| facts.recorder().transitions = vec![changed(event, None, ago)]);
            assert_eq!(found(&at(20)), code);
            assert_eq!(found(&at(1_000)), "");
            let again = with(|facts| {
                let mut transition = changed(event, None, 1_000);
                transition.last_seconds_ago = Some(20);
                facts.recorder().transitions = vec![transition];
            });
            assert_eq!(found(&again), code);
        }
    }
}
