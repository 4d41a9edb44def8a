//! One forward-auth request: from the proxy's question to our answer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use keyward::clock::Clock;
use keyward::wire::{self, BearerToken};
use keyward::{FallbackCause, MonoTime, Reason, RequirementId, Verdict, Verified};

use crate::config::Access;
use crate::correlation::{self, CorrelationIds};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::original::{Original, Unclear};
use crate::refusal_log::RefusalLog;
use crate::route::{Route, RouteId};
use crate::{identity, token};

/// The reason's label, for whoever looks at headers only.
const REASON_HEADER: HeaderName = HeaderName::from_static("x-keyward-reason");

/// What stands there where the request is not known well enough for a verdict.
const UNCLEAR: &str = "request_unclear";

/// Answers whether requests may pass.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) live: ArcSwap<Live>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    correlation_ids: CorrelationIds,
    refusals: RefusalLog,
}

pub(crate) type Answer = Response<Full<Bytes>>;

impl Authorizer {
    pub(crate) fn new(live: Live, metrics: Arc<Metrics>) -> Self {
        Self {
            clock: Arc::clone(live.verifier.clock()),
            live: ArcSwap::from_pointee(live),
            metrics,
            correlation_ids: CorrelationIds::new(),
            refusals: RefusalLog::new(),
        }
    }

    /// Decides on one request. It waits only where a token's key has to be fetched, or its issuer's
    /// endpoint asked, first.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer {
        let correlation_id = self.correlation_ids.of(request.headers());
        let mut answer = match self.decide(&request, &correlation_id) {
            Step::Answer(answer) => answer,
            Step::Wait(live, id, arrived) => {
                let (route, headers) = (live.routes.route(id), request.headers());
                let question = Question { live: &live, id, route, headers, correlation_id: &correlation_id };
                self.wait(&question, arrived).await
            }
        };
        answer.headers_mut().insert(correlation::HEADER, correlation_id);
        answer
    }

    fn decide<B>(&self, request: &Request<B>, correlation_id: &HeaderValue) -> Step {
        let arrived = self.clock.mono();
        let live = self.live.load();
        let found = Original::of(request, live.needs).and_then(|original| live.routes.find(&original));
        let (id, route) = match found {
            Ok(found) => found,
            Err(unclear) => return Step::Answer(self.unclear(&live, unclear, correlation_id)),
        };
        if route.access == Access::Public {
            self.metrics.public_request();
            return Step::Answer(pass(&live, route, None));
        }
        let question = Question { live: &live, id, route, headers: request.headers(), correlation_id };
        let verdict = match question.token() {
            BearerToken::Absent if route.access == Access::Optional => {
                self.metrics.public_request();
                return Step::Answer(pass(&live, route, None));
            }
            BearerToken::Absent => Reason::MissingToken.into(),
            BearerToken::Several => Reason::SeveralTokens.into(),
            BearerToken::One(token) => match live.verifier.try_verify_for(question.requirement(), token) {
                Some(verdict) => verdict,
                None => return Step::Wait(Arc::clone(&live), id, arrived),
            },
        };
        Step::Answer(self.conclude(&question, verdict, arrived))
    }

    /// The rest of [`decide`](Self::decide), for a token whose key is not known yet, or of which an endpoint has to be
    /// asked.
    async fn wait(&self, question: &Question<'_>, arrived: MonoTime) -> Answer {
        let verdict = match question.token() {
            BearerToken::One(token) => question.live.verifier.verify_for(question.requirement(), token).await,
            BearerToken::Absent => Reason::MissingToken.into(),
            BearerToken::Several => Reason::SeveralTokens.into(),
        };
        self.conclude(question, verdict, arrived)
    }

    fn conclude(&self, question: &Question<'_>, verdict: Verdict, arrived: MonoTime) -> Answer {
        let now = self.clock.mono();
        self.metrics.verdict(verdict.reason(), now.saturating_since(arrived).as_secs_f64());
        match verdict {
            Verdict::Accept(verified) => {
                let mut answer = pass(question.live, question.route, Some(&verified));
                if let Some(cause) = verified.fallback() {
                    self.mark_fallback(question, verified.issuer_name(), cause, now, &mut answer);
                }
                answer
            }
            Verdict::Reject(reason) | Verdict::Undecided(reason) => {
                if let Some(left_out) = self.refusals.admit(reason, now) {
                    question.log_refusal(reason, left_out);
                }
                refuse(question.live, question.route, reason, question.correlation_id)
            }
        }
    }

    /// What was accepted by the second way is never accepted in silence (incident A1).
    fn mark_fallback(
        &self,
        question: &Question<'_>,
        issuer: &str,
        cause: FallbackCause,
        now: MonoTime,
        answer: &mut Answer,
    ) {
        self.metrics.fallback_verdict(issuer, cause);
        if let Some(left_out) = self.refusals.admit_fallback(cause, now) {
            question.log_fallback(issuer, cause, left_out);
        }
        if let Some(name) = question.live.routes.mark(issuer) {
            answer.headers_mut().insert(name.clone(), HeaderValue::from_static(cause.label()));
        }
    }

    fn unclear(&self, live: &Live, unclear: Unclear, correlation_id: &HeaderValue) -> Answer {
        self.metrics.unclear_request();
        let id = correlation_id.to_str().unwrap_or_default();
        if let Some(left_out) = self.refusals.admit_unclear(self.clock.mono()) {
            tracing::warn!(event = UNCLEAR, correlation_id = id, left_out, "refused with 400: {unclear}");
        }
        let body = serde_json::json!({
            "error": "invalid_request",
            "reason": UNCLEAR,
            "description": unclear.to_string(),
            "correlation_id": id,
        });
        let mut answer = json(StatusCode::BAD_REQUEST, body.to_string());
        let headers = answer.headers_mut();
        headers.insert(REASON_HEADER, HeaderValue::from_static(UNCLEAR));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        identity::add(live.routes.told_headers(), &[], None, headers);
        answer
    }
}

