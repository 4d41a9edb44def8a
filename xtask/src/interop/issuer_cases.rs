//! What every issuer goes through, before a gateway that knows it.

use std::fs;

use super::error::Error;
use super::gateway::{Clock, Gateway, Ready};
use super::issuers::Issuer;
use super::outcome::{Answers, Outcome};
use super::rotation;
use super::token::Token;
use super::workshop::Workshop;

/// An issuer, a gateway that trusts it, and the same gateway two hours ahead.
pub(crate) struct IssuerBench<'a> {
    /// The issuer under test.
    pub(crate) issuer: &'a dyn Issuer,
    /// A gateway that knows it.
    pub(crate) gateway: Gateway,
    /// To ask the issuer directly.
    pub(crate) http: reqwest::blocking::Client,
    later: Gateway,
}

/// A row for each issuer.
pub(crate) struct IssuerCase {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// What has to come out.
    pub(crate) target: &'static str,
    /// Finds out.
    pub(crate) run: fn(&IssuerBench<'_>) -> Result<Outcome, Error>,
}

/// In the order that they run in; rotation last, since it leaves other keys behind.
pub(crate) const ISSUER_CASES: [IssuerCase; 6] = [
    IssuerCase { name: "accepted", target: "200", run: accepted },
    IssuerCase { name: "tampered", target: "401 invalid_signature", run: tampered },
    IssuerCase { name: "expired", target: "401 expired", run: expired },
    IssuerCase { name: "wrong-audience", target: "401 wrong_audience", run: wrong_audience },
    IssuerCase { name: "other-issuer", target: "401 unknown_issuer", run: other_issuer },
    IssuerCase { name: "rotation", target: "no valid token refused", run: rotation::rotation },
];

impl<'a> IssuerBench<'a> {
    /// Starts the gateways.
    pub(crate) fn start(workshop: &Workshop, name: &str, issuer: &'a dyn Issuer) -> Result<Self, Error> {
        let config = configuration(workshop, name, issuer)?;
        Ok(Self {
            issuer,
            gateway: Gateway::start(
                workshop,
                &format!("{name}-gateway"),
                &config,
                Clock::Real,
                Ready::WithKeys,
            )?,
            later: Gateway::start(
                workshop,
                &format!("{name}-later"),
                &config,
                Clock::TwoHoursAhead,
                Ready::WithKeys,
            )?,
            http: workshop.http.clone(),
        })
    }

    /// The last lines of the gateways' logs.
    pub(crate) fn log_tail(&self) -> String {
        self.gateway.log_tail() + &self.later.log_tail()
    }

    /// Asks about a token in each algorithm.
    fn ask_all(
        &self,
        gateway: &Gateway,
        path: &str,
        wanted: &str,
        bend: fn(Token) -> Result<Vec<Token>, Error>,
    ) -> Result<Outcome, Error> {
        let mut answers = Answers::default();
        for algorithm in self.issuer.algorithms() {
            for token in bend(self.issuer.token(algorithm)?)? {
                let answer = gateway.ask(path, &token)?;
                answers.compare(algorithm, answer.to_string(), wanted);
            }
        }
        let mut outcome = answers.outcome()?;
        if outcome.passed {
            outcome.measured.push_str(&format!(", {}", self.issuer.algorithms().join(", ")));
        }
        Ok(outcome)
    }
}

/// The issuer beside one that has the same keys under another name, which only one route asks for: a token
/// must be refused for its issuer, whatever its signature says.
fn configuration(workshop: &Workshop, name: &str, issuer: &dyn Issuer) -> Result<String, Error> {
    let jwks = workshop.subfolder(name)?.join("elsewhere.json");
    let set = workshop.http.get(issuer.jwks_uri()).send().and_then(|answer| answer.bytes());
    let set = set.map_err(Error::http("read the issuer's key set"))?;
    fs::write(&jwks, set).map_err(Error::io(format!("write {}", jwks.display())))?;
    Ok(format!(
        r#"[[issuer]]
name = "tested"
issuer = {issuer:?}
algorithms = {algorithms:?}
audiences = [{audience:?}]

[[issuer]]
name = "elsewhere"
issuer = "https://elsewhere.example"
jwks_file = {jwks:?}
algorithms = {algorithms:?}
audiences = [{audience:?}]

[[route]]
paths = ["/another-audience/"]
access = "required"
audiences = ["another"]

[[route]]
paths = ["/another-issuer/"]
access = "required"
issuers = ["elsewhere"]

[[route]]
access = "required"
"#,
        issuer = issuer.issuer(),
        algorithms = issuer.algorithms(),
        audience = issuer.audience(),
    ))
}

fn accepted(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.gateway, "/", "200", |token| Ok(vec![token]))
}

fn tampered(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.gateway, "/", "401 invalid_signature", |token| {
        Ok(vec![token.with_bent_signature()?, token.with_claim("sub", "root")?])
    })
}

fn expired(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.later, "/", "401 expired", |token| Ok(vec![token]))
}

fn wrong_audience(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.gateway, "/another-audience/", "401 wrong_audience", |token| Ok(vec![token]))
}

fn other_issuer(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.gateway, "/another-issuer/", "401 unknown_issuer", |token| Ok(vec![token]))
}
