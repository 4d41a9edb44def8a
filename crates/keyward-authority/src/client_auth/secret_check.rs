//! Checks clients' secrets: a bounded number at once, and a secret that was right a moment ago not again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use keyward::clock::Clock;
use keyward::{MonoTime, UnixTime, entropy};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::secret::SecretHash;
use crate::cause::Cause;
use crate::entity::Secret;
use crate::observer::Observer;

/// How many of a client's secrets are looked at: one, the one that takes its place, and one more. A wrong secret costs so many
/// hashes whoever it is said to be of, so that the time it takes tells nobody whether there is such a client.
pub const SECRET_LIMIT: usize = 3;

/// For how long a secret that was right needs no hash.
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
    remembered: Cache<Tag, Remembered>,
    key: hmac::Key,
    nothing: Option<Arc<SecretHash>>,
    turns: Arc<Semaphore>,
    queue: Semaphore,
}

/// HMAC-SHA256 of realm, client and secret, under a key that this process alone has. Whoever could watch how these are compared
/// learns nothing of a secret.
type Tag = [u8; 32];

/// What was right.
#[derive(Clone)]
struct Remembered {
    /// The hash that it was held against.
    hash: Box<str>,
    until: MonoTime,
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
            key: hmac::Key::new(hmac::HMAC_SHA256, &*Zeroizing::new(entropy::secret())),
            nothing: SecretHash::of_nothing().ok().map(Arc::new),
            turns: Arc::new(Semaphore::new(turns)),
            queue: Semaphore::new(QUEUE),
        }
    }

    /// Whether this secret was right a moment ago. Whether it still is is for [`recall`](Self::recall).
    pub(super) fn remembers(&self, claim: &Claim<'_>, now: MonoTime) -> bool {
        self.remembered.get(&self.tag(claim)).is_some_and(|remembered| now < remembered.until)
    }

    /// The secret of these that was right a moment ago, if it is there and can be used.
    pub(super) fn recall<'a>(
        &self,
        claim: &Claim<'_>,
        secrets: &'a Secrets,
        now: keyward::Now,
    ) -> Option<&'a Secret> {
        let remembered = self.remembered.get(&self.tag(claim)).filter(|found| now.mono < found.until)?;
        let found = secrets.0.iter().find(|candidate| *candidate.secret.hash == *remembered.hash)?;
        usable(&found.secret, now.wall).ok()
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
        let hashes: Vec<_> = secrets.0.iter().map(|candidate| Arc::clone(&candidate.hash)).collect();
        let place = self.place(claim.secret, hashes, observer).await?;
        let found = place.and_then(|place| secrets.0.get(place)).ok_or(Cause::SecretWrong)?;
        let secret = usable(&found.secret, now.wall)?;
        let remembered =
            Remembered { hash: secret.hash.as_str().into(), until: now.mono.saturating_add(REMEMBERED_FOR) };
        self.remembered.insert(self.tag(claim), remembered);
        Ok(secret)
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

    fn tag(&self, claim: &Claim<'_>) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [claim.realm, claim.client, claim.secret] {
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
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    use keyward::Now;
    use keyward::clock::SystemClock;

    use super::*;
    use crate::observer::Unobserved;

    const NOW: Now = Now { wall: UnixTime(1000), mono: MonoTime(0) };
    const CLAIM: Claim<'_> = Claim { realm: "main", client: "app", secret: "right" };

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
        assert!(!check.remembers(&CLAIM, NOW.mono));
        assert!(check.check(&CLAIM, &secrets(&one), NOW, &Unobserved).await.is_ok());
        let wrong = Claim { secret: "wrong", ..CLAIM };
        assert_eq!(
            check.check(&wrong, &secrets(&one), NOW, &Unobserved).await.err(),
            Some(Cause::SecretWrong)
        );
        assert!(check.recall(&CLAIM, &secrets(&one), NOW).is_some());
        for other in [wrong, Claim { client: "other", ..CLAIM }, Claim { realm: "other", ..CLAIM }] {
            assert!(!check.remembers(&other, NOW.mono));
        }
        let over = Now { mono: NOW.mono.saturating_add(REMEMBERED_FOR), ..NOW };
        assert!(!check.remembers(&CLAIM, over.mono) && check.recall(&CLAIM, &secrets(&one), over).is_none());

        assert!(check.recall(&CLAIM, &Secrets::default(), NOW).is_none(), "it is gone");
        assert!(check.recall(&CLAIM, &secrets(&secret("one", "new", 0)), NOW).is_none(), "it is another");
        one.expires_at = Some(NOW.wall.0);
        assert!(check.recall(&CLAIM, &secrets(&one), NOW).is_none(), "it has expired");
        one.enabled = false;
        assert!(check.recall(&CLAIM, &secrets(&one), NOW).is_none(), "it is disabled");
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
