//! Issues tokens, and cannot lose sight of its own keys.
//!
//! Every change is an event, written in one transaction with the state that it makes ([`storage`]). What is kept is in
//! [`entity`], a type a file; when keys come and go is decided in [`signing`], without a clock. [`view`] is what a node knows of
//! it, [`http`] what clients see, and [`cause`] why one gets nothing.

pub mod admin;
pub mod apply;
pub mod assertion;
pub mod authority;
pub mod cause;
pub mod client_auth;
pub mod config;
pub mod entity;
pub mod http;
pub mod key_sets;
pub mod last_use;
pub mod limits;
pub mod metrics;
pub mod observer;
pub mod operations;
pub mod server;
pub mod signing;
pub mod storage;
pub mod token;
pub mod view;

mod digest;
mod health;
mod live;
mod refusal_log;
mod reload;
mod tls;
mod wiped;
