//! B8: the key set was served empty.

use std::sync::Arc;

use http::Method;

use super::caches::Caches;
use super::inside::Pair;
use super::node::Node;
use super::nodes::{Nodes, REALM, RESOURCE, realm, token_of};
use super::steps::Steps;
use super::watch::{Watch, address, has_keys};
use super::wire::{items, says, text};
use super::{AuthorityDrill, Which};
use crate::error::RunError;

pub(super) const DRILL: AuthorityDrill = AuthorityDrill {
    name: "authority-b8",
    title: "A realm's key set is never empty",
    about: "Realms are made while their key sets are fetched: an answer has a key in it or is a 404. Keys are rotated, retired \
            and withdrawn while the set is fetched all the time. Then a node begins that cannot open the private keys, as after \
            a restore with the wrong master key: it does not start and says why, while the other one, where there is one, goes \
            on. With the right master key it is as before. At last no node runs for a year, on a clock that jumps, so that every \
            key is long overdue: the first request finds the set as it was, and a token that it verifies.",
    incidents: &["B8"],
    phases: &[
        "creation",
        "rotation-and-retirement",
        "key-store-does-not-open",
        "key-store-opens-again",
        "after-a-year-without-a-node",
    ],
    wants_two_nodes: false,
    which: Which::B8,
};

const REALMS: usize = 8;

const ROUNDS: usize = 5;

/// In seconds.
const YEAR: u64 = 365 * 86_400;

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let Some((first, last)) = nodes.ends() else {
        return Ok(());
    };
    let (_, key) = nodes.key(first, "service-accounts/robot", "jwk", None).await?;
    steps.next();
    for number in 0..REALMS {
        let name = format!("new-{number}");
        let (body, jwks) = (realm(&name), address(last, &name));
        let made = nodes.demand("realms", &body);
        tokio::pin!(made);
        loop {
            tokio::select! {
                made = &mut made => {
                    made?;
                    break;
                }
                answer = nodes.wire.json(&jwks) => {
                    let is_well = has_keys(&answer) || matches!(&answer, Some((404, _)));
                    steps.expect(is_well, || format!("{name}, while it is made: {answer:?}"));
                }
            }
        }
        let answer = nodes.wire.json(&jwks).await;
        steps.expect(has_keys(&answer), || format!("{name}, once it is made: {answer:?}"));
    }
    steps.next();
    let watches = [Watch::start(&nodes.wire, first), Watch::start(&nodes.wire, last)];
    for round in 0..ROUNDS {
        nodes.demand_of(first, Method::POST, &format!("realms/{REALM}/rotate-signing-keys"), None).await?;
        for kid in active(nodes).await? {
            let path = format!("realms/{REALM}/signing-keys/{kid}");
            let retired = nodes.call(first, Method::POST, &format!("{path}/retire"), None).await;
            steps.expect(matches!(&retired, Some((409, _))), || {
                format!("round {round}: the key that signs is retired: {retired:?}")
            });
            nodes.demand_of(last, Method::POST, &format!("{path}/withdraw-compromised"), None).await?;
        }
        let signing = active(nodes).await?;
        steps.expect(signing.len() == 1, || format!("round {round}: {} keys sign", signing.len()));
    }
    for watch in watches {
        steps.fail(watch.end().await);
    }
    steps.next();
    let refused = restart(nodes, last, &"f0".repeat(32)).await;
    let why = refused.err().map(|refused| refused.to_string());
    let is_told = why.as_ref().is_some_and(|why| why.contains("master key"));
    steps.expect(is_told, || match why {
        Some(why) => format!("it does not start, and does not say why: {why}"),
        None => "it starts without the key that opens its keys".to_owned(),
    });
    // Where there are two nodes the other one goes on.
    if nodes.all.len() > 1 {
        let watch = Watch::start(&nodes.wire, first);
        for round in 0..ROUNDS {
            let answer = nodes.ask(first, key.as_ref(), "robot", RESOURCE).await;
            steps.expect(token_of(&answer).is_some(), || {
                format!("request {round}, at node {}: {answer:?}", first.number)
            });
        }
        steps.fail(watch.end().await);
    }
    steps.next();
    restart(nodes, last, &"0f".repeat(32)).await?;
    let watch = Watch::start(&nodes.wire, last);
    let answer = nodes.ask(last, key.as_ref(), "robot", RESOURCE).await;
    steps.expect(token_of(&answer).is_some(), || format!("the first request: {answer:?}"));
    steps.fail(watch.end().await);
    steps.next();
    wake(nodes, steps).await
}

/// The first requests of a year, before a node has looked what is due, and then after it.
async fn wake(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let pair = Pair::take_over(nodes, 0).await?;
    pair.jump(YEAR);
    let [node, _] = &pair.nodes;
    let mut caches = Caches::new(Arc::clone(node.authority.clock()), node.authority.issuer(REALM));
    for what in ["before it looked what is due", "after it looked what is due"] {
        let set = node.jwk_set(REALM).await;
        steps.expect(set.is_some(), || format!("{what}, the JWK Set is empty or not there"));
        set.map_or(Ok(()), |set| caches.fetch(set))?;
        let refused = match node.token(REALM, "ES256", 300).await {
            Ok(token) => caches.verify(&token).await,
            Err(cause) => vec![cause],
        };
        steps.expect(refused.is_empty(), || format!("{what}, no good token: {}", refused.join(", ")));
        pair.round().await?;
    }
    Ok(())
}

/// The keys that sign.
pub(super) async fn active(nodes: &Nodes) -> Result<Vec<String>, RunError> {
    in_state(nodes, "active").await
}

/// The realm's signing keys in a state.
pub(super) async fn in_state(nodes: &Nodes, state: &str) -> Result<Vec<String>, RunError> {
    let Some((first, _)) = nodes.ends() else {
        return Ok(Vec::new());
    };
    let page = nodes.demand_of(first, Method::GET, &format!("realms/{REALM}/signing-keys"), None).await?;
    let keys = items(&page).filter(|key| says(key, "/state", state));
    Ok(keys.filter_map(|key| text(key, "/kid")).map(str::to_owned).collect())
}

/// A node ends, and begins with this master key.
async fn restart(nodes: &Nodes, node: &Node, key: &str) -> Result<(), RunError> {
    node.kill().await?;
    nodes.write_master_key(key)?;
    node.start(&nodes.wire).await
}
