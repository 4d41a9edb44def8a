//! Tokens that our own configuration, or a proxy of ours, may be the reason for.

use crate::code::Code;
use crate::facts::IssuerFacts;

use super::{Found, Seen, hand_in, inspect};

impl Seen<'_> {
    pub(super) fn policy(&self, found: &mut Found) {
        self.missing(found);
        self.several(found);
        self.audience(found);
        self.issuer(found);
    }

    /// Visitors without a token are no incident. That hardly anybody has one is.
    fn missing(&self, found: &mut Found) {
        let missing = self.sum(&["missing_token"]);
        if !self.counts.enough(missing) || self.counts.share(missing) < 0.9 {
            return;
        }
        let what = "reach the gateway without a token: a proxy strips Authorization";
        let accepted = self.counts.accepted();
        let finding = self.finding(Code::HeaderStripped, missing, what);
        let finding = finding.seen(format!("{accepted} were accepted meanwhile"));
        found.add(
            finding
                .step("The proxy hands on Authorization to the gateway: nginx keeps it in auth_request, Traefik needs it in authRequestHeaders.")
                .step("If the route takes its token from a cookie, the proxy hands on Cookie as well.")
                .step("See what arrives: the gateway's log says missing_token with a correlation id, and so does the proxy's."),
        );
    }

    fn several(&self, found: &mut Found) {
        let several = self.sum(&["several_tokens"]);
        if !self.counts.enough(several) {
            return;
        }
        let what = "reach the gateway with more than one token: a proxy adds a second Authorization, or a cookie comes beside it";
        found.add(
            self.finding(Code::HeaderDoubled, several, what)
                .step("The proxy sets Authorization in place of adding to it, and does not hand on the session's cookie beside it.")
                .step("One token a request, in one place (RFC 6750 §2): the client sends the header or the cookie."),
        );
    }

    /// Where everybody's audience is wrong, it is ours that is.
    fn audience(&self, found: &mut Found) {
        let wrong = self.sum(&["wrong_audience"]);
        if !self.counts.enough(wrong) {
            return;
        }
        let accepted = self.only_issuer().map(|issuer| issuer.configured.audiences.join(", "));
        let accepted =
            accepted.filter(|names| !names.is_empty()).map(|names| format!("accepted here: {names}"));
        if self.is_all(wrong) {
            let what = "carry a token for another audience than is configured, and none for it";
            found.add(
                self.finding(Code::AudienceConfiguredWrong, wrong, what)
                    .seen_all(accepted)
                    .seen("nothing was accepted meanwhile")
                    .run("See what stands in aud:", inspect())
                    .step("Put that into audiences of the [[issuer]] or the [[route]], to the letter.")
                    .run("Check it:", ["keyward", "config", "check", "keyward.toml"]),
            );
            return;
        }
        found.add(
            self.finding(Code::AudienceWrong, wrong, "carry a token for another audience")
                .seen_all(accepted)
                .step("The client asks for this audience (audience or resource, RFC 8707) when it gets its token.")
                .run("Whether our audience is in azp or client_id instead, one of them shows:", hand_in()),
        );
    }

    fn issuer(&self, found: &mut Found) {
        let refused = self.sum(&["wrong_issuer"]);
        if self.counts.enough(refused) {
            found.add(
                self.finding(Code::IssuerNotAllowed, refused, "carry a token of an issuer that the route does not take")
                    .certain()
                    .step("The client gets its token where the route says, or the [[route]] names its issuer in issuers.")
                    .run("See whose it is:", inspect()),
            );
        }
        let unknown = self.sum(&["unknown_issuer"]);
        if !self.counts.enough(unknown) {
            return;
        }
        let names =
            self.facts.issuers.iter().map(|issuer| format!("configured: {}", issuer.configured.issuer));
        if self.is_all(unknown) && !self.facts.issuers.iter().any(calls_itself_so) {
            let what = "carry a token whose iss is none that is configured, and none carries one that is";
            found.add(
                self.finding(Code::IssuerMismatch, unknown, what)
                    .seen_all(names)
                    .seen("nothing was accepted meanwhile")
                    .run("See what stands in iss:", inspect())
                    .step("Write it into issuer of [[issuer]] to the letter: scheme, host, port, case and the last slash count."),
            );
            return;
        }
        found.add(
            self.finding(Code::IssuerUnknown, unknown, "carry a token of an issuer that is not configured")
                .seen_all(names)
                .step("The client gets its token from an issuer that is configured here; look for another environment's address in it.")
                .run("Whether it is another environment of ours, one of them shows:", hand_in()),
        );
    }
}

/// Whether the provider says itself what is configured, so that the configuration is not what is wrong.
fn calls_itself_so(issuer: &IssuerFacts) -> bool {
    let said = issuer.discovery.as_ref().and_then(|discovery| discovery.issuer.as_deref());
    said == Some(issuer.configured.issuer.as_str())
}
