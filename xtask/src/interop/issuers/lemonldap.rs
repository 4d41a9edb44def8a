//! lemonldap-ng's portal (Perl), in RS256 and RS512. Its issuer ends in a slash, its keys name no `alg`, its
//! tokens are of type `JWT` for a list of audiences.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::{Map, Value, json};

use super::{CLIENT, CLIENT_SECRET, Issuer, client_credentials, comes_true, published_kids};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port, run};
use crate::interop::token::Token;
use crate::interop::workshop::{Workshop, write_template};

const ALGORITHMS: [&str; 2] = ["RS256", "RS512"];
const PORTAL: &str = "/usr/share/lemonldap-ng/portal/htdocs/index.psgi";
const ROTATE: &str = "/usr/share/lemonldap-ng/bin/rotateOidcKeys";

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
        let folder = workshop.subfolder("lemonldap-ng")?;
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

fn rotate_keys(ini: &Path) -> Result<(), Error> {
    run(Command::new(ROTATE).env("LLNG_DEFAULTCONFFILE", ini)).map(drop)
}

/// A portal that is an OpenID provider, with a client an algorithm.
fn configuration(issuer: &str, folder: &Path) -> Value {
    let storage = |name: &str| {
        json!({
            "Directory": folder.join(name),
            "LockDirectory": folder.join(name).join("lock"),
            "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
        })
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
        "oidcRPMetaDataOptions": each_algorithm(client),
        // Client credentials yield a scope only by a rule.
        "oidcRPMetaDataScopeRules": each_algorithm(|_| json!({ "read": "1" })),
        "oidcRPMetaDataExportedVars": each_algorithm(|_| json!({})),
    })
}

fn each_algorithm(value: fn(&str) -> Value) -> Value {
    ALGORITHMS
        .iter()
        .map(|algorithm| ((*algorithm).to_owned(), value(algorithm)))
        .collect::<Map<_, _>>()
        .into()
}

fn client(algorithm: &str) -> Value {
    json!({
        "oidcRPMetaDataOptionsClientID": format!("{CLIENT}-{algorithm}"),
        "oidcRPMetaDataOptionsClientSecret": CLIENT_SECRET,
        "oidcRPMetaDataOptionsAllowClientCredentialsGrant": 1,
        "oidcRPMetaDataOptionsAccessTokenJWT": 1,
        "oidcRPMetaDataOptionsAccessTokenSignAlg": algorithm,
        "oidcRPMetaDataOptionsAdditionalAudiences": "api",
    })
}
