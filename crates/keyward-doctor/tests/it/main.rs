//! The doctor from outside.
