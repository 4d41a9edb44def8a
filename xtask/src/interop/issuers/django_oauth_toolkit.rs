//! django-oauth-toolkit (Python), whose tokens are opaque and whose endpoint wants a bearer of scope `introspection`.
//!
//! Without OpenID Connect it has no keys and no discovery document but RFC 8414's, which names none.
//!
//! Its answers name no `iss`, no `sub` and no `token_type`, and an `aud` only where the token was asked for with a
//! `resource` (RFC 8707). Whom it does not know it answers 403 without a body, and no 401.

use std::fs;

use reqwest::blocking::Client;
use serde_json::Value;

use super::introspected::{Access, Introspected, Life, Other, Way};
use super::{CLIENT, CLIENT_SECRET, accepted, json, opaque_token};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::workshop::Workshop;

const AUDIENCE: &str = "https://api.example";

/// `xtask/interop/django_oauth_toolkit.py`, running.
#[derive(Debug)]
pub(crate) struct DjangoOauthToolkit {
    http: Client,
    issuer: String,
    _daemon: Daemon,
}

impl DjangoOauthToolkit {
    /// Starts it on a free port, over a database of its own.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}");
        let folder = workshop.subfolder("django-oauth-toolkit")?;
        let script = folder.join("django_oauth_toolkit.py");
        fs::write(&script, include_str!("../../../interop/django_oauth_toolkit.py"))
            .map_err(Error::io(format!("write {}", script.display())))?;
        let mut command = workshop.installed.provider_python(&folder);
        command.arg(script).arg(port.to_string()).arg(folder.join("db.sqlite3"));
        let mut daemon = Daemon::start("django-oauth-toolkit", &command, &folder)?;
        let metadata = format!("{issuer}/.well-known/oauth-authorization-server");
        daemon.wait_until(&workshop.http, &metadata, 200)?;
        Ok(Self { http: workshop.http.clone(), issuer, _daemon: daemon })
    }

    fn token_of(&self, client: &str, scope: &str, resource: Option<&str>) -> Result<String, Error> {
        let mut fields = vec![("scope", scope)];
        fields.extend(resource.map(|resource| ("resource", resource)));
        opaque_token(&self.http, &self.token_endpoint(), client, &fields)
    }

    fn token_endpoint(&self) -> String {
        format!("{}/o/token/", self.issuer)
    }
}

impl Introspected for DjangoOauthToolkit {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn audience(&self) -> Option<&str> {
        Some(AUDIENCE)
    }

    fn access(&self, way: Way) -> Result<Access, Error> {
        match way {
            Way::BearerFile => Ok(Access {
                settings: String::new(),
                credential: "method = \"bearer_file\"\ntoken_file = \"@FILE@\"\n".to_owned(),
                right: self.token_of("gateway", "introspection", None)?,
                // A bearer, of another scope.
                wrong: self.token_of("gateway", "read", None)?,
            }),
            Way::Bearer => {
                let mut access = Access::client_secret_basic("gateway", CLIENT_SECRET);
                access.credential = "method = \"bearer\"\ngrant = \"client_credentials\"\n\
                     scope = \"introspection\"\nclient_id = \"gateway-bearer\"\nsecret_file = \"@FILE@\"\n"
                    .to_owned();
                Ok(access)
            }
            _ => Ok(Access::client_secret_basic("gateway", CLIENT_SECRET)),
        }
    }

    fn token(&self, life: Life) -> Result<String, Error> {
        let scope = match life {
            Life::Brief => "read brief",
            Life::Long => "read",
        };
        self.token_of(CLIENT, scope, Some(AUDIENCE))
    }

    /// By the client that it was issued to: of another one it says 200 and does nothing (RFC 7009 §2.1 wants an error).
    fn revoke(&self, token: &str) -> Result<(), Error> {
        const WHAT: &str = "revoke a token at django-oauth-toolkit";
        let request = self.http.post(format!("{}/o/revoke_token/", self.issuer));
        let request = request.basic_auth(CLIENT, Some(CLIENT_SECRET)).form(&[("token", token)]);
        accepted(request.send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }

    fn drop_bearers(&self) -> Result<u64, Error> {
        const WHAT: &str = "drop the gateway's bearers";
        let request = self.http.post(format!("{}/control/drop-bearers", self.issuer));
        let answer = json(request.send().map_err(Error::http(WHAT))?, WHAT)?;
        answer
            .get("dropped")
            .and_then(Value::as_u64)
            .ok_or(Error::MissingField { what: WHAT, field: "dropped" })
    }

    fn others(&self) -> Result<Vec<Other>, Error> {
        Ok(vec![
            Other {
                what: "for us",
                token: self.token_of("stranger", "read", Some(AUDIENCE))?,
                anywhere: "200",
                for_interop: "401 missing_claim",
            },
            Other {
                what: "for nobody",
                token: self.token_of("stranger", "read", None)?,
                anywhere: "401 wrong_audience",
                for_interop: "401 wrong_audience",
            },
        ])
    }
}
