//! What is being looked at just now, for whoever waits.

use std::fmt;

/// Is told what begins and what is over. Both may come from several probes at once.
pub trait Progress: Send + Sync {
    /// A probe begins.
    fn begins(&self, probe: &Probe);

    /// A probe that began is over, with whatever it found.
    fn is_over(&self, probe: &Probe);
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The node of an authority whose admin listener is at this address.
    Authority(String),
    /// Our credential at the issuer of this name.
    Credential(String),
    /// The discovery document of the issuer of this name.
    Discovery(String),
    /// Other places for the keys of the issuer of this name.
    Elsewhere(String),
    /// The gateway.
    Gateway,
    /// The keys of the issuer of this name.
    KeySet(String),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(address) => write!(f, "the authority at {address}"),
            Self::Credential(issuer) => write!(f, "our credential at {issuer}"),
            Self::Discovery(issuer) => write!(f, "discovery of {issuer}"),
            Self::Elsewhere(issuer) => write!(f, "other places for the keys of {issuer}"),
            Self::Gateway => f.write_str("the gateway"),
            Self::KeySet(issuer) => write!(f, "keys of {issuer}"),
        }
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _: &Probe) {}

    fn is_over(&self, _: &Probe) {}
}
