//! Who is meant by `sub`.

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::storage::Kind;

/// What a token's `sub` names. It stands in the token beside it, as `subject_type`: a client and a service account may have
/// the same name.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// A client, in its own name.
    Client,
    /// Somebody whom an external signer vouches for.
    #[default]
    Identity,
    /// A machine.
    ServiceAccount,
}

/// The identity that a `sub` is of: what finds it from a token. It is made with an identity's first token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `sub` of its tokens.
    pub subject: String,
    /// Our name for its signer.
    pub signer: String,
    /// The signer's name for it.
    pub external_id: String,
}

impl Kept for Subject {
    const KIND: Kind = Kind("subject");

    fn id(&self) -> String {
        self.subject.clone()
    }
}
