//! One issuer: what its tokens may look like, and where its keys are.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{AlgorithmSet, Header, Jws};

use crate::key_set::{LiveKey, PublishedKeys, WrapperPolicy};
use crate::{Claims, Now, Reason, UnixTime};

/// An issuer and its keys.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What its tokens may look like.
    pub policy: Arc<IssuerPolicy>,
    /// Its keys, as they are now.
    pub keys: Arc<PublishedKeys>,
}

/// What the tokens of one issuer may look like.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerPolicy {
    /// Our name for it, in configuration, metrics and logs.
    pub name: Box<str>,
    /// What `iss` says, to the letter (RFC 7519 §4.1.1).
    pub issuer: Box<str>,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: AlgorithmSet,
    /// The accepted values of `typ`. A token without one passes where `JWT` is among them, which is what
    /// its absence means (RFC 7519 §5.1).
    pub token_types: Vec<Box<str>>,
    /// The audiences of which `aud` must name one, unless the requirement names its own. Where both are
    /// empty, `aud` is not looked at.
    pub audiences: Vec<Box<str>>,
    /// By how much its clock and ours may differ: on `exp`, `nbf` and `iat`.
    pub leeway: Duration,
    /// The longest token that is looked at, in octets.
    pub token_size_limit: usize,
    /// The `kid`s of keys that the operator no longer trusts, whatever the issuer publishes. Such a key verifies
    /// nothing, nor does the same public key where the set holds it under another `kid` or none as well; a
    /// token that names it is [`Reason::Revoked`]. Default none. A set that no longer holds the `kid` does not
    /// tell which key that was: deny each of its names.
    pub denied_kids: Vec<Box<str>>,
    /// What the X.509 certificates around its keys mean for its tokens. Default that what is wrong with one is told, and
    /// no token refused.
    pub wrapper: WrapperPolicy,
}

impl IssuerPolicy {
    /// The defaults for an issuer: every asymmetric algorithm, `at+jwt` and `JWT`, any audience, 60 s of leeway, 16 KiB, no
    /// key denied, and none for the certificate around it.
    pub fn new(name: &str, issuer: &str) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            algorithms: AlgorithmSet::asymmetric(),
            token_types: vec!["at+jwt".into(), "JWT".into()],
            audiences: Vec::new(),
            leeway: Duration::from_secs(60),
            token_size_limit: Jws::DEFAULT_SIZE_LIMIT,
            denied_kids: Vec::new(),
            wrapper: WrapperPolicy::default(),
        }
    }

    pub(crate) fn check_header(&self, header: &Header<'_>) -> Result<(), Reason> {
        if !self.algorithms.contains(header.algorithm()) {
            return Err(Reason::UnsupportedAlgorithm);
        }
        self.check_type(header)
    }

    pub(crate) fn check_type(&self, header: &Header<'_>) -> Result<(), Reason> {
        let accepted = match header.typ() {
            None => self.token_types.iter().any(|typ| typ.eq_ignore_ascii_case("JWT")),
            Some(_) => self.token_types.iter().any(|typ| header.is_type(typ)),
        };
        if accepted { Ok(()) } else { Err(Reason::WrongTokenType) }
    }

    /// Whether the operator denied keys of this name.
    pub(crate) fn denies_kid(&self, kid: &str) -> bool {
        self.denied_kids.iter().any(|denied| **denied == *kid)
    }

    /// Whether the operator denied this key, by any of its names.
    pub(crate) fn denies(&self, key: &LiveKey) -> bool {
        !self.denied_kids.is_empty() && self.denies_a_name_of(key)
    }

    /// Apart, so that where nothing is denied the hot path pays for one comparison.
    #[cold]
    fn denies_a_name_of(&self, key: &LiveKey) -> bool {
        self.denied_kids.iter().any(|denied| key.goes_by(denied))
    }

    /// Whether the certificate around the key, as far as it counts, lets it verify now.
    pub(crate) fn allows_wrapper(&self, key: &LiveKey, now: UnixTime) -> bool {
        self.wrapper != WrapperPolicy::Enforce || key.wrapper_holds(now)
    }

    /// Why it does not.
    pub(crate) fn wrapper_refusal(&self, key: &LiveKey, now: UnixTime) -> Option<Reason> {
        if self.wrapper == WrapperPolicy::Enforce { key.wrapper_refusal(now) } else { None }
    }

    /// The times between which a token may be accepted: from the first, before the second.
    pub(crate) fn check_times(&self, claims: &Claims, now: Now) -> Result<Range<UnixTime>, Reason> {
        let expires_at = claims.expires_at().ok_or(Reason::MissingClaim)?;
        self.times(claims, expires_at.saturating_add(self.leeway)).check(now)
    }

    /// The same for what may go without `exp` (RFC 7662 §2.2), as far as it says.
    pub(crate) fn stated_times(&self, claims: &Claims) -> Times {
        let until = claims.expires_at().map_or(UnixTime(i64::MAX), |at| at.saturating_add(self.leeway));
        self.times(claims, until)
    }

    fn times(&self, claims: &Claims, until: UnixTime) -> Times {
        let from =
            |time: Option<UnixTime>| time.map_or(UnixTime(i64::MIN), |t| t.saturating_sub(self.leeway));
        Times { valid_from: from(claims.not_before()), issued_from: from(claims.issued_at()), until }
    }

    pub(crate) fn check_audience(&self, claims: &Claims, demanded: &[Box<str>]) -> Result<(), Reason> {
        let accepted = if demanded.is_empty() { &self.audiences } else { demanded };
        if accepted.is_empty() {
            return Ok(());
        }
        if claims.audiences().any(|audience| accepted.iter().any(|a| **a == *audience)) {
            Ok(())
        } else {
            Err(Reason::WrongAudience)
        }
    }
}

/// When a token may be accepted, leeway included.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    valid_from: UnixTime,
    issued_from: UnixTime,
    until: UnixTime,
}

impl Times {
    pub(crate) fn check(self, now: Now) -> Result<Range<UnixTime>, Reason> {
        if now.wall >= self.until {
            Err(Reason::Expired)
        } else if now.wall < self.valid_from {
            Err(Reason::NotYetValid)
        } else if now.wall < self.issued_from {
            Err(Reason::IssuedInFuture)
        } else {
            Ok(self.range())
        }
    }

    /// From the first, before the second.
    pub(crate) fn range(self) -> Range<UnixTime> {
        self.valid_from.max(self.issued_from)..self.until
    }
}
