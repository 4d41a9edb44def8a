//! Facts for tests: a provider and a gateway that are well, to be broken in one place.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::code::Code;
use crate::diagnosis::{Diagnosis, Finding};
use crate::facts::{
    Answer, AnsweredKeySet, Attempt, BodyKind, BodyShape, Call, CallResult, ClockFacts, Configured,
    CredentialFacts, DiscoveryFacts, Ended, Facts, GatewayCredential, GatewayFacts, GatewayIntrospection,
    GatewayIssuer, GatewayKey, GatewayWrapper, IntrospectionFacts, IssuerFacts, KeySetFacts, Lookup,
    PublishedKey, Reach, RecordedTransition, RecorderFacts, TlsFacts, TlsTrouble, VERSION, Variation,
    VerdictCount,
};

/// When facts are gathered: 2026-11-18T11:06:40Z.
pub(super) const NOW: i64 = 1_795_000_000;
pub(super) const ISSUER: &str = "https://idp.example/realms/main";
pub(super) const KEYS: &str = "https://idp.example/realms/main/keys";
const DAY: i64 = 86_400;

/// One issuer with introspection beside its keys, and a gateway that has been running for a while.
pub(super) fn healthy() -> Facts {
    Facts {
        version: VERSION,
        gathered_at: NOW,
        took_ms: 412,
        since_s: 300,
        issuers: vec![issuer()],
        gateway: Some(gateway()),
        ..Facts::default()
    }
}

pub(super) fn issuer() -> IssuerFacts {
    IssuerFacts {
        configured: Configured {
            name: "main".to_owned(),
            issuer: ISSUER.to_owned(),
            from_file: true,
            discovers: true,
            strategy: "introspection_then_key_set".to_owned(),
            has_fallback: true,
            audiences: vec!["api".to_owned()],
            token_types: vec!["at+jwt".to_owned(), "JWT".to_owned()],
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            leeway_s: 60,
            ttl_s: 300.0,
            stale_limit_s: 3600.0,
            wrapper_policy: "warn".to_owned(),
            ..Configured::default()
        },
        discovery: Some(DiscoveryFacts {
            reach: reach("https://idp.example/realms/main/.well-known/openid-configuration"),
            issuer: Some(ISSUER.to_owned()),
            jwks_uri: Some(KEYS.to_owned()),
            introspection_endpoint: Some("https://idp.example/introspect".to_owned()),
            token_endpoint: Some("https://idp.example/token".to_owned()),
            auth_methods: vec!["client_secret_basic".to_owned(), "private_key_jwt".to_owned()],
            signing_algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
        }),
        key_set: Some(key_set()),
        introspection: Some(IntrospectionFacts {
            endpoint: Some("https://idp.example/introspect".to_owned()),
            token_endpoint: None,
            reach: None,
            credential: CredentialFacts {
                method: "client_secret_basic".to_owned(),
                client_id: Some("gateway".to_owned()),
                modified_at: Some(NOW - 90 * DAY),
                ..CredentialFacts::default()
            },
            calls: vec![Call {
                endpoint: "introspection".to_owned(),
                method: "client_secret_basic".to_owned(),
                variation: Variation::Configured,
                result: CallResult::Accepted,
                took_ms: 18,
            }],
        }),
        clock: Some(ClockFacts { ahead_s: 0.2, uncertainty_s: 0.5, answers: 4 }),
    }
}

pub(super) fn key_set() -> KeySetFacts {
    let [v4, v6] = addresses();
    KeySetFacts {
        place: KEYS.to_owned(),
        reach: Some(reach(KEYS)),
        answers: vec![answer_of(Some(v4)), answer_of(Some(v6)), answer_of(Some(v4))],
        again: None,
        trouble: None,
        elsewhere: Vec::new(),
    }
}

/// Two keys, each with a certificate.
fn answer_of(address: Option<SocketAddr>) -> AnsweredKeySet {
    AnsweredKeySet {
        address,
        keys: vec![published("key-1"), published("key-2")],
        skipped: Vec::new(),
        age_s: None,
        max_age_s: Some(300),
    }
}

