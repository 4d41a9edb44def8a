//! What each route, or the issuers' own policy, would say of a token now: by the checks that the gateway makes.

use std::sync::Arc;
use std::time::Duration;

use keyward::binding::Demanded;
use keyward::{Claims, MonoTime, Now, Reason, RequirementSettings, Strategy, Verdict};
use keyward_jose::{DecodeBuffer, JwkSet, JwkSetLimits, Jws};
use keyward_verify::key_set::{Fetched, KeySetMachine, KeySetSettings, LiveKey, PublishedKeys, Step};
use keyward_verify::{Decision, Issuer, decide};

use super::LOOKED_AT;
use crate::facts::WouldBe;
use crate::probe::FetchedKeySet;
use crate::probe::target::{IssuerTarget, Target};

/// So many routes are asked.
const ROUTES: usize = 64;

/// Longer than any look takes.
const WHOLE_LOOK: Duration = Duration::from_secs(86_400);

pub(super) fn verdicts(token: &[u8], target: &Target, key_sets: &[FetchedKeySet], now: Now) -> Vec<WouldBe> {
    let issuers: Vec<Issuer> = target.issuers.iter().map(|issuer| with_keys(issuer, key_sets, now)).collect();
    let would_be = |of: &str, demanded: &RequirementSettings| {
        let (verdict, reason) = verdict(token, target, &issuers, demanded, now);
        WouldBe {
            of: of.to_owned(),
            verdict: verdict.to_owned(),
            reason: reason.map(|reason| reason.label().to_owned()),
        }
    };
    if target.routes.is_empty() {
        return vec![would_be("the issuers as they are configured", &RequirementSettings::default())];
    }
    target.routes.iter().take(ROUTES).map(|route| would_be(&route.name, &route.settings)).collect()
}

/// An issuer with the keys that were fetched just now, as a gateway that fetched them just now has it.
fn with_keys(issuer: &IssuerTarget, key_sets: &[FetchedKeySet], now: Now) -> Issuer {
    let settings = &issuer.settings;
    let secret = settings.hmac_key().ok().flatten().map(|key| LiveKey::fixed(key, now.wall));
    let keys = Arc::new(PublishedKeys::new(secret.into_iter().collect()));
    let anchors = settings.wrapper_trust(now.wall).ok().flatten().map(Arc::new);
    let kept = KeySetSettings { ttl: WHOLE_LOOK, stale_limit: WHOLE_LOOK, ..KeySetSettings::default() };
    // The seed only spreads fetches, of which there are none.
    let mut machine = KeySetMachine::new(kept, Arc::clone(&keys), now, 0).anchored(now, anchors);
    let fetched = key_sets.iter().find(|set| set.issuer == issuer.name());
    let set = fetched.and_then(|fetched| JwkSet::parse(&fetched.text, JwkSetLimits::default()).ok());
    if let Some(set) = set
        && machine.poll(now) == Step::Fetch
    {
        machine.fetched(now, Ok(Fetched { set, max_age: None, age: Duration::ZERO }));
    }
    Issuer { policy: Arc::new(settings.policy.clone()), keys }
}

fn verdict(
    token: &[u8],
    target: &Target,
    issuers: &[Issuer],
    demanded: &RequirementSettings,
    now: Now,
) -> (&'static str, Option<Reason>) {
    const INTROSPECTED: (&str, Option<Reason>) = ("introspected", None);
    // Less than two dots are no JWS: the route's endpoint has the word, where there is one.
    if token.iter().filter(|octet| **octet == b'.').count() < 2 && introspects_opaque(target, demanded) {
        return INTROSPECTED;
    }
    let requirement = &demanded.requirement;
    // The set is of before the token came, and nobody can have added to it since.
    let decision = decide(now, MonoTime(0), issuers, requirement, token, &mut DecodeBuffer::new());
    let claims = claims(token);
    let named = claims.as_ref().and_then(Claims::issuer);
    let its = target.issuers.iter().find(|issuer| Some(&*issuer.settings.policy.issuer) == named);
    let strategy = demanded.strategy.or(its.map(|its| its.settings.strategy)).unwrap_or_default();
    let verdict = match decision {
        Decision::Decided(verdict) => verdict,
        Decision::NeedsKey(wanted) => wanted.otherwise.into(),
    };
    match verdict {
        Verdict::Accept(verified) => {
            if demanded.requirement.binding.is_some_and(|binding| !is_bound(verified.claims(), binding)) {
                return ("reject", Some(Reason::BindingMissing));
            }
            match strategy {
                Strategy::KeySet | Strategy::KeySetThenIntrospection => ("accept", None),
                Strategy::Both | Strategy::Introspection | Strategy::IntrospectionThenKeySet => INTROSPECTED,
            }
        }
        Verdict::Reject(reason) if is_endpoints(strategy, reason) => INTROSPECTED,
        Verdict::Reject(reason) => ("reject", Some(reason)),
        Verdict::Undecided(_) if !matches!(strategy, Strategy::KeySet | Strategy::Both) => INTROSPECTED,
        Verdict::Undecided(reason) => ("undecided", Some(reason)),
    }
}

/// Whether this is the endpoint's to say where it is asked in place of the keys.
fn is_endpoints(strategy: Strategy, reason: Reason) -> bool {
    let asks_first = matches!(strategy, Strategy::Introspection | Strategy::IntrospectionThenKeySet);
    let is_of_keys = matches!(
        reason,
        Reason::AlgorithmMismatch
            | Reason::InvalidSignature
            | Reason::UnknownKid
            | Reason::UnsupportedAlgorithm
    );
    asks_first && is_of_keys
}

fn claims(token: &[u8]) -> Option<Claims> {
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token, LOOKED_AT, &mut buffer).ok()?;
    Claims::parse(jws.dangerous_unverified_payload()).ok()
}

fn is_bound(claims: &Claims, demanded: Demanded) -> bool {
    claims.confirmation().is_some_and(|bound| match demanded {
        Demanded::Any => bound.has_key() || bound.has_certificate(),
        Demanded::Certificate => bound.has_certificate(),
        Demanded::Dpop => bound.has_key(),
    })
}

/// Whether an opaque token is taken to an issuer here: the one that the route names, or the only one that could be asked.
fn introspects_opaque(target: &Target, demanded: &RequirementSettings) -> bool {
    let allowed = &demanded.requirement.issuers;
    let allows = |place: &usize| allowed.is_empty() || allowed.contains(place);
    let is_introspected = |place: &usize| {
        allows(place)
            && target.issuers.get(*place).is_some_and(|issuer| issuer.settings.introspection.is_some())
    };
    match demanded.opaque_issuer {
        Some(place) => is_introspected(&place),
        None => (0..target.issuers.len()).filter(is_introspected).count() == 1,
    }
}
