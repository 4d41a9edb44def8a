//! What every issuer goes through, before a gateway that knows it.

use std::fs;

use super::case::{Bench, Case};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready, TWO_HOURS_AHEAD};
use super::issuers::Issuer;
use super::outcome::{Answers, Outcome};
use super::rotation;
use super::token::Token;
use super::workshop::Workshop;

/// An issuer, a gateway that trusts it, the same gateway two hours ahead, and one that knows another issuer only.
pub(crate) struct IssuerBench<'a> {
    /// The issuer under test.
    pub(crate) issuer: &'a dyn Issuer,
    /// A gateway that knows it.
    pub(crate) gateway: Gateway,
    /// To ask the issuer directly.
    pub(crate) http: reqwest::blocking::Client,
    later: Gateway,
    stranger: Gateway,
}

/// A row for each issuer.
pub(crate) type IssuerCase = Case<IssuerBench<'static>>;

/// In the order that they run in; rotation last, since it leaves other keys behind.
pub(crate) const ISSUER_CASES: [IssuerCase; 7] = [
    IssuerCase { name: "accepted", target: "200", run: accepted },
    IssuerCase { name: "tampered", target: "401 invalid_signature", run: tampered },
    IssuerCase { name: "expired", target: "401 expired", run: expired },
    IssuerCase { name: "wrong-audience", target: "401 wrong_audience", run: wrong_audience },
    IssuerCase { name: "wrong-issuer", target: "401 wrong_issuer", run: wrong_issuer },
    IssuerCase { name: "other-issuer", target: "401 unknown_issuer", run: other_issuer },
    IssuerCase { name: "rotation", target: "no valid token refused", run: rotation::rotation },
];

impl<'a> IssuerBench<'a> {
    /// Starts the gateways.
    pub(crate) fn start(workshop: &Workshop, name: &str, issuer: &'a dyn Issuer) -> Result<Self, Error> {
        let elsewhere = elsewhere(workshop, name, issuer)?;
        let config = configuration(issuer, &elsewhere);
        let start = |role: &str, config: &str, clock| {
            Gateway::start(workshop, &format!("{name}-{role}"), config, clock, Ready::WithKeys)
        };
        Ok(Self {
            issuer,
            gateway: start("gateway", &config, Clock::Real)?,
            later: start("later", &config, TWO_HOURS_AHEAD)?,
            stranger: start("stranger", &elsewhere, Clock::Real)?,
            http: workshop.http.clone(),
        })
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

impl Bench for IssuerBench<'_> {
    type On<'a> = IssuerBench<'a>;

    fn log_tail(&self) -> String {
        self.gateway.log_tail() + &self.later.log_tail() + &self.stranger.log_tail()
    }
}

/// An issuer with the tested one's keys under another name: a token must be refused for its issuer, whatever
/// its signature says.
fn elsewhere(workshop: &Workshop, name: &str, issuer: &dyn Issuer) -> Result<String, Error> {
    let jwks = workshop.subfolder(name)?.join("elsewhere.json");
    let set = workshop.http.get(issuer.jwks_uri()).send().and_then(|answer| answer.bytes());
    let set = set.map_err(Error::http("read the issuer's key set"))?;
    fs::write(&jwks, set).map_err(Error::io(format!("write {}", jwks.display())))?;
    Ok(format!(
        r#"
[[issuer]]
name = "elsewhere"
issuer = "https://elsewhere.example"
jwks_file = {jwks:?}
algorithms = {algorithms:?}
audiences = [{audience:?}]
"#,
        algorithms = issuer.algorithms(),
        audience = issuer.audience(),
    ))
}

/// The issuer beside `elsewhere`, whose tokens alone one route asks for.
fn configuration(issuer: &dyn Issuer, elsewhere: &str) -> String {
    format!(
        r#"[[issuer]]
name = "tested"
issuer = {issuer:?}
algorithms = {algorithms:?}
audiences = [{audience:?}]
{elsewhere}
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
    )
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

fn wrong_issuer(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.gateway, "/another-issuer/", "401 wrong_issuer", |token| Ok(vec![token]))
}

fn other_issuer(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    bench.ask_all(&bench.stranger, "/", "401 unknown_issuer", |token| Ok(vec![token]))
}
