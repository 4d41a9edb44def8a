//! A gateway, by its admin listener.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::context::Context;
use super::reach::{Exchange, Network, Request};
use crate::facts::GatewayFacts;

/// How long one of its pages may take.
const TIME: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Readiness {
    status: String,
}

/// What the gateway whose admin listener is at `admin` says of itself, over the last `since`.
pub(super) async fn gateway(context: &Context, admin: &Url, since: Duration) -> GatewayFacts {
    let network = Network::to_gateway(context);
    let counts = Some(since.as_secs()).filter(|seconds| *seconds > 0);
    let counts = counts.map(|seconds| format!("since={seconds}&recent=0"));
    let (readiness, issuers, recorder) = tokio::join!(
        ask(&network, page(admin, "readyz", None)),
        ask(&network, page(admin, "debug/jwks-cache", None)),
        ask(&network, page(admin, "debug/recorder", counts.as_deref())),
    );
    // It says with 503 why it is not ready.
    let status: Option<Readiness> = json(&readiness, |_| true);
    let is_fine = |status| status == StatusCode::OK;
    GatewayFacts {
        readiness: status.map(|readiness| readiness.status),
        issuers: json(&issuers, is_fine),
        recorder: json(&recorder, is_fine),
        reach: readiness.reach,
    }
}

pub(super) async fn ask(network: &Network, url: Url) -> Exchange {
    network.ask_one(&Request::get(&url, &url, TIME)).await
}

/// A page below the listener's address, whether that ends with a slash or not.
pub(super) fn page(admin: &Url, path: &str, query: Option<&str>) -> Url {
    let mut url = admin.clone();
    url.set_path(&format!("{}/{path}", admin.path().trim_end_matches('/')));
    url.set_query(query);
    url.set_fragment(None);
    url
}

/// What a page says, where it says it in such a way.
pub(super) fn json<T: DeserializeOwned>(asked: &Exchange, is_fine: impl Fn(StatusCode) -> bool) -> Option<T> {
    let answer = asked.answers.first().filter(|answer| answer.is_whole && is_fine(answer.status))?;
    serde_json::from_slice(&answer.body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_below_the_address_of_the_listener() {
        for (admin, expected) in [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090/debug/recorder?since=5"),
            ("http://gw.example/admin/", "http://gw.example/admin/debug/recorder?since=5"),
            ("http://gw.example/admin?x=y#z", "http://gw.example/admin/debug/recorder?since=5"),
        ] {
            let admin = Url::parse(admin).expect("a URL");
            assert_eq!(page(&admin, "debug/recorder", Some("since=5")).as_str(), expected);
        }
    }
}
