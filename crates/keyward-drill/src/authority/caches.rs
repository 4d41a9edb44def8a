//! Verifiers of ours that have kept a JWK Set for as long as anybody may.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use keyward::clock::Clock;
use keyward::fetch::{Exchange, OutgoingRequest, Transport};
use keyward::{IssuerSettings, MonoTime, Verdict, Verifier};
use keyward_authority::signing::SHORTEST_PUBLICATION;
use url::Url;

use super::nodes::RESOURCE;
use crate::error::RunError;

/// Whoever fetched the set within the time that a set may be kept, one behind the other.
pub(super) struct Caches {
    clock: Arc<dyn Clock>,
    issuer: String,
    all: VecDeque<Cache>,
}

struct Cache {
    since: MonoTime,
    verifier: Verifier,
}

/// Answers with the set that was fetched once, as a cache in front does, whatever is published meanwhile.
#[derive(Debug)]
struct Held(Bytes);

impl Transport for Held {
    fn send<'a>(&'a self, _: &'a OutgoingRequest) -> Exchange<'a> {
        let body = Full::new(self.0.clone()).map_err(|never| match never {}).boxed();
        Box::pin(async { Ok(Response::new(body)) })
    }
}

impl Caches {
    /// Nobody has fetched anything.
    pub(super) fn new(clock: Arc<dyn Clock>, issuer: String) -> Self {
        Self { clock, issuer, all: VecDeque::new() }
    }

    /// Somebody fetches the set now. Those who have kept theirs for too long have to ask again, and are gone.
    pub(super) fn fetch(&mut self, jwk_set: Bytes) -> Result<(), RunError> {
        let now = self.clock.mono();
        let longest = Duration::from_secs(SHORTEST_PUBLICATION);
        self.all.retain(|cache| now.saturating_since(cache.since) < longest);
        let address =
            Url::parse(&format!("{}/jwks", self.issuer)).map_err(super::inside::failed("be named"))?;
        let settings = IssuerSettings::jwks_uri(&self.issuer, address).audience(RESOURCE);
        let verifier = Verifier::builder().issuer(settings).clock(Arc::clone(&self.clock));
        let verifier = verifier.transport(Arc::new(Held(jwk_set))).start()?;
        self.all.push_back(Cache { since: now, verifier });
        Ok(())
    }

    /// Everybody verifies it: what those say that do not take it.
    pub(super) async fn verify(&self, token: &str) -> Vec<String> {
        let mut refused = Vec::new();
        for cache in &self.all {
            refused.extend(self.verify_by(cache, token).await);
        }
        refused
    }

    /// The same by whoever fetched last.
    pub(super) async fn verify_by_newest(&self, token: &str) -> Option<String> {
        self.verify_by(self.all.back()?, token).await
    }

    async fn verify_by(&self, cache: &Cache, token: &str) -> Option<String> {
        let kept = self.clock.mono().saturating_since(cache.since).as_secs();
        match cache.verifier.verify(token.as_bytes()).await {
            Verdict::Accept(_) => None,
            Verdict::Reject(reason) | Verdict::Undecided(reason) => {
                Some(format!("{} by who fetched the key set {kept} s ago", reason.label()))
            }
        }
    }
}
