//! `keyward chain show`: what each certificate of a bundle is.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use clap::Args;
use keyward::UnixTime;
use keyward::clock::{Clock, SystemClock};
use keyward_x509::{NoAnchor, Role, Sorted, TrustStore};
use serde::Serialize;

use super::certificate::{CertificateReport, Details, fingerprint, subject};
use super::files::{self, BundleFile};
use super::verify::parse_pin;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::time::{format_rfc3339, parse_rfc3339, relative};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward chain show bundle.pem
  keyward chain show bundle.pem --pin 9f1c…
  keyward chain show --anchors roots.pem intermediates/
  keyward chain show --anchors /etc/ssl/certs/ca-certificates.crt --json

A trust anchor is a certificate that you declare (by --anchors or --pin), that its own key signed,
that is a CA's and may sign certificates, and that is within its validity. Every other one is an
intermediate, however it was delivered: nothing that is only found in a bundle is trusted.

Exit code 0: each file was read whole, each pin is an anchor, and so is one of --anchors.
1: not so. 2: a file cannot be read.")]
pub(crate) struct ShowArgs {
    /// Bundles, PEM or DER, or folders of them; they declare nothing. `-` is standard input
    #[arg(value_name = "BUNDLE", required_unless_present = "anchors")]
    bundles: Vec<PathBuf>,
    /// A bundle whose certificates you declare to be anchors; may be given several times
    #[arg(long, value_name = "FILE")]
    anchors: Vec<PathBuf>,
    /// The SHA-256 of a certificate that you declare to be an anchor, in whichever bundle; may be given several
    /// times
    #[arg(long, value_name = "SHA256", value_parser = parse_pin)]
    pin: Vec<[u8; 32]>,
    /// Sort as of this time instead of now
    #[arg(long, value_name = "RFC3339", value_parser = parse_rfc3339)]
    at: Option<UnixTime>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let now = args.at.unwrap_or_else(|| SystemClock::new().now().wall);
    let anchors = files::bundles(&args.anchors)?;
    let bundles = files::bundles(&args.bundles)?;
    let of = |files: &[BundleFile]| {
        files.iter().flat_map(|file| file.bundle.certificates.clone()).collect::<Vec<_>>()
    };
    let builder = TrustStore::builder().anchors(of(&anchors)).intermediates(of(&bundles));
    let store = args.pin.iter().fold(builder, |builder, pin| builder.pin(*pin)).build(now.0);

    let files: Vec<_> = anchors.iter().chain(&bundles).collect();
    let report = Report::of(&store, &files, &args.pin, now);
    let mut output = Output::stdout();
    if args.json {
        output.json(&report)?;
    } else {
        let places = places(&files);
        for sorted in store.sorted() {
            let place = places.get(sorted.certificate.thumbprint_sha256()).copied();
            output.line(Shown { sorted, place, now })?;
        }
        output.line(&report)?;
        if let Some(moment) = store.changes_at().map(UnixTime) {
            let (time, relative) = (format_rfc3339(moment), relative(moment, now));
            output.line(format_args!("the anchors are others from {time} on, {relative}"))?;
        }
    }
    output.flush()?;
    Ok(if report.is_as_declared() { Exit::Yes } else { Exit::No })
}

/// The file in which a certificate comes first, by its fingerprint.
fn places<'a>(files: &[&'a BundleFile]) -> BTreeMap<[u8; 32], &'a Path> {
    let mut places = BTreeMap::new();
    for file in files {
        for certificate in &file.bundle.certificates {
            places.entry(*certificate.thumbprint_sha256()).or_insert(file.path.as_path());
        }
    }
    places
}

#[derive(Serialize)]
struct Report {
    certificates: Vec<SortedReport>,
    anchors: usize,
    intermediates: usize,
    skipped: Vec<SkippedReport>,
    unmatched_pins: Vec<String>,
    /// How many were declared as anchors.
    declared: usize,
    #[serde(skip)]
    are_pins_anchors: bool,
}

#[derive(Serialize)]
struct SortedReport {
    /// `anchor` or `intermediate`.
    role: &'static str,
    declared: bool,
    /// Why it is no anchor.
    reason: Option<&'static str>,
    description: Option<String>,
    #[serde(flatten)]
    certificate: CertificateReport,
}

