//! `keyward token verify`: tokens in, verdicts out.

use std::io;

use base64_simd::URL_SAFE_NO_PAD;
use clap::Args;
use keyward::{Reason, Verdict, Verified};
use keyward_jose::DecodeBuffer;

use super::judge::{Judge, Moment};
use super::lines::{Line, Lines};
use super::policy::PolicyArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward token verify --jwks keys.json --issuer https://idp.example --audience api < tokens
  echo \"$TOKEN\" | keyward token verify --jwks https://idp.example/jwks
  keyward token verify --config keyward.toml --issuer-name main --at 2026-11-21T04:00:00Z < tokens

It reads one token a line and prints one JSON object a line, in the same order:
  {\"verdict\":\"accept\",\"reason\":null,\"kid\":\"2026-11\",\"claims\":{...}}
  {\"verdict\":\"reject\",\"reason\":\"expired\",\"kid\":null}
\"kid\" is that of the key that verified the token. Empty lines are skipped.

Exit code 0: all were accepted. 1: one was rejected. 2: none was rejected, and one could not be decided.")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Accept also what is no token: a JWS whose payload is no JSON object, by its signature alone. It is
    /// printed as "payload" in base64url instead of "claims"
    #[arg(long)]
    payload_any: bool,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let mut judge = Judge::new(args.policy.resolve_or_usage()?)?;
    let mut lines = Lines::new(io::stdin().lock(), judge.size_limit());
    let mut output = Output::stdout();
    let mut buffer = DecodeBuffer::new();
    let mut tally = Tally::default();
    let mut moment = judge.moment()?;
    loop {
        let may_wait = lines.may_wait();
        if may_wait {
            // Whoever sends the next token only after this verdict gets it now.
            output.flush()?;
        }
        let token = match lines.next().map_err(Failure::Input)? {
            Line::End => break,
            Line::Text([]) => continue,
            Line::Text(token) => token,
        };
        if may_wait {
            moment = judge.moment()?;
        }
        let verdict = judge.decide(moment, token, &mut buffer);
        tally.count(match verdict {
            Verdict::Reject(Reason::MalformedToken) if args.payload_any => {
                print_payload(&mut output, &mut judge, moment, token, &mut buffer)?
            }
            verdict => print(&mut output, verdict)?,
        });
    }
    output.flush()?;
    Ok(tally.exit())
}

fn print(output: &mut Output, verdict: Verdict) -> Result<Option<Reason>, Failure> {
    match &verdict {
        Verdict::Accept(verified) => print_accepted(output, verified)?,
        Verdict::Reject(reason) | Verdict::Undecided(reason) => {
            // Labels need no escape.
            output.line(format_args!(
                r#"{{"verdict":"{}","reason":"{reason}","kid":null}}"#,
                verdict.label()
            ))?;
        }
    }
    Ok(verdict.reason())
}

fn print_accepted(output: &mut Output, verified: &Verified) -> Result<(), Failure> {
    print_kid(output, verified.kid())?;
    output.octets(br#","claims":"#)?;
    // As they were signed. A line break can only stand between two tokens of JSON, where a space does as well.
    let claims = verified.claims().json();
    if claims.as_bytes().contains(&b'\n') || claims.as_bytes().contains(&b'\r') {
        output.octets(claims.replace(['\n', '\r'], " ").as_bytes())?;
    } else {
        output.octets(claims.as_bytes())?;
    }
    output.octets(b"}\n")
}

fn print_payload(
    output: &mut Output,
    judge: &mut Judge,
    moment: Moment,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Result<Option<Reason>, Failure> {
    match judge.verify_payload(moment, token, buffer) {
        Ok(signed) => {
            print_kid(output, signed.key().key().kid())?;
            let payload = URL_SAFE_NO_PAD.encode_to_string(signed.payload());
            output.line(format_args!(r#","payload":"{payload}"}}"#))?;
            Ok(None)
        }
        Err(reason) => print(output, reason.into()),
    }
}

/// The beginning of an accepting verdict.
fn print_kid(output: &mut Output, kid: Option<&str>) -> Result<(), Failure> {
    output.octets(br#"{"verdict":"accept","reason":null,"kid":"#)?;
    output.value(&kid)
}

/// How many of which verdict there were, as far as the exit code wants to know.
#[derive(Default)]
struct Tally {
    rejected: bool,
    undecided: bool,
}

impl Tally {
    fn count(&mut self, reason: Option<Reason>) {
        match reason {
            None => {}
            Some(reason) if reason.is_undecided() => self.undecided = true,
            Some(_) => self.rejected = true,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self { rejected: true, .. } => Exit::No,
            Self { undecided: true, .. } => Exit::Undecided,
            Self { .. } => Exit::Yes,
        }
    }
}
