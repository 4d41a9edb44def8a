//! glewlwyd (C), in RS256, ES256 and EdDSA, set up and rotated through its REST API.
//!
//! All its access tokens are JWTs, which it introspects and revokes as well, the latter for any client (RFC 7009 §2.1
//! wants the one that it was issued to). Its signed answers are for the token's audience, where RFC 9701 §5 wants
//! whoever asked, and of a token that is not active it does not say so then: it answers 400 without a body. And when a
//! token is over it reckons from when it was issued and what its settings are now, whatever the token's `exp` says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, RwLock};

use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::introspected::{Access, Introspected, Life, Other, Way};
use super::{CLIENT, CLIENT_SECRET, Issuer, accepted, client_credentials, new_keys, opaque_token};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::token::Token;
use crate::interop::workshop::{Workshop, write_template};

const AUDIENCE: &str = "https://api.example";
/// Where the plugin names no such scope, each client is told of its own tokens only that they are active; where it does,
/// of all, and no client needs the scope for that.
const INTROSPECT: &str = "introspect";

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// The schema as its Debian package brings it, with the account `admin`, `password`.
const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// A `glewlwyd` with its OpenID Connect plugin as `oidc`.
#[derive(Debug)]
pub(crate) struct Glewlwyd {
    http: Client,
    api: String,
    issuer: String,
    session: String,
    node: PathBuf,
    keys_script: PathBuf,
    keys: Mutex<Vec<Value>>,
    life: Mutex<Life>,
    /// Shared by whoever gets a token: 2.7 ends with a segmentation fault where its plugin is reset while it
    /// makes one.
    tokens: RwLock<()>,
    daemon: Daemon,
}

impl Glewlwyd {
    /// Starts it on a free port over a database of its own.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let port = free_port()?;
        let folder = workshop.subfolder(&format!("glewlwyd-{port}"))?;
        create_database(&folder.join("glewlwyd.db"))?;
        let config = folder.join("glewlwyd.conf");
        write_template(
            &config,
            include_str!("../../../interop/glewlwyd.conf"),
            &[("PORT", &port.to_string()), ("WORK", &folder.to_string_lossy())],
        )?;
        let mut command = Command::new("glewlwyd");
        command.arg(format!("--config-file={}", config.display()));
        let mut daemon = Daemon::start("glewlwyd", &command, &folder)?;
        let api = format!("http://127.0.0.1:{port}/api");
        // Not signed in: the API is up.
        daemon.wait_until(&workshop.http, &format!("{api}/profile_list"), 401)?;
        let glewlwyd = Self {
            session: sign_in(&workshop.http, &api)?,
            http: workshop.http.clone(),
            issuer: format!("{api}/oidc"),
            api,
            node: workshop.installed.node(),
            keys_script: workshop.installed.script("keys.mjs"),
            keys: Mutex::default(),
            life: Mutex::new(Life::Long),
            tokens: RwLock::default(),
            daemon,
        };
        glewlwyd.set_up()?;
        Ok(glewlwyd)
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.daemon.process()
    }

    fn set_up(&self) -> Result<(), Error> {
        self.let_clients_choose_their_key()?;
        for name in ["read", INTROSPECT] {
            let scope = json!({
                "name": name, "display_name": name,
                "password_required": false, "password_max_age": 0, "scheme": {},
            });
            self.admin(Method::POST, "scope/", Some(&scope))?;
        }
        let keys = self.new_keys()?;
        let mut plugin = plugin(&self.issuer, &keys, Life::Long);
        if let Some(members) = plugin.as_object_mut() {
            members.insert("module".to_owned(), json!("oidc"));
            members.insert("name".to_owned(), json!("oidc"));
        }
        self.admin(Method::POST, "mod/plugin/", Some(&plugin))?;
        for key in &keys {
            self.admin(Method::POST, "client/", Some(&client(key)))?;
        }
        for id in ["gateway", "stranger"] {
            self.admin(Method::POST, "client/", Some(&client_called(id)))?;
        }
        self.replace_keys(keys);
        Ok(())
    }

    /// Clients keep only the properties that their backend is told of.
    fn let_clients_choose_their_key(&self) -> Result<(), Error> {
        const WHAT: &str = "read glewlwyd's client backend";
        let mut backend = self.admin(Method::GET, "mod/client/database", None)?;
        let formats = backend.pointer_mut("/parameters/data-format").and_then(Value::as_object_mut);
        formats
            .ok_or(Error::MissingField { what: WHAT, field: "data-format" })?
            .insert("sign_kid".to_owned(), json!({ "multiple": false, "read": true, "write": true }));
        self.admin(Method::PUT, "mod/client/database", Some(&backend))?;
        self.admin(Method::PUT, "mod/client/database/reset", None).map(drop)
    }

    /// Calls the REST API as administrator; `null` where the answer has no body.
    fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        const WHAT: &str = "administer glewlwyd";
        let mut request =
            self.http.request(method, format!("{}/{path}", self.api)).header("Cookie", &self.session);
        if let Some(body) = body {
            request = request.json(body);
        }
        let text = accepted(request.send().map_err(Error::http(WHAT))?, WHAT)?.text();
        Ok(serde_json::from_str(&text.map_err(Error::http(WHAT))?).unwrap_or_default())
    }

    fn new_keys(&self) -> Result<Vec<Value>, Error> {
        new_keys(&self.node, &self.keys_script, &ALGORITHMS)
    }

    /// Sets the plugin, which takes in its settings only when it starts anew.
    fn set_plugin(&self, keys: &[Value], life: Life) -> Result<(), Error> {
        self.admin(Method::PUT, "mod/plugin/oidc", Some(&plugin(&self.issuer, keys, life)))?;
        let _alone = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        self.admin(Method::PUT, "mod/plugin/oidc/reset", None).map(drop)
    }

    fn token_of(&self, client: &str, resource: Option<&str>) -> Result<String, Error> {
        let _shared = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut fields = vec![("scope", "read")];
        fields.extend(resource.map(|resource| ("resource", resource)));
        opaque_token(&self.http, &format!("{}/token", self.issuer), client, &fields)
    }

    fn replace_keys(&self, new: Vec<Value>) -> Vec<Value> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *keys, new)
    }
}

