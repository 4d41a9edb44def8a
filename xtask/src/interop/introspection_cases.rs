//! What every provider goes through that is asked by introspection, before a gateway that asks it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::case::{Bench, Case};
use super::credential_cases::{bearer_revoked, secret_wrong_and_mended};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready};
use super::issuers::{
    Access, Canaille, DjangoOauthToolkit, Glewlwyd, Introspected, Lemonldap, Life, OidcProvider, Other, Way,
};
use super::outcome::{Answers, Outcome};
use super::workshop::Workshop;

/// How long the gateway remembers that a token is active.
const REMEMBERED: Duration = Duration::from_secs(2);

/// How long the briefest tokens live.
const BRIEF: Duration = Duration::from_secs(2);

/// What a busy machine may take beyond these, and a provider that counts in whole seconds.
const SLACK: Duration = Duration::from_secs(2);

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A route for the client `interop` alone.
const FOR_INTEROP: &str = "/for-interop/";

/// A provider, and a gateway that asks it.
pub(crate) struct IntrospectionBench<'a> {
    /// The provider under test.
    pub(crate) provider: &'a dyn Introspected,
    /// What the gateway shows there.
    pub(crate) access: Access,
    /// A gateway that asks it and remembers for two seconds what it was told.
    pub(crate) gateway: Gateway,
    workshop: &'a Workshop,
    name: String,
    credential_file: PathBuf,
}

/// A row for each provider that it is run with.
pub(crate) type IntrospectionCase = Case<IntrospectionBench<'static>>;

/// How a provider is called and started.
pub(crate) struct IntrospectedKind {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// Starts it and waits until it answers.
    pub(crate) start: fn(&Workshop) -> Result<Box<dyn Introspected>, Error>,
    /// How the gateway says who it is, and what is tried then.
    pub(crate) ways: &'static [(Way, &'static [IntrospectionCase])],
}

/// Every provider that Keyward asks.
pub(crate) const INTROSPECTED: [IntrospectedKind; 5] = [
    IntrospectedKind {
        name: "oidc-provider",
        start: |workshop| Ok(Box::new(OidcProvider::start(workshop)?)),
        ways: &[
            (
                Way::ClientSecretBasic,
                &[ACTIVE, EXPIRED, REVOKED, FORGOTTEN, UNKNOWN, QUESTION_REFUSED, OTHER_CLIENT, SECRET],
            ),
            (Way::PrivateKeyJwt, &[ACTIVE, SECRET]),
            (Way::Signed, &[ACTIVE, UNKNOWN]),
        ],
    },
    IntrospectedKind {
        name: "canaille",
        start: |workshop| Ok(Box::new(Canaille::start(workshop)?)),
        ways: &[(Way::ClientSecretBasic, &ALL)],
    },
    IntrospectedKind {
        name: "django-oauth-toolkit",
        start: |workshop| Ok(Box::new(DjangoOauthToolkit::start(workshop)?)),
        ways: &[(Way::BearerFile, &ALL), (Way::Bearer, &[ACTIVE, BEARER_REVOKED, SECRET])],
    },
    IntrospectedKind {
        name: "glewlwyd",
        start: |workshop| Ok(Box::new(Glewlwyd::start(workshop)?)),
        ways: &[(Way::ClientSecretBasic, &ALL), (Way::Signed, &[ACTIVE, QUESTION_REFUSED])],
    },
    IntrospectedKind {
        name: "lemonldap-ng",
        start: |workshop| Ok(Box::new(Lemonldap::start(workshop)?)),
        ways: &[(Way::ClientSecretBasic, &ALL)],
    },
];

/// In the order that they run in.
const ALL: [IntrospectionCase; 7] = [ACTIVE, EXPIRED, REVOKED, FORGOTTEN, UNKNOWN, OTHER_CLIENT, SECRET];

const ACTIVE: IntrospectionCase =
    IntrospectionCase { name: "active", target: "200; 403 insufficient_scope to write", run: active };

