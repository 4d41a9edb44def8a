//! What every proxy goes through: client, proxy, gateway, upstream.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};

use super::case::{Bench, Case};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready, header};
use super::issuers::{Issuer, OidcProvider};
use super::outcome::{Answers, Outcome};
use super::process::{Daemon, free_port};
use super::proxies::{Ports, ProxyKind};
use super::token::Token;
use super::upstream::Upstream;
use super::workshop::Workshop;

const ALGORITHM: &str = "ES256";
const IDENTITY: &str = "X-Auth-Subject";

/// The subject of every token here: the client itself.
const SUBJECT: &str = "interop";

/// What stands behind every proxy: an issuer, one that is down, a gateway, an upstream.
pub(crate) struct Backdrop {
    issuer: OidcProvider,
    down: String,
    gateway: Gateway,
    upstream: Upstream,
    http: Client,
}

/// One proxy in front of it.
pub(crate) struct ProxyBench<'a> {
    backdrop: &'a Backdrop,
    undecided: &'static str,
    port: u16,
    daemon: Daemon,
}

/// A row for each proxy.
pub(crate) type ProxyCase = Case<ProxyBench<'static>>;

/// In the order that they run in.
pub(crate) const PROXY_CASES: [ProxyCase; 7] = [
    ProxyCase { name: "allowed", target: "200 with the identity at the upstream", run: allowed },
    ProxyCase { name: "denied", target: "401 and 403, each with one challenge", run: denied },
    ProxyCase { name: "spoofed-identity", target: "never at the upstream", run: spoofed_identity },
    ProxyCase { name: "spoofed-route", target: "never passed", run: spoofed_route },
    ProxyCase { name: "several-tokens", target: "400 several_tokens", run: several_tokens },
    ProxyCase { name: "traced", target: "the trace, with our span, and as it came", run: traced },
    ProxyCase { name: "undecided", target: "503 with Retry-After", run: undecided },
];

impl Backdrop {
    /// Starts all of it.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let issuer = OidcProvider::start(workshop)?;
        let down = format!("http://127.0.0.1:{}", free_port()?);
        let config = configuration(&issuer, &down);
        Ok(Self {
            gateway: Gateway::start(workshop, "proxies-gateway", &config, Clock::Real, Ready::WithoutKeys)?,
            issuer,
            down,
            upstream: Upstream::start()?,
            http: workshop.http.clone(),
        })
    }

    fn token(&self) -> Result<Token, Error> {
        self.issuer.token(ALGORITHM)
    }

    fn passed_since(&self, requests: u64) -> String {
        match self.upstream.requests() - requests {
            0 => "nothing passed".to_owned(),
            passed => format!("{passed} passed"),
        }
    }
}

impl<'a> ProxyBench<'a> {
    /// Starts the proxy.
    pub(crate) fn start(
        workshop: &Workshop,
        kind: &ProxyKind,
        backdrop: &'a Backdrop,
    ) -> Result<Self, Error> {
        let port = free_port()?;
        let ports =
            Ports { proxy: port, gateway: backdrop.gateway.port(), upstream: backdrop.upstream.port() };
        let daemon = kind.start(workshop, &ports)?;
        Ok(Self { backdrop, undecided: kind.undecided, port, daemon })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.backdrop.http.get(format!("http://127.0.0.1:{}{path}", self.port))
    }
}

impl Bench for ProxyBench<'_> {
    type On<'a> = ProxyBench<'a>;

    fn log_tail(&self) -> String {
        self.daemon.log_tail() + &self.backdrop.gateway.log_tail()
    }
}

fn configuration(issuer: &OidcProvider, down: &str) -> String {
    format!(
        r#"# Nobody is there: what is handed on does not hang on who receives it.
[traces]
endpoint = {down:?}

[[issuer]]
name = "main"
issuer = {issuer:?}
audiences = [{audience:?}]

[[issuer]]
name = "down"
issuer = {down:?}
audiences = [{audience:?}]

[[route]]
paths = ["/optional/"]
access = "optional"
[route.headers]
"{IDENTITY}" = "/sub"

[[route]]
paths = ["/write/"]
access = "required"
scopes = ["write"]
[route.headers]
"{IDENTITY}" = "/sub"

[[route]]
access = "required"
cookie = "session"
[route.headers]
"{IDENTITY}" = "/sub"
"#,
        issuer = issuer.issuer(),
        audience = issuer.audience(),
    )
}

