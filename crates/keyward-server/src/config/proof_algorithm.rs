//! What DPoP proofs may be signed with, as a configuration says it.

use keyward::{Algorithm, AlgorithmSet};

/// It is no algorithm that a proof can be signed with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no proof is signed with this; there are {}", known())]
pub(super) struct NotForProofs;

/// An asymmetric algorithm by its name (RFC 9449 §4.2).
///
/// # Errors
/// [`NotForProofs`].
pub(super) fn proof_algorithm(name: &str) -> Result<Algorithm, NotForProofs> {
    let algorithm = Algorithm::from_name(name);
    algorithm.filter(|algorithm| AlgorithmSet::asymmetric().contains(*algorithm)).ok_or(NotForProofs)
}

fn known() -> String {
    AlgorithmSet::asymmetric().iter().map(Algorithm::name).collect::<Vec<_>>().join(", ")
}
