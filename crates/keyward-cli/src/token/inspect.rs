//! `keyward token inspect`: one token, explained.

use std::io;

use clap::Args;
use keyward::Verdict;
use keyward::clock::{Clock, SystemClock};
use keyward_jose::{DecodeBuffer, Jws};
use keyward_verify::{Check, Outcome};
use serde::Serialize;
use serde_json::Value;

use super::explanation::Explanation;
use super::judge::Judge;
use super::lines::{Line, Lines};
use super::policy::PolicyArgs;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  echo \"$TOKEN\" | keyward token inspect
  echo \"$TOKEN\" | keyward token inspect --jwks https://idp.example/jwks --audience api
  echo \"$TOKEN\" | keyward token inspect --config keyward.toml --json

Without --jwks or --config nothing is verified: it shows what the token claims. With them it says what each
check finds. The signature is never printed.

Exit code 0: it can be read, and was accepted where keys were given. 1: it cannot be read, or was rejected.
2: it could not be decided.")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    explanation: Explanation,
    /// None where no keys were given.
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    checks: Vec<CheckReport>,
}

#[derive(Serialize)]
struct CheckReport {
    check: &'static str,
    outcome: &'static str,
    reason: Option<&'static str>,
    #[serde(skip)]
    description: Option<&'static str>,
}

pub(crate) fn run(args: &InspectArgs) -> Result<Exit, Failure> {
    let policy = args.policy.resolve()?;
    if policy.is_none() && args.policy.has_demands() {
        return Err(Failure::Usage(
            "nothing is checked without keys: give --jwks or --config, too".to_owned(),
        ));
    }
    let mut judge = policy.map(Judge::new).transpose()?;
    let token = read_token(judge.as_ref().map_or(Jws::DEFAULT_SIZE_LIMIT, Judge::size_limit))?;
    let now = match &judge {
        Some(judge) => judge.now().wall,
        None => args.policy.at().unwrap_or_else(|| SystemClock::new().now().wall),
    };
    let explanation = Explanation::of(&token, now);
    let mut report = Report { explanation, verdict: None, reason: None, checks: Vec::new() };
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
        self.verdict = Some(verdict.label());
        self.reason = verdict.reason().map(keyward::Reason::label);
        self.checks = judge.explain(moment, token).into_iter().map(CheckReport::new).collect();
        Ok(match verdict {
            Verdict::Accept(_) => Exit::Yes,
            Verdict::Reject(_) => Exit::No,
            Verdict::Undecided(_) => Exit::Undecided,
        })
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
        output.line("checks:")?;
        for check in &self.checks {
            output.line(check)?;
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
    fn new((check, outcome): (Check, Outcome)) -> Self {
        let (outcome, reason) = match outcome {
            Outcome::No(reason) => ("no", Some(reason)),
            Outcome::NotAsked => ("not_asked", None),
            Outcome::Yes => ("yes", None),
        };
        Self {
            check: check.label(),
            outcome,
            reason: reason.map(keyward::Reason::label),
            description: reason.map(keyward::Reason::description),
        }
    }
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = self.outcome.replace('_', " ");
        write!(f, "  {:9}  {outcome}", self.check)?;
        match (self.reason, self.description) {
            (Some(reason), Some(description)) => write!(f, ": {reason}: {description}"),
            _ => Ok(()),
        }
    }
}
