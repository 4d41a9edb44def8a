//! `keyward chain verify`: whether a certificate leads to a declared anchor.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use keyward::UnixTime;
use keyward::clock::{Clock, SystemClock};
use keyward_x509::{
    Bundle, Certificate, ChainError, Crl, Identity, Purpose, Revocation, Role, TrustStore, VerifiedChain,
    verify,
};
use serde::Serialize;

use super::advice::{fix, what};
use super::certificate::{CertificateReport, Term, subject};
use super::files;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable, tell};
use crate::time::{format_rfc3339, parse_rfc3339, relative};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward chain verify --anchors roots.pem chain.pem
  keyward chain verify --anchors roots.pem --intermediates cas.pem --usage client leaf.pem
  keyward chain verify --anchors roots.pem --usage server --name api.example.org chain.pem
  keyward chain verify --anchors roots.pem --name spiffe://example.org/session/7 leaf.pem --json
  keyward chain verify --anchors roots.pem --at 2026-12-31T00:00:00Z chain.pem

The first certificate of the chain is the leaf; the others may come in any order. A path ends at a
declared anchor only, whatever is presented. --json prints one object:
  {\"verdict\":\"accept\",\"reason\":null,\"chain\":[...],\"not_after\":\"...\"}
  {\"verdict\":\"reject\",\"reason\":\"expired\",\"certificate\":{...},\"description\":\"...\",\"fix\":\"...\"}

Exit code 0: it leads to an anchor. 1: it does not, and the certificate that it fails at is named.
2: a file cannot be read.")]
pub(crate) struct VerifyArgs {
    /// The leaf, or the leaf and what was presented with it, PEM or DER. `-` is standard input
    #[arg(value_name = "LEAF_OR_CHAIN")]
    chain: PathBuf,
    /// A bundle, or a folder of them, whose certificates you declare to be anchors; may be given several times
    #[arg(long, value_name = "FILE", required_unless_present = "pin", help_heading = "Trust")]
    anchors: Vec<PathBuf>,
    /// The SHA-256 of a certificate of --intermediates that you declare to be an anchor; may be given several
    /// times
    #[arg(long, value_name = "SHA256", value_parser = parse_pin, help_heading = "Trust")]
    pin: Vec<[u8; 32]>,
    /// A bundle, or a folder of them, that paths may lead through; may be given several times
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    intermediates: Vec<PathBuf>,
    /// A file of revocation lists; may be given several times
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    crl: Vec<PathBuf>,
    /// What it means that no current list speaks of a certificate [default: hard where --crl is given]
    #[arg(long, value_name = "MODE", help_heading = "Trust")]
    revocation: Option<RevocationMode>,
    /// What the leaf is to be used for
    #[arg(
        long,
        visible_alias = "purpose",
        value_name = "USAGE",
        default_value = "any",
        help_heading = "Leaf"
    )]
    usage: Usage,
    /// A DNS name, an IP address or a SPIFFE id that the leaf must be for
    #[arg(long, value_name = "NAME", help_heading = "Leaf")]
    name: Option<Identity>,
    /// Verify as of this time instead of now
    #[arg(long, value_name = "RFC3339", value_parser = parse_rfc3339)]
    at: Option<UnixTime>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Usage {
    Any,
    Client,
    Server,
}

impl From<Usage> for Purpose {
    fn from(usage: Usage) -> Self {
        match usage {
            Usage::Any => Self::Any,
            Usage::Client => Self::ClientAuth,
            Usage::Server => Self::ServerAuth,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RevocationMode {
    /// It is refused
    Hard,
    /// It passes
    Soft,
}

/// 64 hexadecimal digits, with colons between them or without, as `openssl x509 -fingerprint -sha256` prints them.
pub(super) fn parse_pin(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let bad = || format!("{text:?} is no SHA-256: write 64 hexadecimal digits");
    if digits.len() != 64 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut pin = [0; 32];
    for (place, octet) in pin.iter_mut().enumerate() {
        let digits = digits.get(2 * place..2 * place + 2).ok_or_else(bad)?;
        *octet = u8::from_str_radix(digits, 16).map_err(|_| bad())?;
    }
    Ok(pin)
}

pub(crate) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let now = args.at.unwrap_or_else(|| SystemClock::new().now().wall);
    let presented = files::bundle(&args.chain)?;
    let anchors = certificates(&args.anchors)?;
    let intermediates = certificates(&args.intermediates)?;
    let crls: Vec<_> = args.crl.iter().map(|path| files::crls(path)).collect::<Result<_, _>>()?;
    let revocation = args.revocation(crls.into_iter().flatten());
    let builder = TrustStore::builder().anchors(anchors).intermediates(intermediates);
    let store = args.pin.iter().fold(builder, |builder, pin| builder.pin(*pin)).build(now.0);

    let found = args.judge(&store, &presented, &revocation, now);
    let mut output = Output::stdout();
    if args.json {
        output.json(&Report::of(&found, now))?;
    } else {
        print(&mut output, &found, &store, now)?;
    }
    output.flush()?;
    Ok(if found.is_ok() { Exit::Yes } else { Exit::No })
}

/// Why the leaf is refused.
enum Refusal {
    Chain(Box<ChainError>),
    /// The first certificate cannot be read at all.
    Unreadable(String),
}

impl VerifyArgs {
    fn judge(
        &self,
        store: &TrustStore,
        presented: &Bundle,
        revocation: &Revocation,
        now: UnixTime,
    ) -> Result<VerifiedChain, Refusal> {
        match presented.skipped.first() {
            Some(leaf) if leaf.index == 0 => return Err(Refusal::Unreadable(leaf.reason.to_string())),
            _ => tell_skipped(&self.chain, presented),
        }
        let chain = verify(store, &presented.certificates, self.usage.into(), now.0, revocation);
        chain
            .and_then(|chain| match &self.name {
                Some(name) => chain.check_identity(name).map(|()| chain),
                None => Ok(chain),
            })
            .map_err(|error| Refusal::Chain(Box::new(error)))
    }

    fn revocation(&self, crls: impl Iterator<Item = Crl>) -> Revocation {
        match self.revocation {
            Some(RevocationMode::Hard) => Revocation::hard(crls),
            Some(RevocationMode::Soft) => Revocation::soft(crls),
            None if self.crl.is_empty() => Revocation::none(),
            None => Revocation::hard(crls),
        }
    }
}

/// What is skipped is told: it cannot be what somebody meant.
fn certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = Vec::new();
    for file in files::bundles(paths)? {
        tell_skipped(&file.path, &file.bundle);
        certificates.extend(file.bundle.certificates);
    }
    Ok(certificates)
}

fn tell_skipped(path: &Path, bundle: &Bundle) {
    for skipped in &bundle.skipped {
        tell(format_args!(
            "{}: certificate {} is skipped: {}",
            path.display(),
            skipped.index,
            skipped.reason
        ));
    }
}

fn print(
    output: &mut Output,
    found: &Result<VerifiedChain, Refusal>,
    store: &TrustStore,
    now: UnixTime,
) -> Result<(), Failure> {
    let error = match found {
        Ok(chain) => return print_accepted(output, chain, now),
        Err(Refusal::Unreadable(why)) => {
            return output.line(format_args!("REJECTED, malformed: the first certificate is {why}"));
        }
        Err(Refusal::Chain(error)) => error,
    };
    output.line(format_args!("REJECTED, {}: {}", error.label(), what(error, now)))?;
    output.line(format_args!("  fix  {}", fix(error)))?;
    if matches!(**error, ChainError::UnknownIssuer { .. } | ChainError::UntrustedRoot { .. }) {
        print_declared_in_vain(output, store)?;
    }
    Ok(())
}

/// What somebody may have taken for the anchor of this chain.
fn print_declared_in_vain(output: &mut Output, store: &TrustStore) -> Result<(), Failure> {
    let declared = store.sorted().iter().filter(|sorted| sorted.is_declared);
    let mut in_vain = declared.filter_map(|sorted| match sorted.role {
        Role::Anchor => None,
        Role::Intermediate(why) => Some((&sorted.certificate, why)),
    });
    for (certificate, why) in in_vain.by_ref().take(NOTES_LIMIT) {
        let name = certificate.to_string();
        output.line(format_args!("  note  {} was declared as an anchor, but {why}", Printable(&name)))?;
    }
    match in_vain.count() {
        0 => Ok(()),
        others => output.line(format_args!("  note  {others} others were declared, too, and are no anchors")),
    }
}

/// The most certificates that are named beside the one that a refusal is about.
const NOTES_LIMIT: usize = 5;

fn print_accepted(output: &mut Output, chain: &VerifiedChain, now: UnixTime) -> Result<(), Failure> {
    output.line(format_args!("accepted, as of {}", format_rfc3339(now)))?;
    let last = chain.certificates().count() - 1;
    for (place, certificate) in chain.certificates().enumerate() {
        let role = match place {
            0 => "leaf",
            place if place == last => "anchor",
            _ => "intermediate",
        };
        output.line(format_args!(
            "  {role:<12}  {}, serial {}",
            subject(certificate),
            certificate.serial()
        ))?;
        output.line(format_args!("                {}", Term(certificate, now)))?;
    }
    let until = UnixTime(chain.not_after());
    output.line(format_args!("it holds until {}, {}", format_rfc3339(until), relative(until, now)))
}

#[derive(Serialize)]
struct Report {
    verdict: &'static str,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Vec<CertificateReport>>,
    /// The last second at which all of the chain is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
    /// The one that it fails at.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'static str>,
}

impl Report {
    fn of(found: &Result<VerifiedChain, Refusal>, now: UnixTime) -> Self {
        let rejected = Self {
            verdict: "reject",
            reason: Some("malformed"),
            chain: None,
            not_after: None,
            certificate: None,
            description: None,
            fix: None,
        };
        match found {
            Ok(chain) => Self {
                verdict: "accept",
                reason: None,
                chain: Some(chain.certificates().map(|one| CertificateReport::of(one, now)).collect()),
                not_after: Some(format_rfc3339(UnixTime(chain.not_after()))),
                ..rejected
            },
            Err(Refusal::Unreadable(why)) => {
                Self { description: Some(format!("the first certificate is {why}")), ..rejected }
            }
            Err(Refusal::Chain(error)) => Self {
                reason: Some(error.label()),
                certificate: error.certificate().map(|one| CertificateReport::of(one, now)),
                description: Some(what(error, now)),
                fix: Some(fix(error)),
                ..rejected
            },
        }
    }
}
