//! An OpenID provider that misbehaves on command.
//!
//! It shares no code with the verifier: a lab that did could not find its bugs.

mod addresses;
mod answer;
mod authority;
mod body;
pub mod client;
mod clock;
pub mod command;
mod connection;
pub mod control;
mod describe;
mod door;
mod error;
pub mod exchange;
pub mod fault;
mod form;
mod gate;
mod grant;
mod introspection;
mod issuer;
mod jws;
mod key;
mod lab;
mod mint;
mod misbehave;
mod obey;
mod opaque;
pub mod plan;
mod port;
mod provider_log;
mod random;
pub mod record;
mod replay;
pub mod revocation;
mod rotation;
pub mod time;
pub mod token;
mod visitor;

pub use addresses::IssuerAddresses;
pub use authority::CertificateError;
pub use client::{CLIENT_ID, CLIENT_SECRET};
pub use describe::IssuerDescription;
pub use error::{CommandError, LabError};
pub use key::{KeyGeneration, KeyState};
pub use lab::{Lab, Sockets};
pub use port::Counts;
pub use provider_log::LogLines;
pub use replay::ReplayError;
