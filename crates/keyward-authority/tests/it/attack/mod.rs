//! What somebody tries who wants more than is theirs, or wants others to have less.

mod administration;
mod limits;
mod names;
mod refresh_model;
