//! What may be done to what is kept: what the administration's API, the command line, `apply` and the bootstrap all call.
//!
//! Each operation is one command. What it depends on is read in that command, so nothing changes between the check and the
//! change; what it did is in the log with who and when. Those whose names end in `_in` are parts of a command of the caller's,
//! which is as if it had never been where one of them fails and the caller drops it.

mod administration;
mod change;
mod check;
mod client;
mod create;
mod error;
mod external_signer;
mod former_holder;
mod identity;
mod key;
mod look;
mod managed;
mod realm;
mod remove;
mod resource_server;
mod secret;
mod service_account;
pub(crate) mod signable;
mod signing_key;

use crate::authority::Authority;
use crate::storage::{Actor, Command, Position};

pub(crate) use administration::Administration;
pub use change::{change, change_in};
pub(crate) use check::is_realm_name;
pub use create::{create, create_in};
pub use error::OperationError;
pub use key::{KeyOwner, generate_key, upload_key};
pub use look::{find, find_in, list, list_in, list_realms};
pub use managed::{Actions, Belonging, Managed};
pub use realm::ADMIN_REALM;
pub(crate) use realm::REFRESH_TOKEN_LIMIT;
pub use remove::{remove, remove_in};
pub(crate) use resource_server::ACCESS_TOKEN_LIMIT;
pub use secret::add_secret;
pub use signing_key::{retire_signing_key, rotate_signing_keys, withdraw_signing_key};

/// An entity as it is, and since which event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Current<K> {
    /// Its last event.
    pub position: Position,
    /// How it is.
    pub entity: K,
}

/// What a change goes by: it is refused where somebody else was faster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expected {
    /// Whatever is there.
    Any,
    /// What this event made.
    At(Position),
}

/// Begins a command of `by`, now.
pub(crate) async fn begin(authority: &Authority, by: &Actor) -> Result<Command, OperationError> {
    let at_ms = now(authority).saturating_mul(1000);
    Ok(authority.view().store().command(by.clone(), at_ms).await?)
}

/// In seconds since 1970.
pub(crate) fn now(authority: &Authority) -> i64 {
    authority.clock().now().wall.0
}
