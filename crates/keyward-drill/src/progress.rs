//! Who is told how far the drills are.

use crate::report::DrillReport;

/// Called while drills run, from the threads on which they do.
pub trait Progress: Sync {
    /// A phase begins: the `number`th of `of`.
    fn phase(&self, drill: &str, phase: &str, number: usize, of: usize);

    /// A drill is over.
    fn done(&self, report: &DrillReport);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _drill: &str, _phase: &str, _number: usize, _of: usize) {}

    fn done(&self, _report: &DrillReport) {}
}
