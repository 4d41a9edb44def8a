//! A diagnosis for a person, for an incident channel and for a program.
//!
//! Whatever a provider, a client or a bundle said may stand in it, and does nothing there: no terminal obeys it, no channel
//! pings anybody for it.

mod json;
mod lines;
mod markdown;
mod printable;
mod text;
mod words;

pub use lines::Paint;
pub use printable::Printable;

use crate::diagnosis::Diagnosis;
use crate::facts::Facts;

/// What was found, and in what. As JSON it is the diagnosis, with each finding's title, page and who can mend it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    facts: &'a Facts,
    diagnosis: &'a Diagnosis,
}

impl<'a> Report<'a> {
    /// `diagnosis` is what the rules make of `facts`.
    pub fn new(facts: &'a Facts, diagnosis: &'a Diagnosis) -> Self {
        Self { facts, diagnosis }
    }

    /// For a terminal of `width` columns. The root and its fix come first, on a screen of 24 lines where they fit.
    ///
    /// Commands and words that are longer than a line are not broken, so that they can be copied.
    pub fn text(&self, width: usize, paint: Paint) -> String {
        text::write(self, width, paint)
    }

    /// Markdown (CommonMark) to paste into an incident channel.
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }
}
