//! The authority under test: one node on SQLite, or two that share a PostgreSQL, and the realm that clients go to.

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::front::Front;
use super::postgres::Postgres;
use super::realm::Realm;
use crate::interop::certificates::write_private;
use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port, run};
use crate::interop::workshop::Workshop;

/// What the authority keeps everything in.
#[derive(Clone, Copy)]
pub(super) enum Engine<'a> {
    /// A file, and one node.
    Sqlite,
    /// Two nodes, and what is in front of them.
    Postgres(&'a Postgres),
    /// A file, and one node that asks its clients for certificates: `server.pem`, `server.key` and `ca.pem` are in this folder.
    Tls(&'a Path),
}

/// What time it is at the nodes, and at those of their clients that are to have the same.
#[derive(Debug)]
pub(super) struct Time {
    file: PathBuf,
    library: PathBuf,
    /// By how many seconds it is behind the machine's.
    behind: Cell<i64>,
}

/// The authority, running.
pub(super) struct Nodes {
    keyward: PathBuf,
    origin: String,
    key_file: PathBuf,
    ca_file: Option<PathBuf>,
    time: Option<Time>,
    ports: Vec<u16>,
    nodes: Vec<Daemon>,
    _front: Option<Front>,
}

impl Nodes {
    /// Makes the storage, the first administrator and the realm, and starts the nodes; with `behind`, that many seconds behind
    /// the machine's clock.
    pub(super) fn start(
        workshop: &Workshop,
        name: &str,
        engine: Engine<'_>,
        realm: &Realm,
        behind: Option<i64>,
    ) -> Result<Self, Error> {
        let folder = workshop.subfolder(name)?;
        let front = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("listen in front of the nodes"))?;
        let front_port = front.local_addr().map_err(Error::io("read a socket's address"))?.port();
        let (address, ports, origin_port) = match engine {
            Engine::Sqlite | Engine::Tls(_) => {
                let port = free_port()?;
                ("sqlite:authority.db".to_owned(), vec![port], port)
            }
            Engine::Postgres(postgres) => {
                let database = name.replace('-', "_");
                (postgres.create(&database)?, vec![free_port()?, free_port()?], front_port)
            }
        };
        let time = behind.map(|seconds| Time::begin(workshop, &folder, seconds)).transpose()?;
        let (scheme, tls) = match engine {
            Engine::Tls(folder) => ("https", Some(folder)),
            _ => ("http", None),
        };
        let origin = format!("{scheme}://127.0.0.1:{origin_port}");
        write_private(&folder.join("master-key"), &"0f".repeat(32))?;
        let mut started = Self {
            keyward: workshop.keyward.clone(),
            origin,
            key_file: folder.join("administrator.json"),
            ca_file: tls.map(|folder| folder.join("ca.pem")),
            time,
            ports: ports.clone(),
            nodes: Vec::new(),
            _front: None,
        };
        for (number, port) in ports.iter().enumerate() {
            let config = folder.join(format!("authority-{number}.toml"));
            let admin_port = free_port()?;
            write_private(&config, &configuration(&started.origin, *port, admin_port, &address, tls))?;
            if number == 0 {
                started.furnish(&folder, &config, realm)?;
            }
            let mut command = started.command(&["serve"]);
            command.arg("--config").arg(&config);
            let mut node = Daemon::start(&format!("{name}-{number}"), &command, &folder)?;
            node.wait_until(&workshop.http, &format!("http://127.0.0.1:{admin_port}/readyz"), 200)?;
            started.nodes.push(node);
        }
        if ports.len() > 1 {
            started._front = Some(Front::start(front, ports)?);
        }
        Ok(started)
    }

    /// The first administrator, then the realm: at the storage itself, while no node serves.
    fn furnish(&self, folder: &Path, config: &Path, realm: &Realm) -> Result<(), Error> {
        let bootstrap = folder.join("bootstrap.toml");
        write_private(&bootstrap, "key_file = \"administrator.json\"\n")?;
        run(self.command(&["bootstrap", "--config"]).arg(config).arg(bootstrap))?;
        let file = folder.join("realm.toml");
        let text = realm.file()?;
        fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
        run(self.command(&["apply", "--yes", "--config"]).arg(config).arg("--file").arg(file)).map(drop)
    }

    /// `keyward authority …`, at the time that the nodes have.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.keyward);
        command.arg("authority").args(arguments);
        if let Some(time) = &self.time {
            time.show(&mut command);
        }
        command
    }

    /// An administrator's command over the API; what it prints.
    pub(super) fn administer(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = self.command(arguments);
        command
            .args(["--server", &self.origin, "--realm", super::realm::NAME, "--key-file"])
            .arg(&self.key_file);
        if let Some(file) = &self.ca_file {
            command.arg("--ca-file").arg(file);
        }
        Ok(run(&mut command)?.trim().to_owned())
    }

    /// Where it is.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The first administrator's.
    pub(super) fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// The realm's issuer.
    pub(super) fn issuer(&self) -> String {
        format!("{}/realms/{}", self.origin, super::realm::NAME)
    }

    /// What the nodes' clock says, where it is not the machine's.
    pub(super) fn time(&self) -> Option<&Time> {
        self.time.as_ref()
    }

    /// One of them by itself: where it listens, and its process.
    pub(super) fn first(&self) -> Option<(u16, u32)> {
        self.ports.first().copied().zip(self.nodes.first().map(Daemon::process))
    }

    /// What the nodes wrote last.
    pub(super) fn log_tail(&self) -> String {
        self.nodes.iter().map(Daemon::log_tail).collect()
    }
}

impl Time {
    fn begin(workshop: &Workshop, folder: &Path, behind: i64) -> Result<Self, Error> {
        let library = workshop.installed.faketime();
        let time = Self { file: folder.join("time"), library, behind: Cell::new(behind) };
        time.pass(0).map(|()| time)
    }

    /// So many seconds pass, at once.
    pub(super) fn pass(&self, seconds: i64) -> Result<(), Error> {
        self.behind.set(self.behind.get() - seconds);
        let written = self.file.with_extension("new");
        let text = format!("{:+}s\n", -self.behind.get());
        fs::write(&written, text).map_err(Error::io(format!("write {}", written.display())))?;
        // Whoever reads it just then reads one of both.
        fs::rename(&written, &self.file).map_err(Error::io("set the time"))
    }

    /// Where it is written, and by how many seconds it is behind the machine's.
    pub(super) fn told(&self) -> (&Path, i64) {
        (&self.file, self.behind.get())
    }

    /// Shows it to a program.
    pub(super) fn show(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.env("FAKETIME_NO_CACHE", "1");
        // Waiting goes by the monotonic clock, which the kernel does not fake.
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

fn configuration(origin: &str, port: u16, admin_port: u16, address: &str, tls: Option<&Path>) -> String {
    let tls = tls.map_or_else(String::new, |folder| {
        let file = |name: &str| folder.join(name);
        format!(
            "[authority.tls]\ncertificate_file = {:?}\nkey_file = {:?}\nclient_certificate = \"optional\"\n\
             client_ca_files = [{:?}]\n\n",
            file("server.pem"),
            file("server.key"),
            file("ca.pem"),
        )
    });
    // schemathesis fails a thousand times from one address, with one token.
    format!(
        "[authority]\norigin = {origin:?}\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\n\
         [authority.limits]\nfailures_per_client = 1000000\nfailures_per_address = 1000000\n\n\
         {tls}[storage]\naddress = {address:?}\n\n[key_store]\nmaster_key_file = \"master-key\"\n"
    )
}
