//! The keys of one issuer: the sets that are published to verdicts, and the machine that keeps them.

mod absent;
mod budget;

mod keys;
mod machine;
mod published;
mod settings;

pub use keys::{KeySet, LiveKey, Source};
pub use machine::{
    Answer, Fetched, KeySetMachine, NoUsableKey, Refresh, Refreshed, RetryAt, SnapshotRefused, Step,
};
pub use published::{KeySetState, PublishedKeys};
pub use settings::KeySetSettings;
