//! The life of keys over the real storage: restarts, several nodes, and clocks that differ.

use std::cell::Cell;
use std::collections::BTreeMap;

use keyward_authority::entity::Realm;
use keyward_authority::signing::{KeyState, rotate_now, turn, withdraw_compromised};
use keyward_authority::storage::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::node::{Node, REALM, TestClock, actor, local_keys, realm};
use crate::bench::{Bench, conformance};

conformance! {
    a_new_realm_signs_at_once_with_each_of_its_algorithms
    nodes_that_rotate_at_once_rotate_once
    a_node_looks_at_what_has_changed_and_at_what_is_due
}

/// As many nodes as there are offsets, whose clocks are that much ahead.
async fn nodes(bench: &Bench, ahead: &[i64]) -> Vec<Node> {
    let (clock, first) = (TestClock::new(), bench.open().await);
    let mut nodes = Vec::new();
    for &ahead in ahead {
        let store = if bench.is_shared() { bench.open().await } else { first.clone() };
        nodes.push(Node::new(store, clock.ahead(ahead), local_keys()));
    }
    nodes
}

async fn a_new_realm_signs_at_once_with_each_of_its_algorithms(bench: Bench) {
    let node = Node::of(&bench).await;
    let names = ["RS256", "PS256", "ES256", "EdDSA"];
    node.create(&realm(&names)).await;
    let ring = node.authority.ring(REALM).await.unwrap();
    for name in names {
        let token = ring.sign("at+jwt", b"{}", Some(name)).await.unwrap();
        assert_eq!(ring.verify(token.as_bytes(), "at+jwt").as_deref(), Some(&b"{}"[..]), "{name}");
        assert_eq!(ring.verify(token.as_bytes(), "JWT"), None);
        let cut = &token[..token.len() - 4];
        assert_eq!(ring.verify(cut.as_bytes(), "at+jwt"), None);
    }
    assert!(ring.sign("at+jwt", b"{}", Some("ES512")).await.is_err());
    let keys = node.keys(REALM).await;
    let first = keys.iter().find(|key| key.algorithm == "RS256").unwrap();
    assert_eq!(node.sign(REALM).await, first.kid);
    assert_eq!(node.turn().await, Some(node.clock.seconds() + 2000 - 660));
}

async fn nodes_that_rotate_at_once_rotate_once(bench: Bench) {
    let nodes = nodes(&bench, &[0, 7, 31, 60]).await;
    nodes[0].create(&realm(&["ES256", "EdDSA"])).await;
    for round in 1..=3 {
        nodes[0].clock.pass(1340);
        at_once(&nodes).await;
        assert_eq!(count(&nodes[0], "generated").await, 2 + 2 * round);
        assert_eq!(count(&nodes[0], "activated").await, 2 * round);
        nodes[0].clock.pass(660);
        at_once(&nodes).await;
        assert_eq!(count(&nodes[0], "generated").await, 2 + 2 * round);
        assert_eq!(count(&nodes[0], "activated").await, 2 + 2 * round);
        assert_eq!(count(&nodes[0], "passive").await, 2 * round);
        assert_eq!(nodes[3].kids(KeyState::Active).await.len(), 2);
    }
    assert_eq!(nodes[0].store().verify().await.unwrap(), vec![]);
}

/// Five times on each node, all at once.
async fn at_once(nodes: &[Node]) {
    let turns = nodes.iter().flat_map(|node| std::iter::repeat_n(node.authority.clone(), 5));
    let turns: Vec<_> =
        turns.map(|authority| tokio::spawn(async move { turn(&authority, REALM).await })).collect();
    for turn in turns {
        turn.await.unwrap().unwrap();
    }
}

async fn count(node: &Node, action: &str) -> usize {
    let action = format!("signing_key.{action}");
    node.actions().await.into_iter().filter(|said| *said == action).count()
}

