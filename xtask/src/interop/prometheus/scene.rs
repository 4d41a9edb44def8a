//! The scenes: a provider, a gateway that goes by it, requests, what goes wrong, and what has to be told of it.

/// One of them. Each has an issuer of its own at the lab and is a job of its own at Prometheus.
#[derive(Debug)]
pub(super) struct Scene {
    /// Names its issuer, its gateway, and its job after `keyward-`.
    pub(super) name: &'static str,
    /// The issuer's members in the lab's plan.
    pub(super) plan: &'static str,
    /// The gateway's tables before its `[[issuer]]`; `@FOLDER@` is a folder of its own.
    pub(super) gateway: &'static str,
    /// The issuer's settings in the gateway's configuration.
    pub(super) issuer: &'static str,
    /// The plans of the tokens that come while all is well; none where nobody comes.
    pub(super) well: &'static [&'static str],
    /// The same while it is not.
    pub(super) ill: &'static [&'static str],
    /// What goes wrong.
    pub(super) fault: Fault,
    /// What has to be told.
    pub(super) fires: &'static [&'static str],
    /// What follows from it and may be told as well.
    pub(super) may: &'static [&'static str],
}

/// What goes wrong beside the requests, and is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its listener's certificate is one that is over in a few days.
    Certificate,
    /// Its changed configuration is none.
    Configuration,
    /// It is killed, and started again.
    Killed,
    /// The lab is told the first, and to mend it the second.
    Lab(&'static str, &'static str),
    /// The same, and the gateway is started again in the middle of it.
    LabAndRestart(&'static str, &'static str),
    /// Only the requests are others.
    Requests,
}

const GOOD: &[&str] = &["{}"];
const NOBODY: &[&str] = &[];
const EXPIRED: &str = r#"{"issued_ago": "1h", "lifetime": "5m"}"#;
const STRAY: &str = r#"{"kid": "random"}"#;

/// Keys that are fetched every second.
const RESTLESS: &str = "[issuer.key_set]\nttl = \"1s\"\n";

/// An introspection endpoint that is asked about each request.
macro_rules! asking {
    ($strategy:literal, $rest:literal) => {
        concat!(
            "strategy = \"",
            $strategy,
            "\"\n",
            $rest,
            "[issuer.introspection]\nactive_for = \"0s\"\n[issuer.introspection.credential]\n\
             method = \"client_secret_basic\"\nclient_id = \"drill\"\nsecret_file = \"client-secret\"\n"
        )
    };
}

const PLAIN: Scene = Scene {
    name: "well",
    plan: "",
    gateway: "",
    issuer: "",
    well: GOOD,
    ill: GOOD,
    fault: Fault::Requests,
    fires: &[],
    may: &[],
};

