//! The key set machine, driven at random and held against a model that states what it promises.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use keyward_verify::key_set::{
    Answer, Fetched, KeySetMachine, KeySetSettings, KeySetState, LiveKey, PublishedKeys, Refresh, Source,
    Step,
};
use keyward_verify::{Decision, Issuer, MonoTime, Now, Reason, UnixTime, VerdictCache, WantedKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const KIDS: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

/// The place in [`KIDS`] of the kid that the strict policy denies.
const DENIED: usize = 0;

/// A key as some set holds it: the place of its material in the pool, and of its name.
type Entry = (usize, usize);

static JWKS: LazyLock<Vec<Vec<Value>>> =
    LazyLock::new(|| KEYS.iter().map(|key| KIDS.iter().map(|kid| jwk(key, *kid)).collect()).collect());

/// A token for each entry. Without `iat`, only the time of arrival tells whether its key may be unknown.
static TOKENS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let claims = json!({ "iss": ISSUER, "exp": START.wall.0 + 1_000_000_000 });
    KEYS.iter().map(|key| KIDS.iter().map(|kid| sign_as(key, *kid, &claims)).collect()).collect()
});

/// What a token asks for whose kid is one of [`KIDS`], or one that nobody ever publishes.
static WANTS: LazyLock<Vec<WantedKey>> = LazyLock::new(|| {
    let nothing = issuer(&Arc::new(PublishedKeys::new(Vec::new())));
    let claims = json!({ "iss": ISSUER, "exp": START.wall.0 + 1_000_000_000 });
    let junk = (0..6).map(|n| sign_as(&KEYS[0], Some(&format!("junk{n}")), &claims));
    let tokens = TOKENS[0].iter().cloned().chain(junk);
    tokens.map(|token| wanted(judge(START, START.mono, &nothing, &token))).collect()
});

#[derive(Clone, Debug)]
struct SetOf {
    entries: Vec<Entry>,
    /// Unusable keys, before and after the good ones.
    unusable: (usize, usize),
    max_age: Option<Duration>,
}

impl SetOf {
    fn fetched(&self) -> Fetched {
        let (before, after) = self.unusable;
        let good = self.entries.iter().map(|(key, kid)| JWKS[*key][*kid].clone());
        let keys: Vec<_> = std::iter::repeat_n(unusable_jwk(), before)
            .chain(good)
            .chain(std::iter::repeat_n(unusable_jwk(), after))
            .collect();
        Fetched { set: jwk_set(&keys), max_age: self.max_age, age: Duration::ZERO }
    }
}

#[derive(Clone, Copy, Debug)]
enum Landmark {
    AbsentEnds,
    BudgetRefills,
    Expires,
    NextFetch,
    TurnsStale,
}

#[derive(Clone, Debug)]
enum Event {
    Advance(Duration),
    /// To a moment that matters, and so many nanoseconds more.
    AdvanceTo(Landmark, i64),
    StepWall(i64),
    Poll,
    /// The fetch under way ends; unsolicited where there is none.
    End(Result<SetOf, Option<Duration>>),
    Restore {
        age: i64,
        set: SetOf,
    },
    Want(usize),
    /// Decide on the token of an entry, arrived so long ago.
    Judge(Entry, Duration),
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((0..6_usize, 0..KIDS.len()), 0..5)
}

