//! Servers as child processes: started, waited for, ended.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;

use super::error::Error;

/// How long a server may take until it answers. The slowest here needs two seconds on a quiet machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How much of a log an error shows.
const LOG_TAIL_LINES: usize = 20;

/// A server that runs until this is dropped.
///
/// It also ends when this process does, however that comes about (Ctrl-C, a panic, SIGKILL): the
/// kernel sends it a signal at its parent's death, which `setpriv` from util-linux asks for. The parent is
/// the thread that starts it, so start servers from the main thread only.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` with its output in `<folder>/<name>.log`.
    pub(crate) fn start(name: &str, command: &Command, folder: &Path) -> Result<Self, Error> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).map_err(Error::io(format!("create {}", log.display())))?;
        let errors = output.try_clone().map_err(Error::io("share a log file"))?;
        let child = ending_with_us(command)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Error::io(format!("start {name}")))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The process, which `setpriv` became.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a GET of `url` answers `status`.
    pub(crate) fn wait_until(&mut self, client: &Client, url: &str, status: u16) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let last = match client.get(url).send() {
                Ok(answer) if answer.status().as_u16() == status => return Ok(()),
                Ok(answer) => format!("{url} answers {}", answer.status()),
                Err(error) => error.to_string(),
            };
            if let Some(status) = self.child.try_wait().map_err(Error::io("look at a child process"))? {
                return Err(Error::Exited { name: self.name.clone(), status, log: self.log_tail() });
            }
            if started.elapsed() > READY_WITHIN {
                let seconds = READY_WITHIN.as_secs();
                return Err(Error::NotReady { name: self.name.clone(), seconds, last, log: self.log_tail() });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until `is_ready`, where the server speaks no HTTP; `probe` names what asks.
    pub(crate) fn wait_until_true(
        &mut self,
        probe: &str,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let started = Instant::now();
        while !is_ready() {
            if let Some(status) = self.child.try_wait().map_err(Error::io("look at a child process"))? {
                return Err(Error::Exited { name: self.name.clone(), status, log: self.log_tail() });
            }
            if started.elapsed() > READY_WITHIN {
                let (name, seconds) = (self.name.clone(), READY_WITHIN.as_secs());
                let last = format!("{probe} says that it is not");
                return Err(Error::NotReady { name, seconds, last, log: self.log_tail() });
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// All that the server wrote so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of it.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_TAIL_LINES);
        lines.into_iter().skip(skipped).map(|line| format!("  {}| {line}\n", self.name)).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only where the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command, ended by the kernel when the thread that starts it ends.
pub(crate) fn ending_with_us(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(key, value),
            None => bound.env_remove(key),
        };
    }
    bound
}

/// A port on loopback that nobody listens on just now.
pub(crate) fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("read a socket's address"))?.port())
}

/// Runs a command to its end; its standard output, or an error with what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("run {}", command.get_program().to_string_lossy())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Command { command: shown, status: output.status, output: text })
}
