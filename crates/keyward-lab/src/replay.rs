//! A recording that an issuer answers with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::exchange::{Exchange, Outcome, Recorded};
use crate::fault::Endpoint;

/// The longest recording that is read, in octets.
const LIMIT: u64 = 64 << 20;

/// A recording.
#[derive(Debug)]
pub(crate) struct Replay {
    exchanges: Vec<Exchange>,
}

/// What a provider said at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Replayed<'a> {
    Answer(&'a Recorded),
    Nothing,
}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It has no discovery document or no JWK Set.
    #[error("the recording has nothing of the {endpoint:?} endpoint")]
    Incomplete {
        /// What it lacks.
        endpoint: Endpoint,
    },
    /// A line is no exchange.
    #[error("line {line} of the recording is no exchange")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// It is longer than a recording is read.
    #[error("the recording is longer than {LIMIT} octets")]
    TooLong,
    /// The file cannot be read.
    #[error("the recording cannot be read")]
    Unreadable {
        /// Why.
        #[from]
        source: io::Error,
    },
}

impl Replay {
    pub(crate) fn read(path: &Path) -> Result<Self, ReplayError> {
        let mut text = String::new();
        let octets = File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)?;
        if u64::try_from(octets).is_ok_and(|octets| octets > LIMIT) {
            return Err(ReplayError::TooLong);
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, ReplayError> {
        let mut exchanges = Vec::new();
        for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let exchange: Exchange =
                serde_json::from_str(line).map_err(|source| ReplayError::Line { line: place + 1, source })?;
            exchanges.push(exchange);
        }
        exchanges.sort_by_key(|exchange| exchange.at_ms);
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
            if !exchanges.iter().any(|exchange| exchange.endpoint == endpoint) {
                return Err(ReplayError::Incomplete { endpoint });
            }
        }
        Ok(Self { exchanges })
    }

    /// The last thing that the provider had said by then, or the first that it said at all. None for an endpoint that
    /// is never recorded.
    pub(crate) fn at(&self, endpoint: Endpoint, elapsed: Duration) -> Option<Replayed<'_>> {
        let mut of_endpoint = self.exchanges.iter().filter(|exchange| exchange.endpoint == endpoint);
        let first = of_endpoint.clone().next()?;
        let by_then = |exchange: &&Exchange| u128::from(exchange.at_ms) <= elapsed.as_millis();
        let last = of_endpoint.rfind(by_then).unwrap_or(first);
        Some(match &last.outcome {
            Outcome::Answer(recorded) => Replayed::Answer(recorded),
            Outcome::Failure(_) => Replayed::Nothing,
        })
    }
}
