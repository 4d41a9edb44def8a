//! The tables, and how they come to be.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr};

use super::StoreError;
use super::store::Engine;

/// In their order. One that was ever released is never changed; there is no way back.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "log and state", include_str!("../../migrations/0001-log-and-state.sql")),
    (2, "opaque tokens", include_str!("../../migrations/0002-opaque-tokens.sql")),
    (3, "last use", include_str!("../../migrations/0003-last-use.sql")),
];

/// Brings the tables up to date. Of two nodes that do so at once, one waits for the other.
pub(super) async fn migrate(pool: &AnyPool, engine: Engine) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|(version, description, sql)| {
        let sql = AssertSqlSafe(sql.replace("{text}", engine.text())).into_sql_str();
        Migration::new(*version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
    });
    Ok(Migrator::with_migrations(migrations.collect()).run(pool).await?)
}
