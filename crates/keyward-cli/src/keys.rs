//! `keyward keys`.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward::address::AllowedHost;
use keyward::clock::{Clock, SystemClock};
use keyward::source::Source;
use keyward::{IssuerSettings, KeySource, UnixTime, WrapperStatus};
use keyward_jose::{JwkSet, SkippedJwk, VerificationKey};
use keyward_verify::key_set::Wrapper;
use keyward_x509::TrustStore;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};
use crate::place::{self, Place};
use crate::{runtime, time};

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
  keyward keys check keys.json --anchors signers-ca.pem --at 2027-01-01T00:00:00Z
  keyward keys check --certificate signer.pem

A key is not its certificate: what is wrong with the X.509 certificate around a key is shown,
and the key can be used.

Exit code 0: every key can be used. 1: one cannot, or there is none. 2: there is no JWK Set to look at.")]
pub(crate) struct CheckArgs {
    /// The JWK Set: a file, or an address by https (by http on this machine)
    #[arg(
        value_name = "FILE_OR_URL",
        required_unless_present_any = ["issuer", "certificate"],
        conflicts_with = "issuer"
    )]
    place: Option<Place>,
    /// The issuer; its discovery document names the JWK Set
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// A host that the issuer may name its keys on beside its own; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<AllowedHost>,
    /// Certificates in PEM or DER in place of a JWK Set
    #[arg(long, value_name = "FILE", conflicts_with_all = ["place", "issuer"])]
    certificate: Option<PathBuf>,
    /// Trust anchors that the certificates around keys have to lead to, in PEM or DER
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// When certificates are looked at, instead of now
    #[arg(long, value_name = "RFC3339", value_parser = time::parse_rfc3339)]
    at: Option<UnixTime>,
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
    if let Some(path) = args.certificate {
        settings.source = Some(KeySource::Certificates { path, kid: None });
    }
    if let Some(path) = args.anchors {
        let unread = |cause| Failure::File { path: path.display().to_string(), cause };
        settings.wrapper_anchors = std::fs::read(&path).map_err(unread)?;
    }
    settings.check()?;
    let now = args.at.unwrap_or_else(|| SystemClock::new().now().wall);
    let anchors = settings.wrapper_trust(now)?;
    let set = match Source::new(&settings)? {
        Some(source) => runtime::single()?.block_on(source.fetch())?.fetched.set,
        None => return Ok(Exit::Undecided),
    };
    let report = Report::of(&set, anchors.as_ref(), now);
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
    /// The X.509 certificate around it.
    wrapper: Option<WrapperStatus>,
}

impl<'a> Report<'a> {
    fn of(set: &'a JwkSet, anchors: Option<&TrustStore>, now: UnixTime) -> Self {
        let total = set.keys().len() + set.skipped().len();
        let (mut usable, mut skipped) = (set.keys().iter(), set.skipped().iter().peekable());
        let keys: Vec<_> = (0..total)
            .filter_map(|index| match skipped.next_if(|skipped| skipped.index == index) {
                Some(skipped) => Some(KeyReport::unusable(skipped)),
                None => usable.next().map(|key| {
                    let wrapper = Wrapper::of(key, anchors, now);
                    let wrapper = wrapper.map(|wrapper| WrapperStatus::of(&wrapper, now));
                    KeyReport { wrapper, ..KeyReport::usable(index, key) }
                }),
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
            wrapper: None,
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
            wrapper: None,
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
                )?;
                self.wrapper.as_ref().map_or(Ok(()), |wrapper| write_wrapper(wrapper, f))
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

fn write_wrapper(wrapper: &WrapperStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\n  certificate")?;
    if let (Some(subject), Some(serial)) = (&wrapper.subject, &wrapper.serial) {
        write!(f, " {}, serial {}", Printable(subject), Printable(serial))?;
    }
    if let Some(description) = &wrapper.description {
        write!(f, ": WRONG, {}: {}", wrapper.state, Printable(description))?;
    } else if wrapper.state == "not_yet_valid" {
        write!(f, ": NOT YET VALID, from {}", wrapper.not_before.as_deref().unwrap_or_default())?;
    }
    let Some(left) = wrapper.expires_in_seconds else {
        return Ok(());
    };
    let not_after = wrapper.not_after.as_deref().unwrap_or_default();
    let how_far = time::relative(UnixTime(left), UnixTime(0));
    if left > 0 {
        write!(f, ", until {not_after} ({how_far})")
    } else {
        write!(f, ": EXPIRED with {not_after} ({how_far})")
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