pub(super) fn published(kid: &str) -> PublishedKey {
    PublishedKey {
        kid: Some(kid.to_owned()),
        kty: "RSA".to_owned(),
        algorithms: vec!["RS256".to_owned()],
        bits: 2048,
        thumbprint: Some(format!("thumbprint-of-{kid}")),
        wrapper_not_after: Some(NOW + 200 * DAY),
        wrapper_state: Some("valid".to_owned()),
        wrapper_subject: Some("CN=signer".to_owned()),
        wrapper_serial: Some("01".to_owned()),
    }
}

/// An address of either family, each answering with a JSON object over TLS.
pub(super) fn reach(url: &str) -> Reach {
    let addresses = addresses();
    Reach {
        url: url.to_owned(),
        refused: None,
        lookup: Lookup::Found(addresses.iter().map(SocketAddr::ip).collect()),
        attempts: addresses.into_iter().map(attempt).collect(),
    }
}

pub(super) fn addresses() -> [SocketAddr; 2] {
    let v4 = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let v6 = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
    [SocketAddr::new(v4, 443), SocketAddr::new(v6, 443)]
}

pub(super) fn attempt(address: SocketAddr) -> Attempt {
    Attempt { address, connect_ms: Some(4), tls: Some(tls()), ended: Ended::Answered(answer(200)) }
}

pub(super) fn tls() -> TlsFacts {
    TlsFacts {
        version: Some("TLSv1.3".to_owned()),
        subject: Some("CN=idp.example".to_owned()),
        issuer: Some("CN=R3".to_owned()),
        names: vec!["idp.example".to_owned()],
        not_before: Some(NOW - 30 * DAY),
        not_after: Some(NOW + 60 * DAY),
        chain_length: 2,
        trouble: None,
    }
}

pub(super) fn answer(status: u16) -> Answer {
    let kind = if status == 200 { BodyKind::JsonObject } else { BodyKind::Html };
    Answer {
        status,
        first_octet_ms: 12,
        took_ms: 13,
        headers: BTreeMap::new(),
        body: BodyShape { octets: 1_820, kind, over_limit: false },
    }
}

pub(super) fn gateway() -> GatewayFacts {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);
    let attempt = Attempt { address, connect_ms: Some(0), tls: None, ended: Ended::Answered(answer(200)) };
    GatewayFacts {
        reach: Reach {
            url: "http://127.0.0.1:9090/readyz".to_owned(),
            refused: None,
            lookup: Lookup::Literal(address.ip()),
            attempts: vec![attempt],
        },
        readiness: Some("ready".to_owned()),
        issuers: Some(vec![held()]),
        recorder: Some(RecorderFacts {
            version: "0.1.0".to_owned(),
            up_seconds: 86_400,
            since_seconds: 300,
            verdicts: vec![counted("accept", None, 9_985), counted("reject", Some("expired"), 15)],
            ..RecorderFacts::default()
        }),
    }
}

pub(super) fn held() -> GatewayIssuer {
    GatewayIssuer {
        name: "main".to_owned(),
        issuer: ISSUER.to_owned(),
        state: "fresh".to_owned(),
        usable: true,
        source: Some("fetched".to_owned()),
        age_seconds: Some(100),
        usable_for_seconds: Some(3_500),
        next_refresh_seconds: Some(120),
        wrapper_policy: "warn".to_owned(),
        clock_ahead_seconds: Some(0.0),
        clock_uncertain_by_seconds: Some(0.5),
        keys: vec![held_key("key-1", 6_600), held_key("key-2", 3_400)],
        introspection: Some(GatewayIntrospection {
            endpoint: Some("https://idp.example/introspect".to_owned()),
            breaker: "closed".to_owned(),
            last_success_seconds: Some(0),
            credential: GatewayCredential {
                method: "client_secret_basic".to_owned(),
                state: "usable".to_owned(),
                ..GatewayCredential::default()
            },
            ..GatewayIntrospection::default()
        }),
        ..GatewayIssuer::default()
    }
}

pub(super) fn held_key(kid: &str, verdicts: u64) -> GatewayKey {
    GatewayKey {
        kid: Some(kid.to_owned()),
        thumbprint: Some(format!("thumbprint-of-{kid}")),
        algorithms: vec!["RS256".to_owned()],
        first_seen: "2026-10-01T00:00:00Z".to_owned(),
        verdicts,
        expired_wrapper_verdicts: 0,
        wrapper: Some(GatewayWrapper {
            state: "valid".to_owned(),
            subject: Some("CN=signer".to_owned()),
            serial: Some("01".to_owned()),
            not_after: Some("2027-06-06T11:06:40Z".to_owned()),
            expires_in_seconds: Some(200 * DAY),
            ..GatewayWrapper::default()
        }),
    }
}

