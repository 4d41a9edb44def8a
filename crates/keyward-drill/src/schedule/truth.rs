//! What may be answered to each request of a schedule, by the promises alone.
//!
//! It knows what the provider was told and when, and the settings; nothing of the verifier. Wherever it cannot tell, it
//! allows everything.

use super::history::{Condition, History, NEVER, Span};
use super::plan::{Event, Millis, Mint, Schedule, Token, Worth};
use crate::drill::GatewayStep;
use crate::seen::{Outcome, Seen};

/// What is right in a schedule.
#[derive(Debug)]
pub(super) struct Truth {
    histories: Vec<History>,
    denied: Vec<(Span, String)>,
    asks: Vec<Asked>,
}

/// A request, its token found.
#[derive(Clone, Debug)]
struct Asked {
    at: Millis,
    issuer: usize,
    mint: Mint,
    minted: Millis,
    /// `exp`.
    expires: Millis,
    /// Whether the verifier surely has the key that the token names.
    is_known: bool,
}

/// What was to be expected, and was not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) promise: u8,
    pub(super) allowed: String,
}

/// Wall clocks count whole seconds, and snapshots are dated by them.
const SLACK: Millis = 2000;

/// The leeway on `exp`.
const LEEWAY: Millis = 60_000;

/// The longest that a request may wait for a fetch.
const LONGEST_WAIT: Millis = 1000;

/// How many fetches unknown kids may cause at once; then one a second.
const BURST: Millis = 4;

/// After how long without unknown kids all of the burst is there again, and none is remembered as absent.
const QUIET: Millis = 10_000;

/// The longest burst whose fetches are counted by themselves.
const WINDOW: Millis = 5000;

/// The time within which a new key is found amid junk.
const FOUND_WITHIN: Millis = 2000;

/// Attempts in a row at a provider that fails, before a rest of half a minute or of the TTL, less up to half of it.
const ATTEMPTS: Millis = 4;
const SHORTEST_REST: Millis = 15_000;

impl Truth {
    pub(super) fn of(schedule: &Schedule) -> Self {
        let histories = schedule.issuers.iter().map(|issuer| History::of(schedule, issuer)).collect();
        let mut truth = Self { histories, denied: Vec::new(), asks: Vec::new() };
        let mut ahead = vec![0; schedule.issuers.len()];
        for (at, event) in &schedule.events {
            match event {
                Event::Ask(ask) => {
                    let asked = match &ask.token {
                        Token::Again(number) => truth.asks.get(*number).cloned(),
                        Token::New(mint) => {
                            let ahead = ahead.get(ask.issuer).copied().unwrap_or(0);
                            let (mint, expires) = (mint.clone(), at + ahead + mint.lifetime);
                            Some(Asked {
                                at: *at,
                                issuer: ask.issuer,
                                mint,
                                minted: *at,
                                expires,
                                is_known: false,
                            })
                        }
                    };
                    let Some(mut asked) = asked else { continue };
                    asked.at = *at;
                    asked.is_known = truth.surely_has(&asked, *at).is_some();
                    truth.asks.push(asked);
                }
                Event::Gateway(GatewayStep::Deny(kids)) => truth.deny(*at, kids),
                Event::Gateway(_) => {}
                Event::Provider(command) => {
                    let place =
                        schedule.issuers.iter().position(|one| Some(&one.name) == command.issuer.as_ref());
                    let ahead = place.and_then(|place| ahead.get_mut(place));
                    if let (Some(ahead), Some(clock)) = (ahead, &command.clock) {
                        *ahead = clock.ahead_s * 1000;
                    }
                }
            }
        }
        truth
    }

    /// What is wrong with this answer to the request with this number.
    pub(super) fn judge(&self, number: usize, seen: Seen) -> Option<Broken> {
        let asked = self.asks.get(number)?;
        let history = self.histories.get(asked.issuer)?;
        let took = Millis::try_from(seen.took.as_millis()).unwrap_or(NEVER);
        let answered = asked.at + took;
        let was_up = history.is_up(asked.at, asked.at);
        if was_up == (seen.outcome == Outcome::Unanswered) {
            return broken(
                2,
                if was_up { "a verdict: the verifier is up" } else { "none: the verifier is down" },
            );
        }
        if !was_up {
            return None;
        }
        if took > LONGEST_WAIT {
            return broken(6, "an answer within a second");
        }
        if seen.outcome == Outcome::Accept {
            let wrong = self.may_not_accept(asked, history, answered);
            if wrong.is_some() {
                return wrong;
            }
        }
        if !history.is_up(asked.at, answered) {
            return None;
        }
        match asked.mint.worth {
            Worth::Good | Worth::Nameless => self.good(number, asked, history, seen, answered),
            Worth::Forged(_) => self.forged(asked, seen, answered),
            Worth::Stray => self.stray(number, asked, history, seen, answered),
            Worth::Guessed(_) => None,
        }
    }

