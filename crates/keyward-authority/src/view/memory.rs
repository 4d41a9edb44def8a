//! What is remembered, and since when it is known to be so.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use keyward::{MonoTime, entropy};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, UnitWeighter};

use crate::entity;
use crate::storage::{Event, Kind, Position};

pub(super) type Known = Arc<dyn Any + Send + Sync>;

/// What something is remembered by: an entity, or what is made of all whose names begin with an owner's and a slash.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Name<'a> {
    kind: &'static str,
    realm: &'a str,
    id: &'a str,
    /// What is made of them; none for an entity itself.
    made: Option<TypeId>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct OwnedName {
    kind: &'static str,
    realm: Box<str>,
    id: Box<str>,
    made: Option<TypeId>,
}

/// Entities in memory.
#[derive(Debug)]
pub(super) struct Memory {
    known: Cache<OwnedName, Known, UnitWeighter, SeedableRandomState>,
    /// Since when the log is known to hold nothing beyond what was taken in, in nanoseconds; [`NEVER`] before that.
    current_since: AtomicU64,
    /// How many owners' names are kept before those are let go of that nothing remembered is made under.
    owners: usize,
    /// Held while events are taken in, and while something that was read is put in: it may be older than they are.
    seen: Mutex<Seen>,
}

const NEVER: u64 = u64::MAX;

#[derive(Debug, Default)]
struct Seen {
    /// The last event that was taken in.
    position: Position,
    /// An event about an entity is one about all that is made of it.
    made: Made,
}

/// What types are made of the entities of a kind, a realm and an owner.
type Made = HashMap<(&'static str, Box<str>, Box<str>), Vec<TypeId>>;

impl<'a> Name<'a> {
    pub(super) const fn one(kind: Kind, realm: &'a str, id: &'a str) -> Self {
        Self { kind: kind.0, realm, id, made: None }
    }

    pub(super) fn made_of<T: 'static>(kind: Kind, realm: &'a str, owner: &'a str) -> Self {
        Self { kind: kind.0, realm, id: owner, made: Some(TypeId::of::<T>()) }
    }

    fn owned(self) -> OwnedName {
        let Self { kind, realm, id, made } = self;
        OwnedName { kind, realm: realm.into(), id: id.into(), made }
    }
}

impl Equivalent<OwnedName> for Name<'_> {
    fn equivalent(&self, key: &OwnedName) -> bool {
        let OwnedName { kind, realm, id, made } = key;
        *self == Name { kind, realm, id, made: *made }
    }
}

impl Memory {
    pub(super) fn new(entities: usize) -> Self {
        // Strangers choose names, and know nothing of the seed.
        let hasher = SeedableRandomState::with_seed(entropy::seed(), SharedSeed::global_fixed());
        let weight = u64::try_from(entities).unwrap_or(u64::MAX);
        Self {
            known: Cache::with(entities, weight, UnitWeighter, hasher, DefaultLifecycle::default()),
            current_since: AtomicU64::new(NEVER),
            // Twice as many as there can be with something under them, so that they are looked through seldom.
            owners: entities.saturating_mul(2),
            seen: Mutex::default(),
        }
    }

    /// Nothing that came before `head` is remembered.
    pub(super) fn begin(&self, head: Position) {
        let mut seen = self.lock();
        self.known.clear();
        *seen = Seen { position: head, made: Made::default() };
    }

    /// What is remembered, if the log's head was seen within `bound`.
    pub(super) fn find(&self, name: &Name<'_>, now: MonoTime, bound: Duration) -> Option<Known> {
        let since = self.current_since.load(Ordering::Acquire);
        let is_current = since != NEVER && now.saturating_since(MonoTime(since)) <= bound;
        if is_current { self.known.get(name) } else { None }
    }

    /// When the log was last known to hold nothing beyond what was taken in.
    pub(super) fn current_since(&self) -> Option<MonoTime> {
        let since = self.current_since.load(Ordering::Acquire);
        (since != NEVER).then_some(MonoTime(since))
    }

    /// Up to where the log was read. To be asked before the database is.
    pub(super) fn seen(&self) -> Position {
        self.lock().position
    }

    /// Remembers what was read after `before` was the last event. Where one was taken in since it may be about this, and what
    /// was read may be older: then it is read again the next time.
    pub(super) fn remember(&self, name: Name<'_>, known: Known, before: Position) {
        let mut seen = self.lock();
        if seen.position != before {
            return;
        }
        if let Some(made) = name.made {
            if seen.made.len() >= self.owners {
                self.let_go(&mut seen.made);
            }
            let types = seen.made.entry((name.kind, name.realm.into(), name.id.into())).or_default();
            if !types.contains(&made) {
                types.push(made);
            }
        }
        self.known.insert(name.owned(), known);
    }

    /// Forgets what `events` are about. They are the next ones of the log.
    pub(super) fn take_in(&self, events: &[Event]) {
        let mut seen = self.lock();
        for event in events {
            // What this version does not know it does not remember either.
            if let Some(kind) = entity::kind(&event.kind) {
                self.forget(&mut seen.made, kind, &event.realm, &event.id);
            }
            seen.position = event.position;
        }
    }

    /// Strangers ask for owners without end; what is made of theirs falls out of memory, and nothing says so.
    fn let_go(&self, made: &mut Made) {
        made.retain(|(kind, realm, id), types| {
            let name = |made: &TypeId| Name { kind, realm, id, made: Some(*made) };
            types.iter().any(|made| self.known.contains_key(&name(made)))
        });
    }

    fn forget(&self, made: &mut Made, kind: Kind, realm: &str, id: &str) {
        self.known.remove(&Name::one(kind, realm, id));
        let owners = std::iter::once("").chain(id.match_indices('/').filter_map(|(at, _)| id.get(..at)));
        for owner in owners {
            let types = made.remove(&(kind.0, realm.into(), owner.into()));
            for made in types.into_iter().flatten() {
                self.known.remove(&Name { kind: kind.0, realm, id: owner, made: Some(made) });
            }
        }
    }

    /// The log held nothing beyond what was taken in, at `at` or later.
    pub(super) fn is_current(&self, at: MonoTime) {
        self.current_since.store(at.0.min(NEVER - 1), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind("key");

    fn about(position: i64, id: &str) -> Event {
        let (kind, realm, id) = (KIND.0.to_owned(), "main".to_owned(), id.to_owned());
        Event {
            position: Position(position),
            at_ms: 0,
            actor: String::new(),
            action: "put".to_owned(),
            kind,
            realm,
            id,
            body: None,
        }
    }

    #[test]
    fn owners_without_end_do_not_grow_what_is_kept_of_them() {
        let memory = Memory::new(100);
        memory.is_current(MonoTime(0));
        for number in 0..10_000 {
            let owner = format!("client/{number}");
            memory.remember(Name::made_of::<u32>(KIND, "main", &owner), Arc::new(0_u32), Position(0));
            assert!(memory.lock().made.len() <= 200);
        }
        // Those that are remembered are still forgotten with what they are made of.
        let name = Name::made_of::<u32>(KIND, "main", "client/9999");
        assert!(memory.find(&name, MonoTime(0), Duration::ZERO).is_some());
        memory.take_in(&[about(1, "client/9999/k")]);
        assert!(memory.find(&name, MonoTime(0), Duration::ZERO).is_none());
        assert!(memory.lock().made.keys().all(|(_, _, owner)| &**owner != "client/9999"));
    }
}
