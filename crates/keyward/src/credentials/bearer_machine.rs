//! When to obtain a bearer of ours, what a failure means, and what a 401 does to one.

use std::time::Duration;

use keyward_verify::MonoTime;

use super::back_off::Spread;

/// Keeps one bearer of ours current. It does no I/O and holds no token: a token goes by the number that it is given.
///
/// Whoever drives it does this, over and over: [`poll`](Self::poll); on [`Step::Fetch`], obtain a token and hand in
/// what came of it with [`fetched`](Self::fetched); on [`Step::Wait`], come back at that time or when somebody
/// [`ask`](Self::ask)ed.
///
/// What it guarantees: at most one token request is under way; a token is renewed ahead of its expiry and never used
/// past it; a failed renewal takes no token away; a token that is refused is dropped and obtained again once, and
/// when the next one is refused before any was accepted, everybody is told so until the back-off is over.
#[derive(Debug)]
pub(super) struct BearerMachine {
    spread: Spread,
    fetch: Fetch,
    held: Option<Held>,
    /// How many tokens there were.
    obtained: u64,
    /// How many requests for one have failed since one last succeeded.
    failures: u32,
    /// How many tokens were refused since one was last accepted, less the first.
    rejections: u32,
    /// What those are told who ask while there is no token.
    trouble: Option<Trouble>,
    /// A token was refused, and none was accepted since.
    is_suspect: bool,
    dropped: Option<MonoTime>,
}

#[derive(Clone, Copy, Debug)]
enum Fetch {
    Due(MonoTime),
    /// `again`: somebody has told since it began that another credential counts.
    UnderWay {
        started: MonoTime,
        again: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    obtained: MonoTime,
    usable_until: MonoTime,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Obtain a token now and call [`BearerMachine::fetched`].
    Fetch,
    /// Nothing to do before this time.
    Wait(MonoTime),
}

/// What those come to who need a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is none, and none can be hoped for before this time has passed.
    Refused(Trouble, Duration),
    /// This one.
    Use(u64),
    /// One is being obtained: ask again when it has come, or not.
    Wait,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The provider refuses us, or the tokens that it gives us.
    Rejected,
    /// The provider fails.
    Unavailable,
}

/// What came of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// It failed; so many have in a row, and this is the wait.
    Failed(u32, Duration),
    /// The token has this number, and is used for so long.
    Obtained(u64, Duration),
    /// Nobody asked for it: it changes nothing.
    Unasked,
}

/// What a refused token comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterRefusal {
    /// Another one is there, or on its way: once more.
    Again {
        /// Whether this was what dropped the token.
        is_dropped: bool,
    },
    /// We are refused; the first one who learns it is told how often we were.
    Rejected {
        /// Until the next attempt.
        retry_in: Duration,
        /// How many tokens were refused in a row, where this one was not known to be.
        rejections: Option<u32>,
    },
}

/// For how long a token counts where the provider does not say (RFC 6749 §5.1 only recommends that it does).
const UNSAID_LIFETIME: Duration = Duration::from_secs(300);

/// No token is used for longer, whatever its provider says.
const LIFETIME_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// How long before its expiry a token is no longer used: a request is on its way for a while.
const MARGIN: Duration = Duration::from_secs(10);

/// Tokens that live shorter than this are not obtained faster.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// A second refusal within this time is not a token's that somebody took back.
const DROP_INTERVAL: Duration = Duration::from_secs(10);

impl BearerMachine {
    /// A machine whose first request is due at once. `seed` spreads its deadlines.
    pub(super) fn new(now: MonoTime, seed: u64) -> Self {
        Self {
            spread: Spread::new(seed),
            fetch: Fetch::Due(now),
            held: None,
            obtained: 0,
            failures: 0,
            rejections: 0,
            trouble: None,
            is_suspect: false,
            dropped: None,
        }
    }

    /// What to do now. [`Step::Fetch`] is said once for each request.
    pub(super) fn poll(&mut self, now: MonoTime) -> Step {
        match self.fetch {
            Fetch::Due(at) if at <= now => {
                self.fetch = Fetch::UnderWay { started: now, again: false };
                Step::Fetch
            }
            Fetch::Due(at) => Step::Wait(at),
            Fetch::UnderWay { .. } => Step::Wait(MonoTime::NEVER),
        }
    }

