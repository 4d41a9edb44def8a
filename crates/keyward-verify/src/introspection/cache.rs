//! Answers remembered: for a moment, by a keyed hash, until somebody takes them back.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use keyward_jose::KeyedHash;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{UnitWeighter, Weighter};

use super::question::TokenHash;
use super::{Active, Answer, Flight, Question, Unasked};
use crate::binding::Confirmation;
use crate::{MonoTime, Now};

/// How long answers are remembered, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerCacheSettings {
    /// How long an active answer is remembered after its question came up, where `exp` does not end it sooner.
    /// Default 30 s, which is how long a revocation may go unnoticed.
    pub active: Duration,
    /// How long an inactive one is. Default 5 s: a token may become active, such as one that a node of the provider
    /// has not heard of yet.
    pub inactive: Duration,
    /// How much memory active answers may take, in octets. Default 32 MiB.
    pub octets: u64,
    /// How many inactive answers are remembered. Default 65536, about 6 MiB.
    pub inactive_limit: usize,
}

impl Default for AnswerCacheSettings {
    fn default() -> Self {
        Self {
            active: Duration::from_secs(30),
            inactive: Duration::from_secs(5),
            octets: 32 * 1024 * 1024,
            inactive_limit: 65_536,
        }
    }
}

/// A bounded, sharded memory of what one endpoint said.
///
/// - A token is kept as a keyed SHA-256, never as itself.
/// - What is remembered is the answer, not a verdict: each route checks it anew.
/// - Only answers are kept. A failure is not one.
/// - Inactive answers, which anybody can cause, have a place of their own: they evict no active one.
/// - What is forgotten is forgotten at once, and an answer to a question from before is not remembered after.
pub struct AnswerCache {
    hash: KeyedHash,
    settings: AnswerCacheSettings,
    active: Cache<TokenHash, Kept, Octets, BuildHasherDefault<First>>,
    inactive: Cache<TokenHash, MonoTime, UnitWeighter, BuildHasherDefault<First>>,
    /// How often something was forgotten. Whoever remembers reads it and holds on to it until that is done.
    generation: RwLock<u64>,
    /// Nothing that is remembered holds from then on.
    blank_from: AtomicU64,
    hits: Hits,
}

