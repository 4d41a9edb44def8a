//! A certificate for people and for scripts.

use std::fmt::{self, Display};

use keyward::UnixTime;
use keyward_x509::{Certificate, Validity};
use serde::Serialize;

use crate::output::Printable;
use crate::time::{format_rfc3339, relative};

/// What a certificate says, as JSON shows it.
#[derive(Serialize)]
pub(crate) struct CertificateReport {
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    /// Seconds until it is over; less than 0 since it is.
    expires_in: i64,
    /// `valid`, `expired`, `not_yet_valid`.
    validity: &'static str,
    is_ca: bool,
    dns_names: Vec<String>,
    uris: Vec<String>,
    ip_addresses: Vec<String>,
    /// SHA-256 of its octets.
    fingerprint: String,
}

impl CertificateReport {
    pub(crate) fn of(certificate: &Certificate, now: UnixTime) -> Self {
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial(),
            not_before: format_rfc3339(UnixTime(certificate.not_before())),
            not_after: format_rfc3339(UnixTime(certificate.not_after())),
            expires_in: certificate.not_after().saturating_sub(now.0),
            validity: match certificate.validity(now.0) {
                Validity::Expired => "expired",
                Validity::NotYetValid => "not_yet_valid",
                Validity::Valid => "valid",
            },
            is_ca: certificate.is_ca(),
            dns_names: certificate.dns_names().map(str::to_owned).collect(),
            uris: certificate.uris().map(str::to_owned).collect(),
            ip_addresses: certificate.ip_addresses().iter().map(ToString::to_string).collect(),
            fingerprint: fingerprint(certificate.thumbprint_sha256()),
        }
    }
}

/// A certificate's SHA-256 in hexadecimal digits, as `--pin` takes it.
pub(crate) fn fingerprint(sha256: &[u8; 32]) -> String {
    sha256.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The subject for a terminal.
pub(crate) fn subject(certificate: &Certificate) -> String {
    match certificate.subject() {
        "" => "(no subject)".to_owned(),
        subject => Printable(subject).to_string(),
    }
}

/// From when until when, and how far away that is.
pub(crate) struct Term<'a>(pub(crate) &'a Certificate, pub(crate) UnixTime);

impl Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(certificate, now) = self;
        let (from, until) = (UnixTime(certificate.not_before()), UnixTime(certificate.not_after()));
        write!(f, "{} to {}, ", format_rfc3339(from), format_rfc3339(until))?;
        match certificate.validity(now.0) {
            Validity::Expired => write!(f, "EXPIRED {}", relative(until, *now)),
            Validity::NotYetValid => write!(f, "NOT YET VALID, begins {}", relative(from, *now)),
            Validity::Valid => write!(f, "ends {}", relative(until, *now)),
        }
    }
}

/// The lines below a certificate's heading: issuer, serial number, times, names and fingerprint.
pub(crate) struct Details<'a>(pub(crate) &'a Certificate, pub(crate) UnixTime);

impl Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(certificate, now) = self;
        let issuer = if certificate.is_self_issued() { "itself" } else { certificate.issuer() };
        writeln!(f, "  issuer       {}", Printable(issuer))?;
        writeln!(f, "  serial       {}", certificate.serial())?;
        writeln!(f, "  valid        {}", Term(certificate, *now))?;
        let names = certificate.dns_names().chain(certificate.uris()).map(|name| Printable(name).to_string());
        let addresses = certificate.ip_addresses().iter().map(ToString::to_string);
        let names: Vec<_> = names.chain(addresses).collect();
        if !names.is_empty() {
            writeln!(f, "  names        {}", names.join(", "))?;
        }
        write!(f, "  fingerprint  {}", fingerprint(certificate.thumbprint_sha256()))
    }
}