    /// Takes in what came of a request: `expires_in`, or the trouble and how long the provider wants to be left alone.
    pub(super) fn fetched(
        &mut self,
        now: MonoTime,
        result: Result<Option<Duration>, (Trouble, Option<Duration>)>,
    ) -> Fetched {
        let Fetch::UnderWay { started, again } = self.fetch else {
            return Fetched::Unasked;
        };
        let fetched = match result {
            Ok(expires_in) => self.take_token(now, started, expires_in.unwrap_or(UNSAID_LIFETIME)),
            Err((trouble, wish)) => {
                self.failures = self.failures.saturating_add(1);
                self.trouble = Some(trouble);
                let retry_in = self.spread.back_off(self.failures.max(self.rejections), wish);
                self.fetch = Fetch::Due(now.saturating_add(retry_in));
                Fetched::Failed(self.failures, retry_in)
            }
        };
        if again {
            self.fetch = Fetch::Due(now);
        }
        fetched
    }

    fn take_token(&mut self, now: MonoTime, started: MonoTime, expires_in: Duration) -> Fetched {
        let lifetime = expires_in.min(LIFETIME_LIMIT);
        let usable_until = started.saturating_add(lifetime - MARGIN.min(lifetime / 10));
        let ahead = self.spread.between(lifetime * 7 / 10, lifetime * 8 / 10).max(SHORTEST_INTERVAL);
        self.obtained += 1;
        self.held = Some(Held { number: self.obtained, obtained: started, usable_until });
        self.failures = 0;
        self.trouble = None;
        self.fetch = Fetch::Due(started.saturating_add(ahead).max(now));
        Fetched::Obtained(self.obtained, usable_until.saturating_since(now))
    }

    /// A token for somebody who needs one.
    pub(super) fn ask(&self, now: MonoTime) -> Answer {
        match (self.held, self.trouble) {
            (Some(held), _) if now < held.usable_until => Answer::Use(held.number),
            // Whoever asks is not held up for a provider that is known to fail.
            (_, Some(trouble)) => Answer::Refused(trouble, self.retry_in(now)),
            _ => Answer::Wait,
        }
    }

    /// The provider answered that it does not take this token.
    pub(super) fn refused(&mut self, now: MonoTime, number: u64) -> AfterRefusal {
        if self.held.is_none_or(|held| held.number != number) {
            // It was dropped before; somebody else's answer was quicker.
            return match self.ask(now) {
                Answer::Refused(_, retry_in) => AfterRefusal::Rejected { retry_in, rejections: None },
                Answer::Use(_) | Answer::Wait => AfterRefusal::Again { is_dropped: false },
            };
        }
        let was_just_dropped =
            self.dropped.is_some_and(|dropped| now.saturating_since(dropped) < DROP_INTERVAL);
        let is_second = self.is_suspect || was_just_dropped;
        self.held = None;
        self.is_suspect = true;
        self.dropped = Some(now);
        if !is_second {
            self.hurry(now);
            return AfterRefusal::Again { is_dropped: true };
        }
        self.rejections = self.rejections.saturating_add(1);
        self.trouble = Some(Trouble::Rejected);
        if let Fetch::Due(at) = self.fetch {
            let next = now.saturating_add(self.spread.back_off(self.rejections, None));
            // A provider that fails as well is left alone for as long as that takes.
            self.fetch = Fetch::Due(if self.failures > 0 { next.max(at) } else { next });
        }
        AfterRefusal::Rejected { retry_in: self.retry_in(now), rejections: Some(self.rejections) }
    }

    /// The provider took this token. Whether it had refused us before.
    pub(super) fn accepted(&mut self, number: u64) -> bool {
        if self.held.is_none_or(|held| held.number != number) {
            return false;
        }
        self.is_suspect = false;
        std::mem::take(&mut self.rejections) > 0
    }

