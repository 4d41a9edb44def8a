//! Incident A5 at a real provider: a certificate around a passive key is over, and a third of the traffic hangs on it.

use serde_json::Value;

use super::case::{Bench, Case};
use super::certificates::{Authority, Certified, now, write_private};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready};
use super::issuers::{Issuer, OidcProvider, comes_true};
use super::outcome::{Answers, Outcome};
use super::workshop::Workshop;

/// The key that signs, and the one that signed before it and still does for some.
const ACTIVE: &str = "realm-key-v2";
const PASSIVE: &str = "realm-key-v1";

/// How long the certificate around the passive key has been over: 7 h 55 min.
const OVER_SINCE: i64 = 28_500;

const DAY: i64 = 86_400;

/// Of so many requests in all.
const REQUESTS: usize = 100;
const ON_PASSIVE: usize = 34;

/// How long before a term a gateway is started that is to see it.
const LEAD: i64 = 12;

/// How long anything is waited for.
const PATIENCE_SECONDS: u64 = 30;

/// A provider with both keys.
pub(crate) struct WrapperBench<'a> {
    workshop: &'a Workshop,
    issuer: OidcProvider,
    /// The last second of the passive key's certificate.
    until: i64,
}

/// A row for each provider that publishes certificates.
pub(crate) type WrapperCase = Case<WrapperBench<'static>>;

/// In the order that they run in.
pub(crate) const WRAPPER_CASES: [WrapperCase; 5] = [
    WrapperCase {
        name: "ignore",
        target: "200, 34 of 100 on the key; no event",
        run: |bench| under(bench, "ignore", "200", None),
    },
    WrapperCase {
        name: "warn",
        target: "200, 34 of 100 on the key; a warning",
        run: |bench| under(bench, "warn", "200", Some("WARN")),
    },
    WrapperCase {
        name: "enforce",
        target: "401 for 34 of 100, never a signature's; an error",
        run: |bench| under(bench, "enforce", "401 wrapper_certificate_expired", Some("ERROR")),
    },
    WrapperCase {
        name: "enforce-anchors",
        target: "200 by the anchor, else untrusted or mismatch",
        run: under_anchors,
    },
    WrapperCase { name: "30-days-before", target: "told then, and not before", run: told_ahead },
];

impl<'a> WrapperBench<'a> {
    /// Starts the provider.
    pub(crate) fn start(workshop: &'a Workshop) -> Result<Self, Error> {
        let until = now() - OVER_SINCE;
        let keys = [
            (ACTIVE, Certified::signing_key(ACTIVE, now() + 300 * DAY)?),
            (PASSIVE, Certified::signing_key(PASSIVE, until)?),
        ];
        Ok(Self { workshop, issuer: OidcProvider::start_with(workshop, &keys)?, until })
    }
}

impl Bench for WrapperBench<'_> {
    type On<'a> = WrapperBench<'a>;

    fn log_tail(&self) -> String {
        // Each case has a gateway of its own.
        String::new()
    }
}

/// A gateway that knows the issuer, with these settings for certificates.
fn gateway(
    workshop: &Workshop,
    issuer: &OidcProvider,
    name: &str,
    settings: &str,
    clock: Clock,
) -> Result<Gateway, Error> {
    let config = format!(
        "[[issuer]]\nname = \"main\"\nissuer = {:?}\naudiences = [{:?}]\n[issuer.wrapper]\n{settings}\n\n\
         [[route]]\naccess = \"required\"\n",
        issuer.issuer(),
        issuer.audience(),
    );
    Gateway::start(workshop, &format!("wrapper-{name}"), &config, clock, Ready::WithKeys)
}

