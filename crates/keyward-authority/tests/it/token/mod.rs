//! Who gets a token, what it says, and what becomes of it: each grant and each cause, from the form to the answer.

mod bound;
mod exchange;
mod grants;
pub(crate) mod idp;
mod introspection;
pub(crate) mod office;
mod properties;
mod refresh;
mod revocation;
mod several_nodes;
