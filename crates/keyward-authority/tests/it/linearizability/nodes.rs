//! Nodes that end at any moment, and a server that cuts connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::Now;
use keyward::clock::{Clock, SystemClock};
use keyward_authority::authority::Authority;
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Store, StoreAddress};
use keyward_authority::view::{Follower, View};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::chance::Chance;
use crate::bench::Bench;

pub(super) const ORIGIN: &str = "https://id.example";

/// Something that answers, until it is killed with all that is under way there.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) authority: Authority,
    under_way: Mutex<Vec<AbortHandle>>,
    _follower: Follower,
}

/// All of them, on one database.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) clock: Arc<SystemClock>,
    address: StoreAddress,
    /// With SQLite there is one store, of several views.
    shared: Option<Store>,
    places: Vec<Mutex<Option<Arc<Node>>>>,
}

impl Nodes {
    pub(super) async fn start(bench: &Bench, count: usize) -> Arc<Self> {
        let shared = if bench.is_shared() { None } else { Some(bench.open().await) };
        let (clock, address) = (Arc::new(SystemClock::new()), bench.address.clone());
        let places = (0..count).map(|_| Mutex::default()).collect();
        let nodes = Self { clock, address, shared, places };
        for place in 0..count {
            nodes.begin(place).await;
        }
        Arc::new(nodes)
    }

    /// A database handle of its own.
    pub(super) async fn store(&self) -> Store {
        match &self.shared {
            Some(store) => store.clone(),
            None => loop {
                // Connections are cut while it opens, too.
                if let Ok(store) = Store::open(&self.address).await {
                    break store;
                }
            },
        }
    }

    async fn begin(&self, place: usize) {
        let view = View::new(self.store().await, Arc::clone(&self.clock) as _, 1000);
        let follower = loop {
            if let Ok(follower) = Follower::start(&view).await {
                break follower;
            }
        };
        let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()));
        let authority = Authority::new(view, Arc::clone(&self.clock) as _, &ORIGIN.parse().unwrap(), keys);
        let node = Node { authority, under_way: Mutex::default(), _follower: follower };
        *self.places[place].lock().unwrap() = Some(Arc::new(node));
    }

    /// One that is up.
    pub(super) fn any(&self, chance: &Chance) -> Option<Arc<Node>> {
        self.places[chance.below(self.places.len())].lock().unwrap().clone()
    }

    /// All that are up.
    pub(super) fn up(&self) -> impl Iterator<Item = Arc<Node>> {
        self.places.iter().filter_map(|place| place.lock().unwrap().clone())
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.mono().0
    }

    pub(super) fn time(&self) -> Now {
        self.clock.now()
    }

    /// Cuts connections until it is aborted, and kills a node one time in so many. How often is up to chance.
    pub(super) async fn trouble(self: Arc<Self>, chance: Chance, kills_one_in: usize) {
        sqlx::any::install_default_drivers();
        let database = match &self.address {
            StoreAddress::Postgres(url) => Some(url.path().trim_start_matches('/').to_owned()),
            StoreAddress::Sqlite(_) => None,
        };
        let server = match std::env::var("KEYWARD_TEST_POSTGRES") {
            Ok(server) if database.is_some() => Some(sqlx::AnyPool::connect(&server).await.unwrap()),
            _ => None,
        };
        loop {
            sleep(Duration::from_millis(10 + chance.next() % 90)).await;
            if let (Some(server), Some(database)) = (&server, &database) {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 ORDER BY random() LIMIT 3";
                sqlx::query(cut).bind(database.as_str()).fetch_all(server).await.unwrap();
            }
            if chance.below(kills_one_in) == 0 {
                let place = chance.below(self.places.len());
                let killed = self.places[place].lock().unwrap().take();
                killed.inspect(|node| node.kill());
                sleep(Duration::from_millis(chance.next() % 50)).await;
                self.begin(place).await;
            }
        }
    }
}

impl Node {
    /// What `work` comes to; none where the node was killed meanwhile.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let task = tokio::spawn(work);
        {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.retain(|task| !task.is_finished());
            under_way.push(task.abort_handle());
        }
        match task.await {
            Ok(done) => Some(done),
            Err(ended) if ended.is_cancelled() => None,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    fn kill(&self) {
        self.under_way.lock().unwrap().iter().for_each(AbortHandle::abort);
    }
}
