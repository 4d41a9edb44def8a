//! Asks one issuer's introspection endpoint.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use keyward_jose::DecodeBuffer;
use keyward_verify::introspection::{
    Answer, AnswerCache, AnswerForm, Breaker, CallOutcome, Endpoint, Failure, Permission, Question, Received,
    Ticket, Transition, Unasked, Unread,
};
use keyward_verify::{Issuer, MonoTime, Reason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::flights::{Flights, Outcome, UnderWay};
use super::latency::Latency;
use super::trouble::Trouble;
use super::{IntrospectionSettings, IntrospectionStatus};
use crate::clock::Clock;
use crate::credentials::{CallError, Caller, CallerSettings};
use crate::endpoint::{Kind, Located};
use crate::event::{self, Event, Observer};
use crate::fetch::{self, shown};
use crate::health::{Failing, Health};
use crate::issuer_settings::IssuerSettings;
use crate::keeper::Keeper;
use crate::trace::{self, CallKind, Followed};

/// How many connections to the endpoint are kept for later.
const IDLE_CONNECTIONS: usize = 64;

/// Asks one issuer's introspection endpoint, and remembers what it said.
#[derive(Debug)]
pub(crate) struct Introspector {
    settings: IntrospectionSettings,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    caller: Arc<Caller>,
    /// Its keys check signed answers, where there may be such.
    keeper: Option<Arc<Keeper>>,
    endpoint: Endpoint,
    answers: Arc<AnswerCache>,
    breaker: Mutex<Breaker>,
    calls: Arc<Semaphore>,
    flights: Arc<Flights>,
    latency: Mutex<Latency>,
    health: Mutex<Health<Failure>>,
    fallback_failures: AtomicU64,
}

/// What an introspector is made of.
#[derive(Debug)]
pub(crate) struct NewIntrospector {
    pub(crate) settings: IntrospectionSettings,
    pub(crate) caller: Arc<Caller>,
    /// Where answers may be signed.
    pub(crate) keeper: Option<Arc<Keeper>>,
    pub(crate) issuer: Issuer,
    /// The issuer's place in the verifier's list.
    pub(crate) place: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    /// Jitter.
    pub(crate) seed: u64,
    /// Keys the hash of tokens.
    pub(crate) secret: [u8; 32],
}

impl Introspector {
    pub(crate) fn new(new: NewIntrospector) -> Self {
        let NewIntrospector { settings, caller, keeper, issuer, place, clock, observer, seed, secret } = new;
        let endpoint = Endpoint {
            form: settings.form.clone(),
            token_types: settings.token_types.clone(),
            ..Endpoint::new(issuer, place)
        };
        let mut breaker = settings.breaker.clone();
        // So that a call that tries is never given up while it may still come back.
        breaker.probe_patience = breaker.probe_patience.max(settings.timeout.saturating_mul(2));
        Self {
            clock,
            observer,
            caller,
            keeper,
            endpoint,
            answers: Arc::new(AnswerCache::new(settings.cache.clone(), secret)),
            breaker: Mutex::new(Breaker::new(breaker, seed)),
            calls: Arc::new(Semaphore::new(settings.concurrency)),
            flights: Arc::default(),
            latency: Mutex::default(),
            health: Mutex::default(),
            fallback_failures: AtomicU64::new(0),
            settings,
        }
    }

    /// Whether one with these would do all as this one does.
    pub(crate) fn asks_alike(&self, new: &NewIntrospector) -> bool {
        self.settings == new.settings
            && Arc::ptr_eq(&self.caller, &new.caller)
            && self.keeper.as_ref().map(Arc::as_ptr) == new.keeper.as_ref().map(Arc::as_ptr)
            && self.endpoint.issuer.policy == new.issuer.policy
            && self.endpoint.place == new.place
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// What the endpoint said a moment ago.
    pub(crate) fn answers(&self) -> &Arc<AnswerCache> {
        &self.answers
    }

    /// Why no call would be made now, where that is so.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let now = self.clock.mono();
        self.caller.refusal().or_else(|| self.breaker().refusal(now))
    }

    /// A verdict for which neither this endpoint nor the keys could tell, although the one may stand in for the other.
    pub(crate) fn fallback_failed(&self) {
        self.fallback_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// What the endpoint says of a token: by a call that is under way, or by a new one. Who asks may go away; the
    /// call goes on for who comes after.
    pub(crate) async fn ask(self: &Arc<Self>, unasked: Unasked<'_>) -> Outcome {
        let question = self.answers.question(unasked);
        let joined = self.flights.join(question.flight(), || self.may_call());
        let (waiting, mine) = joined?;
        if let Some((under_way, (ticket, permit))) = mine {
            let token = Zeroizing::new(unasked.token().to_vec());
            let followed = Followed::begin(&*self.observer, trace::cause());
            tokio::spawn(Arc::clone(self).call(question, token, ticket, permit, under_way, followed));
        }
        waiting.outcome().await
    }

    fn may_call(&self) -> Result<(Ticket, OwnedSemaphorePermit), Failure> {
        // Before there is one too many: that says more.
        if let Some(failure) = self.refusal() {
            return Err(failure);
        }
        let permit = Arc::clone(&self.calls).try_acquire_owned().map_err(|_| Failure::Overloaded)?;
        let (permission, transition) = self.breaker().ask(self.clock.mono());
        self.tell_transition(transition);
        match permission {
            Permission::Call(ticket) => Ok((ticket, permit)),
            Permission::Refused { failure, .. } => Err(failure),
        }
    }

    async fn call(
        self: Arc<Self>,
        question: Question,
        token: Zeroizing<Vec<u8>>,
        ticket: Ticket,
        _permit: OwnedSemaphorePermit,
        under_way: UnderWay,
        followed: Option<Followed>,
    ) {
        let started = self.clock.mono();
        let deadline = started.saturating_add(self.settings.timeout);
        let exchange = self.exchange(&question, &token, deadline);
        let result = Followed::around(followed.as_ref(), exchange).await;
        let now = self.clock.now();
        let took = now.mono.saturating_since(started);
        let outcome = result.as_ref().map_or_else(Trouble::outcome, |_| CallOutcome::Answered);
        let transition = self.breaker().finished(now.mono, ticket, outcome);
        if let Ok(answer) = &result {
            // Before the call is over for others: who asks in between must find the one or the other.
            self.answers.remember(now, answer);
        }
        if let Some(followed) = followed {
            let outcome = result.as_ref().map(answered).map_err(|trouble| trouble.failure().label());
            let name = &self.endpoint.issuer.policy.name;
            followed.ended(&*self.observer, CallKind::Introspection, name, took, outcome);
        }
        let failure = self.note(now.mono, took, &result);
        self.tell_transition(transition);
        under_way.landed(result.map_err(|_| failure.unwrap_or(Failure::Transport)));
    }

    /// Asks, and reads what comes back.
    async fn exchange(
        &self,
        question: &Question,
        token: &[u8],
        deadline: MonoTime,
    ) -> Result<Answer, Trouble> {
        let token = std::str::from_utf8(token).map_err(|_| Trouble::NotText)?;
        let wait = crate::clock::until(&*self.clock, deadline);
        let locating = self.caller.endpoints().locate(&self.settings.endpoint, Kind::Introspection);
        let located = match tokio::time::timeout(wait, locating).await {
            Ok(located) => located.map_err(Trouble::Locate)?,
            Err(_) => return Err(Trouble::Locate(self.caller.endpoints().too_slow())),
        };
        let answer = self.post(&located, token, deadline).await?;
        let received = Received {
            arrived: self.clock.mono(),
            status: answer.status.as_u16(),
            content_type: answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
            retry_after: answer.retry_after(),
            body: &answer.body,
        };
        loop {
            let now = self.clock.now();
            match self.endpoint.read(now, question, &received, &mut DecodeBuffer::new()) {
                Ok(answer) => return Ok(answer),
                Err(Unread::Error(error)) => return Err(error.into()),
                Err(Unread::NeedsKey(wanted)) => {
                    let keeper = self.keeper.as_ref().ok_or(Trouble::AnswerKeys(Reason::KeysUnavailable))?;
                    keeper.want(now, wanted, deadline).await.map_err(Trouble::AnswerKeys)?;
                }
            }
        }
    }

    /// Sends the question; where a hedge is wanted and the answer takes longer than most, sends it once more, and
    /// takes what comes first.
    async fn post(
        &self,
        located: &Located,
        token: &str,
        deadline: MonoTime,
    ) -> Result<fetch::Answer, CallError> {
        let Located { named, url } = located;
        let fields = [("token", token), ("token_type_hint", "access_token")];
        let mut first = std::pin::pin!(self.caller.post(named, url, &fields, deadline));
        let Some(patience) = self.hedge_after() else {
            return first.await;
        };
        if let Ok(answer) = tokio::time::timeout(patience, &mut first).await {
            return answer;
        }
        let Ok(_permit) = self.calls.try_acquire() else {
            return first.await;
        };
        let mut second = std::pin::pin!(self.caller.post(named, url, &fields, deadline));
        tokio::select! {
            answer = &mut first => if answer.is_ok() { answer } else { second.await },
            answer = &mut second => if answer.is_ok() { answer } else { first.await },
        }
    }

    fn hedge_after(&self) -> Option<Duration> {
        let p95 = self.latency.lock().unwrap_or_else(PoisonError::into_inner).p95();
        p95.filter(|_| self.settings.hedge)
    }

    /// Counts a call, and tells what is worth telling of it.
    fn note(&self, now: MonoTime, took: Duration, result: &Result<Answer, Trouble>) -> Option<Failure> {
        let failure = result.as_ref().err().map(Trouble::failure);
        let outcome = result.as_ref().map_or_else(|trouble| trouble.failure().label(), answered);
        self.tell(&Event::IntrospectionCalled { outcome, took });
        match result {
            Ok(_) => {
                self.latency.lock().unwrap_or_else(PoisonError::into_inner).took(took);
                let recovered = self.health().succeeded(now);
                if let Some(Failing { since, failures, .. }) = recovered {
                    let after = now.saturating_since(since);
                    self.tell(&Event::IntrospectionRecovered { failures, after });
                }
            }
            // What a stranger's token causes says nothing of the endpoint.
            Err(trouble) if trouble.failure() == Failure::QuestionRefused => {}
            Err(trouble) => {
                if matches!(trouble.outcome(), CallOutcome::Failed { .. }) {
                    self.caller.endpoints().doubt();
                }
                let failing = self.health().failed(now, trouble.failure(), trouble.to_string());
                if let Some(Failing { since, failures, failure, why, .. }) = failing {
                    let since = now.saturating_since(since);
                    self.tell(&Event::IntrospectionFailed { failure, why: &why, failures, since });
                }
            }
        }
        failure
    }

    fn tell_transition(&self, transition: Option<Transition>) {
        if let Some(Transition { from, to, retry_in, .. }) = transition {
            self.tell(&Event::IntrospectionBreaker { from, to, retry_in });
        }
    }

    fn tell(&self, event: &Event<'_>) {
        let name = &self.endpoint.issuer.policy.name;
        event::log(name, event);
        self.observer.observe(name, event);
    }

    /// How it stands.
    pub(crate) fn status(&self) -> IntrospectionStatus {
        let now = self.clock.mono();
        let (breaker, retry_in) = {
            let breaker = self.breaker();
            (breaker.state(), breaker.retry_in(now))
        };
        let (last_success, failing) = {
            let health = self.health();
            (health.last_success(), health.failing().cloned())
        };
        let (active_hits, inactive_hits) = self.answers.hits();
        let endpoint = self.caller.endpoints().known(&self.settings.endpoint, Kind::Introspection);
        IntrospectionStatus {
            endpoint: endpoint.map(|url| shown(&url).into()),
            breaker: breaker.label(),
            retry_in_seconds: retry_in.map(|retry_in| retry_in.as_secs()),
            calls: self.settings.concurrency.saturating_sub(self.calls.available_permits()),
            last_success_seconds: last_success.map(|at| now.saturating_since(at).as_secs()),
            failures: failing.as_ref().map_or(0, |failing| failing.failures),
            failing: failing.as_ref().map(|failing| failing.failure.label()),
            last_error: failing.map(|failing| failing.why),
            remembered: self.answers.len(),
            remembered_octets: self.answers.octets(),
            active_hits,
            inactive_hits,
            fallback_failures: self.fallback_failures.load(Ordering::Relaxed),
            credential: self.caller.status(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // It has no state that a panic could leave half done: each call ends what it began.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> MutexGuard<'_, Health<Failure>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the endpoint said, as it is counted.
const fn answered(answer: &Answer) -> &'static str {
    match answer {
        Answer::Active(_) => "active",
        Answer::Inactive(_) => "inactive",
    }
}

/// What a caller is started with for an issuer's endpoint.
pub(crate) fn caller_settings(
    issuer: &IssuerSettings,
    introspection: &IntrospectionSettings,
) -> CallerSettings {
    let credential = introspection.credential.clone();
    CallerSettings {
        timeout: introspection.timeout,
        body_limit: Endpoint::DEFAULT_SIZE_LIMIT,
        accept: match introspection.form {
            AnswerForm::Plain => "application/json",
            AnswerForm::PlainOrSigned { .. } => "application/token-introspection+jwt, application/json;q=0.5",
            AnswerForm::Signed { .. } => "application/token-introspection+jwt",
        },
        idle_connections: IDLE_CONNECTIONS,
        extra_anchors: issuer.extra_anchors.clone(),
        allowed_hosts: issuer.allowed_hosts.clone(),
        ..CallerSettings::new(&issuer.policy.name, &issuer.policy.issuer, credential)
    }
}