#[derive(Serialize)]
struct SkippedReport {
    file: String,
    /// Its place among the certificates of the file, from 0.
    index: usize,
    description: String,
}

impl Report {
    fn of(store: &TrustStore, files: &[&BundleFile], pins: &[[u8; 32]], now: UnixTime) -> Self {
        let certificates: Vec<_> =
            store.sorted().iter().map(|sorted| SortedReport::of(sorted, now)).collect();
        let anchors = store.anchors().count();
        let skipped = files.iter().flat_map(|file| {
            file.bundle.skipped.iter().map(|skipped| SkippedReport {
                file: file.path.display().to_string(),
                index: skipped.index,
                description: skipped.reason.to_string(),
            })
        });
        let is_anchor = |pin: &[u8; 32]| store.anchors().any(|anchor| anchor.thumbprint_sha256() == pin);
        let declared = store.sorted().iter().filter(|sorted| sorted.is_declared).count();
        Self {
            anchors,
            intermediates: certificates.len().saturating_sub(anchors),
            skipped: skipped.collect(),
            unmatched_pins: store.unmatched_pins().iter().map(fingerprint).collect(),
            declared,
            are_pins_anchors: pins.iter().all(is_anchor),
            certificates,
        }
    }

    fn is_as_declared(&self) -> bool {
        self.skipped.is_empty() && self.are_pins_anchors && (self.declared == 0 || self.anchors > 0)
    }
}

impl SortedReport {
    fn of(sorted: &Sorted, now: UnixTime) -> Self {
        let why = match sorted.role {
            Role::Anchor => None,
            Role::Intermediate(why) => Some(why),
        };
        Self {
            role: if why.is_none() { "anchor" } else { "intermediate" },
            declared: sorted.is_declared,
            reason: why.map(NoAnchor::label),
            description: why.map(|why| why.to_string()),
            certificate: CertificateReport::of(&sorted.certificate, now),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (anchors, intermediates) = (self.anchors, self.intermediates);
        write!(
            f,
            "{anchors} anchor{}, {intermediates} intermediate{}",
            plural(anchors),
            plural(intermediates)
        )?;
        if self.declared > anchors {
            write!(f, "; {} were declared as anchors", self.declared)?;
        }
        for skipped in &self.skipped {
            write!(
                f,
                "\nSKIPPED: certificate {} of {}: {}",
                skipped.index, skipped.file, skipped.description
            )?;
        }
        for pin in &self.unmatched_pins {
            write!(f, "\nPINNED, and in no bundle: {pin}")?;
        }
        Ok(())
    }
}

/// One certificate for a terminal.
struct Shown<'a> {
    sorted: &'a Sorted,
    place: Option<&'a Path>,
    now: UnixTime,
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sorted, place, now } = self;
        let certificate = &sorted.certificate;
        match sorted.role {
            Role::Anchor => {
                writeln!(f, "anchor        {}", subject(certificate))?;
                writeln!(f, "  because      it is declared, signed by its own key, a CA's and valid")?;
            }
            Role::Intermediate(why) => {
                writeln!(f, "intermediate  {}", subject(certificate))?;
                let declared = if sorted.is_declared { "it is declared, but " } else { "" };
                writeln!(f, "  because      {declared}{}", because(sorted, why, *now))?;
            }
        }
        writeln!(f, "{}", Details(certificate, *now))?;
        if let Some(place) = place {
            writeln!(f, "  from         {}", place.display())?;
        }
        Ok(())
    }
}

/// The reason for people: a time as a distance, and how to declare what could be declared.
fn because(sorted: &Sorted, why: NoAnchor, now: UnixTime) -> String {
    match why {
        NoAnchor::Expired { not_after, .. } => format!("it expired {}", relative(UnixTime(not_after), now)),
        NoAnchor::NotYetValid { not_before, .. } => {
            format!("it is valid only {}", relative(UnixTime(not_before), now))
        }
        NoAnchor::NotDeclared => match sorted.certificate.fits_as_anchor(now.0) {
            Ok(()) => {
                format!("{why}; to declare it: --pin {}", fingerprint(sorted.certificate.thumbprint_sha256()))
            }
            Err(other) => other.to_string(),
        },
        _ => why.to_string(),
    }
}
