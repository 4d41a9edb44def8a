//! The keys that tokens are signed with: when each is published, signs, and is withdrawn.

mod lifecycle;

pub use lifecycle::{KeyRecord, KeyState, KeyTimes, LifecycleSettings, Plan, Step, plan};
