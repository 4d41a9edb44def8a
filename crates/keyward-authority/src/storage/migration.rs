//! The tables, and how they come to be.

use std::borrow::Cow;
use std::cmp::Ordering;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, Row, SqlSafeStr};

use super::StoreError;
use super::store::Engine;

/// In their order. One that was ever released is never changed; there is no way back.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "log and state", include_str!("../../migrations/0001-log-and-state.sql")),
    (2, "opaque tokens", include_str!("../../migrations/0002-opaque-tokens.sql")),
    (3, "last use", include_str!("../../migrations/0003-last-use.sql")),
    (4, "events of a realm", include_str!("../../migrations/0004-events-of-a-realm.sql")),
];

/// Brings the tables up to date. Of two nodes that do so at once, one waits for the other.
pub(super) async fn migrate(pool: &AnyPool, engine: Engine) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|(version, description, sql)| {
        let sql = AssertSqlSafe(sql.replace("{text}", engine.text())).into_sql_str();
        Migration::new(*version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
    });
    match Migrator::with_migrations(migrations.collect()).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::Dirty(version)) => Err(StoreError::HalfMigrated { version }),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { version, known: known() }),
        Err(error) => Err(error.into()),
    }
}

/// Whether the tables are this version's.
pub(super) async fn check(pool: &AnyPool) -> Result<(), StoreError> {
    let known = known();
    let version = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await;
    let version: i64 = match version {
        Ok(row) => row.try_get(0)?,
        // There is no such table.
        Err(sqlx::Error::Database(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    match version.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { version, known }),
        Ordering::Less => Err(StoreError::Older { version, known }),
    }
}

/// The last migration.
fn known() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}
