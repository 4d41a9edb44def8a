//! One suite for every engine: SQLite always, PostgreSQL where `KEYWARD_TEST_POSTGRES` is the address of a server.

use keyward_authority::storage::{Store, StoreAddress};

/// A database of a test's own.
pub(crate) struct Bench {
    pub(crate) address: StoreAddress,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = StoreAddress::Sqlite(folder.path().join("authority.db"));
        Self { address, _folder: folder }
    }

    /// None where no server is named.
    pub(crate) async fn postgres(test: &str) -> Option<Self> {
        let server = std::env::var("KEYWARD_TEST_POSTGRES").ok()?;
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&server).await.unwrap();
        for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
            let statement = sqlx::AssertSqlSafe(format!("{statement} {test}"));
            sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        }
        let mut url: url::Url = server.parse().unwrap();
        url.set_path(test);
        Some(Self { address: StoreAddress::Postgres(url), _folder: tempfile::tempdir().unwrap() })
    }

    /// Whether several processes may open it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.address, StoreAddress::Postgres(_))
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.address).await.unwrap()
    }
}

/// Each test, on each engine.
macro_rules! conformance {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::bench::Bench::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(bench) = crate::bench::Bench::postgres(stringify!($name)).await {
                    super::$name(bench).await;
                }
            })*
        }
    };
}

pub(crate) use conformance;
