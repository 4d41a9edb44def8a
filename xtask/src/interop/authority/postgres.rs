//! PostgreSQL, as Debian has it, with a cluster of its own that goes with it.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::interop::error::Error;
use crate::interop::process::{Daemon, free_port, run};

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// The user that the package makes. The server refuses to run as root.
const USER: &str = "postgres";

/// A server on loopback that trusts whoever comes.
#[derive(Debug)]
pub(crate) struct Postgres {
    port: u16,
    // Ended before its folder goes.
    daemon: Daemon,
    _folder: TempDir,
}

impl Postgres {
    /// Makes a cluster and waits until it answers.
    pub(crate) fn start() -> Result<Self, Error> {
        let folder = TempDir::new().map_err(Error::io("create a temporary folder"))?;
        let owner = Owner::find()?;
        owner.take(folder.path())?;
        let data = folder.path().join("data");
        let mut initdb = owner.command("initdb");
        run(initdb
            .args(["--auth=trust", "--encoding=UTF8", "--no-sync", "--username", USER, "-D"])
            .arg(&data))?;
        let port = free_port()?;
        let mut postgres = owner.command("postgres");
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        // A cluster that goes with its folder need not outlive the machine.
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=300"]
        {
            postgres.args(["-c", setting]);
        }
        let mut daemon = Daemon::start("postgres", &postgres, folder.path())?;
        daemon.wait_until_true("pg_isready", || {
            let mut asked = Command::new(program("pg_isready"));
            run(asked.args(["--quiet", "-h", "127.0.0.1", "-U", USER, "-p", &port.to_string()])).is_ok()
        })?;
        Ok(Self { port, daemon, _folder: folder })
    }

    /// The address of a database.
    pub(crate) fn address(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// An empty database.
    pub(crate) fn create(&self, database: &str) -> Result<String, Error> {
        let mut psql = Command::new(program("psql"));
        run(psql
            .args(["--quiet", "--command", &format!("CREATE DATABASE {database}")])
            .arg(self.address(USER)))?;
        Ok(self.address(database))
    }

    /// What it wrote last.
    pub(crate) fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }
}

/// Whom the cluster belongs to.
enum Owner {
    /// Us.
    Ourselves,
    /// The package's user, since we are root.
    Package { uid: u32, gid: u32 },
}

impl Owner {
    fn find() -> Result<Self, Error> {
        if id(&["-u"])? != 0 {
            return Ok(Self::Ourselves);
        }
        Ok(Self::Package { uid: id(&["-u", USER])?, gid: id(&["-g", USER])? })
    }

    fn take(&self, folder: &Path) -> Result<(), Error> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Package { uid, gid } => chown(folder, Some(*uid), Some(*gid))
                .map_err(Error::io(format!("give {} to {USER}", folder.display()))),
        }
    }

    /// One of PostgreSQL's programs, as this user. A change of user takes away the signal at its parent's death, so it is
    /// asked for once more.
    fn command(&self, name: &str) -> Command {
        match self {
            Self::Ourselves => Command::new(program(name)),
            Self::Package { uid, gid } => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", "--"]);
                command.args(["setpriv", "--pdeathsig", "KILL", "--"]).arg(program(name));
                command.current_dir("/");
                command
            }
        }
    }
}

fn id(arguments: &[&str]) -> Result<u32, Error> {
    let printed = run(Command::new("id").args(arguments))?;
    printed.trim().parse().map_err(|_| Error::MissingField { what: "ask who we are", field: "id" })
}

fn program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}
