//! Which alert leads to which findings.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use super::code::Code;
use crate::Failure;

const RULES: [&str; 2] = ["deploy/prometheus/alerts.yaml", "deploy/prometheus/authority-alerts.yaml"];

/// Each alert, and the codes of what may be its cause.
const ALERTS: [(&str, &[RangeInclusive<u16>]); 28] = [
    (
        "JWTInvalidRateHigh",
        &[
            1204..=1204,
            1206..=1212,
            1307..=1307,
            1309..=1309,
            3101..=3119,
            3121..=3123,
            3125..=3199,
            4102..=4103,
            4109..=4109,
            5101..=5101,
            5103..=5106,
            6101..=6102,
        ],
    ),
    ("KeywardAuthorityCannotRead", &[7203..=7204]),
    ("KeywardAuthorityCannotSign", &[7205..=7205]),
    ("KeywardAuthorityConfigurationRefused", &[7208..=7208]),
    ("KeywardAuthorityDown", &[7201..=7202]),
    ("KeywardAuthorityHashQueueLong", &[7207..=7207]),
    ("KeywardAuthorityRefusalsHigh", &[7207..=7207]),
    ("KeywardAuthorityRotationOverdue", &[7206..=7206]),
    ("KeywardAuthorityTlsCertificateExpires", &[5107..=5107]),
    ("KeywardAuthorityUnavailable", &[7203..=7205]),
    ("KeywardBreakerOpen", &[2301..=2306, 2310..=2311]),
    ("KeywardClockSkew", &[2205..=2205, 4109..=4109, 6101..=6102]),
    ("KeywardConfigurationRefused", &[2211..=2211, 4107..=4108]),
    ("KeywardFallbackFailing", &[1301..=1303, 2301..=2306, 2308..=2308]),
    ("KeywardFallbackInUse", &[1301..=1303, 2101..=2211, 2213..=2219, 2301..=2307, 2310..=2311]),
    ("KeywardGatewayDown", &[7101..=7102]),
    ("KeywardIntrospectionCredentialsRefused", &[2101..=2211, 2213..=2219]),
    ("KeywardKeySetNearStaleLimit", &[1101..=1122, 1201..=1202, 1301..=1303, 1308..=1308, 4101..=4106]),
    ("KeywardKeySetRefreshFailing", &[1101..=1122, 1201..=1202, 1301..=1303, 1308..=1308, 4101..=4106]),
    ("KeywardSnapshotInUse", &[1101..=1122, 1201..=1202, 1304..=1304, 4101..=4106]),
    ("KeywardTlsCertificateExpires", &[5107..=5107]),
    (
        "KeywardUndecidedRateHigh",
        &[
            1203..=1203,
            1205..=1208,
            1210..=1211,
            1302..=1303,
            1307..=1307,
            1309..=1309,
            2101..=2211,
            2213..=2219,
            2301..=2306,
            2308..=2311,
            3109..=3109,
            7103..=7105,
        ],
    ),
    ("KeywardUnknownKids", &[1203..=1203, 1205..=1208, 1210..=1211, 1307..=1307, 1309..=1309, 3109..=3110]),
    ("KeywardVerdictLatencyHigh", &[1210..=1210, 1307..=1307, 2305..=2305, 7104..=7105]),
    ("KeywardWrapperExpired", &[5101..=5101]),
    ("KeywardWrapperExpires1Day", &[5102..=5102]),
    ("KeywardWrapperExpires30Days", &[5102..=5102]),
    ("KeywardWrapperExpires7Days", &[5102..=5102]),
];

/// An alert, as the rules have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) name: String,
    /// How long it has to hold before it fires.
    pub(super) lasts: String,
    pub(super) severity: String,
    pub(super) first_command: String,
}

impl Alert {
    /// The codes that it leads to: the first and the last of each run.
    pub(super) fn runs<'a>(&self, codes: &'a [Code]) -> Vec<(&'a Code, &'a Code)> {
        let ranges =
            ALERTS.iter().find(|(name, _)| *name == self.name).map_or(&[][..], |(_, ranges)| *ranges);
        let run = |range: &RangeInclusive<u16>| {
            let mut within = codes.iter().filter(|code| range.contains(&code.number));
            let first = within.next()?;
            Some((first, within.next_back().unwrap_or(first)))
        };
        ranges.iter().filter_map(run).collect()
    }
}

/// The alerts that may fire for what a code means.
pub(super) fn leading_to(code: &Code) -> impl Iterator<Item = &'static str> {
    let leads = |codes: &[RangeInclusive<u16>]| codes.iter().any(|range| range.contains(&code.number));
    ALERTS.iter().filter(move |(_, codes)| leads(codes)).map(|(alert, _)| *alert)
}

/// The alerts of the rules. Those of the table are these, and each leads somewhere.
pub(super) fn read(codes: &[Code], workspace: &Path) -> Result<Vec<Alert>, Failure> {
    let leads_nowhere = |range: &&RangeInclusive<u16>| !codes.iter().any(|code| range.contains(&code.number));
    for (alert, ranges) in &ALERTS {
        if let Some(range) = ranges.iter().find(leads_nowhere) {
            return Err(Failure(format!("{alert} leads to {range:?}, where no code is")));
        }
    }
    let mut alerts = Vec::new();
    for rules in RULES {
        alerts.extend(parse(&fs::read_to_string(workspace.join(rules))?));
    }
    let is_here = |alert: &&Alert| ALERTS.iter().any(|(name, _)| *name == alert.name);
    if let Some(Alert { name, .. }) = alerts.iter().find(|alert| !is_here(alert)) {
        return Err(Failure(format!("{name} leads to no code: it is missing in xtask's alerts.rs")));
    }
    match ALERTS.iter().find(|(name, _)| !alerts.iter().any(|alert| alert.name == *name)) {
        Some((alert, _)) => Err(Failure(format!("{alert} of xtask's alerts.rs is in none of {RULES:?}"))),
        None => Ok(alerts),
    }
}

/// Each alert has its members in lines of their own.
fn parse(rules: &str) -> Vec<Alert> {
    let alert = |text: &str| {
        let member = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        Alert {
            name: text.lines().next().unwrap_or_default().to_owned(),
            lasts: member("for"),
            severity: member("severity"),
            first_command: filled(&member("first_command")),
        }
    };
    rules.split("- alert: ").skip(1).map(alert).collect()
}

/// A command with the usual address in the place of what Prometheus fills in.
fn filled(command: &str) -> String {
    match (command.split_once("{{"), command.split_once("}}")) {
        (Some((before, _)), Some((_, after))) => format!("{before}127.0.0.1:9080{after}"),
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_its_severity_and_a_command_that_can_be_pasted() {
        let rules = "groups:\n  - alert: One\n    for: 1m\n    labels:\n      severity: critical\n    annotations:\n      \
                     first_command: curl http://{{ $labels.instance }}/healthz\n";
        let wanted = Alert {
            name: "One".to_owned(),
            lasts: "1m".to_owned(),
            severity: "critical".to_owned(),
            first_command: "curl http://127.0.0.1:9080/healthz".to_owned(),
        };
        assert_eq!(parse(rules), [wanted]);
    }
}
