//! Does what is due to the keys of every realm, when it is due. Each node does; what one has done the others find done.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::rotation::turn;
use crate::authority::Authority;
use crate::entity::{Kept, Realm, ResourceServer, SigningKey};
use crate::storage::{Position, StoreError, Versioned};

/// How often it is looked whether something is due, or has changed. A wait until the deadline would trust that no clock jumps.
const PAUSE: Duration = Duration::from_secs(1);

/// When a realm is looked at again where that failed, in seconds.
const RETRY: i64 = 10;

/// Events, or realms, that are read at once.
const BATCH: u32 = 500;

/// A task that makes the keys of every realm come and go. It ends with this.
#[derive(Debug)]
pub struct Rotation {
    task: JoinHandle<()>,
}

impl Rotation {
    /// Begins at once, with every realm.
    pub fn start(authority: Authority) -> Self {
        let task = tokio::spawn(async move {
            loop {
                // Ends the rounds when it is dropped.
                let mut running = JoinSet::new();
                running.spawn(go_round(authority.clone()));
                if let Some(Err(crash)) = running.join_next().await {
                    tracing::error!(
                        event = "rotation_crashed",
                        "the rotation of keys is started again: {crash}"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { task }
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn go_round(authority: Authority) {
    let (mut rounds, mut is_failing) = (Rounds::new(authority), false);
    loop {
        match rounds.round().await {
            Ok(()) => is_failing = false,
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::warn!(event = "rotation_delayed", "no key comes or goes just now: {error}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a node knows of when something is due: what [`Rotation`] runs, for whoever has a clock of their own.
#[derive(Debug)]
pub struct Rounds {
    authority: Authority,
    /// Up to where the log was read; none before the first round.
    seen: Option<Position>,
    /// When each realm is to be looked at, in seconds since 1970.
    due: BTreeMap<String, i64>,
}

impl Rounds {
    /// Nothing is known yet: the first round looks at every realm.
    pub const fn new(authority: Authority) -> Self {
        Self { authority, seen: None, due: BTreeMap::new() }
    }

    /// Looks at the realms that something was changed in since the last round, and at those in which something is due now. A realm
    /// in which that fails is told of in the log, and looked at again after ten seconds; the others go on.
    ///
    /// # Errors
    /// [`StoreError`]: the log cannot be read.
    pub async fn round(&mut self) -> Result<(), StoreError> {
        let now = self.authority.clock().now().wall.0;
        match self.seen {
            Some(seen) => self.follow(seen, now).await?,
            None => self.begin(now).await?,
        }
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        for realm in due.map(|(realm, _)| realm.clone()).collect::<Vec<_>>() {
            let next = self.look(&realm, now).await;
            match next {
                Some(at) => self.due.insert(realm, at),
                None => self.due.remove(&realm),
            };
        }
        Ok(())
    }

    async fn begin(&mut self, now: i64) -> Result<(), StoreError> {
        let store = self.authority.view().store();
        // What is changed while the realms are read is read again.
        let (head, mut after) = (store.head().await?, String::new());
        loop {
            let page = store.of_every_realm(Realm::KIND, &after, BATCH).await?;
            let is_last = page.len() < BATCH as usize;
            for Versioned { id, .. } in page {
                self.due.insert(id.clone(), now);
                after = id;
            }
            if is_last {
                self.seen = Some(head);
                return Ok(());
            }
        }
    }

    async fn follow(&mut self, mut seen: Position, now: i64) -> Result<(), StoreError> {
        loop {
            let events = self.authority.view().store().events(seen, BATCH).await?;
            for event in &events {
                let matters = [Realm::KIND, ResourceServer::KIND, SigningKey::KIND];
                if matters.iter().any(|kind| kind.0 == event.kind) {
                    self.due.insert(event.realm.clone(), now);
                }
                seen = event.position;
            }
            self.seen = Some(seen);
            if events.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// When it is to be looked at again; none where the realm is gone.
    async fn look(&self, realm: &str, now: i64) -> Option<i64> {
        let outcome = turn(&self.authority, realm).await;
        // Keys are opened before a request needs them. A realm that does not answer has no ring.
        if let Ok(ring) = self.authority.key_rings().ring(&self.authority, realm).await
            && let Err(error) = ring.open().await
        {
            tracing::error!(
                event = "signing_key_closed",
                realm,
                "a signing key cannot be opened here: {error}"
            );
            return Some(now.saturating_add(RETRY));
        }
        match outcome {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(event = "rotation_failed", realm, "its keys stay as they are: {error}");
                Some(now.saturating_add(RETRY))
            }
        }
    }
}
