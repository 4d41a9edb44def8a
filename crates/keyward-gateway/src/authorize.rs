//! One forward-auth request: from the proxy's question to our answer.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use keyward::binding::Scheme;
use keyward::clock::Clock;
use keyward::wire::{self, AccessToken, DpopOffer, Offer};
use keyward::{FallbackCause, MonoTime, Reason, RequirementId, Verdict, Verified};
use keyward_server::tls::HandshakeError;

use crate::config::Access;
use crate::connection::Connection;
use crate::correlation::{self, CorrelationIds};
use crate::events;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::observers::Observers;
use crate::original::{Asked, Original, Unclear};
use crate::presented::Shown;
use crate::recorder::{Judged, Outcome};
use crate::refusal_log::RefusalLog;
use crate::route::{Route, RouteId};
use crate::traces::RequestTrace;
use crate::{identity, token};

/// The reason's label, for whoever looks at headers only.
const REASON_HEADER: HeaderName = HeaderName::from_static("x-keyward-reason");

/// Answers whether requests may pass.
#[derive(Debug)]
pub(crate) struct Authorizer {
    pub(crate) live: ArcSwap<Live>,
    pub(crate) observers: Arc<Observers>,
    pub(crate) clock: Arc<dyn Clock>,
    correlation_ids: CorrelationIds,
    refusals: RefusalLog,
}

pub(crate) type Answer = Response<Full<Bytes>>;

