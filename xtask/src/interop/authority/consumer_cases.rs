//! What every program goes through that takes the authority's tokens.

use std::path::PathBuf;

use reqwest::blocking::Client;
use serde_json::Value;

use super::consumers::{Consumer, ConsumerKind, Trusted};
use super::nodes::{Engine, Nodes};
use super::realm::{RESOURCE, Realm};
use crate::interop::case::{Bench, Case};
use crate::interop::error::Error;
use crate::interop::issuers::{comes_true, published_kids};
use crate::interop::outcome::{Answers, Outcome};
use crate::interop::token::Token;
use crate::interop::workshop::Workshop;

/// How far the authority's clock is moved for a rotation: longer than keys are published.
const STEP: i64 = 700;

/// How many tokens under the new keys have to be taken.
const ENOUGH: usize = 25;

/// How long new keys, and tokens by them, may take to come, in seconds.
const DEADLINE: u64 = 30;

/// How long a program may take to fetch what is published, in seconds of its own.
const FETCHED_WITHIN: u64 = 6;

/// An authority whose clock can be moved, and a client's secret.
pub(super) struct Source<'a> {
    workshop: &'a Workshop,
    nodes: Nodes,
    folder: PathBuf,
    secret: String,
}

/// A program that takes its tokens.
pub(super) struct ConsumerBench<'a> {
    source: &'a Source<'a>,
    consumer: Box<dyn Consumer>,
}

pub(super) type ConsumerCase = Case<ConsumerBench<'static>>;

/// In the order that they run in.
pub(super) const CONSUMER_CASES: [ConsumerCase; 3] = [
    ConsumerCase { name: "accepted", target: "200", run: accepted },
    ConsumerCase { name: "tampered", target: "refused", run: tampered },
    ConsumerCase { name: "rotation", target: "no valid token refused", run: rotation },
];

impl<'a> Source<'a> {
    /// Two nodes, `behind` seconds behind the machine's clock.
    pub(super) fn start(
        workshop: &'a Workshop,
        name: &str,
        engine: Engine<'_>,
        behind: i64,
    ) -> Result<Self, Error> {
        let realm = Realm::new(workshop, None)?;
        let nodes = Nodes::start(workshop, name, engine, &realm, Some(behind))?;
        let secret = nodes.administer(&["secret", "create", "--client", "basic"])?;
        Ok(Self { workshop, nodes, folder: workshop.subfolder(name)?, secret })
    }

    fn http(&self) -> &Client {
        &self.workshop.http
    }

    fn token(&self) -> Result<Token, Error> {
        const WHAT: &str = "get a token from the authority";
        let form = [("grant_type", "client_credentials"), ("resource", RESOURCE)];
        let request = self.http().post(format!("{}/token", self.nodes.issuer()));
        let answer = request.basic_auth("basic", Some(&self.secret)).form(&form).send();
        let body: Value = answer.and_then(|answer| answer.json()).map_err(Error::http(WHAT))?;
        let token = body.get("access_token").and_then(Value::as_str);
        Token::parse(token.ok_or(Error::MissingField { what: WHAT, field: "access_token" })?)
    }

    fn published(&self) -> Vec<String> {
        published_kids(self.http(), &format!("{}/jwks", self.nodes.issuer())).unwrap_or_default()
    }
}

impl<'a> ConsumerBench<'a> {
    /// Starts the program.
    pub(super) fn start(source: &'a Source<'a>, kind: &ConsumerKind) -> Result<Self, Error> {
        let issuer = source.nodes.issuer();
        let trusted = Trusted { issuer: &issuer, audience: RESOURCE, folder: &source.folder };
        Ok(Self { source, consumer: (kind.start)(source.workshop, &trusted)? })
    }
}

impl Bench for ConsumerBench<'_> {
    type On<'a> = ConsumerBench<'a>;

    fn log_tail(&self) -> String {
        self.source.nodes.log_tail() + &self.consumer.log_tail()
    }
}

fn accepted(bench: &ConsumerBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    let status = bench.consumer.ask(&bench.source.token()?.to_string())?;
    answers.compare("a token", status.to_string(), "200");
    answers.outcome()
}

fn tampered(bench: &ConsumerBench<'_>) -> Result<Outcome, Error> {
    let token = bench.source.token()?;
    let bent = [token.with_bent_signature()?, token.with_claim("sub", "somebody")?];
    let mut statuses = Vec::with_capacity(bent.len());
    for token in bent {
        statuses.push(bench.consumer.ask(&token.to_string())?);
    }
    let measured = statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    Ok(Outcome { measured, passed: statuses.iter().all(|status| (400..500).contains(status)) })
}

/// Tokens flow while other keys are published, and then sign.
fn rotation(bench: &ConsumerBench<'_>) -> Result<Outcome, Error> {
    const WHAT: &str = "rotate the authority's keys";
    let source = bench.source;
    let time = source.nodes.time().ok_or(Error::MissingField { what: WHAT, field: "clock" })?;
    let (before, first) = (source.published(), source.token()?);
    let (mut accepted, mut new, mut refused) = (0, 0, Vec::new());
    let mut ask = || -> Result<usize, Error> {
        let fresh = source.token()?;
        for token in [&first, &fresh] {
            match bench.consumer.ask(&token.to_string())? {
                200 => accepted += 1,
                status => refused.push(status),
            }
        }
        new += usize::from(!before.contains(&fresh.header("kid")?));
        Ok(new)
    };
    let mut failed = None;
    let mut flows = |seconds: u64, done: &dyn Fn(usize) -> bool| {
        comes_true(seconds, || match ask() {
            Ok(new) => done(new),
            Err(error) => failed.replace(error).is_none(),
        })
    };
    source.nodes.administer(&["signing-key", "rotate"])?;
    let published = flows(DEADLINE, &|_| source.published().len() > before.len());
    // Until it has them.
    flows(FETCHED_WITHIN, &|_| false);
    time.pass(STEP)?;
    let ended = flows(DEADLINE, &|new| new >= ENOUGH);
    if let Some(error) = failed {
        return Err(error);
    }
    let mut measured = format!("{accepted} accepted, {new} of them under new keys");
    if let Some(first) = refused.first() {
        measured.push_str(&format!("; {} REFUSED ({first})", refused.len()));
    }
    Ok(Outcome { measured, passed: published && ended && refused.is_empty() })
}
