//! The database, opened.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};

use super::{StoreAddress, StoreError, migration};

/// How long a request may wait for a connection. It is undecided after that.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections that read. PostgreSQL's own default allows a hundred over all nodes.
const READERS: u32 = 8;

/// What each connection to SQLite is told. A commit is on the disk when it returns (promise 9).
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;";

/// The log and the state. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) readers: AnyPool,
    /// With SQLite the only connection that writes; with PostgreSQL the same as `readers`.
    pub(super) writer: AnyPool,
    pub(super) engine: Engine,
    /// Held as long as the store is: SQLite is one process' own.
    _lock: Option<Arc<File>>,
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
        let store = match address {
            StoreAddress::Postgres(url) => Self::open_postgres(url.as_str()).await?,
            StoreAddress::Sqlite(path) => Self::open_sqlite(path).await?,
        };
        migration::migrate(&store.writer, store.engine).await?;
        Ok(store)
    }

    async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options: AnyConnectOptions = url.parse()?;
        let pool = pool(READERS).connect_with(options).await?;
        Ok(Self { readers: pool.clone(), writer: pool, engine: Engine::Postgres, _lock: None })
    }

    async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let options = |mode: &str| format!("sqlite://{}?mode={mode}", path.display()).parse();
        let configured = |connections| {
            pool(connections).after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SQLITE_PRAGMAS).execute(connection).await.map(drop) })
            })
        };
        let writer = configured(1).connect_with(options("rwc")?).await?;
        let readers = configured(READERS).connect_with(options("rw")?).await?;
        Ok(Self { readers, writer, engine: Engine::Sqlite, _lock: Some(Arc::new(lock)) })
    }

    /// Waits until what is under way has ended, and lets go of the database.
    pub async fn close(self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

fn pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

/// Makes the database ours alone, by a lock on a file beside it that the system drops when we end, however that is.
fn lock(path: &Path) -> Result<File, StoreError> {
    let refused = |cause| StoreError::Folder { path: path.to_owned(), cause };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(beside).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(refused(cause)),
    }
}
