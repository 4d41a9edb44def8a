//! Two servers under load in turn, over and over.

use std::time::Duration;

use crate::Failure;
use crate::interleave::median;
use crate::load::Load;
use crate::server::Server;

/// How long each server has the load in a round.
const TURN: Duration = Duration::from_millis(400);

const ROUNDS: usize = 15;

/// What each round came to: requests a second and CPU seconds a request, of the peer and ours.
pub(crate) struct Turns {
    rounds: Vec<[Turn; 2]>,
}

#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    cpu: f64,
}

impl Turns {
    /// The peer's and ours, each with its requests round and round.
    pub(crate) fn take(sides: [(&Server, &[Vec<u8>]); 2]) -> Result<Self, Failure> {
        let [(peer, _), (ours, _)] = sides;
        let mut loads = [Load::connect(peer.address)?, Load::connect(ours.address)?];
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let mut turns = [Turn { rate: 0.0, cpu: 0.0 }; 2];
            for ((load, (server, requests)), turn) in loads.iter_mut().zip(sides).zip(&mut turns) {
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

    /// Our requests a second to the peer's.
    pub(crate) fn request_ratio(&self) -> f64 {
        median(self.rounds.iter().map(|[peer, ours]| ours.rate / peer.rate).collect())
    }

    /// Our CPU time to the peer's and `more` together.
    pub(crate) fn cpu_ratio(&self, more: f64) -> f64 {
        median(self.rounds.iter().map(|[peer, ours]| ours.cpu / (peer.cpu + more)).collect())
    }

    pub(crate) fn note(&self) -> String {
        let middle = |of: fn(&[Turn; 2]) -> f64| median(self.rounds.iter().map(of).collect());
        format!(
            "  ({:.0} to {:.0} requests/s, {:.1} to {:.1} µs of CPU)",
            middle(|[_, ours]| ours.rate),
            middle(|[peer, _]| peer.rate),
            middle(|[_, ours]| ours.cpu * 1e6),
            middle(|[peer, _]| peer.cpu * 1e6),
        )
    }
}
