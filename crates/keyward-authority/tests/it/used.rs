//! What may be used once, when many use it at the same time, on every engine.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_authority::storage::{Actor, Store, StoreAddress, StoreError};
use sqlx::AnyPool;
use tokio::task::JoinHandle;

use crate::bench::{Bench, conformance};

/// How many may wait, as the store has it.
const WAITING: usize = 5000;

conformance! {
    of_many_who_use_the_same_at_once_one_is_the_first
    who_goes_away_holds_up_nobody_and_what_was_written_stays_used
    what_fails_together_fails_for_all_and_the_next_are_written
    who_finds_too_many_waiting_is_told_so_and_the_others_get_their_turn
    a_name_that_no_database_takes_fails_alone
}

/// Two nodes where the engine has several.
async fn nodes(bench: &Bench) -> Vec<Store> {
    let one = bench.open().await;
    if bench.is_shared() { vec![one, bench.open().await] } else { vec![one] }
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

async fn execute(pool: &AnyPool, statement: &'static str) {
    sqlx::raw_sql(statement).execute(pool).await.unwrap();
}

/// Some hundred names, each used by several tasks, soon after each other and late, in an order that `seed` decides.
fn names(seed: u64) -> Vec<String> {
    (0..600_u64).map(|n| format!("{seed}/{}", (n * n + (31 + seed) * n) % 211)).collect()
}

fn use_all(nodes: &[Store], names: &[String]) -> Vec<(String, JoinHandle<Result<bool, StoreError>>)> {
    let used = names.iter().zip(nodes.iter().cycle()).map(|(name, node)| {
        let (node, what) = (node.clone(), name.clone());
        (name.clone(), tokio::spawn(async move { node.use_once(&what, 100).await }))
    });
    used.collect()
}

async fn of_many_who_use_the_same_at_once_one_is_the_first(bench: Bench) {
    let nodes = nodes(&bench).await;
    for seed in 0..4 {
        let names = names(seed);
        let mut first: BTreeMap<String, u32> = BTreeMap::new();
        for (name, used) in use_all(&nodes, &names) {
            *first.entry(name).or_default() += u32::from(used.await.unwrap().unwrap());
        }
        assert!(first.len() > 50 && first.values().all(|&times| times == 1), "{first:?}");
        for (_, again) in use_all(&nodes, &names) {
            assert!(!again.await.unwrap().unwrap());
        }
    }
}

async fn who_goes_away_holds_up_nobody_and_what_was_written_stays_used(bench: Bench) {
    let nodes = nodes(&bench).await;
    for seed in 0..4 {
        let mut first: BTreeMap<String, u32> = BTreeMap::new();
        let mut asked = use_all(&nodes, &names(seed));
        // Some go before they were heard, some while they are written, some when they were.
        for (turn, (_, used)) in asked.iter().enumerate() {
            if turn % 3 == 0 {
                used.abort();
            }
            if turn % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
        for (name, used) in asked.drain(..) {
            match used.await {
                Ok(used) => *first.entry(name).or_default() += u32::from(used.unwrap()),
                Err(gone) => assert!(gone.is_cancelled()),
            }
        }
        // Where nobody was the first, it was one that went away.
        assert!(first.len() > 50 && first.values().all(|&times| times <= 1), "{first:?}");
        for name in first.keys() {
            assert!(!nodes[0].use_once(name, 100).await.unwrap(), "{name}");
        }
    }
}

async fn what_fails_together_fails_for_all_and_the_next_are_written(bench: Bench) {
    let nodes = nodes(&bench).await;
    assert!(nodes[0].use_once("before", 100).await.unwrap());
    let pool = connect(&bench).await;
    execute(&pool, "ALTER TABLE used RENAME TO elsewhere").await;
    let names: Vec<_> = (0..50).map(|n| n.to_string()).chain(["before".to_owned()]).collect();
    for (_, used) in use_all(&nodes, &names) {
        let used = used.await.unwrap();
        assert!(matches!(&used, Err(StoreError::Together { .. })), "{used:?}");
    }
    execute(&pool, "ALTER TABLE elsewhere RENAME TO used").await;
    for (name, used) in use_all(&nodes, &names) {
        assert_eq!(used.await.unwrap().unwrap(), name != "before", "{name}");
    }
    pool.close().await;
}

async fn who_finds_too_many_waiting_is_told_so_and_the_others_get_their_turn(bench: Bench) {
    let store = bench.open().await;
    let pool = connect(&bench).await;
    // What writes waits: with SQLite for the command, with PostgreSQL for the table.
    let command = store.command(Actor("test".to_owned()), 0).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    if bench.is_shared() {
        sqlx::raw_sql("LOCK TABLE used").execute(&mut *held).await.unwrap();
    }
    let names: Vec<_> = (0..WAITING + 600).map(|n| n.to_string()).collect();
    let asked = use_all(std::slice::from_ref(&store), &names);
    while !asked.iter().any(|(_, used)| used.is_finished()) {
        tokio::task::yield_now().await;
    }
    held.rollback().await.unwrap();
    drop(command);
    let (mut first, mut refused) = (0, 0);
    for (_, used) in asked {
        match used.await.unwrap() {
            Ok(is_first) => first += usize::from(is_first),
            Err(StoreError::Full { waiting }) => refused += usize::from(waiting == WAITING),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(first >= WAITING && refused > 0 && first + refused == names.len(), "{first} {refused}");
    pool.close().await;
}

async fn a_name_that_no_database_takes_fails_alone(bench: Bench) {
    let store = bench.open().await;
    let names = ["a".to_owned(), "b\0".to_owned(), "c".repeat(1025), "d\u{1}\"\\\u{e9}".to_owned()];
    for (name, used) in use_all(std::slice::from_ref(&store), &names) {
        let is_name = name.len() <= 1024 && !name.contains('\0');
        let used = used.await.unwrap();
        assert!(
            matches!(used, Ok(true) if is_name) || matches!(used, Err(StoreError::Name { .. }) if !is_name)
        );
    }
    assert!(!store.use_once(&names[3], 100).await.unwrap());
}

/// As they are when PostgreSQL is restarted, or something between loses them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_make_nothing_new_twice() {
    let Some(bench) = Bench::postgres("connections_cut_use").await else { return };
    let (nodes, pool) = (nodes(&bench).await, connect(&bench).await);
    let cutting = tokio::spawn(async move {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = 'connections_cut_use' AND pid <> pg_backend_pid()";
        for _ in 0..20 {
            sqlx::query(cut).fetch_all(&pool).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (mut first, mut unknown) = (BTreeMap::new(), 0);
    for seed in 0.. {
        for (name, used) in use_all(&nodes, &names(seed)) {
            let (firsts, failed): &mut (u32, bool) = first.entry(name).or_default();
            match used.await.unwrap() {
                Ok(is_first) => *firsts += u32::from(is_first),
                Err(_) => (*failed, unknown) = (true, unknown + 1),
            }
        }
        if cutting.is_finished() {
            break;
        }
    }
    cutting.await.unwrap();
    assert!(unknown > 0, "a connection was cut in the middle");
    for (name, (firsts, failed)) in &first {
        assert!(*firsts == 1 || *firsts == 0 && *failed, "{name} was new {firsts} times");
    }
    // What was new stays used.
    for name in first.iter().filter(|(_, (firsts, _))| *firsts == 1).map(|(name, _)| name) {
        let again = loop {
            // A connection that was cut just now fails what is asked next of it.
            if let Ok(again) = nodes[1].use_once(name, 100).await {
                break again;
            }
        };
        assert!(!again, "{name}");
    }
}
