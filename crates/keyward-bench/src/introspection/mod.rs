//! Introspection: what it costs beside keys where nothing is asked.

mod library;

pub(crate) use library::{by_answer, by_fallback, measure};
