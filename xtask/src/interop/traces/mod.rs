//! Traces in a real receiver, and exemplars in a real Prometheus.

mod exemplars;
mod receiver;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::case::{Bench, Case};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready, header};
use super::issuers::{Introspected, Issuer, Life, OidcProvider};
use super::outcome::{Answers, Outcome};
use super::process::free_port;
use super::workshop::Workshop;

use exemplars::Prometheus;
use receiver::{Receiver, Span};

/// How often is asked while the receiver is gone, and how long one answer may take then.
const ASKED: usize = 500;
const ANSWERED_WITHIN: Duration = Duration::from_millis(250);

/// What is lost is tried three times, with rests of three seconds in all.
const LOST_WITHIN: Duration = Duration::from_secs(15);

const SPANS: &str = "keyward_trace_spans_total";

/// An issuer, a receiver, a gateway that verifies the issuer's tokens by its keys, and one that asks it about them.
pub(crate) struct TracesBench<'a> {
    workshop: &'a Workshop,
    issuer: OidcProvider,
    port: u16,
    receiver: RefCell<Option<Receiver>>,
    keys: Gateway,
    introspecting: Gateway,
}

/// A row for each promise.
pub(crate) type TracesCase = Case<TracesBench<'static>>;

/// In the order that they run in.
pub(crate) const TRACES_CASES: [TracesCase; 5] = [
    TracesCase { name: "verdict", target: "accept, by keys; reject, invalid_signature", run: verdict },
    TracesCase { name: "context", target: "the parent's trace, in and out", run: context },
    TracesCase {
        name: "introspection",
        target: "the verdict's child; the provider is told",
        run: introspection,
    },
    TracesCase { name: "exemplars", target: "the trace, at both metrics", run: exemplars },
    TracesCase { name: "receiver-killed", target: "200, each within 250 ms; lost ones counted", run: killed },
];

impl<'a> TracesBench<'a> {
    /// Starts all of it.
    pub(crate) fn start(workshop: &'a Workshop) -> Result<Self, Error> {
        let (issuer, port) = (OidcProvider::start(workshop)?, free_port()?);
        let receiver = Receiver::start(workshop, port)?;
        let table = format!(
            "[traces]\nendpoint = \"http://127.0.0.1:{port}\"\nsampling_ratio = 1.0\n\n[[issuer]]\nname = \"tested\"\n\
             issuer = {:?}\naudiences = [\"api\"]\n",
            Issuer::issuer(&issuer)
        );
        let asking = OidcProvider::introspection(&workshop.subfolder("traces-introspecting")?)?;
        let asking = format!("{table}strategy = \"introspection\"\n{asking}");
        let start = |name: &str, config: &str, ready| {
            Gateway::start(workshop, &format!("traces-{name}"), config, Clock::Real, ready)
        };
        let keys = start("keys", &table, Ready::WithKeys)?;
        let introspecting = start("introspecting", &asking, Ready::WithoutKeys)?;
        Ok(Self { workshop, issuer, port, receiver: RefCell::new(Some(receiver)), keys, introspecting })
    }

    fn span(&self, is_it: impl Fn(&Span) -> bool) -> Result<Span, Error> {
        let receiver = self.receiver.borrow();
        let found = receiver.as_ref().and_then(|receiver| receiver.span(is_it));
        found.ok_or(Error::MissingField { what: "read the receiver's log", field: "such span" })
    }

    /// Asks as a part of this trace: the answer, and what is handed on to the service.
    fn ask(&self, gateway: &Gateway, token: &str, trace: &Parent) -> Result<(String, String), Error> {
        let request = self.workshop.http.get(format!("http://127.0.0.1:{}/", gateway.port()));
        let told =
            [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/"), ("X-Forwarded-Host", "a.example")];
        let request = told.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.header("traceparent", trace.header()).bearer_auth(token);
        let answer = request.send().map_err(Error::http("ask the gateway"))?;
        let said = format!("{} {}", answer.status().as_u16(), header(&answer, "x-keyward-reason"));
        Ok((said.trim_end().to_owned(), header(&answer, "traceparent")))
    }
}

impl Bench for TracesBench<'_> {
    type On<'a> = TracesBench<'a>;

    fn log_tail(&self) -> String {
        let receiver = self.receiver.borrow().as_ref().map(Receiver::log_tail).unwrap_or_default();
        format!("{}{}{receiver}", self.keys.log_tail(), self.introspecting.log_tail())
    }
}

/// A caller's span.
struct Parent {
    trace_id: String,
}

impl Parent {
    const SPAN: &'static str = "00f067aa0ba902b7";

    /// In a trace that is no other case's.
    fn new(number: u8) -> Self {
        Self { trace_id: format!("{:032x}", u128::from(number) << 100 | 1) }
    }

    fn header(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, Self::SPAN)
    }

    fn is_of(&self, span: &Span, name: &str) -> bool {
        span.trace_id == self.trace_id && span.name == name
    }
}

const VERDICT: &str = "keyward.verdict";

