//! What waits to be marked as used: all who ask while something is being written are written together, by the next statement.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Row};
use tokio::sync::oneshot;

use super::StoreError;
use super::store::Engine;
use super::watched::Watched;
use crate::observer::StorageWrite;

/// How many are written at once.
const BATCH: usize = 500;

/// How many may wait: as many as a slow database writes while the first of them still waits for its answer.
const WAITING: usize = 5000;

/// Of which a name may be: ours are hashes. A bound, not a limit.
const NAME_OCTETS: usize = 1024;

/// Those who wait, and whether somebody writes.
#[derive(Debug)]
pub(super) struct UseQueue {
    pool: AnyPool,
    engine: Engine,
    watched: Arc<Watched>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    uses: VecDeque<Use>,
    is_written: bool,
}

#[derive(Debug)]
struct Use {
    what: String,
    until_ms: i64,
    answer: oneshot::Sender<Result<bool, StoreError>>,
}

impl UseQueue {
    /// Writes to `pool`.
    pub(super) fn new(pool: AnyPool, engine: Engine, watched: Arc<Watched>) -> Self {
        Self { pool, engine, watched, waiting: Mutex::default() }
    }

    /// Waits for its turn, which comes at once where nobody else's is; whether it was the first. Whoever ends waiting before it
    /// holds up nobody, and may have used it.
    pub(super) async fn use_once(self: &Arc<Self>, what: &str, until_ms: i64) -> Result<bool, StoreError> {
        // One that the database refuses would fail those that are written with it.
        if what.len() > NAME_OCTETS || what.contains('\0') {
            return Err(StoreError::Name { most: NAME_OCTETS });
        }
        let (answer, answered) = oneshot::channel();
        self.join(Use { what: what.to_owned(), until_ms, answer })?;
        self.watched.in_time(answered).await?.unwrap_or(Err(StoreError::Ended))
    }

    fn join(self: &Arc<Self>, new: Use) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.uses.len() >= WAITING {
            return Err(self.watched.failed(StoreError::Full { waiting: WAITING }));
        }
        waiting.uses.push_back(new);
        if !waiting.is_written {
            waiting.is_written = true;
            // By itself: who asked first may be gone before the others have their answers.
            let queue = Arc::clone(self);
            tokio::spawn(write(Writer { queue, connection: None, is_done: false }));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who writes, as long as somebody waits.
struct Writer {
    queue: Arc<UseQueue>,
    /// Kept from one batch to the next where others have enough of them.
    connection: Option<PoolConnection<Any>>,
    is_done: bool,
}

async fn write(mut writer: Writer) {
    while let Some(mut batch) = writer.next() {
        batch.sort_by(|one, other| one.what.cmp(&other.what));
        let mut uses: Vec<_> = batch.iter().map(|asked| (asked.what.as_str(), asked.until_ms)).collect();
        // Of the same, that of who asked first: the sort was stable.
        uses.dedup_by_key(|(what, _)| *what);
        match writer.insert(&uses).await {
            Ok(mut new) => {
                for Use { what, answer, .. } in batch {
                    // Who does not wait any more has used it all the same; of the same, only the first is new.
                    let _ = answer.send(Ok(new.remove(&what)));
                }
            }
            Err(cause) => {
                let cause = Arc::new(cause);
                for Use { answer, .. } in batch {
                    let _ = answer.send(Err(StoreError::Together { cause: Arc::clone(&cause) }));
                }
            }
        }
    }
}

impl Writer {
    /// Those who waited longest; none where nobody does.
    fn next(&mut self) -> Option<Vec<Use>> {
        let mut waiting = self.queue.lock();
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(next) = waiting.uses.pop_front()
        {
            // Who went away before it was written has used nothing.
            if !next.answer.is_closed() {
                batch.push(next);
            }
        }
        if batch.is_empty() {
            waiting.is_written = false;
            self.is_done = true;
            return None;
        }
        Some(batch)
    }

    /// In one statement, which is a transaction; which of them are new. They are in their order, so that no two nodes wait for each
    /// other in the middle of theirs.
    async fn insert(&mut self, uses: &[(&str, i64)]) -> Result<BTreeSet<String>, StoreError> {
        let UseQueue { pool, engine, watched, .. } = &*self.queue;
        let insert = match engine {
            Engine::Postgres => {
                "INSERT INTO used (what, until_ms) SELECT used ->> 0, (used ->> 1)::bigint \
                 FROM json_array_elements($1::json) AS used ON CONFLICT DO NOTHING RETURNING what"
            }
            Engine::Sqlite => {
                "INSERT INTO used (what, until_ms) SELECT value ->> 0, value ->> 1 \
                 FROM json_each($1) WHERE true ON CONFLICT DO NOTHING RETURNING what"
            }
        };
        // It is made of strings and numbers.
        let uses = serde_json::to_string(uses).unwrap_or_default();
        let (kept, begun) = (self.connection.take(), watched.begin());
        let inserted = watched.within(async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => pool.acquire().await?,
            };
            let rows = sqlx::query(insert).bind(uses).fetch_all(&mut *connection).await?;
            let new = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            // With SQLite commands wait for it.
            Ok((new, (*engine == Engine::Postgres).then_some(connection)))
        });
        let (new, connection) = inserted.await?;
        watched.committed(StorageWrite::Uses, begun);
        self.connection = connection;
        Ok(new)
    }
}

impl Drop for Writer {
    /// Where it ends otherwise than by itself, as the runtime does, those who wait are told so, and the next begins anew.
    fn drop(&mut self) {
        if !self.is_done {
            *self.queue.lock() = Waiting::default();
        }
    }
}
