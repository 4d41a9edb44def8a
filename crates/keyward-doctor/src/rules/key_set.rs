//! What is published.

use std::collections::BTreeSet;

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{
    AnsweredKeySet, Facts, GatewayIssuer, IssuerFacts, KeySetFacts, PublishedKey, SkippedKey,
};

use super::counts::Counts;
use super::found::Found;
use super::held::{self, Seen};
use super::words::{lasting, listed, several};

/// Why a key is left aside that is no fault of it: providers publish keys for other purposes, and of newer kinds.
const HARMLESS: &[&str] =
    &["algorithm_unsupported", "curve_unsupported", "not_for_verification", "type_unsupported"];

/// An answer that a cache has had for less than this is as good as new.
const YOUNG_S: u64 = 10;

/// From so many different unknown key ids on they are made up, and say nothing about a cache.
const MADE_UP: u64 = 16;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for seen in held::issuers(facts) {
        let published = seen.probed.and_then(|issuer| Some((issuer, issuer.key_set.as_ref()?)));
        match published.and_then(|(issuer, set)| Some((issuer, set, set.answers.first()?))) {
            Some((issuer, set, first)) => Look { facts, seen, issuer, set, first }.look(found),
            None => of_gateway_alone(facts, seen, found),
        }
    }
}

/// A published key set beside what the gateway makes of it.
struct Look<'a> {
    facts: &'a Facts,
    seen: Seen<'a>,
    issuer: &'a IssuerFacts,
    set: &'a KeySetFacts,
    first: &'a AnsweredKeySet,
}

