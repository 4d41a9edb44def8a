//! An OpenID provider that misbehaves on command.
//!
//! It shares no code with the verifier: a lab that did could not find its bugs.

pub mod command;
pub mod fault;
pub mod plan;
pub mod time;
pub mod token;
