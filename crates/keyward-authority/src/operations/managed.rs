//! What is made, changed and deleted as a whole.

use super::OperationError;
use crate::authority::Authority;
use crate::entity::Kept;
use crate::storage::{Action, Command, Kind};

/// What is made, changed and deleted as a whole, with what has to hold of it.
pub trait Managed: Kept + Clone + PartialEq + Send + Sync + 'static {
    /// How many there may be beside each other.
    const LIMIT: i64;

    /// What has to be made before the command begins that makes it, because that takes its time.
    type Prepared: Default + Send;

    /// What the log calls what is done to it.
    fn actions(&self) -> &'static Actions;

    /// Whether it is taken.
    fn is_enabled(&self) -> bool;

    /// What it lies beside: how the names of all begin that [`Managed::LIMIT`] counts. Default all of the realm.
    fn siblings(&self) -> String {
        String::new()
    }

    /// What its tokens call it ([`FormerHolder::name`](crate::entity::FormerHolder::name)). Default nothing: none do.
    fn holder(&self) -> Option<String> {
        None
    }

    /// Whether it can be so, by itself.
    ///
    /// # Errors
    /// [`OperationError::Invalid`].
    fn check(&self) -> Result<(), OperationError>;

    /// Whether there can be one such now, by what else there is.
    ///
    /// # Errors
    /// [`OperationError`].
    fn check_new(
        &self,
        _command: &mut Command,
        _realm: &str,
    ) -> impl Future<Output = Result<(), OperationError>> + Send {
        async { Ok(()) }
    }

    /// Whether it may become this, having been `before`.
    ///
    /// # Errors
    /// [`OperationError::Invalid`], [`OperationError::InUse`].
    fn check_change(&self, _before: &Self, _realm: &str) -> Result<(), OperationError> {
        Ok(())
    }

    /// Whether it may be deleted.
    ///
    /// # Errors
    /// [`OperationError::InUse`].
    fn check_remove(
        &self,
        _command: &mut Command,
        _realm: &str,
    ) -> impl Future<Output = Result<(), OperationError>> + Send {
        async { Ok(()) }
    }

    /// Makes what has to be there when the command begins. Default nothing.
    ///
    /// # Errors
    /// [`OperationError::KeyUnavailable`].
    fn prepare(
        &self,
        _authority: &Authority,
    ) -> impl Future<Output = Result<Self::Prepared, OperationError>> + Send {
        async { Ok(Self::Prepared::default()) }
    }

    /// Puts what was prepared into the same command.
    ///
    /// # Errors
    /// [`OperationError`].
    fn begin(
        &self,
        _command: &mut Command,
        _prepared: Self::Prepared,
        _now: i64,
    ) -> impl Future<Output = Result<(), OperationError>> + Send {
        async { Ok(()) }
    }

    /// Deletes what goes with it and is not found by the beginning of its name. Default nothing.
    ///
    /// # Errors
    /// [`OperationError`].
    fn end(
        &self,
        _command: &mut Command,
        _realm: &str,
    ) -> impl Future<Output = Result<(), OperationError>> + Send {
        async { Ok(()) }
    }

    /// What is deleted with it, in the same command.
    fn belongings(&self) -> Vec<Belonging> {
        Vec::new()
    }
}

/// What the log calls what is done to an entity.
#[derive(Clone, Copy, Debug)]
pub struct Actions {
    /// It was made.
    pub created: Action,
    /// It was made otherwise.
    pub changed: Action,
    /// It is taken again.
    pub enabled: Action,
    /// It is not taken any more.
    pub disabled: Action,
    /// It is gone.
    pub deleted: Action,
}

/// Entities that go with another one.
#[derive(Clone, Debug)]
pub struct Belonging {
    /// Of which kind.
    pub kind: Kind,
    /// How their names begin.
    pub prefix: String,
    /// What the log calls it.
    pub deleted: Action,
}

/// The actions on what the log calls by this name.
macro_rules! actions {
    ($name:literal) => {{
        const ACTIONS: &$crate::operations::Actions = &$crate::operations::Actions {
            created: $crate::storage::Action(concat!($name, ".created")),
            changed: $crate::storage::Action(concat!($name, ".changed")),
            enabled: $crate::storage::Action(concat!($name, ".enabled")),
            disabled: $crate::storage::Action(concat!($name, ".disabled")),
            deleted: $crate::storage::Action(concat!($name, ".deleted")),
        };
        ACTIONS
    }};
}

pub(super) use actions;
