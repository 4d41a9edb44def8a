//! Two gateways that remember used proofs in one Redis, which is killed and comes back.

use std::cell::RefCell;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::case::{Bench, Case};
use super::certificates::write_private;
use super::dpop_cases::{answers_of, configuration};
use super::error::Error;
use super::gateway::{Clock, Gateway, Ready};
use super::issuers::OidcProvider;
use super::outcome::Outcome;
use super::process::{Daemon, free_port};
use super::workshop::Workshop;

/// What the gateways are called by clients.
const SERVICE: &str = "http://service.example";

/// As the user of the gateways, who may set what they set, and nothing else.
const SETTINGS: &str = "bind 127.0.0.1\nport @PORT@\nsave \"\"\nappendonly no\nmaxmemory 64mb\n\
                        maxmemory-policy noeviction\nuser default off\n\
                        user keyward on >interop-secret ~keyward:proof:* +set +get\n";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// An issuer, a Redis, and two gateways that share it.
pub(crate) struct SharedProofsBench<'a> {
    workshop: &'a Workshop,
    issuer: OidcProvider,
    port: u16,
    redis: RefCell<Option<Daemon>>,
    gateways: [Gateway; 2],
}

/// A row for each memory that is shared.
pub(crate) type SharedProofsCase = Case<SharedProofsBench<'static>>;

/// In the order that they run in.
pub(crate) const SHARED_PROOFS_CASES: [SharedProofsCase; 4] = [
    SharedProofsCase { name: "replayed-elsewhere", target: "200, then 401 proof_replayed", run: shared },
    SharedProofsCase { name: "down", target: "503 proof_memory_unavailable", run: down },
    SharedProofsCase { name: "down-local", target: "200 at each, then 401 proof_replayed", run: local },
    SharedProofsCase { name: "back", target: "200, then 401 proof_replayed; both told", run: back },
];

impl<'a> SharedProofsBench<'a> {
    /// Starts all of it.
    pub(crate) fn start(workshop: &'a Workshop) -> Result<Self, Error> {
        let (issuer, port) = (OidcProvider::start(workshop)?, free_port()?);
        let redis = start_redis(workshop, port)?;
        let gateways = start_gateways(workshop, &issuer, port, "refuse")?;
        Ok(Self { workshop, issuer, port, redis: RefCell::new(Some(redis)), gateways })
    }

    fn bring_up(&self) -> Result<(), Error> {
        let mut redis = self.redis.borrow_mut();
        if redis.is_none() {
            *redis = Some(start_redis(self.workshop, self.port)?);
        }
        Ok(())
    }

    /// Killed, as a machine is that loses its power.
    fn kill(&self) {
        drop(self.redis.borrow_mut().take());
    }

    fn ask(&self, gateways: &[Gateway; 2], wanted: [&str; 3]) -> Result<Outcome, Error> {
        let [first, second] =
            gateways.each_ref().map(|gateway| format!("http://127.0.0.1:{}", gateway.port()));
        let [once, elsewhere, again] = wanted;
        let wanted = [("first", once), ("elsewhere", elsewhere), ("again", again)];
        answers_of(self.workshop, &self.issuer, &[SERVICE, "shared", &first, &second], &wanted)
    }
}

impl Bench for SharedProofsBench<'_> {
    type On<'a> = SharedProofsBench<'a>;

    fn log_tail(&self) -> String {
        self.gateways.iter().map(Gateway::log_tail).collect()
    }
}

const REPLAYED: &str = "401, proof_replayed, DPoP invalid_dpop_proof";

fn shared(bench: &SharedProofsBench<'_>) -> Result<Outcome, Error> {
    bench.bring_up()?;
    bench.ask(&bench.gateways, ["200", REPLAYED, REPLAYED])
}

/// Nobody is told that his proof was used, however often he shows it.
fn down(bench: &SharedProofsBench<'_>) -> Result<Outcome, Error> {
    bench.kill();
    bench.ask(&bench.gateways, ["503, proof_memory_unavailable"; 3])
}

/// Each goes by what it remembers itself.
fn local(bench: &SharedProofsBench<'_>) -> Result<Outcome, Error> {
    bench.kill();
    let gateways = start_gateways(bench.workshop, &bench.issuer, bench.port, "local")?;
    bench.ask(&gateways, ["200", "200", REPLAYED])
}

fn back(bench: &SharedProofsBench<'_>) -> Result<Outcome, Error> {
    bench.kill();
    bench.ask(&bench.gateways, ["503, proof_memory_unavailable"; 3])?;
    bench.bring_up()?;
    let outcome = bench.ask(&bench.gateways, ["200", REPLAYED, REPLAYED])?;
    let told = |gateway: &Gateway| {
        ["proof_memory_failed", "proof_memory_recovered"].map(|event| gateway.events(event).len())
    };
    let told = bench.gateways.each_ref().map(told);
    if told.iter().flatten().all(|lines| *lines > 0) {
        return Ok(outcome);
    }
    Ok(Outcome { measured: format!("failed and recovered told {told:?} times"), passed: false })
}

fn start_redis(workshop: &Workshop, port: u16) -> Result<Daemon, Error> {
    let folder = workshop.subfolder(&format!("redis-{port}"))?;
    let config = folder.join("redis.conf");
    write_private(&config, &SETTINGS.replace("@PORT@", &port.to_string()))?;
    let redis = Daemon::start("redis", Command::new("redis-server").arg(&config), &folder)?;
    let steps = PATIENCE.as_millis() / 50;
    for _ in 0..steps {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(redis);
        }
        thread::sleep(Duration::from_millis(50));
    }
    let (name, last, seconds) = ("redis".to_owned(), "no connection".to_owned(), PATIENCE.as_secs());
    Err(Error::NotReady { name, seconds, last, log: redis.log_tail() })
}

fn start_gateways(
    workshop: &Workshop,
    issuer: &OidcProvider,
    port: u16,
    when_down: &str,
) -> Result<[Gateway; 2], Error> {
    let folder = workshop.subfolder(&format!("shared-proofs-{when_down}"))?;
    let (secret, url) = (folder.join("secret"), folder.join("redis-url"));
    write_private(&secret, "thirty-two characters of a secret\n")?;
    write_private(&url, &format!("redis://keyward:interop-secret@127.0.0.1:{port}/\n"))?;
    let dpop = format!(
        "secret_file = {secret:?}\nshared_memory = {{ redis_url_file = {url:?}, when_down = {when_down:?} }}"
    );
    let config = configuration(issuer, SERVICE, &dpop, "");
    let start = |name: &str| {
        let name = format!("shared-proofs-{when_down}-{name}");
        Gateway::start(workshop, &name, &config, Clock::Real, Ready::WithKeys)
    };
    Ok([start("first")?, start("second")?])
}