impl Issuer for Glewlwyd {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    fn audience(&self) -> &str {
        AUDIENCE
    }

    fn algorithms(&self) -> &'static [&'static str] {
        &ALGORITHMS
    }

    fn token(&self, algorithm: &str) -> Result<Token, Error> {
        let _shared = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let endpoint = format!("{}/token", self.issuer);
        client_credentials(&self.http, &endpoint, &format!("{CLIENT}-{algorithm}"), Some(AUDIENCE))
    }

    /// As its manual has it: new keys before the old ones in `jwks-private`, and a reset of the plugin. Then
    /// each client is pointed to its new key.
    fn rotate(&self) -> Result<(), Error> {
        let new = self.new_keys()?;
        let old = self.replace_keys(new.clone());
        self.set_plugin(&[new.clone(), old].concat(), Life::Long)?;
        for key in &new {
            let client = client(key);
            let id = client.get("client_id").and_then(Value::as_str).unwrap_or_default();
            self.admin(Method::PUT, &format!("client/{id}"), Some(&client))?;
        }
        Ok(())
    }
}

impl Introspected for Glewlwyd {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn audience(&self) -> Option<&str> {
        Some(AUDIENCE)
    }

    fn access(&self, way: Way) -> Result<Access, Error> {
        let mut access = Access::client_secret_basic("gateway", CLIENT_SECRET);
        if way == Way::Signed {
            access.settings = format!("answers = \"signed\"\naudience = {AUDIENCE:?}\n");
        }
        Ok(access)
    }

    /// The plugin's setting is what it reckons with as long as a brief one matters, so it stays until long ones do.
    fn token(&self, life: Life) -> Result<String, Error> {
        let mut current = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != life {
            let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.set_plugin(&keys, life)?;
            *current = life;
        }
        self.token_of(&format!("{CLIENT}-RS256"), Some(AUDIENCE))
    }

