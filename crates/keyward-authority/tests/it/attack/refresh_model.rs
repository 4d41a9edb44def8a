//! Refresh tokens against a model of them: whatever is done, in whichever order, on one node or on two at once.

use std::sync::Arc;

use keyward_authority::cause::Cause;
use keyward_authority::entity::{Realm, RefreshFamily};
use keyward_authority::http::revoke;
use keyward_authority::storage::Kind;
use keyward_authority::token::prune::prune;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::bench::Bench;
use crate::token::office::{API, ISSUER, JWT_BEARER, NOW, Office, public};

/// How long a family is known after its last token is over.
const KEPT: i64 = 7 * 86_400;

/// Who may refresh.
const CLIENTS: [&str; 2] = ["app", "till"];

#[derive(Clone, Debug)]
enum Step {
    /// A family of this client begins.
    Begin { client: usize },
    /// The realm's refresh tokens are good for so long from now on.
    Lifetime(u64),
    /// What is long over is forgotten.
    Prune,
    /// A token is revoked by its own client, or by the other.
    Revoke { token: Index, own: bool },
    /// A token is used by its own client, or by the other, on this node.
    Use { token: Index, own: bool, node: usize },
    /// Two tokens of one family are used at once, on a node each; they may be the same.
    UseTwo { token: Index, other: Index },
    /// Time goes by, in seconds.
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        3 => (0..2_usize).prop_map(|client| Step::Begin { client }),
        1 => prop::sample::select(vec![60, 3600, 86_400]).prop_map(Step::Lifetime),
        1 => Just(Step::Prune),
        1 => (index(), prop::bool::weighted(0.7)).prop_map(|(token, own)| Step::Revoke { token, own }),
        8 => (index(), prop::bool::weighted(0.9), 0..2_usize)
            .prop_map(|(token, own, node)| Step::Use { token, own, node }),
        2 => (index(), index()).prop_map(|(token, other)| Step::UseTwo { token, other }),
        3 => prop::sample::select(vec![1, 59, 60, 299, 3600, 86_399, 86_400, KEPT]).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..25)
}

/// What there should be.
#[derive(Debug, Default)]
struct Family {
    client: usize,
    /// Its tokens, the last one good.
    tokens: Vec<String>,
    /// Its access tokens, and until when each is good at most.
    access: Vec<(String, i64)>,
    ends: i64,
    revoked: bool,
    /// Whether it was forgotten.
    gone: bool,
}

impl Family {
    /// What the use of its token at this place comes to.
    fn used(&mut self, place: usize, own: bool, now: i64) -> Result<(), Cause> {
        if self.gone || !own {
            return Err(Cause::RefreshTokenUnknown);
        }
        if self.revoked {
            return Err(Cause::RefreshTokenRevoked);
        }
        if self.ends <= now {
            return Err(Cause::RefreshTokenExpired);
        }
        if place + 1 < self.tokens.len() {
            self.revoked = true;
            return Err(Cause::RefreshTokenReused);
        }
        Ok(())
    }

    /// What came of it: another pair of tokens.
    fn takes(&mut self, answer: &Value, now: i64, lifetime: u64) {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        assert!(!self.tokens.contains(&text("refresh_token")));
        self.tokens.push(text("refresh_token"));
        self.access.push((text("access_token"), now + answer["expires_in"].as_i64().unwrap()));
        self.ends = now.saturating_add_unsigned(lifetime);
    }
}

/// Two nodes of one database, and what there should be on them.
struct World {
    nodes: [Office; 2],
    families: Vec<Family>,
    lifetime: u64,
    /// How many assertions the robot made.
    made: u32,
}

impl World {
    async fn of(bench: &Bench) -> Self {
        let first = Office::on(bench.open().await).await;
        let store = if bench.is_shared() { bench.open().await } else { first.store().clone() };
        let second = first.another(store);
        first.put(&public(CLIENTS[1], &[API], &["read"])).await;
        Self { nodes: [first, second], families: Vec::new(), lifetime: 86_400, made: 0 }
    }

    fn now(&self) -> i64 {
        self.nodes[0].authority.clock().now().wall.0
    }

    /// A family, and the place of one of its tokens.
    fn pick(&self, token: &Index) -> Option<(usize, usize)> {
        let all: Vec<_> = self
            .families
            .iter()
            .enumerate()
            .flat_map(|(family, of)| (0..of.tokens.len()).map(move |place| (family, place)))
            .collect();
        (!all.is_empty()).then(|| *token.get(&all))
    }

    async fn refresh(&self, node: usize, client: &str, token: &str) -> Result<Value, Cause> {
        let shown = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.nodes[node].ask(&shown).await
    }

