//! A database that does not do what it is asked, as the log tells of it.

use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keyward::clock::Clock;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::authority::Authority;
use keyward_authority::observer::Unobserved;
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::StoreAddress;
use keyward_authority::view::View;
use serde_json::{Value, json};

use crate::bench::Bench;

/// Seconds, which pass when they are told to.
#[derive(Debug, Default)]
struct Seconds(AtomicU64);

impl Seconds {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Seconds {
    fn now(&self) -> Now {
        Now { wall: UnixTime(1_800_000_000), mono: MonoTime(self.0.load(Ordering::SeqCst) * 1_000_000_000) }
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines of events whose names begin so.
    fn take(&self, event: &str) -> Vec<Value> {
        let octets = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = String::from_utf8(octets).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"].as_str().is_some_and(|name| name.starts_with(event))).collect()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const ALONE: &str = "KEYWARD_TEST_ALONE";

/// What else runs in this process decides with this test which lines are written at all: so it looks from a process of its own.
#[tokio::test]
async fn a_flood_of_requests_while_the_database_is_down_is_a_line_a_minute() {
    if std::env::var_os(ALONE).is_some() {
        return a_flood_is_seen().await;
    }
    let name = "outage::a_flood_of_requests_while_the_database_is_down_is_a_line_a_minute";
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

async fn a_flood_is_seen() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _logged = tracing::subscriber::set_default(subscriber.finish());

    let bench = Bench::sqlite();
    let StoreAddress::Sqlite(file) = &bench.address else { panic!("it is SQLite's") };
    let clock = Arc::new(Seconds::default());
    let view = View::new(bench.open().await, Arc::clone(&clock) as _, 10);
    let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()));
    let issuer = "https://issuer.example".parse().unwrap();
    let authority =
        Authority::new(view, Arc::clone(&clock) as _, &issuer, keys).with_observer(Arc::new(Unobserved));
    let database = sqlx::AnyPool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    assert!(authority.realm("main").await.unwrap().is_none());
    assert_eq!(log.take("storage_"), [] as [Value; 0]);

    rename(&database, "state", "gone").await;
    for second in 0..130 {
        for _ in 0..30 {
            assert!(authority.realm("main").await.is_err(), "second {second}");
        }
        clock.pass(1);
    }
    let told = |line: &Value| json!([line["event"], line["error"], line["failures"], line["seconds"]]);
    let lines = log.take("storage_");
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            json!(["storage_unavailable", "refused", 1, 0]),
            json!(["storage_unavailable", "refused", 1801, 60]),
            json!(["storage_unavailable", "refused", 3601, 120]),
        ]
    );

    rename(&database, "gone", "state").await;
    clock.pass(5);
    for _ in 0..30 {
        assert!(authority.realm("main").await.unwrap().is_none());
    }
    let lines = log.take("storage_");
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), [json!(["storage_available", null, 3900, 129])]);

    let unreadable =
        "INSERT INTO state (kind, realm, id, position, body) VALUES ('realm', 'main', 'main', 1, '{}')";
    sqlx::query(unreadable).execute(&database).await.unwrap();
    for _ in 0..300 {
        assert!(authority.realm("main").await.is_err());
    }
    assert_eq!(log.take("").len(), 20, "and 280 that were left out");
    clock.pass(1);
    assert!(authority.realm("main").await.is_err());
    let lines = log.take("entity_unreadable");
    assert_eq!((lines.len(), &lines[0]["left_out"]), (1, &280.into()));
}

async fn rename(database: &sqlx::AnyPool, from: &str, to: &str) {
    let statement = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
    sqlx::raw_sql(statement).execute(database).await.unwrap();
}
