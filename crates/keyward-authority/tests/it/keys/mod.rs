//! The keys of a realm, from outside: who signs, what is published, and what comes and goes.

mod life;
mod node;
mod refused;
mod reseal;
mod sealed;
mod wire;