impl Look<'_> {
    fn look(&self, found: &mut Found) {
        let before = found.findings.len();
        self.content(found);
        self.names(found);
        self.differences(found);
        self.cache(found);
        self.algorithms(found);
        self.behind(found);
        if found.findings.len() == before {
            found.healthy(self.seen.name, self.told_well());
        }
    }

    /// Whether there are keys, and which of them can be used.
    fn content(&self, found: &mut Found) {
        let (usable, skipped) = (self.first.keys.len(), &self.first.skipped);
        let place = &self.set.place;
        let finding = match (usable, skipped.is_empty()) {
            (0, true) => self
                .finding(Code::KeySetEmpty, format!("{place} publishes no key at all"))
                .certain()
                .step("Have whoever runs the provider look why it lost its keys, or does not find them")
                .step("Restart no gateway meanwhile: an empty set replaces no good one, and those go on verifying"),
            (0, false) => self
                .finding(
                    Code::NoUsableKey,
                    format!("none of the {} at {place} can be used: {}", several(skipped.len(), "key"), reasons(skipped)),
                )
                .certain()
                .step("Have the provider publish a key for signatures that can be used"),
            (_, true) => return,
            (_, false) if !self.matters(skipped) => return,
            (_, false) => unusable(self.seen.name, skipped, usable).seen(format!("GET {place}")),
        };
        found.add(self.checked(finding.seen_all(skipped.iter().map(skipped_told))));
    }

    fn matters(&self, skipped: &[SkippedKey]) -> bool {
        skipped.iter().any(|key| !HARMLESS.contains(&key.reason.as_str()))
            || names_unusable(self.facts, self.seen.held)
    }

    /// Two keys of one name, and keys without any.
    fn names(&self, found: &mut Found) {
        let keys = &self.first.keys;
        let kids: Vec<&str> = keys.iter().filter_map(|key| key.kid.as_deref()).collect();
        let twice: BTreeSet<&str> = keys
            .iter()
            .filter(|key| {
                let same = |other: &&PublishedKey| other.kid == key.kid && other.thumbprint != key.thumbprint;
                key.kid.is_some() && keys.iter().any(|other| same(&other))
            })
            .filter_map(|key| key.kid.as_deref())
            .collect();
        if !twice.is_empty() {
            let cause = format!("different keys at {} share a kid: {}", self.set.place, listed(&twice));
            let finding = self.finding(Code::KidDuplicate, cause).certain();
            found.add(self.checked(finding.step("Have each key published under a kid of its own: others take the first, and refuse the tokens of the second")));
        }
        let nameless = keys.len() - kids.len();
        if nameless > 1 {
            let cause =
                format!("{nameless} of the {} at {} have no kid", several(keys.len(), "key"), self.set.place);
            let finding = self.finding(Code::KidMissing, cause).certain();
            found.add(self.checked(
                finding.step("Have each key published with a kid: without one, every key is tried"),
            ));
        }
    }

    /// One answer is not like another, be it by address or by moment.
    fn differences(&self, found: &mut Found) {
        let first = identities(self.first);
        if self.set.answers.iter().all(|answer| identities(answer) == first) {
            return;
        }
        let is_cached = self.set.answers.iter().any(|answer| answer.age_s.is_some_and(|age| age > 0));
        let addresses: BTreeSet<_> = self.set.answers.iter().map(|answer| answer.address).collect();
        let by = if addresses.len() > 1 { "address" } else { "request" };
        let place = &self.set.place;
        let finding = if is_cached {
            let cause = format!("{place} answers another key set at each {by}, some of them from a cache");
            self.finding(Code::CacheServesOldSet, cause)
                .likely()
                .step("Empty the cache in front of the provider, or have it keep the key set for less long")
        } else {
            let cause = format!("{place} answers another key set at each {by}");
            self.finding(Code::AnswersDiffer, cause)
                .certain()
                .step("Find the node that differs from the others: it was not restarted, or does not read the same keys")
        };
        found.add(self.checked(finding));
    }

    /// A cache that has had its answer since before a key that somebody already uses.
    fn cache(&self, found: &mut Found) {
        let oldest = self.set.answers.iter().max_by_key(|answer| answer.age_s.unwrap_or(0));
        let Some((answer, age)) = oldest.and_then(|answer| Some((answer, answer.age_s?))) else { return };
        let newer = self.seen.held.map(|held| only_held(held, answer)).unwrap_or_default();
        let asked_for = unknown(self.facts);
        // The shorter keys are fresh for us, the shorter a cache may have them.
        let ttl = self.issuer.configured.ttl_s.max(1.0) as u64;
        if age < YOUNG_S.min(ttl) || (newer.is_empty() && asked_for.is_none()) {
            return;
        }
        let is_over = answer.max_age_s.is_some_and(|max_age| age > max_age);
        let cause = format!(
            "what {} answers is {} old: a cache in front of it has had it that long",
            self.set.place,
            lasting(age as f64)
        );
        let good_for = answer.max_age_s.map_or("without max-age".to_owned(), |s| format!("max-age={s}"));
        let finding = self
            .finding(Code::CacheServesOldSet, cause)
            .seen(format!("Age: {age}, {good_for}"))
            .seen_all((!newer.is_empty()).then(|| format!("the gateway has keys that this answer lacks: {}", listed(&newer))))
            .seen_all(asked_for.map(|told| format!("tokens of keys that are not in it: {told}")))
            .step("Empty the cache in front of the provider for this address")
            .step("Have it keep the key set for less long than the provider publishes a key before it signs with it");
        let is_likely = is_over || age >= ttl.min(60);
        found.add(self.checked(if is_likely { finding.likely() } else { finding.possible() }));
    }

    /// Keys, and none for an algorithm that is accepted.
    fn algorithms(&self, found: &mut Found) {
        let accepted = &self.issuer.configured.algorithms;
        let serves = |key: &PublishedKey| key.algorithms.iter().any(|algorithm| accepted.contains(algorithm));
        if accepted.is_empty() || self.first.keys.is_empty() || self.first.keys.iter().any(serves) {
            return;
        }
        let published: BTreeSet<&String> = self.first.keys.iter().flat_map(|key| &key.algorithms).collect();
        let cause = format!(
            "the published keys are for {}, and only {} is accepted",
            listed(&published),
            listed(accepted)
        );
        found.add(
            self.finding(Code::AlgorithmChanged, cause)
                .certain()
                .step("Ask whoever runs the provider whether they changed it. If so, add it to algorithms of the [[issuer]]")
                .run("and check the file before it is read", ["keyward", "config", "check", "keyward.toml"]),
        );
    }

    /// A key that the provider publishes, clients use, and the gateway does not have.
    fn behind(&self, found: &mut Found) {
        let (Some(held), Some(told)) = (self.seen.held, unknown(self.facts)) else { return };
        let new = only_published(self.first, held);
        if new.is_empty() || !matches!(held.state.as_str(), "fresh" | "stale") {
            return;
        }
        let cause = format!("the provider publishes {}, and the gateway does not have it", listed(&new));
        let age = held.age_seconds.map(|age| format!("the gateway's set is {} old", lasting(age as f64)));
        let next = held.next_refresh_seconds.map(|s| format!("its next fetch is in {}", lasting(s as f64)));
        found.add(
            self.finding(Code::RotationNotPickedUp, cause)
                .seen_all(age)
                .seen_all(next)
                .seen(format!("tokens of keys that it does not have: {told}"))
                .likely()
                .step("It fetches by itself as soon as a token names a key that it lacks, unless junk has used up the budget for that")
                .step("Have providers publish a key for longer than key_set.ttl before they sign with it"),
        );
    }

    fn finding(&self, code: Code, cause: String) -> Finding {
        Finding::new(code, cause).of(self.seen.name).seen_all(self.set.answers.iter().map(answer_told))
    }

    fn checked(&self, finding: Finding) -> Finding {
        finding.run_keys_check(&self.issuer.configured)
    }

    fn told_well(&self) -> String {
        let kids = self.first.keys.iter().map(name);
        let aside = match self.first.skipped.len() {
            0 => String::new(),
            count => format!(", and {} left aside: {}", several(count, "key"), reasons(&self.first.skipped)),
        };
        format!(
            "{} publishes {}: {}{aside}",
            self.set.place,
            several(self.first.keys.len(), "usable key"),
            listed(kids)
        )
    }
}

