//! The authority from outside.

mod storage;