/// How often an answer was remembered, since the start.
#[derive(Debug, Default)]
struct Hits {
    active: AtomicU64,
    inactive: AtomicU64,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// It was active a moment ago.
    Active(Active),
    /// It was not.
    Inactive,
    /// Nothing. Ask the endpoint the [`AnswerCache::question`] that this comes to, and hand in its answer with
    /// [`AnswerCache::remember`].
    Unknown(Unasked<'a>),
}

/// What to forget.
#[derive(Clone, Copy)]
pub enum Forget<'a> {
    /// Tokens with this `jti`.
    Jti(&'a str),
    /// Tokens of this session, by `sid`.
    Sid(&'a str),
    /// Tokens of this user or client, by `sub`.
    Subject(&'a str),
    /// This token.
    Token(&'a [u8]),
}

impl AnswerCache {
    /// An empty memory. `secret` keys the hash of tokens, and should be random and this process' own.
    pub fn new(settings: AnswerCacheSettings, secret: [u8; 32]) -> Self {
        // An active answer takes about 1.5 KiB, so this many are expected to fit.
        let expected = usize::try_from(settings.octets / 1536).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let limit = settings.inactive_limit;
        let hasher = BuildHasherDefault::default;
        Self {
            hash: KeyedHash::new(secret),
            active: Cache::with(expected, settings.octets, Octets, hasher(), DefaultLifecycle::default()),
            inactive: Cache::with(limit, limit as u64, UnitWeighter, hasher(), DefaultLifecycle::default()),
            generation: RwLock::new(0),
            blank_from: AtomicU64::new(0),
            hits: Hits::default(),
            settings,
        }
    }

    /// What is known of `token`. A hit allocates nothing, for a token of up to 2016 octets.
    pub fn look<'a>(&self, now: Now, token: &'a [u8]) -> Found<'a> {
        let unasked = |hash| {
            let generation = *self.generation.read().unwrap_or_else(PoisonError::into_inner);
            Found::Unknown(Unasked { came_up: now, token, hash, generation })
        };
        // While an endpoint is down for long, hashing would be most of what a fallback costs.
        if now.mono.0 >= self.blank_from.load(Ordering::Acquire) {
            return unasked(None);
        }
        let hash = self.hash.of(token);
        if let Some(kept) = self.active.get(&hash) {
            if kept.holds(now) {
                self.hits.active.fetch_add(1, Ordering::Relaxed);
                return Found::Active(kept.active);
            }
            self.active.remove_if(&hash, |kept| !kept.holds(now));
        }
        if let Some(until) = self.inactive.get(&hash) {
            if now.mono < until {
                self.hits.inactive.fetch_add(1, Ordering::Relaxed);
                return Found::Inactive;
            }
            self.inactive.remove_if(&hash, |until| now.mono >= *until);
        }
        unasked(Some(hash))
    }

    /// What to ask about a token of which nothing is known.
    pub fn question(&self, unasked: Unasked<'_>) -> Question {
        let Unasked { came_up, token, hash, generation } = unasked;
        let hash = hash.unwrap_or_else(|| self.hash.of(token));
        Question {
            asked: came_up,
            flight: Flight { token: hash, generation },
            claimed: Confirmation::claimed_by(token),
        }
    }

    /// Remembers an answer, unless something was forgotten since its question came up, or a later question about the
    /// token was answered already.
    pub fn remember(&self, now: Now, answer: &Answer) {
        let Question { asked, flight: Flight { token, generation }, .. } = *match answer {
            Answer::Active(active) => active.question(),
            Answer::Inactive(question) => question,
        };
        // Held to the end, so that nothing is forgotten between the look at it and the deed.
        let current = self.generation.read().unwrap_or_else(PoisonError::into_inner);
        if *current != generation || self.knows_later(now, &token, asked.mono) {
            return;
        }
        self.active.remove(&token);
        self.inactive.remove(&token);
        match answer {
            Answer::Active(active) => {
                let until = asked.mono.saturating_add(self.settings.active);
                let kept = Kept { active: active.clone(), until };
                if kept.holds(now) {
                    self.blank_from.fetch_max(until.0, Ordering::AcqRel);
                    self.active.insert(token, kept);
                }
            }
            Answer::Inactive(_) => {
                let until = asked.mono.saturating_add(self.settings.inactive);
                if now.mono < until {
                    self.blank_from.fetch_max(until.0, Ordering::AcqRel);
                    self.inactive.insert(token, until);
                }
            }
        }
    }

    /// Whether what is still known of the token was asked after `asked`.
    fn knows_later(&self, now: Now, token: &TokenHash, asked: MonoTime) -> bool {
        let is_later = |kept: &Kept| kept.holds(now) && kept.active.question().asked.mono > asked;
        let inactive_until = asked.saturating_add(self.settings.inactive);
        let is_later_inactive = |until: &MonoTime| now.mono < *until && *until > inactive_until;
        self.active.peek(token).as_ref().is_some_and(is_later)
            || self.inactive.peek(token).as_ref().is_some_and(is_later_inactive)
    }

    /// Forgets, and sees to it that no answer is remembered whose question came up before. Returns how many answers
    /// are gone: it looks at each, unless it is told the token.
    pub fn forget(&self, what: Forget<'_>) -> usize {
        let mut generation = self.generation.write().unwrap_or_else(PoisonError::into_inner);
        *generation = generation.wrapping_add(1);
        let before = self.len();
        match what {
            Forget::Token(token) => {
                let token = self.hash.of(token);
                self.active.remove(&token);
                self.inactive.remove(&token);
            }
            Forget::Jti(_) | Forget::Sid(_) | Forget::Subject(_) => {
                self.active.retain(|_, kept| !what.names(&kept.active));
            }
        }
        before.saturating_sub(self.len())
    }

    /// How often an active and an inactive answer was found, since the start.
    pub fn hits(&self) -> (u64, u64) {
        (self.hits.active.load(Ordering::Relaxed), self.hits.inactive.load(Ordering::Relaxed))
    }

    /// How many answers are remembered.
    pub fn len(&self) -> usize {
        self.active.len() + self.inactive.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Roughly how many octets of memory they take.
    pub fn octets(&self) -> u64 {
        const INACTIVE: u64 = (size_of::<TokenHash>() + size_of::<MonoTime>()) as u64;
        self.active.weight() + self.inactive.weight() * INACTIVE
    }
}

impl Forget<'_> {
    fn names(&self, active: &Active) -> bool {
        match *self {
            Self::Jti(jti) => active.jti() == Some(jti),
            Self::Sid(sid) => active.sid() == Some(sid),
            Self::Subject(subject) => active.claims().subject() == Some(subject),
            Self::Token(_) => false,
        }
    }
}

impl fmt::Debug for Forget<'_> {
    /// Says what, not whose.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jti(_) => "Jti",
            Self::Sid(_) => "Sid",
            Self::Subject(_) => "Subject",
            Self::Token(_) => "Token",
        })
    }
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Kept {
    active: Active,
    until: MonoTime,
}

impl Kept {
    /// `exp` counts without leeway here: from then on the endpoint has the word.
    fn holds(&self, now: Now) -> bool {
        now.mono < self.until && self.active.claims().expires_at().is_none_or(|at| now.wall < at)
    }
}

#[derive(Clone)]
struct Octets;

impl Weighter<TokenHash, Kept> for Octets {
    fn weight(&self, _: &TokenHash, kept: &Kept) -> u64 {
        (size_of::<TokenHash>() + size_of::<Kept>() + kept.active.weight()) as u64
    }
}

/// The first octets of what is a hash already.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn write(&mut self, octets: &[u8]) {
        if let Some(first) = octets.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// An array writes its length, too, which says nothing here.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