async fn a_node_looks_at_what_has_changed_and_at_what_is_due(bench: Bench) {
    let mut node = nodes(&bench, &[0]).await.remove(0);
    node.rounds.round().await.unwrap();
    node.create(&realm(&["ES256"])).await;
    node.rounds.round().await.unwrap();
    // A new algorithm is wanted: somebody else set that, and nobody told this node.
    node.put(REALM, &realm(&["EdDSA"])).await;
    assert_eq!(node.kids(KeyState::Published).await.len(), 0);
    node.rounds.round().await.unwrap();
    let next = node.kid(KeyState::Published).await;
    node.clock.pass(659);
    node.rounds.round().await.unwrap();
    assert_ne!(node.sign(REALM).await, next);
    node.clock.pass(1);
    node.rounds.round().await.unwrap();
    assert_eq!(node.sign(REALM).await, next);
    // A node that was restarted knows by itself what is due.
    let mut node = Node::new(node.store().clone(), node.clock.clone(), local_keys());
    node.clock.pass(1400);
    node.rounds.round().await.unwrap();
    assert_eq!(node.kids(KeyState::Published).await.len(), 1);
    // Longer tokens of one resource server keep keys for longer.
    let server = serde_json::json!({
        "audience": "api", "enabled": true, "token_format": "jwt", "access_token_lifetime": 5000
    });
    let server: keyward_authority::entity::ResourceServer = serde_json::from_value(server).unwrap();
    node.put(REALM, &server).await;
    node.rounds.round().await.unwrap();
    let keys = node.keys(REALM).await;
    let active = keys.iter().find(|key| key.times.state() == KeyState::Active).unwrap();
    assert_eq!(active.times.longest_token, 5185);
}

/// What happens to a realm, after so many seconds.
#[derive(Clone, Debug)]
enum Happening {
    /// A node does what is due.
    Turn(usize),
    /// A node waits until something is, and does it.
    WhenDue(usize),
    /// A node forgets everything.
    Restart(usize),
    /// An operator wants other keys.
    RotateNow(usize),
    /// An operator gives up the key that signs.
    Compromised(usize),
    /// Tokens are good for so long from now on.
    Lifetime(u64),
    /// Nothing.
    Nothing,
}

fn happening() -> impl Strategy<Value = (i64, Happening)> {
    let what = prop_oneof![
        4 => (0_usize..2).prop_map(Happening::Turn),
        6 => (0_usize..2).prop_map(Happening::WhenDue),
        2 => (0_usize..2).prop_map(Happening::Restart),
        1 => (0_usize..2).prop_map(Happening::RotateNow),
        1 => (0_usize..2).prop_map(Happening::Compromised),
        1 => (60_u64..3000).prop_map(Happening::Lifetime),
        2 => Just(Happening::Nothing),
    ];
    (prop_oneof![0_i64..5, 0_i64..120, 0_i64..1500], what)
}

/// A realm, what was seen of its keys, and what was signed.
struct Model {
    nodes: Vec<Node>,
    realm: Realm,
    /// When each key was seen among the published ones first.
    seen: BTreeMap<String, i64>,
    /// When each key signed first.
    first_signed: BTreeMap<String, i64>,
    /// Until when something that each key signed is taken somewhere.
    good_until: BTreeMap<String, i64>,
    /// Those that may sign before everybody knows them: the first, and what takes the place of a compromised one.
    at_once: Vec<String>,
    compromised: Vec<String>,
}

impl Model {
    async fn new(stores: &[Store], name: String, publish_for: u64, ahead: [i64; 2]) -> Self {
        let clock = TestClock::new();
        let node = |(store, ahead): (&Store, i64)| Node::new(store.clone(), clock.ahead(ahead), local_keys());
        let nodes: Vec<_> = stores.iter().zip(ahead).map(node).collect();
        let mut realm = realm(&["ES256"]);
        realm.name = name;
        (realm.rotation.publish_for, realm.rotation.sign_for) = (publish_for, publish_for * 2);
        nodes[0].create(&realm).await;
        let at_once = nodes[0].published(&realm.name).await;
        let none = BTreeMap::new;
        let (seen, first_signed, good_until) = (none(), none(), none());
        Self { nodes, realm, seen, first_signed, good_until, at_once, compromised: vec![] }
    }

    fn now(&self) -> i64 {
        self.nodes[0].clock.ahead(0).seconds()
    }

