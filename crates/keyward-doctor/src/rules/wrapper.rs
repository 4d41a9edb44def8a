//! The X.509 certificates around keys.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::Facts;

use super::found::Found;
use super::held::{self, Seen};
use super::words::{lasting, listed, moment, several};

/// So long before its end a certificate has to be renewed: a person may be needed for it.
const SOON_S: i64 = 30 * 86_400;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for seen in held::issuers(facts) {
        let Some(policy) = policy(seen) else { continue };
        let wrappers = wrappers(seen, facts.gathered_at);
        if policy == "ignore" || wrappers.is_empty() {
            continue;
        }
        let of_state = |state: State| -> Vec<&Wrapper> {
            wrappers.iter().filter(|wrapper| wrapper.state == state).collect()
        };
        if wrappers.iter().all(|wrapper| wrapper.state == State::Good) {
            let ends = wrappers.iter().filter_map(|wrapper| wrapper.expires_in_s).min();
            let soonest =
                ends.map_or(String::new(), |left| format!("; the first ends in {}", lasting(left as f64)));
            found.healthy(
                seen.name,
                format!("the certificates around {} are valid{soonest}", several(wrappers.len(), "key")),
            );
        }
        for state in State::TROUBLES {
            let of_it = of_state(*state);
            if !of_it.is_empty() {
                found.add(finding(seen, *state, &of_it, policy));
            }
        }
    }
}

/// How a certificate stands.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Absent,
    Expired,
    Expiring,
    Good,
    Mismatch,
    NotYetValid,
    Untrusted,
}

impl State {
    const TROUBLES: &[Self] =
        &[Self::Expired, Self::Expiring, Self::Mismatch, Self::Untrusted, Self::NotYetValid, Self::Absent];

    /// None for a label that nobody knows.
    fn of(label: &str, expires_in_s: Option<i64>) -> Option<Self> {
        Some(match label {
            "absent" => Self::Absent,
            "expired" => Self::Expired,
            "key_mismatch" | "malformed" | "thumbprint_mismatch" => Self::Mismatch,
            "not_yet_valid" => Self::NotYetValid,
            "untrusted" => Self::Untrusted,
            "valid" if expires_in_s.is_some_and(|left| left < SOON_S) => Self::Expiring,
            "valid" => Self::Good,
            _ => return None,
        })
    }

    fn code(self) -> Code {
        match self {
            Self::Absent => Code::WrapperMissing,
            Self::Expired => Code::WrapperExpired,
            Self::Expiring | Self::Good => Code::WrapperExpiring,
            Self::Mismatch => Code::WrapperMismatch,
            Self::NotYetValid => Code::WrapperNotYetValid,
            Self::Untrusted => Code::WrapperUntrusted,
        }
    }
}

/// A certificate, whoever saw it.
struct Wrapper {
    kid: String,
    state: State,
    certificate: String,
    until: Option<String>,
    expires_in_s: Option<i64>,
    trouble: Option<String>,
    /// How many tokens its key verified, and how many of them while it was over; none where nobody counted.
    verdicts: Option<(u64, u64)>,
}

/// What certificates mean for tokens: the gateway's word before the file's, since tokens are decided by it.
fn policy(seen: Seen<'_>) -> Option<&str> {
    let held = seen.held.map(|held| held.wrapper_policy.as_str());
    held.or_else(|| seen.probed.map(|probed| probed.configured.wrapper_policy.as_str()))
}

/// Those that the gateway has, since it counts; those that are published where no gateway has any keys.
fn wrappers(seen: Seen<'_>, now: i64) -> Vec<Wrapper> {
    if let Some(held) = seen.held.filter(|held| !held.keys.is_empty()) {
        let rows = held.keys.iter().filter_map(|key| {
            let wrapper = key.wrapper.as_ref()?;
            Some(Wrapper {
                kid: name(key.kid.as_ref(), key.thumbprint.as_ref()),
                state: State::of(&wrapper.state, wrapper.expires_in_seconds)?,
                certificate: certificate(wrapper.subject.as_deref(), wrapper.serial.as_deref()),
                until: wrapper.not_after.clone(),
                expires_in_s: wrapper.expires_in_seconds,
                trouble: wrapper.description.clone(),
                verdicts: Some((key.verdicts, key.expired_wrapper_verdicts)),
            })
        });
        return rows.collect();
    }
    let set = seen.probed.and_then(|probed| probed.key_set.as_ref());
    let answer = set.and_then(|set| set.answers.first());
    let rows = answer.into_iter().flat_map(|answer| &answer.keys).filter_map(|key| {
        let left = key.wrapper_not_after.map(|end| end.saturating_sub(now));
        Some(Wrapper {
            kid: name(key.kid.as_ref(), key.thumbprint.as_ref()),
            state: State::of(key.wrapper_state.as_deref()?, left)?,
            certificate: certificate(key.wrapper_subject.as_deref(), key.wrapper_serial.as_deref()),
            until: key.wrapper_not_after.map(moment),
            expires_in_s: left,
            trouble: None,
            verdicts: None,
        })
    });
    rows.collect()
}

