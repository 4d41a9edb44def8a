//! Somebody else's gateways, as `deploy/drill` sets them up.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::drill::Drill;
use crate::interop::{Installed, write_template};
use crate::{Failure, command};

/// A gateway that is no Keyward.
#[derive(Debug)]
pub(super) struct Rival {
    /// Its column in JSON rows.
    pub(super) name: &'static str,
    /// What it is and in which versions, for the head of its column.
    pub(super) title: fn(&Installed) -> Result<String, Failure>,
    /// Writes its configuration and says what to run.
    pub(super) command: fn(&Installed, &Drill, &Site) -> Result<Command, Failure>,
}

/// Where it and the lab are.
#[derive(Debug)]
pub(super) struct Site {
    /// The first port of the lab.
    pub(super) lab_port: u16,
    /// Its own port.
    pub(super) port: u16,
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// The certificate of the lab's authority.
    pub(super) authority: PathBuf,
}

/// Those that are compared.
pub(super) const RIVALS: [Rival; 2] = [
    Rival { name: "envoy", title: envoy_title, command: envoy },
    Rival { name: "apache", title: apache_title, command: apache },
];

fn envoy_title(installed: &Installed) -> Result<String, Failure> {
    let version = command::output(Command::new(installed.envoy()).arg("--version"))?;
    // COMMIT/1.40.0/Clean/RELEASE/BoringSSL
    let number = version.split('/').find(|part| part.split('.').count() == 3 && !part.contains(' '));
    Ok(format!("Envoy {}, jwt_authn", number.unwrap_or_else(|| version.trim())))
}

fn envoy(installed: &Installed, drill: &Drill, site: &Site) -> Result<Command, Failure> {
    let template = include_str!("../../../deploy/drill/envoy/envoy.yaml");
    let config = site.write("envoy.yaml", template, drill)?;
    let mut command = Command::new(installed.envoy());
    command.arg("--config-path").arg(config).args(["--disable-hot-restart", "--log-level", "error"]);
    Ok(command)
}

fn apache_title(installed: &Installed) -> Result<String, Failure> {
    let version = |package| {
        let version = installed.apt_version(package)?.unwrap_or_else(|| "of no package".to_owned());
        Ok::<_, Failure>(version.split('-').next().unwrap_or_default().to_owned())
    };
    Ok(format!(
        "Apache {}, mod_oauth2 {} on liboauth2 {}",
        version("apache2")?,
        version("libapache2-mod-oauth2")?,
        version("liboauth2-0")?
    ))
}

/// In namespaces of its own: in them the lab's authority is the one that the machine trusts, which is where mod_oauth2
/// looks, and its processes end with the one that was started.
fn apache(_: &Installed, drill: &Drill, site: &Site) -> Result<Command, Failure> {
    const TRUST_AND_RUN: &str =
        "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt && shift && exec \"$@\"";
    let template = include_str!("../../../deploy/drill/apache/oauth2.conf");
    let config = site.write("oauth2.conf", template, drill)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", TRUST_AND_RUN, "sh"]);
    command.arg(&site.authority).args(["apache2", "-DFOREGROUND", "-f"]).arg(config);
    if drill.issuers > 1 {
        command.args(["-D", "SECOND_ISSUER"]);
    }
    Ok(command)
}

impl Site {
    fn write(&self, name: &str, template: &str, drill: &Drill) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        let shown = |path: &Path| path.display().to_string();
        let values = [
            ("PORT", self.port.to_string()),
            ("LAB", (self.lab_port / 10).to_string()),
            ("CA", shown(&self.authority)),
            ("TTL", drill.ttl.to_string()),
            ("WORK", shown(&self.folder)),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        write_template(&path, template, &values)?;
        Ok(path)
    }
}