/// The verdicts, the counts by key, and what the log says, under a policy.
fn under(
    bench: &WrapperBench<'_>,
    policy: &str,
    on_passive: &str,
    level: Option<&str>,
) -> Result<Outcome, Error> {
    let settings = format!("policy = {policy:?}");
    let gateway = gateway(bench.workshop, &bench.issuer, policy, &settings, Clock::Real)?;
    let mut answers = Answers::default();
    for number in 0..REQUESTS {
        // Spread over the run: 34 of each 100.
        let passive = (number + 1) * ON_PASSIVE / REQUESTS > number * ON_PASSIVE / REQUESTS;
        let (kid, algorithm, wanted) =
            if passive { (PASSIVE, PASSIVE, on_passive) } else { (ACTIVE, "ES256", "200") };
        let token = bench.issuer.token(algorithm)?;
        answers.compare("kid", token.header("kid")?, kid);
        answers.compare(kid, gateway.ask("/", &token)?.to_string(), wanted);
    }
    let count = |name: &str, kid: &str| {
        let value = gateway.metric(&format!("keyward_{name}_total{{issuer=\"main\",kid=\"{kid}\"}}"))?;
        Ok::<_, Error>(format!("{value} {name} on {kid}"))
    };
    for (name, kid, wanted) in [
        ("key_verdicts", PASSIVE, ON_PASSIVE),
        ("expired_wrapper_verdicts", PASSIVE, ON_PASSIVE),
        ("key_verdicts", ACTIVE, REQUESTS - ON_PASSIVE),
        ("expired_wrapper_verdicts", ACTIVE, 0),
    ] {
        answers.compare(name, count(name, kid)?, &format!("{wanted} {name} on {kid}"));
    }
    let left = "keyward_wrapper_certificate_expires_in_seconds{issuer=\"main\",kid=\"realm-key-v1\"}";
    // Whoever is not told of certificates has no metric of their ends.
    let shown = match gateway.metric(left) {
        Ok(left) if (-28_800.0..=-28_490.0).contains(&left) => "7 h 55 min".to_owned(),
        Ok(left) => format!("{left} s left"),
        Err(_) if level.is_none() => "nobody tells".to_owned(),
        Err(error) => return Err(error),
    };
    answers.compare("over since", shown, if level.is_some() { "7 h 55 min" } else { "nobody tells" });
    let told = level.map_or("no event".to_owned(), |level| format!("{level} {PASSIVE} {policy}"));
    answers.compare("event", told_of(&gateway, level.is_some()), &told);
    let mut outcome = answers.outcome()?;
    if outcome.passed {
        outcome.measured =
            format!("{on_passive} for {ON_PASSIVE} of {REQUESTS} on {PASSIVE}, 200 for the others; {told}");
    }
    Ok(outcome)
}

/// The lines about certificates that are over, once one is there that has to come.
fn told_of(gateway: &Gateway, has_to_come: bool) -> String {
    let events = || gateway.events("wrapper_certificate_expired");
    if has_to_come {
        comes_true(PATIENCE_SECONDS, || !events().is_empty());
    }
    let text = |line: &Value, name: &str| line.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    let lines = events();
    let told = lines.iter().map(|line| ["level", "kid", "policy"].map(|name| text(line, name)).join(" "));
    if lines.is_empty() { "no event".to_owned() } else { told.collect::<Vec<_>>().join(", ") }
}

/// Under `enforce` with anchors: a certificate of theirs, one of nobody's, and one of theirs around another key.
fn under_anchors(bench: &WrapperBench<'_>) -> Result<Outcome, Error> {
    let authority = Authority::new()?;
    let swapped =
        Certified { key: authority.signing_key("swapped")?.key, ..authority.signing_key("swapped")? };
    let keys = [
        ("anchored", authority.signing_key("anchored")?),
        ("nobodys", Certified::signing_key("nobodys", now() + 300 * DAY)?),
        ("swapped", swapped),
    ];
    let issuer = OidcProvider::start_with(bench.workshop, &keys)?;
    let anchors = bench.workshop.subfolder("wrapper-anchors")?.join("anchors.pem");
    write_private(&anchors, &authority.pem())?;
    let policy = format!("policy = \"enforce\"\nanchors_file = {anchors:?}");
    let gateway = gateway(bench.workshop, &issuer, "anchors", &policy, Clock::Real)?;
    let mut answers = Answers::default();
    for (kid, wanted) in [
        ("anchored", "200"),
        ("nobodys", "401 wrapper_certificate_untrusted"),
        ("swapped", "401 wrapper_certificate_mismatch"),
        // A key that has none: whoever changes the set could leave it out.
        ("RS256", "401 wrapper_certificate_untrusted"),
    ] {
        answers.compare(kid, gateway.ask("/", issuer.token(kid)?)?.to_string(), wanted);
    }
    answers.outcome()
}

/// A gateway whose clock is moved to just before the 30 days.
fn told_ahead(bench: &WrapperBench<'_>) -> Result<Outcome, Error> {
    const EVENT: &str = "wrapper_certificate_expiring";
    let clock = Clock::Shifted(bench.until - 30 * DAY - LEAD - now());
    let gateway = gateway(bench.workshop, &bench.issuer, "30-days-before", "policy = \"warn\"", clock)?;
    let mut answers = Answers::default();
    answers.compare("before", format!("{} lines", gateway.events(EVENT).len()), "0 lines");
    comes_true(PATIENCE_SECONDS, || !gateway.events(EVENT).is_empty());
    let lines = gateway.events(EVENT);
    let told = lines.iter().map(|line| {
        let left = line.get("left_s").and_then(Value::as_i64).unwrap_or_default();
        let kid = line.get("kid").and_then(Value::as_str).unwrap_or("?");
        // It may be told a moment late.
        let days = if (30 * DAY - 10..=30 * DAY).contains(&left) { 30 } else { left / DAY };
        format!("{kid}, {days} days left")
    });
    answers.compare("told", told.collect::<Vec<_>>().join("; "), &format!("{PASSIVE}, 30 days left"));
    answers.outcome()
}
