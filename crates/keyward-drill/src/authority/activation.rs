//! Keys that come and go as by default, at two nodes at once: published, active, passive and withdrawn, again and again.

use std::collections::VecDeque;
use std::sync::Arc;

use keyward_authority::entity::Realm;
use keyward_authority::operations;
use keyward_authority::signing::{KeyState, SHORTEST_PUBLICATION};
use keyward_authority::storage::Actor;

use super::caches::Caches;
use super::inside::{Pair, failed};
use super::nodes::Nodes;
use super::steps::Steps;
use crate::error::RunError;

const REALM: &str = "life";

const ALGORITHMS: [&str; 2] = ["ES256", "EdDSA"];

/// What time jumps by, in seconds. A key is due between two jumps, so that both nodes find it so at once.
const STEP: u64 = 60;

/// How long a key signs, in seconds: no longer than it has to be known before.
const SIGN_FOR: u64 = 2 * SHORTEST_PUBLICATION;

/// For how long tokens are good, in seconds.
const LIFETIME: u64 = 300;

/// How many keys of each algorithm sign one after the other, at least.
const ROTATIONS: usize = 10;

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let pair = Pair::take_over(nodes, 0).await?;
    let [first, _] = &pair.nodes;
    let mut realm = Realm::new(REALM);
    realm.access_token_lifetime = LIFETIME;
    realm.rotation.algorithms = ALGORITHMS.map(str::to_owned).into();
    (realm.rotation.publish_for, realm.rotation.sign_for) = (SHORTEST_PUBLICATION, SIGN_FOR);
    let made = operations::create(&first.authority, &Actor("drill".to_owned()), REALM, realm).await;
    made.map_err(failed("make a realm"))?;
    let mut caches = Caches::new(Arc::clone(first.authority.clock()), first.authority.issuer(REALM));
    // Tokens that are good, each with the jump at which it is not any more.
    let mut good: VecDeque<(u64, String)> = VecDeque::new();
    for jump in 0..jumps() {
        // Somebody fetches right before the keys change: nobody has an older set for longer.
        for node in pair.nodes.iter().filter(|node| node.number as u64 == jump % 2) {
            let set = node.jwk_set(REALM).await;
            steps.expect(set.is_some(), || format!("{}: node {} has no key set", at(jump), node.number));
            set.map_or(Ok(()), |set| caches.fetch(set))?;
        }
        pair.round().await?;
        expect_one(&pair, steps, jump).await?;
        for (node, algorithm) in pair.nodes.iter().flat_map(|node| ALGORITHMS.map(|name| (node, name))) {
            match node.token(REALM, algorithm, LIFETIME.cast_signed()).await {
                Err(cause) => steps.expect(false, || {
                    format!("{}: no {algorithm} token of node {}: {cause}", at(jump), node.number)
                }),
                Ok(token) => {
                    let refused = caches.verify(&token).await;
                    steps.expect(refused.is_empty(), || {
                        let (at, number, count) = (at(jump), node.number, refused.len());
                        let first = refused.first().map_or("", String::as_str);
                        format!(
                            "{at}: a new {algorithm} token of node {number} is refused by {count}: {first}"
                        )
                    });
                    good.push_back((jump + LIFETIME / STEP, token));
                }
            }
        }
        while good.front().is_some_and(|(end, _)| *end <= jump) {
            good.pop_front();
        }
        for (end, token) in &good {
            let refused = caches.verify_by_newest(token).await;
            steps.expect(refused.is_none(), || {
                let (at, left) = (at(jump), (end - jump) * STEP);
                format!(
                    "{at}: a token that is good for {left} s more is refused: {}",
                    refused.unwrap_or_default()
                )
            });
        }
        pair.jump(STEP);
    }
    for algorithm in ALGORITHMS {
        let withdrawn = first.count(REALM, algorithm, KeyState::Retired).await?;
        steps.expect(withdrawn >= ROTATIONS - 1, || {
            format!("only {withdrawn} {algorithm} keys came to their end, and {ROTATIONS} were to sign")
        });
    }
    Ok(())
}

/// One key of each algorithm signs, and at most one is to follow it.
async fn expect_one(pair: &Pair, steps: &mut Steps<'_>, jump: u64) -> Result<(), RunError> {
    let [first, _] = &pair.nodes;
    for algorithm in ALGORITHMS {
        let active = first.count(REALM, algorithm, KeyState::Active).await?;
        steps.expect(active == 1, || format!("{}: {active} {algorithm} keys sign", at(jump)));
        let published = first.count(REALM, algorithm, KeyState::Published).await?;
        steps.expect(published <= 1, || format!("{}: {published} {algorithm} keys are to follow", at(jump)));
    }
    Ok(())
}

/// As many as it takes until so many keys have signed, and the last of them is withdrawn.
const fn jumps() -> u64 {
    (ROTATIONS as u64 * SIGN_FOR + SHORTEST_PUBLICATION) / STEP
}

fn at(jump: u64) -> String {
    format!("after {} s", jump * STEP)
}
