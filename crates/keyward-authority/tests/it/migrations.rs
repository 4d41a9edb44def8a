//! Tables that come to be, on every engine: once, whole, and never backwards.

use keyward_authority::storage::{Position, Store, StoreAddress, StoreError};
use sqlx::AnyPool;

use crate::bench::{Bench, conformance};

conformance! {
    tables_of_a_newer_version_are_left_alone
    a_migration_that_fails_leaves_nothing_and_is_done_the_next_time
    a_migration_that_somebody_else_left_halfway_is_told
}

/// The database, past the store.
async fn connect(bench: &Bench) -> AnyPool {
    sqlx::any::install_default_drivers();
    let address = match &bench.address {
        StoreAddress::Postgres(url) => url.to_string(),
        StoreAddress::Sqlite(path) => format!("sqlite://{}", path.display()),
    };
    AnyPool::connect(&address).await.unwrap()
}

async fn alter(bench: &Bench, statements: &[&'static str]) {
    bench.open().await.close().await;
    let pool = connect(bench).await;
    for statement in statements {
        sqlx::raw_sql(*statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

async fn tables_of_a_newer_version_are_left_alone(bench: Bench) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
                 SELECT 9999, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    alter(&bench, &[newer]).await;
    for opened in [Store::open(&bench.address).await, Store::open_to_read(&bench.address).await] {
        assert!(matches!(&opened, Err(StoreError::Newer { version: 9999, .. })), "{opened:?}");
    }
    alter_closed(&bench, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    assert_eq!(bench.open().await.head().await.unwrap(), Position(0));
}

async fn a_migration_that_fails_leaves_nothing_and_is_done_the_next_time(bench: Bench) {
    alter(
        &bench,
        &[
            "DELETE FROM _sqlx_migrations WHERE version >= 2",
            "DROP TABLE token",
            "DROP TABLE last_use",
            "DROP INDEX event_realm",
            "CREATE TABLE token_expires_at (is_in_the_way BIGINT)",
        ],
    )
    .await;
    // The table of the second migration is made, and then its index cannot be.
    for _ in 0..2 {
        let failed = Store::open(&bench.address).await;
        assert!(matches!(&failed, Err(StoreError::Migration(_))), "{failed:?}");
    }
    let behind = Store::open_to_read(&bench.address).await;
    assert!(matches!(&behind, Err(StoreError::Older { version: 1, .. })), "{behind:?}");
    let pool = connect(&bench).await;
    assert!(sqlx::query("SELECT * FROM token").fetch_optional(&pool).await.is_err());
    pool.close().await;
    alter_closed(&bench, "DROP TABLE token_expires_at").await;
    let store = bench.open().await;
    store.keep_token("main", "hash", 1, "{}").await.unwrap();
    assert_eq!(store.forget_tokens(1).await.unwrap(), 1);
}

async fn a_migration_that_somebody_else_left_halfway_is_told(bench: Bench) {
    alter(&bench, &["UPDATE _sqlx_migrations SET success = false WHERE version = 2"]).await;
    let told = Store::open(&bench.address).await;
    assert!(matches!(&told, Err(StoreError::HalfMigrated { version: 2 })), "{told:?}");
}

async fn alter_closed(bench: &Bench, statement: &'static str) {
    let pool = connect(bench).await;
    sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let Some(bench) = Bench::postgres("nodes_that_start_at_once").await else { return };
    let opened: Vec<_> = (0..6)
        .map(|_| {
            let address = bench.address.clone();
            tokio::spawn(async move { Store::open(&address).await.unwrap().head().await.unwrap() })
        })
        .collect();
    for head in opened {
        assert_eq!(head.await.unwrap(), Position(0));
    }
    let pool = connect(&bench).await;
    let counted = "SELECT COUNT(*) - COUNT(DISTINCT version), COUNT(*) FROM _sqlx_migrations";
    let row = sqlx::query(counted).fetch_one(&pool).await.unwrap();
    let (twice, all): (i64, i64) = (sqlx::Row::get(&row, 0), sqlx::Row::get(&row, 1));
    assert!(twice == 0 && all >= 4, "{twice} of {all} are there twice");
}