fn finding(seen: Seen<'_>, state: State, wrappers: &[&Wrapper], policy: &str) -> Finding {
    let kids = listed(wrappers.iter().map(|wrapper| &wrapper.kid));
    let of = if wrappers.len() == 1 {
        format!("the certificate around {kids}")
    } else {
        format!("the certificates around {kids}")
    };
    let left = wrappers.iter().filter_map(|wrapper| wrapper.expires_in_s).min();
    let what = match (state, left) {
        (State::Absent, _) => format!("{kids} has no certificate, and one is demanded"),
        (State::Expired, Some(left)) => format!("{of} expired {} ago", lasting(left as f64)),
        (State::Expired, None) => format!("{of} has expired"),
        (State::Expiring | State::Good, left) => {
            format!("{of} expires in {}", lasting(left.unwrap_or(0) as f64))
        }
        (State::Mismatch, _) => format!("{of} is not that key's"),
        (State::NotYetValid, _) => format!("{of} is not valid yet"),
        (State::Untrusted, _) => format!("{of} leads to no declared anchor"),
    };
    let share = share(seen, wrappers);
    let means = match (policy, state) {
        (_, State::Expiring | State::Good) if policy == "enforce" => ", and then its tokens are refused",
        (_, State::Expiring | State::Good) => "",
        ("enforce", _) => ", and its tokens are refused",
        _ => ", and its tokens are still accepted (warn)",
    };
    let cause = format!(
        "{what}{means}{}",
        share.as_ref().map_or(String::new(), |Share { told, .. }| format!("; {told}"))
    );
    let finding = Finding::new(state.code(), cause)
        .of(seen.name)
        .seen_all(wrappers.iter().map(|wrapper| told(wrapper)))
        .seen_all(share.map(|share| share.counts))
        .seen(format!("policy: {policy}"))
        .certain();
    fixed(finding, seen, state, wrappers)
}

fn fixed(finding: Finding, seen: Seen<'_>, state: State, wrappers: &[&Wrapper]) -> Finding {
    let kids = listed(wrappers.iter().map(|wrapper| &wrapper.kid));
    let finding = match state {
        State::Expired | State::Expiring | State::Good => finding
            .step(format!("The key itself is fine. Have a new certificate made for the same key ({kids}), under the same kid"))
            .step("Or retire the key, once the last token that it signed has expired"),
        State::NotYetValid => finding.step("Have a certificate made that is valid now, or look at the clock of whoever made it"),
        State::Mismatch => finding.step("Have the certificate replaced by one for this key: the provider publishes another key's"),
        State::Untrusted => finding.step("Declare the authority above it under anchors_file of [issuer.wrapper], if it is the one that you mean"),
        State::Absent => finding.step("Have the key published with its certificate (x5c), or demand none under [issuer.wrapper]"),
    };
    let finding = match (seen.probed, seen.held) {
        (Some(probed), _) => finding.run_keys_check(&probed.configured),
        (None, Some(held)) => finding.run_keys_check_of(&held.issuer),
        (None, None) => finding,
    };
    if matches!(
        state,
        State::Expired | State::NotYetValid | State::Mismatch | State::Untrusted | State::Absent
    ) {
        finding.step("Until then wrapper.policy = \"warn\" lets its tokens pass, and goes on counting them")
    } else {
        finding
    }
}

/// The share of what was verified that some keys verified.
struct Share {
    told: String,
    counts: String,
}

