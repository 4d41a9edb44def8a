//! What is demanded of a token whose key is in order.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{AudiencePlace, TokenKind};

use super::{Case, Found};
use crate::rules::tokens::inspect;
use crate::rules::words::lasting;

impl Case<'_> {
    pub(super) fn demands(&self, found: &mut Found) {
        // An ID token is for another audience by nature, and has no scope: that it is one says it all.
        if !self.token_type(found) {
            self.audience(found);
            self.granted(found);
        }
        self.times(found);
    }

    fn token_type(&self, found: &mut Found) -> bool {
        let typ = self.token.token_type.as_deref().unwrap_or("none");
        if self.token.kind == TokenKind::IdToken {
            let finding =
                self.finding(Code::IdTokenSent, "The client sends its ID token in place of its access token");
            let passes = self.token.would_be.iter().any(|route| route.verdict == "accept");
            let finding = if passes {
                finding.seen("it would pass nevertheless: nothing that is demanded tells it apart")
            } else {
                finding
            };
            found.add(
                finding
                    .certain()
                    .seen(format!(
                        "it has what only ID tokens have (nonce, at_hash and the like); its typ is {typ}"
                    ))
                    .step("The client sends access_token of the token endpoint's answer, not id_token.")
                    .step("For an audience of its own, it asks for one (audience or resource, RFC 8707)."),
            );
            return true;
        }
        if self.refusing(&["wrong_token_type"]).is_empty() {
            return false;
        }
        let accepted = self.its.map(|its| format!("accepted are {}", its.configured.token_types.join(", ")));
        let cause = match self.token.kind {
            TokenKind::Other => "The token is a refresh, logout or other token, and no access token",
            _ => "The token is of a type that is not accepted",
        };
        found.add(
            self.finding(Code::TokenTypeWrong, cause)
                .certain()
                .seen(format!("its typ is {typ}"))
                .seen_all(accepted)
                .step("The client sends its access token; if this is one, add its typ to token_types of the [[issuer]]."),
        );
        true
    }

    fn audience(&self, found: &mut Found) {
        let refusing = self.refusing(&["wrong_audience"]);
        let accepted =
            self.its.map(|its| its.configured.audiences.join(", ")).filter(|names| !names.is_empty());
        let accepted = accepted.map(|names| format!("accepted here: {names}"));
        let elsewhere = match self.token.audience {
            AudiencePlace::AuthorizedParty => Some("azp"),
            AudiencePlace::ClientId => Some("client_id"),
            AudiencePlace::Audience
            | AudiencePlace::Missing
            | AudiencePlace::NotDemanded
            | AudiencePlace::Others => None,
        };
        if refusing.is_empty() {
            return;
        }
        if let Some(place) = elsewhere {
            found.add(
                self.finding(Code::AudienceElsewhere, format!("Our audience is in {place} of the token, and not in aud"))
                    .certain()
                    .seen(format!("{place} has what aud should have; aud names others, or is missing"))
                    .seen_all(accepted)
                    .step("The provider puts the audience into aud: in Keycloak by an audience mapper, elsewhere by asking for it (resource, RFC 8707).")
                    .step("Not the other way: azp and client_id say who got the token, not whom it is for."),
            );
            return;
        }
        let what = match self.token.audience {
            AudiencePlace::Missing => "The token has no aud, and one is demanded",
            AudiencePlace::Audience => "The token is for another audience than some routes demand",
            _ => "The token is for another audience",
        };
        found.add(
            self.held_against(self.finding(Code::AudienceWrong, what), &refusing)
                .seen_all(accepted)
                .run("See what stands in aud:", inspect())
                .step("The client asks for our audience when it gets its token; or audiences of the [[issuer]] or [[route]] names the token's."),
        );
    }

    /// Scopes, claims, issuers and bindings that routes demand.
    fn granted(&self, found: &mut Found) {
        let demands: [(&[&str], Code, &str, &str); 4] = [
            (
                &["insufficient_scope", "missing_claim"],
                Code::ScopeMissing,
                "The token lacks a scope or a claim that a route demands",
                "The client asks for the scope, and the provider grants it; or the route demands less.",
            ),
            (
                &["wrong_issuer"],
                Code::IssuerNotAllowed,
                "The token's issuer is none of those that a route takes",
                "The client gets its token where the route says, or the [[route]] names this issuer in issuers.",
            ),
            (
                &["binding_missing"],
                Code::BindingMissing,
                "The token is not bound to a key or certificate, and a route demands it",
                "The client gets its token with DPoP or by mutual TLS, as binding of the [[route]] has it.",
            ),
            (
                &["inactive", "revoked"],
                Code::TokenRevoked,
                "The token was taken back, or its key was",
                "The client gets a new token.",
            ),
        ];
        for (reasons, code, cause, fix) in demands {
            let refusing = self.refusing(reasons);
            if !refusing.is_empty() {
                let finding = self.held_against(self.finding(code, cause), &refusing);
                found.add(finding.step(fix).run("Line by line, for the route that is asked:", inspect()));
            }
        }
    }

    /// Which routes say so. Where others do not, nobody knows here which one the client asks.
    fn held_against(&self, finding: Finding, refusing: &[&str]) -> Finding {
        let all = self.token.would_be.len();
        let finding = finding.seen_all(refusing.iter().map(|route| format!("refused by {route}")));
        if refusing.len() == all { finding.certain() } else { finding.possible() }
    }

    fn times(&self, found: &mut Found) {
        let times = self.token.times;
        let leeway = self.its.map_or(60, |its| its.configured.leeway_s);
        let beyond =
            |seconds: Option<i64>| seconds.filter(|seconds| *seconds > 0 && seconds.unsigned_abs() > leeway);
        let leeway_line = format!("the leeway is {leeway} s");
        if let Some(ago) = times.expired_for_s.filter(|_| !self.refusing(&["expired"]).is_empty()) {
            let cause = format!("The token expired {} ago", lasting(ago as f64));
            let finding = self.finding(Code::TokenExpired, cause).certain().seen(leeway_line.clone());
            let lifetime =
                times.lifetime_s.map(|seconds| format!("it was issued for {}", lasting(seconds as f64)));
            let finding = self.clocked(finding.seen_all(lifetime), ago, -1.0, leeway);
            found.add(
                finding.step("The client gets a new token before exp, and when it is told invalid_token."),
            );
        } else if !self.refusing(&["missing_claim"]).is_empty() && times.expired_for_s.is_none() {
            found.add(
                self.finding(Code::ScopeMissing, "The token has no exp, so that it would be good for ever")
                    .certain()
                    .seen("exp is missing")
                    .step("The provider puts exp into its access tokens (RFC 9068 §2.2)."),
            );
        }
        let begins = beyond(times.begins_in_s).or(beyond(times.issued_in_s));
        if let Some(ahead) = begins {
            let cause = format!(
                "The token is not valid yet: it begins, or was issued, {} ahead of our clock",
                lasting(ahead as f64)
            );
            let finding = self.finding(Code::TokenNotYetValid, cause).certain().seen(leeway_line);
            let finding = self.clocked(finding, ahead, 1.0, leeway);
            found.add(finding.step("Whoever issues it sets its clock by NTP, or stops dating tokens ahead."));
        }
    }

    /// What the provider's clock has to do with it. `direction` is that of a clock that makes such tokens.
    fn clocked(&self, finding: Finding, off: i64, direction: f64, leeway: u64) -> Finding {
        let Some(clock) = self.its.and_then(|its| its.clock) else {
            return finding;
        };
        let (away, side) = (lasting(clock.ahead_s), if clock.ahead_s < 0.0 { "behind" } else { "ahead of" });
        let finding = finding.seen(format!("the clock of {} is {away} {side} ours", self.name()));
        let by_clock = clock.ahead_s * direction + clock.uncertainty_s;
        // By the provider's own clock it would pass.
        let explains = by_clock > 0.0 && (off as f64) - by_clock <= leeway as f64;
        if explains { finding.seen("by the provider's clock it is in time").possible() } else { finding }
    }
}
