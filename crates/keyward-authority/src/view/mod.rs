//! What a node knows without asking the database: entities in memory, each as it is, or as it was less than a second ago.
//!
//! A follower reads the log. What an event is about is forgotten, and read again by whoever wants it next. What is remembered is
//! only used while the follower has been at the log's head within [`BOUND`]; beyond that, and for what is not remembered,
//! the database is read. So a change is in effect on every node within that time even where every notification is lost, a
//! node that is cut off from the database decides nothing, and "not found" is never said from memory.

mod follower;
mod memory;
mod standing;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::Clock;

use crate::entity::Kept;
use crate::storage::{Position, Store, StoreError};

pub use follower::Follower;
use memory::{Memory, Name};

/// For how long a node goes by what it remembers since it last was at the log's head. Promise 9 gives it a second.
pub const BOUND: Duration = Duration::from_millis(700);

/// Why something cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// What is kept is not what this version writes.
    #[error("{entity} cannot be read: {cause}")]
    Body {
        /// What.
        entity: String,
        /// Why not.
        cause: serde_json::Error,
    },
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a node knows. Clones are the same view.
#[derive(Clone, Debug)]
pub struct View {
    store: Store,
    memory: Arc<Memory>,
    clock: Arc<dyn Clock>,
}

impl View {
    /// A view of `store` that remembers up to `entities`. Until a [`Follower`] runs, everything is read from the database.
    pub fn new(store: Store, clock: Arc<dyn Clock>, entities: usize) -> Self {
        Self { store, memory: Arc::new(Memory::new(entities)), clock }
    }

    /// The database behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The entity of this kind in `realm` that is called `id`; none where there is none such, by the log's head.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn find<K: Kept + Send + Sync + 'static>(
        &self,
        realm: &str,
        id: &str,
    ) -> Result<Option<Arc<K>>, ViewError> {
        let name = Name::one(K::KIND, realm, id);
        if let Some(known) = self.recall(&name) {
            return Ok(Some(known));
        }
        // In a box: nearly all find it in memory, and their tasks need no room for how the database is read.
        Box::pin(self.read(name, realm, id)).await
    }

    async fn read<K: Kept + Send + Sync + 'static>(
        &self,
        name: Name<'_>,
        realm: &str,
        id: &str,
    ) -> Result<Option<Arc<K>>, ViewError> {
        let seen = self.memory.seen();
        let entity = crate::entity::entity::<K>(realm, id);
        let Some(body) = self.store.read(&entity).await? else {
            return Ok(None);
        };
        let read = Arc::new(self.parse::<K>(&entity.to_string(), &body)?);
        self.memory.remember(name, Arc::clone(&read) as _, seen);
        Ok(Some(read))
    }

    /// Something made of all entities of a kind in `realm` whose names begin with `owner` and a slash, or of all where that is
    /// empty. It is made again when one of them changes, and not otherwise.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn made_of<K, T>(
        &self,
        realm: &str,
        owner: &str,
        make: impl FnOnce(Vec<K>) -> T + Send,
    ) -> Result<Arc<T>, ViewError>
    where
        K: Kept + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let name = Name::made_of::<T>(K::KIND, realm, owner);
        if let Some(known) = self.recall(&name) {
            return Ok(known);
        }
        Box::pin(self.make(realm, owner, make, self.memory.seen())).await
    }

    /// The same as it is by the log's head: for whoever does not find in it what they look for. Where nothing was appended
    /// since, that is what is remembered.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn made_of_now<K, T>(
        &self,
        realm: &str,
        owner: &str,
        make: impl FnOnce(Vec<K>) -> T + Send,
    ) -> Result<Arc<T>, ViewError>
    where
        K: Kept + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let seen = self.memory.seen();
        if self.store.head().await? == seen {
            return self.made_of(realm, owner, make).await;
        }
        self.make(realm, owner, make, seen).await
    }

    /// Made of what is read, when `seen` was the last event that was taken in.
    async fn make<K, T>(
        &self,
        realm: &str,
        owner: &str,
        make: impl FnOnce(Vec<K>) -> T + Send,
        seen: Position,
    ) -> Result<Arc<T>, ViewError>
    where
        K: Kept + Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let made = Arc::new(make(self.read_all(realm, owner).await?));
        self.memory.remember(Name::made_of::<T>(K::KIND, realm, owner), Arc::clone(&made) as _, seen);
        Ok(made)
    }

    /// What is remembered under `name`, as long as that may be.
    fn recall<T: Any + Send + Sync>(&self, name: &Name<'_>) -> Option<Arc<T>> {
        self.memory.find(name, self.clock.mono(), BOUND)?.downcast().ok()
    }

    async fn read_all<K: Kept>(&self, realm: &str, owner: &str) -> Result<Vec<K>, ViewError> {
        let prefix = if owner.is_empty() { String::new() } else { format!("{owner}/") };
        let (mut kept, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.store.list(K::KIND, realm, &prefix, &after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for (id, body) in page {
                kept.push(self.parse(&id, &body)?);
                after = id;
            }
            if is_last {
                return Ok(kept);
            }
        }
    }

    fn parse<K: Kept>(&self, name: &str, body: &str) -> Result<K, ViewError> {
        self.store.parse(&name, body).map_err(|cause| ViewError::Body { entity: name.to_owned(), cause })
    }
}

/// How many entities are read at once.
const PAGE: u32 = 500;