    fn revoke(&self, token: &str) -> Result<(), Error> {
        const WHAT: &str = "revoke a token at glewlwyd";
        let client = format!("{CLIENT}-RS256");
        let request = self.http.post(format!("{}/revoke", self.issuer));
        let request = request.basic_auth(client, Some(CLIENT_SECRET)).form(&[("token", token)]);
        accepted(request.send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }

    /// Its own, bent.
    fn unknown(&self) -> Result<Vec<String>, Error> {
        let token = Token::parse(&Introspected::token(self, Life::Long)?)?;
        Ok(vec![token.with_bent_signature()?.to_string(), token.with_claim("sub", "root")?.to_string()])
    }

    /// Where its answers are to be signed.
    fn refused(&self) -> Result<Vec<String>, Error> {
        let token = Token::parse(&Introspected::token(self, Life::Long)?)?;
        (0..40).map(|number| Ok(token.with_claim("jti", &number.to_string())?.to_string())).collect()
    }

    fn others(&self) -> Result<Vec<Other>, Error> {
        Ok(vec![
            Other {
                what: "for us",
                token: self.token_of("stranger", Some(AUDIENCE))?,
                anywhere: "200",
                for_interop: "401 missing_claim",
            },
            // Its `aud` is the scope then.
            Other {
                what: "for nobody",
                token: self.token_of("stranger", None)?,
                anywhere: "401 wrong_audience",
                for_interop: "401 wrong_audience",
            },
        ])
    }
}

fn create_database(path: &Path) -> Result<(), Error> {
    let schema = File::open(SCHEMA).map_err(Error::io(format!("open {SCHEMA}")))?;
    let output = Command::new("sqlite3")
        .arg(path)
        .stdin(Stdio::from(schema))
        .output()
        .map_err(Error::io("run sqlite3"))?;
    if output.status.success() && fs::exists(path).is_ok_and(|exists| exists) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Command { command: "sqlite3".to_owned(), status: output.status, output: text })
}

/// The administrator's session, as a `Cookie` header.
fn sign_in(http: &Client, api: &str) -> Result<String, Error> {
    const WHAT: &str = "sign in to glewlwyd";
    let request =
        http.post(format!("{api}/auth/")).json(&json!({ "username": "admin", "password": "password" }));
    let response = accepted(request.send().map_err(Error::http(WHAT))?, WHAT)?;
    let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok());
    let pair = cookie.and_then(|cookie| cookie.split(';').next());
    pair.map(str::to_owned).ok_or(Error::MissingField { what: WHAT, field: "session cookie" })
}

/// The plugin's settings; the first key signs for clients that name none.
fn plugin(issuer: &str, keys: &[Value], life: Life) -> Value {
    let seconds = if life == Life::Brief { 2 } else { 3600 };
    json!({
        "display_name": "Keyward interop",
        "order_rank": 0,
        "parameters": {
            "iss": issuer,
            "jwks-private": json!({ "keys": keys }).to_string(),
            "jwks-show": true,
            "client-sign_kid-parameter": "sign_kid",
            "access-token-duration": seconds,
            "refresh-token-duration": 3600,
            "code-duration": 600,
            "auth-type-client-enabled": true,
            "allow-non-oidc": true,
            "subject-type": "public",
            "resource-allowed": true,
            "resource-scope": { "read": [AUDIENCE] },
            "resource-client-property": "resource",
            "introspection-revocation-allowed": true,
            "introspection-revocation-allow-target-client": true,
            "introspection-revocation-auth-scope": [INTROSPECT],
        },
    })
}

/// The client whose tokens this key signs.
fn client(key: &Value) -> Value {
    let algorithm = key.get("alg").and_then(Value::as_str).unwrap_or_default();
    let mut client = client_called(&format!("{CLIENT}-{algorithm}"));
    if let Some(members) = client.as_object_mut() {
        members.insert("sign_kid".to_owned(), key.get("kid").cloned().unwrap_or_default());
    }
    client
}

fn client_called(id: &str) -> Value {
    json!({
        "client_id": id,
        "name": "Keyward interop",
        "password": CLIENT_SECRET,
        "confidential": true,
        "enabled": true,
        "scope": ["read"],
        "authorization_type": ["client_credentials"],
        "redirect_uri": [],
        "token_endpoint_auth_method": ["client_secret_basic"],
        "resource": [AUDIENCE],
    })
}
