//! Somebody who fetches the JWK Set all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::node::Node;
use super::nodes::REALM;
use super::wire::{Answer, Wire};

/// Between two fetches.
const PAUSE: Duration = Duration::from_millis(5);

/// Fetches on until it is asked what it saw.
#[derive(Debug)]
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    fetched: Arc<AtomicU64>,
    task: JoinHandle<Vec<String>>,
}

impl Watch {
    /// Of the drill's realm, at a node.
    pub(super) fn start(wire: &Wire, node: &Node) -> Self {
        let (is_over, fetched) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn({
            let (wire, address) = (wire.clone(), address(node, REALM));
            let (is_over, fetched) = (Arc::clone(&is_over), Arc::clone(&fetched));
            async move {
                let mut wrong = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let answer = wire.json(&address).await;
                    if !has_keys(&answer) {
                        wrong.push(format!("the JWK Set is {answer:?}"));
                    }
                    fetched.fetch_add(1, Ordering::Relaxed);
                    sleep(PAUSE).await;
                }
                wrong
            }
        });
        Self { is_over, fetched, task }
    }

    /// What was not as it should be, or that nothing was seen.
    pub(super) async fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        let wrong = self.task.await.unwrap_or_else(|error| vec![error.to_string()]);
        match self.fetched.load(Ordering::Relaxed) {
            0 => vec!["the JWK Set was never fetched".to_owned()],
            _ => wrong,
        }
    }
}

/// Where a realm's JWK Set is.
pub(super) fn address(node: &Node, realm: &str) -> String {
    format!("{}/realms/{realm}/jwks", node.address)
}

/// Whether it is a JWK Set with a key in it.
pub(super) fn has_keys(answer: &Option<Answer>) -> bool {
    let keys = |body: &Value| body.pointer("/keys").and_then(Value::as_array).map_or(0, Vec::len);
    answer.as_ref().is_some_and(|(status, body)| *status == 200 && keys(body) > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_without_a_key_is_none() {
        assert!(has_keys(&Some((200, json!({ "keys": [{}] })))));
        for answer in [
            None,
            Some((200, json!({ "keys": [] }))),
            Some((200, json!({}))),
            Some((500, json!({ "keys": [{}] }))),
        ] {
            assert!(!has_keys(&answer), "{answer:?}");
        }
    }
}
