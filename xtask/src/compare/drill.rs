//! What has to be known of a drill before it is run against another gateway.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::{Failure, command};

/// The key set TTL of a gateway that is told none: Keyward's default, in seconds.
const DEFAULT_TTL: u64 = 300;

/// A drill.
#[derive(Debug)]
pub(super) struct Drill {
    /// Such as `outage-hang`.
    pub(super) name: String,
    /// For how long a key set is fresh in it, in seconds.
    pub(super) ttl: u64,
    /// How many issuers it has.
    pub(super) issuers: usize,
    /// Whether it is about TLS, processes, load or memory, so that nothing else should run meanwhile.
    pub(super) wants_the_machine: bool,
    /// Whether the gateway asks an introspection endpoint in it.
    pub(super) introspects: bool,
}

/// A line of `keyward drill list --json`.
#[derive(Deserialize)]
struct Listed {
    name: String,
    /// What is under drill where it decides on no tokens, so that there is nothing to compare.
    subject: Option<String>,
}

/// Of a drill's file, what matters here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    gateway: Gateway,
    #[serde(default)]
    provider: toml::Table,
    #[serde(default)]
    runs: String,
}

#[derive(Default, Deserialize)]
struct Gateway {
    ttl: Option<String>,
    introspection: Option<toml::Value>,
}

impl Drill {
    /// Every one that comes along, in the order in which they run.
    pub(super) fn all(keyward: &Path) -> Result<Vec<Self>, Failure> {
        let list = command::output(Command::new(keyward).args(["drill", "list", "--json"]))?;
        let listed: Vec<Listed> = list.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        listed
            .into_iter()
            .filter(|listed| listed.subject.is_none())
            .map(|Listed { name, .. }| {
                let text = command::output(Command::new(keyward).args(["drill", "show", &name]))?;
                Self::parse(name, &text)
            })
            .collect()
    }

    fn parse(name: String, text: &str) -> Result<Self, Failure> {
        let file: File = toml::from_str(text)?;
        let ttl = match &file.gateway.ttl {
            None => DEFAULT_TTL,
            // The others' settings are in whole seconds.
            Some(ttl) => ttl
                .strip_suffix('s')
                .and_then(|seconds| seconds.parse().ok())
                .ok_or_else(|| Failure(format!("{name}: the ttl {ttl} is no whole number of seconds")))?,
        };
        let introspects = file.gateway.introspection.is_some();
        let (issuers, wants_the_machine) = (file.provider.len().max(1), file.runs == "sockets");
        Ok(Self { name, ttl, issuers, wants_the_machine, introspects })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_does_not_say_is_the_default() {
        let drill = Drill::parse("a".to_owned(), "title = \"A\"").unwrap();
        assert_eq!((drill.ttl, drill.issuers, drill.wants_the_machine), (300, 1, false));
        assert!(!drill.introspects);
    }

    #[test]
    fn a_file_is_read() {
        let text = "runs = \"sockets\"\n[gateway]\nttl = \"2s\"\n[provider.a]\n[provider.b]\ntls = true\n";
        let drill = Drill::parse("a".to_owned(), text).unwrap();
        assert_eq!((drill.ttl, drill.issuers, drill.wants_the_machine), (2, 2, true));
        assert!(Drill::parse("a".to_owned(), "[gateway]\nttl = \"1500ms\"").is_err());
    }
}
