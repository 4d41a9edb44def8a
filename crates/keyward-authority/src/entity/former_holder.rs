//! Who had a name before.

use serde::{Deserialize, Serialize};

use super::{Kept, SubjectType};
use crate::storage::Kind;

/// Somebody who had a name and was deleted: what was issued to them is not for whoever has the name next.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FormerHolder {
    /// The name: `realm`, or what sort of subject it was, a slash, and `client_id` or `sub`.
    pub name: String,
    /// When they were deleted, or, where the name was given again, when that was; in seconds since 1970. Tokens of earlier
    /// seconds are theirs. Of this one they may be either's, and count as the present holder's.
    pub until: i64,
}

impl Kept for FormerHolder {
    const KIND: Kind = Kind("former_holder");

    fn id(&self) -> String {
        self.name.clone()
    }
}

impl FormerHolder {
    /// What the realm itself is called.
    pub const REALM: &str = "realm";

    /// What somebody is called in whose name tokens speak.
    pub fn name_of(subject_type: SubjectType, subject: &str) -> String {
        let kind = match subject_type {
            SubjectType::Client => "client",
            SubjectType::Identity => "identity",
            SubjectType::ServiceAccount => "service_account",
        };
        format!("{kind}/{subject}")
    }
}
