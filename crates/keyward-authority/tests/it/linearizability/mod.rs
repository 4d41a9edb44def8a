//! Promise 9 against chance: what several nodes do and answer at once, while they are killed and their connections cut, could have
//! happened one thing at a time. Commands and "not found" are held to the moment; what is remembered may be a second old.

mod chance;
mod checker;
mod commands;
mod endpoints;
mod fact;
mod keys;
mod log;
mod nodes;
mod requests;
mod timeline;
mod world;

/// How old what is remembered may be, in nanoseconds (promise 9).
const SECOND: u64 = 1_000_000_000;
