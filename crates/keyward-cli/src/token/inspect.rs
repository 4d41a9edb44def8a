//! `keyward token inspect`: one token, explained.

use std::io;

use clap::Args;
use keyward::binding::Demanded;
use keyward::clock::{Clock, SystemClock};
use keyward::{Claims, Reason, Strategy, Verdict};
use keyward_jose::{DecodeBuffer, Jws};
use keyward_verify::{Check, Outcome};
use serde::Serialize;
use serde_json::Value;

use super::explanation::Explanation;
use super::judge::Judge;
use super::lines::{Line, Lines};
use super::policy::PolicyArgs;
use super::route::{RouteArgs, RouteReport};
use super::signer::Signer;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  echo \"$TOKEN\" | keyward token inspect
  echo \"$TOKEN\" | keyward token inspect --jwks https://idp.example/jwks --audience api
  echo \"$TOKEN\" | keyward token inspect --config keyward.toml --json
  echo \"$TOKEN\" | keyward token inspect --config keyward.toml --route /api/orders --method POST

Without --jwks or --config nothing is verified: it shows what the token claims. With them it says what each
check finds and why, and which key would verify the token. With --route it is held against the route that a
request for this path comes to. An introspection endpoint is never asked. The signature is never printed.

Exit code 0: it can be read, and was accepted where keys were given. 1: it cannot be read, or was rejected.
2: it could not be decided.")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    route: RouteArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    explanation: Explanation,
    /// None where none was asked for.
    route: Option<RouteReport>,
    /// None where no key was tried.
    key: Option<Signer>,
    /// None where no keys were given.
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    checks: Vec<CheckReport>,
    /// What else a request has to show, or somebody else has to say.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct CheckReport {
    check: &'static str,
    outcome: &'static str,
    reason: Option<&'static str>,
    /// What stands in the token, and what is accepted.
    why: Option<String>,
    #[serde(skip)]
    description: Option<&'static str>,
}

pub(crate) fn run(args: &InspectArgs) -> Result<Exit, Failure> {
    if args.policy.has_demands() && !args.policy.has_keys() {
        return Err(Failure::Usage(
            "nothing is checked without keys: give --jwks or --config, too".to_owned(),
        ));
    }
    let token = read_token(READ)?;
    let policy = args.policy.resolve_for(said_issuer(&token).as_deref(), Some(&args.route))?;
    let mut judge = policy.map(Judge::new).transpose()?;
    let now = match &judge {
        Some(judge) => judge.now().wall,
        None => args.policy.at().unwrap_or_else(|| SystemClock::new().now().wall),
    };
    let mut report = Report {
        explanation: Explanation::of(&token, now),
        route: None,
        key: None,
        verdict: None,
        reason: None,
        checks: Vec::new(),
        notes: Vec::new(),
    };
    let exit = match &mut judge {
        Some(judge) => report.judge(judge, &token)?,
        None if report.explanation.malformed.is_some() => Exit::No,
        None => Exit::Yes,
    };
    let mut output = Output::stdout();
    if args.json {
        output.json(&report)?
    } else {
        report.print(&mut output)?
    }
    output.flush()?;
    Ok(exit)
}

/// More octets than any limit of a configuration: a longer token is cut here, and too large for each of them.
const READ: usize = 1024 * 1024;

/// Whose it says it is.
fn said_issuer(token: &[u8]) -> Option<String> {
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token, READ, &mut buffer).ok()?;
    let claims = Claims::parse(jws.dangerous_unverified_payload()).ok()?;
    claims.issuer().map(str::to_owned)
}

fn read_token(size_limit: usize) -> Result<Vec<u8>, Failure> {
    let mut lines = Lines::new(io::stdin().lock(), size_limit);
    let mut token = Vec::new();
    while let Line::Text(line) = lines.next().map_err(Failure::Input)? {
        match line.trim_ascii() {
            [] => {}
            _ if !token.is_empty() => return Err(Failure::TokensSeveral),
            line => token = line.to_vec(),
        }
    }
    if token.is_empty() { Err(Failure::TokenMissing) } else { Ok(token) }
}

impl Report {
    fn judge(&mut self, judge: &mut Judge, token: &[u8]) -> Result<Exit, Failure> {
        let moment = judge.moment()?;
        let verdict = judge.decide(moment, token, &mut DecodeBuffer::new());
        let explained = judge.explain(moment, token);
        self.checks = explained.checks.into_iter().map(CheckReport::new).collect();
        self.key = explained.signer;
        let demands = judge.demands();
        self.route = demands.route.clone();
        if demands.strategy != Strategy::KeySet {
            let (name, strategy) = (judge.issuer_name(), demands.strategy.label());
            let note = format!(
                "tokens of {name} are decided by {strategy}: its introspection endpoint was not asked here"
            );
            self.notes.push(note);
        }
        if demands.is_public {
            self.notes
                .push("the route is public: every request passes, and its token is not looked at".to_owned());
            self.verdict = Some("accept");
            return Ok(Exit::Yes);
        }
        let reason = verdict.reason().or_else(|| self.binding(&verdict, demands.requirement.binding));
        self.verdict =
            Some(if verdict.reason().is_none() && reason.is_some() { "reject" } else { verdict.label() });
        self.reason = reason.map(Reason::label);
        Ok(match (verdict, reason) {
            (Verdict::Accept(_), None) => Exit::Yes,
            (Verdict::Undecided(_), _) => Exit::Undecided,
            (Verdict::Accept(_) | Verdict::Reject(_), _) => Exit::No,
        })
    }

