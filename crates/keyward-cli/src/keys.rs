//! `keyward keys`.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use clap::{Args, Subcommand};
use keyward::IssuerSettings;
use keyward::address::AllowedHost;
use keyward::source::Source;
use keyward_jose::{JwkSet, SkippedJwk, VerificationKey};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};
use crate::place::{self, Place};
use crate::runtime;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Which keys of a JWK Set can be used, and why the others cannot
    Check(CheckArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward keys check keys.json
  keyward keys check https://idp.example/jwks
  keyward keys check --issuer https://idp.example/realms/main --json
  keyward keys check --issuer https://accounts.google.com --allow-host www.googleapis.com

Exit code 0: every key can be used. 1: one cannot, or there is none. 2: there is no JWK Set to look at.")]
pub(crate) struct CheckArgs {
    /// The JWK Set: a file, or an address by https (by http on this machine)
    #[arg(value_name = "FILE_OR_URL", required_unless_present = "issuer", conflicts_with = "issuer")]
    place: Option<Place>,
    /// The issuer; its discovery document names the JWK Set
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// A host that the issuer may name its keys on beside its own; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<AllowedHost>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: KeysCommand) -> Result<Exit, Failure> {
    let KeysCommand::Check(args) = command;
    let mut settings = IssuerSettings::discover(args.issuer.as_deref().unwrap_or_default());
    settings.allowed_hosts = args.allow_host;
    settings.allowed_hosts.extend(args.issuer.as_deref().and_then(place::issuer_host));
    if let Some(place) = args.place {
        settings.allowed_hosts.extend(place.host());
        settings.source = Some(place.into());
    }
    settings.check()?;
    let set = match Source::new(&settings)? {
        Some(source) => runtime::single()?.block_on(source.fetch())?.fetched.set,
        None => return Ok(Exit::Undecided),
    };
    let report = Report::of(&set);
    let mut output = Output::stdout();
    if args.json {
        output.json(&report)?;
    } else {
        for key in &report.keys {
            output.line(key)?;
        }
        output.line(&report)?;
    }
    output.flush()?;
    Ok(if report.unusable == 0 && report.usable > 0 { Exit::Yes } else { Exit::No })
}

#[derive(Serialize)]
struct Report<'a> {
    keys: Vec<KeyReport<'a>>,
    usable: usize,
    unusable: usize,
    /// The `kid`s that more than one key has. All of them are tried, in the set's order.
    duplicate_kids: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct KeyReport<'a> {
    /// Its place in the set, from 0.
    index: usize,
    kid: Option<&'a str>,
    usable: bool,
    kty: Option<&'static str>,
    algorithms: Vec<&'static str>,
    bits: Option<usize>,
    thumbprint: Option<String>,
    reason: Option<&'static str>,
    description: Option<String>,
}

impl<'a> Report<'a> {
    fn of(set: &'a JwkSet) -> Self {
        let total = set.keys().len() + set.skipped().len();
        let (mut usable, mut skipped) = (set.keys().iter(), set.skipped().iter().peekable());
        let keys: Vec<_> = (0..total)
            .filter_map(|index| match skipped.next_if(|skipped| skipped.index == index) {
                Some(skipped) => Some(KeyReport::unusable(skipped)),
                None => usable.next().map(|key| KeyReport::usable(index, key)),
            })
            .collect();
        let mut seen = BTreeSet::new();
        let duplicate_kids = keys.iter().filter_map(|key| key.kid).filter(|kid| !seen.insert(*kid)).collect();
        Self { keys, usable: set.keys().len(), unusable: set.skipped().len(), duplicate_kids }
    }
}

impl<'a> KeyReport<'a> {
    fn usable(index: usize, key: &'a VerificationKey) -> Self {
        Self {
            index,
            kid: key.kid(),
            usable: true,
            kty: Some(key.key_type().name()),
            algorithms: key.algorithms().iter().map(keyward::Algorithm::name).collect(),
            bits: Some(key.bits()),
            thumbprint: key.thumbprint().map(|thumbprint| thumbprint.to_string()),
            reason: None,
            description: None,
        }
    }

    fn unusable(skipped: &'a SkippedJwk) -> Self {
        Self {
            index: skipped.index,
            kid: skipped.kid.as_deref(),
            usable: false,
            kty: None,
            algorithms: Vec::new(),
            bits: None,
            thumbprint: None,
            reason: Some(skipped.reason.label()),
            description: Some(skipped.reason.to_string()),
        }
    }
}

impl Display for KeyReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kid {
            Some(kid) => write!(f, "key {} {}: ", self.index, Printable(kid))?,
            None => write!(f, "key {} without kid: ", self.index)?,
        }
        match (self.kty, self.bits, &self.thumbprint) {
            (Some(kty), Some(bits), Some(thumbprint)) => {
                write!(
                    f,
                    "usable, {kty}, {bits} bits, {}\n  thumbprint {thumbprint}",
                    self.algorithms.join(" ")
                )
            }
            _ => write!(
                f,
                "UNUSABLE, {}: {}",
                self.reason.unwrap_or_default(),
                self.description.as_deref().unwrap_or_default()
            ),
        }
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} usable, {} unusable", self.usable, self.unusable)?;
        for kid in &self.duplicate_kids {
            write!(f, "\nseveral keys have the kid {}: each is tried, in this order", Printable(kid))?;
        }
        Ok(())
    }
}
