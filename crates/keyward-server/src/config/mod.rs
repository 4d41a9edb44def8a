//! What the gateway's and the authority's configurations have in common: a text, the files that it names, and what is wrong with
//! them.

mod error;
mod listener;
mod net;
mod proof_algorithm;
mod proofs;
mod proxies;
mod source;
mod time;
mod warning;

pub use error::{ConfigError, Place};
pub use listener::ListenerKey;
pub use source::Source;
pub use time::Time;
pub use warning::FileWarning;