fn allowed(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    let wanted = format!("200, subject {SUBJECT}");
    let token = bench.backdrop.token()?;
    answers.compare("with Authorization", identity(bench.get("/").bearer_auth(&token))?, &wanted);
    let cookie = bench.get("/").header("Cookie", format!("session={token}"));
    answers.compare("with a cookie", identity(cookie)?, &wanted);
    answers.compare("optional", identity(bench.get("/optional/").bearer_auth(&token))?, &wanted);
    answers.outcome()
}

fn denied(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    let reached = bench.backdrop.upstream.requests();
    let token = bench.backdrop.token()?;
    let mut answers = Answers::default();
    let none = send(bench.get("/"))?;
    answers.compare("no token", challenge(&none), "401 missing_token, no error");
    let bent = send(bench.get("/").bearer_auth(token.with_bent_signature()?))?;
    answers.compare("bent token", challenge(&bent), "401 invalid_signature, invalid_token");
    let scope = send(bench.get("/write/").bearer_auth(&token))?;
    answers.compare("scope", challenge(&scope), "403 insufficient_scope, insufficient_scope");
    answers.compare("the upstream", bench.backdrop.passed_since(reached), "nothing passed");
    answers.outcome()
}

/// On routes that want a token, and on those that do without.
fn spoofed_identity(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    let token = bench.backdrop.token()?;
    let mut answers = Answers::default();
    for path in ["/", "/optional/"] {
        for spelling in [IDENTITY, "x-auth-subject", "X-AUTH-SUBJECT"] {
            let request = bench.get(path).header(spelling, "mallory").header(spelling, "root");
            answers.compare(path, identity(request.bearer_auth(&token))?, &format!("200, subject {SUBJECT}"));
        }
    }
    let anonymous = bench.get("/optional/").header(IDENTITY, "mallory").header(IDENTITY, "root");
    answers.compare("/optional/ without a token", identity(anonymous)?, "200, no subject");
    answers.outcome()
}

/// A client without a token that wants to be taken for one on the route that needs none.
fn spoofed_route(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    const OPTIONAL: &str = "/optional/";
    let reached = bench.backdrop.upstream.requests();
    let mut answers = Answers::default();
    for name in ["X-Original-URI", "X-Original-URL", "X-Forwarded-Uri", "X-Rewrite-URL"] {
        let status = send(bench.get("/").header(name, OPTIONAL))?.status().as_u16();
        answers.compare(name, status.to_string(), "401");
    }
    let all = ["X-Original-URI", "X-Forwarded-Uri"].into_iter();
    let both = all.fold(bench.get("/"), |request, name| request.header(name, OPTIONAL));
    answers.compare("both", send(both)?.status().as_u16().to_string(), "401");
    // Paths that begin like the open route and lead elsewhere.
    for path in
        ["/optional/../x", "/optional/%2e%2e/x", "/optional/..%2fx", "/optional/.%2e/x", "/optional/..\\x"]
    {
        // Refused by the proxy or by the gateway, so long as it does not pass.
        let refused = (400..500).contains(&status_of_raw_path(bench.port, path)?);
        answers.compare(path, if refused { "4xx" } else { "not refused" }.to_owned(), "4xx");
    }
    answers.compare("the upstream", bench.backdrop.passed_since(reached), "nothing passed");
    answers.outcome()
}

fn several_tokens(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    let token = bench.backdrop.token()?;
    let request = bench.get("/").bearer_auth(&token).header("Cookie", format!("session={token}"));
    let response = send(request)?;
    let mut answers = Answers::default();
    answers.compare("header and cookie", status_and_reason(&response), "400 several_tokens");
    answers.outcome()
}

