//! B20: two replicas rotated at once, and left an empty or a split key set.

use http::Method;

use super::activation;
use super::b8::{active, in_state};
use super::nodes::{Nodes, REALM, RESOURCE, token_of};
use super::steps::Steps;
use super::watch::Watch;
use super::{AuthorityDrill, Which};
use crate::error::RunError;

pub(super) const DRILL: AuthorityDrill = AuthorityDrill {
    name: "authority-b20",
    title: "Two nodes rotate at once: one key signs, and no token is refused",
    about: "Two nodes on one PostgreSQL are told to rotate at the same moment, again and again, while tokens are asked for at \
            both and introspected at the other. There is one key that signs and one successor, however often. Then the key \
            that signs is withdrawn at both nodes at once: its successor signs at once, alone, and what is issued from then \
            on is good at both. The key set has a key in it all the time. At last two nodes in this process, on a clock that \
            jumps, find the same keys due at the same moment: ten keys of each of two algorithms are published, sign, and \
            are withdrawn, and what is signed at either node is taken by whoever fetched the key set within the last ten \
            minutes, until it is over.",
    incidents: &["B20", "B8"],
    phases: &["rotation-at-once", "withdrawal-at-once", "activation-at-once"],
    wants_two_nodes: true,
    which: Which::B20,
};

const ROUNDS: usize = 10;

/// Tokens that are asked for at each node while it rotates.
const TOKENS: usize = 3;

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let Some((first, last)) = nodes.ends() else {
        return Ok(());
    };
    let (_, key) = nodes.key(first, "service-accounts/robot", "jwk", None).await?;
    let watches = [Watch::start(&nodes.wire, first), Watch::start(&nodes.wire, last)];
    steps.next();
    let mut issued = Vec::new();
    let rotate = format!("realms/{REALM}/rotate-signing-keys");
    for round in 0..ROUNDS {
        let traffic = async {
            let mut answers = Vec::new();
            for _ in 0..TOKENS {
                for node in [first, last] {
                    answers.push(nodes.ask(node, key.as_ref(), "robot", RESOURCE).await);
                }
            }
            answers
        };
        let (one, other, answers) = tokio::join!(
            nodes.call(first, Method::POST, &rotate, None),
            nodes.call(last, Method::POST, &rotate, None),
            traffic
        );
        for done in [one, other] {
            steps.expect(matches!(&done, Some((204, _))), || format!("round {round}: {done:?}"));
        }
        for answer in answers {
            steps.expect(token_of(&answer).is_some(), || format!("round {round}: no token: {answer:?}"));
            issued.extend(token_of(&answer).map(str::to_owned));
        }
        expect_one(nodes, steps, round).await?;
    }
    expect_good(nodes, steps, key.as_ref(), &issued).await;
    steps.next();
    for round in 0..ROUNDS {
        let Some(kid) = active(nodes).await?.pop() else {
            break;
        };
        let withdraw = format!("realms/{REALM}/signing-keys/{kid}/withdraw-compromised");
        let (one, other) = tokio::join!(
            nodes.call(first, Method::POST, &withdraw, None),
            nodes.call(last, Method::POST, &withdraw, None)
        );
        for done in [one, other] {
            steps.expect(matches!(&done, Some((204, _))), || format!("round {round}: {done:?}"));
        }
        let withdrawn_signs = active(nodes).await?.contains(&kid);
        steps.expect(!withdrawn_signs, || format!("round {round}: the key that was withdrawn signs"));
        expect_one(nodes, steps, round).await?;
        // Asked for by keys that a node read before, a token may still come from the withdrawn key; that is over by then.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let mut issued = Vec::new();
        for node in [first, last] {
            let answer = nodes.ask(node, key.as_ref(), "robot", RESOURCE).await;
            steps.expect(token_of(&answer).is_some(), || format!("round {round}: no token: {answer:?}"));
            issued.extend(token_of(&answer).map(str::to_owned));
        }
        expect_good(nodes, steps, key.as_ref(), &issued).await;
    }
    for watch in watches {
        steps.fail(watch.end().await);
    }
    steps.next();
    activation::play(nodes, steps).await
}

/// One key signs, and at most one is to follow it.
async fn expect_one(nodes: &Nodes, steps: &mut Steps<'_>, round: usize) -> Result<(), RunError> {
    let (active, published) = (active(nodes).await?, in_state(nodes, "published").await?);
    steps.expect(active.len() == 1, || format!("round {round}: {} keys sign", active.len()));
    steps.expect(published.len() <= 1, || format!("round {round}: {} keys are to follow", published.len()));
    Ok(())
}

/// Each token is good at both nodes.
async fn expect_good(
    nodes: &Nodes,
    steps: &mut Steps<'_>,
    key: &dyn keyward_jose::Signer,
    issued: &[String],
) {
    for node in &nodes.all {
        let answer = nodes.ask(node, key, "robot", &nodes.issuer()).await;
        let Some(bearer) = token_of(&answer) else {
            steps.expect(false, || format!("no token for introspection: {answer:?}"));
            continue;
        };
        for token in issued {
            let is_active = nodes.is_active(node, bearer, token).await;
            steps.expect(is_active, || format!("a token is refused at node {}", node.number));
        }
    }
}
