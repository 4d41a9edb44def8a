//! What clients send, as the gateway counts it.
//!
//! A count tells what the gateway said, and not why the client sent it: most of this is likely, and the token itself, handed in,
//! makes it certain.

mod keys;
mod policy;

use crate::code::Code;
use crate::diagnosis::{Certainty, Finding};
use crate::facts::{Facts, GatewayIssuer, IssuerFacts};

use super::command::Command;
use super::counts::Counts;
use super::found::Found;
use super::words::lasting;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    let Some(counts) = Counts::of(facts) else {
        return;
    };
    let before = found.findings.len();
    let seen = Seen { facts, counts };
    seen.plain(found);
    seen.times(found);
    seen.policy(found);
    seen.keys(found);
    seen.unclear(found);
    let total = counts.total();
    if found.findings.len() == before && total > 0 && counts.accepted() == total {
        found.healthy(None, format!("the gateway accepted {}", counts.in_words(total)));
    }
}

/// Reads a token from a file, since none is an argument, and says what each check finds.
pub(super) fn inspect() -> Command {
    Command::new(["keyward", "token", "inspect", "--config", "keyward.toml"]).reading("token")
}

/// Looks again, with one of the tokens.
fn hand_in() -> Command {
    Command::new(["keyward", "doctor", "--config", "keyward.toml", "--token", "-"]).reading("token")
}

/// What was counted, beside all else that was seen.
struct Seen<'a> {
    facts: &'a Facts,
    counts: Counts<'a>,
}

/// Reasons that have one cause each.
struct Plain {
    code: Code,
    reasons: &'static [&'static str],
    certainty: Certainty,
    /// After `N % of the requests`.
    what: &'static str,
    fix: &'static str,
}

const PLAIN: &[Plain] = &[
    Plain {
        code: Code::TokenTypeWrong,
        reasons: &["wrong_token_type"],
        certainty: Certainty::Certain,
        what: "carry a token of a type that is not accepted, such as an ID token",
        fix: "The client sends its access token (typ at+jwt or JWT) and keeps its ID token to itself.",
    },
    Plain {
        code: Code::TokenMalformed,
        reasons: &["malformed_token"],
        certainty: Certainty::Likely,
        what: "carry what is no token, or an opaque one that nobody here introspects",
        fix: "The client sends the access token alone, as the token endpoint answered it; opaque tokens need [issuer.introspection].",
    },
    Plain {
        code: Code::TokenTooLarge,
        reasons: &["token_too_large"],
        certainty: Certainty::Certain,
        what: "carry a token that is larger than the limit",
        fix: "The provider puts less into the token (groups and roles are the usual weight), or raise token_octets of the [[issuer]].",
    },
    Plain {
        code: Code::CriticalHeader,
        reasons: &["critical_header_unsupported"],
        certainty: Certainty::Certain,
        what: "carry a token whose header demands an extension (crit, b64) that nobody here understands",
        fix: "The client has its tokens issued without crit and b64.",
    },
    Plain {
        code: Code::ScopeMissing,
        reasons: &["insufficient_scope", "missing_claim"],
        certainty: Certainty::Certain,
        what: "carry a good token without a scope or a claim that the route demands",
        fix: "The client asks for the scope when it gets its token, and the provider grants it; or the route demands less.",
    },
    Plain {
        code: Code::BindingMissing,
        reasons: &["binding_missing"],
        certainty: Certainty::Likely,
        what: "carry a bound token and prove no certificate or key",
        fix: "The proxy hands on the client's certificate ([gateway.client_certificate]) and the DPoP header, and strips neither.",
    },
    Plain {
        code: Code::BindingMismatch,
        reasons: &["binding_mismatch"],
        certainty: Certainty::Likely,
        what: "carry a token that is bound to another certificate or key than the request proves",
        fix: "The client gets its token with the certificate or key that it uses it with; if it does, somebody else sends its tokens.",
    },
    Plain {
        code: Code::ProofRefused,
        reasons: &["proof_invalid"],
        certainty: Certainty::Likely,
        what: "carry a DPoP proof that does not hold",
        fix: "The client signs a proof for each request: its method (htm), its address as the client sees it (htu), the time and ath.",
    },
    Plain {
        code: Code::ProofReplayed,
        reasons: &["proof_replayed"],
        certainty: Certainty::Likely,
        what: "carry a DPoP proof that was used before",
        fix: "The client signs a new proof for each attempt, retries included; a proxy that retries is told not to.",
    },
    Plain {
        code: Code::TokenRevoked,
        reasons: &["inactive"],
        certainty: Certainty::Likely,
        what: "carry a token that its issuer calls inactive: revoked, signed out, or never its own",
        fix: "The client gets a new token when it is told invalid_token, and does not repeat the old one.",
    },
];

