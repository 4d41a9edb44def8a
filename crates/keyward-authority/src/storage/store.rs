//! The database, opened.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyPool, AssertSqlSafe, Connection, Row, SqlSafeStr, Transaction};
use tokio::sync::watch;
use url::Url;

use super::use_queue::UseQueue;
use super::watched::Watched;
use super::{Position, StoreAddress, StoreError, files, migration};

/// How long a request may wait for a connection, or for the commands of others. It is undecided after that.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long nothing may have been asked of a connection that is taken to be there.
const TRUSTED: Duration = Duration::from_secs(1);

/// Connections that read. PostgreSQL's own default allows a hundred over all nodes.
const READERS: u32 = 8;

/// Connections of commands, with PostgreSQL: one holds the head, others wait for it, and no read waits behind them.
const COMMANDS: u32 = 4;

/// What each connection to PostgreSQL is told. A node that hangs, or that the network has cut off, in the middle of a command does
/// not hold the head for longer than this; whoever waits for it is told so after 2 s, as for a connection.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '2s'; \
     SET idle_in_transaction_session_timeout = '5s'";

/// What a reader of SQLite is told that is not its owner.
const SQLITE_READER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// What each connection to SQLite is told. A commit is on the disk when it returns (promise 9).
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;";

/// The log and the state. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) readers: AnyPool,
    /// With SQLite the only connection that writes; with PostgreSQL those of commands.
    pub(super) writer: AnyPool,
    pub(super) engine: Engine,
    /// Where PostgreSQL says that the log has grown.
    pub(super) postgres: Option<Arc<str>>,
    /// The highest position that this node heard of.
    pub(super) grown: Arc<watch::Sender<Position>>,
    /// What waits to be used once.
    pub(super) uses: Arc<UseQueue>,
    /// Who counts what the database takes.
    pub(super) watched: Arc<Watched>,
    /// Held as long as the store is: SQLite is one process' own.
    lock: Option<Arc<File>>,
}

/// Which database it is, where that matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Engine {
    Postgres,
    Sqlite,
}

impl Engine {
    /// Its type for text that is ordered by octets, whatever language the server is set to.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Postgres => "TEXT COLLATE \"C\"",
            Self::Sqlite => "TEXT",
        }
    }
}

