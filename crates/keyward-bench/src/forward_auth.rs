//! A forward-auth request over loopback, against a bare hyper server that answers 204.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyward_jose::{Algorithm, LocalSigner};

use crate::interleave::{Timed, median};
use crate::load::Load;
use crate::row::Rows;
use crate::verify::Bare;
use crate::{Failure, sample};

/// How long each server has the load in a round.
const TURN: Duration = Duration::from_millis(400);

const ROUNDS: usize = 15;

/// Enough that a token is forgotten long before it comes round again: see [`config`].
const UNSEEN_TOKENS: u32 = 6000;

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let signer = sample::signer(Algorithm::Rs256)?;
    fs::write(folder.path().join("keys.json"), sample::jwk_set(&signer)?)?;

    let seen = vec![request(&sample::token(&signer, 0)?)];
    let bare = Server::start_bare()?;
    let gateway = Server::start_gateway(folder.path(), 32 * 1024 * 1024)?;
    let turns = Turns::take(&bare, &gateway, &seen)?;
    rows.at_least("forward-auth-seen-requests", turns.request_ratio(), 0.9, &turns.note());
    rows.told("forward-auth-seen-cpu", format!("{:.3}", turns.cpu_ratio(0.0)));
    drop(gateway);

    let unseen = (0..UNSEEN_TOKENS)
        .map(|number| Ok(request(&sample::token(&signer, number)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let gateway = Server::start_gateway(folder.path(), 1024 * 1024)?;
    let check = bare_check_seconds(&signer)?;
    let turns = Turns::take(&bare, &gateway, &unseen)?;
    rows.at_most("forward-auth-unseen-cpu", turns.cpu_ratio(check), 1.3, &turns.note());
    Ok(())
}

/// What Traefik sends, with the token in it.
fn request(token: &str) -> Vec<u8> {
    format!(
        "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n\
         X-Forwarded-Uri: /api/orders?page=2\r\nX-Forwarded-For: 192.0.2.7\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

fn bare_check_seconds(signer: &LocalSigner) -> Result<f64, Failure> {
    let bare = Bare::new(Algorithm::Rs256, &sample::token(signer, 0)?, signer)?;
    let timed = Timed::run(&mut [&mut || {
        std::hint::black_box(bare.holds());
    }]);
    Ok(timed.micros(0) / 1e6)
}

/// What each round came to: requests a second and CPU seconds a request, of the bare server and ours.
struct Turns {
    rounds: Vec<[Turn; 2]>,
}

#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    cpu: f64,
}

impl Turns {
    fn take(bare: &Server, gateway: &Server, requests: &[Vec<u8>]) -> Result<Self, Failure> {
        let mut loads = [Load::connect(bare.address)?, Load::connect(gateway.address)?];
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let mut turns = [Turn { rate: 0.0, cpu: 0.0 }; 2];
            for ((load, server), turn) in loads.iter_mut().zip([bare, gateway]).zip(&mut turns) {
                let before = server.cpu_seconds()?;
                let count = load.run(requests, TURN)?;
                turn.rate = count.requests as f64 / count.took.as_secs_f64();
                turn.cpu = (server.cpu_seconds()? - before) / count.requests as f64;
            }
            // The first one warms up.
            if round > 0 {
                rounds.push(turns);
            }
        }
        Ok(Self { rounds })
    }

    fn request_ratio(&self) -> f64 {
        median(self.rounds.iter().map(|[bare, ours]| ours.rate / bare.rate).collect())
    }

    /// Our CPU time to the bare server's and `more` together.
    fn cpu_ratio(&self, more: f64) -> f64 {
        median(self.rounds.iter().map(|[bare, ours]| ours.cpu / (bare.cpu + more)).collect())
    }

    fn note(&self) -> String {
        let middle = |of: fn(&[Turn; 2]) -> f64| median(self.rounds.iter().map(of).collect());
        format!(
            "  ({:.0} to {:.0} requests/s, {:.1} to {:.1} µs of CPU)",
            middle(|[_, ours]| ours.rate),
            middle(|[bare, _]| bare.rate),
            middle(|[_, ours]| ours.cpu * 1e6),
            middle(|[bare, _]| bare.cpu * 1e6),
        )
    }
}

/// A server in a process of its own, ended with this.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start_bare() -> Result<Self, Failure> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("bare-server").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }

    fn start_gateway(folder: &Path, cache_octets: u64) -> Result<Self, Failure> {
        let [listen, admin] = [free_address()?, free_address()?];
        let path = folder.join("keyward.toml");
        fs::write(&path, config(listen, admin, cache_octets))?;
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
    fn cpu_seconds(&self) -> Result<f64, Failure> {
        let mut nanoseconds = 0_u64;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// As it would be configured: a route that tells the service who is calling.
pub(crate) fn config(listen: SocketAddr, admin: SocketAddr, cache_octets: u64) -> String {
    format!(
        r#"
        [gateway]
        listen = "{listen}"
        admin_listen = "{admin}"
        [verdict_cache]
        octets = {cache_octets}
        [[issuer]]
        name = "main"
        issuer = "{issuer}"
        jwks_file = "keys.json"
        audiences = ["{audience}"]
        [[route]]
        hosts = ["app.example"]
        paths = ["/api/"]
        scopes = ["orders:read"]
        [route.headers]
        "X-Auth-Subject" = "/sub"
        "#,
        issuer = sample::ISSUER,
        audience = sample::AUDIENCE,
    )
}
