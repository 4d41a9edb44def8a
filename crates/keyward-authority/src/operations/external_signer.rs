//! What has to hold of an external signer.

use super::managed::{Actions, Belonging, Managed, actions};
use super::{OperationError, check};
use crate::entity::{ExternalSigner, Identity, Kept, SignerKeys};
use crate::storage::Action;

impl Managed for ExternalSigner {
    const LIMIT: i64 = 100;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("external_signer")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self) -> Result<(), OperationError> {
        check::name("name", &self.name)?;
        check::address("issuer", &self.issuer)?;
        check::foreign_name("audience", &self.audience)?;
        check::foreign_name("id_claim", &self.id_claim)?;
        if let SignerKeys::JwksUri(address) = &self.keys {
            check::address("keys", address)?;
        }
        check::audiences("audiences", &self.audiences)?;
        check::scopes("scopes", &self.scopes)
    }

    /// Another issuer's subjects are other people.
    fn check_change(&self, before: &Self, _realm: &str) -> Result<(), OperationError> {
        if self.issuer == before.issuer && self.id_claim == before.id_claim {
            return Ok(());
        }
        let why = "cannot change: identities are known by both; make another signer";
        Err(OperationError::invalid("issuer, id_claim", why))
    }

    fn belongings(&self) -> Vec<Belonging> {
        let prefix = format!("{}/", self.name);
        vec![Belonging { kind: Identity::KIND, prefix, deleted: Action("identity.deleted") }]
    }
}