fn verdict(bench: &TracesBench<'_>) -> Result<Outcome, Error> {
    let token = Issuer::token(&bench.issuer, "ES256")?;
    let (good, bent) = (token.to_string(), token.with_bent_signature()?.to_string());
    let mut answers = Answers::default();
    for (number, token, attributes, wanted) in [
        (1, &good, ["verdict", "source"], "accept, by keys"),
        (2, &bent, ["verdict", "reason"], "reject, invalid_signature"),
    ] {
        let parent = Parent::new(number);
        bench.ask(&bench.keys, token, &parent)?;
        let span = bench.span(|span| parent.is_of(span, VERDICT))?;
        let [verdict, why] = attributes.map(|name| span.attribute(name));
        let by = if attributes.contains(&"source") { "by " } else { "" };
        answers.compare("a span", format!("{verdict}, {by}{why}"), wanted);
    }
    answers.outcome()
}

/// Ours is the parent's child, and the service's will be ours.
fn context(bench: &TracesBench<'_>) -> Result<Outcome, Error> {
    let parent = Parent::new(3);
    let token = Issuer::token(&bench.issuer, "RS256")?.to_string();
    let (_, handed_on) = bench.ask(&bench.keys, &token, &parent)?;
    let span = bench.span(|span| parent.is_of(span, VERDICT))?;
    let mut answers = Answers::default();
    answers.compare("its parent", span.parent_id.clone(), Parent::SPAN);
    answers.compare("handed on", handed_on, &format!("00-{}-{}-01", parent.trace_id, span.id));
    let outcome = answers.outcome()?;
    let measured =
        if outcome.passed { "the parent's trace, in and out".to_owned() } else { outcome.measured };
    Ok(Outcome { measured, ..outcome })
}

fn introspection(bench: &TracesBench<'_>) -> Result<Outcome, Error> {
    let parent = Parent::new(4);
    let token = Introspected::token(&bench.issuer, Life::Long)?;
    let (said, _) = bench.ask(&bench.introspecting, &token, &parent)?;
    let verdict = bench.span(|span| parent.is_of(span, VERDICT))?;
    let call = bench.span(|span| parent.is_of(span, "keyward.introspection"))?;
    let told = format!("introspection with traceparent 00-{}-{}-01", parent.trace_id, call.id);
    let mut answers = Answers::default();
    answers.compare("answer", said, "200");
    answers.compare("outcome", call.attribute("outcome").to_owned(), "active");
    answers.compare("the call's parent is the verdict", (call.parent_id == verdict.id).to_string(), "true");
    answers.compare("the provider is told", bench.issuer.log().contains(&told).to_string(), "true");
    let outcome = answers.outcome()?;
    let measured = if outcome.passed {
        "the verdict's child; the provider is told".to_owned()
    } else {
        outcome.measured
    };
    Ok(Outcome { measured, ..outcome })
}

fn exemplars(bench: &TracesBench<'_>) -> Result<Outcome, Error> {
    let prometheus = Prometheus::start(bench.workshop, bench.keys.admin_port())?;
    let parent = Parent::new(5);
    let bent = Issuer::token(&bench.issuer, "EdDSA")?.with_bent_signature()?.to_string();
    bench.ask(&bench.keys, &bent, &parent)?;
    let mut missing = Vec::new();
    for metric in ["auth_jwt_invalid_total", "keyward_jwt_validation_duration_seconds_bucket"] {
        if !prometheus.has_exemplar(metric, &parent.trace_id)? {
            missing.push(metric);
        }
    }
    let passed = missing.is_empty();
    let measured = if passed {
        "the trace, at both metrics".to_owned()
    } else {
        format!("none at {}", missing.join(", "))
    };
    Ok(Outcome { measured, passed })
}

/// Killed, as a machine is that loses its power. Once another one is there, spans arrive again.
fn killed(bench: &TracesBench<'_>) -> Result<Outcome, Error> {
    drop(bench.receiver.borrow_mut().take());
    let token = Issuer::token(&bench.issuer, "ES256")?.to_string();
    let mut slowest = Duration::ZERO;
    let mut answers = Answers::default();
    for _ in 0..ASKED {
        let asked = Instant::now();
        let (said, _) = bench.ask(&bench.keys, &token, &Parent::new(6))?;
        slowest = slowest.max(asked.elapsed());
        answers.compare("a request", said, "200");
    }
    let lost = || bench.keys.metric(&format!("{SPANS}{{outcome=\"lost\"}}"));
    let began = Instant::now();
    while lost()? < ASKED as f64 && began.elapsed() < LOST_WITHIN {
        std::thread::sleep(Duration::from_millis(200));
    }
    *bench.receiver.borrow_mut() = Some(Receiver::start(bench.workshop, bench.port)?);
    let parent = Parent::new(7);
    bench.ask(&bench.keys, &token, &parent)?;
    bench.span(|span| parent.is_of(span, VERDICT))?;
    let (answered, lost) = (answers.outcome()?, lost()?);
    let told = bench.keys.events("traces_failed").len();
    let passed = answered.passed && slowest <= ANSWERED_WITHIN && lost >= ASKED as f64 && told == 1;
    let measured = format!(
        "{}, each within {} ms; {lost} lost, told {told} times; it gets them again once it is back",
        answered.measured,
        slowest.as_millis()
    );
    Ok(Outcome { measured, passed })
}
