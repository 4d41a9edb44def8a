//! Whether what was issued to somebody is for who has their name now.

use std::collections::HashMap;
use std::sync::Arc;

use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{FormerHolder, SubjectType};

/// The names of a realm that others had before, and until when.
pub(super) struct FormerHolders(HashMap<String, i64>);

impl FormerHolders {
    /// Those of a realm.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn of(authority: &Authority, realm: &str) -> Result<Arc<Self>, Cause> {
        let made = |holders: Vec<FormerHolder>| {
            Self(holders.into_iter().map(|former| (former.name, former.until)).collect())
        };
        Ok(authority.view().made_of::<FormerHolder, Self>(realm, "", made).await?)
    }

    /// Whether what was issued then, in seconds since 1970, was issued in a realm that was another one.
    pub(super) fn had_realm(&self, issued_at: i64) -> bool {
        self.0.get(FormerHolder::REALM).is_some_and(|until| issued_at < *until)
    }

    /// Whether what was issued then was issued to, or for, another one of this name.
    pub(super) fn had(&self, subject_type: SubjectType, subject: &str, issued_at: i64) -> bool {
        // Nearly no realm has any.
        !self.0.is_empty()
            && self
                .0
                .get(&FormerHolder::name_of(subject_type, subject))
                .is_some_and(|until| issued_at < *until)
    }
}
