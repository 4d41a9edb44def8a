//! The keys of one issuer: the sets that are published to verdicts, and the machine that keeps them.

mod absent;
mod budget;

mod keys;
mod machine;
mod published;
mod settings;
mod tally;
mod wrapper;
mod wrapper_watch;

pub use keys::{KeySet, LiveKey, Source};
pub use machine::{
    Answer, Fetched, KeySetMachine, NoUsableKey, Refresh, Refreshed, RetryAt, SnapshotRefused, Step,
};
pub use published::{KeySetState, PublishedKeys};
pub use settings::KeySetSettings;
pub use tally::KeyVerdicts;
pub use wrapper::{Wrapper, WrapperCertificate, WrapperPolicy, WrapperTrouble};
pub use wrapper_watch::{WrapperNews, WrapperNotice, WrapperWatch};
