//! A tower layer that lets only verified requests through.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use keyward_verify::binding::{CertificateThumbprint, Presented, Scheme, normalized};
use keyward_verify::{Reason, Verdict};
use tower_layer::Layer;
use tower_service::Service;

use crate::wire::{self, AccessToken, DpopOffer, Offer};
use crate::{RequirementId, Verifier};

/// Puts a [`Verified`](crate::Verified) into the extensions of each request whose token is accepted, and answers the
/// others itself, as RFC 6750 §3 and RFC 9449 §7.1 say.
///
/// A token that is bound to a certificate passes where whoever made the TLS connection has put the
/// [`CertificateThumbprint`] of the client's certificate into the request's extensions (RFC 8705 §3), and one that is bound
/// to a key where [`origin`](Self::origin) is set (RFC 9449).
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    verifier: Verifier,
    requirement: RequirementId,
    origin: Option<Arc<str>>,
}

/// What is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin:?} is no http or https URI that ends with its host and port")]
pub struct OriginError {
    /// What was given.
    pub origin: String,
}

impl VerifyLayer {
    /// A layer that demands a good token.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, requirement: RequirementId::default(), origin: None }
    }

    /// A layer that demands this of it, too.
    #[must_use]
    pub fn requirement(mut self, requirement: RequirementId) -> Self {
        self.requirement = requirement;
        self
    }

    /// A layer that understands DPoP, for a service that clients know as `origin`, such as `https://api.example`: proofs
    /// must be for a URI there (`htu`, RFC 9449 §4.2). It is said here and not read from `Host`, by which a proof for
    /// another service could be passed off. The path is that of the request as this layer sees it.
    ///
    /// # Errors
    /// [`OriginError`].
    pub fn origin(mut self, origin: &str) -> Result<Self, OriginError> {
        let spelt = normalized(origin).filter(|_| !origin.contains(['?', '#']));
        let spelt = spelt.as_deref().and_then(|spelt| spelt.strip_suffix('/'));
        let is_origin = |spelt: &&str| spelt.matches('/').count() == 2;
        let spelt = spelt.filter(is_origin).ok_or_else(|| OriginError { origin: origin.to_owned() })?;
        self.origin = Some(spelt.into());
        Ok(self)
    }

    /// What the request sent, or why that is no token.
    fn sent<B>(&self, request: &Request<B>) -> Result<Sent, Reason> {
        let (scheme, token) = match wire::access_token(request.headers()) {
            AccessToken::One { scheme: Scheme::Dpop, .. } if self.origin.is_none() => {
                return Err(Reason::MissingToken);
            }
            AccessToken::Absent => return Err(Reason::MissingToken),
            AccessToken::Several => return Err(Reason::SeveralTokens),
            AccessToken::One { scheme, token } => (scheme, token.to_vec()),
        };
        let mut proofs = HeaderMap::new();
        let (mut method, mut uri) = (String::new(), String::new());
        if let (Scheme::Dpop, Some(origin)) = (scheme, self.origin.as_deref()) {
            let fields = request.headers().get_all(wire::DPOP).iter().take(2);
            proofs.extend(fields.map(|field| (wire::DPOP, field.clone())));
            method = request.method().as_str().to_owned();
            uri = format!("{origin}{}", request.uri().path());
        }
        let certificate = request.extensions().get().copied();
        Ok(Sent { scheme, token, certificate, proofs, method, uri })
    }

    async fn verify(&self, sent: &Sent) -> Verdict {
        let Sent { scheme, token, certificate, proofs, method, uri } = sent;
        let proofs = wire::proofs(proofs, method, uri);
        let presented = Presented { scheme: *scheme, certificate: *certificate, proofs };
        self.verifier.verify_presented_for(self.requirement, token, &presented).await
    }

    fn refusal<C: From<String>>(&self, reason: Reason, sent_by: Scheme) -> Response<C> {
        let demanded = self.verifier.requirement(self.requirement);
        let algorithms = self.verifier.binding_settings().algorithms;
        let nonce = self.nonce();
        let offer = Offer {
            scopes: demanded.map_or(&[], |demanded| &demanded.scopes),
            sent_by,
            demanded: demanded.and_then(|demanded| demanded.binding),
            dpop: self.origin.as_ref().map(|_| DpopOffer { algorithms, nonce: nonce.as_deref() }),
        };
        let mut response = Response::new(wire::body(reason, None).into());
        *response.status_mut() = wire::status(reason);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        wire::add_headers_for(reason, &offer, headers);
        response
    }

    fn nonce(&self) -> Option<String> {
        self.origin.as_ref().and_then(|_| self.verifier.dpop_nonce())
    }
}

/// What a request sent, apart from it.
struct Sent {
    scheme: Scheme,
    token: Vec<u8>,
    certificate: Option<CertificateThumbprint>,
    proofs: HeaderMap,
    method: String,
    uri: String,
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
            let sent = match layer.sent(&request) {
                Ok(sent) => sent,
                Err(reason) => return Ok(layer.refusal(reason, Scheme::Bearer)),
            };
            match layer.verify(&sent).await {
                Verdict::Accept(verified) => {
                    request.extensions_mut().insert(verified);
                    let mut response = inner.call(request).await?;
                    if sent.scheme == Scheme::Dpop {
                        wire::add_nonce(layer.nonce().as_deref(), response.headers_mut());
                    }
                    Ok(response)
                }
                Verdict::Reject(reason) | Verdict::Undecided(reason) => {
                    Ok(layer.refusal(reason, sent.scheme))
                }
            }
        })
    }
}
