//! Keeps a bearer of ours current: drives its machine, does its I/O, and wakes who waits for a token.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_verify::MonoTime;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::assertion::Occasion;
use super::bearer_machine::{AfterRefusal, Answer, BearerMachine, Fetched, Step, Trouble};
use super::client_authentication::Proof;
use super::settings::{Credential, LoadedGrant};
use super::shared::Surroundings;
use super::token_answer::Granted;
use super::{BearerSettings, BearerToken, Grant, TokenError};
use crate::clock;
use crate::endpoint::{Endpoints, Kind};
use crate::entropy;
use crate::event::Event;
use crate::fetch::Fetcher;
use crate::trace::{self, CallKind, Followed, TraceContext};

/// How many requests may wait for one token. More are answered at once.
const WAITING_LIMIT: usize = 1024;

/// How long the task rests after it crashed, so that a mistake of ours does not keep a core busy.
const CRASH_REST: Duration = Duration::from_secs(1);

/// So that a clock that was set, or a suspended machine, is noticed within a minute.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The token, and the task that keeps it. The task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Bearer {
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    surroundings: Surroundings,
    settings: BearerSettings,
    credential: Arc<ArcSwap<Credential>>,
    fetcher: Arc<ArcSwap<Fetcher>>,
    endpoints: Arc<Endpoints>,
    state: Mutex<State>,
    wanted: Notify,
    /// Who was the first to wait for the next token, where that is followed.
    cause: Mutex<Option<TraceContext>>,
    /// How many requests for a token have come back.
    returned: watch::Sender<u64>,
    waiting: Semaphore,
}

#[derive(Debug)]
struct State {
    machine: BearerMachine,
    token: Option<(u64, BearerToken)>,
    last_error: Option<Arc<TokenError>>,
}

/// How a bearer stands.
#[derive(Debug)]
pub(super) struct Outlook {
    /// When the token was obtained, and until when it is used.
    pub(super) held: Option<(MonoTime, MonoTime)>,
    /// How many requests have failed in a row.
    pub(super) failures: u32,
    /// How many tokens were refused in a row.
    pub(super) rejections: u32,
    /// Why the last request failed, where none has succeeded since.
    pub(super) last_error: Option<Arc<TokenError>>,
}

/// Why there is no token for a request.
pub(super) type NoToken = (Trouble, Duration);

impl Bearer {
    /// Begins to obtain a token. `fetcher` gives a token request its time and its size.
    pub(super) fn start(
        settings: BearerSettings,
        credential: Arc<ArcSwap<Credential>>,
        fetcher: Arc<ArcSwap<Fetcher>>,
        endpoints: Arc<Endpoints>,
        surroundings: Surroundings,
        seed: u64,
    ) -> Self {
        let machine = BearerMachine::new(surroundings.clock.mono(), seed);
        let shared = Arc::new(Shared {
            surroundings,
            settings,
            credential,
            fetcher,
            endpoints,
            state: Mutex::new(State { machine, token: None, last_error: None }),
            wanted: Notify::new(),
            cause: Mutex::default(),
            returned: watch::Sender::new(0),
            waiting: Semaphore::new(WAITING_LIMIT),
        });
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&shared).supervise());
        Self { shared, _task: task }
    }

    /// The token, and its number; waits for one that is being obtained, until `deadline` at most.
    pub(super) async fn token(&self, deadline: MonoTime) -> Result<(u64, BearerToken), NoToken> {
        let shared = &self.shared;
        let clock = &*shared.surroundings.clock;
        // From before the question on, so that a token that comes at once is not missed.
        let mut returned = shared.returned.subscribe();
        let mut place = None;
        loop {
            match shared.state().answer(clock.mono()) {
                Ok(Some(token)) => return Ok(token),
                Err(no_token) => return Err(no_token),
                Ok(None) => {}
            }
            let unavailable = (Trouble::Unavailable, Duration::ZERO);
            if place.is_none() {
                place = Some(shared.waiting.try_acquire().map_err(|_| unavailable)?);
                if let Some(cause) = trace::cause() {
                    shared.cause().get_or_insert(cause);
                }
            }
            let wait = clock::until(clock, deadline);
            match tokio::time::timeout(wait, returned.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(unavailable),
            }
        }
    }

    /// Why there is no token just now, nor will be for somebody who waits.
    pub(super) fn refusal(&self) -> Option<Trouble> {
        let now = self.shared.surroundings.clock.mono();
        self.shared.state().answer(now).err().map(|(trouble, _)| trouble)
    }

    /// The provider does not take this token.
    pub(super) fn refused(&self, number: u64) -> AfterRefusal {
        let now = self.shared.surroundings.clock.mono();
        let mut state = self.shared.state();
        let after = state.machine.refused(now, number);
        if state.machine.held().is_none() {
            state.token = None;
        }
        drop(state);
        self.shared.wanted.notify_one();
        after
    }

    /// The provider took this token. Whether it had refused us before.
    pub(super) fn accepted(&self, number: u64) -> bool {
        self.shared.state().machine.accepted(number)
    }

    /// Obtains a token by the new credential.
    pub(super) fn replaced(&self) {
        self.shared.state().machine.replaced(self.shared.surroundings.clock.mono());
        self.shared.wanted.notify_one();
    }

    /// How it stands.
    pub(super) fn outlook(&self) -> Outlook {
        let state = self.shared.state();
        let (failures, rejections) = state.machine.failures();
        Outlook { held: state.machine.held(), failures, rejections, last_error: state.last_error.clone() }
    }
}