    async fn step(&mut self, step: &Step) {
        let now = self.now();
        match step {
            Step::Begin { client } => {
                self.made += 1;
                let assertion = self.nodes[0].assertion(&self.made.to_string()).await;
                let shown =
                    [("grant_type", JWT_BEARER), ("client_id", CLIENTS[*client]), ("assertion", &*assertion)];
                let answer = self.nodes[0].ask(&shown).await.unwrap();
                let mut family = Family { client: *client, ..Family::default() };
                family.takes(&answer, now, self.lifetime);
                self.families.push(family);
            }
            Step::Lifetime(seconds) => {
                self.lifetime = *seconds;
                self.nodes[0].change::<Realm>("main", |it| it.refresh_token_lifetime = *seconds).await;
            }
            Step::Prune => {
                prune(&self.nodes[1].authority, self.nodes[1].authority.clock().now()).await.unwrap();
                for family in &mut self.families {
                    family.gone |= family.ends + KEPT <= now;
                }
            }
            Step::Revoke { token, own } => self.revoke(token, *own).await,
            Step::Use { token, own, node } => {
                let Some((family, place)) = self.pick(token) else { return };
                let client = CLIENTS[if *own { 0 } else { 1 } ^ self.families[family].client];
                let came = self.refresh(*node, client, &self.families[family].tokens[place]).await;
                let expected = self.families[family].used(place, *own, now);
                assert_eq!(came.as_ref().map(drop).map_err(|cause| *cause), expected);
                if let Ok(answer) = came {
                    self.families[family].takes(&answer, now, self.lifetime);
                }
            }
            Step::UseTwo { token, other } => self.use_two(token, other).await,
            Step::Wait(seconds) => self.nodes[0].clock.advance(*seconds),
        }
    }

    async fn revoke(&mut self, token: &Index, own: bool) {
        let Some((family, place)) = self.pick(token) else { return };
        let of = &mut self.families[family];
        let client = CLIENTS[if own { 0 } else { 1 } ^ of.client];
        let form = [("client_id", client), ("token", of.tokens[place].as_str())];
        let request = self.nodes[1].request(&form).await;
        revoke(&self.nodes[1].authority, &request).await.unwrap();
        of.revoked |= own;
    }

    async fn use_two(&mut self, token: &Index, other: &Index) {
        let (now, lifetime) = (self.now(), self.lifetime);
        let Some((family, place)) = self.pick(token) else { return };
        let of = &self.families[family];
        let (client, other) = (CLIENTS[of.client], other.index(of.tokens.len()));
        let [one, two] = [place, other].map(|place| of.tokens[place].as_str());
        let (one, two) = tokio::join!(self.refresh(0, client, one), self.refresh(1, client, two));
        let of = &mut self.families[family];
        if of.gone || of.revoked || of.ends <= now {
            for came in [one, two] {
                assert_eq!(came.map(drop), of.used(place, true, now));
            }
            return;
        }
        // Whichever was first: of two uses one is that of an earlier token, and ends the family.
        let won: Vec<_> = [&one, &two].into_iter().flatten().collect();
        assert!(won.len() <= 1, "{one:?} {two:?}");
        for cause in [&one, &two].into_iter().filter_map(|came| came.as_ref().err()) {
            assert!([Cause::RefreshTokenReused, Cause::RefreshTokenRevoked].contains(cause), "{cause}");
        }
        if let [answer] = won.as_slice() {
            assert!([place, other].contains(&(of.tokens.len() - 1)), "an earlier one won");
            of.takes(answer, now, lifetime);
        }
        of.revoked = true;
    }

    /// Holds what is kept and what is said against what there should be.
    async fn check(&mut self) {
        let now = self.now();
        let kept = self.nodes[1].store().list(Kind("refresh_family"), "main", "", "", 500).await.unwrap();
        let kept: Vec<RefreshFamily> =
            kept.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
        assert_eq!(kept.len(), self.families.iter().filter(|family| !family.gone).count());
        for (client, name) in CLIENTS.iter().enumerate() {
            let mut is: Vec<_> = kept
                .iter()
                .filter(|family| family.client == *name)
                .map(|family| (family.generation, family.expires_at, family.revoked))
                .collect();
            let there = self.families.iter().filter(|family| family.client == client && !family.gone);
            let mut should_be: Vec<_> =
                there.map(|family| (family.tokens.len() as u64, family.ends, family.revoked)).collect();
            is.sort_unstable();
            should_be.sort_unstable();
            assert_eq!(is, should_be);
        }
        self.made += 1;
        let bearer = self.nodes[0].robot(&self.made.to_string(), &[("resource", ISSUER)]).await.unwrap();
        let bearer = bearer["access_token"].as_str().unwrap();
        for (node, family) in self.families.iter().enumerate() {
            for (text, until) in family.access.iter().rev().take(2) {
                let said = self.nodes[node % 2].introspect_by("Bearer", bearer, text).await.unwrap();
                let is_good = !family.revoked && !family.gone && now < *until;
                assert_eq!(said["active"], is_good, "{family:?} at {now}");
            }
        }
    }
}

fn holds(cases: u32, runtime: &Runtime, bench: &Bench) {
    let world = Arc::new(tokio::sync::Mutex::new(runtime.block_on(World::of(bench))));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let came = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut world = world.lock().await;
            // Families of earlier cases go: what they came to was checked.
            world.nodes[0].clock.advance(400 * 86_400);
            world.step(&Step::Prune).await;
            world.families.clear();
            for step in &steps {
                world.step(step).await;
                world.check().await;
            }
        });
        Ok(())
    });
    came.unwrap();
    runtime.block_on(async {
        let world = world.lock().await;
        assert!(world.now() > NOW && world.nodes[0].store().verify().await.unwrap().is_empty());
    });
}

#[test]
fn refresh_tokens_are_as_their_model_says_with_sqlite() {
    let runtime = Runtime::new().unwrap();
    holds(48, &runtime, &Bench::sqlite());
}

#[test]
fn refresh_tokens_are_as_their_model_says_on_two_nodes_with_postgresql() {
    let runtime = Runtime::new().unwrap();
    let bench = Bench::postgres("refresh_tokens_are_as_their_model_says");
    if let Some(bench) = runtime.block_on(bench) {
        holds(24, &runtime, &bench);
    }
}
