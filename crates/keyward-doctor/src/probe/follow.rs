//! A document, asked of every address of its host, with the redirects that the gateway follows.

use std::net::SocketAddr;

use http::header::LOCATION;
use keyward::fetch::redirected;
use url::Url;

use super::reach::{Answered, Exchange, Network, Request};
use crate::facts::{Ended, Reach};

/// The most redirects that are followed, as the gateway's fetches do.
const REDIRECTS: usize = 3;

/// What became of asking for a document.
pub(super) struct Followed {
    /// Where it was asked for in the end.
    pub(super) url: Url,
    /// The way there. That of the first request, where the redirect leads where the gateway does not follow.
    pub(super) reach: Reach,
    /// Each address' answer.
    pub(super) answers: Vec<Answered>,
}

/// Asks for `url`, which was found at `named`.
pub(super) async fn follow(network: &Network, named: &Url, url: &Url) -> Followed {
    let mut url = url.clone();
    let mut asked = Vec::new();
    loop {
        let Exchange { reach, answers } = network.ask_each(&Request::get(named, &url, network.time())).await;
        let target = answers.first().and_then(|answer| target(network, &url, answer));
        asked.push(url.clone());
        match target.filter(|target| asked.len() <= REDIRECTS && !asked.contains(target)) {
            Some(target) => url = target,
            None => return Followed { url, reach, answers },
        }
    }
}

/// Asks for it once more, at one address alone.
pub(super) async fn again(
    network: &Network,
    named: &Url,
    url: &Url,
    address: SocketAddr,
) -> (Ended, Option<Answered>) {
    network.ask_again(&Request::get(named, url, network.time()), address).await
}

/// Where an answer leads, and the gateway follows.
fn target(network: &Network, url: &Url, answer: &Answered) -> Option<Url> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    redirected(url, Some(location), network.allowed_hosts()).ok()
}
