//! The administration from outside: who may what, what it says, and what it makes of nonsense.

pub(crate) mod api;
mod authorisation;
mod bootstrap;
mod document;
mod hostile;
mod whole;
mod work;