/// Where the set was not looked at, the gateway tells which of its keys it cannot use.
fn of_gateway_alone(facts: &Facts, seen: Seen<'_>, found: &mut Found) {
    let Some(held) = seen.held else { return };
    let skipped: Vec<SkippedKey> = held
        .skipped
        .iter()
        .map(|key| SkippedKey {
            index: 0,
            kid: key.kid.clone(),
            reason: key.reason.clone(),
            description: key.description.clone(),
        })
        .collect();
    let is_fault = skipped.iter().any(|key| !HARMLESS.contains(&key.reason.as_str()));
    if !skipped.is_empty() && (is_fault || names_unusable(facts, seen.held)) {
        found.add(unusable(seen.name, &skipped, held.keys.len()).seen_all(skipped.iter().map(skipped_told)));
    }
}

fn unusable(name: &str, skipped: &[SkippedKey], usable: usize) -> Finding {
    let cause = format!(
        "{} of {} cannot be used: {}",
        skipped.len(),
        several(skipped.len() + usable, "published key"),
        reasons(skipped)
    );
    Finding::new(Code::SomeKeysUnusable, cause).of(name).certain().step(
        "The others verify as ever; only tokens of these cannot be decided. Have them mended, or taken out",
    )
}

/// Whether tokens name a key that is published and cannot be used: what is said of those.
fn names_unusable(facts: &Facts, held: Option<&GatewayIssuer>) -> bool {
    let fetches_well = held.is_some_and(|held| held.usable && held.failures == 0);
    fetches_well && Counts::of(facts).is_some_and(|counts| counts.enough(counts.reason("keys_unavailable")))
}

/// How many requests name keys that the gateway does not have, where that are enough, and not made-up ones.
fn unknown(facts: &Facts) -> Option<String> {
    let counts = Counts::of(facts)?;
    let kids = held::recorder(facts)?.unknown_kids;
    let count = counts.reason("unknown_kid").saturating_add(counts.reason("key_refresh_limited"));
    let count = if kids.is_some() { count.saturating_add(counts.reason("keys_unavailable")) } else { count };
    let is_made_up = kids.is_some_and(|kids| kids.different >= MADE_UP || kids.verdicts == 0);
    (counts.enough(count) && !is_made_up).then(|| counts.in_words(count))
}

fn identities(answer: &AnsweredKeySet) -> BTreeSet<(Option<&str>, Option<&str>)> {
    answer.keys.iter().map(|key| (key.kid.as_deref(), key.thumbprint.as_deref())).collect()
}

/// Keys that the gateway has, and this answer does not.
fn only_held(held: &GatewayIssuer, answer: &AnsweredKeySet) -> Vec<String> {
    let is_there =
        |thumbprint: &str| answer.keys.iter().any(|key| key.thumbprint.as_deref() == Some(thumbprint));
    let keys = held.keys.iter().filter(|key| key.thumbprint.as_deref().is_some_and(|print| !is_there(print)));
    keys.map(|key| key.kid.clone().or_else(|| key.thumbprint.clone()).unwrap_or_default()).collect()
}

