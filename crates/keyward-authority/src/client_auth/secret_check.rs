//! Checks clients' secrets: a bounded number at once, the same one once at a time, and one that was right a moment ago not again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use keyward::clock::Clock;
use keyward::{MonoTime, UnixTime, entropy};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::flights::Flights;
use super::secret::SecretHash;
use crate::cause::Cause;
use crate::entity::Secret;
use crate::observer::Observer;

/// How many of a client's secrets are looked at: one, the one that takes its place, and one more. A wrong secret costs so many
/// hashes whoever it is said to be of, so that the time it takes tells nobody whether there is such a client.
pub const SECRET_LIMIT: usize = 3;

/// For how long after it was last shown a secret that was right needs no hash. That it is a hash's is a fact that no time
/// changes; what time bounds is what is kept in mind of clients that are gone.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// How many of them are remembered.
const REMEMBERED: usize = 16 * 1024;

/// How many may wait for their turn, and how long. Beyond that a client is told to come back: [`Cause::Unavailable`].
const QUEUE: usize = 64;
const WAIT: Duration = Duration::from_secs(2);

/// The most that are hashed at once, each in 19 MiB, where the machine has as many processors.
const AT_ONCE: usize = 4;

/// The secrets of one client, as far as they are looked at: those that can be used first, newest first.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Candidate>);

#[derive(Debug)]
struct Candidate {
    secret: Secret,
    hash: Arc<SecretHash>,
}

/// Which secrets were right, and how many may be hashed.
pub(super) struct SecretCheck {
    clock: Arc<dyn Clock>,
    remembered: Cache<Tag, Arc<Remembered>>,
    /// The checks that are under way, by the secret and by what it is held against.
    flights: Flights<Tag, Result<Option<usize>, Cause>>,
    key: hmac::Key,
    nothing: Option<Arc<SecretHash>>,
    turns: Arc<Semaphore>,
    queue: Semaphore,
}

/// HMAC-SHA256 of realm, client, secret and hashes, under a key that this process alone has. Whoever could watch how these are compared
/// learns nothing of a secret.
type Tag = [u8; 32];

/// What was right.
#[derive(Debug)]
pub(super) struct Remembered {
    /// The hash that it was held against.
    hash: Box<str>,
    /// In nanoseconds of the monotonic clock.
    until: AtomicU64,
    /// When its use was last noted, in seconds since 1970.
    noted: AtomicI64,
}

impl Remembered {
    fn new(hash: &str, now: keyward::Now) -> Self {
        let until = AtomicU64::new(now.mono.saturating_add(REMEMBERED_FOR).0);
        Self { hash: hash.into(), until, noted: AtomicI64::new(now.wall.0) }
    }

    /// The secret of these that it was, if it is there and can be used. It is remembered anew then.
    pub(super) fn among<'a>(&self, secrets: &'a Secrets, now: keyward::Now) -> Option<&'a Secret> {
        let secret = usable(&secrets.0.get(self.place(secrets)?)?.secret, now.wall).ok()?;
        self.until.fetch_max(now.mono.saturating_add(REMEMBERED_FOR).0, Ordering::Relaxed);
        Some(secret)
    }

    fn place(&self, secrets: &Secrets) -> Option<usize> {
        secrets.0.iter().position(|candidate| *candidate.secret.hash == *self.hash)
    }

    /// Whether this use is to be noted: once a second is as finely as uses are told.
    pub(super) fn is_noted_at(&self, now: UnixTime) -> bool {
        self.noted.swap(now.0, Ordering::Relaxed) != now.0
    }
}

/// Who says what.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) realm: &'a str,
    pub(super) client: &'a str,
    pub(super) secret: &'a str,
}

impl Secrets {
    /// Of a client.
    pub(super) fn of(client: &str, secrets: Vec<Secret>) -> Self {
        let mut candidates: Vec<_> = secrets
            .into_iter()
            .filter(|secret| secret.client == client)
            .filter_map(|secret| match SecretHash::parse(&secret.hash) {
                Ok(hash) => Some(Candidate { secret, hash: Arc::new(hash) }),
                Err(error) => {
                    tracing::warn!(event = "secret_unusable", client, name = secret.name, "{error}");
                    None
                }
            })
            .collect();
        candidates
            .sort_by_key(|Candidate { secret, .. }| (!secret.enabled, std::cmp::Reverse(secret.added_at)));
        candidates.truncate(SECRET_LIMIT);
        Self(candidates)
    }
}

