//! How the provider's clock and ours differ.

use serde::{Deserialize, Serialize};

/// Measured from the `Date` of answers (RFC 9110 §6.6.1), against the middle of request and answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFacts {
    /// By how many seconds the provider's clock is ahead of ours; negative where it is behind.
    pub ahead_s: f64,
    /// By how much that can be wrong, in seconds: half of a second that `Date` leaves out, and half of the way.
    pub uncertainty_s: f64,
    /// From how many answers.
    pub answers: u32,
}