/// Keys that this answer has, and the gateway does not.
fn only_published(answer: &AnsweredKeySet, held: &GatewayIssuer) -> Vec<String> {
    let is_there =
        |thumbprint: &str| held.keys.iter().any(|key| key.thumbprint.as_deref() == Some(thumbprint));
    let keys =
        answer.keys.iter().filter(|key| key.thumbprint.as_deref().is_some_and(|print| !is_there(print)));
    keys.map(name).collect()
}

fn answer_told(answer: &AnsweredKeySet) -> String {
    let who = answer.address.map_or("the file".to_owned(), |address| address.to_string());
    let keys = if answer.keys.is_empty() {
        "no usable key".to_owned()
    } else {
        listed(answer.keys.iter().map(name))
    };
    let age = answer.age_s.map_or(String::new(), |age| format!(", Age: {age}"));
    format!("{who} publishes {keys}{age}")
}

fn skipped_told(key: &SkippedKey) -> String {
    let kid = key.kid.as_deref().unwrap_or("without kid");
    format!("key {} ({kid}) is {}: {}", key.index, key.reason, key.description)
}

fn reasons(skipped: &[SkippedKey]) -> String {
    let reasons: BTreeSet<&str> = skipped.iter().map(|key| key.reason.as_str()).collect();
    listed(reasons)
}

