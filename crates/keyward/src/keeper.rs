//! Keeps one issuer's keys: drives its machine, does its I/O, and wakes who waits for a key.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_verify::key_set::{
    Answer, KeySetMachine, PublishedKeys, Refresh, Step, WrapperNews, WrapperNotice, WrapperPolicy,
    WrapperWatch,
};
use keyward_verify::{MonoTime, Now, Reason, UnixTime, WantedKey};
use keyward_x509::TrustStore;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::{self, Clock};
use crate::event::{self, Event, Observer};
use crate::fetch::FetchError;
use crate::issuer_settings::IssuerSettings;
use crate::last_fetch::{Known, LastFetch};
use crate::snapshot::Snapshot;
use crate::source::{FetchedText, Source};
use crate::trace::{self, CallKind, Followed, TraceContext};

/// How many requests may wait for one issuer's fetch. More are answered at once.
const WAITING_LIMIT: usize = 1024;

/// How long the refreshes rest after they crashed, so that a mistake of ours does not keep a core busy.
const CRASH_REST: Duration = Duration::from_secs(1);

/// The task that keeps one issuer's keys. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    settings: IssuerSettings,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    name: Box<str>,
    clock: Arc<dyn Clock>,
    observer: Mutex<Arc<dyn Observer>>,
    lines: Lines,
    machine: Mutex<KeySetMachine>,
    wrapper_policy: WrapperPolicy,
    wrappers: Mutex<WrapperWatch>,
    snapshot: Option<Snapshot>,
    unsaved: Mutex<Unsaved>,
    wanted: Notify,
    last_fetch: LastFetch,
    /// Who was the first to want the next fetch, where that is followed.
    cause: Mutex<Option<TraceContext>>,
    /// How many fetches have come back.
    returned: watch::Sender<u64>,
    waiting: Semaphore,
}

/// The set that is to be written next, and whether somebody is writing.
#[derive(Debug, Default)]
struct Unsaved {
    next: Option<(Vec<u8>, UnixTime)>,
    is_writing: bool,
}

/// What a keeper is made of.
#[derive(Debug)]
pub(crate) struct NewKeeper {
    pub(crate) settings: IssuerSettings,
    /// Where the keys go.
    pub(crate) published: Arc<PublishedKeys>,
    /// Where they come from; none where there is only a secret.
    pub(crate) source: Option<Source>,
    /// Where they are kept.
    pub(crate) snapshot: Option<Snapshot>,
    /// What the certificates around the keys have to lead to.
    pub(crate) wrapper_anchors: Option<Arc<TrustStore>>,
}

/// What all keepers of a verifier share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) lines: Lines,
}

/// Who writes into the log what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The observer, as it likes: there are many sets.
    Observers,
    /// The keeper, each event.
    Own,
}

impl Keeper {
    /// Takes in the snapshot, where there is a good one, and starts to fetch.
    pub(crate) fn start(new: NewKeeper, surroundings: Surroundings, seed: u64) -> Self {
        let NewKeeper { settings, published, source, snapshot, wrapper_anchors } = new;
        let Surroundings { clock, observer, lines } = surroundings;
        let now = clock.now();
        let machine =
            KeySetMachine::new(settings.key_set.clone(), published, now, seed).anchored(now, wrapper_anchors);
        let shared = Arc::new(Shared {
            name: settings.policy.name.clone(),
            clock,
            observer: Mutex::new(observer),
            lines,
            machine: Mutex::new(machine),
            wrapper_policy: settings.policy.wrapper,
            wrappers: Mutex::default(),
            snapshot,
            unsaved: Mutex::default(),
            last_fetch: LastFetch::default(),
            cause: Mutex::default(),
            wanted: Notify::new(),
            returned: watch::Sender::new(0),
            waiting: Semaphore::new(WAITING_LIMIT),
        });
        shared.restore(now);
        let task = source.map(|source| tokio::spawn(Arc::clone(&shared).supervise(source)));
        Self { settings, shared, task }
    }

    /// What it was started with.
    pub(crate) fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Whether one with these settings would do all as this one does.
    pub(crate) fn keeps_alike(&self, settings: &IssuerSettings, snapshot: Option<&Snapshot>) -> bool {
        let path = |snapshot: Option<&Snapshot>| snapshot.map(|snapshot| snapshot.path().to_owned());
        self.settings.keeps_alike(settings) && path(self.shared.snapshot.as_ref()) == path(snapshot)
    }

    /// Tells this one from now on.
    pub(crate) fn observed_by(&self, observer: &Arc<dyn Observer>) {
        *self.shared.observer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(observer);
    }

    /// Fetches now: somebody has told that the keys may have changed.
    pub(crate) fn refresh(&self) {
        self.shared.machine().refresh(self.shared.clock.now());
        self.shared.wanted.notify_one();
    }