/// The service's spans are caused by the verdict's, or, where there is none, by the caller's.
fn traced(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const STATE: &str = "rojo=00f067aa0ba902b7";
    let ask = |request: RequestBuilder| {
        let headers = reached(request.header("traceparent", SENT).header("tracestate", STATE))?;
        let of = |wanted: &str| {
            let all = headers.iter().filter(|[name, _]| name.eq_ignore_ascii_case(wanted));
            all.map(|[_, value]| value.clone()).collect::<Vec<_>>().join(" and ")
        };
        let (parent, state) = (of("traceparent"), of("tracestate"));
        // Version and trace have 36 octets with their hyphens, and the span 16.
        let (trace, span) = parent.split_at_checked(36).unwrap_or_default();
        Ok(if parent == SENT && state == STATE {
            "the trace as it came".to_owned()
        } else if SENT.starts_with(trace)
            && parent.len() == SENT.len()
            && !SENT.ends_with(span)
            && state == STATE
        {
            "the trace with our span".to_owned()
        } else {
            format!("traceparent {parent}, tracestate {state}")
        })
    };
    let mut answers = Answers::default();
    let verified = bench.get("/").bearer_auth(bench.backdrop.token()?);
    answers.compare("with a verdict", ask(verified)?, "the trace with our span");
    answers.compare("without one", ask(bench.get("/optional/"))?, "the trace as it came");
    answers.outcome()
}

/// A token of an issuer that is down can be neither accepted nor refused.
fn undecided(bench: &ProxyBench<'_>) -> Result<Outcome, Error> {
    let token = bench.backdrop.token()?.with_claim("iss", &bench.backdrop.down)?;
    let response = send(bench.get("/").bearer_auth(token))?;
    let mut answers = Answers::default();
    answers.compare("issuer down", status_and_reason(&response), bench.undecided);
    let retry_after = header(&response, "retry-after").parse::<u32>();
    let shown = retry_after.map_or("no Retry-After", |_| "Retry-After");
    answers.compare("issuer down", shown.to_owned(), "Retry-After");
    answers.outcome()
}

fn send(request: RequestBuilder) -> Result<Response, Error> {
    request.send().map_err(Error::http("ask the proxy"))
}

fn status_and_reason(response: &Response) -> String {
    let (status, reason) = (response.status().as_u16(), header(response, "x-keyward-reason"));
    format!("{status} {reason}").trim_end().to_owned()
}

/// The status, the reason, and the error that the one challenge names (RFC 6750 section 3).
fn challenge(response: &Response) -> String {
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    let shown = match challenges.as_slice() {
        [one] => match one.to_str().unwrap_or_default().strip_prefix("Bearer") {
            Some(parameters) => error_parameter(parameters).to_owned(),
            None => "a challenge other than Bearer".to_owned(),
        },
        several => format!("{} challenges", several.len()),
    };
    format!("{}, {shown}", status_and_reason(response))
}

fn error_parameter(parameters: &str) -> &str {
    let value = parameters.split_once("error=\"").and_then(|(_, rest)| rest.split('"').next());
    value.unwrap_or("no error")
}

/// The status and who the upstream takes the client for.
fn identity(request: RequestBuilder) -> Result<String, Error> {
    let response = send(request)?;
    let status = response.status().as_u16();
    if status != 200 {
        return Ok(status_and_reason(&response));
    }
    let headers = headers(response)?;
    let subjects: Vec<String> = headers
        .into_iter()
        .filter(|[name, value]| name.eq_ignore_ascii_case(IDENTITY) && !value.is_empty())
        .map(|[_, value]| value)
        .collect();
    if subjects.is_empty() {
        Ok("200, no subject".to_owned())
    } else {
        Ok(format!("200, subject {}", subjects.join(" and ")))
    }
}

/// The headers that reached the upstream.
fn reached(request: RequestBuilder) -> Result<Vec<[String; 2]>, Error> {
    headers(send(request)?)
}

fn headers(response: Response) -> Result<Vec<[String; 2]>, Error> {
    response.json().map_err(Error::http("read the upstream's answer"))
}

/// Asks for a path as it stands; an HTTP client would tidy it up first.
fn status_of_raw_path(port: u16, path: &str) -> Result<u16, Error> {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    let line: String = ask().map_err(Error::io("ask the proxy for a raw path"))?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or(Error::MissingField { what: "ask the proxy for a raw path", field: "status" })
}