    /// Another credential counts from now on: what the last one came to says nothing of it. The token that there is
    /// serves until there is another.
    pub(super) fn replaced(&mut self, now: MonoTime) {
        self.failures = 0;
        self.trouble = None;
        self.is_suspect = false;
        self.dropped = None;
        self.fetch = match self.fetch {
            Fetch::Due(_) => Fetch::Due(now),
            Fetch::UnderWay { started, .. } => Fetch::UnderWay { started, again: true },
        };
    }

    /// When the token that there is was obtained, and until when it is used.
    pub(super) fn held(&self) -> Option<(MonoTime, MonoTime)> {
        self.held.map(|held| (held.obtained, held.usable_until))
    }

    /// Requests that failed, and tokens that were refused, in a row.
    pub(super) fn failures(&self) -> (u32, u32) {
        (self.failures, self.rejections)
    }

    fn hurry(&mut self, now: MonoTime) {
        // A provider that fails is asked at its pace.
        if let (Fetch::Due(at), None) = (self.fetch, self.trouble) {
            self.fetch = Fetch::Due(at.min(now));
        }
    }

    fn retry_in(&self, now: MonoTime) -> Duration {
        match self.fetch {
            Fetch::Due(at) => at.saturating_since(now),
            Fetch::UnderWay { .. } => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: MonoTime = MonoTime(86_400_000_000_000);

    fn at(seconds: u64) -> MonoTime {
        START.saturating_add(Duration::from_secs(seconds))
    }

    fn hour() -> Result<Option<Duration>, (Trouble, Option<Duration>)> {
        Ok(Some(Duration::from_secs(3600)))
    }

    fn obtained(machine: &mut BearerMachine, now: MonoTime) -> u64 {
        assert_eq!(machine.poll(now), Step::Fetch);
        let Fetched::Obtained(number, _) = machine.fetched(now, hour()) else {
            panic!("not obtained");
        };
        number
    }

    #[test]
    fn one_is_obtained_once_for_all_and_renewed_ahead() {
        let mut machine = BearerMachine::new(START, 1);
        assert_eq!(machine.ask(START), Answer::Wait);
        assert_eq!(machine.poll(START), Step::Fetch);
        assert_eq!((machine.ask(START), machine.poll(START)), (Answer::Wait, Step::Wait(MonoTime::NEVER)));
        assert_eq!(machine.fetched(at(1), hour()), Fetched::Obtained(1, Duration::from_secs(3589)));
        assert_eq!(machine.fetched(at(1), hour()), Fetched::Unasked);
        let Step::Wait(renewal) = machine.poll(at(1)) else {
            panic!("again");
        };
        assert!((at(2520)..=at(2880)).contains(&renewal), "{renewal:?}");
        assert_eq!(machine.poll(renewal), Step::Fetch);
        // The old one serves while it is renewed, and when that fails, until it is over.
        assert_eq!(machine.ask(renewal), Answer::Use(1));
        assert!(matches!(machine.fetched(renewal, Err((Trouble::Rejected, None))), Fetched::Failed(1, _)));
        assert_eq!((machine.ask(renewal), machine.ask(at(3589))), (Answer::Use(1), Answer::Use(1)));
        assert!(matches!(machine.ask(at(3590)), Answer::Refused(Trouble::Rejected, Duration::ZERO)));
    }

    #[test]
    fn a_refused_token_is_obtained_again_once() {
        let mut machine = BearerMachine::new(START, 1);
        let first = obtained(&mut machine, START);
        assert!(!machine.accepted(first));
        // Many are refused at once: one drops it, and all get the next.
        assert_eq!(machine.refused(at(60), first), AfterRefusal::Again { is_dropped: true });
        assert_eq!(machine.refused(at(60), first), AfterRefusal::Again { is_dropped: false });
        assert_eq!(machine.ask(at(60)), Answer::Wait);
        let second = obtained(&mut machine, at(60));
        assert_eq!(machine.refused(at(61), first), AfterRefusal::Again { is_dropped: false });
        assert_eq!(machine.ask(at(61)), Answer::Use(second));
        assert!(!machine.accepted(second));
        // An hour later it may be taken back again.
        assert_eq!(machine.refused(at(1000), second), AfterRefusal::Again { is_dropped: true });
    }

    #[test]
    fn a_second_refusal_backs_off_and_is_known_to_all() {
        let mut machine = BearerMachine::new(START, 1);
        let mut now = START;
        let first = obtained(&mut machine, now);
        assert_eq!(machine.refused(now, first), AfterRefusal::Again { is_dropped: true });
        for round in 1..=12 {
            let number = obtained(&mut machine, now);
            let AfterRefusal::Rejected { retry_in, rejections: Some(rejections) } =
                machine.refused(now, number)
            else {
                panic!("once more");
            };
            assert_eq!(rejections, round);
            let most = Duration::from_secs(60.min(1 << (round - 1)));
            assert!((most / 2..=most).contains(&retry_in), "{round}: {retry_in:?}");
            assert_eq!(machine.ask(now), Answer::Refused(Trouble::Rejected, retry_in));
            let again = AfterRefusal::Rejected { retry_in, rejections: None };
            assert_eq!(machine.refused(now, number), again);
            now = now.saturating_add(retry_in);
        }
        let number = obtained(&mut machine, now);
        assert!(machine.accepted(number) && !machine.accepted(number));
        assert_eq!(machine.failures(), (0, 0));
    }

    #[test]
    fn a_provider_that_takes_some_and_refuses_others_causes_no_storm() {
        let mut machine = BearerMachine::new(START, 1);
        let first = obtained(&mut machine, START);
        machine.accepted(first);
        assert_eq!(machine.refused(at(60), first), AfterRefusal::Again { is_dropped: true });
        let second = obtained(&mut machine, at(60));
        machine.accepted(second);
        assert!(matches!(machine.refused(at(61), second), AfterRefusal::Rejected { .. }));
    }

    #[test]
    fn another_credential_starts_afresh() {
        let mut machine = BearerMachine::new(START, 1);
        assert_eq!(machine.poll(START), Step::Fetch);
        machine.replaced(START);
        assert!(matches!(machine.fetched(START, Err((Trouble::Rejected, None))), Fetched::Failed(..)));
        // The request that failed was the old one's.
        assert_eq!(machine.poll(START), Step::Fetch);
        assert!(matches!(machine.fetched(START, Err((Trouble::Rejected, None))), Fetched::Failed(..)));
        assert!(matches!(machine.poll(START), Step::Wait(_)));
        machine.replaced(START);
        assert_eq!(machine.ask(START), Answer::Wait);
        let first = obtained(&mut machine, START);
        assert_eq!(machine.refused(START, first), AfterRefusal::Again { is_dropped: true });
        machine.replaced(START);
        let second = obtained(&mut machine, START);
        assert_eq!(machine.refused(START, second), AfterRefusal::Again { is_dropped: true });
    }

    #[test]
    fn a_short_life_causes_no_storm() {
        let mut machine = BearerMachine::new(START, 1);
        let (mut now, mut requests) = (START, 0);
        while now < at(60) {
            match machine.poll(now) {
                Step::Fetch => {
                    requests += 1;
                    machine.fetched(now, Ok(Some(Duration::from_secs(1))));
                }
                Step::Wait(until) => now = until,
            }
        }
        assert_eq!(requests, 60);
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Pass(u64),
        Obtained(Option<u64>),
        Fails(bool, Option<u64>),
        Refused(u64),
        Accepted(u64),
        Replaced,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            4 => prop_oneof![0..2_000_u64, 0..4_000_000_u64].prop_map(Happens::Pass),
            3 => prop_oneof![Just(None), (1..7200_u64).prop_map(Some), Just(Some(u64::MAX))].prop_map(Happens::Obtained),
            2 => (any::<bool>(), proptest::option::of(0..1_000_u64)).prop_map(|(us, wish)| Happens::Fails(us, wish)),
            2 => (0..3_u64).prop_map(Happens::Refused),
            2 => (0..3_u64).prop_map(Happens::Accepted),
            1 => Just(Happens::Replaced),
        ]
    }

    /// What the tests know of a token.
    #[derive(Debug)]
    struct Known {
        over: MonoTime,
        is_refused: bool,
    }

    proptest! {
        #[test]
        fn keeps_what_it_promises(seed: u64, history in proptest::collection::vec(happens(), 1..200)) {
            let mut machine = BearerMachine::new(START, seed);
            let (mut now, mut tokens) = (START, Vec::<Known>::new());
            let mut under_way: Option<MonoTime> = None;
            // No request before this, unless something is new.
            let mut quiet_until = START;
            for event in history {
                if let Step::Fetch = machine.poll(now) {
                    prop_assert!(under_way.is_none(), "two at once");
                    prop_assert!(now >= quiet_until, "too soon");
                    under_way = Some(now);
                }
                match event {
                    Happens::Pass(millis) => now = now.saturating_add(Duration::from_millis(millis)),
                    Happens::Obtained(lifetime) => {
                        let result = machine.fetched(now, Ok(lifetime.map(Duration::from_secs)));
                        prop_assert_eq!(result != Fetched::Unasked, under_way.is_some());
                        if let Some(started) = under_way.take() {
                            let lifetime = Duration::from_secs(lifetime.unwrap_or(300).min(24 * 3600));
                            tokens.push(Known { over: started.saturating_add(lifetime), is_refused: false });
                            prop_assert_eq!(machine.failures().0, 0);
                        }
                    }
                    Happens::Fails(is_us, wish) => {
                        let trouble = if is_us { Trouble::Rejected } else { Trouble::Unavailable };
                        let result = machine.fetched(now, Err((trouble, wish.map(Duration::from_secs))));
                        prop_assert_eq!(result != Fetched::Unasked, under_way.take().is_some());
                        if let (Fetched::Failed(failures, retry_in), Step::Wait(_)) = (result, machine.poll(now)) {
                            prop_assert!(failures > 0 && retry_in >= Duration::from_millis(500));
                            prop_assert!(retry_in <= Duration::from_secs(300));
                            quiet_until = now.saturating_add(retry_in);
                        } else if result != Fetched::Unasked {
                            // Something was new meanwhile, and it has begun again.
                            under_way = Some(now);
                        }
                    }
                    Happens::Refused(back) => {
                        let Some(place) = (tokens.len() as u64).checked_sub(back + 1) else { continue };
                        let answer = machine.refused(now, place + 1);
                        tokens[place as usize].is_refused = true;
                        if let AfterRefusal::Rejected { retry_in, .. } = answer {
                            let told = machine.ask(now);
                            prop_assert!(matches!(told, Answer::Refused(_, told) if told == retry_in), "{told:?}");
                        }
                    }
                    Happens::Accepted(back) => {
                        let Some(place) = (tokens.len() as u64).checked_sub(back + 1) else { continue };
                        machine.accepted(place + 1);
                    }
                    Happens::Replaced => {
                        machine.replaced(now);
                        quiet_until = now;
                        prop_assert!(!matches!(machine.ask(now), Answer::Refused(..)));
                    }
                }
                match machine.ask(now) {
                    Answer::Use(number) => {
                        prop_assert_eq!(number, tokens.len() as u64, "not the newest");
                        let token = &tokens[number as usize - 1];
                        prop_assert!(now < token.over && !token.is_refused, "{token:?} at {now:?}");
                    }
                    Answer::Wait => {
                        // Who waits is not left waiting for long: a request is under way, or soon will be.
                        let until = machine.poll(now);
                        if until == Step::Fetch {
                            prop_assert!(under_way.is_none());
                            under_way = Some(now);
                        }
                        let soon = now.saturating_add(Duration::from_secs(60));
                        prop_assert!(under_way.is_some() || matches!(until, Step::Wait(at) if at <= soon), "{until:?}");
                    }
                    Answer::Refused(_, retry_in) => prop_assert!(retry_in <= Duration::from_secs(300)),
                }
            }
            // Whatever happened, it comes to a token when the provider is well again. What is under way may have been
            // for so long that its token is over.
            for _ in 0..2 {
                if under_way.take().is_none() {
                    while let Step::Wait(at) = machine.poll(now) {
                        now = at;
                    }
                }
                machine.fetched(now, hour());
                if matches!(machine.ask(now), Answer::Use(_)) {
                    break;
                }
            }
            let settled = machine.ask(now);
            prop_assert!(matches!(settled, Answer::Use(_)), "{settled:?}");
        }
    }
}
