//! The endpoints, as they are on the wire.

mod form;
mod refusal;
mod request;

pub use form::{BODY_LIMIT, Form};
pub use refusal::Refusal;
pub use request::{FormRequest, Peer};
