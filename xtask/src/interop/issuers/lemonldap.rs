//! lemonldap-ng's portal (Perl), in RS256 and RS512, and with opaque tokens. Its issuer ends in a slash, its keys
//! name no `alg`, its tokens are of type `JWT` for a list of audiences.
//!
//! What it says of a token names no audience, whatever the token says. This release has no revocation endpoint: its
//! operators delete sessions. Of `Authorization: Basic` it reads what comes before the first `+` or `/`, so that some
//! secrets are good in the form only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::{Map, Value, json};

use super::introspected::{Access, Introspected, Life, Other, Way};
use super::{CLIENT, CLIENT_SECRET, Issuer, client_credentials, comes_true, opaque_token, published_kids};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port, run};
use crate::interop::token::Token;
use crate::interop::workshop::{Workshop, write_template};

const ALGORITHMS: [&str; 2] = ["RS256", "RS512"];
const PORTAL: &str = "/usr/share/lemonldap-ng/portal/htdocs/index.psgi";
const ROTATE: &str = "/usr/share/lemonldap-ng/bin/rotateOidcKeys";
const SESSIONS: &str = "/usr/share/lemonldap-ng/bin/lemonldap-ng-sessions";

/// The portal under `plackup`.
#[derive(Debug)]
pub(crate) struct Lemonldap {
    http: Client,
    issuer: String,
    ini: PathBuf,
    daemon: Daemon,
}

impl Lemonldap {
    /// Starts it on a free port over a configuration of its own.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}/");
        let folder = workshop.subfolder(&format!("lemonldap-ng-{port}"))?;
        for name in ["conf", "cache", "sessions/lock", "psessions/lock"] {
            fs::create_dir_all(folder.join(name)).map_err(Error::io(format!("create {name}")))?;
        }
        let ini = folder.join("lemonldap-ng.ini");
        let template = include_str!("../../../interop/lemonldap-ng.ini");
        write_template(&ini, template, &[("WORK", &folder.to_string_lossy())])?;
        let first = folder.join("conf/lmConf-1.json");
        fs::write(&first, configuration(&issuer, &folder).to_string())
            .map_err(Error::io(format!("write {}", first.display())))?;
        // The first configuration has no key.
        rotate_keys(&ini)?;
        let mut command = Command::new("plackup");
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--env", "deployment", PORTAL])
            .env("LLNG_DEFAULTCONFFILE", &ini);
        let mut daemon = Daemon::start("lemonldap-ng", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("{issuer}.well-known/openid-configuration"), 200)?;
        Ok(Self { http: workshop.http.clone(), issuer, ini, daemon })
    }

    fn token_of(&self, client: &str) -> Result<String, Error> {
        let endpoint = format!("{}oauth2/token", self.issuer);
        opaque_token(&self.http, &endpoint, client, &[("scope", "read")])
    }
}

impl Issuer for Lemonldap {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn jwks_uri(&self) -> String {
        format!("{}oauth2/jwks", self.issuer)
    }

    fn audience(&self) -> &str {
        "api"
    }

    fn algorithms(&self) -> &'static [&'static str] {
        &ALGORITHMS
    }

    fn token(&self, algorithm: &str) -> Result<Token, Error> {
        let endpoint = format!("{}oauth2/token", self.issuer);
        client_credentials(&self.http, &endpoint, &format!("{CLIENT}-{algorithm}"), None)
    }

    /// Its own rotation script, which it means to be run by cron. This release publishes one key only: the
    /// script withdraws the old one along with the tokens it signed, as soon as the portal has seen the new
    /// configuration.
    fn rotate(&self) -> Result<(), Error> {
        let before = published_kids(&self.http, &self.jwks_uri())?;
        rotate_keys(&self.ini)?;
        const SECONDS: u64 = 10;
        let changed = || published_kids(&self.http, &self.jwks_uri()).is_ok_and(|kids| kids != before);
        if comes_true(SECONDS, changed) {
            return Ok(());
        }
        let last = "its key set stays the same".to_owned();
        let log = self.daemon.log_tail();
        Err(Error::NotReady { name: "lemonldap-ng's new key".to_owned(), seconds: SECONDS, last, log })
    }
}