/// All at the same time: each is its own.
pub(super) const SCENES: [Scene; 15] = [
    PLAIN,
    Scene { name: "tokens", ill: &["{}", "{}", "{}", EXPIRED], fires: &["JWTInvalidRateHigh"], ..PLAIN },
    Scene {
        name: "kids",
        ill: &["{}", "{}", "{}", STRAY, "{}", "{}", "{}", "{}"],
        fires: &["KeywardUnknownKids"],
        may: &["JWTInvalidRateHigh", "KeywardUndecidedRateHigh", "KeywardVerdictLatencyHigh"],
        ..PLAIN
    },
    Scene {
        name: "keys",
        issuer: RESTLESS,
        fault: Fault::Lab(r#"{"fault": {"jwks": {"status": {"code": 503}}}}"#, r#"{"mend": ["all"]}"#),
        fires: &["KeywardKeySetRefreshFailing"],
        ..PLAIN
    },
    Scene {
        name: "limit",
        issuer: "[issuer.key_set]\nttl = \"1s\"\nstale_limit = \"20s\"\n",
        well: NOBODY,
        ill: NOBODY,
        fault: Fault::Lab(r#"{"fault": {"jwks": "refuse"}}"#, r#"{"mend": ["all"]}"#),
        fires: &["KeywardKeySetNearStaleLimit", "KeywardKeySetRefreshFailing"],
        ..PLAIN
    },
    Scene {
        name: "snapshot",
        gateway: "[snapshot]\nfolder = \"@FOLDER@\"\n",
        fault: Fault::LabAndRestart(r#"{"fault": {"all": "refuse"}}"#, r#"{"mend": ["all"]}"#),
        fires: &["KeywardSnapshotInUse", "KeywardKeySetRefreshFailing"],
        // For the moment of its start.
        may: &["KeywardGatewayDown"],
        ..PLAIN
    },
    Scene {
        name: "clock",
        issuer: RESTLESS,
        fault: Fault::Lab(
            r#"{"clock": {"ahead_s": -90, "tokens": false}}"#,
            r#"{"clock": {"ahead_s": 0, "tokens": false}}"#,
        ),
        fires: &["KeywardClockSkew"],
        ..PLAIN
    },
    Scene {
        name: "wrappers",
        plan: "keys = [{ kid = \"a\", wrapper = { not_after = \"300days\" } }, { kid = \"b\", wrapper = { not_after = \"300days\" } }, \
               { kid = \"c\", wrapper = { not_after = \"300days\" } }, { kid = \"d\", wrapper = { not_after = \"300days\" } }]",
        issuer: RESTLESS,
        fault: Fault::Lab(
            r#"{"wrapper": {"a": {"not_after": "20days"}, "b": {"not_after": "3days"}, "c": {"not_after": "12h"}, "d": {"not_after": "-7h 55m"}}}"#,
            r#"{"wrapper": {"a": {"not_after": "300days"}, "b": {"not_after": "300days"}, "c": {"not_after": "300days"}, "d": {"not_after": "300days"}}}"#,
        ),
        fires: &[
            "KeywardWrapperExpires30Days",
            "KeywardWrapperExpires7Days",
            "KeywardWrapperExpires1Day",
            "KeywardWrapperExpired",
        ],
        ..PLAIN
    },
    Scene {
        name: "credential",
        issuer: asking!("introspection", ""),
        fault: Fault::Lab(
            r#"{"client": {"drill": {"secret": "another"}}}"#,
            r#"{"client": {"drill": {"secret": "drill"}}}"#,
        ),
        fires: &["KeywardIntrospectionCredentialsRefused", "KeywardUndecidedRateHigh"],
        ..PLAIN
    },
    Scene {
        name: "introspection",
        issuer: asking!("introspection_then_key_set", "fallback = { gives_up = [\"revocation\"] }\n"),
        fault: Fault::Lab(
            r#"{"fault": {"introspection": {"status": {"code": 500}}}}"#,
            r#"{"mend": ["all"]}"#,
        ),
        fires: &["KeywardBreakerOpen", "KeywardFallbackInUse"],
        ..PLAIN
    },
    Scene {
        name: "both",
        issuer: asking!(
            "introspection_then_key_set",
            "fallback = { gives_up = [\"revocation\"] }\nkey_set = { ttl = \"1s\", stale_limit = \"4s\" }\n"
        ),
        fault: Fault::Lab(
            r#"{"fault": {"introspection": {"status": {"code": 500}}, "jwks": "refuse"}}"#,
            r#"{"mend": ["all"]}"#,
        ),
        fires: &["KeywardFallbackFailing", "KeywardUndecidedRateHigh"],
        may: &[
            "KeywardBreakerOpen",
            "KeywardFallbackInUse",
            "KeywardKeySetNearStaleLimit",
            "KeywardKeySetRefreshFailing",
        ],
        ..PLAIN
    },
    Scene {
        name: "slow",
        issuer: asking!("introspection", ""),
        fault: Fault::Lab(r#"{"fault": {"introspection": {"delay": "1s"}}}"#, r#"{"mend": ["all"]}"#),
        fires: &["KeywardVerdictLatencyHigh"],
        ..PLAIN
    },
    Scene {
        name: "configuration",
        fault: Fault::Configuration,
        fires: &["KeywardConfigurationRefused"],
        ..PLAIN
    },
    Scene {
        name: "certificate",
        gateway: "[gateway.tls]\ncertificate_file = \"gateway.pem\"\nkey_file = \"gateway.pem\"\n",
        well: NOBODY,
        ill: NOBODY,
        fault: Fault::Certificate,
        fires: &["KeywardTlsCertificateExpires"],
        ..PLAIN
    },
    Scene { name: "killed", fault: Fault::Killed, fires: &["KeywardGatewayDown"], ..PLAIN },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_that_is_deployed_is_provoked() {
        let rules = std::fs::read_to_string(super::super::monitor::deployed().join("alerts.yaml")).unwrap();
        let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert!(alerts.len() >= 19);
        let missing = alerts.iter().filter(|alert| !SCENES.iter().any(|scene| scene.fires.contains(alert)));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(
            SCENES.iter().all(|scene| scene
                .fires
                .iter()
                .chain(scene.may)
                .all(|alert| alerts.contains(alert)))
        );
    }
}