    /// What is wrong with the fetches in the seconds before the request with this number came, where there had been so
    /// many of its issuer's set when each request came; and how many it were.
    pub(super) fn judge_burst(&self, number: usize, fetches_before: &[u64]) -> Option<(Broken, String)> {
        let asked = self.asks.get(number)?;
        let history = self.histories.get(asked.issuer)?;
        let until = fetches_before.get(number)?;
        let earlier = self.asks.iter().zip(fetches_before).take(number).rev();
        let in_burst = earlier.take_while(|(one, _)| one.at + WINDOW >= asked.at);
        in_burst.filter(|(one, _)| one.issuer == asked.issuer).find_map(|(one, before)| {
            let fetches = until.saturating_sub(*before);
            let most = BURST + (asked.at - one.at) / 1000 + 2;
            let is_wrong =
                Millis::try_from(fetches).unwrap_or(NEVER) > most && history.is_calm(one.at, asked.at);
            let allowed = || format!("at most {most} fetches from {} until then", clock(one.at));
            is_wrong.then(|| (Broken { promise: 5, allowed: allowed() }, format!("{fetches} fetches")))
        })
    }

    /// What is wrong with so many fetches of this issuer's set in all.
    pub(super) fn judge_fetches(&self, issuer: usize, fetches: u64, ends: Millis) -> Option<Broken> {
        let most = self.most_fetches(issuer, ends)?;
        let is_wrong = Millis::try_from(fetches).unwrap_or(NEVER) > most;
        is_wrong.then(|| Broken { promise: 5, allowed: format!("at most {most} fetches") })
    }

    fn may_not_accept(&self, asked: &Asked, history: &History, answered: Millis) -> Option<Broken> {
        let Mint { key, worth, .. } = &asked.mint;
        if matches!(worth, Worth::Forged(_) | Worth::Guessed(_) | Worth::Stray) {
            return broken(1, "anything but accept: nobody's key signed it");
        }
        if asked.at > asked.expires + LEEWAY + SLACK {
            return broken(1, "anything but accept: it has expired");
        }
        if self.is_denied(key, asked.at) && self.is_denied(key, answered) {
            return broken(3, format!("anything but accept: {key} is denied"));
        }
        if history.may_hold(key, asked.at, answered, SLACK) {
            return None;
        }
        if !history.was_shown(key, answered) {
            return broken(1, format!("anything but accept: {key} was never published"));
        }
        match history.surely_fetched(asked.at) {
            Some(fetched) if history.shown_since(key, fetched, fetched).is_none() => broken(
                3,
                format!("anything but accept: a fetch after {} did not bring {key}", clock(fetched)),
            ),
            _ => broken(4, format!("anything but accept: no set within the stale limit can hold {key}")),
        }
    }

    fn good(
        &self,
        number: usize,
        asked: &Asked,
        history: &History,
        seen: Seen,
        answered: Millis,
    ) -> Option<Broken> {
        let key = &asked.mint.key;
        if !self.is_valid(asked, answered) {
            return None;
        }
        let since = history.shown_since(key, asked.minted, answered);
        let published = since.or_else(|| history.published_since(key, asked.minted, answered));
        if let (Some(since), Outcome::Reject(_)) = (published, seen.outcome) {
            let since = clock(since);
            return broken(2, format!("no reject: {key} has been published since {since}, before it signed"));
        }
        let is_at_once = seen.took.is_zero();
        if let Some(fetched) = self.surely_has(asked, answered) {
            let allowed = || format!("accept, at once: a fetch after {} brought {key}", clock(fetched));
            return match seen.outcome {
                Outcome::Accept if is_at_once => None,
                Outcome::Accept => broken(6, allowed()),
                _ if history.is_up(fetched, answered) => broken(3, allowed()),
                _ => broken(4, allowed()),
            };
        }
        since?;
        if self.is_quiet(number, asked) && history.is_calm(asked.at, answered) {
            let is_right = seen.outcome == Outcome::Accept && is_at_once;
            return if is_right {
                None
            } else {
                broken(5, format!("accept: {key} is published, and little was asked"))
            };
        }
        let was_wanted = self.asks.iter().take(number).any(|earlier| {
            earlier.issuer == asked.issuer
                && earlier.mint.key == *key
                && matches!(earlier.mint.worth, Worth::Good | Worth::Nameless)
                && earlier.at + FOUND_WITHIN <= asked.at
                && history.shown_since(key, earlier.minted, answered).is_some()
                && self.is_valid(earlier, earlier.at + LONGEST_WAIT)
                && history.is_calm(earlier.at, answered)
        });
        let is_right = !was_wanted || seen.outcome == Outcome::Accept && is_at_once;
        if is_right { None } else { broken(5, format!("accept: {key} has been asked for 2 s ago")) }
    }

