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
    /// Failures with successes between them. A gateway tells of calls that fail and work by turns once a minute, and of its
    /// breaker each time.
    pub(super) fn flapping(&self, found: &mut Found) {
        let name = self.seen.held.map_or(self.seen.name, |held| held.name.as_str());
        let lately: Vec<_> =
            held::lately(self.facts, name).map(|transition| transition.event.as_str()).collect();
        let (mut turns, mut works_again) = (0, false);
        for event in lately.into_iter().rev() {
            match event {
                "introspection_recovered" | "introspection_circuit_closed" => works_again = true,
                "introspection_failed" | "introspection_circuit_opened" if works_again => {
                    turns += 1;
                    works_again = false;
                }
                _ => {}
            }
        }
        if turns == 0 {
            return;
        }
        let finding = self
            .finding(
                Code::IntrospectionFlaps,
                format!("the introspection endpoint of {} answers now and then", self.seen.name),
            )
            .seen(format!("gateway: {} it failed again after it had worked again", times(turns)))
            .seen_all(self.configured().map(call_told))
            .step("Look for one bad node behind the provider's load balancer")
            .step("hedge = true under [issuer.introspection] asks a second time where the first takes long");
        found.add(if self.is_failing() { finding.likely() } else { finding.possible() });
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

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
