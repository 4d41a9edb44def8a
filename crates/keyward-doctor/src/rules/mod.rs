//! What follows from facts. Pure: no socket, no file, no clock; the same facts always lead to the same diagnosis.
//!
//! Each module looks at one matter and says what it found, what is as it should be, and what nobody could see. What follows
//! from what is decided in one table afterwards.

mod authority;
mod cache;
mod clock;
mod command;
mod configuration;
mod counts;
mod credential;
#[cfg(test)]
mod fixture;
mod fold;
mod follows;
mod found;
mod gateway;
mod handed_in;
mod held;
mod introspection;
mod key_set;
mod reach;
#[cfg(test)]
mod tests;
mod tokens;
mod way;
mod words;
mod wrapper;

use crate::diagnosis::Diagnosis;
use crate::facts::Facts;

use found::Found;

/// Looks at one matter.
type Look = fn(&Facts, &mut Found);

/// Every matter. What was found healthy is listed in this order.
const LOOKS: &[Look] = &[
    configuration::look,
    reach::look,
    key_set::look,
    wrapper::look,
    clock::look,
    introspection::look,
    credential::look,
    gateway::look,
    cache::look,
    authority::look,
    tokens::look,
    handed_in::look,
];

/// What is wrong, the root first and what follows from it under it; what is not; and what nobody could see.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut found = Found::default();
    for look in LOOKS {
        look(facts, &mut found);
    }
    fold::diagnosis(found)
}
