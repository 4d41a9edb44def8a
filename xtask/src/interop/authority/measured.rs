//! What is measured side by side: the authority on each engine, and what is used in its place.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::nodes::{Engine, Nodes};
use super::postgres::Postgres;
use super::realm::{RESOURCE, Realm};
use crate::interop::certificates::write_private;
use crate::interop::error::Error;
use crate::interop::install::progress;
use crate::interop::issuers::{CLIENT, CLIENT_SECRET, Glewlwyd, Issuer, OidcProvider};
use crate::interop::workshop::Workshop;

/// For how long a key signs where keys are to be replaced over and over, in seconds.
const SIGN_FOR: u32 = 660;

/// How far behind the nodes begin whose keys are replaced: more than all the time that passes there.
const BEHIND: i64 = 400_000;

/// No key is replaced meanwhile.
const LONG: u32 = 2_592_000;

/// All of them, running.
pub(crate) struct Measured {
    file: PathBuf,
    // Nodes before the PostgreSQL that they use.
    _nodes: [Nodes; 3],
    _postgres: Postgres,
    _oidc_provider: OidcProvider,
    _glewlwyd: Glewlwyd,
}

impl Measured {
    /// Starts them, and writes down where they are for `keyward-bench`.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        progress("PostgreSQL, oidc-provider, glewlwyd, and the authority on each engine");
        let postgres = Postgres::start()?;
        let oidc_provider = OidcProvider::start(workshop)?;
        let glewlwyd = Glewlwyd::start(workshop)?;
        let realm = Realm::in_es256(workshop, LONG)?;
        let sqlite = Nodes::start(workshop, "measured-sqlite", Engine::Sqlite, &realm, None)?;
        let on_postgres =
            Nodes::start(workshop, "measured-postgres", Engine::Postgres(&postgres), &realm, None)?;
        let replacing = Realm::in_es256(workshop, SIGN_FOR)?;
        let rotating = Nodes::start(workshop, "measured-rotating", Engine::Sqlite, &replacing, Some(BEHIND))?;
        let (time, behind) =
            rotating.time().map(|time| time.told()).ok_or(missing("the rotating node", "clock"))?;
        let told = json!({
            "authorities": [
                authority("sqlite", &sqlite, &realm)?,
                authority("postgres", &on_postgres, &realm)?,
            ],
            "oidc_provider": {
                "name": "oidc-provider",
                "origin": Issuer::issuer(&oidc_provider),
                "process": oidc_provider.process(),
                "token": "/token",
                "introspection": "/token/introspection",
                "jwks": "/jwks",
                "client": CLIENT,
                "secret": CLIENT_SECRET,
                "form": "scope=read&resource=urn%3Akeyward%3AES256",
                // It introspects none of its JWTs.
                "introspected_form": "scope=read&resource=urn%3Akeyward%3Aopaque",
            },
            "glewlwyd": {
                "name": "glewlwyd",
                "origin": origin_of(Issuer::issuer(&glewlwyd)),
                "process": glewlwyd.process(),
                "token": "/api/oidc/token",
                "introspection": "/api/oidc/introspect",
                "jwks": "/api/oidc/jwks",
                "client": format!("{CLIENT}-ES256"),
                "secret": CLIENT_SECRET,
                "form": "scope=read&resource=https%3A%2F%2Fapi.example",
            },
            "rotating": {
                "authority": authority("rotating", &rotating, &replacing)?,
                "time_file": time,
                "behind": behind,
                "step": SIGN_FOR,
            },
        });
        let file = workshop.subfolder("measured")?.join("site.json");
        write_private(&file, &told.to_string())?;
        Ok(Self {
            file,
            _nodes: [sqlite, on_postgres, rotating],
            _postgres: postgres,
            _oidc_provider: oidc_provider,
            _glewlwyd: glewlwyd,
        })
    }

    /// Where they are written down.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

/// One node of it, past what is in front of several.
fn authority(name: &str, nodes: &Nodes, realm: &Realm) -> Result<Value, Error> {
    let (port, process) = nodes.first().ok_or(missing("the authority", "node"))?;
    let path = |name: &str| format!("/realms/{}/{name}", super::realm::NAME);
    let resource = RESOURCE.replace(':', "%3A").replace('/', "%2F");
    Ok(json!({
        "name": name,
        "origin": format!("http://127.0.0.1:{port}"),
        "process": process,
        "issuer": nodes.issuer(),
        "token": path("token"),
        "introspection": path("introspect"),
        "jwks": path("jwks"),
        "client": "basic",
        "secret": nodes.administer(&["secret", "create", "--client", "basic"])?,
        "form": format!("scope=read&resource={resource}"),
        "service_account": "robot",
        "service_account_key": realm.robot_key().to_string(),
    }))
}

fn origin_of(issuer: &str) -> &str {
    issuer.strip_suffix("/api/oidc").unwrap_or(issuer)
}

const fn missing(what: &'static str, field: &'static str) -> Error {
    Error::MissingField { what, field }
}
