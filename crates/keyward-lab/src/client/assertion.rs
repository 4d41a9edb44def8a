//! Assertions (RFC 7523 §3) judged.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::key::ClientKey;
use super::{Assertions, Cause, ClientKind, ClientState};
use crate::command::AssertionAudience;
use crate::form::Asked;
use crate::jws::Received;
use crate::plan::ErrorStyle;

/// How far ahead `nbf` and `iat` may be, in seconds: clocks are read to the second.
const AHEAD_S: i64 = 2;

/// How many used `jti` are remembered.
const USED_LIMIT: usize = 100_000;

/// An assertion that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asserted {
    pub(crate) client: String,
    pub(crate) subject: String,
}

/// The `jti` of assertions, by client: each counts once until it has expired.
#[derive(Debug, Default)]
pub(crate) struct UsedIds(BTreeMap<(String, String), i64>);

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Asserted {
    /// Judges an assertion that came with a request and is to be good for what a client of this kind does.
    pub(crate) fn judge(asked: &Asked<'_>, kind: ClientKind, text: &str) -> Result<Self, Cause> {
        let received = Received::parse(text).ok_or(Cause::Malformed)?;
        let claims: Claims = serde_json::from_slice(&received.payload).map_err(|_| Cause::Malformed)?;
        let now = asked.issuer.token_wall();
        let keys = keys(asked, kind, &claims, received.kid.as_deref())?;
        let judged = keys.iter().map(|key| {
            key.usable(now)?;
            let signed =
                key.public.signed(received.algorithm, received.input.as_bytes(), &received.signature);
            if signed { Ok(()) } else { Err(Cause::Signature) }
        });
        // Without a kid any of its keys will do.
        judged.reduce(|before, next| before.or(next)).unwrap_or(Err(Cause::UnknownKey))?;
        if !accepted(asked, &claims.aud) {
            return Err(Cause::WrongAudience);
        }
        if claims.exp <= now {
            return Err(Cause::Expired);
        }
        let latest = now.saturating_add(AHEAD_S);
        if [claims.nbf, claims.iat].into_iter().flatten().any(|from| from > latest) {
            return Err(Cause::NotYetValid);
        }
        let client = claims.iss;
        let mut used = asked.issuer.used();
        match claims.jti {
            Some(jti) => used.take(&client, jti, claims.exp, now)?,
            // OpenID Connect Core §9 wants it of a client; RFC 7523 §3 leaves it open.
            None if kind == ClientKind::Application => return Err(Cause::Malformed),
            None => {}
        }
        Ok(Self { client, subject: claims.sub })
    }
}

/// The keys that may have signed it.
fn keys(
    asked: &Asked<'_>,
    kind: ClientKind,
    claims: &Claims,
    kid: Option<&str>,
) -> Result<Vec<ClientKey>, Cause> {
    let told = asked.issuer.told();
    let client = told.clients.known(&claims.iss).ok_or(Cause::UnknownClient)?;
    if client.state == ClientState::Disabled {
        return Err(Cause::ClientDisabled);
    }
    if let Assertions::Refused(cause) = client.assertions {
        return Err(cause);
    }
    if client.kind != kind {
        return Err(Cause::WrongKind);
    }
    let zitadel = asked.issuer.plan.errors == ErrorStyle::Zitadel;
    // A service account of RFC 7523 §3 may speak for somebody else; Zitadel's may not.
    if claims.sub != claims.iss && (zitadel || kind == ClientKind::Application) {
        return Err(Cause::WrongIssuer);
    }
    match kid {
        Some(kid) => client.key(Some(kid)).map(|key| vec![key.clone()]).map_err(|_| Cause::UnknownKey),
        None if zitadel => Err(Cause::NoKid),
        None => Ok(client.keys.clone()),
    }
}

fn accepted(asked: &Asked<'_>, audience: &Audience) -> bool {
    let (issuer, endpoint) = (asked.issuer.addresses.issuer.as_str(), asked.url);
    let told = asked.issuer.told();
    let accepted: &[&str] = match &told.assertion_audience {
        AssertionAudience::Either => &[issuer, endpoint],
        AssertionAudience::Endpoint => &[endpoint],
        AssertionAudience::Issuer => &[issuer],
        AssertionAudience::Given(given) => &[given],
    };
    let is = |audience: &String| accepted.contains(&audience.as_str());
    match audience {
        Audience::One(one) => is(one),
        Audience::Several(several) => several.iter().any(is),
    }
}

impl UsedIds {
    fn take(&mut self, client: &str, jti: String, exp: i64, now: i64) -> Result<(), Cause> {
        if self.0.len() >= USED_LIMIT {
            self.0.retain(|_, exp| *exp > now);
        }
        if self.0.len() >= USED_LIMIT {
            self.0.pop_first();
        }
        // One that has expired is refused for that.
        match self.0.insert((client.to_owned(), jti), exp) {
            None => Ok(()),
            Some(_) => Err(Cause::Replayed),
        }
    }
}
