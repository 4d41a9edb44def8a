//! What is said of a way that does not lead to its end.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Attempt, Ended, TlsTrouble};

use super::{Way, answer};
use crate::rules::way;
use crate::rules::words::{lasting, listed, moment};

impl Way<'_> {
    pub(super) fn cause(&self, code: Code, attempts: &[&Attempt]) -> String {
        let (url, host, what) = (&self.reach.url, way::host(&self.reach.url), self.what);
        let first = attempts.first().copied();
        let status = first.and_then(answer).map_or(0, |answer| answer.status);
        let not_after = first.and_then(|attempt| attempt.tls.as_ref()?.not_after);
        let names =
            first.and_then(|attempt| attempt.tls.as_ref()).map(|tls| listed(&tls.names)).unwrap_or_default();
        match code {
            Code::AccessDenied => format!("{url} answers {status}: a key set that one needs credentials for"),
            Code::AddressForbidden => match first.map(|attempt| (&attempt.ended, attempt.address)) {
                Some((Ended::Forbidden(class), address)) => {
                    format!("{host} is {}, {class}, and no keys are fetched from there", address.ip())
                }
                _ => format!("{host} is an address that no keys are fetched from"),
            },
            Code::AnswerBreaksOff => format!("the connection to {host} breaks while the {what} is awaited"),
            Code::AnswersTooSlowly => format!("{host} takes the connection and does not answer in time"),
            Code::ConnectionRefused => format!("nothing listens at {host}: every connection is refused"),
            Code::ConnectionTimedOut => {
                format!("no connection to {host} comes about: no address of it answers")
            }
            Code::KeySetTooLarge => format!("what {url} answers is larger than a key set may be"),
            Code::NotFound => format!("{url} answers {status}: no key set is there"),
            Code::ProviderFails => format!("{url} answers {status}"),
            Code::RateLimited => format!("{host} asks to be asked less often"),
            Code::Redirected => {
                let answer = first.and_then(answer);
                let to = answer
                    .and_then(|answer| answer.headers.get("location"))
                    .map_or("nowhere", String::as_str);
                format!("{url} redirects to {to}, and that is not followed")
            }
            Code::TlsCertificateExpired => match not_after {
                Some(end) if end < self.now => format!(
                    "the TLS certificate of {host} expired {} ago, at {}",
                    lasting(self.now.saturating_sub(end) as f64),
                    moment(end)
                ),
                _ => format!("the TLS certificate of {host} has expired"),
            },
            Code::TlsNameMismatch if names.is_empty() => {
                format!("the TLS certificate of {host} is for another name")
            }
            Code::TlsNameMismatch => format!("the TLS certificate of {host} is for {names}"),
            Code::TlsUntrusted => {
                let by =
                    first.and_then(|attempt| attempt.tls.as_ref()?.issuer.as_deref()).unwrap_or("somebody");
                format!("the TLS certificate of {host} is by {by}, which leads to no authority that we trust")
            }
            Code::TlsFails => {
                let why = match first.and_then(|attempt| attempt.tls.as_ref()?.trouble.as_ref()) {
                    Some(TlsTrouble::ClientCertificateWanted) => "it wants a certificate of ours",
                    Some(TlsTrouble::NotYetValid) => "its certificate is not valid yet",
                    Some(TlsTrouble::Other(why)) => why,
                    _ => "it does not end",
                };
                format!("the TLS handshake with {host} fails: {why}")
            }
            // Those that are left say of an answer that it is of no use.
            _ if status == 200 => format!("what {url} answers is no {what}"),
            _ if status == 0 => format!("what {host} answers is no HTTP"),
            _ => format!("{url} answers {status}, and no {what}"),
        }
    }

    pub(super) fn fix(&self, code: Code, finding: Finding) -> Finding {
        let url = &self.reach.url;
        let again = "Ask for it yourself, where the gateway runs";
        match code {
            Code::AccessDenied => finding
                .step("Have whoever runs the provider publish its key set without credentials: it holds public keys only")
                .run_curl(again, url),
            Code::AddressForbidden => finding
                .run_dig(url)
                .step(format!(
                    "If the provider is really there, allow it: allow_hosts = [{:?}] under this [[issuer]]",
                    way::host(url)
                )),
            Code::ConnectionRefused => {
                finding.step("Start the provider, or the load balancer before it").run_curl(again, url)
            }
            Code::ConnectionTimedOut => finding
                .step("Look at firewalls and network policies between the gateway and the provider")
                .run_curl_by("by IPv4", "-4", url)
                .run_curl_by("and by IPv6", "-6", url),
            Code::RateLimited => finding
                .step("Count who asks: each gateway asks about once a TTL. A larger key_set.ttl asks less often")
                .run_curl(again, url),
            Code::Redirected => {
                finding.run_curl("See where to", url).step("Configure the address that it redirects to, or take the redirect away")
            }
            Code::TlsCertificateExpired => finding
                .run_s_client("See the certificate", url)
                .step("Renew it at the provider, or at the proxy before it. It is not skipped here: whoever answers then chooses our keys"),
            Code::TlsNameMismatch => finding
                .run_s_client("See the certificate", url)
                .step("Reach the provider by a name of its certificate, or have the certificate made for this one"),
            Code::TlsUntrusted => finding
                .run_s_client("See the chain: an intermediate may be missing, or a private authority be above it", url)
                .step("Have the provider send its intermediates; or declare its authority: ca_file of this [[issuer]]"),
            Code::TlsFails => finding.run_s_client("See how far the handshake comes", url),
            Code::ProviderFlaps => finding
                .step("Look for one bad node behind the provider's load balancer")
                .run_curl("Ask a few times, and look at which headers tell the bad answers from the good", url),
            Code::ProviderFails | Code::AnswersTooSlowly | Code::AnswerBreaksOff => {
                finding.run_curl(again, url).step("Tell whoever runs the provider: its own log says why")
            }
            Code::NotFound => finding
                .run_curl("See what is there", url)
                .step("Compare with jwks_uri of the provider's discovery document"),
            _ => finding.run_curl("See what it answers", url),
        }
    }

    /// The gateway asks nobody at such an address.
    pub(super) fn refused(&self, label: &str) -> Finding {
        let (url, host, what) = (&self.reach.url, way::host(&self.reach.url), self.what);
        match label {
            "insecure_address" => self
                .finding(Code::AddressInsecure, format!("the {what} is at {url}, without TLS: whoever is between chooses our keys"))
                .certain()
                .step("Have the provider name its https address (its external URL, or X-Forwarded-Proto of the proxy before it)"),
            _ => self
                .finding(Code::HostForeign, format!("the {what} is on another host than the issuer, {host}, and that is not followed"))
                .certain()
                .step(format!("If that host is the provider's, allow it: allow_hosts = [{host:?}] of this [[issuer]]"))
                .step("If it is not, somebody may have changed the document: ask whoever runs the provider first"),
        }
    }

    pub(super) fn unresolved(&self) -> Finding {
        self.finding(
            Code::NameNotResolved,
            format!("the name {} does not resolve", way::host(&self.reach.url)),
        )
        .certain()
        .run_dig(&self.reach.url)
        .step("If other names resolve, the record is gone or misspelt; if none do, it is the resolver")
    }

    pub(super) fn one_family(&self, family: &str) -> Finding {
        let host = way::host(&self.reach.url);
        let other = if family == "IPv4" { "IPv6" } else { "IPv4" };
        self.finding(Code::OneFamilyBlocked, format!("{host} answers by {other}, and by {family} nothing does"))
            .certain()
            .run_curl_by("By IPv4", "-4", &self.reach.url)
            .run_curl_by("and by IPv6", "-6", &self.reach.url)
            .step(format!("Let {family} through (a network policy that names one family only?), or take its records out of DNS"))
    }

    pub(super) fn told_well(&self, well: usize) -> String {
        let soonest = self.reach.attempts.iter().filter_map(|attempt| attempt.tls.as_ref()?.not_after).min();
        let tls = soonest.map_or(String::new(), |end| format!(", TLS until {}", moment(end)));
        let slowest = self.reach.attempts.iter().filter_map(answer).map(|answer| answer.took_ms).max();
        let slowest = slowest.map_or(String::new(), |ms| format!(" within {ms} ms"));
        let answering =
            if well == 1 { "1 address answers".to_owned() } else { format!("{well} addresses answer") };
        format!("the way to the {} at {}: {answering}{slowest}{tls}", self.what, self.reach.url)
    }

    pub(super) fn finding(&self, code: Code, cause: String) -> Finding {
        let certificates = self
            .reach
            .attempts
            .iter()
            .filter(|attempt| attempt.tls.as_ref().is_some_and(|tls| tls.trouble.is_some()));
        Finding::new(code, cause)
            .of(self.name)
            .seen_all(way::told(self.reach))
            .seen_all(certificates.filter_map(way::certificate_told))
    }
}