    /// What a bound token needs beside it, and the reason where it is not bound as it has to be. What a request proves is not
    /// known here.
    fn binding(&mut self, verdict: &Verdict, demanded: Option<Demanded>) -> Option<Reason> {
        let Verdict::Accept(verified) = verdict else {
            return None;
        };
        let bound = verified.claims().confirmation();
        let (to_key, to_certificate) =
            bound.map_or((false, false), |bound| (bound.has_key(), bound.has_certificate()));
        if to_key {
            self.notes.push(
                "it is bound to a key: each request has to prove it by DPoP, which is not looked at here"
                    .to_owned(),
            );
        }
        if to_certificate {
            self.notes.push(
                "it is bound to a certificate: the client has to show that, which is not looked at here"
                    .to_owned(),
            );
        }
        let is_as_demanded = match demanded? {
            Demanded::Any => to_key || to_certificate,
            Demanded::Certificate => to_certificate,
            Demanded::Dpop => to_key,
        };
        if is_as_demanded {
            return None;
        }
        self.notes
            .push("the route takes bound tokens only, and this one is not bound as it has to be".to_owned());
        Some(Reason::BindingMissing)
    }

    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let Explanation { header, claims, times, signature_octets, malformed } = &self.explanation;
        print_object(output, "header", header.as_ref(), &serde_json::Map::new())?;
        print_object(output, "claims", claims.as_ref(), times)?;
        match signature_octets {
            Some(octets) => output.line(format_args!("signature: {octets} octets, not shown"))?,
            None => output.line("signature: cannot be read")?,
        }
        if let Some(malformed) = malformed {
            output.line(format_args!("malformed: {malformed}"))?;
        }
        let Some(verdict) = self.verdict else {
            return output.line(
                "verdict: none. NOTHING OF THIS IS VERIFIED: anybody can write it. Give --jwks or --config.",
            );
        };
        if let Some(route) = &self.route {
            output.line(format_args!("{}:", route.name))?;
            for (title, text) in route.lines() {
                output.line(format_args!("  {title:9}  {text}"))?;
            }
        }
        output.line("checks:")?;
        for check in &self.checks {
            output.line(check)?;
        }
        for note in &self.notes {
            output.line(format_args!("note: {note}"))?;
        }
        match self.reason {
            Some(reason) => output.line(format_args!("verdict: {verdict}, {reason}")),
            None => output.line(format_args!("verdict: {verdict}")),
        }
    }
}

fn print_object(
    output: &mut Output,
    title: &str,
    object: Option<&Value>,
    remarks: &serde_json::Map<String, Value>,
) -> Result<(), Failure> {
    let Some(members) = object.and_then(Value::as_object) else {
        return output.line(format_args!("{title}: cannot be read"));
    };
    output.line(format_args!("{title}:"))?;
    let width = members.keys().map(|name| name.chars().count()).max().unwrap_or(0).min(24);
    for (name, value) in members {
        let (name, text) = (Printable(name).to_string(), value.to_string());
        let remark = remarks.get(&name).and_then(Value::as_str);
        match remark {
            Some(remark) => output.line(format_args!("  {name:width$}  {}  ({remark})", Printable(&text)))?,
            None => output.line(format_args!("  {name:width$}  {}", Printable(&text)))?,
        }
    }
    Ok(())
}

impl CheckReport {
    fn new((check, outcome, why): (Check, Outcome, Option<String>)) -> Self {
        let (outcome, reason) = match outcome {
            Outcome::No(reason) => ("no", Some(reason)),
            Outcome::NotAsked => ("not_asked", None),
            Outcome::Yes => ("yes", None),
        };
        Self {
            check: check.label(),
            outcome,
            reason: reason.map(Reason::label),
            why,
            description: reason.map(Reason::description),
        }
    }
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = self.outcome.replace('_', " ");
        write!(f, "  {:9}  {outcome}", self.check)?;
        if let (Some(reason), Some(description)) = (self.reason, self.description) {
            write!(f, ": {reason}: {description}")?;
        }
        match (&self.why, self.reason) {
            (Some(why), None) => write!(f, ": {why}"),
            // Below what it explains, where a line would become too long.
            (Some(why), Some(_)) => write!(f, "\n{:13}{why}", ""),
            (None, _) => Ok(()),
        }
    }
}
