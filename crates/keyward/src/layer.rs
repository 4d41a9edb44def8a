//! A tower layer that lets only verified requests through.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use keyward_verify::{Reason, Verdict};
use tower_layer::Layer;
use tower_service::Service;

use crate::wire::{self, BearerToken};
use crate::{RequirementId, Verifier};

/// Puts a [`Verified`](crate::Verified) into the extensions of each request whose bearer token is
/// accepted, and answers the others itself, as RFC 6750 §3 says.
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    verifier: Verifier,
    requirement: RequirementId,
}

impl VerifyLayer {
    /// A layer that demands a good token.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, requirement: RequirementId::default() }
    }

    /// A layer that demands this of it, too.
    #[must_use]
    pub fn requirement(mut self, requirement: RequirementId) -> Self {
        self.requirement = requirement;
        self
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = VerifyService<S>;

    fn layer(&self, inner: S) -> VerifyService<S> {
        VerifyService { inner, layer: self.clone() }
    }
}

/// The service that [`VerifyLayer`] makes.
#[derive(Clone, Debug)]
pub struct VerifyService<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S, B, C> Service<Request<B>> for VerifyService<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    C: From<String>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        let unready = self.inner.clone();
        // The service that was made ready is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, unready);
        Box::pin(async move {
            let verdict = match wire::bearer_token(request.headers()) {
                BearerToken::Absent => Reason::MissingToken.into(),
                BearerToken::Several => Reason::SeveralTokens.into(),
                BearerToken::One(token) => {
                    let token = token.to_vec();
                    layer.verifier.verify_for(layer.requirement, &token).await
                }
            };
            match verdict {
                Verdict::Accept(verified) => {
                    request.extensions_mut().insert(verified);
                    inner.call(request).await
                }
                Verdict::Reject(reason) | Verdict::Undecided(reason) => {
                    let demanded = layer.verifier.requirement(layer.requirement);
                    Ok(refusal(reason, demanded.map_or(&[], |demanded| &demanded.scopes)))
                }
            }
        })
    }
}

fn refusal<C: From<String>>(reason: Reason, scopes: &[Box<str>]) -> Response<C> {
    let mut response = Response::new(wire::body(reason, None).into());
    *response.status_mut() = wire::status(reason);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    wire::add_headers(reason, scopes, headers);
    response
}