impl Store {
    /// Opens a database, and makes or updates its tables.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(address: &StoreAddress) -> Result<Self, StoreError> {
        install_default_drivers();
        match address {
            StoreAddress::Postgres(url) => {
                // On a connection of its own: a node may wait for another that migrates for as long as that takes.
                let options: AnyConnectOptions = url.as_str().parse()?;
                let migrating = pool(1, "").connect_with(options).await?;
                let migrated = migration::migrate(&migrating, Engine::Postgres).await;
                // The lock of a migration goes with its connection, however that ended.
                migrating.close().await;
                migrated?;
                Self::open_postgres(url.as_str(), POSTGRES_SETTINGS).await
            }
            StoreAddress::Sqlite(path) => {
                let lock = files::lock(path)?;
                files::create(path).map_err(|cause| StoreError::Folder { path: path.to_owned(), cause })?;
                let writer = pool(1, SQLITE_PRAGMAS).connect_with(sqlite(path)?).await?;
                migration::migrate(&writer, Engine::Sqlite).await?;
                let readers = pool(READERS, SQLITE_PRAGMAS).connect_with(sqlite(path)?).await?;
                Ok(Self::new(readers, writer, Engine::Sqlite, Some(lock), None))
            }
        }
    }

    /// Opens a database that may be in use, to look at it: to back up, export or verify. Nothing can be changed through it, and its
    /// tables have to be this version's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_to_read(address: &StoreAddress) -> Result<Self, StoreError> {
        install_default_drivers();
        let store = match address {
            StoreAddress::Postgres(url) => {
                let settings = format!("{POSTGRES_SETTINGS}; SET default_transaction_read_only = on");
                Self::open_postgres(url.as_str(), &settings).await?
            }
            StoreAddress::Sqlite(path) => {
                // SQLite's own words for a file that is not there do not name it.
                File::open(path).map_err(|cause| StoreError::Folder { path: path.to_owned(), cause })?;
                let readers = pool(1, SQLITE_READER_PRAGMAS).connect_with(sqlite(path)?).await?;
                Self::new(readers.clone(), readers, Engine::Sqlite, None, None)
            }
        };
        migration::check(&store.readers).await?;
        Ok(store)
    }

    async fn open_postgres(url: &str, settings: &str) -> Result<Self, StoreError> {
        let options: AnyConnectOptions = url.parse()?;
        let readers = pool(READERS, settings).connect_with(options.clone()).await?;
        let writer = pool(COMMANDS, settings).connect_lazy_with(options);
        Ok(Self::new(readers, writer, Engine::Postgres, None, Some(url.into())))
    }

    fn new(
        readers: AnyPool,
        writer: AnyPool,
        engine: Engine,
        lock: Option<File>,
        postgres: Option<Arc<str>>,
    ) -> Self {
        let grown = Arc::new(watch::Sender::new(Position(0)));
        let watched = Arc::new(Watched::default());
        let beside = beside_commands(engine, &readers, &writer).clone();
        let uses = Arc::new(UseQueue::new(beside, engine, Arc::clone(&watched)));
        Self { readers, writer, engine, postgres, grown, uses, watched, lock: lock.map(Arc::new) }
    }

    /// A transaction that holds the head's row, and where the head is. It waits for others that are under way.
    pub(super) async fn hold_head(&self) -> Result<(Transaction<'static, Any>, Position), StoreError> {
        let begun = self.watched.begin();
        let held = async {
            let mut transaction = match self.engine {
                Engine::Postgres => self.writer.begin().await?,
                // Without it SQLite would take its lock at the first write, and fail where somebody else did before.
                Engine::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            };
            let head =
                sqlx::query("UPDATE log_head SET position = position WHERE one = 1 RETURNING position")
                    .fetch_one(&mut *transaction)
                    .await?
                    .try_get(0)?;
            Ok((transaction, Position(head)))
        };
        let held = match tokio::time::timeout(ACQUIRE_TIMEOUT, held).await {
            Ok(held) => held
                .map_err(|error: sqlx::Error| self.watched.failed(error.into()))
                .inspect(|_| self.watched.succeeded()),
            Err(_) => Err(self.watched.failed(StoreError::Busy { seconds: ACQUIRE_TIMEOUT.as_secs() })),
        };
        // Who was not let in waited as well.
        self.watched.held_head(begun);
        held
    }

    /// Where something is written that is no command: with PostgreSQL it waits for none.
    pub(super) fn beside_commands(&self) -> &AnyPool {
        beside_commands(self.engine, &self.readers, &self.writer)
    }

    /// Waits until what is under way has ended, and lets go of the database, whoever still holds a clone: it can do nothing more.
    pub async fn close(self) {
        self.writer.close().await;
        self.readers.close().await;
        // A task that was told to end may hold it until it is woken, and the next node need not wait for that.
        if let Some(Err(error)) = self.lock.map(|lock| lock.unlock()) {
            tracing::warn!(event = "storage_lock_kept", "the database's lock is kept until we end: {error}");
        }
    }
}

const fn beside_commands<'a>(engine: Engine, readers: &'a AnyPool, writer: &'a AnyPool) -> &'a AnyPool {
    match engine {
        Engine::Postgres => readers,
        Engine::Sqlite => writer,
    }
}

impl Store {
    /// A transaction that sees the database as it is at one moment, for something that goes over all of it.
    pub(super) async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut transaction = match self.engine {
            Engine::Postgres => {
                self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?
            }
            Engine::Sqlite => self.readers.begin().await?,
        };
        unbounded(&mut transaction, self.engine).await?;
        Ok(transaction)
    }
}

/// Takes away the bound on a statement, for one that goes over everything. What it waits for stays bounded.
pub(super) async fn unbounded(
    transaction: &mut Transaction<'static, Any>,
    engine: Engine,
) -> Result<(), StoreError> {
    if engine == Engine::Postgres {
        let settings =
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '60s'";
        sqlx::raw_sql(settings).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Connections that are told `settings` when they are made.
fn pool(connections: u32, settings: &str) -> AnyPoolOptions {
    let settings = AssertSqlSafe(settings.to_owned()).into_sql_str();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // By default each is asked whether it is there, before every statement.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for >= TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
        })
}

fn sqlite(path: &Path) -> Result<AnyConnectOptions, StoreError> {
    let refused = |cause| StoreError::Folder { path: path.to_owned(), cause };
    // Whatever it is called: in an address a question mark, a percent sign or a capital in the first folder would mean something.
    let file = std::path::absolute(path).map_err(refused)?;
    let address = Url::from_file_path(file).map_err(|()| refused(std::io::ErrorKind::InvalidInput.into()))?;
    Ok(format!("sqlite://{}?mode=rw", address.path()).parse()?)
}
