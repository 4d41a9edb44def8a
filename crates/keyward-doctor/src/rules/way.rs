//! The way to an address in words, and what a person looks at it with.

use url::{Host, Url};

use crate::diagnosis::Finding;
use crate::facts::{Attempt, BodyKind, Configured, Ended, Lookup, Reach, TlsFacts, TlsTrouble, Waited};

use super::command::Command;
use super::words::{listed, moment, several};

/// What a name resolves to.
pub(super) fn lookup_told(reach: &Reach) -> String {
    let host = host(&reach.url);
    match &reach.lookup {
        Lookup::Failed(why) => format!("{host} does not resolve: {why}"),
        Lookup::Found(addresses) if addresses.is_empty() => format!("{host} resolves to no address"),
        Lookup::Found(addresses) => {
            format!("{host} resolves to {}", listed(addresses.iter().map(ToString::to_string)))
        }
        Lookup::Literal(address) => format!("{address} is an address itself"),
        Lookup::NotTried => format!("{host} was not looked up"),
        Lookup::TimedOut => format!("nobody said in time what {host} resolves to"),
    }
}

/// What became of one address, such as `GET https://idp.example/jwks on 10.0.0.1:443 answered 503 after 12 ms`.
pub(super) fn attempt_told(reach: &Reach, attempt: &Attempt) -> String {
    let ended = match &attempt.ended {
        Ended::Answered(answer) => {
            let mut told = format!("answered {} after {} ms", answer.status, answer.first_octet_ms);
            match answer.body.kind {
                BodyKind::Empty => told.push_str(", with nothing"),
                BodyKind::Html => told.push_str(", with an HTML page"),
                BodyKind::JsonBroken => told.push_str(", with JSON that breaks off or is broken"),
                BodyKind::Json | BodyKind::JsonObject | BodyKind::Other => {}
            }
            if answer.body.over_limit {
                told.push_str(&format!(", with more than {} octets", answer.body.octets));
            }
            for header in ["location", "retry-after", "server", "via"] {
                if let Some(value) = answer.headers.get(header) {
                    told.push_str(&format!(", {header}: {value}"));
                }
            }
            told
        }
        Ended::AskedToWait(seconds) => format!("was not asked: the provider asked to wait {seconds} s"),
        Ended::BrokeOff => "broke off".to_owned(),
        Ended::ConnectRefused => "refused the connection".to_owned(),
        Ended::Forbidden(class) => format!("was not asked: the address is {class}"),
        Ended::NotHttp => "answered something that is no HTTP".to_owned(),
        Ended::OutOfTime => "was not tried to the end: the time for all was over".to_owned(),
        Ended::TimedOut(Waited::Body) => "began an answer and did not end it in time".to_owned(),
        Ended::TimedOut(Waited::Connection) => "gave no connection in time".to_owned(),
        Ended::TimedOut(Waited::FirstOctet) => "took the request and did not answer in time".to_owned(),
        Ended::TimedOut(Waited::Handshake) => "did not end the TLS handshake in time".to_owned(),
        Ended::TlsFailed => {
            format!("gave no TLS connection: {}", attempt.tls.as_ref().map_or("no reason", tls_told))
        }
        Ended::Unreachable(why) => format!("cannot be reached: {why}"),
    };
    format!("GET {} on {} {ended}", reach.url, attempt.address)
}

fn tls_told(tls: &TlsFacts) -> &str {
    match &tls.trouble {
        Some(TlsTrouble::ClientCertificateWanted) => "it wants a certificate of ours",
        Some(TlsTrouble::Expired) => "its certificate has expired",
        Some(TlsTrouble::NameMismatch) => "its certificate is for other names",
        Some(TlsTrouble::NotYetValid) => "its certificate is not valid yet",
        Some(TlsTrouble::Other(why)) => why,
        Some(TlsTrouble::Untrusted) => "its certificate leads to no anchor of ours",
        None => "the handshake failed",
    }
}

