//! The alerts of `deploy/prometheus/alerts.yaml` and of `authority-alerts.yaml`, and their pages among the runbook's.

/// A new alert has no page, and is not built without: `cargo xtask generate runbook` makes one.
macro_rules! alerts {
    ($($name:literal)*) => {
        /// Every alert, in the order of the rules.
        pub const ALERTS: &[Alert] = &[$(Alert {
            name: $name,
            explanation: include_str!(concat!("../../../docs/how-to/runbook/", $name, ".md")),
        },)*];
    };
}

/// An alert.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alert {
    /// What it is called, to the letter.
    pub name: &'static str,
    /// Its page among the runbook's, in Markdown.
    pub explanation: &'static str,
}

impl Alert {
    /// The alert of this name, in whatever case it is written.
    pub fn of(name: &str) -> Option<Self> {
        ALERTS.iter().copied().find(|alert| alert.name.eq_ignore_ascii_case(name))
    }
}

alerts! {
    "JWTInvalidRateHigh"
    "KeywardUndecidedRateHigh"
    "KeywardUnknownKids"
    "KeywardVerdictLatencyHigh"
    "KeywardKeySetRefreshFailing"
    "KeywardKeySetNearStaleLimit"
    "KeywardSnapshotInUse"
    "KeywardClockSkew"
    "KeywardWrapperExpires30Days"
    "KeywardWrapperExpires7Days"
    "KeywardWrapperExpires1Day"
    "KeywardWrapperExpired"
    "KeywardIntrospectionCredentialsRefused"
    "KeywardBreakerOpen"
    "KeywardFallbackInUse"
    "KeywardFallbackFailing"
    "KeywardConfigurationRefused"
    "KeywardTlsCertificateExpires"
    "KeywardGatewayDown"
    "KeywardAuthorityCannotSign"
    "KeywardAuthorityRotationOverdue"
    "KeywardAuthorityCannotRead"
    "KeywardAuthorityUnavailable"
    "KeywardAuthorityRefusalsHigh"
    "KeywardAuthorityHashQueueLong"
    "KeywardAuthorityTlsCertificateExpires"
    "KeywardAuthorityConfigurationRefused"
    "KeywardAuthorityDown"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alerts_are_those_of_the_rules_and_each_has_its_page() {
        let rules = [
            include_str!("../../../deploy/prometheus/alerts.yaml"),
            include_str!("../../../deploy/prometheus/authority-alerts.yaml"),
        ];
        let lines = rules.iter().flat_map(|rules| rules.lines());
        let named: Vec<&str> = lines.filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert_eq!(ALERTS.iter().map(|alert| alert.name).collect::<Vec<_>>(), named);
        for alert in ALERTS {
            assert!(alert.explanation.contains(&format!("# {}\n", alert.name)), "{}", alert.name);
            assert_eq!(Alert::of(&alert.name.to_lowercase()), Some(*alert));
        }
        assert_eq!(Alert::of("Keyward"), None);
    }
}