const EXPIRED: IntrospectionCase =
    IntrospectionCase { name: "expired", target: "200, then 401 inactive within 4 s", run: expired };

const REVOKED: IntrospectionCase =
    IntrospectionCase { name: "revoked", target: "200, then 401 inactive within 4 s", run: revoked };

const FORGOTTEN: IntrospectionCase = IntrospectionCase {
    name: "revoked-and-forgotten",
    target: "200 until /cache/forget, then 401 inactive",
    run: revoked_and_forgotten,
};

const UNKNOWN: IntrospectionCase =
    IntrospectionCase { name: "unknown", target: "401 inactive", run: unknown };

/// For a provider that answers 400 in place of `active: false`: nobody knows then what it thinks of the token. It is
/// a stranger's question that it refuses, so it is asked on about others.
const QUESTION_REFUSED: IntrospectionCase = IntrospectionCase {
    name: "question-refused",
    target: "503 introspection_malformed, others 200",
    run: question_refused,
};

const OTHER_CLIENT: IntrospectionCase = IntrospectionCase {
    name: "other-client",
    target: "as the route demands, a client or none",
    run: other_client,
};

const BEARER_REVOKED: IntrospectionCase =
    IntrospectionCase { name: "bearer-revoked", target: "200 throughout", run: bearer_revoked };

const SECRET: IntrospectionCase = IntrospectionCase {
    name: "secret-wrong-and-mended",
    target: "503, never 401; 200 within 4 s of mending",
    run: secret_wrong_and_mended,
};

impl<'a> IntrospectionBench<'a> {
    /// Starts the gateway.
    pub(crate) fn start(
        workshop: &'a Workshop,
        name: &str,
        provider: &'a dyn Introspected,
        way: Way,
    ) -> Result<Self, Error> {
        let name = format!("{name}-introspection-{}", way.label());
        let access = provider.access(way)?;
        let credential_file = workshop.subfolder(&name)?.join("credential");
        write_secret(&credential_file, &access.right)?;
        let config = configuration(provider, &access, &credential_file, "2s");
        let gateway = Gateway::start(workshop, &name, &config, Clock::Real, Ready::WithKeys)?;
        Ok(Self { provider, access, gateway, workshop, name, credential_file })
    }

    /// Puts another text in the place of what the gateway shows.
    pub(crate) fn replace_credential(&self, text: &str) -> Result<(), Error> {
        write_secret(&self.credential_file, text)
    }

    /// A gateway that remembers for five minutes what it was told.
    fn remembering_gateway(&self) -> Result<Gateway, Error> {
        let name = format!("{}-remembering", self.name);
        let config = configuration(self.provider, &self.access, &self.credential_file, "5m");
        Gateway::start(self.workshop, &name, &config, Clock::Real, Ready::WithKeys)
    }

    fn ask(&self, path: &str, token: &str) -> Result<String, Error> {
        Ok(self.gateway.ask(path, token)?.to_string())
    }

