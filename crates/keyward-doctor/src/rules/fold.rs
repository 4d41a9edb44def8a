//! Puts what follows from a finding under it, and what matters most first.

use crate::code::Code;
use crate::diagnosis::{Certainty, Diagnosis, Finding};

use super::follows::can_follow;
use super::found::Found;

/// What is an effect of something and never the cause. It goes under whatever could explain it, however unsure that is.
const SYMPTOMS: &[Code] = &[
    Code::KeysStale,
    Code::KeysTooOld,
    Code::NoKeysYet,
    Code::SnapshotInUse,
    Code::BreakerOpen,
    Code::FallbackInUse,
    Code::FallbackFailsToo,
    Code::NoFallback,
    Code::GatewayNotReady,
    Code::GatewayUndecided,
];

/// What makes no token fail yet, or only now and then.
const LATER: &[Code] = &[
    Code::OneFamilyBlocked,
    Code::SomeAddressesDead,
    Code::TlsCertificateExpiring,
    Code::ProviderFlaps,
    Code::SomeKeysUnusable,
    Code::KidDuplicate,
    Code::KidMissing,
    Code::KeysStale,
    Code::SnapshotInUse,
    Code::SnapshotRefused,
    Code::SnapshotNotWritten,
    Code::RefreshCrashed,
    Code::CredentialFileExposed,
    Code::FallbackInUse,
    Code::ConfigurationOutdated,
    Code::ConfigurationWarning,
    Code::WrapperExpiring,
    Code::ListenerCertificateExpiring,
    Code::AuthorityNotReady,
    Code::AuthorityConfigurationRefused,
    Code::RotationOverdue,
];

/// What there may be several of that concern no issuer.
const EACH: &[Code] = &[
    Code::AuthorityUnreachable,
    Code::AuthorityNotReady,
    Code::AuthorityCutOff,
    Code::AuthorityBehind,
    Code::RealmWithoutKey,
    Code::RotationOverdue,
    Code::AuthorityRefuses,
    Code::AuthorityConfigurationRefused,
];

/// The root first, and under each what follows from it.
pub(super) fn diagnosis(found: Found) -> Diagnosis {
    let Found { findings, healthy, unseen } = found;
    let mut ranked = merged(findings);
    ranked.sort_by_key(rank);
    let parents = parents(&ranked);
    let mut findings = folded(ranked, &parents);
    findings.sort_by_key(rank);
    Diagnosis { findings, healthy, unseen }
}

/// What two rules found of one issuer under one code is one finding, in the words of the surer one.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        // Of several nodes, realms and causes each is one.
        let is_one = |other: &Finding| !EACH.contains(&other.code) || other.cause == finding.cause;
        let same = |other: &&mut Finding| {
            other.code == finding.code && other.issuer == finding.issuer && is_one(other)
        };
        match merged.iter_mut().find(same) {
            None => merged.push(finding),
            Some(other) if finding.certainty < other.certainty => {
                let weaker = std::mem::replace(other, finding);
                other.take_in(weaker);
            }
            Some(other) => other.take_in(finding),
        }
    }
    merged
}

impl Finding {
    fn take_in(&mut self, other: Self) {
        for fact in other.evidence {
            if !self.evidence.contains(&fact) {
                self.evidence.push(fact);
            }
        }
        for step in other.fix {
            if !self.fix.contains(&step) {
                self.fix.push(step);
            }
        }
    }
}

/// What makes tokens fail before what only will, what is certain before what is not.
fn rank(finding: &Finding) -> (u8, Certainty, Code) {
    (urgency(finding), finding.certainty, finding.code)
}

/// What follows from it counts as it does itself.
fn urgency(finding: &Finding) -> u8 {
    let own = match finding.code {
        // Nobody's tokens are decided, whatever else is wrong.
        Code::GatewayUnreachable => 0,
        code if LATER.contains(&code) => 2,
        _ => 1,
    };
    finding.consequences.iter().map(urgency).fold(own, u8::min)
}

/// For each finding the place of the one that explains it: the root of several, and the first of several roots.
fn parents(ranked: &[Finding]) -> Vec<Option<usize>> {
    let explained: Vec<bool> =
        ranked.iter().map(|finding| ranked.iter().any(|other| explains(other, finding))).collect();
    let is_explained = |place: &usize| explained.get(*place).copied().unwrap_or_default();
    ranked
        .iter()
        .map(|finding| {
            let causes = ranked.iter().enumerate().filter(|(_, cause)| explains(cause, finding));
            causes.map(|(place, _)| place).min_by_key(|place| (is_explained(place), *place))
        })
        .collect()
}

fn explains(cause: &Finding, effect: &Finding) -> bool {
    let is_of_both = cause.issuer.is_none() || effect.issuer.is_none() || cause.issuer == effect.issuer;
    // What is only possible does not hide what is sure.
    let is_sure = SYMPTOMS.contains(&effect.code)
        || cause.certainty != Certainty::Possible
        || effect.certainty == Certainty::Possible;
    is_of_both && is_sure && can_follow(effect.code, cause.code)
}