impl Authorizer {
    pub(crate) fn new(live: Live, observers: Arc<Observers>) -> Self {
        Self {
            clock: Arc::clone(live.verifier.clock()),
            live: ArcSwap::from_pointee(live),
            observers,
            correlation_ids: CorrelationIds::new(),
            refusals: RefusalLog::new(),
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.observers.metrics
    }

    /// Decides on one request. It waits only where a token's key has to be fetched, or its issuer's
    /// endpoint asked, first.
    pub(crate) async fn answer<B>(&self, request: Request<B>, connection: Connection) -> Answer {
        let correlation_id = self.correlation_ids.of(request.headers());
        let (asked, connection) = (Asked::of(&request), &connection);
        let followed = self.observers.traces.as_ref().map(|traces| traces.begin(request.headers()));
        let trace = followed.as_deref();
        let mut answer = match self.decide(asked, connection, &correlation_id, trace) {
            Step::Answer(answer) => answer,
            Step::Wait(live, id, arrived) => {
                let (route, correlation_id) = (live.routes.route(id), &correlation_id);
                let question = Question { live: &live, id, route, asked, connection, correlation_id, trace };
                match trace {
                    // On the heap: untraced requests need no room for it.
                    Some(trace) => Box::pin(trace.within(self.wait(&question, arrived))).await,
                    None => self.wait(&question, arrived).await,
                }
            }
        };
        answer.headers_mut().insert(correlation::HEADER, correlation_id);
        // By itself it would cost a call, whether there is one or not.
        if let Some(followed) = followed {
            drop(followed);
        }
        answer
    }

    fn decide(
        &self,
        asked: Asked<'_>,
        connection: &Connection,
        correlation_id: &HeaderValue,
        trace: Option<&RequestTrace>,
    ) -> Step {
        let arrived = self.clock.mono();
        let live = self.live.load();
        let found = Original::of(asked, live.needs).and_then(|original| live.routes.find(&original));
        let (id, route) = match found {
            Ok(found) => found,
            Err(unclear) => return Step::Answer(self.unclear(&live, unclear, correlation_id)),
        };
        if route.access == Access::Public {
            return Step::Answer(self.public(&live, route, trace));
        }
        let question = Question { live: &live, id, route, asked, connection, correlation_id, trace };
        let verdict = match question.token() {
            AccessToken::Absent if route.access == Access::Optional => {
                return Step::Answer(self.public(&live, route, trace));
            }
            AccessToken::Absent => Reason::MissingToken.into(),
            AccessToken::Several => Reason::SeveralTokens.into(),
            AccessToken::One { scheme, token } => {
                let shown = match question.shown(scheme) {
                    Ok(shown) => shown,
                    Err(unclear) => return Step::Answer(self.unclear(&live, unclear, correlation_id)),
                };
                let (id_of_requirement, presented) = (question.requirement(), shown.presented(asked));
                match live.verifier.try_verify_presented_for(id_of_requirement, token, &presented) {
                    Some(verdict) => verdict,
                    None => return Step::Wait(Arc::clone(&live), id, arrived),
                }
            }
        };
        Step::Answer(self.conclude(&question, verdict, arrived))
    }

    /// The rest of [`decide`](Self::decide), for a token whose key is not known yet, or of which an endpoint has to be
    /// asked.
    async fn wait(&self, question: &Question<'_>, arrived: MonoTime) -> Answer {
        let verdict = match question.token() {
            AccessToken::One { scheme, token } => {
                let shown = match question.shown(scheme) {
                    Ok(shown) => shown,
                    Err(unclear) => return self.unclear(question.live, unclear, question.correlation_id),
                };
                let (requirement, presented) = (question.requirement(), shown.presented(question.asked));
                question.live.verifier.verify_presented_for(requirement, token, &presented).await
            }
            AccessToken::Absent => Reason::MissingToken.into(),
            AccessToken::Several => Reason::SeveralTokens.into(),
        };
        self.conclude(question, verdict, arrived)
    }

    fn conclude(&self, question: &Question<'_>, verdict: Verdict, arrived: MonoTime) -> Answer {
        let now = self.clock.mono();
        let took = now.saturating_since(arrived);
        self.metrics().verdict(verdict.reason(), took.as_secs_f64(), question.trace);
        let judged =
            |outcome| Judged { at: now, took, route: question.id.number(&question.live.routes), outcome };
        match verdict {
            Verdict::Accept(verified) => {
                let judged = judged(Outcome::Accepted(&verified));
                self.observers.recorder.verdict(&judged);
                let mut answer = pass(question.live, question.route, Some(&verified));
                if question.live.dpop.is_some() && question.sent_by() == Scheme::Dpop {
                    wire::add_nonce(question.live.verifier.dpop_nonce().as_deref(), answer.headers_mut());
                }
                if let Some(trace) = question.trace {
                    self.trace(trace, &judged);
                    trace.hand_on(answer.headers_mut());
                }
                if let Some(cause) = verified.fallback() {
                    self.mark_fallback(question, verified.issuer_name(), cause, now, &mut answer);
                }
                answer
            }
            Verdict::Reject(reason) | Verdict::Undecided(reason) => {
                let event = if reason.is_undecided() {
                    events::JWT_VALIDATION_UNDECIDED
                } else {
                    events::JWT_VALIDATION_FAILED
                };
                let line = self.spared(event, self.refusals.admit(reason, now));
                // Looking it up takes a while: it is told of as many as there are lines.
                let kid = line.and_then(|_| question.published_kid());
                if let Some(left_out) = line {
                    question.log_refusal(reason, kid.as_deref(), left_out);
                }
                let judged = judged(Outcome::Refused(reason, kid.as_deref()));
                self.observers.recorder.verdict(&judged);
                if let Some(trace) = question.trace {
                    self.trace(trace, &judged);
                }
                if self.observers.recorder.wants_kid(reason, now) {
                    question.read_kid(|kid| self.observers.recorder.unknown_kid(kid, now));
                }
                question.refuse(reason)
            }
        }
    }

    /// Off the way of requests that nobody follows.
    #[cold]
    fn trace(&self, trace: &RequestTrace, judged: &Judged<'_>) {
        if let Some(traces) = &self.observers.traces {
            traces.verdict(trace, judged);
        }
    }

    /// Passes without a look at a token.
    fn public(&self, live: &Live, route: &Route, trace: Option<&RequestTrace>) -> Answer {
        self.metrics().public_request();
        let mut answer = pass(live, route, None);
        if let Some(trace) = trace {
            trace.hand_on_parent(answer.headers_mut());
        }
        answer
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
        self.metrics().fallback_verdict(issuer, cause);
        self.observers.recorder.fallback(issuer, cause);
        if let Some(left_out) =
            self.spared(events::FALLBACK_VERDICT, self.refusals.admit_fallback(cause, now))
        {
            question.log_fallback(issuer, cause, left_out);
        }
        if let Some(name) = question.live.routes.mark(issuer) {
            answer.headers_mut().insert(name.clone(), HeaderValue::from_static(cause.label()));
        }
    }

    /// Counts a handshake that came to nothing, and logs it unless there are too many, or nobody meant to make one.
    pub(crate) fn handshake_failed(&self, listener: &'static str, peer: IpAddr, error: &HandshakeError) {
        self.metrics().tls_handshake(listener, error.label());
        if matches!(error, HandshakeError::Closed) {
            return;
        }
        let event = events::TLS_HANDSHAKE_FAILED;
        if let Some(left_out) = self.spared(event, self.refusals.admit_handshake(self.clock.mono())) {
            tracing::info!(event, listener, peer = %peer, left_out, "no TLS connection: {error}");
        }
    }

    /// Logs that a listener could not accept a connection.
    pub(crate) fn accept_failed(&self, listener: &'static str, error: &std::io::Error) {
        let event = events::ACCEPT_FAILED;
        if let Some(left_out) = self.spared(event, self.refusals.admit_accept(self.clock.mono())) {
            tracing::warn!(event, listener, left_out, "a connection could not be accepted: {error}");
        }
    }

    /// Logs that an operator named so many, and that so many answers were forgotten.
    pub(crate) fn forgot(&self, named: usize, forgotten: usize) {
        let event = events::INTROSPECTION_CACHE_FORGOTTEN;
        if let Some(left_out) = self.spared(event, self.refusals.admit_forgotten(self.clock.mono())) {
            tracing::info!(event, named, forgotten, left_out, "answers were forgotten");
        }
    }

    /// The same, once a line that is not written is counted.
    fn spared(&self, event: &'static str, line: Option<u64>) -> Option<u64> {
        if line.is_none() {
            self.metrics().log_lines_left_out(event, 1);
        }
        line
    }

    fn unclear(&self, live: &Live, unclear: Unclear, correlation_id: &HeaderValue) -> Answer {
        self.metrics().unclear_request();
        self.observers.recorder.unclear();
        let id = correlation_id.to_str().unwrap_or_default();
        let line = self.refusals.admit_unclear(self.clock.mono());
        if let Some(left_out) = self.spared(events::REQUEST_UNCLEAR, line) {
            tracing::warn!(
                event = events::REQUEST_UNCLEAR,
                correlation_id = id,
                left_out,
                "refused with 400: {unclear}"
            );
        }
        let body = serde_json::json!({
            "error": "invalid_request",
            "reason": events::REQUEST_UNCLEAR,
            "description": unclear.to_string(),
            "correlation_id": id,
        });
        let mut answer = json(StatusCode::BAD_REQUEST, body.to_string());
        let headers = answer.headers_mut();
        headers.insert(REASON_HEADER, HeaderValue::from_static(events::REQUEST_UNCLEAR));
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
    asked: Asked<'a>,
    connection: &'a Connection,
    correlation_id: &'a HeaderValue,
    trace: Option<&'a RequestTrace>,
}

impl<'a> Question<'a> {
    fn token(&self) -> AccessToken<'a> {
        token::find(self.asked.headers, self.route.cookie.as_deref(), self.live.dpop.is_some())
    }

    fn sent_by(&self) -> Scheme {
        match self.token() {
            AccessToken::One { scheme, .. } => scheme,
            AccessToken::Absent | AccessToken::Several => Scheme::Bearer,
        }
    }

    fn shown(&self, scheme: Scheme) -> Result<Shown<'a>, Unclear> {
        Shown::by(self.asked, self.connection, self.live, scheme)
    }

