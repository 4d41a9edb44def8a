//! How it shows in a gateway that introspection cannot tell, and what becomes of tokens meanwhile.

use crate::code::Code;
use crate::rules::counts::Counts;
use crate::rules::credential::call_told;
use crate::rules::found::Found;
use crate::rules::held;
use crate::rules::words::{lasting, listed};

use super::Look;

/// Reasons of verdicts that could not be reached because of an introspection endpoint.
const UNDECIDED: [&str; 4] = [
    "introspection_unavailable",
    "introspection_credentials_rejected",
    "introspection_malformed",
    "introspection_circuit_open",
];

impl Look<'_> {
    /// Failures with successes between them.
    pub(super) fn flapping(&self, found: &mut Found) {
        let mut runs = 0;
        let mut recoveries = 0;
        let name = self.seen.held.map_or(self.seen.name, |held| held.name.as_str());
        for transition in held::lately(self.facts, name) {
            runs += usize::from(transition.event == "introspection_failed");
            recoveries += usize::from(transition.event == "introspection_recovered");
        }
        if runs < 2 || recoveries == 0 {
            return;
        }
        found.add(
            self.finding(
                Code::IntrospectionFlaps,
                format!("the introspection endpoint of {} answers now and then", self.seen.name),
            )
            .seen(format!("{runs} times calls failed and {recoveries} times they worked again"))
            .seen_all(self.configured().map(call_told))
            .likely()
            .step("Look for one bad node behind the provider's load balancer")
            .step("hedge = true under [issuer.introspection] asks a second time where the first takes long"),
        );
    }

    /// How the gateway takes it.
    pub(super) fn breaker(&self, found: &mut Found) {
        let Some(held) = self.held.filter(|held| held.breaker == "open") else { return };
        let wait = held.retry_in_seconds.map_or("soon".to_owned(), |seconds| format!("in {seconds} s"));
        let cause = format!(
            "the gateway makes no calls to the introspection endpoint of {}; it tries one {wait}",
            self.seen.name
        );
        let finding = self
            .finding(Code::BreakerOpen, cause)
            .seen(format!("gateway: the breaker is open after {} failures in a row", held.failures))
            .seen_all(held.last_error.as_ref().map(|error| format!("gateway: {error}")))
            .certain();
        let finding = match self.is_well() {
            true => finding
                .seen("from here the endpoint answers")
                .step(format!("Wait: it closes by itself once a call succeeds ({wait})")),
            false => {
                finding.step("It closes by itself once the endpoint answers; nothing has to be restarted")
            }
        };
        found.add(finding);
    }

    /// What becomes of tokens meanwhile.
    pub(super) fn fallback(&self, found: &mut Found) {
        let name = self.seen.name;
        let configured = self.seen.probed.map(|issuer| &issuer.configured);
        let strategy = configured.map_or("", |configured| configured.strategy.as_str());
        let begins_with_keys = strategy == "key_set_then_introspection";
        let keys_fail = self.seen.held.is_some_and(|held| !held.usable);
        let counted = self.counted();
        let is_failing = if begins_with_keys { keys_fail } else { self.is_failing() };
        if counted > 0 && !is_failing {
            found.healthy(
                name,
                format!(
                    "{} accepted by the second way lately, and the first one works again",
                    tokens(counted)
                ),
            );
        }
        if !is_failing {
            return;
        }
        if counted > 0 {
            let way = if begins_with_keys {
                "introspection: nobody checks their signature"
            } else {
                "the key set: nobody asks whether they were revoked"
            };
            found.add(
                self.finding(Code::FallbackInUse, format!("tokens of {name} are accepted by {way}"))
                    .seen(format!("gateway: {} so in the last {} s{}", tokens(counted), self.since(), self.causes()))
                    .seen_all(self.last_success())
                    .certain()
                    .step("It is what [issuer.fallback] allows. It ends by itself when the first way works again"),
            );
        }
        let has_fallback = configured.is_some_and(|configured| configured.has_fallback);
        let both_fail = keys_fail && self.is_failing();
        if has_fallback && both_fail {
            found.add(
                self.finding(
                    Code::FallbackFailsToo,
                    format!("neither introspection nor the keys of {name} can decide tokens"),
                )
                .seen_all(self.last_success())
                .seen("gateway: it has no usable keys of this issuer")
                .certain()
                .step("Mend whichever is quicker: each of the two suffices"),
            );
        }
        let introspects = matches!(strategy, "introspection" | "both");
        let undecided = Counts::of(self.facts)
            .map_or(0, |counts| UNDECIDED.iter().map(|reason| counts.reason(reason)).sum());
        if introspects && !has_fallback && undecided > 0 {
            found.add(
                self.finding(Code::NoFallback, format!("introspection at {name} cannot tell, and no other way is allowed: tokens get 503"))
                    .seen_all(Counts::of(self.facts).map(|counts| counts.in_words(undecided)))
                    .certain()
                    .step("If their signature suffices meanwhile: strategy = \"introspection_then_key_set\", and under [issuer.fallback] gives_up = [\"revocation\"]"),
            );
        }
    }

    fn counted(&self) -> u64 {
        let name = self.seen.held.map_or(self.seen.name, |held| held.name.as_str());
        let recorder = held::recorder(self.facts);
        recorder
            .into_iter()
            .flat_map(|recorder| &recorder.fallbacks)
            .filter(|row| row.issuer == name)
            .map(|row| row.count)
            .sum()
    }

    fn causes(&self) -> String {
        let name = self.seen.held.map_or(self.seen.name, |held| held.name.as_str());
        let rows = held::recorder(self.facts).into_iter().flat_map(|recorder| &recorder.fallbacks);
        let causes: Vec<&str> = rows.filter(|row| row.issuer == name).map(|row| row.cause.as_str()).collect();
        if causes.is_empty() { String::new() } else { format!(" ({})", listed(causes)) }
    }

    fn since(&self) -> u64 {
        held::recorder(self.facts).map_or(0, |recorder| recorder.since_seconds)
    }

    fn last_success(&self) -> Option<String> {
        let held = self.held?;
        Some(match held.last_success_seconds {
            Some(seconds) => format!("gateway: introspection last answered {} ago", lasting(seconds as f64)),
            None => "gateway: introspection has not answered since it started".to_owned(),
        })
    }
}

fn tokens(count: u64) -> String {
    if count == 1 { "1 token was".to_owned() } else { format!("{count} tokens were") }
}
