//! What an answer says of how things are.

use keyward_authority::entity::{Kept, SigningKey};
use keyward_authority::signing::KeyState;
use serde_json::Value;

use super::timeline::At;

/// An entity of the one realm: its kind and its id.
pub(super) type Name = (&'static str, String);

pub(super) fn name<K: Kept>(id: &str) -> Name {
    (K::KIND.0, id.to_owned())
}

/// How something is.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Absent(Name),
    /// It is a key, and not the one with this public half.
    AnotherKey(Name, Value),
    Disabled(Name),
    Enabled(Name),
    /// It is the key with this public half, and enabled or not.
    Key(Name, Value, bool),
    Present(Name),
    /// It is a signing key that is published.
    Published(Name),
    Revoked(Name),
    /// It is a signing key that signs.
    Signs(Name),
    /// It is there and not revoked.
    Stands(Name),
    /// It is a signing key that was published.
    Withdrawn(Name),
}

impl Fact {
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Absent(name)
            | Self::AnotherKey(name, _)
            | Self::Disabled(name)
            | Self::Enabled(name)
            | Self::Key(name, ..)
            | Self::Present(name)
            | Self::Published(name)
            | Self::Revoked(name)
            | Self::Signs(name)
            | Self::Stands(name)
            | Self::Withdrawn(name) => name,
        }
    }

    pub(super) fn holds(&self, at: At<'_>) -> bool {
        let Some(body) = at.find(self.name()) else {
            return matches!(self, Self::Absent(_));
        };
        match self {
            Self::Absent(_) => false,
            Self::AnotherKey(_, x) => body["jwk"]["x"] != *x,
            Self::Disabled(_) => body["enabled"] == false,
            Self::Enabled(_) => body["enabled"] == true,
            Self::Key(_, x, enabled) => body["jwk"]["x"] == *x && body["enabled"] == *enabled,
            Self::Present(_) => true,
            Self::Published(_) => state(body) != KeyState::Retired,
            Self::Revoked(_) => body["revoked"] == true,
            Self::Signs(_) => state(body) == KeyState::Active,
            Self::Stands(_) => body["revoked"] == false,
            Self::Withdrawn(_) => state(body) == KeyState::Retired,
        }
    }
}

fn state(body: &Value) -> KeyState {
    serde_json::from_value::<SigningKey>(body.clone()).unwrap().times.state()
}
