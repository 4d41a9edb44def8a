//! The checks that a token goes through, in order: cheap ones first, and none but the signature accepts.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use keyward_jose::{DecodeBuffer, Jws, JwsError, KeyType, SignatureError};

use crate::key_set::{KeySet, LiveKey, Source};
use crate::verdict::{Accepted, Proof};
use crate::{Claims, Issuer, IssuerPolicy, MonoTime, Now, Reason, Requirement, UnixTime, Verdict, Verified};

/// What a token's checks came to.
#[derive(Debug)]
pub enum Decision {
    /// It is decided.
    Decided(Verdict),
    /// All checks that need no key passed, and the issuer's set does not hold the key, or is past its limit:
    /// hand this to [`KeySetMachine::want`](crate::key_set::KeySetMachine::want).
    NeedsKey(WantedKey),
}

/// A key that a token names and that its issuer's set does not hold, or holds past the stale limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedKey {
    /// The issuer's place in the list.
    pub issuer: usize,
    /// A hash that stands for the `kid`, which is a stranger's text of any length.
    pub kid_hash: u64,
    /// What to say where no fetch brings it in time: [`Reason::KeysUnavailable`] or
    /// [`Reason::KeysStaleLimit`].
    pub otherwise: Reason,
}

/// Decides on `token`: pure, and without waiting.
///
/// `arrived` is when the token came in. Where the same token is decided again after a fetch, it stays what
/// it was: a set whose fetch began later than that holds every key the token could be signed with.
pub fn decide(
    now: Now,
    arrived: MonoTime,
    issuers: &[Issuer],
    requirement: &Requirement,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Decision {
    let size_limit = issuers.iter().map(|issuer| issuer.policy.token_size_limit).max().unwrap_or(0);
    let find = |claims: &Claims| find_issuer(issuers, requirement, claims);
    check(now, arrived, size_limit, find, requirement, token, buffer).into()
}

/// Why the checks stopped short of accepting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The issuer's set does not hold the key: see [`Decision::NeedsKey`].
    NeedsKey(WantedKey),
    /// It is decided, or cannot be.
    Reason(Reason),
}

