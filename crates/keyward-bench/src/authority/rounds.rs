//! Any number of servers under load in turn, over and over.

use std::net::SocketAddr;
use std::time::Duration;

use super::site::Place;
use crate::Failure;
use crate::interleave::median;
use crate::load::{Connection, Load};
use crate::server::{Server, cpu_seconds};

/// How long each server has the load in a round.
const TURN: Duration = Duration::from_millis(300);

const ROUNDS: usize = 12;

/// What the floor is called.
pub(super) const FLOOR: &str = "floor";

/// What the issuer is called that does nothing but sign.
pub(super) const BARE_ISSUER: &str = "bare-issuer";

/// A server, and its requests, which go round where there is one and count once where there are many.
pub(super) struct Side {
    name: String,
    address: SocketAddr,
    process: u32,
    requests: Vec<Vec<u8>>,
    used: usize,
}

/// What each round came to, one turn a side.
pub(super) struct Rounds {
    names: Vec<String>,
    rounds: Vec<Vec<Turn>>,
}

/// Requests a second and CPU seconds a request.
#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    cpu: f64,
}

impl Side {
    pub(super) fn new(place: &Place, requests: Vec<Vec<u8>>) -> Result<Self, Failure> {
        let (name, address) = (place.name.clone(), place.address()?);
        Ok(Self { name, address, process: place.process, requests, used: 0 })
    }

    /// One of our own that answers everything.
    pub(super) fn bare(name: &str, server: &Server, request: Vec<u8>) -> Self {
        let (address, process) = (server.address, server.process());
        Self { name: name.to_owned(), address, process, requests: vec![request], used: 0 }
    }

    fn turn(&mut self) -> Result<Turn, Failure> {
        if let [request] = self.requests.as_slice() {
            // A secret that was right is remembered for a while only: one request by itself is the one that pays for that.
            let mut connection = Connection::open(self.address)?;
            connection.send(request)?;
            connection.receive()?;
        }
        // Some servers close connections that wait for their next turn.
        let mut load = Load::connect(self.address)?;
        let left = if self.requests.len() == 1 { 0 } else { self.used };
        let requests = self.requests.get(left..).filter(|left| !left.is_empty());
        let requests = requests.ok_or_else(|| format!("no more requests for {}", self.name))?;
        let before = cpu_seconds(self.process)?;
        let count = load.run(requests, TURN).map_err(|cause| format!("{}: {cause}", self.name))?;
        let cpu = cpu_seconds(self.process)? - before;
        self.used += load.sent();
        let requests = count.requests as f64;
        Ok(Turn { rate: requests / count.took.as_secs_f64(), cpu: cpu / requests })
    }
}

impl Rounds {
    pub(super) fn take(sides: &mut [Side]) -> Result<Self, Failure> {
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let turns = sides.iter_mut().map(Side::turn).collect::<Result<Vec<_>, _>>()?;
            // The first one warms up.
            if round > 0 {
                rounds.push(turns);
            }
        }
        Ok(Self { names: sides.iter().map(|side| side.name.clone()).collect(), rounds })
    }

    /// The requests a second of one to those of another, and what both came to.
    pub(super) fn ratio(&self, of: &str, to: &str) -> (f64, String) {
        let (of, to) = (self.turns(of), self.turns(to));
        let ratio = median(of.iter().zip(&to).map(|(of, to)| of.rate / to.rate).collect());
        let middle = |turns: &[Turn], what: fn(&Turn) -> f64| median(turns.iter().map(what).collect());
        let note = format!(
            "  ({:.0} to {:.0} requests/s, {:.1} to {:.1} µs of CPU)",
            middle(&of, |turn| turn.rate),
            middle(&to, |turn| turn.rate),
            middle(&of, |turn| turn.cpu * 1e6),
            middle(&to, |turn| turn.cpu * 1e6),
        );
        (ratio, note)
    }

    /// The CPU time of a request, in microseconds.
    pub(super) fn cpu_micros(&self, of: &str) -> f64 {
        median(self.turns(of).iter().map(|turn| turn.cpu * 1e6).collect())
    }

    fn turns(&self, name: &str) -> Vec<Turn> {
        let place = self.names.iter().position(|other| other == name);
        let turn = |turns: &Vec<Turn>| place.and_then(|place| turns.get(place)).copied();
        self.rounds.iter().filter_map(turn).collect()
    }
}