enum Step {
    Answer(Answer),
    Wait(Arc<Live>, RouteId, MonoTime),
}

/// One request, and what it is held to.
struct Question<'a> {
    live: &'a Live,
    id: RouteId,
    route: &'a Route,
    headers: &'a HeaderMap,
    correlation_id: &'a HeaderValue,
}

impl Question<'_> {
    fn token(&self) -> BearerToken<'_> {
        token::find(self.headers, self.route.cookie.as_deref())
    }

    fn requirement(&self) -> RequirementId {
        self.id.of(&self.live.requirements).unwrap_or_default()
    }

    /// Nothing of the token is in the line but its `kid`, and that only where an issuer publishes it.
    fn log_refusal(&self, reason: Reason, left_out: u64) {
        let correlation_id = self.correlation_id.to_str().unwrap_or_default();
        let route = self.id.number(&self.live.routes);
        let kid = match self.token() {
            BearerToken::One(token) => self.live.verifier.published_kid(token),
            BearerToken::Absent | BearerToken::Several => None,
        };
        let (reason, undecided) = (reason.label(), reason.is_undecided());
        if undecided {
            let event = "jwt_validation_undecided";
            tracing::warn!(event, reason, correlation_id, kid, route, left_out, "not decided");
        } else {
            let event = "jwt_validation_failed";
            tracing::info!(event, reason, correlation_id, kid, route, left_out, "rejected");
        }
    }

    fn log_fallback(&self, issuer: &str, cause: FallbackCause, left_out: u64) {
        let correlation_id = self.correlation_id.to_str().unwrap_or_default();
        let route = self.id.number(&self.live.routes);
        let (event, cause) = ("fallback_verdict", cause.label());
        tracing::warn!(event, issuer, cause, correlation_id, route, left_out, "accepted by the second way");
    }
}

fn pass(live: &Live, route: &Route, verified: Option<&Verified>) -> Answer {
    let mut answer = Response::new(Full::default());
    identity::add(live.routes.told_headers(), &route.headers, verified, answer.headers_mut());
    answer
}

fn refuse(live: &Live, route: &Route, reason: Reason, correlation_id: &HeaderValue) -> Answer {
    let body = wire::body(reason, correlation_id.to_str().ok());
    let mut answer = json(wire::status(reason), body);
    let headers = answer.headers_mut();
    headers.insert(REASON_HEADER, HeaderValue::from_static(reason.label()));
    wire::add_headers(reason, &route.demanded.requirement.scopes, headers);
    identity::add(live.routes.told_headers(), &[], None, headers);
    answer
}

fn json(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
