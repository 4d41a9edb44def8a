//! That the log has grown, heard of before it is looked for.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::command::CHANNEL;
use super::{Position, Store};

/// The pauses after a connection that failed: the first, and the longest. The log is polled meanwhile.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long nothing may be said before the connection is tried: one that hangs says nothing either.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the server may take for anything else.
const ANSWER: Duration = Duration::from_secs(2);

/// Hears of the log's growth for as long as it lives.
#[derive(Debug)]
pub(crate) struct Ears {
    grown: watch::Receiver<Position>,
    listening: Option<JoinHandle<()>>,
}

impl Store {
    /// Hears of what this process does, and with PostgreSQL of what every node does. What is missed is only heard of later.
    pub(crate) fn listen(&self) -> Ears {
        let listening = self.postgres.as_ref().map(|url| {
            let (url, grown) = (Arc::clone(url), Arc::clone(&self.grown));
            tokio::spawn(async move { listen(&url, &grown).await })
        });
        Ears { grown: self.grown.subscribe(), listening }
    }
}

impl Ears {
    /// Waits until the log has grown since this was last asked, as far as anybody says so.
    pub(crate) async fn grown(&mut self) {
        if self.grown.changed().await.is_err() {
            // The store is gone, and nobody will say anything.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// Says that the log has grown to `head`.
pub(super) fn heard(grown: &watch::Sender<Position>, head: Position) {
    grown.send_if_modified(|known| {
        let is_news = head > *known;
        *known = head.max(*known);
        is_news
    });
}

async fn listen(url: &str, grown: &watch::Sender<Position>) {
    let (first, longest) = PAUSES;
    let mut pause = first;
    loop {
        let connected = connect(url).await;
        let lost = match connected {
            Ok(mut listener) => {
                if std::mem::replace(&mut pause, first) != first {
                    tracing::info!(
                        event = "log_notifications_heard",
                        "PostgreSQL says again when the log grows"
                    );
                }
                // What was said until now is lost.
                grown.send_modify(|_| {});
                hear(&mut listener, grown).await
            }
            Err(error) => error,
        };
        if pause == first {
            tracing::warn!(
                event = "log_notifications_lost",
                "PostgreSQL does not say when the log grows, it is polled: {lost}"
            );
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

async fn connect(url: &str) -> Result<PgListener, sqlx::Error> {
    let once = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = once.acquire_timeout(ANSWER).connect(url).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    answered(listener.listen(CHANNEL)).await?;
    Ok(listener)
}

/// Passes on what is said, and returns why nothing is any more.
async fn hear(listener: &mut PgListener, grown: &watch::Sender<Position>) -> sqlx::Error {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(said))) => match said.payload().parse() {
                Ok(head) => heard(grown, Position(head)),
                // Somebody else speaks on our channel.
                Err(_) => grown.send_modify(|_| {}),
            },
            Ok(Ok(None)) => return std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into(),
            Ok(Err(error)) => return error,
            Err(_) => {
                if let Err(error) = answered(sqlx::query("SELECT 1").execute(&mut *listener)).await {
                    return error;
                }
            }
        }
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Action, Actor, Change, Entity, Kind, StoreAddress};

    async fn commit(store: &Store) {
        let mut command = store.command(Actor("test".to_owned()), 0).await.unwrap();
        let entity = Entity { kind: Kind("key"), realm: "main".to_owned(), id: "a".to_owned() };
        let change = Change { action: Action("test.put"), entity, body: Some("{}".to_owned()) };
        command.append(&change).await.unwrap();
        command.commit().await.unwrap();
    }

    /// Whether it hears of what `store` does, within a few seconds of doing something.
    async fn hears(ears: &mut Ears, store: &Store) -> bool {
        ears.grown.mark_unchanged();
        commit(store).await;
        timeout(Duration::from_secs(5), ears.grown()).await.is_ok()
    }

    #[tokio::test]
    async fn a_process_hears_of_what_it_does_itself() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreAddress::Sqlite(folder.path().join("a.db"))).await.unwrap();
        assert!(hears(&mut store.listen(), &store).await);
    }

    #[tokio::test]
    async fn a_node_hears_of_what_others_do_also_after_its_connection_was_cut() {
        let Ok(server) = std::env::var("KEYWARD_TEST_POSTGRES") else { return };
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&server).await.unwrap();
        for statement in ["DROP DATABASE IF EXISTS a_node_hears", "CREATE DATABASE a_node_hears"] {
            sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        }
        let mut url: url::Url = server.parse().unwrap();
        url.set_path("a_node_hears");
        let address = StoreAddress::Postgres(url);
        let (one, other) = (Store::open(&address).await.unwrap(), Store::open(&address).await.unwrap());
        let mut ears = one.listen();
        // That it listens is heard, too.
        ears.grown().await;
        assert!(hears(&mut ears, &other).await);
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'a_node_hears' AND query LIKE 'LISTEN%'";
        assert_eq!(sqlx::query(cut).fetch_all(&pool).await.unwrap().len(), 1);
        // It listens again, and takes it that something was said meanwhile.
        timeout(Duration::from_secs(10), ears.grown()).await.unwrap();
        assert!(hears(&mut ears, &other).await);
    }
}
