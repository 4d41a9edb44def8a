//! What X.509 costs: chains beside bare rustls-webpki, proofs beside their signatures, and wrappers beside nothing.

mod chain;
mod dpop;
mod wrapper;

use crate::Failure;
use crate::row::Rows;

pub(crate) use chain::Chain;
pub(crate) use dpop::Bound;

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    chain::measure(rows)?;
    dpop::measure(rows)?;
    wrapper::measure(rows)
}
