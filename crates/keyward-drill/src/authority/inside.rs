//! Nodes in this process, on a clock that jumps: what takes months by the machine's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use keyward::Now;
use keyward::clock::{Clock, SystemClock};
use keyward_authority::authority::Authority;
use keyward_authority::entity::{Kept as _, SigningKey};
use keyward_authority::http::jwks;
use keyward_authority::signing::{KeyState, LocalKeys, MasterKey, Rounds};
use keyward_authority::storage::{Store, StoreAddress};
use keyward_authority::view::{Follower, View};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::nodes::Nodes;
use crate::error::RunError;

/// How many entities a node remembers.
const ENTITIES: usize = 1000;

/// The machine's clocks, and what was jumped over.
#[derive(Debug)]
pub(super) struct JumpingClock {
    machine: SystemClock,
    jumped: Arc<AtomicU64>,
    /// How much later it goes than it is, in seconds.
    ahead: u64,
}

impl Clock for JumpingClock {
    fn now(&self) -> Now {
        let machine = self.machine.now();
        let later = Duration::from_secs(self.jumped.load(Ordering::SeqCst).saturating_add(self.ahead));
        Now { wall: machine.wall.saturating_add(later), mono: machine.mono.saturating_add(later) }
    }
}

/// A node that listens nowhere. It ends with this.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) number: usize,
    pub(super) authority: Authority,
    rounds: Mutex<Rounds>,
    _follower: Follower,
}

/// Two of them, in the place of those that are processes.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) nodes: [Inside; 2],
    jumped: Arc<AtomicU64>,
}

impl Pair {
    /// On the drill's database, which its processes let go of. The second one's clock is so many seconds ahead.
    pub(super) async fn take_over(nodes: &Nodes, ahead: u64) -> Result<Self, RunError> {
        for node in &nodes.all {
            node.kill().await?;
        }
        let address = nodes.storage().map_err(failed("read the address of the storage"))?;
        let store = open(&address).await?;
        let another = match &address {
            StoreAddress::Postgres(_) => open(&address).await?,
            // One process has one.
            StoreAddress::Sqlite(_) => store.clone(),
        };
        let jumped = Arc::new(AtomicU64::new(0));
        let clock = |ahead| -> Arc<dyn Clock> {
            Arc::new(JumpingClock { machine: SystemClock::new(), jumped: Arc::clone(&jumped), ahead })
        };
        let nodes = [
            Inside::new(nodes, 0, store, clock(0)).await?,
            Inside::new(nodes, 1, another, clock(ahead)).await?,
        ];
        Ok(Self { nodes, jumped })
    }

    /// It is that much later, in seconds. What the nodes remembered is too old from then on.
    pub(super) fn jump(&self, seconds: u64) {
        self.jumped.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Both look at once what is due, and do it.
    pub(super) async fn round(&self) -> Result<(), RunError> {
        let [one, other] = &self.nodes;
        let (one, other) = tokio::join!(one.round(), other.round());
        one.and(other)
    }
}

impl Inside {
    async fn new(
        nodes: &Nodes,
        number: usize,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RunError> {
        let origin = nodes.origin.parse().map_err(failed("read the origin"))?;
        let key = MasterKey::parse(&nodes.master_key()?).map_err(failed("read the master key"))?;
        let view = View::new(store, Arc::clone(&clock), ENTITIES);
        let follower = Follower::start(&view).await.map_err(failed("follow the log"))?;
        let authority = Authority::new(view, clock, &origin, Arc::new(LocalKeys::new(key)));
        let rounds = Mutex::new(Rounds::new(authority.clone()));
        Ok(Self { number, authority, rounds, _follower: follower })
    }

    async fn round(&self) -> Result<(), RunError> {
        self.rounds.lock().await.round().await.map_err(failed("look what is due"))
    }

    /// A token of the realm, good for `lifetime` seconds from now, which the key of `algorithm` signs.
    pub(super) async fn token(&self, realm: &str, algorithm: &str, lifetime: i64) -> Result<String, String> {
        let now = self.authority.clock().now().wall.0;
        let claims = json!({
            "iss": self.authority.issuer(realm), "sub": "robot", "aud": super::nodes::RESOURCE, "iat": now,
            "exp": now + lifetime, "client_id": "robot", "jti": format!("{}-{now}", self.number),
        });
        let ring = self.authority.ring(realm).await.map_err(|cause| cause.to_string())?;
        let signed = ring.sign("at+jwt", claims.to_string().as_bytes(), Some(algorithm)).await;
        signed.map_err(|cause| cause.to_string())
    }

    /// The JWK Set, as it is answered; none where it is refused, or has no key in it.
    pub(super) async fn jwk_set(&self, realm: &str) -> Option<Bytes> {
        let realm = self.authority.realm(realm).await.ok()??;
        let answer = jwks(&self.authority, &realm, &HeaderMap::new()).await.ok()?;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        let set: Value = serde_json::from_slice(&body).ok()?;
        (!set.pointer("/keys")?.as_array()?.is_empty()).then_some(body)
    }

    /// How many keys of an algorithm are in a state, by the log's head.
    pub(super) async fn count(
        &self,
        realm: &str,
        algorithm: &str,
        state: KeyState,
    ) -> Result<usize, RunError> {
        let store = self.authority.view().store();
        let listed = store.list(SigningKey::KIND, realm, "", "", ENTITIES as u32).await;
        let mut count = 0;
        for (_, body) in listed.map_err(failed("read the signing keys"))? {
            let key: SigningKey = serde_json::from_str(&body).map_err(failed("read a signing key"))?;
            count += usize::from(key.algorithm == algorithm && key.times.state() == state);
        }
        Ok(count)
    }
}

async fn open(address: &StoreAddress) -> Result<Store, RunError> {
    Store::open(address).await.map_err(failed("open the storage"))
}

/// For `map_err` on what the authority says.
pub(super) fn failed<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> RunError {
    let what = what.to_owned();
    move |error| RunError::Gateway {
        what: format!("a node in this process cannot {what}: {error}"),
        log: None,
    }
}
