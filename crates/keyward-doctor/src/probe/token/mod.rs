//! Looks at the token that was handed in: pure over its octets, what is configured, what is published, and the time.
//!
//! Nothing of what the token says goes into the facts, only how it relates to what is configured and published.

mod issuer;
mod kid;
mod presented;
mod shape;
mod signature;
mod verdict;

pub use kid::spelling as kid_spelling;

use keyward::{Claims, Now};
use keyward_jose::{DecodeBuffer, JwkSet, JwkSetLimits, Jws};

use super::FetchedKeySet;
use super::target::{IssuerTarget, Target};
use crate::facts::{AudiencePlace, GatewayFacts, IssuerMatch, KidMatch, TokenFacts, TokenForm, TokenTimes};

/// More than so many octets are not looked at: a token that no limit of a proxy lets pass.
const LOOKED_AT: usize = 256 * 1024;

/// A key set that was published, and whose it is.
struct Published {
    issuer: String,
    set: JwkSet,
}

/// How `token` relates to what is configured and published.
pub(super) fn token(
    token: &[u8],
    target: &Target,
    key_sets: &[FetchedKeySet],
    gateway: Option<&GatewayFacts>,
    now: Now,
) -> TokenFacts {
    let (token, wrapped_in) = presented::unwrapped(token.get(..=LOOKED_AT).unwrap_or(token));
    let token = &*token;
    let facts = TokenFacts {
        form: shape::form(token),
        octets: token.len(),
        wrapped_in,
        would_be: verdict::verdicts(token, target, key_sets, now),
        ..TokenFacts::default()
    };
    let mut buffer = DecodeBuffer::new();
    let jws = match Jws::parse(token, LOOKED_AT, &mut buffer) {
        Ok(jws) => jws,
        Err(error) => return shape::broken(facts, token, error),
    };
    let claims = match Claims::parse(jws.dangerous_unverified_payload()) {
        Ok(claims) => claims,
        Err(error) => {
            let malformed = Some(format!("the payload: {error}"));
            let facts = TokenFacts { malformed, refused_for: Some("malformed_token".to_owned()), ..facts };
            return shape::headed(TokenFacts { form: TokenForm::Jws, ..facts }, &jws, target);
        }
    };
    let published: Vec<Published> = key_sets.iter().filter_map(Published::of).collect();
    let issuer = issuer::matched(claims.issuer(), target);
    let its = its_issuer(&issuer, target);
    let own = its.and_then(|its| published.iter().find(|published| published.issuer == its.name()));
    let held = its.and_then(|its| {
        let issuers = gateway?.issuers.as_deref()?;
        issuers.iter().find(|issuer| issuer.name == its.name())
    });
    let kid = match own {
        None => jws.header().kid().map_or(KidMatch::Absent, |_| KidMatch::NotTried),
        Some(own) => kid::matched(jws.header().kid(), &own.set, held),
    };
    let facts = TokenFacts {
        kind: shape::kind(&jws, &claims),
        signed: signature::signed(&jws, its, own, &published),
        kid,
        issuer,
        times: times(&claims, now),
        audience: audience(&claims, its, target),
        bound: shape::bound(&claims),
        ..facts
    };
    shape::headed(facts, &jws, target)
}

impl Published {
    fn of(fetched: &FetchedKeySet) -> Option<Self> {
        let set = JwkSet::parse(&fetched.text, JwkSetLimits::default()).ok()?;
        Some(Self { issuer: fetched.issuer.clone(), set })
    }
}

/// The issuer whose keys the token is held against: the one that it names, or almost names, or the only one there is.
fn its_issuer<'a>(issuer: &IssuerMatch, target: &'a Target) -> Option<&'a IssuerTarget> {
    match issuer {
        IssuerMatch::Exact(name) | IssuerMatch::Near { name, .. } => {
            target.issuers.iter().find(|issuer| issuer.name() == name)
        }
        IssuerMatch::Absent | IssuerMatch::Unknown => match target.issuers.as_slice() {
            [only] => Some(only),
            _ => None,
        },
    }
}

fn times(claims: &Claims, now: Now) -> TokenTimes {
    let since = |time: keyward::UnixTime| now.wall.0.saturating_sub(time.0);
    let until = |time: keyward::UnixTime| time.0.saturating_sub(now.wall.0);
    TokenTimes {
        expired_for_s: claims.expires_at().map(since),
        begins_in_s: claims.not_before().map(until),
        issued_in_s: claims.issued_at().map(until),
        lifetime_s: claims.expires_at().zip(claims.issued_at()).map(|(exp, iat)| exp.0.saturating_sub(iat.0)),
    }
}

/// Where an audience stands that its issuer, or a route, accepts.
fn audience(claims: &Claims, its: Option<&IssuerTarget>, target: &Target) -> AudiencePlace {
    let of_issuers = target.issuers.iter().filter(|issuer| its.is_none_or(|its| its.name() == issuer.name()));
    let of_routes = target.routes.iter().flat_map(|route| &route.settings.requirement.audiences);
    let accepted: Vec<&str> = of_issuers
        .flat_map(|issuer| &issuer.settings.policy.audiences)
        .chain(of_routes)
        .map(|name| &**name)
        .collect();
    let is_ours = |name: &str| accepted.contains(&name);
    // `cid` and `appid` are what some providers call it.
    let client_ids = ["/client_id", "/cid", "/appid"].map(|pointer| claims.pointer(pointer));
    let mut client_ids = client_ids.into_iter().flatten().filter_map(|id| id.as_str());
    if accepted.is_empty() {
        AudiencePlace::NotDemanded
    } else if claims.audiences().any(is_ours) {
        AudiencePlace::Audience
    } else if claims.authorized_party().is_some_and(is_ours) {
        AudiencePlace::AuthorizedParty
    } else if client_ids.any(is_ours) {
        AudiencePlace::ClientId
    } else if claims.audiences().next().is_none() {
        AudiencePlace::Missing
    } else {
        AudiencePlace::Others
    }
}

#[cfg(test)]
mod tests;