impl State {
    /// A token, none yet, or why there is none.
    fn answer(&self, now: MonoTime) -> Result<Option<(u64, BearerToken)>, NoToken> {
        match self.machine.ask(now) {
            Answer::Refused(trouble, retry_in) => Err((trouble, retry_in)),
            Answer::Use(number) => Ok(self.token.clone().filter(|(held, _)| *held == number)),
            Answer::Wait => Ok(None),
        }
    }
}

impl Shared {
    /// Obtains tokens for ever. A panic in that must not be the end of it: it counts as a failed request.
    async fn supervise(self: Arc<Self>) {
        // What is in it ends with it.
        let mut running = JoinSet::new();
        loop {
            running.spawn(Arc::clone(&self).run());
            match running.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    // Whatever crashed may do so again; the panic itself was told by the panic hook.
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        self.take(Err(TokenError::Crashed), Duration::ZERO)
                    }));
                }
                // The runtime goes down.
                _ => return,
            }
            tokio::time::sleep(CRASH_REST).await;
        }
    }

    async fn run(self: Arc<Self>) {
        let clock = &*self.surroundings.clock;
        loop {
            let step = self.state().machine.poll(clock.mono());
            match step {
                Step::Fetch => {
                    let started = clock.mono();
                    let followed = Followed::begin(&*self.surroundings.observer, self.cause().take());
                    let result = self.obtain().await;
                    // Whoever waited for this one is not the cause of the next.
                    self.cause().take();
                    let took = clock.mono().saturating_since(started);
                    if let Some(followed) = followed {
                        let outcome = result.as_ref().map(|_| "obtained").map_err(TokenError::label);
                        let Surroundings { observer, name, .. } = &self.surroundings;
                        followed.ended(&**observer, CallKind::Token, name, took, outcome);
                    }
                    self.take(result, took);
                }
                Step::Wait(until) => {
                    let wait = clock::until(clock, until).min(LONGEST_SLEEP);
                    // Woken by a refusal or a new credential, or by the time.
                    let _ = tokio::time::timeout(wait, self.wanted.notified()).await;
                }
            }
        }
    }

    /// One token request (RFC 6749 §4.4.2, RFC 7523 §2.1).
    async fn obtain(&self) -> Result<Granted, TokenError> {
        let BearerSettings { token_endpoint, scope, .. } = &self.settings;
        let located = self.endpoints.locate(token_endpoint, Kind::Token).await.map_err(TokenError::Fetch)?;
        let (credential, fetcher) = (self.credential.load_full(), self.fetcher.load_full());
        let occasion = Occasion {
            issuer: &self.surroundings.issuer,
            endpoint: &located.url,
            now: self.surroundings.clock.now().wall,
            nonce: entropy::nonce(),
        };
        let (grant_type, proof) = match &*credential {
            Credential::Obtained(LoadedGrant::JwtBearer { key, subject, audience }) => {
                (Grant::JWT_BEARER, Proof::grant(key, subject, audience, &occasion).await)
            }
            Credential::Obtained(LoadedGrant::ClientCredentials(client)) | Credential::Fixed(client) => {
                (Grant::CLIENT_CREDENTIALS, client.prove(&occasion).await)
            }
        };
        let proof = proof.map_err(TokenError::Sign)?;
        let mut fields = vec![("grant_type", grant_type)];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request = proof.post_form(&located.url, &fields);
        let answer = fetcher.send(&located.named, &request).await.map_err(TokenError::Fetch)?;
        proof.granted(&answer)
    }

    /// Tells the machine what came of a request, wakes who waits for it, and tells whoever wants to know.
    fn take(&self, result: Result<Granted, TokenError>, took: Duration) {
        let now = self.surroundings.clock.mono();
        let mut state = self.state();
        let (fetched, error) = match result {
            Ok(Granted { token, expires_in }) => {
                let fetched = state.machine.fetched(now, Ok(expires_in));
                if let Fetched::Obtained(number, _) = fetched {
                    state.token = Some((number, token));
                    state.last_error = None;
                }
                (fetched, None)
            }
            Err(error) => {
                let trouble = if error.is_refusal() { Trouble::Rejected } else { Trouble::Unavailable };
                let fetched = state.machine.fetched(now, Err((trouble, error.retry_after())));
                if matches!(error, TokenError::Fetch(_)) {
                    self.endpoints.doubt();
                }
                let error = Arc::new(error);
                state.last_error = Some(Arc::clone(&error));
                (fetched, Some(error))
            }
        };
        drop(state);
        self.returned.send_modify(|count| *count += 1);
        match (fetched, error) {
            (Fetched::Obtained(_, usable_for), _) => {
                self.surroundings.tell(&Event::CredentialObtained { usable_for, took });
            }
            (Fetched::Failed(failures, retry_in), Some(error)) if error.is_refusal() => {
                self.surroundings.tell(&Event::CredentialRefused { error: &error, failures, retry_in });
            }
            (Fetched::Failed(failures, retry_in), Some(error)) => {
                self.surroundings.tell(&Event::CredentialFailed { error: &error, failures, retry_in });
            }
            _ => {}
        }
    }

    fn cause(&self) -> MutexGuard<'_, Option<TraceContext>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The machine has no state that a panic could leave half done: each call ends what it began.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