/// A certificate, such as `the certificate on 10.0.0.1:443 is CN=idp.example, by CN=R3, for idp.example, until 2026-11-20T…`.
pub(super) fn certificate_told(attempt: &Attempt) -> Option<String> {
    let tls = attempt.tls.as_ref()?;
    let subject = tls.subject.as_deref().unwrap_or("nameless");
    let mut told = format!("the certificate on {} is {subject}", attempt.address);
    if let Some(issuer) = &tls.issuer {
        told.push_str(&format!(", by {issuer}"));
    }
    if !tls.names.is_empty() {
        told.push_str(&format!(", for {}", listed(&tls.names)));
    }
    if let Some(from) = tls.not_before {
        told.push_str(&format!(", from {}", moment(from)));
    }
    if let Some(until) = tls.not_after {
        told.push_str(&format!(", until {}", moment(until)));
    }
    told.push_str(&format!(", sent with {}", several(tls.chain_length, "certificate")));
    Some(told)
}

/// Every step of every address, as evidence.
pub(super) fn told(reach: &Reach) -> impl Iterator<Item = String> {
    std::iter::once(lookup_told(reach))
        .chain(reach.attempts.iter().map(|attempt| attempt_told(reach, attempt)))
}

/// The host of an address; the address itself where it has none.
pub(super) fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| url.to_owned())
}

/// `host:port`, as `openssl s_client` takes it.
fn endpoint(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Whether an address is one of HTTP, which alone is handed to `curl`.
fn is_http(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

impl Finding {
    /// How a person asks for the address: what is answered, and how long each step takes.
    pub(super) fn run_curl(self, what: &str, url: &str) -> Self {
        if !is_http(url) {
            return self.step(what);
        }
        self.run(what, ["curl", "-sS", "-g", "-i", "--max-time", "10", "--url", url])
    }

    /// How a person asks for the address by one family of addresses.
    pub(super) fn run_curl_by(self, what: &str, family: &str, url: &str) -> Self {
        if !is_http(url) {
            return self.step(what);
        }
        let words = ["curl", family, "-sS", "-g", "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}\\n"];
        self.run(what, Command::new(words.into_iter().chain(["--max-time", "10", "--url", url])))
    }

    /// How a person looks up the address's name.
    pub(super) fn run_dig(self, url: &str) -> Self {
        let host = host(url);
        if !matches!(Url::parse(url).as_ref().map(Url::host), Ok(Some(Host::Domain(_)))) {
            return self;
        }
        self.run(
            "Look the name up where the gateway runs",
            ["dig", "+noall", "+answer", "+comments", "-q", &host],
        )
        .run("and as the system does it, by its own files and search list", ["getent", "ahosts", &host])
    }

    /// How a person looks at every key of an issuer, and why it is not used.
    pub(super) fn run_keys_check(self, configured: &Configured) -> Self {
        const WHAT: &str = "Look at every key, and why it is not used";
        match configured.key_source.as_deref() {
            Some(place) => self.run(WHAT, ["keyward", "keys", "check", "--", place]),
            None => {
                let words = ["keyward", "keys", "check", "--issuer", &configured.issuer].map(str::to_owned);
                let allowed = configured.allowed_hosts.iter().map(|host| format!("--allow-host={host}"));
                self.run(WHAT, Command::new(words.into_iter().chain(allowed)))
            }
        }
    }

    /// The same, of an issuer of which only the name is known.
    pub(super) fn run_keys_check_of(self, issuer: &str) -> Self {
        self.run(
            "Look at every key, and why it is not used",
            ["keyward", "keys", "check", "--issuer", issuer],
        )
    }

    /// How a person looks at the certificates that the address sends.
    pub(super) fn run_s_client(self, what: &str, url: &str) -> Self {
        let (Some(endpoint), host) = (endpoint(url), host(url)) else { return self.step(what) };
        let asked =
            Command::new(["openssl", "s_client", "-connect", &endpoint, "-servername", &host, "-showcerts"]);
        let shown = ["openssl", "x509", "-noout", "-subject", "-issuer", "-dates", "-ext", "subjectAltName"];
        self.run(what, asked.reading_nothing().piped(shown))
    }
}
