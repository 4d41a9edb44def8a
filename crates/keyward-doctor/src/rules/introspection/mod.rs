//! The introspection endpoint, the way to it, and what becomes of tokens while it cannot tell.

mod symptoms;
#[cfg(test)]
mod tests;

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Call, CallResult, Facts, GatewayIntrospection, IntrospectionFacts, Variation};
use crate::said::{INTROSPECTION, Meaning, TOKEN};

use super::credential::call_told;
use super::found::Found;
use super::held::{self, Seen};

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for seen in held::issuers(facts) {
        let probed = seen.probed.and_then(|issuer| issuer.introspection.as_ref());
        let held = seen.held.and_then(|held| held.introspection.as_ref());
        if probed.is_some() || held.is_some() {
            Look { facts, seen, probed, held }.look(found);
        }
    }
}

/// One endpoint.
struct Look<'a> {
    facts: &'a Facts,
    seen: Seen<'a>,
    probed: Option<&'a IntrospectionFacts>,
    held: Option<&'a GatewayIntrospection>,
}

impl Look<'_> {
    fn look(&self, found: &mut Found) {
        match self.configured() {
            Some(call) => self.call(call, found),
            None => self.unasked(found),
        }
        if let Some(call) = self.probed.and_then(|probed| call(probed, TOKEN)) {
            self.token(call, found);
        }
        self.flapping(found);
        self.breaker(found);
        self.fallback(found);
    }

    /// What the gateway asks, asked from here.
    fn configured(&self) -> Option<&Call> {
        call(self.probed?, INTROSPECTION)
    }

    fn call(&self, call: &Call, found: &mut Found) {
        let name = self.seen.name;
        match (&call.result, Meaning::of(call)) {
            (CallResult::BelievesAnything, _) => found.add(
                self.finding(Code::IntrospectionBelievesAnything, format!("the introspection endpoint of {name} calls a made-up token active"))
                    .seen(call_told(call))
                    .certain()
                    .step("Whatever is sent is accepted where introspection decides: take strategy = \"key_set\" until it is mended, or \"both\"")
                    .step("Does something between answer in the provider's place, such as a mock?"),
            ),
            (_, Meaning::Taken) => {
                found.healthy(name, format!("the introspection endpoint answers after {} ms", call.took_ms));
            }
            // That is our credential's matter.
            (_, Meaning::RefusesUs | Meaning::Opaque) if !self.is_elsewhere() => {}
            (CallResult::Unanswered { cause, why }, _) => self.unanswered(call, cause, why, found),
            (_, Meaning::AskedToWait) => found.add(
                self.finding(Code::IntrospectionRateLimited, format!("the introspection endpoint of {name} asks to be left alone"))
                    .seen(call_told(call))
                    .certain()
                    .step("The gateway honours that by itself. Ask the provider for a higher limit")
                    .step("Fewer calls: a longer active_for under [issuer.introspection], or strategy = \"key_set\" on routes where a revocation may be noticed late"),
            ),
            (_, Meaning::Fails) => found.add(self.fails(call)),
            (_, Meaning::Malformed) if self.is_choosy() => found.unseen(format!(
                "the introspection endpoint of {name} does not want to be asked about a made-up token ({}); the gateway gets its answers",
                call_told(call)
            )),
            _ => found.add(self.wrong_answer(call)),
        }
    }

    fn unanswered(&self, call: &Call, cause: &str, why: &str, found: &mut Found) {
        let name = self.seen.name;
        let (code, cause) = match cause {
            "timeout" => (
                Code::IntrospectionSlow,
                format!("the introspection endpoint of {name} does not answer in time"),
            ),
            "asked_to_wait" => (
                Code::IntrospectionRateLimited,
                format!("the introspection endpoint of {name} asks to be left alone"),
            ),
            "foreign_host" | "forbidden_address" | "insecure_address" => (
                Code::IntrospectionWrongAddress,
                format!(
                    "the introspection endpoint of {name} is at an address that the gateway does not ask"
                ),
            ),
            _ => (
                Code::IntrospectionUnreachable,
                format!("the introspection endpoint of {name} cannot be reached: {why}"),
            ),
        };
        let finding = self.finding(code, cause).seen(call_told(call)).certain();
        let reach = self.probed.and_then(|probed| probed.reach.as_ref());
        let finding = finding.seen_all(reach.into_iter().flat_map(super::way::told));
        let finding = match code {
            Code::IntrospectionSlow => finding
                .step("The provider takes the connection and does not answer: its database, or too many calls")
                .step("timeout under [issuer.introspection] is how long a call may take; requests wait so long for it"),
            Code::IntrospectionWrongAddress => finding
                .step("If that address is meant, name its host in allow_hosts of the issuer; otherwise mend endpoint under [issuer.introspection]"),
            _ => finding.step("The gateway goes on by itself when it answers again"),
        };
        found.add(self.asked_by_hand(finding));
    }

    /// A server error.
    fn fails(&self, call: &Call) -> Finding {
        let name = self.seen.name;
        let finding = self
            .finding(
                Code::IntrospectionFails,
                format!("the introspection endpoint of {name} answers with a server error"),
            )
            .seen(call_told(call));
        let nothing = self.probed.and_then(|probed| {
            probed
                .calls
                .iter()
                .find(|call| call.endpoint == INTROSPECTION && call.variation == Variation::NoCredential)
        });
        let finding = match nothing.map(|nothing| (nothing, Meaning::of(nothing))) {
            Some((nothing, Meaning::Fails)) => finding.seen(call_told(nothing)).certain(),
            Some((nothing, _)) => {
                finding.seen(call_told(nothing)).seen("it fails on our credential, and not without").likely()
            }
            None => finding.certain(),
        };
        finding.step("Tell the provider, with the status and the time; the gateway goes on by itself when it answers again")
    }

    /// An answer that is none of an introspection endpoint, or of none that takes us.
    fn wrong_answer(&self, call: &Call) -> Finding {
        let name = self.seen.name;
        let elsewhere = self.discovered();
        let (address, discovered) = (self.address(), elsewhere.as_deref().unwrap_or_default());
        if self.is_elsewhere() {
            let cause =
                format!("{address} is not the introspection endpoint of {name}: that is {discovered}");
            return self
                .finding(Code::IntrospectionWrongAddress, cause)
                .seen(call_told(call))
                .seen_all(self.probed.into_iter().flat_map(|probed| &probed.calls).filter(|call| call.variation == Variation::DiscoveredEndpoint).map(call_told))
                .certain()
                .step(format!("In keyward.toml under [issuer.introspection]: endpoint = {discovered:?}; or take endpoint out, and discovery says it"))
                .run("Then look again", ["keyward", "doctor", "--config", "keyward.toml"]);
        }
        if Meaning::of(call) == Meaning::NotThere {
            let cause = format!("there is no introspection endpoint of {name} at {address}");
            let finding = self.finding(Code::IntrospectionWrongAddress, cause).seen(call_told(call)).likely();
            return match elsewhere {
                Some(discovered) if discovered != address => finding
                    .seen(format!("discovery names {discovered}"))
                    .step(format!("In keyward.toml under [issuer.introspection]: endpoint = {discovered:?}")),
                Some(_) => finding.step("Discovery names that address too: tell the provider, or look for a proxy between that routes it elsewhere"),
                None => finding.step("In keyward.toml under [issuer.introspection]: endpoint is what the provider's manual says, path and realm included"),
            };
        }
        let cause = format!("what the introspection endpoint of {name} answers is no introspection response");
        let finding = self.finding(Code::IntrospectionMalformed, cause).seen(call_told(call));
        let is_answer = matches!(call.result, CallResult::Malformed(_));
        let finding = if is_answer { finding.certain() } else { finding.likely() };
        let finding = finding.step(
            "Does a proxy, a login page or a captive portal answer in its place? Is it the right path?",
        );
        self.asked_by_hand(finding)
    }

    /// Nothing was asked there.
    fn unasked(&self, found: &mut Found) {
        let name = self.seen.name;
        if let Some(probed) = self.probed {
            if probed.endpoint.is_none() && self.says_of_itself() {
                found.add(
                    self.finding(Code::IntrospectionWrongAddress, format!("nobody says where the introspection endpoint of {name} is"))
                        .seen("the configuration names none, and the discovery document names none that may be used")
                        .certain()
                        .step("In keyward.toml under [issuer.introspection]: endpoint = \"https://…\", as the provider's manual says"),
                );
                return;
            }
            if !probed.calls.is_empty() {
                return;
            }
            let is_obtained =
                matches!(probed.credential.method.as_str(), "bearer_jwt" | "bearer_client_credentials");
            if is_obtained && probed.token_endpoint.is_none() && self.says_of_itself() {
                found.add(
                    self.finding(Code::TokenEndpointUnreachable, format!("nobody says where the token endpoint of {name} is"))
                        .seen("the configuration names none, and the discovery document names none that may be used")
                        .certain()
                        .step("In keyward.toml under [issuer.introspection.credential]: token_endpoint = \"https://…\", as the provider's manual says"),
                );
                return;
            }
            found.unseen(format!("the introspection endpoint of {name} was not asked from here"));
        }
        let Some((held, failing)) = self.held.and_then(|held| Some((held, held.failing.as_deref()?))) else {
            return;
        };
        let (code, what) = match failing {
            "asked_to_wait" => (Code::IntrospectionRateLimited, "asks to be left alone"),
            "malformed" => (Code::IntrospectionMalformed, "answers what is no introspection response"),
            "timed_out" => (Code::IntrospectionSlow, "does not answer in time"),
            "transport" => (Code::IntrospectionUnreachable, "cannot be reached"),
            "unavailable" => (Code::IntrospectionFails, "answers with an error"),
            "credentials_unavailable" => {
                (Code::ExchangeFails, "cannot be asked: the gateway gets no token of its own")
            }
            _ => return,
        };
        found.add(
            self.finding(code, format!("the introspection endpoint of {name} {what}, as the gateway says"))
                .seen(format!("gateway: {} calls in a row failed ({failing})", held.failures))
                .seen_all(held.last_error.as_ref().map(|error| format!("gateway: {error}")))
                .seen_all(
                    held.credential
                        .last_error
                        .as_ref()
                        .map(|error| format!("gateway, its credential: {error}")),
                )
                .likely()
                .run(
                    "Look at each step of the way, where the gateway's configuration is",
                    ["keyward", "doctor", "--config", "keyward.toml"],
                ),
        );
    }

    /// Whether its discovery document could be read, and is its own.
    fn says_of_itself(&self) -> bool {
        self.seen.probed.is_some_and(|issuer| {
            let says = issuer.discovery.as_ref().and_then(|discovery| discovery.issuer.as_deref());
            says == Some(issuer.configured.issuer.as_str())
        })
    }

    /// Some endpoints refuse to be asked about what is no token of theirs, and answer well about those that are.
    fn is_choosy(&self) -> bool {
        let works =
            self.held.is_some_and(|held| held.failing.is_none() && held.last_success_seconds.is_some());
        let refuses = self.configured().is_some_and(|call| {
            matches!(call.result, CallResult::Refused(_)) && Meaning::of(call) == Meaning::Malformed
        });
        works && refuses
    }

    /// Where our own token is got.
    fn token(&self, call: &Call, found: &mut Found) {
        let name = self.seen.name;
        let fails_always = self.probed.is_some_and(|probed| {
            probed.calls.iter().any(|call| {
                call.endpoint == TOKEN
                    && call.variation == Variation::NoCredential
                    && matches!(Meaning::of(call), Meaning::Opaque | Meaning::Fails)
            })
        });
        let finding = match Meaning::of(call) {
            Meaning::Taken => return found.healthy(name, "the token endpoint grants us a token"),
            Meaning::RefusesUs => return,
            Meaning::Opaque if !fails_always => return,
            Meaning::Silent => self
                .finding(Code::TokenEndpointUnreachable, format!("the token endpoint of {name} does not answer"))
                .seen(call_told(call))
                .seen_all(self.probed.and_then(|probed| probed.reach.as_ref()).into_iter().flat_map(super::way::told))
                .certain(),
            Meaning::NotThere | Meaning::Malformed => self
                .finding(Code::TokenEndpointUnreachable, format!("what answers at the token endpoint of {name} is none"))
                .seen(call_told(call))
                .likely()
                .step("In keyward.toml under [issuer.introspection.credential]: take token_endpoint out, and discovery says it"),
            Meaning::AskedToWait => self
                .finding(Code::ExchangeFails, format!("the token endpoint of {name} asks to be left alone, and does not say what it thinks of us"))
                .seen(call_told(call))
                .likely()
                .step("Look again when that time is over; what was refused so often before stands in the provider's log"),
            Meaning::Fails | Meaning::Opaque => self
                .finding(Code::ExchangeFails, format!("the token endpoint of {name} fails, whoever asks"))
                .seen_all(self.probed.into_iter().flat_map(|probed| &probed.calls).filter(|call| call.endpoint == TOKEN).map(call_told))
                .certain()
                .step("Tell the provider, with the status and the time"),
        };
        found.add(finding.step(
            "The token that the gateway has serves until it is over; then it obtains another by itself",
        ));
    }

    /// Whether introspection cannot tell, now.
    fn is_failing(&self) -> bool {
        let is_held = self.held.is_some_and(|held| {
            held.breaker == "open"
                || matches!(held.credential.state.as_str(), "rejected" | "unavailable")
                || (held.failing.is_some() && !self.is_well())
        });
        let is_probed = self.probed.is_some_and(|probed| {
            probed
                .calls
                .iter()
                .any(|call| call.variation == Variation::Configured && Meaning::of(call) != Meaning::Taken)
        });
        is_held || (is_probed && !self.is_choosy())
    }

    /// Whether it answers from here, and takes us.
    fn is_well(&self) -> bool {
        self.configured().is_some_and(|call| Meaning::of(call) == Meaning::Taken)
    }

    /// Whether the address that discovery names takes us, and the configured one does not.
    fn is_elsewhere(&self) -> bool {
        self.probed.is_some_and(|probed| {
            probed.calls.iter().any(|call| {
                call.variation == Variation::DiscoveredEndpoint && Meaning::of(call) == Meaning::Taken
            })
        })
    }

    fn discovered(&self) -> Option<String> {
        self.seen.probed?.discovery.as_ref()?.introspection_endpoint.clone()
    }

    fn address(&self) -> String {
        let probed = self.probed.and_then(|probed| probed.endpoint.clone());
        probed
            .or_else(|| self.held?.endpoint.clone())
            .unwrap_or_else(|| "an address that nobody knows".to_owned())
    }

    fn asked_by_hand(&self, finding: Finding) -> Finding {
        match self.probed.and_then(|probed| probed.endpoint.as_deref()) {
            Some(url) => {
                finding.run_curl("By hand; without credentials 401 is what a working endpoint says", url)
            }
            None => finding,
        }
    }

    fn finding(&self, code: Code, cause: String) -> Finding {
        Finding::new(code, cause).of(self.seen.name)
    }
}

/// The call that does as the gateway does.
fn call<'a>(probed: &'a IntrospectionFacts, endpoint: &str) -> Option<&'a Call> {
    probed.calls.iter().find(|call| call.endpoint == endpoint && call.variation == Variation::Configured)
}
