//! The gateway: a proxy asks it whether a request may pass.
//!
//! The forward-auth listener answers nginx's `auth_request`, Traefik's ForwardAuth and Caddy's
//! `forward_auth`; the admin listener tells operators how it fares. How a verdict is reached is not known
//! here: that is the `keyward` library's.

pub mod config;

mod admin;
mod authorize;
mod chosen_route;
mod client_certificate;
mod connection;
mod correlation;
mod dpop;
mod events;
mod forget;
mod identity;
mod live;
mod metrics;
mod observers;
mod original;
mod presented;
mod recorder;
mod refusal_log;
mod reload;
mod route;
mod server;
mod shared_proofs;
mod tls;
mod token;
mod traces;

pub use chosen_route::ChosenRoute;
pub use config::{Config, ConfigError};
pub use events::{event_table, events};
pub use metrics::{Kind, Label, METRICS, Metric, Prefix, Values};
pub use original::Unclear;
pub use reload::Reloader;
pub use server::{Addresses, Gateway, RunError, run};