impl From<Result<Verified, Stop>> for Decision {
    fn from(result: Result<Verified, Stop>) -> Self {
        match result {
            Ok(verified) => Self::Decided(Verdict::Accept(verified)),
            Err(Stop::Reason(reason)) => Self::Decided(reason.into()),
            Err(Stop::NeedsKey(wanted)) => Self::NeedsKey(wanted),
        }
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

/// All checks, in their order. `find_issuer` finds the issuer, and its place, by the unverified claims.
pub(crate) fn check<'a>(
    now: Now,
    arrived: MonoTime,
    size_limit: usize,
    find_issuer: impl FnOnce(&Claims) -> Result<(usize, &'a Issuer), Reason>,
    requirement: &Requirement,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Result<Verified, Stop> {
    let jws = Jws::parse(token, size_limit, buffer).map_err(reason_of)?;
    let claims = Claims::parse(jws.dangerous_unverified_payload()).map_err(|_| Reason::MalformedToken)?;
    let (place, issuer) = find_issuer(&claims)?;
    if token.len() > issuer.policy.token_size_limit {
        return Err(Reason::TokenTooLarge.into());
    }
    issuer.policy.check_header(jws.header())?;
    let valid = issuer.policy.check_times(&claims, now)?;
    issuer.policy.check_audience(&claims, &requirement.audiences)?;
    // One look at the set: what one set lacks must not be said of the next.
    let current = issuer.keys.current();
    let set = current.as_deref();
    let key = find_key(now, issuer, set, &jws).map_err(|no_key| {
        no_key.count(now);
        no_key.stop(place, &jws, could_know(now, arrived, issuer, set, claims.issued_at()))
    })?;
    requirement.check_granted(&claims)?;
    let proof = Proof::Signature { algorithm: jws.header().algorithm(), key };
    Ok(Verified::new(Accepted { claims, issuer: Arc::clone(&issuer.policy), proof, valid }))
}

/// Whose token it claims to be, unless what it says of itself is enough to refuse it: what can be checked without a
/// key, before anybody is asked about it. Whether its signature could be checked here says nothing of that.
pub(crate) fn precheck(
    now: Now,
    issuers: &[Issuer],
    requirement: &Requirement,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Result<usize, Reason> {
    let size_limit = issuers.iter().map(|issuer| issuer.policy.token_size_limit).max().unwrap_or(0);
    let jws = Jws::parse(token, size_limit, buffer).map_err(reason_of)?;
    let claims = Claims::parse(jws.dangerous_unverified_payload()).map_err(|_| Reason::MalformedToken)?;
    let (place, issuer) = find_issuer(issuers, requirement, &claims)?;
    if token.len() > issuer.policy.token_size_limit {
        return Err(Reason::TokenTooLarge);
    }
    if jws.header().kid().is_some_and(|kid| issuer.policy.denies_kid(kid)) {
        return Err(Reason::Revoked);
    }
    issuer.policy.check_type(jws.header())?;
    issuer.policy.stated_times(&claims).check(now)?;
    Ok(place)
}

pub(crate) fn reason_of(error: JwsError) -> Reason {
    match error {
        JwsError::CriticalHeaderUnsupported => Reason::CriticalHeaderUnsupported,
        JwsError::TooLarge { .. } => Reason::TokenTooLarge,
        JwsError::UnsupportedAlgorithm => Reason::UnsupportedAlgorithm,
        JwsError::DuplicateHeaderName
        | JwsError::MalformedHeader
        | JwsError::NotBase64Url
        | JwsError::NotThreeParts => Reason::MalformedToken,
    }
}

fn find_issuer<'a>(
    issuers: &'a [Issuer],
    requirement: &Requirement,
    claims: &Claims,
) -> Result<(usize, &'a Issuer), Reason> {
    let name = claims.issuer().ok_or(Reason::MissingClaim)?;
    let (place, issuer) = issuers
        .iter()
        .enumerate()
        .find(|(_, issuer)| *issuer.policy.issuer == *name)
        .ok_or(Reason::UnknownIssuer)?;
    if requirement.allows_issuer(place) { Ok((place, issuer)) } else { Err(Reason::WrongIssuer) }
}

/// Why no key verified the signature.
pub(crate) enum NoKey {
    /// No key of the set is the token's; this is the reason, if the set is recent enough to say so.
    Absent(Reason),
    /// The set is past the stale limit. It can tell nothing; the next one can.
    Expired,
    Reason(Reason),
    /// This one did, and the certificate around it is not in order, for this reason.
    Wrapper(Reason, Arc<LiveKey>),
}

impl NoKey {
    /// Counts the verdict with those of the key that would have verified.
    fn count(&self, now: Now) {
        if let Self::Wrapper(_, key) = self {
            key.count(now.wall, 0);
        }
    }

    /// What it comes to, where the set could, or could not, know the token's key.
    pub(crate) fn stop(self, place: usize, jws: &Jws<'_>, could_know: bool) -> Stop {
        let otherwise = match self {
            Self::Reason(reason) | Self::Wrapper(reason, _) => return Stop::Reason(reason),
            Self::Absent(reason) if could_know => return Stop::Reason(reason),
            Self::Absent(_) => Reason::KeysUnavailable,
            Self::Expired => Reason::KeysStaleLimit,
        };
        Stop::NeedsKey(WantedKey { issuer: place, kid_hash: hash_kid(jws.header().kid()), otherwise })
    }
}

/// The key that verifies the token's signature, unless the operator denied it.
pub(crate) fn find_key(
    now: Now,
    issuer: &Issuer,
    set: Option<&KeySet>,
    jws: &Jws<'_>,
) -> Result<Arc<LiveKey>, NoKey> {
    let policy = &issuer.policy;
    if jws.header().kid().is_some_and(|kid| policy.denies_kid(kid)) {
        return Err(NoKey::Reason(Reason::Revoked));
    }
    let key = find_published_key(now, issuer, set, jws)?;
    if policy.denies(&key) { Err(NoKey::Reason(Reason::Revoked)) } else { Ok(key) }
}

/// A token with a `kid` is checked with the keys of that name; where there are none, with those that have
/// no name. Where the set has the name for a key that cannot be used, nobody can tell. A token without one is
/// checked with every key that serves its algorithm.
fn find_published_key(
    now: Now,
    issuer: &Issuer,
    set: Option<&KeySet>,
    jws: &Jws<'_>,
) -> Result<Arc<LiveKey>, NoKey> {
    let header = jws.header();
    let policy = &issuer.policy;
    if header.algorithm().key_type() == KeyType::Oct {
        // A secret is ours or nobody's: it comes from a file, never from a published set.
        return try_keys(now, policy, jws, issuer.keys.fixed().iter()).map_err(|tried| {
            tried.no_key(|reason| NoKey::Reason(reason.unwrap_or(Reason::AlgorithmMismatch)))
        });
    }
    let set = set.ok_or(NoKey::Absent(Reason::KeysUnavailable))?;
    if now.mono >= set.usable_until() {
        return Err(NoKey::Expired);
    }
    match header.kid() {
        Some(kid) => match try_keys(now, policy, jws, set.named(kid)) {
            Err(Tried::Failed(None)) => {
                try_keys(now, policy, jws, set.nameless(header.algorithm())).map_err(|tried| {
                    tried.no_key(|_| {
                        if set.skips(kid) {
                            // The issuer has this key and publishes it badly, unless it has been mended since.
                            NoKey::Absent(Reason::KeysUnavailable)
                        } else {
                            NoKey::Absent(Reason::UnknownKid)
                        }
                    })
                })
            }
            tried => tried.map_err(|tried| {
                tried.no_key(|reason| NoKey::Reason(reason.unwrap_or(Reason::InvalidSignature)))
            }),
        },
        None => try_keys(now, policy, jws, set.serving(header.algorithm())).map_err(|tried| {
            tried.no_key(|reason| NoKey::Absent(reason.unwrap_or(Reason::AlgorithmMismatch)))
        }),
    }
}

/// What came of trying keys, none of which verified the signature and may.
enum Tried {
    /// The most telling reason why none did; none where there was no key to try.
    Failed(Option<Reason>),
    /// This one did. The certificate around it is not in order, and that is the policy's to say: no other key, and no
    /// newer set, is looked for.
    Wrapper(Reason, Arc<LiveKey>),
}

impl Tried {
    fn no_key(self, failed: impl FnOnce(Option<Reason>) -> NoKey) -> NoKey {
        match self {
            Self::Failed(reason) => failed(reason),
            Self::Wrapper(reason, key) => NoKey::Wrapper(reason, key),
        }
    }
}

/// The first of `keys` that verifies the signature and may.
fn try_keys<'a>(
    now: Now,
    policy: &IssuerPolicy,
    jws: &Jws<'_>,
    keys: impl Iterator<Item = &'a Arc<LiveKey>>,
) -> Result<Arc<LiveKey>, Tried> {
    let (mut best, mut refused) = (None, None);
    for live in keys {
        match jws.verify(live.key()) {
            Ok(_) if !live.is_usable(now.mono) => {
                // Removed between the look at the set and now.
            }
            Ok(_) => match policy.wrapper_refusal(live, now.wall) {
                None => return Ok(Arc::clone(live)),
                // The same key may stand there again, with a better certificate.
                Some(reason) => refused = refused.or(Some((reason, live))),
            },
            Err(SignatureError::Invalid) => best = Some(Reason::InvalidSignature),
            Err(SignatureError::AlgorithmMismatch) => best = best.or(Some(Reason::AlgorithmMismatch)),
        }
    }
    Err(match refused {
        Some((reason, live)) => Tried::Wrapper(reason, Arc::clone(live)),
        None => Tried::Failed(best),
    })
}

/// By how much an issuer may date `iat` back, on purpose, for verifiers whose clocks are behind. Some do so by
/// five minutes.
const BACKDATING: Duration = Duration::from_secs(300);

/// Whether `set` was fetched after the token could have been signed: after it arrived, or after the time
/// that it claims, with a margin for a clock that is ahead of ours and for an `iat` that is dated back. Only
/// then may its key be called unknown.
pub(crate) fn could_know(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    set: Option<&KeySet>,
    issued_at: Option<UnixTime>,
) -> bool {
    let Some(set) = set else {
        return false;
    };
    let fetched_since = set.source() == Source::Fetched && set.fetch_started().mono >= arrived;
    // `iat` counts whole seconds, so that the token may have been signed within the one that it names.
    let signed_by = issued_at.map(|at| at.saturating_add(issuer.policy.leeway.max(BACKDATING)));
    fetched_since || signed_by.is_some_and(|at| at < set.fetch_started_by(now))
}

/// A collision makes two key ids share their place in the memory of absent ones, no more.
pub(crate) fn hash_kid(kid: Option<&str>) -> u64 {
    const SEED: u64 = 0x6b65_7977_6172_6421;
    let mut hasher = SeedableRandomState::with_seed(SEED, SharedSeed::global_fixed()).build_hasher();
    match kid {
        Some(kid) => {
            hasher.write_u8(1);
            hasher.write(kid.as_bytes());
        }
        None => hasher.write_u8(0),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use keyward_jose::{Algorithm, JwkSet, JwkSetLimits, LocalSigner, Signer, sign_compact};

    use super::*;
    use crate::key_set::{Fetched, KeySetMachine, KeySetSettings, PublishedKeys, Step};
    use crate::{IssuerPolicy, UnixTime};

    fn fetch(machine: &mut KeySetMachine, signer: &LocalSigner) -> Now {
        let now = Now { wall: UnixTime(0), mono: machine.next_fetch().expect("none is under way") };
        assert_eq!(machine.poll(now), Step::Fetch);
        let keys = serde_json::json!({ "keys": [signer.public_jwk()] }).to_string();
        let set = JwkSet::parse(keys.as_bytes(), JwkSetLimits::default()).expect("a sound set");
        machine.fetched(now, Ok(Fetched { set, max_age: None, age: Duration::ZERO }));
        now
    }

    #[tokio::test]
    async fn a_key_that_is_removed_while_its_token_is_checked_verifies_no_more() {
        let [old, new] = [(); 2].map(|()| LocalSigner::generate(Algorithm::EdDsa, None).expect("a new key"));
        let start = Now { wall: UnixTime(0), mono: MonoTime(0) };
        let keys = Arc::new(PublishedKeys::default());
        let mut machine = KeySetMachine::new(KeySetSettings::default(), Arc::clone(&keys), start, 7);
        let issuer = Issuer { policy: Arc::new(IssuerPolicy::new("idp", "https://idp.example")), keys };
        let token = sign_compact(&old, None, b"{}").await.expect("a signature");
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).expect("a JWS");

        fetch(&mut machine, &old);
        let looked_at = issuer.keys.current();
        let set = looked_at.as_deref();
        assert!(find_key(start, &issuer, set, &jws).is_ok());
        let now = fetch(&mut machine, &new);
        assert!(matches!(find_key(now, &issuer, set, &jws), Err(NoKey::Absent(Reason::UnknownKid))));
    }
}
