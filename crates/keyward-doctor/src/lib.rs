//! Names the cause where others print `401`.
//!
//! Probes gather [`Facts`](facts::Facts) and never change anything. Rules turn facts into a
//! [`Diagnosis`](diagnosis::Diagnosis), and know nothing of how the facts were gathered: on this machine a moment ago, or on
//! another one and carried here as a bundle.

pub mod alert;
pub mod authority;
pub mod bundle;
pub mod code;
pub mod diagnosis;
pub mod facts;
pub mod probe;
pub mod report;
pub mod rules;

mod moment;
mod said;

pub use moment::moment;
