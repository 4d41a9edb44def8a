//! A client in its own name (RFC 6749 §4.4).

use std::sync::Arc;

use super::Grant;
use crate::cause::Cause;
use crate::entity::{Client, ClientKind};
use crate::token::Principal;

/// # Errors
/// [`Cause::GrantNotAllowed`] for a public client, which anybody can be.
pub(super) fn grant(client: &Arc<Client>) -> Result<Grant<'static>, Cause> {
    match client.kind {
        ClientKind::Confidential => Ok(Grant::to(Principal::Client(Arc::clone(client)))),
        ClientKind::Public => Err(Cause::GrantNotAllowed),
    }
}
