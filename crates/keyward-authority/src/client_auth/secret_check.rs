//! Checks clients' secrets: a bounded number at once, and a secret that was right a moment ago not again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use keyward::{MonoTime, UnixTime, entropy};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::secret::SecretHash;
use crate::cause::Cause;
use crate::entity::Secret;

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
    pub(super) fn new() -> Self {
        let turns = std::thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE);
        Self {
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
    ) -> Result<&'a Secret, Cause> {
        let hashes: Vec<_> = secrets.0.iter().map(|candidate| Arc::clone(&candidate.hash)).collect();
        let place = self.place(claim.secret, hashes).await?;
        let found = place.and_then(|place| secrets.0.get(place)).ok_or(Cause::SecretWrong)?;
        let secret = usable(&found.secret, now.wall)?;
        let remembered =
            Remembered { hash: secret.hash.as_str().into(), until: now.mono.saturating_add(REMEMBERED_FOR) };
        self.remembered.insert(self.tag(claim), remembered);
        Ok(secret)
    }

    /// Which of the hashes is the secret's. Where none is, [`SECRET_LIMIT`] hashes were made.
    async fn place(&self, secret: &str, mut hashes: Vec<Arc<SecretHash>>) -> Result<Option<usize>, Cause> {
        let known = hashes.len();
        let nothing = self.nothing.as_ref().ok_or(Cause::Unavailable)?;
        hashes.resize_with(known.max(SECRET_LIMIT), || Arc::clone(nothing));
        let queued = self.queue.try_acquire().map_err(|_| Cause::Unavailable)?;
        let turn = timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Cause::Unavailable)?;
        drop(queued);
        let secret = Zeroizing::new(secret.to_owned());
        let found = spawn_blocking(move || {
            // It stays taken until the thread is free, though the client may be long gone.
            let _turn = turn;
            hashes.iter().position(|hash| hash.is_of(secret.as_bytes()))
        });
        let found = found.await.map_err(|_| Cause::Unavailable)?;
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