fn set_of() -> impl Strategy<Value = SetOf> {
    let max_age = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Duration::ZERO)),
        2 => (1..8_000_u64).prop_map(|s| Some(seconds(s))),
        1 => Just(Some(Duration::MAX)),
    ];
    (entries(), (0..3_usize, 0..3_usize), max_age).prop_map(|(entries, unusable, max_age)| SetOf {
        entries,
        unusable,
        max_age,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let duration = prop_oneof![
        2 => (1..1_000_u64).prop_map(Duration::from_nanos),
        3 => (1..20_000_u64).prop_map(Duration::from_millis),
        2 => (20..400_u64).prop_map(Duration::from_secs),
        1 => (400..20_000_u64).prop_map(Duration::from_secs),
    ];
    let landmark = prop_oneof![
        1 => Just(Landmark::AbsentEnds),
        1 => Just(Landmark::BudgetRefills),
        1 => Just(Landmark::Expires),
        4 => Just(Landmark::NextFetch),
        1 => Just(Landmark::TurnsStale),
    ];
    let retry_after = prop_oneof![
        2 => Just(None),
        1 => (0..90_u64).prop_map(|s| Some(seconds(s))),
        1 => (90..100_000_u64).prop_map(|s| Some(seconds(s))),
    ];
    prop_oneof![
        2 => duration.clone().prop_map(Event::Advance),
        4 => (landmark, -1..=1_i64).prop_map(|(landmark, nanos)| Event::AdvanceTo(landmark, nanos)),
        1 => (-5_000..5_000_i64).prop_map(Event::StepWall),
        5 => Just(Event::Poll),
        4 => set_of().prop_map(|set| Event::End(Ok(set))),
        2 => retry_after.prop_map(|after| Event::End(Err(after))),
        1 => (-130..4_000_i64, set_of()).prop_map(|(age, set)| Event::Restore { age, set }),
        5 => (0..10_usize).prop_map(Event::Want),
        3 => ((0..6_usize, 0..KIDS.len()), prop_oneof![Just(Duration::ZERO), duration])
            .prop_map(|(entry, ago)| Event::Judge(entry, ago)),
    ]
}

fn settings() -> impl Strategy<Value = KeySetSettings> {
    let default = KeySetSettings::default();
    prop_oneof![
        4 => Just(default.clone()),
        1 => Just(KeySetSettings { kid_burst: 0, retries: 0, ..default.clone() }),
        1 => Just(KeySetSettings { kid_burst: 1, kid_refill: seconds(10), absent_memory: seconds(30), ..default.clone() }),
        1 => Just(KeySetSettings { ttl: seconds(3600), retries: 7, ..default.clone() }),
        1 => Just(KeySetSettings { ttl: seconds(5), min_ttl: seconds(2), stale_limit: seconds(20), ..default }),
    ]
}

/// What the model believes to be published.
struct Current {
    entries: Vec<Entry>,
    source: Source,
    started: Now,
    fresh_until: MonoTime,
    usable_until: MonoTime,
}

struct Model {
    settings: KeySetSettings,
    now: Now,
    current: Option<Current>,
    under_way: Option<Now>,
    failures: u32,
    /// For how long the last good set was fresh.
    ttl: Duration,
    /// Wants that were told to wait for a fetch that has not begun, and those that the one under way serves.
    waiting: Vec<usize>,
    /// Until when each want has no part in the burst.
    absent: BTreeMap<usize, MonoTime>,
    /// When fetches were paid for that wants brought forward; each is one that they caused.
    caused: Vec<MonoTime>,
    /// When fetches began.
    began: Vec<MonoTime>,
}

impl Model {
    fn state(&self) -> KeySetState {
        match &self.current {
            None => KeySetState::Empty,
            Some(current) if self.now.mono >= current.usable_until => KeySetState::Expired,
            Some(current) if self.now.mono >= current.fresh_until => KeySetState::Stale,
            Some(_) => KeySetState::Fresh,
        }
    }

    /// What `decide` says of an entry's token.
    fn outcome(&self, (key, kid): Entry, arrived: MonoTime) -> Outcome {
        let Some(current) = &self.current else { return Outcome::NeedsKey };
        if self.now.mono >= current.usable_until {
            return Outcome::NeedsKey;
        }
        let nameless = KIDS.len() - 1;
        let holds = |kid| current.entries.contains(&(key, kid));
        let is_named = current.entries.iter().any(|(_, other)| *other == kid);
        let reason = if kid == nameless {
            if (0..KIDS.len()).any(holds) {
                return Outcome::Accept;
            }
            Reason::InvalidSignature
        } else if is_named {
            return if holds(kid) { Outcome::Accept } else { Outcome::Reject(Reason::InvalidSignature) };
        } else if holds(nameless) {
            return Outcome::Accept;
        } else {
            Reason::UnknownKid
        };
        let since = current.source == Source::Fetched && current.started.mono >= arrived;
        if since { Outcome::Reject(reason) } else { Outcome::NeedsKey }
    }

    /// What `decide` says of it where the operator denied [`DENIED`].
    fn strict_outcome(&self, (key, kid): Entry, arrived: MonoTime) -> Outcome {
        match self.outcome((key, kid), arrived) {
            _ if kid == DENIED => Outcome::Reject(Reason::Revoked),
            Outcome::Accept if self.is_denied(key) => Outcome::Reject(Reason::Revoked),
            outcome => outcome,
        }
    }

    /// Whether the set holds this material under the denied name, whatever else it calls it.
    fn is_denied(&self, key: usize) -> bool {
        self.current.as_ref().is_some_and(|current| current.entries.contains(&(key, DENIED)))
    }

    /// When wants may cause the next fetch: a bucket that starts full, filled as time passes.
    fn next_paid(&self) -> MonoTime {
        let (burst, refill) = (u128::from(self.settings.kid_burst), self.settings.kid_refill.as_nanos());
        if burst == 0 {
            return MonoTime::NEVER;
        }
        let full = burst * refill;
        let (mut level, mut at) = (full, MonoTime(0));
        for caused in &self.caused {
            level = full.min(level + caused.saturating_since(at).as_nanos());
            at = (*caused).max(at);
            level = level.saturating_sub(refill);
        }
        // With a whole one in it before `at`, and one to spare then, it had one for as long as that took to fill.
        let next = (u128::from(at.0) + refill).saturating_sub(level);
        self.now.mono.max(MonoTime(next as u64))
    }
}

struct Run {
    model: Model,
    machine: KeySetMachine,
    issuer: Issuer,
    cache: VerdictCache,
    cached: Vec<Entry>,
    /// The same issuer and its keys under another policy, which denies [`DENIED`], as after a reload.
    strict: (Issuer, VerdictCache),
    seen: Vec<Arc<LiveKey>>,
}

impl Run {
    fn new(settings: KeySetSettings, seed: u64) -> Self {
        let published = Arc::new(PublishedKeys::new(Vec::new()));
        let machine = KeySetMachine::new(settings.clone(), published, START, seed);
        let model = Model {
            ttl: settings.ttl,
            settings,
            now: START,
            current: None,
            under_way: None,
            failures: 0,
            waiting: Vec::new(),
            absent: BTreeMap::new(),
            caused: Vec::new(),
            began: Vec::new(),
        };
        let issuer = issuer_of(&machine);
        let mut strict = issuer.clone();
        Arc::make_mut(&mut strict.policy).denied_kids = vec![KIDS[DENIED].unwrap().into()];
        Self {
            strict: (strict, VerdictCache::new(1 << 20, seed)),
            model,
            machine,
            issuer,
            cache: VerdictCache::new(1 << 20, seed),
            cached: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn keys(&self) -> Vec<Arc<LiveKey>> {
        self.machine.published().current().as_ref().map_or_else(Vec::new, |set| set.keys().to_vec())
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Advance(duration) => self.advance_to(self.model.now.mono.saturating_add(duration)),
            Event::AdvanceTo(landmark, nanos) => {
                if let Some(at) = self.time_of(landmark) {
                    self.advance_to(MonoTime(at.0.saturating_add_signed(nanos)));
                }
            }
            Event::StepWall(seconds) => self.model.now.wall.0 += seconds,
            Event::Poll => self.poll(),
            Event::End(result) => self.end(result),
            Event::Restore { age, set } => self.restore(age, set),
            Event::Want(want) => self.want(want),
            Event::Judge(entry, ago) => self.judge(entry, ago),
        }
        self.check();
    }

    /// Time goes on; both clocks alike but for fractions of seconds.
    fn advance_to(&mut self, to: MonoTime) {
        let now = &mut self.model.now;
        let (from, to) = (now.mono.0, now.mono.0.max(to.0));
        now.wall.0 += (to / 1_000_000_000 - from / 1_000_000_000) as i64;
        now.mono = MonoTime(to);
    }

    fn time_of(&self, landmark: Landmark) -> Option<MonoTime> {
        let current = self.model.current.as_ref();
        match landmark {
            Landmark::AbsentEnds => self.model.absent.values().min().copied(),
            Landmark::BudgetRefills => {
                self.model.caused.last().map(|at| at.saturating_add(self.model.settings.kid_refill))
            }
            Landmark::Expires => current.map(|current| current.usable_until),
            Landmark::NextFetch => self.machine.next_fetch(),
            Landmark::TurnsStale => current.map(|current| current.fresh_until),
        }
    }

    fn poll(&mut self) {
        let now = self.model.now;
        let due = self.machine.next_fetch();
        let step = self.machine.poll(now);
        match due {
            None => assert_eq!(step, Step::Wait(MonoTime::NEVER), "one at a time"),
            Some(due) if due > now.mono => assert_eq!(step, Step::Wait(due)),
            Some(_) => {
                assert_eq!(step, Step::Fetch);
                self.model.under_way = Some(now);
                self.model.began.push(now.mono);
            }
        }
    }

    fn end(&mut self, result: Result<SetOf, Option<Duration>>) {
        let now = self.model.now;
        let before = self.keys();
        let due = self.machine.next_fetch();
        let fetched = result.as_ref().map(SetOf::fetched).map_err(|retry_at| *retry_at);
        let refresh = self.machine.fetched(now, fetched);
        let Some(started) = self.model.under_way.take() else {
            assert!(matches!(refresh, Refresh::Failed));
            assert_same(&before, &self.keys(), "an unsolicited answer changes nothing");
            assert_eq!(self.machine.next_fetch(), due);
            return;
        };
        let waiting = std::mem::take(&mut self.model.waiting);
        match result {
            Ok(set) if !set.entries.is_empty() => {
                let Refresh::Refreshed(refreshed) = refresh else { panic!("a good set was refused") };
                assert_eq!(refreshed.key_count, set.entries.len(), "one bad key stays one");
                self.replaced(&before, &set, &refreshed.added, &refreshed.removed);
                self.refreshed(started, set, waiting);
            }
            Ok(set) => {
                let Refresh::Refused(refused) = refresh else { panic!("a set of no usable key was taken") };
                assert_eq!(refused.skipped.len(), set.unusable.0 + set.unusable.1);
                assert_same(&before, &self.keys(), "a set without a good key removes none");
                self.failed(None);
            }
            Err(retry_at) => {
                assert!(matches!(refresh, Refresh::Failed));
                assert_same(&before, &self.keys(), "a failure removes no key");
                self.failed(retry_at);
            }
        }
    }

    /// What a good set changes, beyond what holds at any time.
    fn replaced(
        &mut self,
        before: &[Arc<LiveKey>],
        set: &SetOf,
        added: &[Option<String>],
        removed: &[Option<String>],
    ) {
        let after = self.keys();
        let old = self.model.current.as_ref().map_or(&[][..], |current| &current.entries);
        let mut kept = 0;
        for entry in
            TOKENS.iter().enumerate().flat_map(|(key, row)| (0..row.len()).map(move |kid| (key, kid)))
        {
            // The same key twice is two; the first of them stays the first.
            let places = |entries: &[Entry]| -> Vec<usize> {
                (0..entries.len()).filter(|place| entries[*place] == entry).collect()
            };
            for (was, is) in places(old).into_iter().zip(places(&set.entries)) {
                assert!(Arc::ptr_eq(&before[was], &after[is]), "the same key is the same LiveKey");
                kept += 1;
            }
        }
        assert_eq!(added.len(), after.len() - kept);
        assert_eq!(removed.len(), before.len() - kept);
    }

    fn refreshed(&mut self, started: Now, set: SetOf, waiting: Vec<usize>) {
        let Model { settings, now, absent, failures, current, ttl: in_force, .. } = &mut self.model;
        let shortest = settings.min_ttl.min(settings.ttl);
        let ttl = set.max_age.unwrap_or(settings.ttl).clamp(shortest, settings.stale_limit);
        let next = self.machine.next_fetch().expect("none is under way");
        assert!(next >= now.mono.max(started.mono.saturating_add(ttl * 7 / 10)));
        assert!(next <= now.mono.max(started.mono.saturating_add(ttl * 8 / 10)));
        absent.retain(|_, until| *until > now.mono);
        for want in waiting {
            let found = want < KIDS.len() - 1 && set.entries.iter().any(|(_, kid)| *kid == want);
            if !found {
                absent.entry(want).or_insert(now.mono.saturating_add(settings.absent_memory));
            }
        }
        *failures = 0;
        *in_force = ttl;
        *current = Some(Current {
            entries: set.entries,
            source: Source::Fetched,
            started,
            fresh_until: started.mono.saturating_add(ttl),
            usable_until: started.mono.saturating_add(settings.stale_limit),
        });
    }

    fn failed(&mut self, retry_at: Option<Duration>) {
        let Model { settings, now, failures, ttl, .. } = &mut self.model;
        let attempt = *failures % (settings.retries + 1);
        let (least, most) = if attempt == settings.retries {
            (settings.retry_rest.min(*ttl) / 2, settings.retry_rest.min(*ttl))
        } else {
            (Duration::ZERO, (settings.retry_base * (1 << attempt)).min(*ttl))
        };
        // A provider may ask us to wait, and never for so long that its own keys die of it.
        let asked = retry_at.unwrap_or_default().min(settings.stale_limit / 10);
        let delay = self.machine.next_fetch().expect("none is under way").saturating_since(now.mono);
        assert!(delay >= least.max(asked) && delay <= most.max(asked), "{delay:?} after {failures} failures");
        *failures += 1;
    }

    fn restore(&mut self, age: i64, set: SetOf) {
        let Model { settings, now, current, .. } = &mut self.model;
        let dated = UnixTime(now.wall.0 - age);
        let due = self.machine.next_fetch();
        let before = self.machine.published().current().clone();
        let restored = self.machine.restore(*now, set.fetched().set, dated);
        assert_eq!(self.machine.next_fetch(), due, "a snapshot puts no fetch off");
        let left = settings.stale_limit.as_secs() as i64 - age.max(0);
        let sound = !set.entries.is_empty() && age >= -60 && left > 0;
        assert_eq!(restored.is_ok(), sound && current.is_none(), "{restored:?}");
        if restored.is_ok() {
            *current = Some(Current {
                entries: set.entries,
                source: Source::Snapshot,
                started: Now { wall: dated, mono: MonoTime(0) },
                fresh_until: now.mono,
                usable_until: now.mono.saturating_add(Duration::from_secs(left as u64)),
            });
        } else {
            let after = self.machine.published().current().clone();
            assert_eq!(before.map(|set| Arc::as_ptr(&set)), after.map(|set| Arc::as_ptr(&set)));
        }
    }

    fn want(&mut self, want: usize) {
        let now = self.model.now;
        let due = self.machine.next_fetch();
        let answer = self.machine.want(now, WANTS[want]);
        if self.model.failures > 0 {
            let expected = Answer::Refused(WANTS[want].otherwise);
            assert_eq!(
                (answer, self.machine.next_fetch()),
                (expected, due),
                "nobody waits for one that fails"
            );
            return;
        }
        let Some(due) = due else {
            assert_eq!(answer, Answer::Wait, "a fetch is under way");
            return;
        };
        let next = self.machine.next_fetch().expect("a want begins no fetch");
        if due <= now.mono {
            assert_eq!((answer, next), (Answer::Wait, due), "a fetch is due anyway");
            self.model.waiting.push(want);
        } else {
            let paid = self.model.next_paid();
            let is_absent = self.model.absent.get(&want).is_some_and(|until| *until > now.mono);
            let refill = self.model.settings.kid_refill;
            let soonest = match self.model.began.last() {
                Some(began) if is_absent => paid.max(began.saturating_add(refill)),
                _ => paid,
            };
            assert_eq!(next, due.min(soonest), "it is looked for as soon as that is paid for, unasked");
            assert!(self.model.settings.kid_burst == 0 || next <= now.mono.saturating_add(refill));
            if soonest <= now.mono {
                assert_eq!(answer, Answer::Wait);
                self.model.waiting.push(want);
            } else {
                assert_eq!(answer, Answer::Refused(Reason::KeyRefreshLimited));
            }
            if next < due {
                self.model.caused.push(paid);
            }
        }
    }

    fn judge(&mut self, entry: Entry, ago: Duration) {
        let now = self.model.now;
        let arrived = MonoTime(now.mono.0.saturating_sub(ago.as_nanos() as u64));
        let decision = judge(now, arrived, &self.issuer, &TOKENS[entry.0][entry.1]);
        if let Decision::NeedsKey(wanted) = decision {
            let is_expired = self.model.state() == KeySetState::Expired;
            assert_eq!(wanted.otherwise == Reason::KeysStaleLimit, is_expired);
            let planned = self.machine.next_fetch();
            let is_coming = planned.is_none_or(|due| due <= now.mono);
            assert!(!is_expired || is_coming || self.model.failures > 0, "an expired set has a fetch coming");
        }
        assert_eq!(outcome(&decision), self.model.outcome(entry, arrived));
        if outcome(&decision) == Outcome::Accept {
            self.cache.insert(0, TOKENS[entry.0][entry.1].as_bytes(), accepted(decision));
            self.cached.push(entry);
        }
        let (issuer, cache) = &self.strict;
        let decision = judge(now, arrived, issuer, &TOKENS[entry.0][entry.1]);
        assert_eq!(outcome(&decision), self.model.strict_outcome(entry, arrived));
        if outcome(&decision) == Outcome::Accept {
            cache.insert(0, TOKENS[entry.0][entry.1].as_bytes(), accepted(decision));
        }
    }

    /// What holds after every step.
    fn check(&mut self) {
        let now = self.model.now;
        let keys = self.keys();
        let published = self.machine.published();
        assert_eq!(published.state(now.mono), self.model.state());
        assert_eq!(self.machine.failures(), self.model.failures);

        let current = self.model.current.as_ref();
        let entries = current.map_or(&[][..], |current| &current.entries);
        let names: Vec<_> = entries.iter().map(|(_, kid)| KIDS[*kid]).collect();
        assert_eq!(
            keys.iter().map(|live| live.key().kid()).collect::<Vec<_>>(),
            names,
            "in the provider's order"
        );
        if let (Some(set), Some(current)) = (published.current().as_ref(), current) {
            let times = (set.source(), set.fetch_started(), set.fresh_until(), set.usable_until());
            assert_eq!(times, (current.source, current.started, current.fresh_until, current.usable_until));
        }

        let usable = self.model.state().is_usable();
        self.seen.extend(
            keys.iter()
                .filter(|key| !self.seen.iter().any(|seen| Arc::ptr_eq(seen, key)))
                .cloned()
                .collect::<Vec<_>>(),
        );
        for seen in &self.seen {
            let held = keys.iter().any(|key| Arc::ptr_eq(seen, key));
            assert_eq!(seen.is_usable(now.mono), held && usable, "removed or past the limit, and only then");
        }
        for entry in &self.cached {
            // A verdict rests on the key that it was reached with, which a newer one may outrank.
            if let Some(hit) = self.cache.get(now, 0, TOKENS[entry.0][entry.1].as_bytes()) {
                let held = entries.iter().any(|(key, kid)| *key == entry.0 && KIDS[*kid] == hit.kid());
                assert!(held && usable, "a cached verdict outlived its key");
            }
            let (_, strict) = &self.strict;
            if strict.get(now, 0, TOKENS[entry.0][entry.1].as_bytes()).is_some() {
                assert!(!self.model.is_denied(entry.0), "a cached verdict of a key that is denied");
            }
        }
        match self.machine.next_fetch() {
            Some(due) => {
                assert!(self.model.under_way.is_none());
                assert!(due != MonoTime::NEVER, "it would never fetch again");
            }
            None => assert!(self.model.under_way.is_some()),
        }
    }

    /// How often the provider was asked, whatever happened.
    fn check_rates(&self) {
        let Model { settings, caused, began, .. } = &self.model;
        let allowed = |since: MonoTime, until: MonoTime| {
            let refills = until.saturating_since(since).as_nanos() / settings.kid_refill.as_nanos();
            u128::from(settings.kid_burst) + refills
        };
        for_each_window(caused, |since, until, count| {
            assert!(count <= allowed(since, until), "wants caused {count} fetches");
        });
        for_each_window(began, |since, until, count| {
            let elapsed = until.saturating_since(since).as_nanos();
            let scheduled = 1 + elapsed / (settings.min_ttl * 7 / 10).as_nanos();
            let rest = settings.retry_rest.min(settings.min_ttl).min(settings.ttl);
            let rests = elapsed / (rest / 2).as_nanos();
            // Each of these begins at most one round of a first attempt and its retries.
            let rounds = 1 + scheduled + allowed(since, until) + rests;
            assert!(count <= rounds * u128::from(settings.retries + 1), "{count} fetches");
        });
    }
}

fn for_each_window(times: &[MonoTime], check: impl Fn(MonoTime, MonoTime, u128)) {
    for (first, since) in times.iter().enumerate() {
        for (last, until) in times.iter().enumerate().skip(first) {
            check(*since, *until, (last - first + 1) as u128);
        }
    }
}

fn assert_same(before: &[Arc<LiveKey>], after: &[Arc<LiveKey>], why: &str) {
    let same = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| Arc::ptr_eq(a, b));
    assert!(same, "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_a_promise(
        settings in settings(),
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut run = Run::new(settings, seed);
        for event in events {
            run.step(event);
        }
        run.check_rates();
    }
}

/// Junk for an hour: whoever answers gets the budget and the schedule, no more.
#[test]
fn a_flood_of_unknown_kids_costs_the_budget_and_no_more() {
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let (mut fetches, mut refused) = (0, 0);
    for tenth in 0..36_000_u64 {
        let now = later(START, Duration::from_millis(tenth * 100));
        for want in 0..3 {
            let kid_hash = tenth * 3 + want;
            refused += u32::from(
                machine.want(now, WantedKey { issuer: 0, kid_hash, otherwise: Reason::KeysUnavailable })
                    != Answer::Wait,
            );
        }
        if machine.poll(now) == Step::Fetch {
            fetches += 1;
            machine.fetched(now, Ok(answer(&[own_jwk(&KEYS[0])])));
        }
    }
    assert!((3600..=3604).contains(&fetches), "{fetches} fetches in an hour");
    assert!(refused >= 108_000 - 5 * fetches, "{refused} of 108000 refused");
}

/// One want that came when the budget was spent is looked for later, once.
#[test]
fn a_fetch_that_was_put_off_comes_out_of_the_budget() {
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let mut now = later(START, SECOND);
    let mut kid_hash = 0;
    let mut want = |machine: &mut KeySetMachine, now| {
        kid_hash += 1;
        machine.want(now, WantedKey { issuer: 0, kid_hash, otherwise: Reason::KeysUnavailable })
    };
    for _ in 0..4 {
        assert_eq!(want(&mut machine, now), Answer::Wait);
        fetch(&mut machine, now, &[own_jwk(&KEYS[0])]);
    }
    for _ in 0..5 {
        assert_eq!(want(&mut machine, now), Answer::Refused(Reason::KeyRefreshLimited));
        assert_eq!(machine.next_fetch(), Some(later(now, SECOND).mono));
    }
    now = later(now, SECOND);
    fetch(&mut machine, now, &[own_jwk(&KEYS[0])]);
    assert_eq!(want(&mut machine, now), Answer::Refused(Reason::KeyRefreshLimited), "that was the one");
}

/// `Retry-After: 86400` is no reason to let good keys die while the provider works again.
#[test]
fn a_long_retry_after_does_not_outlast_the_keys() {
    let keys = [own_jwk(&KEYS[0])];
    let mut machine = machine_with(START, &keys);
    let due = machine.next_fetch().unwrap();
    let now = Now { mono: due, ..START };
    assert_eq!(machine.poll(now), Step::Fetch);
    machine.fetched(now, Err(Some(seconds(86_400))));
    let again = machine.next_fetch().unwrap();
    assert!(again >= due.saturating_add(seconds(60)), "it is heeded all the same");
    assert_eq!(machine.published().state(again), KeySetState::Stale);
}

/// Where keys are fresh for two seconds, a provider that works again is noticed within two.
#[test]
fn no_pause_is_longer_than_the_ttl_in_force() {
    let short =
        KeySetSettings { ttl: seconds(2), min_ttl: seconds(2), retries: 5, ..KeySetSettings::default() };
    let published = Arc::new(PublishedKeys::new(Vec::new()));
    let mut machine = KeySetMachine::new(short, published, START, 7);
    let fail_at = |machine: &mut KeySetMachine, now: Now| {
        assert_eq!(machine.poll(now), Step::Fetch);
        machine.fetched(now, Err(None));
        machine.next_fetch().unwrap().saturating_since(now.mono)
    };
    let mut now = START;
    for failure in 0..40 {
        let pause = fail_at(&mut machine, now);
        assert!(pause <= seconds(2), "{pause:?} after failure {failure}");
        now = later(now, seconds(2));
    }
    // The provider's `max-age` is the TTL in force.
    assert_eq!(machine.poll(now), Step::Fetch);
    let lasting = Fetched { max_age: Some(seconds(600)), ..answer(&[own_jwk(&KEYS[0])]) };
    machine.fetched(now, Ok(lasting));
    now = later(now, seconds(600));
    let pauses: Vec<_> = (0..6)
        .map(|_| {
            let pause = fail_at(&mut machine, now);
            now = later(now, seconds(60));
            pause
        })
        .collect();
    assert!(pauses[5] >= seconds(15) && pauses[5] <= seconds(30), "{pauses:?}");
}

/// The last good set of an earlier process never takes the place of one that this process fetched.
#[test]
fn a_snapshot_replaces_nothing() {
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let live = Arc::clone(&machine.published().current().as_ref().unwrap().keys()[0]);
    assert!(machine.restore(START, jwk_set(&[own_jwk(&KEYS[1])]), START.wall).is_err());
    assert!(live.is_usable(START.mono));
    assert_eq!(machine.published().state(START.mono), KeySetState::Fresh);
}

#[test]
fn a_snapshot_serves_until_its_own_date_says_and_then_nothing_does() {
    let claims = without(good_claims(), "exp");
    let token = sign(&KEYS[0], &with(claims, "exp", START.wall.0 + 100_000));
    for (age, served) in [(0, 3600), (600, 3000), (3599, 1), (-60, 3600)] {
        let mut machine = machine(START);
        let dated = UnixTime(START.wall.0 - age);
        machine.restore(START, jwk_set(&[own_jwk(&KEYS[0])]), dated).unwrap();
        let issuer = issuer_of(&machine);
        assert_eq!(outcome_now(START, &issuer, &token), Outcome::Accept);
        let last = Now { mono: MonoTime(later(START, seconds(served)).mono.0 - 1), ..START };
        assert_eq!(outcome_now(last, &issuer, &token), Outcome::Accept, "{age} s old");
        let past = later(START, seconds(served));
        let want = wanted(judge(past, past.mono, &issuer, &token));
        assert_eq!(want.otherwise, Reason::KeysStaleLimit);
    }
}

/// Providers publish a key twice, too; what verdicts rest on is the first.
#[test]
fn of_one_key_published_twice_the_first_lives_on() {
    let [first, second] = [own_jwk(&KEYS[0]), own_jwk(&KEYS[1])];
    let mut machine = machine_with(START, &[first.clone(), second.clone(), second.clone()]);
    let live = Arc::clone(&machine.published().current().as_ref().unwrap().keys()[1]);
    let now = next_fetch(&mut machine, START, &[first, second]);
    assert!(live.is_usable(now.mono));
}
