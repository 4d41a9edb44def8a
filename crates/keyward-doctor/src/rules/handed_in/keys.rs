//! Which key signed the token, and which one it names.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{IssuerFacts, KidMatch, PublishedKey, Signed};

use super::{Case, Found};
use crate::rules::words::lasting;

/// A token that was issued less than so many seconds ago is what its provider signs now.
const YOUNG_S: i64 = 600;

impl Case<'_> {
    /// Whether that is all there is to say.
    pub(super) fn keys(&self, found: &mut Found) -> bool {
        let Some(its) = self.its else {
            return false;
        };
        let finding = self.denied(its).or_else(|| self.algorithm(its)).or_else(|| self.signature(its));
        match finding {
            Some(finding) => {
                found.add(finding);
                true
            }
            None => false,
        }
    }

    fn denied(&self, its: &IssuerFacts) -> Option<Finding> {
        let held =
            self.facts.gateway.as_ref().and_then(|gateway| gateway.issuers.as_deref()).unwrap_or_default();
        let held =
            held.iter().filter(|held| held.name == its.configured.name).flat_map(|held| &held.denied_kids);
        let denies =
            |kid: &str| its.configured.denied_kids.iter().chain(held.clone()).any(|denied| denied == kid);
        let names = [
            match &self.token.kid {
                KidMatch::Published(kid) | KidMatch::Withdrawn(kid) => Some(kid),
                _ => None,
            },
            match &self.token.signed {
                Signed::ByAnother { kid } => Some(kid),
                _ => None,
            },
        ];
        let kid = names.into_iter().flatten().find(|kid| denies(kid))?;
        let finding = self.finding(
            Code::KeyDenied,
            format!("The token is of the key {kid}, which our configuration denies"),
        );
        Some(
            finding
                .certain()
                .seen(format!("denied: {kid}"))
                .step("If the key has leaked, this is as it should be: the provider takes it back, and the client gets a new token.")
                .step("If it is over, take the kid out of deny of the [[issuer]]; the file is read again by itself."),
        )
    }

    fn algorithm(&self, its: &IssuerFacts) -> Option<Finding> {
        let algorithm = self.token.algorithm.as_deref()?;
        let accepted = &its.configured.algorithms;
        if accepted.is_empty() || accepted.iter().any(|one| one == algorithm) {
            return None;
        }
        let line = format!("its alg is {algorithm}; accepted are {}", accepted.join(", "));
        let name = self.name();
        Some(match self.token.signed {
            Signed::ByItsKey | Signed::ByAnother { .. } => self
                .finding(Code::AlgorithmChanged, format!("{name} signs with {algorithm}, which is not accepted"))
                .certain()
                .seen(line)
                .seen(format!("a published key of {name} signed it"))
                .step(format!("Add \"{algorithm}\" to algorithms of the [[issuer]], if the provider means to use it from now on."))
                .run("Check it:", ["keyward", "config", "check", "keyward.toml"]),
            _ => self
                .finding(Code::AlgorithmRefused, format!("The token's algorithm, {algorithm}, is not accepted"))
                .certain()
                .seen(line)
                .step("The client gets its token from the provider, which signs otherwise; this one was made elsewhere."),
        })
    }

    fn signature(&self, its: &IssuerFacts) -> Option<Finding> {
        let name = self.name();
        match (&self.token.signed, &self.token.kid) {
            (Signed::ByItsKey | Signed::NotTried | Signed::ByOtherIssuer { .. }, _) => None,
            (Signed::ByAnother { kid }, KidMatch::Otherwise { published, differs_in }) if kid == published => Some(
                self.finding(Code::KidOtherEncoding, format!("{name} writes its key's id otherwise in tokens than in its key set"))
                    .certain()
                    .seen(format!("the key {published} signed it, and its kid is that in another spelling: {differs_in}"))
                    .step("The provider writes the kid of the key set into its tokens, to the letter; a proxy or a plugin that signs is where it differs."),
            ),
            (Signed::ByAnother { kid }, named) => {
                let says = match named {
                    KidMatch::Published(named) | KidMatch::Withdrawn(named) => format!("its kid says {named}"),
                    _ => "its kid is none that is published".to_owned(),
                };
                Some(
                    self.finding(Code::SignedByAnotherKey, format!("The key {kid} signed the token, and {says}"))
                        .certain()
                        .seen(format!("its signature is verified by the published key {kid} of {name}"))
                        .seen(says)
                        .step("The provider writes the kid of the key that it signs with: two nodes, or a key that was replaced under its name, are the usual cause."),
                )
            }
            (Signed::ByNone, KidMatch::Withdrawn(kid)) => Some(
                self.finding(Code::KeyWithdrawn, format!("{name} does not publish the key {kid} any more, which the token is signed with"))
                    .certain()
                    .seen(format!("its kid is {kid}: the gateway holds that key still, and no answer of the provider does"))
                    .step("The provider publishes a key until the last token that it signed has expired; or clients get new tokens."),
            ),
            (Signed::ByNone, KidMatch::Unknown) => Some(self.nobodys_key()),
            (Signed::ByNone, KidMatch::Published(kid)) if self.serves_not(its, kid) => {
                let algorithm = self.token.algorithm.as_deref().unwrap_or_default();
                Some(
                    self.finding(Code::AlgorithmRefused, format!("The token uses {algorithm}, which its key {kid} is not for"))
                        .certain()
                        .seen(format!("its kid is {kid}, and that key is not published for {algorithm}"))
                        .step("The provider publishes the key without alg, or with the one that it signs with."),
                )
            }
            (Signed::ByNone, named) => {
                let finding = self.finding(Code::SignatureForged, "No published key signed the token");
                let finding = match named {
                    KidMatch::Published(kid) => finding.seen(format!("its kid is {kid}, and neither that key nor another one signed it")),
                    _ => finding.seen("no published key verifies its signature"),
                };
                Some(
                    finding
                        .certain()
                        .step("A token that something cut or rewrote on its way, another environment with the same kids, or a forgery.")
                        .step("The client gets a new one; if that is refused as well, the provider signs with another key than it publishes under this kid."),
                )
            }
        }
    }

    /// What nobody verified cannot tell who is at fault, but its age is a hint.
    fn nobodys_key(&self) -> Finding {
        let name = self.name();
        let age = self.token.times.issued_in_s.map(|ahead| ahead.saturating_neg());
        let line = format!("its kid is none that {name} publishes, and no published key signed it");
        let finding = match age {
            Some(age) if age < YOUNG_S => self
                .finding(Code::SignsWithUnpublishedKey, format!("{name} signs with a key that it does not publish"))
                .seen(line)
                .seen(format!("it says that it was issued {} ago, in the name of {name}", lasting(age as f64)))
                .step("The provider publishes a key before it signs with it, for longer than any cache keeps the old set."),
            _ => self
                .finding(Code::KidUnknown, "The token names a key that nobody publishes")
                .seen(line)
                .seen_all(age.map(|age| format!("it says that it was issued {} ago", lasting(age as f64))))
                .step("The client gets a new token: the key of this one is gone, or it is of another environment."),
        };
        finding.seen("nobody could verify what it says of itself").likely()
    }

    /// Whether the published key of this name is for other algorithms than the token's.
    fn serves_not(&self, its: &IssuerFacts, kid: &str) -> bool {
        let answers = its.key_set.iter().flat_map(|set| &set.answers);
        let named = |key: &&PublishedKey| key.kid.as_deref() == Some(kid);
        let mut keys = answers.flat_map(|answer| &answer.keys).filter(named).peekable();
        let serves =
            |key: &PublishedKey| key.algorithms.iter().any(|one| Some(one) == self.token.algorithm.as_ref());
        keys.peek().is_some() && !keys.any(serves)
    }
}
