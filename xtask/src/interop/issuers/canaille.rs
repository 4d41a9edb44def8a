//! canaille (Python), whose tokens by client credentials are opaque.
//!
//! It answers only about tokens whose client has the asking one in its audience; of any other it says that it is
//! not active. A client's audience that names a client which is gone makes its endpoint answer 500.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::blocking::Client;

use super::introspected::{Access, Introspected, Life, Other, Way};
use super::{CLIENT, CLIENT_SECRET, accepted, opaque_token};
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port};
use crate::interop::workshop::{Workshop, write_template};

/// `canaille run`, over a database of its own.
#[derive(Debug)]
pub(crate) struct Canaille {
    http: Client,
    issuer: String,
    _daemon: Daemon,
}

impl Canaille {
    /// Starts it on a free port.
    pub(crate) fn start(workshop: &Workshop) -> Result<Self, Error> {
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}");
        let folder = workshop.subfolder("canaille")?;
        let config = folder.join("canaille.toml");
        let template = include_str!("../../../interop/canaille.toml");
        let values = [("PORT", &*port.to_string()), ("WORK", &*folder.to_string_lossy())];
        write_template(&config, template, &values)?;
        write(&folder, "canaille_lifetimes.py", include_str!("../../../interop/canaille_lifetimes.py"))?;
        let canaille = || {
            let mut command = workshop.installed.provider_python(&folder);
            command.arg(workshop.installed.provider_program("canaille")).env("CANAILLE_CONFIG", &config);
            command
        };
        let mut command = canaille();
        command.args(["run", "--bind", &format!("127.0.0.1:{port}")]);
        let mut daemon = Daemon::start("canaille", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("{issuer}/.well-known/openid-configuration"), 200)?;
        let clients = write(&folder, "clients.json", include_str!("../../../interop/canaille_clients.json"))?;
        restore(canaille(), &clients)?;
        Ok(Self { http: workshop.http.clone(), issuer, _daemon: daemon })
    }

    fn token_of(&self, client: &str) -> Result<String, Error> {
        opaque_token(&self.http, &format!("{}/oauth/token", self.issuer), client, &[("scope", "read")])
    }
}

impl Introspected for Canaille {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn audience(&self) -> Option<&str> {
        Some("gateway")
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

    /// By the client that it was issued to: of another one, canaille answers 400 `invalid_grant`.
    fn revoke(&self, token: &str) -> Result<(), Error> {
        const WHAT: &str = "revoke a token at canaille";
        let request = self.http.post(format!("{}/oauth/revoke", self.issuer));
        let request = request.basic_auth(CLIENT, Some(CLIENT_SECRET)).form(&[("token", token)]);
        accepted(request.send().map_err(Error::http(WHAT))?, WHAT).map(drop)
    }

    fn others(&self) -> Result<Vec<Other>, Error> {
        Ok(vec![
            Other {
                what: "for us",
                token: self.token_of("stranger")?,
                anywhere: "200",
                for_interop: "401 missing_claim",
            },
            Other {
                what: "for somebody else",
                token: self.token_of("elsewhere")?,
                anywhere: "401 inactive",
                for_interop: "401 inactive",
            },
        ])
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
    Ok(path)
}

/// Makes the clients, all in one of its slow starts.
fn restore(mut canaille: Command, clients: &Path) -> Result<(), Error> {
    let input = File::open(clients).map_err(Error::io(format!("open {}", clients.display())))?;
    let output = canaille.arg("restore").stdin(Stdio::from(input)).output();
    let output = output.map_err(Error::io("run canaille restore"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Command { command: "canaille restore".to_owned(), status: output.status, output: text })
}
