//! Tokens that are bound to a client's certificate (RFC 8705), through everything that tells of certificates.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};

use super::{FrontKind, write_certificates};
use crate::interop::case::{Bench, Case};
use crate::interop::certificates::{Authority, Certified};
use crate::interop::error::Error;
use crate::interop::gateway::{Clock, Gateway, Ready, header};
use crate::interop::issuers::{Issuer, OidcProvider};
use crate::interop::outcome::{Answers, Outcome};
use crate::interop::process::{Daemon, free_port};
use crate::interop::proxies::Ports;
use crate::interop::upstream::Upstream;
use crate::interop::workshop::{Workshop, write_template};

/// A route that takes tokens only that are bound to a certificate.
const BOUND: &str = "/bound/";

/// What all of them have in common: an issuer, a service, and clients with certificates.
pub(crate) struct MutualTlsBackdrop {
    issuer: OidcProvider,
    upstream: Upstream,
    authority: Authority,
    /// Whose token it is.
    client: Certified,
    /// Somebody else, by the same authority.
    other: Certified,
}

/// One that shakes hands, and a gateway that it tells of certificates.
pub(crate) struct MutualTlsBench<'a> {
    backdrop: &'a MutualTlsBackdrop,
    kind: &'a FrontKind,
    gateway: Gateway,
    proxy: Option<Daemon>,
    url: String,
    token: String,
    with_its_own: Client,
    with_another: Client,
    with_none: Client,
}

/// A row for each of them.
pub(crate) type MutualTlsCase = Case<MutualTlsBench<'static>>;

/// In the order that they run in.
pub(crate) const MUTUAL_TLS_CASES: [MutualTlsCase; 6] = [
    MutualTlsCase { name: "right-certificate", target: "200", run: right_certificate },
    MutualTlsCase { name: "other-certificate", target: "401 binding_mismatch", run: other_certificate },
    MutualTlsCase { name: "no-certificate", target: "401 binding_missing", run: no_certificate },
    MutualTlsCase {
        name: "introspected",
        target: "200; 401 binding_mismatch, binding_missing",
        run: introspected,
    },
    MutualTlsCase { name: "unbound-token", target: "401 binding_missing where demanded", run: unbound_token },
    MutualTlsCase { name: "forged-header", target: "as if it were not there", run: forged_header },
];

impl MutualTlsBackdrop {
    /// Starts all of it.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let authority = Authority::new()?;
        Ok(Self {
            issuer: OidcProvider::start(workshop)?,
            upstream: Upstream::start()?,
            client: authority.client("client")?,
            other: authority.client("other")?,
            authority,
        })
    }

    /// A client with this certificate, or with none.
    fn client(&self, certified: Option<&Certified>) -> Result<Client, Error> {
        const WHAT: &str = "build a client with a certificate";
        let authority = Certificate::from_pem(self.authority.pem().as_bytes()).map_err(Error::http(WHAT))?;
        let mut builder = Workshop::client().tls_certs_only([authority]);
        if let Some(certified) = certified {
            let identity = Identity::from_pem(certified.bundle().as_bytes());
            builder = builder.identity(identity.map_err(Error::http(WHAT))?);
        }
        builder.build().map_err(Error::http(WHAT))
    }
}

impl<'a> MutualTlsBench<'a> {
    /// Starts the gateway, and the proxy where there is one.
    pub(crate) fn start(
        workshop: &Workshop,
        kind: &'a FrontKind,
        backdrop: &'a MutualTlsBackdrop,
    ) -> Result<Self, Error> {
        let name = format!("mutual-tls-{}", kind.name);
        let folder = workshop.subfolder(&name)?;
        write_certificates(&folder, &backdrop.authority)?;
        let work = folder.to_string_lossy();
        let introspection = OidcProvider::introspection(&folder)?;
        let config = configuration(&kind.settings.replace("@WORK@", &work), &backdrop.issuer, &introspection);
        let gateway =
            Gateway::start(workshop, &format!("{name}-gateway"), &config, Clock::Real, Ready::WithKeys)?;
        let with_none = backdrop.client(None)?;
        let (mut port, mut daemon) = (gateway.port(), None);
        if let Some(proxy) = &kind.proxy {
            port = free_port()?;
            let ports = Ports { proxy: port, gateway: gateway.port(), upstream: backdrop.upstream.port() };
            let (template, file) = proxy.template;
            let values = [
                ("WORK", &*work),
                ("PORT", &ports.proxy.to_string()),
                ("GATEWAY", &ports.gateway.to_string()),
                ("UPSTREAM", &ports.upstream.to_string()),
            ];
            let path = folder.join(file);
            write_template(&path, template, &values)?;
            let command = (proxy.command)(workshop, &ports, &path);
            let started = daemon.insert(Daemon::start(kind.name, &command, &folder)?);
            started.wait_until(&with_none, &format!("https://127.0.0.1:{port}/"), 401)?;
        }
        Ok(Self {
            backdrop,
            kind,
            gateway,
            proxy: daemon,
            url: format!("https://127.0.0.1:{port}"),
            token: backdrop.issuer.bound_to(&backdrop.client, "ES256")?,
            with_its_own: backdrop.client(Some(&backdrop.client))?,
            with_another: backdrop.client(Some(&backdrop.other))?,
            with_none,
        })
    }

