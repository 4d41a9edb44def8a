//! What may be done to what is kept, on every engine: what it comes to, and what is refused.

pub(crate) mod node;

mod belongings;
mod entities;
mod refused;
