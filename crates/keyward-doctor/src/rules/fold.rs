//! Puts what follows from a finding under it, and what matters most first.

use crate::diagnosis::Diagnosis;

use super::found::Found;

/// The root first.
pub(super) fn diagnosis(found: Found) -> Diagnosis {
    let Found { findings, healthy, unseen } = found;
    Diagnosis { findings, healthy, unseen }
}