    /// The status and the reason.
    fn ask(
        &self,
        client: &Client,
        path: &str,
        token: &str,
        more: Option<&(&'static str, String)>,
    ) -> Result<String, Error> {
        self.ask_at(&self.url, client, path, token, more)
    }

    fn ask_at(
        &self,
        url: &str,
        client: &Client,
        path: &str,
        token: &str,
        more: Option<&(&'static str, String)>,
    ) -> Result<String, Error> {
        let request = client.get(format!("{url}{path}")).bearer_auth(token);
        let request = more.into_iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = request.send().map_err(Error::http("ask with a certificate"))?;
        let (status, reason) = (response.status().as_u16(), header(&response, "x-keyward-reason"));
        Ok(format!("{status} {reason}").trim_end().to_owned())
    }
}

impl Bench for MutualTlsBench<'_> {
    type On<'a> = MutualTlsBench<'a>;

    fn log_tail(&self) -> String {
        self.proxy.as_ref().map(Daemon::log_tail).unwrap_or_default() + &self.gateway.log_tail()
    }
}

fn configuration(settings: &str, issuer: &OidcProvider, introspection: &str) -> String {
    format!(
        r#"{settings}
[[issuer]]
name = "main"
issuer = {issuer:?}
audiences = [{audience:?}]
{introspection}
[[route]]
paths = [{BOUND:?}]
access = "required"
binding = "certificate"

[[route]]
access = "required"
"#,
        issuer = issuer.issuer(),
        audience = issuer.audience(),
    )
}

fn right_certificate(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for path in ["/", BOUND] {
        answers.compare(path, bench.ask(&bench.with_its_own, path, &bench.token, None)?, "200");
    }
    answers.outcome()
}

fn other_certificate(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for path in ["/", BOUND] {
        let answer = bench.ask(&bench.with_another, path, &bench.token, None)?;
        answers.compare(path, answer, "401 binding_mismatch");
    }
    answers.outcome()
}

fn no_certificate(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for path in ["/", BOUND] {
        let answer = bench.ask(&bench.with_none, path, &bench.token, None)?;
        answers.compare(path, answer, "401 binding_missing");
    }
    answers.outcome()
}

/// An opaque token, of which the provider says what it is bound to.
fn introspected(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let token = bench.backdrop.issuer.bound_to(&bench.backdrop.client, "opaque")?;
    let mut answers = Answers::default();
    for path in ["/", BOUND] {
        for (client, wanted) in [
            (&bench.with_its_own, "200"),
            (&bench.with_another, "401 binding_mismatch"),
            (&bench.with_none, "401 binding_missing"),
        ] {
            answers.compare(path, bench.ask(client, path, &token, None)?, wanted);
        }
    }
    answers.outcome()
}

/// A token that is bound to nothing is as good as it says, but for a route that wants more.
fn unbound_token(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let token = bench.backdrop.issuer.token("ES256")?.to_string();
    let mut answers = Answers::default();
    for client in [&bench.with_its_own, &bench.with_none] {
        answers.compare("/", bench.ask(client, "/", &token, None)?, "200");
        answers.compare(BOUND, bench.ask(client, BOUND, &token, None)?, "401 binding_missing");
    }
    answers.outcome()
}

/// Somebody who has the token and says that he has the certificate: in front, and past the proxy.
fn forged_header(bench: &MutualTlsBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for forged in bench.kind.forgeries(&bench.backdrop.client) {
        let (name, _) = forged;
        let ask = |client| bench.ask(client, "/", &bench.token, Some(&forged));
        answers.compare(name, ask(&bench.with_none)?, "401 binding_missing");
        answers.compare(name, ask(&bench.with_another)?, "401 binding_mismatch");
        if bench.kind.proxy.is_some() {
            let gateway = format!("http://127.0.0.1:{}", bench.gateway.port());
            let past = |peer: [u8; 4]| {
                let client = Workshop::client().local_address(IpAddr::from(Ipv4Addr::from(peer))).build();
                let client = client.map_err(Error::http("build a client"))?;
                bench.ask_at(&gateway, &client, "/", &bench.token, Some(&forged))
            };
            answers.compare("past the proxy", past([127, 0, 0, 2])?, "401 binding_missing");
            // What is refused there is not refused for its form: from the proxy's own address it is believed.
            answers.compare("as the proxy", past([127, 0, 0, 1])?, "200");
        } else {
            // It does not take away what a client can show, either.
            let mine = bench.ask(&bench.with_its_own, "/", &bench.token, Some(&forged))?;
            answers.compare("beside the right certificate", mine, "200");
        }
    }
    answers.outcome()
}