    fn requirement(&self) -> RequirementId {
        self.id.of(&self.live.requirements).unwrap_or_default()
    }

    fn refuse(&self, reason: Reason) -> Answer {
        let Self { live, route, correlation_id, .. } = self;
        let mut answer = json(wire::status(reason), wire::body(reason, correlation_id.to_str().ok()));
        let headers = answer.headers_mut();
        headers.insert(REASON_HEADER, HeaderValue::from_static(reason.label()));
        let requirement = &route.demanded.requirement;
        let sent_by = self.sent_by();
        // A nonce is for whoever knows what it is.
        let nonce = if sent_by == Scheme::Dpop { live.verifier.dpop_nonce() } else { None };
        let algorithms = live.verifier.binding_settings().algorithms;
        let offer = Offer {
            scopes: &requirement.scopes,
            sent_by,
            demanded: requirement.binding,
            dpop: live.dpop.as_ref().map(|_| DpopOffer { algorithms, nonce: nonce.as_deref() }),
        };
        wire::add_headers_for(reason, &offer, headers);
        identity::add(live.routes.told_headers(), &[], None, headers);
        answer
    }

    fn published_kid(&self) -> Option<String> {
        match self.token() {
            AccessToken::One { token, .. } => self.live.verifier.published_kid(token),
            AccessToken::Absent | AccessToken::Several => None,
        }
    }

    /// Hands on the `kid` that the token names, whoever made it up.
    fn read_kid(&self, read: impl FnOnce(&str)) {
        if let AccessToken::One { token, .. } = self.token() {
            self.live.verifier.read_kid(token, read);
        }
    }

    /// Nothing of the token is in the line but its `kid`, and that only where an issuer publishes it.
    fn log_refusal(&self, reason: Reason, kid: Option<&str>, left_out: u64) {
        let correlation_id = self.correlation_id.to_str().unwrap_or_default();
        let route = self.id.number(&self.live.routes);
        let (reason, undecided) = (reason.label(), reason.is_undecided());
        let trace_id = self.trace.map(RequestTrace::id);
        if undecided {
            let event = events::JWT_VALIDATION_UNDECIDED;
            tracing::warn!(event, reason, correlation_id, trace_id, kid, route, left_out, "not decided");
        } else {
            let event = events::JWT_VALIDATION_FAILED;
            tracing::info!(event, reason, correlation_id, trace_id, kid, route, left_out, "rejected");
        }
    }

    fn log_fallback(&self, issuer: &str, cause: FallbackCause, left_out: u64) {
        let correlation_id = self.correlation_id.to_str().unwrap_or_default();
        let route = self.id.number(&self.live.routes);
        let (event, cause) = (events::FALLBACK_VERDICT, cause.label());
        tracing::warn!(event, issuer, cause, correlation_id, route, left_out, "accepted by the second way");
    }
}

fn pass(live: &Live, route: &Route, verified: Option<&Verified>) -> Answer {
    let mut answer = Response::new(Full::default());
    identity::add(live.routes.told_headers(), &route.headers, verified, answer.headers_mut());
    answer
}

fn json(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