/// The findings as a tree. `parents` knows no cycle, since the table has none.
fn folded(ranked: Vec<Finding>, parents: &[Option<usize>]) -> Vec<Finding> {
    fn under(parent: Option<usize>, rows: &mut [Option<Finding>], parents: &[Option<usize>]) -> Vec<Finding> {
        let places = parents.iter().enumerate().filter(|(_, of)| **of == parent);
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let mut level = Vec::new();
        for place in places {
            if let Some(mut finding) = rows.get_mut(place).and_then(Option::take) {
                finding.consequences = under(Some(place), rows, parents);
                level.push(finding);
            }
        }
        level
    }
    let mut rows: Vec<Option<Finding>> = ranked.into_iter().map(Some).collect();
    under(None, &mut rows, parents)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finding(code: Code, issuer: Option<&str>) -> Finding {
        let finding = Finding::new(code, "for a reason").certain();
        match issuer {
            Some(issuer) => finding.of(issuer),
            None => finding,
        }
    }

    fn folded_from(findings: Vec<Finding>) -> Vec<Finding> {
        diagnosis(Found { findings, ..Found::default() }).findings
    }

    fn outline(findings: &[Finding]) -> String {
        let parts = findings.iter().map(|finding| {
            let under = outline(&finding.consequences);
            if under.is_empty() { finding.code.to_string() } else { format!("{}({under})", finding.code) }
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    /// Every finding, whatever it stands under.
    fn all(findings: &[Finding]) -> Vec<(Code, Option<String>)> {
        let under = |finding: &Finding| {
            let mut codes = vec![(finding.code, finding.issuer.clone())];
            codes.extend(all(&finding.consequences));
            codes
        };
        findings.iter().flat_map(under).collect()
    }

    #[test]
    fn a_name_that_does_not_resolve_has_everything_else_of_its_issuer_under_it() {
        let folded = folded_from(vec![
            finding(Code::GatewayUndecided, None),
            finding(Code::KeysTooOld, Some("main")),
            finding(Code::GatewayNotReady, None),
            finding(Code::NameNotResolved, Some("main")),
            finding(Code::KeysStale, Some("other")),
        ]);
        assert_eq!(outline(&folded), "KW1101(KW1302 KW7102 KW7103) KW1301");
    }

    #[test]
    fn what_is_only_possible_explains_a_symptom_and_hides_nothing_that_is_sure() {
        let unsure = finding(Code::ProviderClockWrong, Some("main")).possible();
        let folded = folded_from(vec![finding(Code::TokenExpired, None), unsure]);
        assert_eq!(outline(&folded), "KW3101 KW6102");
        let unsure = finding(Code::NameNotResolved, Some("main")).possible();
        let folded = folded_from(vec![finding(Code::KeysStale, Some("main")), unsure]);
        assert_eq!(outline(&folded), "KW1101(KW1301)");
    }

    #[test]
    fn what_makes_tokens_fail_stands_before_what_only_will_however_sure_that_is() {
        let folded = folded_from(vec![
            finding(Code::ConfigurationWarning, None),
            finding(Code::AudienceWrong, None).likely(),
            finding(Code::TokenExpired, None),
        ]);
        assert_eq!(outline(&folded), "KW3101 KW3103 KW4110");
        let gone = finding(Code::GatewayUnreachable, None).likely();
        let folded = folded_from(vec![finding(Code::ConnectionRefused, Some("main")), gone]);
        assert_eq!(outline(&folded), "KW7101 KW1102");
        let nameless = finding(Code::KidMissing, Some("main"));
        let folded =
            folded_from(vec![finding(Code::KidUnknown, None), nameless, finding(Code::ClientUnknown, None)]);
        assert_eq!(outline(&folded), "KW1205(KW3109) KW2203");
    }

    #[test]
    fn what_two_rules_found_is_one_finding_in_the_words_of_the_surer() {
        let unsure = Finding::new(Code::NotFound, "perhaps").of("main").seen("a").seen("b").step("look");
        let sure =
            Finding::new(Code::NotFound, "surely").of("main").certain().seen("b").seen("c").step("look");
        for findings in [vec![unsure.clone(), sure.clone()], vec![sure, unsure]] {
            let folded = folded_from(findings);
            let [finding] = folded.as_slice() else { panic!("{folded:?}") };
            assert_eq!((finding.cause.as_str(), finding.fix.len()), ("surely", 1));
            let mut evidence = finding.evidence.clone();
            evidence.sort();
            assert_eq!(evidence, ["a", "b", "c"]);
        }
    }

    #[test]
    fn nothing_explains_itself_by_any_way_round() {
        fn reaches(from: Code, to: Code, path: &mut Vec<Code>) -> bool {
            Code::ALL.iter().copied().filter(|effect| can_follow(*effect, from)).any(|effect| {
                if effect == to {
                    return true;
                }
                if path.contains(&effect) {
                    return false;
                }
                path.push(effect);
                reaches(effect, to, path)
            })
        }
        for code in Code::ALL {
            assert!(!reaches(*code, *code, &mut Vec::new()), "{code} explains itself");
        }
    }

    proptest! {
        #[test]
        fn folding_loses_no_finding_and_doubles_none(
            rows in prop::collection::vec((0..Code::ALL.len(), 0..3_usize, 0..3_usize), 0..60)
        ) {
            let issuers = [None, Some("main"), Some("other")];
            let findings: Vec<Finding> = rows
                .iter()
                .map(|(code, issuer, certainty)| {
                    let finding = finding(Code::ALL[*code], issuers[*issuer]);
                    [finding.clone().certain(), finding.clone().likely(), finding.possible()][*certainty].clone()
                })
                .collect();
            let mut expected: Vec<_> =
                findings.iter().map(|finding| (finding.code, finding.issuer.clone())).collect();
            let mut folded = all(&folded_from(findings));
            folded.sort();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(folded, expected);
        }
    }
}
