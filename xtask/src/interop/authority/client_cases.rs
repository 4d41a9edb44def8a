//! Clients that others wrote, in their own languages, against the authority.

use std::path::PathBuf;
use std::process::Command;

use super::nodes::{Engine, Nodes};
use super::realm::Realm;
use crate::interop::case::{Bench, Case};
use crate::interop::certificates::{Authority, Certified, now, write_private};
use crate::interop::error::Error;
use crate::interop::issuers::{Issuer, OidcProvider, comes_true, published_kids};
use crate::interop::outcome::{Answers, Outcome};
use crate::interop::process::{Daemon, run};
use crate::interop::workshop::Workshop;

/// A library, and the program that uses it.
pub(super) struct ClientKind {
    /// Names it in rows.
    pub(super) name: &'static str,
    /// What it supports: the names of cases.
    pub(super) cases: &'static [&'static str],
    /// Whether the programs that the machine fakes the time for take it.
    pub(super) is_told_the_time: bool,
    /// Whether it can show certificates.
    pub(super) is_certified: bool,
    /// What runs it.
    pub(super) command: fn(&Workshop) -> Result<Command, Error>,
}

/// An authority, and what clients are told of it.
pub(super) struct Site<'a> {
    workshop: &'a Workshop,
    nodes: Nodes,
    folder: PathBuf,
    told: PathBuf,
    ca_file: Option<PathBuf>,
}

/// A library at an authority.
pub(super) struct ClientBench<'a> {
    pub(super) kind: &'static ClientKind,
    pub(super) site: &'a Site<'a>,
}

pub(super) type ClientCase = Case<ClientBench<'static>>;

/// Every case. Which ones a library goes through, its kind says.
pub(super) const CLIENT_CASES: [ClientCase; 10] = [
    ClientCase { name: "discovery", target: "every endpoint", run: discovery },
    ClientCase { name: "client-credentials", target: "a token each way", run: client_credentials },
    ClientCase { name: "private-key-jwt", target: "a token", run: private_key_jwt },
    ClientCase { name: "jwt-bearer", target: "a token", run: jwt_bearer },
    ClientCase { name: "token-exchange", target: "a token", run: token_exchange },
    ClientCase { name: "refresh", target: "again once; then the family is over", run: refresh },
    ClientCase { name: "introspection", target: "active, then inactive", run: introspection },
    ClientCase { name: "revocation", target: "inactive", run: revocation },
    ClientCase { name: "dpop", target: "bound tokens", run: dpop },
    ClientCase { name: "refused", target: "the RFCs' errors", run: refused },
];

/// A case of its own kind of authority, whose clock can be moved.
pub(super) const ROTATION: ClientCase =
    ClientCase { name: "rotation", target: "no valid token refused", run: rotation };

/// A case of an authority by itself, which asks for certificates.
pub(super) const MUTUAL_TLS: ClientCase =
    ClientCase { name: "mutual-tls", target: "tokens bound to certificates", run: mutual_tls };

/// How far behind the machine's clock an authority begins whose keys are rotated: what is issued is valid for everybody.
pub(super) const BEHIND: i64 = 40_000;

/// How far its clock is moved for a rotation: longer than keys are published.
const STEP: i64 = 700;

/// How many tokens under the old and under the new keys a library has to have verified.
const ENOUGH: usize = 25;

/// How long that may take, in seconds.
const DEADLINE: u64 = 60;

impl<'a> Site<'a> {
    /// Starts the nodes and makes secrets.
    pub(super) fn start(
        workshop: &'a Workshop,
        name: &str,
        engine: Engine<'_>,
        signer: Option<&OidcProvider>,
        behind: Option<i64>,
    ) -> Result<Self, Error> {
        let realm = Realm::new(workshop, signer)?;
        let nodes = Nodes::start(workshop, name, engine, &realm, behind)?;
        let folder = workshop.subfolder(name)?;
        let subject_token =
            signer.map(|signer| Ok::<_, Error>(Issuer::token(signer, "RS256")?.to_string())).transpose()?;
        let told = realm.tell(&folder, &nodes, subject_token)?;
        Ok(Self { workshop, nodes, folder, told, ca_file: None })
    }

    /// An authority that asks its clients for certificates. Theirs are `certified` and `self-signed` in its folder.
    pub(super) fn start_tls(workshop: &'a Workshop, name: &str) -> Result<Self, Error> {
        let folder = workshop.subfolder(&format!("{name}-certificates"))?;
        let authority = Authority::new()?;
        let ca_file = folder.join("ca.pem");
        write_private(&ca_file, &authority.pem())?;
        authority.server()?.write(&folder, "server")?;
        authority.client("certified")?.write(&folder, "certified")?;
        Certified::signing_key("self-signed", now() + 30 * 86_400)?.write(&folder, "self-signed")?;
        let site = Self::start(workshop, name, Engine::Tls(&folder), None, None)?;
        let certificate = folder.join("self-signed.pem");
        let certificate = certificate.display().to_string();
        site.nodes.administer(&["key", "upload", "--client", "self-signed", "--file", &certificate])?;
        Ok(Self { ca_file: Some(ca_file), ..site })
    }

    fn command(&self, kind: &ClientKind, step: &str) -> Result<Command, Error> {
        let mut command = (kind.command)(self.workshop)?;
        command.arg(&self.told).arg(step);
        if let Some(file) = &self.ca_file {
            // What Node and requests call it.
            command.env("NODE_EXTRA_CA_CERTS", file).env("REQUESTS_CA_BUNDLE", file);
            command.env("CERTIFICATES", file.parent().unwrap_or(file));
        }
        if let Some(time) = self.nodes.time().filter(|_| kind.is_told_the_time) {
            time.show(&mut command);
        }
        Ok(command)
    }
}