impl SecretCheck {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let turns = std::thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE);
        Self {
            clock,
            remembered: Cache::new(REMEMBERED),
            flights: Flights::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &*Zeroizing::new(entropy::secret())),
            nothing: SecretHash::of_nothing().ok().map(Arc::new),
            turns: Arc::new(Semaphore::new(turns)),
            queue: Semaphore::new(QUEUE),
        }
    }

    /// What is remembered of this secret, if it was right a moment ago. Whether it still is, is for [`Remembered::among`].
    pub(super) fn recall(&self, claim: &Claim<'_>, now: MonoTime) -> Option<Arc<Remembered>> {
        let remembered = self.remembered.get(&self.tag(claim, &Secrets::default()))?;
        (now.0 < remembered.until.load(Ordering::Relaxed)).then_some(remembered)
    }

    /// The secret of these that it is. One that is disabled or has expired is found out by its holder alone.
    ///
    /// # Errors
    /// [`Cause::SecretWrong`], [`Cause::SecretDisabled`], [`Cause::SecretExpired`], and [`Cause::Unavailable`] where too many
    /// wait.
    pub(super) async fn check<'a>(
        &self,
        claim: &Claim<'_>,
        secrets: &'a Secrets,
        now: keyward::Now,
        observer: &dyn Observer,
    ) -> Result<&'a Secret, Cause> {
        // Whoever shows the same secret, against the same hashes, waits for what comes of the first: a busy client's first requests
        // cost one check between them.
        let place =
            self.flights.join(self.tag(claim, secrets), self.check_now(claim, secrets, now, observer));
        let found = place.await?.and_then(|place| secrets.0.get(place)).ok_or(Cause::SecretWrong)?;
        usable(&found.secret, now.wall)
    }

    async fn check_now(
        &self,
        claim: &Claim<'_>,
        secrets: &Secrets,
        now: keyward::Now,
        observer: &dyn Observer,
    ) -> Result<Option<usize>, Cause> {
        // Another check may have ended since it was looked for.
        if let Some(place) = self.recall(claim, now.mono).and_then(|known| known.place(secrets)) {
            return Ok(Some(place));
        }
        let hashes = secrets.0.iter().map(|candidate| Arc::clone(&candidate.hash)).collect();
        let place = self.place(claim.secret, hashes, observer).await?;
        let found = place.and_then(|place| secrets.0.get(place)).map(|candidate| &candidate.secret);
        if let Some(secret) = found.filter(|secret| usable(secret, now.wall).is_ok()) {
            let tag = self.tag(claim, &Secrets::default());
            self.remembered.insert(tag, Arc::new(Remembered::new(&secret.hash, now)));
        }
        Ok(place)
    }

    /// Which of the hashes is the secret's. Where none is, [`SECRET_LIMIT`] hashes were made.
    async fn place(
        &self,
        secret: &str,
        mut hashes: Vec<Arc<SecretHash>>,
        observer: &dyn Observer,
    ) -> Result<Option<usize>, Cause> {
        let known = hashes.len();
        let nothing = self.nothing.as_ref().ok_or(Cause::Unavailable)?;
        hashes.resize_with(known.max(SECRET_LIMIT), || Arc::clone(nothing));
        let asked = self.clock.mono();
        let queued = self.queue.try_acquire().map_err(|_| Cause::Unavailable)?;
        let turn = timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Cause::Unavailable)?;
        drop(queued);
        let began = self.clock.mono();
        let secret = Zeroizing::new(secret.to_owned());
        let found = spawn_blocking(move || {
            // It stays taken until the thread is free, though the client may be long gone.
            let _turn = turn;
            hashes.iter().position(|hash| hash.is_of(secret.as_bytes()))
        });
        let found = found.await.map_err(|_| Cause::Unavailable)?;
        observer.hashed(began.saturating_since(asked), self.clock.mono().saturating_since(began));
        Ok(found.filter(|place| *place < known))
    }

    /// Of a secret, and of the hashes of these.
    fn tag(&self, claim: &Claim<'_>, secrets: &Secrets) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        let hashes = secrets.0.iter().map(|candidate| candidate.secret.hash.as_str());
        for part in [claim.realm, claim.client, claim.secret].into_iter().chain(hashes) {
            // With its length before it, so that nothing of one part can pass for another's.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

/// Whether a secret is taken at this time.
fn usable(secret: &Secret, now: UnixTime) -> Result<&Secret, Cause> {
    if !secret.enabled {
        return Err(Cause::SecretDisabled);
    }
    match secret.expires_at {
        Some(end) if end <= now.0 => Err(Cause::SecretExpired),
        _ => Ok(secret),
    }
}

impl fmt::Debug for SecretCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCheck").field("remembered", &self.remembered.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::task::{Context, Waker};

    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    use keyward::Now;
    use keyward::clock::SystemClock;

    use super::*;
    use crate::observer::Unobserved;

    const NOW: Now = Now { wall: UnixTime(1000), mono: MonoTime(0) };
    const CLAIM: Claim<'_> = Claim { realm: "main", client: "app", secret: "right" };

    /// Counts checks.
    #[derive(Debug, Default)]
    struct Counted(AtomicU32);

    impl Counted {
        fn hashes(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Observer for Counted {
        fn hashed(&self, _: Duration, _: Duration) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A hash that costs little.
    fn hash(secret: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_with_salt(secret.as_bytes(), &[7; 16]).unwrap().to_string()
    }

    fn secret(name: &str, secret: &str, added_at: i64) -> Secret {
        let (client, name) = ("app".to_owned(), name.to_owned());
        Secret { client, name, hash: hash(secret), enabled: true, expires_at: None, added_at }
    }

    fn check() -> SecretCheck {
        let nothing = SecretHash::parse(&hash("nothing")).unwrap();
        SecretCheck { nothing: Some(Arc::new(nothing)), ..SecretCheck::new(Arc::new(SystemClock::new())) }
    }

    #[tokio::test]
    async fn what_was_right_is_remembered_for_a_minute_and_as_long_as_its_hash_is_there() {
        let check = check();
        let mut one = secret("one", "right", 0);
        let secrets = |one: &Secret| Secrets::of("app", vec![one.clone()]);
        assert!(check.recall(&CLAIM, NOW.mono).is_none());
        assert!(check.check(&CLAIM, &secrets(&one), NOW, &Unobserved).await.is_ok());
        let wrong = Claim { secret: "wrong", ..CLAIM };
        assert_eq!(
            check.check(&wrong, &secrets(&one), NOW, &Unobserved).await.err(),
            Some(Cause::SecretWrong)
        );
        for other in [wrong, Claim { client: "other", ..CLAIM }, Claim { realm: "other", ..CLAIM }] {
            assert!(check.recall(&other, NOW.mono).is_none());
        }
        let known = check.recall(&CLAIM, NOW.mono).unwrap();
        assert!(known.among(&Secrets::default(), NOW).is_none(), "it is gone");
        assert!(known.among(&secrets(&secret("one", "new", 0)), NOW).is_none(), "it is another");
        assert!(known.among(&secrets(&one), NOW).is_some());
        one.expires_at = Some(NOW.wall.0);
        assert!(known.among(&secrets(&one), NOW).is_none(), "it has expired");
        one.enabled = false;
        assert!(known.among(&secrets(&one), NOW).is_none(), "it is disabled");
        let over = NOW.mono.saturating_add(REMEMBERED_FOR);
        assert!(check.recall(&CLAIM, over).is_none());
    }

    #[tokio::test]
    async fn who_comes_again_within_a_minute_is_never_hashed_again_and_noted_once_a_second() {
        let (check, counted) = (check(), Counted::default());
        let mut secrets = Secrets::of("app", vec![secret("one", "right", 0)]);
        let at = |seconds: u64| Now {
            wall: UnixTime(NOW.wall.0 + i64::try_from(seconds).unwrap()),
            mono: NOW.mono.saturating_add(Duration::from_secs(seconds)),
        };
        assert!(check.check(&CLAIM, &secrets, at(0), &counted).await.is_ok());
        for seconds in (0..600).step_by(59) {
            let known = check.recall(&CLAIM, at(seconds).mono).unwrap();
            assert!(known.among(&secrets, at(seconds)).is_some());
            assert_eq!(known.is_noted_at(at(seconds).wall), seconds > 0, "{seconds}");
            assert!(!known.is_noted_at(at(seconds).wall), "{seconds}");
        }
        // One that does not count any more is not kept in mind by showing it.
        secrets.0[0].secret.enabled = false;
        assert!(check.recall(&CLAIM, at(640).mono).unwrap().among(&secrets, at(640)).is_none());
        assert!(check.recall(&CLAIM, at(650).mono).is_none());
        assert_eq!(counted.hashes(), 1);
    }

    #[tokio::test]
    async fn the_same_secret_shown_many_times_at_once_is_checked_once() {
        let (check, counted) = (check(), Counted::default());
        let secrets = Secrets::of("app", vec![secret("one", "right", 0)]);
        let wrong = Claim { secret: "wrong", ..CLAIM };
        // More than may wait for a turn, while no turn is free.
        let turns = u32::try_from(check.turns.available_permits()).unwrap();
        let busy = Arc::clone(&check.turns).acquire_many_owned(turns).await.unwrap();
        let mut asked: Vec<_> = (0..3 * QUEUE)
            .map(|place| if place % 2 == 0 { CLAIM } else { wrong })
            .map(|claim| {
                let (check, secrets, counted) = (&check, &secrets, &counted);
                Box::pin(async move { check.check(&claim, secrets, NOW, counted).await.map(drop) })
            })
            .collect();
        for asking in &mut asked {
            assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(check.queue.available_permits(), QUEUE - 2, "the right one and the wrong one");
        drop(busy);
        for (place, asking) in asked.into_iter().enumerate() {
            let expected = if place % 2 == 0 { Ok(()) } else { Err(Cause::SecretWrong) };
            assert_eq!(asking.await, expected, "a wrong one rides on no right one");
        }
        assert_eq!(counted.hashes(), 2);
        // Whoever had looked before the check ended finds what came of it.
        assert!(check.check(&CLAIM, &secrets, NOW, &counted).await.is_ok());
        assert_eq!(counted.hashes(), 2);
    }

    #[tokio::test]
    async fn what_is_held_against_other_hashes_is_another_check() {
        let (check, counted) = (check(), Counted::default());
        let old = Secrets::of("app", vec![secret("old", "old", 0)]);
        let new = Secrets::of("app", vec![secret("old", "old", 0), secret("new", "right", 1)]);
        let (old, new) =
            tokio::join!(check.check(&CLAIM, &old, NOW, &counted), check.check(&CLAIM, &new, NOW, &counted));
        assert_eq!((old.err(), new.map(|secret| &*secret.name)), (Some(Cause::SecretWrong), Ok("new")));
        assert_eq!(counted.hashes(), 2);
    }

    #[tokio::test]
    async fn of_many_secrets_those_that_can_be_used_are_looked_at_first_and_the_newest_of_them() {
        let mut all: Vec<_> = (0..5).map(|age| secret(&age.to_string(), &age.to_string(), -age)).collect();
        all[0].enabled = false;
        all.push(Secret { hash: "$argon2i$".to_owned(), ..secret("x", "x", 9) });
        all.push(Secret { client: "app/x".to_owned(), ..secret("y", "y", 9) });
        let secrets = Secrets::of("app", all);
        let names: Vec<_> = secrets.0.iter().map(|candidate| candidate.secret.name.as_str()).collect();
        assert_eq!(names, ["1", "2", "3"]);
        let third = Claim { secret: "3", ..CLAIM };
        assert_eq!(check().check(&third, &secrets, NOW, &Unobserved).await.unwrap().name, "3");
    }

    #[tokio::test]
    async fn nobodys_secret_costs_as_many_hashes_as_a_wrong_one_and_is_never_right() {
        let check = check();
        for secrets in [Secrets::default(), Secrets::of("app", vec![secret("one", "right", 0)])] {
            let nothing = Claim { secret: "nothing", ..CLAIM };
            assert_eq!(
                check.check(&nothing, &secrets, NOW, &Unobserved).await.err(),
                Some(Cause::SecretWrong)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_is_hashed_a_bounded_number_waits_and_none_for_long() {
        let check = Arc::new(check());
        let turns = u32::try_from(check.turns.available_permits()).unwrap();
        let busy = Arc::clone(&check.turns).acquire_many_owned(turns).await.unwrap();
        let ask = || {
            let check = Arc::clone(&check);
            tokio::spawn(async move { check.place("x", Vec::new(), &Unobserved).await })
        };
        let mut waiting: Vec<_> = (0..QUEUE).map(|_| ask()).collect();
        while check.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            check.place("x", Vec::new(), &Unobserved).await,
            Err(Cause::Unavailable),
            "the queue is full"
        );
        let last = waiting.pop().unwrap();
        for asked in waiting {
            assert_eq!(asked.await.unwrap(), Err(Cause::Unavailable), "it waited for too long");
        }
        assert_eq!(last.await.unwrap(), Err(Cause::Unavailable));
        drop(busy);
        assert_eq!(check.place("x", Vec::new(), &Unobserved).await, Ok(None));
        assert_eq!(check.queue.available_permits(), QUEUE);
    }

    #[tokio::test]
    async fn a_turn_ends_with_its_hashes_and_not_with_the_request() {
        let check = check();
        let all = check.turns.available_permits();
        let slow = Arc::new(SecretHash::of_nothing().unwrap());
        let asked = timeout(Duration::ZERO, check.place("x", vec![slow; SECRET_LIMIT], &Unobserved)).await;
        assert!(asked.is_err(), "its request is gone");
        assert_eq!(check.turns.available_permits(), all - 1);
        let turns = u32::try_from(all).unwrap();
        drop(check.turns.acquire_many(turns).await.unwrap());
    }
}
