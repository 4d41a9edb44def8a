//! Tokens that are bound to a client's key (RFC 9449): oidc-provider issues them, openid-client gets and shows them,
//! through each proxy.

use std::process::Command;

use super::case::{Bench, Case};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready};
use super::issuers::{Issuer, OidcProvider};
use super::outcome::{Answers, Outcome};
use super::process::{Daemon, free_port, run};
use super::proxies::{Ports, ProxyKind};
use super::upstream::Upstream;
use super::workshop::Workshop;

/// What the client goes to: an issuer, and a service that is behind every proxy.
pub(crate) struct DpopBackdrop {
    issuer: OidcProvider,
    upstream: Upstream,
}

/// One proxy, and a gateway that it asks.
pub(crate) struct DpopBench<'a> {
    workshop: &'a Workshop,
    backdrop: &'a DpopBackdrop,
    kind: &'a ProxyKind,
    site: Site,
}

/// A row for each proxy.
pub(crate) type DpopCase = Case<DpopBench<'static>>;

/// In the order that they run in.
pub(crate) const DPOP_CASES: [DpopCase; 7] = [
    DpopCase { name: "accepted", target: "200", run: accepted },
    DpopCase { name: "replayed", target: "200, then 401 proof_replayed", run: replayed },
    DpopCase { name: "as-bearer", target: "401 binding_missing", run: as_bearer },
    DpopCase { name: "another-key", target: "401 binding_mismatch", run: another_key },
    DpopCase { name: "another-request", target: "200, else 401 proof_invalid", run: another_request },
    DpopCase { name: "introspected", target: "200; 401 as with a JWT", run: introspected },
    DpopCase { name: "nonce", target: "200 at the second try, then at the first", run: nonce },
];

/// A proxy and its gateway.
struct Site {
    gateway: Gateway,
    proxy: Daemon,
    url: String,
}

impl DpopBackdrop {
    /// Starts all of it.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        Ok(Self { issuer: OidcProvider::start(workshop)?, upstream: Upstream::start()? })
    }
}

impl<'a> DpopBench<'a> {
    /// Starts the gateway and the proxy.
    pub(crate) fn start(
        workshop: &'a Workshop,
        kind: &'a ProxyKind,
        backdrop: &'a DpopBackdrop,
    ) -> Result<Self, Error> {
        Ok(Self { workshop, backdrop, kind, site: Site::start(workshop, kind, backdrop, "")? })
    }

    /// What the client gets, question by question.
    fn ask(&self, site: &Site, step: &str, wanted: &[(&str, &str)]) -> Result<Outcome, Error> {
        let site = [site.url.as_str(), step];
        answers_of(self.workshop, &self.backdrop.issuer, &site, wanted)
    }
}

impl Bench for DpopBench<'_> {
    type On<'a> = DpopBench<'a>;

    fn log_tail(&self) -> String {
        self.site.log_tail()
    }
}

/// What openid-client gets where it goes, question by question; `arguments` are those after the issuer.
pub(super) fn answers_of(
    workshop: &Workshop,
    issuer: &OidcProvider,
    arguments: &[&str],
    wanted: &[(&str, &str)],
) -> Result<Outcome, Error> {
    const WHAT: &str = "read what openid-client got";
    let installed = &workshop.installed;
    let mut command = Command::new(installed.node());
    command.arg(installed.script("dpop_client.mjs")).arg(issuer.issuer());
    let printed = run(command.args(arguments))?;
    let got: Vec<(String, String)> = serde_json::from_str(&printed)
        .map_err(|_| Error::MissingField { what: WHAT, field: "list of answers" })?;
    let mut answers = Answers::default();
    let mut got = got.into_iter();
    for (question, wanted) in [("token type", "dpop")].iter().chain(wanted) {
        let answer = got.next().filter(|(asked, _)| asked == question);
        let (_, answer) = answer.ok_or(Error::MissingField { what: WHAT, field: "answer" })?;
        answers.compare(question, answer, wanted);
    }
    answers.outcome()
}

impl Site {
    fn start(
        workshop: &Workshop,
        kind: &ProxyKind,
        backdrop: &DpopBackdrop,
        dpop: &str,
    ) -> Result<Self, Error> {
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let name = format!("dpop-{}-{port}", kind.name);
        let introspection = OidcProvider::introspection(&workshop.subfolder(&name)?)?;
        let config = configuration(&backdrop.issuer, &url, dpop, &introspection);
        let gateway = Gateway::start(workshop, &name, &config, Clock::Real, Ready::WithKeys)?;
        let ports = Ports { proxy: port, gateway: gateway.port(), upstream: backdrop.upstream.port() };
        Ok(Self { proxy: kind.start(workshop, &ports)?, gateway, url })
    }

    fn log_tail(&self) -> String {
        self.proxy.log_tail() + &self.gateway.log_tail()
    }
}

/// A configuration without its `[gateway]`.
pub(super) fn configuration(issuer: &OidcProvider, origin: &str, dpop: &str, introspection: &str) -> String {
    format!(
        r#"[gateway.dpop]
origins = [{origin:?}]
{dpop}

[[issuer]]
name = "main"
issuer = {issuer:?}
audiences = [{audience:?}]
{introspection}
[[route]]
access = "required"
"#,
        issuer = issuer.issuer(),
        audience = issuer.audience(),
    )
}

fn accepted(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let wanted = ["GET", "with a query", "with an encoded path", "POST"].map(|question| (question, "200"));
    bench.ask(&bench.site, "accepted", &wanted)
}

fn replayed(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let again = "401, proof_replayed, DPoP invalid_dpop_proof";
    bench.ask(&bench.site, "replayed", &[("first", "200"), ("again", again)])
}

/// With and without a proof beside it.
fn as_bearer(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let refused = "401, binding_missing, Bearer invalid_token";
    bench.ask(&bench.site, "bearer", &[("alone", refused), ("with a proof", refused)])
}

fn another_key(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let refused = "401, binding_mismatch, DPoP invalid_token";
    bench.ask(&bench.site, "another-key", &[("proof by another key", refused)])
}

fn another_request(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let refused = "401, proof_invalid, DPoP invalid_dpop_proof";
    let others = ["another path", "another method", "another host"].map(|question| (question, refused));
    bench.ask(&bench.site, "another-request", &[&[("this one", "200")], &others[..]].concat())
}

/// An opaque token, of which the provider says what it is bound to.
fn introspected(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let wanted = [
        ("first", "200"),
        ("again", "401, proof_replayed, DPoP invalid_dpop_proof"),
        ("as bearer", "401, binding_missing, Bearer invalid_token"),
        ("proof by another key", "401, binding_mismatch, DPoP invalid_token"),
    ];
    bench.ask(&bench.site, "introspected", &wanted)
}

/// The client learns of the nonce by the first answer and keeps it.
fn nonce(bench: &DpopBench<'_>) -> Result<Outcome, Error> {
    let site = Site::start(bench.workshop, bench.kind, bench.backdrop, "nonce_slot = \"5m\"")?;
    let wanted = [("first", "200, requests: 2"), ("next", "200, requests: 1")];
    let outcome = bench.ask(&site, "nonce", &wanted)?;
    if !outcome.passed {
        super::progress(&site.log_tail());
    }
    Ok(outcome)
}
