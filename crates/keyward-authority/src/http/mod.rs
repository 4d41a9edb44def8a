//! The endpoints, as they are on the wire.

mod abilities;
mod cached;
mod discovery;
mod form;
mod introspect;
mod jwks;
mod peer;
mod refusal;
mod request;
mod revoke;
mod route;
mod router;
mod token;

pub use abilities::{Abilities, ClientAbilities, ClientCertificates, IntrospectionAbilities, TokenAbilities};
pub use discovery::discovery;
pub use form::{BODY_LIMIT, Form};
pub use introspect::introspect;
pub use jwks::jwks;
pub(crate) use peer::Connection;
pub use refusal::Refusal;
pub use request::{FormRequest, KnownName, Peer};
pub use revoke::revoke;
pub(crate) use router::{Answering, Endpoints};
pub use token::token;