    /// The first answer that is no 200; a 200 where none comes.
    fn first_refusal(&self, token: &str) -> Result<String, Error> {
        let started = Instant::now();
        loop {
            let answer = self.ask("/", token)?;
            if answer != "200" || started.elapsed() > PATIENCE {
                return Ok(answer);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Bench for IntrospectionBench<'_> {
    type On<'a> = IntrospectionBench<'a>;

    fn log_tail(&self) -> String {
        self.gateway.log_tail()
    }
}

/// One issuer, whose endpoint decides; routes that demand more than the one for all others.
fn configuration(
    provider: &dyn Introspected,
    access: &Access,
    credential_file: &Path,
    active_for: &str,
) -> String {
    let audiences = provider.audience().map(|audience| format!("audiences = [{audience:?}]\n"));
    format!(
        r#"[[issuer]]
name = "tested"
issuer = {issuer:?}
strategy = "introspection"
{audiences}
[issuer.introspection]
active_for = {active_for:?}
{settings}
[issuer.introspection.credential]
{credential}
[[route]]
paths = ["/write/"]
access = "required"
scopes = ["write"]

[[route]]
paths = [{FOR_INTEROP:?}]
access = "required"
[route.claims]
"/client_id" = ["interop", "interop-RS256", "brief"]

[[route]]
access = "required"
"#,
        issuer = provider.issuer(),
        audiences = audiences.unwrap_or_default(),
        settings = access.settings,
        credential = access.credential.replace("@FILE@", &credential_file.to_string_lossy()),
    )
}

/// In the place of what was there in one step, and for its owner's eyes only.
fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let written = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .and_then(|()| fs::rename(&new, path));
    written.map_err(Error::io(format!("write {}", path.display())))
}

fn active(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let token = bench.provider.token(Life::Long)?;
    let mut answers = Answers::default();
    answers.compare("anywhere", bench.ask("/", &token)?, "200");
    answers.compare("remembered", bench.ask("/", &token)?, "200");
    answers.compare("for its client", bench.ask(FOR_INTEROP, &token)?, "200");
    answers.compare("to write", bench.ask("/write/", &token)?, "403 insufficient_scope");
    answers.outcome()
}

/// The gateway remembers no longer than the token lives, and the leeway is none where the endpoint says that it is over.
fn expired(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let token = bench.provider.token(Life::Brief)?;
    let issued = Instant::now();
    let mut answers = Answers::default();
    answers.compare("while it lives", bench.ask("/", &token)?, "200");
    answers.compare("once it is over", bench.first_refusal(&token)?, "401 inactive");
    timed(answers, issued.elapsed(), BRIEF + SLACK)
}

fn revoked(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let token = bench.provider.token(Life::Long)?;
    let mut answers = Answers::default();
    answers.compare("before", bench.ask("/", &token)?, "200");
    bench.provider.revoke(&token)?;
    let revoked = Instant::now();
    answers.compare("revoked", bench.first_refusal(&token)?, "401 inactive");
    timed(answers, revoked.elapsed(), REMEMBERED + SLACK)
}

fn revoked_and_forgotten(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let gateway = bench.remembering_gateway()?;
    let token = bench.provider.token(Life::Long)?;
    let mut answers = Answers::default();
    answers.compare("before", gateway.ask("/", &token)?.to_string(), "200");
    bench.provider.revoke(&token)?;
    answers.compare("revoked", gateway.ask("/", &token)?.to_string(), "200");
    let forgotten = gateway.forget("token", &token)?;
    answers.compare("told to forget", format!("{forgotten} forgotten"), "1 forgotten");
    answers.compare("then", gateway.ask("/", &token)?.to_string(), "401 inactive");
    answers.outcome()
}

fn unknown(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for token in bench.provider.unknown()? {
        answers.compare(&token, bench.ask("/", &token)?, "401 inactive");
    }
    answers.outcome()
}

fn question_refused(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    for token in bench.provider.refused()? {
        answers.compare(&token, bench.ask("/", &token)?, "503 introspection_malformed");
    }
    answers.compare("another", bench.ask("/", &bench.provider.token(Life::Long)?)?, "200");
    answers.outcome()
}

fn other_client(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let mut answers = Answers::default();
    let mut seen = Vec::new();
    for Other { what, token, anywhere, for_interop } in bench.provider.others()? {
        answers.compare(what, bench.ask("/", &token)?, anywhere);
        answers.compare(&format!("{what}, on {FOR_INTEROP}"), bench.ask(FOR_INTEROP, &token)?, for_interop);
        seen.push(format!("{what}: {anywhere}, {for_interop}"));
    }
    let mut outcome = answers.outcome()?;
    if outcome.passed {
        outcome.measured = seen.join("; ");
    }
    Ok(outcome)
}

/// The same, and it must not have taken longer.
fn timed(answers: Answers, elapsed: Duration, limit: Duration) -> Result<Outcome, Error> {
    let mut outcome = answers.outcome()?;
    outcome.measured.push_str(&format!(", after {:.1} s", elapsed.as_secs_f64()));
    outcome.passed &= elapsed <= limit;
    Ok(outcome)
}
