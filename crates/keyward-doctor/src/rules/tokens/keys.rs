//! Tokens whose key or algorithm is the trouble.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::facts::{PublishedKey, UnknownKids};

use super::{Found, Seen, hand_in, inspect};

/// From so many different key ids on, nobody's mistake explains them: no provider rotates like that.
const MADE_UP: u64 = 16;

impl Seen<'_> {
    pub(super) fn keys(&self, found: &mut Found) {
        self.unknown_kids(found);
        self.signature(found);
        self.denied(found);
        self.algorithm(found);
    }

    /// Junk, a key that is gone, or one that the provider has not published: the gateway's count of different key ids
    /// tells them apart.
    fn unknown_kids(&self, found: &mut Found) {
        let recorder = self.facts.gateway.as_ref().and_then(|gateway| gateway.recorder.as_ref());
        let kids = recorder.and_then(|recorder| recorder.unknown_kids);
        let rejected = self.sum(&["unknown_kid"]);
        let limited = self.sum(&["key_refresh_limited"]);
        // Where keys cannot be fetched, that they are not known is no news of the tokens; that there are so many is.
        let is_news = self.is_fetching_well() || kids.is_some_and(|kids| kids.different >= MADE_UP);
        let unavailable = if is_news { self.sum(&["keys_unavailable"]) } else { 0 };
        let unknown = rejected.saturating_add(limited).saturating_add(unavailable);
        if !self.counts.enough(unknown) || (!is_news && !self.counts.enough(rejected)) {
            return;
        }
        let finding = match kids {
            Some(kids) => self.told_apart(kids, unknown),
            None if limited > 0 => self.made_up(unknown),
            None => self.nobodys(unknown),
        };
        found.add(finding.seen_all((limited > 0).then(|| {
            format!("{limited} of them were not looked up any more: the budget of fetches for unknown keys is used up")
        })));
    }

    fn told_apart(&self, kids: UnknownKids, unknown: u64) -> crate::diagnosis::Finding {
        let UnknownKids { verdicts, different, of_withdrawn_keys } = kids;
        let line =
            format!("{verdicts} tokens named {different} different keys that the gateway does not hold");
        if of_withdrawn_keys.saturating_mul(2) > verdicts {
            let what = "carry a token of a key that its provider has taken back";
            return self
                .finding(Code::KeyWithdrawn, unknown, what)
                .certain()
                .seen(line)
                .seen(format!("{of_withdrawn_keys} of them named a key that was published until a refresh found it gone"))
                .step("If the key has leaked, this is as it should be: clients get new tokens.")
                .step("If not, the provider publishes it again until the last token that it signed has expired.");
        }
        if different >= MADE_UP {
            return self.made_up(unknown).seen(line).certain();
        }
        // A provider that signs with a new key does so for all: old keys' tokens run out, they do not go on.
        let is_share_of_provider = self.counts.share(unknown) >= 0.3;
        if is_share_of_provider && self.is_fetching_well() {
            let what = "carry a token of a key that the provider does not publish";
            return self
                .finding(Code::SignsWithUnpublishedKey, unknown, what)
                .seen(line)
                .seen("the gateway fetches the key set without trouble, and the key is not in it")
                .step("The provider publishes a key before it signs with it, for longer than any cache keeps the old set.")
                .run("That the provider signed it, and that it is not another environment's, one of them shows:", hand_in());
        }
        self.nobodys(unknown).seen(line)
    }

    fn made_up(&self, unknown: u64) -> crate::diagnosis::Finding {
        self.finding(Code::JunkKids, unknown, "carry a token with a key id that nobody has")
            .seen("good tokens are not delayed by it: fetches for unknown keys have a budget")
            .step("Look for who sends them in the proxy's log, by the correlation ids of unknown_kid, and limit them there.")
            .step("The gateway needs nothing: its keys stay what they are.")
    }

    fn nobodys(&self, unknown: u64) -> crate::diagnosis::Finding {
        let finding =
            self.finding(Code::KidUnknown, unknown, "carry a token that names a key which is not published");
        finding
            .seen("old tokens of a key that is gone, another environment's, or a key that is not published yet: a count does not tell")
            .run("One of the tokens does:", hand_in())
    }

    fn signature(&self, found: &mut Found) {
        let forged = self.sum(&["invalid_signature"]);
        if !self.counts.enough(forged) {
            return;
        }
        let what = "carry a token whose signature is not by the key that it names";
        let finding = self.finding(Code::SignatureForged, forged, what);
        // Where nothing else comes in, the keys are as likely to be what is wrong as the tokens.
        let finding = if self.is_all(forged) { finding.possible() } else { finding.likely() };
        found.add(
            finding
                .step("Another environment with the same kids, a token that something cut or rewrote on its way, or a forgery.")
                .run("Which key signed it, and whether a provider that is configured did, one of them shows:", hand_in()),
        );
    }

    /// `revoked` is said for keys that we deny, and for nothing else.
    fn denied(&self, found: &mut Found) {
        let revoked = self.sum(&["revoked"]);
        if !self.counts.enough(revoked) {
            return;
        }
        let configured = self.facts.issuers.iter().flat_map(|issuer| &issuer.configured.denied_kids);
        let held = self.gateway_issuers().iter().flat_map(|issuer| &issuer.denied_kids);
        let denied: BTreeSet<&String> = configured.chain(held).collect();
        let named = |code, what| self.finding(code, revoked, what);
        if denied.is_empty() {
            let what = "carry a token that was taken back, or one of a key that was";
            found.add(named(Code::TokenRevoked, what).step("The client gets a new token."));
            return;
        }
        found.add(
            named(Code::KeyDenied, "carry a token of a key that our configuration denies")
                .certain()
                .seen_all(denied.into_iter().map(|kid| format!("denied: {kid}")))
                .step("If the key has leaked, this is as it should be: the provider takes it back, and clients get new tokens.")
                .step("If it is over, take the kid out of deny of the [[issuer]]; the file is read again by itself.")
                .run("Check it first:", ["keyward", "config", "check", "keyward.toml"]),
        );
    }

    /// A provider that changed its algorithm publishes a key for it.
    fn algorithm(&self, found: &mut Found) {
        let refused = self.sum(&["unsupported_algorithm", "algorithm_mismatch"]);
        if !self.counts.enough(refused) {
            return;
        }
        let mut outside = Vec::new();
        for issuer in &self.facts.issuers {
            let accepted = &issuer.configured.algorithms;
            let is_outside = |key: &&PublishedKey| !key.algorithms.iter().any(|one| accepted.contains(one));
            let answers = issuer.key_set.iter().flat_map(|set| &set.answers);
            // One address' answer is enough: what differs between them is another finding.
            let keys = answers.take(1).flat_map(|answer| &answer.keys).filter(is_outside);
            outside.extend(keys.map(|key| {
                let kid = key.kid.as_deref().unwrap_or("without kid");
                format!(
                    "published key {kid} is for {}; accepted are {}",
                    key.algorithms.join(", "),
                    accepted.join(", ")
                )
            }));
        }
        if outside.is_empty() {
            let what = "carry a token of an algorithm that is not accepted, or that its key is not for";
            found.add(
                self.finding(Code::AlgorithmRefused, refused, what)
                    .step("No provider signs so: look for who sends them. \"none\" and HS256 with a public key are old attacks.")
                    .run("Look at one of them:", inspect()),
            );
            return;
        }
        let finding = self.finding(
            Code::AlgorithmChanged,
            refused,
            "carry a token of an algorithm that the provider has a key for and we do not accept",
        );
        found.add(
            finding
                .seen_all(outside)
                .step("Add the algorithm to algorithms of the [[issuer]] if the provider means to use it from now on.")
                .run("Check it:", ["keyward", "config", "check", "keyward.toml"])
                .run("See what the keys are for:", ["keyward", "keys", "check"]),
        );
    }

    /// Whether the gateway has keys of every issuer, and its last fetches brought them.
    fn is_fetching_well(&self) -> bool {
        let issuers = self.gateway_issuers();
        !issuers.is_empty() && issuers.iter().all(|issuer| issuer.usable && issuer.failures == 0)
    }
}
