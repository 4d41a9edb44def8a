//! Incidents as drills: traffic and faults over time, the verdicts that are right, and the report.
//!
//! A drill is a TOML file. [`Drill`] is what it says, [`catalogue`] holds those that come along, [`Mode`] runs them,
//! and [`Report`](report::Report) says what they came to.

pub mod authority;
pub mod catalogue;
pub mod doctor;
pub mod drill;
pub mod error;
pub mod expectation;
pub mod finding;
pub mod gateway_expectation;
pub mod gateway_plan;
pub mod junit;
pub mod mode;
pub mod progress;
pub mod report;
pub mod schedule;
pub mod seen;
pub mod tally;

mod engine;
mod flow;
mod introspection;
mod judge;
mod ports;
mod subject;
mod variant;
mod wrapper;

pub use doctor::Doctor;
pub use drill::Drill;
pub use gateway_plan::GatewayPlan;
pub use introspection::{
    AssertionAudience, CredentialPlan, CredentialState, FallbackPlan, IntrospectionPlan,
};
pub use mode::{Mode, Target};
pub use wrapper::WrapperPlan;
