//! The clients of an issuer: who they are, how they show it, and the key files that they get.

mod assertion;
mod authentication;
mod key;
mod key_file;
mod plan;
mod registry;

pub(crate) use assertion::{Asserted, UsedIds};
pub(crate) use authentication::{authenticated, said};
pub use key::ClientKeyError;
pub use key_file::KeyFileForm;
pub use plan::{
    Assertions, Cause, ClientCommand, ClientKeyPlan, ClientKind, ClientPlan, ClientState, KeyCondition,
    PublicKeyPlan,
};
pub use registry::ClientDescription;
pub(crate) use registry::{Clients, MadeClients};

/// `client_id` of the client that every issuer has, and the `sub` of tokens that are not planned otherwise.
pub const CLIENT_ID: &str = "drill";

/// Its secret, which is none.
pub const CLIENT_SECRET: &str = "drill";