pub(super) fn counted(verdict: &str, reason: Option<&str>, count: u64) -> VerdictCount {
    VerdictCount { verdict: verdict.to_owned(), reason: reason.map(str::to_owned), count }
}

pub(super) fn changed(event: &str, cause: Option<&str>, seconds_ago: u64) -> RecordedTransition {
    RecordedTransition {
        at: "2026-11-18T11:06:00Z".to_owned(),
        seconds_ago,
        issuer: Some("main".to_owned()),
        event: event.to_owned(),
        cause: cause.map(str::to_owned),
        ..RecordedTransition::default()
    }
}

/// Changes one thing of what is well.
pub(super) fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = healthy();
    change(&mut facts);
    facts
}

impl Facts {
    pub(super) fn only(&mut self) -> &mut IssuerFacts {
        &mut self.issuers[0]
    }

    pub(super) fn keys(&mut self) -> &mut KeySetFacts {
        self.only().key_set.as_mut().expect("a key set")
    }

    /// Of the key set's addresses.
    pub(super) fn attempts(&mut self) -> &mut Vec<Attempt> {
        &mut self.keys().reach.as_mut().expect("a way").attempts
    }

    pub(super) fn held(&mut self) -> &mut GatewayIssuer {
        &mut self.gateway.as_mut().expect("a gateway").issuers.as_mut().expect("issuers")[0]
    }

    pub(super) fn recorder(&mut self) -> &mut RecorderFacts {
        self.gateway.as_mut().expect("a gateway").recorder.as_mut().expect("a recorder")
    }

    /// Every address of the key set ends so, and there is no key set.
    pub(super) fn all_end(&mut self, ended: &Ended) {
        for attempt in self.attempts() {
            attempt.ended = ended.clone();
            if matches!(ended, Ended::ConnectRefused | Ended::TimedOut(crate::facts::Waited::Connection)) {
                attempt.connect_ms = None;
                attempt.tls = None;
            }
        }
        self.keys().answers.clear();
    }

    /// Every address has this trouble with TLS.
    pub(super) fn no_tls(&mut self, trouble: &TlsTrouble) {
        self.all_end(&Ended::TlsFailed);
        for attempt in self.attempts() {
            attempt.tls = Some(TlsFacts { trouble: Some(trouble.clone()), ..tls() });
        }
    }

    /// The gateway's fetches fail as well, and have for so long that its keys are in this state.
    pub(super) fn gateway_fails(&mut self, label: &str, state: &str) {
        let held = self.held();
        held.state = state.to_owned();
        held.failures = 12;
        held.failing = Some(label.to_owned());
        held.last_error = Some(format!("{label}, in words"));
        held.usable = state == "stale";
        if !held.usable {
            self.gateway.as_mut().expect("a gateway").readiness = Some("no_keys".to_owned());
            self.recorder().verdicts = vec![counted("undecided", Some("keys_stale_limit"), 500)];
        }
    }
}

/// Every finding as `code(consequences)`, in its order.
pub(super) fn outline(findings: &[Finding]) -> String {
    let told = findings.iter().map(|finding| {
        let under = outline(&finding.consequences);
        if under.is_empty() { finding.code.to_string() } else { format!("{}({under})", finding.code) }
    });
    told.collect::<Vec<_>>().join(" ")
}

/// What rules make of facts, as an outline.
pub(super) fn found(facts: &Facts) -> String {
    outline(&super::diagnose(facts).findings)
}

/// The finding named first.
pub(super) fn first(facts: &Facts) -> Finding {
    let Diagnosis { mut findings, .. } = super::diagnose(facts);
    assert!(!findings.is_empty(), "nothing was found");
    findings.remove(0)
}

/// The code named first; none where nothing is found.
pub(super) fn first_code(facts: &Facts) -> Option<Code> {
    super::diagnose(facts).findings.first().map(|finding| finding.code)
}