    /// The keys that it keeps.
    pub(crate) fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(self.shared.machine().published())
    }

    /// When the next fetch is due, and how many have failed in a row.
    pub(crate) fn outlook(&self) -> (Option<MonoTime>, u32) {
        let machine = self.shared.machine();
        (machine.next_fetch(), machine.failures())
    }

    /// What the last fetches say of the issuer.
    pub(crate) fn known(&self) -> Known {
        self.shared.last_fetch.known()
    }

    /// Asks for a key, and waits for the fetch that may bring it, until `deadline` at most.
    ///
    /// # Errors
    /// The verdict, where no fetch is made for it or none came back in time.
    pub(crate) async fn want(&self, now: Now, wanted: WantedKey, deadline: MonoTime) -> Result<(), Reason> {
        let shared = &self.shared;
        // From before the question on, so that an answer that comes at once is not missed.
        let mut returned = shared.returned.subscribe();
        let (answer, is_sooner) = {
            let mut machine = shared.machine();
            let planned = machine.next_fetch();
            let answer = machine.want(now, wanted);
            (answer, machine.next_fetch() < planned)
        };
        // The task sleeps until the fetch that was planned when it went to sleep.
        if is_sooner || answer == Answer::Wait {
            if let Some(cause) = trace::cause() {
                shared.cause().get_or_insert(cause);
            }
            shared.wanted.notify_one();
        }
        if let Answer::Refused(reason) = answer {
            return Err(reason);
        }
        let _place = shared.waiting.try_acquire().map_err(|_| Reason::KeyRefreshLimited)?;
        let wait = clock::until(&*shared.clock, deadline);
        match tokio::time::timeout(wait, returned.changed()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(wanted.otherwise),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    /// Refreshes the keys for ever. A panic in that must not be the end of them: it counts as a failed fetch.
    async fn supervise(self: Arc<Self>, source: Source) {
        let source = Arc::new(source);
        // What is in it ends with it.
        let mut refreshing = JoinSet::new();
        loop {
            refreshing.spawn(Arc::clone(&self).run(Arc::clone(&source)));
            match refreshing.join_next().await {
                Some(Err(error)) if error.is_panic() => self.crashed(),
                // The runtime goes down.
                _ => return,
            }
            tokio::time::sleep(CRASH_REST).await;
        }
    }

    fn crashed(&self) {
        let crashed = || {
            let (_, failures, retry_in) = self.hand_in(self.clock.now(), Err(None));
            self.last_fetch.failed("crashed", "the task that refreshes the keys panicked".to_owned());
            self.tell(&Event::RefreshCrashed { failures, retry_in: retry_in.max(CRASH_REST) });
        };
        // Whatever crashed may do so again; the panic itself was told by the panic hook.
        let _ = catch_unwind(AssertUnwindSafe(crashed));
    }

    async fn run(self: Arc<Self>, source: Arc<Source>) {
        // When something may have to be told of the certificates around the keys: at once, after each fetch, and when
        // the next threshold is reached.
        let mut look_at = Some(UnixTime(i64::MIN));
        loop {
            let now = self.clock.now();
            if look_at.is_some_and(|at| at <= now.wall) {
                look_at = self.look_at_wrappers(now.wall);
            }
            let step = self.machine().poll(now);
            match step {
                Step::Fetch => {
                    self.fetch(&source).await;
                    look_at = Some(UnixTime(i64::MIN));
                }
                Step::Wait(until) => {
                    let wait = clock::until(&*self.clock, until).min(LONGEST_SLEEP);
                    let wait = look_at.map_or(wait, |at| wait.min(at.saturating_since(now.wall)));
                    // Woken by a want, or by the time.
                    let _ = tokio::time::timeout(wait, self.wanted.notified()).await;
                }
            }
        }
    }

    /// Tells what there is to tell of the certificates around the keys, and says when to look again.
    fn look_at_wrappers(&self, now: UnixTime) -> Option<UnixTime> {
        if self.wrapper_policy == WrapperPolicy::Ignore {
            return None;
        }
        let published = Arc::clone(self.machine().published());
        let current = published.current();
        let mut watch = self.wrappers.lock().unwrap_or_else(PoisonError::into_inner);
        let (notices, next) = watch.look(now, current.as_deref());
        drop(watch);
        for WrapperNotice { key, wrapper, news } in &notices {
            let (kid, policy) = (key.key().kid(), self.wrapper_policy);
            let event = match (news, &wrapper.certificate) {
                (WrapperNews::Expired(since), Some(certificate)) => {
                    Event::WrapperExpired { kid, certificate, since: *since, policy }
                }
                (WrapperNews::Expiring(left), Some(certificate)) => {
                    Event::WrapperExpiring { kid, certificate, left: *left, policy }
                }
                (WrapperNews::NotYetValid(left), Some(certificate)) => {
                    Event::WrapperNotYetValid { kid, certificate, left: *left, policy }
                }
                (WrapperNews::Troubled(trouble), certificate) => {
                    Event::WrapperTroubled { kid, certificate: certificate.as_ref(), trouble, policy }
                }
                // What has no certificate has no times.
                (_, None) => continue,
            };
            self.tell(&event);
        }
        next
    }

    async fn fetch(self: &Arc<Self>, source: &Source) {
        let started = self.clock.now();
        let observer = self.observer();
        let followed = Followed::begin(&*observer, self.cause().take());
        let result = source.fetch().await;
        // Whoever wanted this one while it was under way is not the cause of the next.
        self.cause().take();
        let now = self.clock.now();
        let took = now.mono.saturating_since(started.mono);
        if let Some(followed) = followed {
            let outcome = result.as_ref().map(|_| "fetched").map_err(FetchError::label);
            followed.ended(&*observer, CallKind::KeySet, &self.name, took, outcome);
        }
        match result {
            Ok(FetchedText { fetched, text, date }) => {
                self.last_fetch.told_the_time(date, started.wall, took);
                let skipped = fetched.set.skipped().len();
                let (refresh, failures, retry_in) = self.hand_in(now, Ok(fetched));
                match refresh {
                    Refresh::Refreshed(refreshed) => {
                        self.last_fetch.succeeded();
                        self.save(text, started.wall);
                        self.tell(&Event::Refreshed { refreshed: &refreshed, skipped, took });
                    }
                    Refresh::Refused(no_usable_key) => {
                        self.last_fetch.failed("no_usable_key", no_usable_key.to_string());
                        let no_usable_key = &no_usable_key;
                        self.tell(&Event::RefreshRefused { no_usable_key, failures, retry_in });
                    }
                    Refresh::Failed => {}
                }
            }
            Err(error) => {
                let (_, failures, retry_in) = self.hand_in(now, Err(FetchError::retry_after(&error)));
                self.last_fetch.failed(error.label(), error.to_string());
                self.tell(&Event::RefreshFailed { error: &error, failures, retry_in });
            }
        }
        if self.lines == Lines::Own {
            let published = Arc::clone(self.machine().published());
            event::log_cache(&self.name, &published, now);
        }
    }

    /// Tells the machine what came of a fetch, and wakes who waits for it.
    fn hand_in(
        &self,
        now: Now,
        result: Result<keyward_verify::key_set::Fetched, Option<Duration>>,
    ) -> (Refresh, u32, Duration) {
        let mut machine = self.machine();
        let refresh = machine.fetched(now, result);
        let next = machine.next_fetch().unwrap_or(now.mono).saturating_since(now.mono);
        let failures = machine.failures();
        drop(machine);
        self.returned.send_modify(|count| *count += 1);
        (refresh, failures, next)
    }

    fn restore(&self, now: Now) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        if self.machine().published().current().is_some() {
            // A predecessor's keys, which are as young as any on the disk.
            return;
        }
        let refused = |reason: &dyn std::error::Error| {
            self.tell(&Event::SnapshotRefused { path: snapshot.path(), reason });
        };
        match snapshot.read() {
            Ok(None) => {}
            Ok(Some((set, fetched_at))) => {
                let key_count = set.keys().len();
                let restored = self.machine().restore(now, set, fetched_at);
                match restored {
                    Ok(()) => {
                        let age = now.wall.saturating_since(fetched_at);
                        self.tell(&Event::SnapshotUsed { key_count, age });
                    }
                    Err(reason) => refused(&reason),
                }
            }
            Err(reason) => refused(&reason),
        }
    }

    /// Writes the set out, on another thread: a disk that hangs must not keep keys from being refreshed. While
    /// one is written, only the newest of those that come waits for its turn.
    fn save(self: &Arc<Self>, text: Vec<u8>, fetched_at: UnixTime) {
        if self.snapshot.is_none() {
            return;
        }
        let mut unsaved = self.unsaved();
        unsaved.next = Some((text, fetched_at));
        if !std::mem::replace(&mut unsaved.is_writing, true) {
            let shared = Arc::clone(self);
            tokio::task::spawn_blocking(move || shared.write_unsaved());
        }
    }

    fn write_unsaved(&self) {
        while let Some((text, fetched_at)) = self.next_unsaved() {
            let write = || {
                if let Some(snapshot) = &self.snapshot
                    && let Err(error) = snapshot.write(&text, fetched_at)
                {
                    self.tell(&Event::SnapshotWriteFailed { path: snapshot.path(), error: &error });
                }
            };
            // Else nobody would write again, for somebody is writing.
            let _ = catch_unwind(AssertUnwindSafe(write));
        }
    }

    fn next_unsaved(&self) -> Option<(Vec<u8>, UnixTime)> {
        let mut unsaved = self.unsaved();
        let next = unsaved.next.take();
        unsaved.is_writing = next.is_some();
        next
    }

    fn unsaved(&self) -> MutexGuard<'_, Unsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &Event<'_>) {
        if self.lines == Lines::Own {
            event::log(&self.name, event);
        }
        self.observer().observe(&self.name, event);
    }

    fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn cause(&self) -> MutexGuard<'_, Option<TraceContext>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn machine(&self) -> MutexGuard<'_, KeySetMachine> {
        // The machine has no state that a panic could leave half done: each call ends what it began.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So that a clock that was set, or a suspended machine, is noticed within a minute.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