/// None where no gateway counts, or nothing was verified yet.
fn share(seen: Seen<'_>, wrappers: &[&Wrapper]) -> Option<Share> {
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0_u64, u64::saturating_add);
    let all = sum(&mut seen.held?.keys.iter().map(|key| key.verdicts));
    let theirs = sum(&mut wrappers.iter().filter_map(|wrapper| Some(wrapper.verdicts?.0)));
    let over = sum(&mut wrappers.iter().filter_map(|wrapper| Some(wrapper.verdicts?.1)));
    if all == 0 {
        return None;
    }
    let percent = theirs as f64 / all as f64 * 100.0;
    let since = if over > 0 { format!(", {over} of them since it was over") } else { String::new() };
    let whose = if wrappers.len() == 1 { "that key" } else { "those keys" };
    Some(Share {
        told: format!("{percent:.0} % of the verified tokens are signed with {whose}"),
        counts: format!("gateway: {theirs} of {all} verified tokens are signed with {whose}{since}"),
    })
}

fn told(wrapper: &Wrapper) -> String {
    let Wrapper { kid, certificate, until, trouble, .. } = wrapper;
    let until = until.as_ref().map_or(String::new(), |until| format!(", until {until}"));
    let trouble = trouble.as_ref().map_or(String::new(), |trouble| format!(": {trouble}"));
    format!("{kid}: {certificate}{until}{trouble}")
}

fn certificate(subject: Option<&str>, serial: Option<&str>) -> String {
    match (subject, serial) {
        (None, None) => "no certificate that can be read".to_owned(),
        (subject, serial) => {
            let serial = serial.map_or(String::new(), |serial| format!(", serial {serial}"));
            format!("certificate {}{serial}", subject.unwrap_or("without a subject"))
        }
    }
}

fn name(kid: Option<&String>, thumbprint: Option<&String>) -> String {
    kid.or(thumbprint).cloned().unwrap_or_else(|| "a key without a name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{first, found, with};

    /// The first key's certificate stands so, under this policy.
    fn wrapped(policy: &str, state: &str, expires_in_s: Option<i64>) -> Facts {
        with(|facts| {
            facts.only().configured.wrapper_policy = policy.to_owned();
            let held = facts.held();
            held.wrapper_policy = policy.to_owned();
            let key = &mut held.keys[1];
            key.expired_wrapper_verdicts = u64::from(state == "expired") * 120;
            let wrapper = key.wrapper.as_mut().expect("a wrapper");
            (wrapper.state, wrapper.expires_in_seconds) = (state.to_owned(), expires_in_s);
        })
    }

    #[test]
    fn an_expired_wrapper_is_told_with_its_share_of_the_traffic_and_what_that_means() {
        let finding = first(&wrapped("enforce", "expired", Some(-28_500)));
        assert_eq!(
            finding.cause,
            "the certificate around key-2 expired 8 h ago, and its tokens are refused; 34 % of the verified tokens are signed \
             with that key"
        );
        let counts =
            "gateway: 3400 of 10000 verified tokens are signed with that key, 120 of them since it was over";
        assert!(finding.evidence.iter().any(|fact| fact == counts), "{:?}", finding.evidence);
        assert!(finding.evidence.iter().any(|fact| fact.contains("CN=signer, serial 01, until 2027-06-06")));
        let finding = first(&wrapped("warn", "expired", Some(-28_500)));
        assert!(finding.cause.contains("its tokens are still accepted (warn)"), "{}", finding.cause);
    }

    #[test]
    fn each_state_of_a_wrapper_is_a_finding_of_its_own_unless_nobody_looks_at_wrappers() {
        const DAY: i64 = 86_400;
        for (state, left, expected) in [
            ("valid", Some(31 * DAY), ""),
            ("valid", Some(29 * DAY), "KW5102"),
            ("expired", Some(-1), "KW5101"),
            ("key_mismatch", None, "KW5103"),
            ("malformed", None, "KW5103"),
            ("untrusted", None, "KW5104"),
            ("not_yet_valid", Some(90 * DAY), "KW5105"),
            ("absent", None, "KW5106"),
            ("of_a_newer_gateway", None, ""),
        ] {
            assert_eq!(found(&wrapped("warn", state, left)), expected, "{state}");
            assert_eq!(found(&wrapped("ignore", state, left)), "", "{state}");
        }
    }

    #[test]
    fn without_a_gateway_the_published_certificates_tell() {
        let facts = with(|facts| {
            facts.gateway = None;
            for answer in &mut facts.keys().answers {
                answer.keys[0].wrapper_state = Some("expired".to_owned());
                answer.keys[0].wrapper_not_after = Some(crate::rules::fixture::NOW - 60);
            }
        });
        assert_eq!(
            first(&facts).cause,
            "the certificate around key-1 expired 60 s ago, and its tokens are still accepted (warn)"
        );
    }
}
