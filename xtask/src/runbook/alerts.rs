//! Which alert leads to which findings.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use super::code::Code;
use crate::Failure;

const RULES: &str = "deploy/prometheus/alerts.yaml";

/// Each alert, and the codes of what may be its cause.
const ALERTS: [(&str, &[RangeInclusive<u16>]); 19] = [
    ("JWTInvalidRateHigh", &[1208..=1212, 1307..=1307, 3101..=3199, 4102..=4103, 4109..=4109, 6101..=6102]),
    ("KeywardBreakerOpen", &[2101..=2399]),
    ("KeywardClockSkew", &[2205..=2205, 4109..=4109, 6101..=6102]),
    ("KeywardConfigurationRefused", &[4107..=4108]),
    ("KeywardFallbackFailing", &[2308..=2308, 1301..=1303]),
    ("KeywardFallbackInUse", &[2101..=2307, 2310..=2311]),
    ("KeywardGatewayDown", &[7101..=7102]),
    ("KeywardIntrospectionCredentialsRefused", &[2101..=2299]),
    ("KeywardKeySetNearStaleLimit", &[1101..=1122, 1301..=1302, 4101..=4106]),
    ("KeywardKeySetRefreshFailing", &[1101..=1122, 1201..=1202, 1301..=1303, 1308..=1308, 4101..=4106]),
    ("KeywardSnapshotInUse", &[1101..=1122, 1304..=1304]),
    ("KeywardTlsCertificateExpires", &[5107..=5107]),
    ("KeywardUndecidedRateHigh", &[1302..=1303, 2308..=2309, 3124..=3124, 7103..=7105]),
    ("KeywardUnknownKids", &[1207..=1208, 1210..=1211, 1307..=1307, 1309..=1309, 3109..=3110]),
    ("KeywardVerdictLatencyHigh", &[1307..=1307, 2305..=2305, 7104..=7104]),
    ("KeywardWrapperExpired", &[5101..=5101]),
    ("KeywardWrapperExpires1Day", &[5102..=5102]),
    ("KeywardWrapperExpires30Days", &[5102..=5102]),
    ("KeywardWrapperExpires7Days", &[5102..=5102]),
];

/// The alerts that may fire for what a code means.
pub(super) fn leading_to(code: &Code) -> impl Iterator<Item = &'static str> {
    let leads = |codes: &[RangeInclusive<u16>]| codes.iter().any(|range| range.contains(&code.number));
    ALERTS.iter().filter(move |(_, codes)| leads(codes)).map(|(alert, _)| *alert)
}

/// Whether these are the alerts that there are, and each leads somewhere.
pub(super) fn check(codes: &[Code], workspace: &Path) -> Result<(), Failure> {
    let leads_nowhere = |range: &&RangeInclusive<u16>| !codes.iter().any(|code| range.contains(&code.number));
    for (alert, ranges) in &ALERTS {
        if let Some(range) = ranges.iter().find(leads_nowhere) {
            return Err(Failure(format!("{alert} leads to {range:?}, where no code is")));
        }
    }
    let rules = workspace.join(RULES);
    if !rules.exists() {
        return Ok(());
    }
    let rules = fs::read_to_string(rules)?;
    let fire: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let is_here = |alert: &&str| ALERTS.iter().any(|(name, _)| name == alert);
    if let Some(alert) = fire.iter().find(|alert| !is_here(alert)) {
        return Err(Failure(format!(
            "{alert} of {RULES} leads to no code: it is missing in xtask's alerts.rs"
        )));
    }
    match ALERTS.iter().find(|(alert, _)| !fire.contains(alert)) {
        Some((alert, _)) => Err(Failure(format!("{alert} of xtask's alerts.rs is not in {RULES}"))),
        None => Ok(()),
    }
}
