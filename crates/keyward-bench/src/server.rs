//! Servers to be measured.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// A server in a process of its own, ended with this.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The floor.
    pub(crate) fn start_bare() -> Result<Self, Failure> {
        Self::start("bare-server")
    }

    /// The least that issuing costs.
    pub(crate) fn start_bare_issuer() -> Result<Self, Failure> {
        Self::start("bare-issuer")
    }

    /// A provider with an introspection endpoint.
    pub(crate) fn start_provider() -> Result<Self, Failure> {
        Self::start("provider")
    }

    fn start(command: &str) -> Result<Self, Failure> {
        let mut process =
            Command::new(std::env::current_exe()?).arg(command).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }

    /// The gateway, by the configuration that `config` makes for its two addresses, once it is ready.
    pub(crate) fn start_gateway(
        folder: &Path,
        config: impl FnOnce(SocketAddr, SocketAddr) -> String,
    ) -> Result<Self, Failure> {
        let [listen, admin] = [free_address()?, free_address()?];
        let path = folder.join("keyward.toml");
        fs::write(&path, config(listen, admin))?;
        let process =
            Command::new(std::env::current_exe()?).arg("gateway").arg(&path).stderr(Stdio::null()).spawn()?;
        let server = Self { process, address: listen };
        server.wait_until_ready(admin)?;
        Ok(server)
    }

    fn wait_until_ready(&self, admin: SocketAddr) -> Result<(), Failure> {
        use std::io::{Read, Write};
        for _ in 0..200 {
            if let Ok(mut stream) = std::net::TcpStream::connect(admin) {
                let mut answer = String::new();
                stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
                stream.read_to_string(&mut answer)?;
                if answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200") {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the gateway did not become ready".into())
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        cpu_seconds(self.process())
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The CPU time of all of a process's threads so far.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    let mut nanoseconds = 0_u64;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            // It ended meanwhile.
            continue;
        };
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// An address on which nobody listens.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
