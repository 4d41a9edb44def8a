//! What a command changes, and what the log says of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the log; the first event is at 1.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Position(pub i64);

/// What sort of thing an entity is. The label is in the database and never changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kind(pub &'static str);

/// What was done, such as `client_key.disabled`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Action(pub &'static str);

/// Who did it: the subject of a token, `bootstrap`, or the authority itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor(pub String);

/// The name of an entity.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub realm: String,
    /// Which; what belongs to another entity begins with that one's and a slash.
    pub id: String,
}

/// A change of one entity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What was done.
    pub action: Action,
    /// To which entity.
    pub entity: Entity,
    /// How it is from now on, in JSON; none where it is gone.
    pub body: Option<String>,
}

/// A change, as the log has it, and as a backup does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its place.
    pub position: Position,
    /// When, in milliseconds since 1970, by the clock of the node that did it. Nothing is ordered by it.
    pub at_ms: i64,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The kind of the entity.
    pub kind: String,
    /// Its realm.
    pub realm: String,
    /// Its name.
    pub id: String,
    /// How it is from then on; none where it is gone.
    pub body: Option<String>,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of realm {}", self.kind.0, self.id, self.realm)
    }
}