    async fn take(&mut self, happening: &Happening) {
        let name = self.realm.name.clone();
        match *happening {
            Happening::Turn(node) => {
                turn(&self.nodes[node].authority, &name).await.unwrap();
            }
            Happening::WhenDue(node) => {
                let next = turn(&self.nodes[node].authority, &name).await.unwrap().unwrap();
                self.check().await;
                let Node { authority, clock, .. } = &self.nodes[node];
                clock.pass(next - clock.seconds());
                assert_ne!(turn(authority, &name).await.unwrap(), Some(next));
            }
            Happening::Restart(node) => {
                let Node { authority, clock, .. } = &self.nodes[node];
                self.nodes[node] = Node::new(authority.view().store().clone(), clock.clone(), local_keys());
            }
            Happening::RotateNow(node) => {
                rotate_now(&self.nodes[node].authority, actor(), &name).await.unwrap();
            }
            Happening::Compromised(node) => {
                let kid = self.nodes[node].sign(&name).await;
                withdraw_compromised(&self.nodes[node].authority, actor(), &name, &kid).await.unwrap();
                self.at_once.push(self.nodes[node].sign(&name).await);
                self.compromised.push(kid);
            }
            Happening::Lifetime(seconds) => {
                self.realm.access_token_lifetime = seconds;
                self.nodes[0].put(&name, &self.realm).await;
                turn(&self.nodes[1].authority, &name).await.unwrap();
            }
            Happening::Nothing => {}
        }
    }

    /// Every node signs a token, and all that must hold does.
    async fn check(&mut self) {
        let (now, publish_for) = (self.now(), i64::try_from(self.realm.rotation.publish_for).unwrap());
        let published = self.nodes[0].published(&self.realm.name).await;
        assert_eq!(published, self.nodes[1].published(&self.realm.name).await);
        for kid in &published {
            self.seen.entry(kid.clone()).or_insert(now);
            assert!(!self.compromised.contains(kid), "{kid} was given up");
        }
        for node in &self.nodes {
            let kid = node.sign(&self.realm.name).await;
            let lifetime = i64::try_from(self.realm.access_token_lifetime).unwrap();
            // Verifiers take it for a minute longer than its `exp`, which is by this node's clock.
            let until = node.clock.seconds() + lifetime + 60;
            let good = self.good_until.entry(kid.clone()).or_insert(until);
            *good = until.max(*good);
            self.first_signed.entry(kid).or_insert(now);
        }
        for (kid, at) in &self.first_signed {
            let known_for = at - self.seen[kid];
            assert!(
                self.at_once.contains(kid) || known_for >= publish_for,
                "{kid} was known for {known_for} s"
            );
        }
        for (kid, until) in &self.good_until {
            let is_needed = *until >= now && !self.compromised.contains(kid);
            assert!(!is_needed || published.contains(kid), "{kid} is gone, needed for {} s", until - now);
        }
        let keys = self.nodes[0].keys(&self.realm.name).await;
        let active = keys.iter().filter(|key| key.times.state() == KeyState::Active).count();
        assert_eq!(active, 1);
    }
}

fn whatever_happens_a_key_is_known_before_it_signs_and_until_nothing_it_signed_is_good(
    bench: &Bench,
    cases: u32,
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stores = runtime.block_on(async {
        let first = bench.open().await;
        let second = if bench.is_shared() { bench.open().await } else { first.clone() };
        [first, second]
    });
    let number = Cell::new(0);
    let schedules = (600_u64..2000, [0_i64..=60, 0_i64..=60], prop::collection::vec(happening(), 1..50));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 50, ..Config::default() };
    let outcome = TestRunner::new(config).run(&schedules, |(publish_for, ahead, happenings)| {
        number.set(number.get() + 1);
        runtime.block_on(async {
            let mut model = Model::new(&stores, format!("realm-{}", number.get()), publish_for, ahead).await;
            model.check().await;
            for (pause, happening) in &happenings {
                model.nodes[0].clock.pass(*pause);
                // What time brings about is seen by whoever looks, before something happens and after it.
                model.check().await;
                model.take(happening).await;
                model.check().await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn whatever_happens_keys_live_as_they_must_on_sqlite() {
    whatever_happens_a_key_is_known_before_it_signs_and_until_nothing_it_signed_is_good(&Bench::sqlite(), 24);
}

#[test]
fn whatever_happens_keys_live_as_they_must_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(bench) = runtime.block_on(Bench::postgres("whatever_happens_keys_live_as_they_must")) {
        drop(runtime);
        whatever_happens_a_key_is_known_before_it_signs_and_until_nothing_it_signed_is_good(&bench, 24);
    }
}