    fn forged(&self, asked: &Asked, seen: Seen, answered: Millis) -> Option<Broken> {
        let fetched = self.surely_has(asked, answered)?;
        let allowed =
            || format!("reject, at once: a fetch after {} brought {}", clock(fetched), asked.mint.key);
        match seen.outcome {
            Outcome::Reject(_) if seen.took.is_zero() => None,
            Outcome::Reject(_) => broken(6, allowed()),
            _ => broken(2, allowed()),
        }
    }

    fn stray(
        &self,
        number: usize,
        asked: &Asked,
        history: &History,
        seen: Seen,
        answered: Millis,
    ) -> Option<Broken> {
        // A copy that says how old it is may lack what came since.
        let is_calm = history.is_calm(asked.at, answered) && history.has_no_lag(asked.at);
        let must_reject = is_calm && self.is_quiet(number, asked);
        let is_right = !must_reject || matches!(seen.outcome, Outcome::Reject(_));
        if is_right { None } else { broken(2, "reject: the provider answers, and little was asked") }
    }

    /// When the fetch was, or before it, that brought the key which the token names, where one surely did and its set
    /// is in force.
    fn surely_has(&self, asked: &Asked, answered: Millis) -> Option<Millis> {
        let Mint { key, worth, .. } = &asked.mint;
        let history = self.histories.get(asked.issuer)?;
        let names_its_key = matches!(worth, Worth::Forged(_) | Worth::Good | Worth::Nameless);
        let fetched = history.surely_fetched(asked.at).filter(|_| names_its_key)?;
        history.shown_since(key, fetched, answered)?;
        (history.is_up(asked.at, answered) && answered + SLACK < fetched + history.issuer().stale_limit)
            .then_some(fetched)
    }

    /// Whether neither its time is over nor its key denied, from when it is asked about until then.
    fn is_valid(&self, asked: &Asked, answered: Millis) -> bool {
        let key = &asked.mint.key;
        answered + SLACK < asked.expires + LEEWAY
            && !self.is_denied(key, asked.at)
            && !self.is_denied(key, answered)
    }

    /// Whether nobody has asked this issuer about a key that may be unknown for a while.
    fn is_quiet(&self, number: usize, asked: &Asked) -> bool {
        let earlier = self.asks.iter().take(number);
        let mut recent = earlier.filter(|one| one.issuer == asked.issuer && one.at + QUIET > asked.at);
        recent.all(|one| one.is_known)
    }

    fn deny(&mut self, at: Millis, kids: &[String]) {
        for (span, _) in self.denied.iter_mut().filter(|(span, _)| span.to == NEVER) {
            span.to = at;
        }
        self.denied.extend(kids.iter().map(|kid| (Span { from: at, to: NEVER }, kid.clone())));
    }

    fn is_denied(&self, key: &str, at: Millis) -> bool {
        self.denied.iter().any(|(span, kid)| kid == key && span.holds(at))
    }

    /// The refreshes of a time without trouble, the attempts of the times with it, and what unknown kids may cause.
    fn most_fetches(&self, issuer: usize, ends: Millis) -> Option<Millis> {
        let history = self.histories.get(issuer)?;
        let until = |span: Span| span.to.min(ends) - span.from.min(ends);
        let up: Millis = history.stretches().map(|(span, _)| until(span)).sum();
        let regular = up / (history.ttl().from * 7 / 10) + 1 + 2 * Millis::try_from(history.starts()).ok()?;
        let rest = SHORTEST_REST.min(history.ttl().from / 2);
        let troubled = history.stretches().filter(|(_, condition)| !matches!(condition, Condition::Well(_)));
        let retries: Millis = troubled.map(|(span, _)| (ATTEMPTS + 1) * (until(span) / rest + 2)).sum();
        // Where it is unclear whether a fetch succeeds, each of these may begin a round of attempts.
        let is_unclear = history.stretches().any(|(_, condition)| condition == Condition::Unclear);
        let each = if is_unclear { ATTEMPTS + 1 } else { 1 };
        Some(regular + retries + each * self.most_sought(issuer))
    }

    /// How many fetches the requests about unknown keys may cause.
    fn most_sought(&self, issuer: usize) -> Millis {
        let mut most = 0;
        let (mut count, mut from, mut to) = (0, 0, 0);
        for asked in self.asks.iter().filter(|asked| asked.issuer == issuer && !asked.is_known) {
            if asked.at > to + QUIET {
                most += cluster(count, to - from);
                (count, from) = (0, asked.at);
            }
            (count, to) = (count + 1, asked.at);
        }
        most + cluster(count, to - from)
    }
}

/// Each may ask twice: a fetch that began before it came, or that brought an old copy, tells nothing of its key.
fn cluster(count: Millis, lasted: Millis) -> Millis {
    (2 * count).min(BURST + lasted / 1000 + 2)
}

fn broken(promise: u8, allowed: impl Into<String>) -> Option<Broken> {
    Some(Broken { promise, allowed: allowed.into() })
}

/// A time as the trace shows it.
pub(super) fn clock(at: Millis) -> String {
    format!("{}.{:03} s", at / 1000, at % 1000)
}
