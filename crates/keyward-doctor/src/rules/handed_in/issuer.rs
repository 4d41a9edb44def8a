//! Whose the token is.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{IssuerMatch, Signed};

use super::{Case, Found};
use crate::rules::tokens::inspect;

impl Case<'_> {
    /// Whether that is all there is to say.
    pub(super) fn issuer(&self, found: &mut Found) -> bool {
        let finding = match &self.token.issuer {
            IssuerMatch::Exact(name) => match &self.token.signed {
                Signed::ByOtherIssuer { name: other } => self.signed_elsewhere(name, other),
                _ => return false,
            },
            IssuerMatch::Near { name, differs_in } => self.near(name, differs_in),
            IssuerMatch::Unknown => self.unknown(),
            IssuerMatch::Absent => self
                .finding(Code::ScopeMissing, "The token has no iss, so that nobody knows whose it is")
                .certain()
                .seen("iss is missing")
                .step("The provider puts iss into its access tokens (RFC 9068 §2.2)."),
        };
        found.add(finding);
        true
    }

    fn signed_elsewhere(&self, name: &str, other: &str) -> Finding {
        let cause = format!("The token says that it is of {name}, and a key of {other} signed it");
        self.finding(Code::OtherEnvironment, cause)
            .certain()
            .seen(format!("iss is that of {name}, to the letter"))
            .seen(format!("its signature is verified by a published key of {other}, and by none of {name}"))
            .step(format!("{other} issues tokens in the name of {name}: one of both environments has the other's issuer set."))
    }

    /// Two spellings of one issuer, or two environments of one provider: its signature tells.
    fn near(&self, name: &str, differs_in: &[String]) -> Finding {
        let parts = differs_in.join(" and ").replace('_', " ");
        let line = format!("iss differs from that of {name} in: {parts}");
        let is_elsewhere = differs_in.iter().any(|part| ["host", "path", "port"].contains(&part.as_str()));
        let said = self.its.and_then(|its| its.discovery.as_ref()?.issuer.as_deref());
        let configured = self.its.map(|its| its.configured.issuer.as_str());
        let own_keys = matches!(self.token.signed, Signed::ByItsKey | Signed::ByAnother { .. });
        if own_keys || !is_elsewhere {
            let cause =
                format!("{name} calls itself otherwise in its tokens than it is configured: another {parts}");
            let finding = self.finding(Code::IssuerMismatch, cause).seen(line);
            let finding = match own_keys {
                true => finding
                    .certain()
                    .seen(format!("a published key of {name} signed it: it is that provider's")),
                false => finding.likely(),
            };
            let finding = finding.seen_all(configured.map(|issuer| format!("configured: {issuer}")));
            let finding =
                finding.seen_all(said.map(|issuer| format!("its discovery document says: {issuer}")));
            return finding
                .run("See what stands in iss:", inspect())
                .step("Write that into issuer of the [[issuer]], to the letter; or the provider is told its public address (hostname, external URL).")
                .run("Check it:", ["keyward", "config", "check", "keyward.toml"]);
        }
        let cause = format!("The token is of another environment than {name}: its iss has another {parts}");
        let finding = self.finding(Code::OtherEnvironment, cause).seen(line);
        let finding = match &self.token.signed {
            Signed::ByNone => {
                finding.certain().seen(format!("none of the published keys of {name} signed it"))
            }
            Signed::ByOtherIssuer { name: other } => {
                finding.certain().seen(format!("a published key of {other} signed it"))
            }
            _ => finding.likely().seen("its signature could not be tried"),
        };
        finding
            .run("See whose it is:", inspect())
            .step(format!("The client gets its token from {}; look for the other environment's address in its settings.", configured.unwrap_or(name)))
            .step("If tokens of both are meant to pass, the other one becomes an [[issuer]] of its own.")
    }

    fn unknown(&self) -> Finding {
        let names =
            self.facts.issuers.iter().map(|issuer| format!("configured: {}", issuer.configured.issuer));
        // Held against the only issuer there is.
        if matches!(self.token.signed, Signed::ByItsKey | Signed::ByAnother { .. }) {
            let cause = format!("{} calls itself otherwise in its tokens than it is configured", self.name());
            return self
                .finding(Code::IssuerMismatch, cause)
                .certain()
                .seen("iss is none that is configured, and a key that is published there signed it")
                .seen_all(names)
                .run("See what stands in iss:", inspect())
                .step("Write that into issuer of the [[issuer]], to the letter.");
        }
        if let Signed::ByOtherIssuer { name } = &self.token.signed {
            let cause = format!("{name} calls itself otherwise in its tokens than it is configured");
            return Finding::new(Code::IssuerMismatch, cause)
                .of(name)
                .certain()
                .seen(format!("iss is none that is configured, and a published key of {name} signed it"))
                .seen_all(names)
                .run("See what stands in iss:", inspect())
                .step("Write that into issuer of the [[issuer]], to the letter.");
        }
        // Of no issuer of ours.
        Finding::new(Code::IssuerUnknown, "The token is of an issuer that is not configured")
            .certain()
            .seen("iss is none that is configured, and near to none")
            .seen_all(names)
            .run("See whose it is:", inspect())
            .step("The client gets its token from an issuer that is configured, or that one becomes an [[issuer]].")
    }
}