impl Introspected for Lemonldap {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn audience(&self) -> Option<&str> {
        None
    }

    fn access(&self, _way: Way) -> Result<Access, Error> {
        Ok(Access::client_secret_basic("gateway", CLIENT_SECRET))
    }

    fn token(&self, life: Life) -> Result<String, Error> {
        self.token_of(match life {
            Life::Brief => "brief",
            Life::Long => CLIENT,
        })
    }

    /// With the tool that its operators have, which becomes `www-data` where it may and is not told another.
    fn revoke(&self, token: &str) -> Result<(), Error> {
        let user = ["--user", "root", "--group", "root", "delete", token];
        run(Command::new(SESSIONS).args(user).env("LLNG_DEFAULTCONFFILE", &self.ini)).map(drop)
    }

    /// Only a route that demands a client tells them apart.
    fn others(&self) -> Result<Vec<Other>, Error> {
        Ok(vec![Other {
            what: "for whomever",
            token: self.token_of("stranger")?,
            anywhere: "200",
            for_interop: "401 missing_claim",
        }])
    }
}

fn rotate_keys(ini: &Path) -> Result<(), Error> {
    run(Command::new(ROTATE).env("LLNG_DEFAULTCONFFILE", ini)).map(drop)
}

/// A portal that is an OpenID provider, with a client an algorithm, and some whose tokens are opaque.
fn configuration(issuer: &str, folder: &Path) -> Value {
    let storage = |name: &str| {
        json!({
            "Directory": folder.join(name),
            "LockDirectory": folder.join(name).join("lock"),
            "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
        })
    };
    let clients = clients();
    let each_client = |value: Value| -> Value {
        clients.keys().map(|name| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
    };
    json!({
        "cfgNum": 1, "cfgAuthor": "interop", "cfgDate": 1, "cfgVersion": "2.16.1",
        "portal": issuer, "domain": "127.0.0.1", "cookieName": "lemonldap", "securedCookie": 0,
        "authentication": "Demo", "userDB": "Same", "passwordDB": "Demo", "registerDB": "Demo",
        "whatToTrace": "uid", "timeout": 72000,
        "globalStorage": "Apache::Session::File", "globalStorageOptions": storage("sessions"),
        "persistentStorage": "Apache::Session::File", "persistentStorageOptions": storage("psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": {
            "namespace": "lemonldap-ng-sessions", "cache_root": folder.join("cache"), "cache_depth": 3,
            "default_expires_in": 600, "directory_umask": "007",
        },
        "locationRules": {}, "exportedHeaders": {}, "exportedVars": {}, "macros": {}, "groups": {},
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceAccessTokenExpiration": 3600,
        // Client credentials yield a scope only by a rule.
        "oidcRPMetaDataScopeRules": each_client(json!({ "read": "1" })),
        "oidcRPMetaDataExportedVars": each_client(json!({})),
        "oidcRPMetaDataOptions": clients,
    })
}

/// By the names that its configuration has for them.
fn clients() -> Map<String, Value> {
    let signed = ALGORITHMS.iter().map(|algorithm| (format!("{CLIENT}-{algorithm}"), jwt_client(algorithm)));
    let brief = ("brief".to_owned(), client("brief", &[("AccessTokenExpiration", json!(2))]));
    let opaque = [CLIENT, "gateway", "stranger"].map(|id| (id.to_owned(), client(id, &[])));
    signed.chain([brief]).chain(opaque).collect()
}

fn jwt_client(algorithm: &str) -> Value {
    let options = [
        ("AccessTokenJWT", json!(1)),
        ("AccessTokenSignAlg", json!(algorithm)),
        ("AdditionalAudiences", json!("api")),
    ];
    client(&format!("{CLIENT}-{algorithm}"), &options)
}

fn client(id: &str, options: &[(&str, Value)]) -> Value {
    let common = [
        ("ClientID", json!(id)),
        ("ClientSecret", json!(CLIENT_SECRET)),
        ("AllowClientCredentialsGrant", json!(1)),
    ];
    let options = common.iter().chain(options);
    let named = options.map(|(name, value)| (format!("oidcRPMetaDataOptions{name}"), value.clone()));
    named.collect::<Map<_, _>>().into()
}
