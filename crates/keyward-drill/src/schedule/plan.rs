//! One schedule: who there is, what happens and when, and who asks what.

use std::fmt;

use keyward_lab::command::Command;
use keyward_lab::time::Time;
use keyward_lab::token::{Kid, Signature, TokenPlan};

use crate::drill::GatewayStep;

/// Milliseconds since a schedule began.
pub type Millis = i64;

/// A random schedule. The same seed is the same schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What it was made from.
    pub seed: u64,
    /// When it ends.
    pub ends: Millis,
    /// Whether the verifier keeps its keys on the disk.
    pub snapshots: bool,
    /// The issuers, each with the one key `NAME-1` at the beginning.
    pub issuers: Vec<PlannedIssuer>,
    /// What happens, in order. No two steps come at the same time; requests may.
    pub events: Vec<(Millis, Event)>,
}

/// An issuer, and how its keys are kept.
#[derive(Clone, Debug)]
pub struct PlannedIssuer {
    /// Its name.
    pub name: String,
    /// How long a set of it is fresh where it says nothing else.
    pub ttl: Millis,
    /// `Cache-Control: max-age` of its JWK Set, in seconds.
    pub max_age: Option<i64>,
    /// How long a set of it may verify.
    pub stale_limit: Millis,
    /// For one fetch.
    pub timeout: Millis,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request.
    Ask(Ask),
    /// Something is done to the verifier.
    Gateway(GatewayStep),
    /// A provider is told something.
    Provider(Box<Command>),
}

/// A request with a token. It has a number: how many came before it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The place of the token's issuer.
    pub issuer: usize,
    /// Its token.
    pub token: Token,
}

/// Where a request's token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// It is that of the request with this number.
    Again(usize),
    /// It is made for this request.
    New(Mint),
}

/// How a token is made.
#[derive(Clone, Debug)]
pub struct Mint {
    /// The key that signs it, or that it pretends to be signed by.
    pub key: String,
    /// What it is worth.
    pub worth: Worth,
    /// How long it is valid.
    pub lifetime: Millis,
}

/// What a token is worth.
#[derive(Clone, Debug)]
pub enum Worth {
    /// It names its key, and the signature is not that key's.
    Forged(Signature),
    /// It is as it should be.
    Good,
    /// It names a key that may come some day, and is signed by a stranger.
    Guessed(String),
    /// It is signed by its key and has no `kid`.
    Nameless,
    /// It names a key that nobody has.
    Stray,
}

impl Mint {
    pub(super) fn plan(&self) -> TokenPlan {
        let (kid, signature) = match &self.worth {
            Worth::Forged(signature) => (Kid::Own, *signature),
            Worth::Good => (Kid::Own, Signature::Good),
            Worth::Guessed(kid) => (Kid::Given(kid.clone()), Signature::OtherKey),
            Worth::Nameless => (Kid::Absent, Signature::Good),
            Worth::Stray => (Kid::Random, Signature::Good),
        };
        let lifetime = Some(Time(super::duration(self.lifetime)));
        TokenPlan { key: Some(self.key.clone()), kid, signature, lifetime, ..TokenPlan::default() }
    }
}

impl Schedule {
    /// The requests and when they come, by their numbers.
    pub fn asks(&self) -> impl Iterator<Item = (Millis, &Ask)> {
        self.events.iter().filter_map(|(at, event)| match event {
            Event::Ask(ask) => Some((*at, ask)),
            Event::Gateway(_) | Event::Provider(_) => None,
        })
    }

    /// The name of the issuer at this place.
    pub fn issuer_name(&self, place: usize) -> &str {
        self.issuers.get(place).map_or("", |issuer| &issuer.name)
    }
}

impl fmt::Display for Schedule {
    /// Who there is; [`Ran`](super::Ran) has what happens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshots = if self.snapshots { "with" } else { "without" };
        writeln!(f, "seed {}: {} min {snapshots} snapshots", self.seed, self.ends / 60_000)?;
        for PlannedIssuer { name, ttl, max_age, stale_limit, timeout } in &self.issuers {
            let max_age = max_age.map_or_else(String::new, |seconds| format!(", max-age {seconds} s"));
            let [ttl, stale_limit] = [ttl, stale_limit].map(|time| time / 1000);
            writeln!(
                f,
                "issuer {name}: ttl {ttl} s{max_age}, stale limit {stale_limit} s, timeout {timeout} ms"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(ask) => ask.fmt(f),
            Self::Gateway(GatewayStep::Credential(state)) => write!(f, "verifier: credential {state:?}"),
            Self::Gateway(GatewayStep::Forget(subject)) => write!(f, "verifier: forget {subject}"),
            Self::Gateway(GatewayStep::Deny(kids)) => write!(f, "verifier: deny [{}]", kids.join(", ")),
            Self::Gateway(GatewayStep::Kill) => f.write_str("verifier: kill"),
            Self::Gateway(GatewayStep::Restart) => f.write_str("verifier: restart"),
            Self::Gateway(GatewayStep::Snapshot(damage)) => {
                write!(f, "verifier: damage snapshots ({damage:?})")
            }
            Self::Gateway(GatewayStep::Start) => f.write_str("verifier: start"),
            Self::Provider(command) => {
                let command = serde_json::to_string(command).map_err(|_| fmt::Error)?;
                // As every key is.
                let command = command.replace(r#","algorithm":"ES256","nameless":false"#, "");
                write!(f, "provider: {}", command.replace('"', "").replace(',', ", ").replace(':', ": "))
            }
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            Token::Again(number) => write!(f, "the token of #{number}"),
            Token::New(Mint { key, worth, lifetime }) => {
                match worth {
                    Worth::Forged(signature) => write!(f, "a token forged for {key} ({signature:?})"),
                    Worth::Good => write!(f, "a good token of {key}"),
                    Worth::Guessed(kid) => write!(f, "a stranger's token that names {kid}"),
                    Worth::Nameless => write!(f, "a good token of {key} without kid"),
                    Worth::Stray => write!(f, "a token of {key} that names a random kid"),
                }?;
                write!(f, " for {} s", lifetime / 1000)
            }
        }
    }
}
