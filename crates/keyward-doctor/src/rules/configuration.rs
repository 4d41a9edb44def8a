//! What is configured, against what the provider says of itself.

use crate::facts::Facts;

use super::found::Found;

pub(super) fn look(_facts: &Facts, _found: &mut Found) {}