fn name(key: &PublishedKey) -> String {
    key.kid.clone().or_else(|| key.thumbprint.clone()).unwrap_or_else(|| "a key without a name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Certainty;
    use crate::facts::UnknownKids;
    use crate::rules::diagnose;
    use crate::rules::fixture::{counted, first, found, published, with};

    fn skipped(reason: &str) -> SkippedKey {
        SkippedKey {
            index: 2,
            kid: Some("odd".to_owned()),
            reason: reason.to_owned(),
            description: "in words".to_owned(),
        }
    }

    fn each_answer(change: impl Fn(&mut AnsweredKeySet)) -> Facts {
        with(|facts| facts.keys().answers.iter_mut().for_each(change))
    }

    /// A third of the requests name a key that the gateway does not have.
    fn tokens_of_unknown_keys(facts: &mut Facts, different: u64) {
        facts.recorder().verdicts =
            vec![counted("accept", None, 200), counted("undecided", Some("key_refresh_limited"), 100)];
        facts.recorder().unknown_kids = Some(UnknownKids { verdicts: 100, different, of_withdrawn_keys: 0 });
    }

    #[test]
    fn an_empty_set_is_told_from_one_of_which_nothing_can_be_used() {
        assert_eq!(found(&each_answer(|answer| answer.keys.clear())), "KW1201");
        let useless = each_answer(|answer| {
            answer.keys.clear();
            answer.skipped = vec![skipped("modulus_size")];
        });
        assert_eq!(found(&useless), "KW1202");
        assert_eq!(
            first(&useless).fix.last().and_then(|step| step.command.as_deref()),
            Some("keyward keys check --issuer https://idp.example/realms/main")
        );
    }

    #[test]
    fn a_key_for_another_purpose_is_left_aside_and_a_broken_one_is_told() {
        for (reason, expected) in [
            ("not_for_verification", ""),
            ("type_unsupported", ""),
            ("malformed", "KW1203"),
            ("point_invalid", "KW1203"),
        ] {
            let facts = each_answer(|answer| answer.skipped = vec![skipped(reason)]);
            assert_eq!(found(&facts), expected, "{reason}");
        }
        let healthy =
            diagnose(&each_answer(|answer| answer.skipped = vec![skipped("type_unsupported")])).healthy;
        assert!(
            healthy.iter().any(|healthy| healthy.what.contains("1 key left aside: type_unsupported")),
            "{healthy:?}"
        );
    }

    #[test]
    fn a_key_of_a_newer_kind_matters_once_tokens_name_it() {
        let facts = with(|facts| {
            facts
                .keys()
                .answers
                .iter_mut()
                .for_each(|answer| answer.skipped = vec![skipped("type_unsupported")]);
            facts.recorder().verdicts =
                vec![counted("accept", None, 90), counted("undecided", Some("keys_unavailable"), 10)];
        });
        assert_eq!(first(&facts).code, Code::SomeKeysUnusable);
    }

    #[test]
    fn keys_of_one_name_and_keys_without_one_are_told() {
        let twice = each_answer(|answer| {
            answer.keys[1].kid = answer.keys[0].kid.clone();
        });
        assert_eq!(found(&twice), "KW1204");
        let same_key_for_two_algorithms = each_answer(|answer| answer.keys.push(answer.keys[0].clone()));
        assert_eq!(found(&same_key_for_two_algorithms), "");
        assert_eq!(
            found(&each_answer(|answer| answer.keys.iter_mut().for_each(|key| key.kid = None))),
            "KW1205"
        );
        assert_eq!(found(&each_answer(|answer| answer.keys[0].kid = None)), "");
    }

    #[test]
    fn answers_that_differ_are_a_node_or_where_they_have_an_age_a_cache() {
        let by_address = with(|facts| facts.keys().answers[1].keys.truncate(1));
        assert_eq!(found(&by_address), "KW1206");
        assert!(first(&by_address).cause.ends_with("answers another key set at each address"));
        let by_request = with(|facts| {
            let answers = &mut facts.keys().answers;
            answers.remove(1);
            answers[1].keys.truncate(1);
        });
        assert!(first(&by_request).cause.ends_with("answers another key set at each request"));
        let cached = with(|facts| {
            facts.keys().answers[1].keys.truncate(1);
            facts.keys().answers[1].age_s = Some(400);
        });
        assert_eq!(found(&cached), "KW1207");
    }

    #[test]
    fn an_old_answer_is_a_trouble_only_where_somebody_misses_a_key() {
        let old =
            |facts: &mut Facts| facts.keys().answers.iter_mut().for_each(|answer| answer.age_s = Some(600));
        assert_eq!(found(&with(old)), "");
        let missed = with(|facts| {
            old(facts);
            tokens_of_unknown_keys(facts, 1);
        });
        let finding = first(&missed);
        assert_eq!((finding.code, finding.certainty), (Code::CacheServesOldSet, Certainty::Likely));
        assert!(
            finding.evidence.iter().any(|fact| fact == "Age: 600, max-age=300"),
            "{:?}",
            finding.evidence
        );
        let gateway_is_ahead = with(|facts| {
            old(facts);
            facts.held().keys.push(crate::rules::fixture::held_key("key-3", 5));
        });
        assert_eq!(first(&gateway_is_ahead).code, Code::CacheServesOldSet);
        let junk = with(|facts| {
            old(facts);
            tokens_of_unknown_keys(facts, 64);
        });
        assert_eq!(first(&junk).code, Code::JunkKids);
    }

    #[test]
    fn a_rotation_that_the_gateway_has_not_picked_up_is_one_only_where_tokens_name_the_key() {
        let rotated = |facts: &mut Facts| {
            facts.keys().answers.iter_mut().for_each(|answer| answer.keys.push(published("key-3")))
        };
        assert_eq!(found(&with(rotated)), "");
        let missed = with(|facts| {
            rotated(facts);
            tokens_of_unknown_keys(facts, 1);
        });
        let finding = first(&missed);
        assert_eq!(finding.code, Code::RotationNotPickedUp);
        assert!(finding.cause.contains("publishes key-3"), "{}", finding.cause);
    }

    #[test]
    fn keys_for_algorithms_that_nobody_accepts_mean_that_the_provider_changed_it() {
        let facts = each_answer(|answer| {
            answer.keys.iter_mut().for_each(|key| key.algorithms = vec!["EdDSA".to_owned()])
        });
        let finding = first(&facts);
        assert_eq!((finding.code, finding.certainty), (Code::AlgorithmChanged, Certainty::Certain));
        assert!(
            finding.cause.contains("EdDSA") && finding.cause.contains("RS256, ES256"),
            "{}",
            finding.cause
        );
        assert_eq!(found(&each_answer(|answer| answer.keys[0].algorithms = vec!["EdDSA".to_owned()])), "");
    }

    #[test]
    fn a_gateway_alone_tells_which_keys_it_cannot_use() {
        let facts = with(|facts| {
            facts.issuers.clear();
            let key = crate::facts::GatewaySkippedKey {
                kid: None,
                reason: "malformed".to_owned(),
                description: String::new(),
            };
            facts.held().skipped = vec![key];
        });
        assert_eq!(found(&facts), "KW1203");
    }
}