impl ClientBench<'_> {
    /// What the library got, question by question. It asks no question that is not `wanted`, and all that are.
    fn ask(&self, step: &str, wanted: &[(&str, &str)]) -> Result<Outcome, Error> {
        const WHAT: &str = "read what the client got";
        let printed = run(&mut self.site.command(self.kind, step)?)?;
        let got: Vec<(String, String)> = serde_json::from_str(printed.trim())
            .map_err(|_| Error::MissingField { what: WHAT, field: "list of answers" })?;
        let mut answers = Answers::default();
        for (question, answer) in &got {
            let wanted = wanted.iter().find(|(asked, _)| asked == question);
            let (_, wanted) = wanted.ok_or(Error::MissingField { what: WHAT, field: "known question" })?;
            answers.compare(question, answer.clone(), wanted);
        }
        if !wanted.iter().all(|(asked, _)| got.iter().any(|(question, _)| question == asked)) {
            return Err(Error::MissingField { what: WHAT, field: "answer" });
        }
        answers.outcome()
    }
}

impl Bench for ClientBench<'_> {
    type On<'a> = ClientBench<'a>;

    fn log_tail(&self) -> String {
        self.site.nodes.log_tail()
    }
}

const BASIC: &str = "Bearer, read, of client basic";
const ROBOT: &str = "Bearer, read, of service_account robot";

fn discovery(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    bench.ask("discovery", &[("endpoints", "token, introspect, revoke, jwks")])
}

/// By secret, for a JWT and for an opaque token.
fn client_credentials(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted = [
        ("client_secret_basic", BASIC),
        ("client_secret_post", "Bearer, read, of client post"),
        ("opaque", "Bearer, read, opaque"),
    ];
    bench.ask("client-credentials", &wanted)
}

fn private_key_jwt(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    bench.ask("private-key-jwt", &[("private_key_jwt", "Bearer, read, of client assertion")])
}

fn jwt_bearer(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    bench.ask("jwt-bearer", &[("service account", ROBOT)])
}

fn token_exchange(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted = [("of oidc-provider", "Bearer, read, of identity somebody"), ("of ours", BASIC)];
    bench.ask("token-exchange", &wanted)
}

fn refresh(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted =
        [("next", ROBOT), ("used again", "400 invalid_grant"), ("its successor", "400 invalid_grant")];
    bench.ask("refresh", &wanted)
}

fn introspection(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let active = "active, basic, read";
    bench.ask("introspection", &[("JWT", active), ("opaque", active), ("nonsense", "inactive")])
}

fn revocation(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    bench.ask(
        "revocation",
        &[("JWT", "inactive"), ("opaque", "inactive"), ("refresh token", "400 invalid_grant")],
    )
}

fn dpop(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted =
        [("bound", "DPoP, read, of client bound, its key"), ("without a proof", "400 invalid_dpop_proof")];
    bench.ask("dpop", &wanted)
}

fn refused(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted = [
        ("wrong secret", "401 invalid_client"),
        ("another's scope", "400 invalid_scope"),
        ("another's resource", "400 invalid_target"),
    ];
    bench.ask("refused", &wanted)
}

/// By a certificate of an authority that is trusted, and by one that is known itself.
fn mutual_tls(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    let wanted = [
        ("tls_client_auth", "Bearer, read, of client certified, its certificate"),
        ("self_signed_tls_client_auth", "Bearer, read, of client self-signed, its certificate"),
        ("another's certificate", "401 invalid_client"),
    ];
    bench.ask("mutual-tls", &wanted)
}

/// The library gets tokens and verifies them by the key set that it keeps, while other keys are published, and then sign.
fn rotation(bench: &ClientBench<'_>) -> Result<Outcome, Error> {
    const WHAT: &str = "rotate the authority's keys";
    let (site, name) = (bench.site, bench.kind.name);
    let time = site.nodes.time().ok_or(Error::MissingField { what: WHAT, field: "clock" })?;
    let jwks_uri = format!("{}/jwks", site.nodes.issuer());
    let published = || published_kids(&site.workshop.http, &jwks_uri).unwrap_or_default();
    let before = published();
    let traffic =
        Daemon::start(&format!("{name}-rotation"), &site.command(bench.kind, "rotation")?, &site.folder)?;
    let accepted = |is_counted: &dyn Fn(&str) -> bool| {
        let log = traffic.log();
        log.lines().filter_map(|line| line.strip_prefix("accepted ")).filter(|kid| is_counted(kid)).count()
    };
    let is_new = |kid: &str| !before.iter().any(|old| old == kid);
    let began = comes_true(DEADLINE, || accepted(&|_| true) >= ENOUGH);
    site.nodes.administer(&["signing-key", "rotate"])?;
    let were_published = comes_true(DEADLINE, || published().len() > before.len());
    let early = accepted(&is_new);
    time.pass(STEP)?;
    let ended = comes_true(DEADLINE, || accepted(&is_new) >= ENOUGH);
    let log = traffic.log();
    let refused: Vec<&str> = log.lines().filter(|line| !line.starts_with("accepted ")).collect();
    let mut measured =
        format!("{} accepted, {} of them under new keys", accepted(&|_| true), accepted(&is_new));
    for (is_so, what) in [
        (!began, "no traffic"),
        (!were_published, "no new keys are published"),
        (early > 0, "new keys signed at once"),
        (!ended, "too few under new keys"),
    ] {
        if is_so {
            measured.push_str(&format!("; {what}"));
        }
    }
    if let Some(first) = refused.last() {
        measured.push_str(&format!("; {} REFUSED ({first})", refused.len()));
    }
    Ok(Outcome { measured, passed: began && were_published && early == 0 && ended && refused.is_empty() })
}
