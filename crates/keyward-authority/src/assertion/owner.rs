//! Whose key signs an assertion: a client's or a service account's.

use crate::cause::Cause;
use crate::entity::{Client, ClientAuthMethod, Kept, ServiceAccount};

/// An owner of keys.
pub(super) trait KeyOwner: Kept + Send + Sync + 'static {
    /// What it is where there is no such one, of whoever signed with a key that was its own.
    const UNKNOWN: Cause;

    /// Where its keys are, beside those that are kept here.
    fn jwks_uri(&self) -> Option<&str>;

    /// Whether its assertions are taken.
    ///
    /// # Errors
    /// Why not.
    fn check_standing(&self) -> Result<(), Cause>;
}

impl KeyOwner for Client {
    const UNKNOWN: Cause = Cause::ClientUnknown;

    fn jwks_uri(&self) -> Option<&str> {
        self.jwks_uri.as_deref()
    }

    fn check_standing(&self) -> Result<(), Cause> {
        if !self.enabled {
            return Err(Cause::ClientDisabled);
        }
        if !self.auth_methods.contains(&ClientAuthMethod::PrivateKeyJwt) {
            return Err(Cause::AuthenticationMethodNotAllowed);
        }
        Ok(())
    }
}

impl KeyOwner for ServiceAccount {
    const UNKNOWN: Cause = Cause::ServiceAccountUnknown;

    fn jwks_uri(&self) -> Option<&str> {
        self.jwks_uri.as_deref()
    }

    fn check_standing(&self) -> Result<(), Cause> {
        if self.enabled { Ok(()) } else { Err(Cause::ServiceAccountDisabled) }
    }
}
