//! Why an operation was not done.

use crate::storage::{Entity, Position, StoreError};
use crate::view::ViewError;

/// Why an operation was not done. Nothing of it was: the log and the state are as they were, but for
/// [`OperationError::Unavailable`] at the very end, where nobody knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// Somebody changed it meanwhile.
    #[error("{entity} was changed meanwhile: it is at {}, not {}; read it again", found.0, expected.0)]
    Conflict {
        /// What.
        entity: Entity,
        /// What the change goes by.
        expected: Position,
        /// What there is.
        found: Position,
    },
    /// There is one of that name.
    #[error("{entity} is there already; change it, or take another name")]
    Exists {
        /// What.
        entity: Entity,
    },
    /// Something depends on it.
    #[error("{entity} is in use: {why}")]
    InUse {
        /// What.
        entity: Entity,
        /// What depends on it, and what to do.
        why: String,
    },
    /// It cannot be so.
    #[error("{what}: {why}")]
    Invalid {
        /// Which member.
        what: &'static str,
        /// Why not, and how it can be.
        why: String,
    },
    /// A key could not be made, sealed or hashed.
    #[error("the key could not be made: {why}")]
    KeyUnavailable {
        /// What the key store says.
        why: String,
    },
    /// There is none such.
    #[error("there is no {entity}")]
    NotFound {
        /// What.
        entity: Entity,
    },
    /// What was to be changed is not as it was when it was decided what to change.
    #[error("realm {realm} was changed since the plan was made; plan again")]
    Outdated {
        /// Which realm.
        realm: String,
    },
    /// There are as many as there may be.
    #[error("there are {limit} already, and no more are possible; delete one first ({entity})")]
    TooMany {
        /// What would be one too many.
        entity: Entity,
        /// How many there may be.
        limit: i64,
    },
    /// The database cannot be asked, or did not say whether it did it.
    #[error("the storage fails; read again before you repeat this: {0}")]
    Unavailable(#[from] StoreError),
    /// What is kept is not what this version writes.
    #[error("the storage holds what this version cannot read: {0}")]
    Unreadable(ViewError),
}

impl OperationError {
    /// It cannot be so, because of a member.
    pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { what, why: why.into() }
    }
}

impl From<ViewError> for OperationError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Store(error) => Self::Unavailable(error),
            body @ ViewError::Body { .. } => Self::Unreadable(body),
        }
    }
}