impl<'a> Seen<'a> {
    fn plain(&self, found: &mut Found) {
        for row in PLAIN {
            let count = self.sum(row.reasons);
            if self.counts.enough(count) {
                let finding = self.finding(row.code, count, row.what).step(row.fix);
                found.add(Finding {
                    certainty: row.certainty,
                    ..finding.run("Look at one of them:", inspect())
                });
            }
        }
    }

    /// Times are the client's matter, unless a clock is wrong.
    fn times(&self, found: &mut Found) {
        let expired = self.sum(&["expired"]);
        if self.counts.enough(expired) {
            let finding = self.finding(Code::TokenExpired, expired, "carry a token that has expired");
            let finding =
                finding.step("The client gets a new token before exp, and when it is told invalid_token.");
            found.add(self.clocked(finding, -1.0).run("Look at one of them:", inspect()));
        }
        let early = self.sum(&["not_yet_valid", "issued_in_future"]);
        if self.counts.enough(early) {
            let finding = self.finding(Code::TokenNotYetValid, early, "carry a token that is not valid yet");
            let finding =
                finding.step("Whoever issues them sets its clock by NTP, or stops dating tokens ahead.");
            found.add(self.clocked(finding, 1.0).run("Look at one of them:", inspect()));
        }
    }

    /// What the clocks say of it. `direction` is that of a provider's clock that would make such tokens.
    fn clocked(&self, finding: Finding, direction: f64) -> Finding {
        let mut explains = false;
        let mut lines = Vec::new();
        for issuer in &self.facts.issuers {
            let Some(clock) = issuer.clock else {
                continue;
            };
            let configured = &issuer.configured;
            let beyond = clock.ahead_s * direction + clock.uncertainty_s > configured.leeway_s as f64;
            explains |= beyond;
            let (away, side) =
                (lasting(clock.ahead_s), if clock.ahead_s < 0.0 { "behind" } else { "ahead of" });
            let (name, leeway) = (&configured.name, configured.leeway_s);
            lines.push(format!("the clock of {name} is {away} {side} ours; the leeway is {leeway} s"));
        }
        let finding = finding.seen_all(lines);
        if explains { finding.possible() } else { finding }
    }

    /// A proxy that does not tell the request.
    fn unclear(&self, found: &mut Found) {
        let recorder = self.facts.gateway.as_ref().and_then(|gateway| gateway.recorder.as_ref());
        let unclear = recorder.map_or(0, |recorder| recorder.unclear);
        let all = self.counts.total().saturating_add(unclear);
        // As much as of any verdict: five, and a hundredth.
        if unclear < 5 || unclear.saturating_mul(100) < all {
            return;
        }
        let cause =
            "A proxy does not tell the gateway the method, host or path of the request that it asks about";
        found.add(
            Finding::new(Code::RouteUnclear, cause)
                .certain()
                .seen(format!("{unclear} of {all} questions in the last {} s were unclear", self.counts.over_s()))
                .seen("the gateway answers 400 request_unclear to these, and guesses no route")
                .step("The proxy sets X-Forwarded-Method, -Host and -Uri (or X-Original-*), and drops the client's own.")
                .step("See docs/how-to for the configuration of nginx, Traefik and Caddy."),
        );
    }

    /// A finding on `count` requests, of the issuer where there is one only.
    fn finding(&self, code: Code, count: u64, what: &str) -> Finding {
        let percent = self.counts.share(count) * 100.0;
        let finding = Finding::new(code, format!("{percent:.0} % of the requests {what}"));
        let finding = finding.seen(self.counts.in_words(count));
        match self.only_issuer() {
            Some(issuer) => finding.of(&issuer.configured.name),
            None => finding,
        }
    }

    fn sum(&self, reasons: &[&str]) -> u64 {
        reasons.iter().fold(0, |sum, reason| sum.saturating_add(self.counts.reason(reason)))
    }

    /// Whether nothing is accepted, and nearly all requests are among these.
    fn is_all(&self, count: u64) -> bool {
        self.counts.accepted() == 0 && self.counts.enough(count) && self.counts.share(count) >= 0.9
    }

    /// Counts do not say whose tokens they are of. Where one issuer is configured it can only be that one's.
    fn only_issuer(&self) -> Option<&'a IssuerFacts> {
        match self.facts.issuers.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn gateway_issuers(&self) -> &'a [GatewayIssuer] {
        let gateway = self.facts.gateway.as_ref();
        gateway.and_then(|gateway| gateway.issuers.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
