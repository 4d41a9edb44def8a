//! Who may administrate: whoever has a token of ours for that, and still may.

use std::collections::BTreeSet;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::problem::{Problem, ProblemKind};
use super::{AUDIENCE, READ, WRITE};
use crate::authority::Authority;
use crate::entity::{Client, Identity, RevokedToken, ServiceAccount, Subject, SubjectType};
use crate::operations::ADMIN_REALM;
use crate::storage::Actor;
use crate::view::ViewError;

/// What clocks of two nodes may differ by, in seconds: one may have issued the token, and another take it.
const LEEWAY: i64 = 60;

/// Somebody who may do something: by a token that is good, of somebody who is still enabled.
#[derive(Clone, Debug)]
pub(super) struct Administrator {
    actor: Actor,
    /// What the token says, less what its subject may not do any more.
    scopes: BTreeSet<String>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The claims of an access token (RFC 9068 §2.2) that this goes by.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: i64,
    sub: String,
    #[serde(default)]
    subject_type: Option<SubjectType>,
    client_id: String,
    #[serde(default)]
    scope: String,
    jti: String,
    #[serde(default)]
    cnf: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn is(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl Administrator {
    /// Who sent this request.
    ///
    /// # Errors
    /// 401 where there is no token that is good for this, and 503 where that cannot be known.
    pub(super) async fn of(authority: &Authority, headers: &HeaderMap) -> Result<Self, Problem> {
        let token = bearer(headers)?;
        let ring = authority.ring(ADMIN_REALM).await?;
        let refused = || Problem::new(ProblemKind::Unauthorized, REFUSED);
        let payload = ring.verify(token.as_bytes(), "at+jwt").ok_or_else(refused)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| refused())?;
        let now = authority.clock().now().wall.0;
        let is_good = claims.iss == authority.issuer(ADMIN_REALM)
            && claims.aud.is(AUDIENCE)
            && claims.exp > now
            && claims.nbf <= now.saturating_add(LEEWAY)
            // Nobody here asks for the proof that goes with it.
            && claims.cnf.is_none();
        if !is_good || is_revoked(authority, &claims.jti).await? {
            return Err(refused());
        }
        let Some(still) = allowed(authority, &claims).await? else {
            return Err(refused());
        };
        let scopes = claims.scope.split(' ').filter(|scope| still.contains(*scope)).map(str::to_owned);
        Ok(Self { scopes: scopes.collect(), actor: Actor(claims.sub) })
    }

    /// Who it is in the log.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether they may do this in a realm, or in all where none is named. Who may write may read.
    ///
    /// # Errors
    /// 403, with what the token lacks.
    pub(super) fn demand(&self, access: Access, realm: Option<&str>) -> Result<(), Problem> {
        let enough: &[&str] = match access {
            Access::Read => &[READ, WRITE],
            Access::Write => &[WRITE],
        };
        let has = |scope: &str| self.scopes.contains(scope);
        let in_realm = |scope: &&str| realm.is_some_and(|realm| has(&format!("{scope}:{realm}")));
        if enough.iter().any(|scope| has(scope) || in_realm(scope)) {
            return Ok(());
        }
        let scope = enough.first().unwrap_or(&WRITE);
        let detail = match realm {
            Some(_) => format!("this needs the scope {scope}, or {scope}:REALM for this realm alone"),
            None => format!("this needs the scope {scope}"),
        };
        Err(Problem::new(ProblemKind::Forbidden, detail))
    }
}

/// One text for all: which check failed is nobody's business who has no token.
const REFUSED: &str =
    "send a current access token of realm admin for urn:keyward:authority, as Authorization: Bearer";

/// The token (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|value| value.split_once(' ')),
        _ => None,
    };
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
        _ => Err(Problem::new(ProblemKind::Unauthorized, REFUSED)),
    }
}

async fn is_revoked(authority: &Authority, jti: &str) -> Result<bool, Problem> {
    let id = format!("{}/{jti}", RevokedToken::shard(jti));
    Ok(known(authority.view().find::<RevokedToken>(ADMIN_REALM, &id).await)?.is_some())
}

/// The scopes that a token's subject may have now; none where it, or the client that asked for it, is not let in any more.
async fn allowed(authority: &Authority, claims: &Claims) -> Result<Option<BTreeSet<String>>, Problem> {
    let view = authority.view();
    let client = known(view.find::<Client>(ADMIN_REALM, &claims.client_id).await)?;
    let account = known(view.find::<ServiceAccount>(ADMIN_REALM, &claims.client_id).await)?;
    let is_let_in = client.as_ref().is_some_and(|client| client.enabled)
        || account.as_ref().is_some_and(|account| account.enabled);
    if !is_let_in {
        return Ok(None);
    }
    let scopes = match claims.subject_type {
        Some(SubjectType::Identity) => {
            let subject = known(view.find::<Subject>(ADMIN_REALM, &claims.sub).await)?;
            let Some(subject) = subject else { return Ok(None) };
            let id = format!("{}/{}", subject.signer, subject.external_id);
            let identity = known(view.find::<Identity>(ADMIN_REALM, &id).await)?;
            identity
                .filter(|identity| identity.enabled && identity.subject == claims.sub)
                .map(|it| it.scopes.clone())
        }
        Some(SubjectType::ServiceAccount) => {
            let account = known(view.find::<ServiceAccount>(ADMIN_REALM, &claims.sub).await)?;
            account.filter(|account| account.enabled).map(|it| it.scopes.clone())
        }
        Some(SubjectType::Client) | None => {
            let is_own = claims.sub == claims.client_id;
            let scopes = client.map(|it| it.scopes.clone()).or(account.map(|it| it.scopes.clone()));
            scopes.filter(|_| is_own)
        }
    };
    Ok(scopes.map(BTreeSet::from_iter))
}

fn known<T>(found: Result<T, ViewError>) -> Result<T, Problem> {
    found.map_err(|error| Problem::from(crate::cause::Cause::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn administrator(scopes: &[&str]) -> Administrator {
        Administrator {
            actor: Actor("root".to_owned()),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        }
    }

    #[test]
    fn a_scope_is_for_all_realms_or_for_the_one_that_it_names() {
        let may = |scopes: &[&str], access, realm| administrator(scopes).demand(access, realm).is_ok();
        assert!(may(&["authority.write"], Access::Write, Some("main")));
        assert!(may(&["authority.write"], Access::Read, None));
        assert!(may(&["authority.write:main"], Access::Write, Some("main")));
        assert!(may(&["authority.write:main"], Access::Read, Some("main")));
        assert!(!may(&["authority.write:main"], Access::Write, Some("other")));
        assert!(!may(&["authority.write:main"], Access::Write, None));
        assert!(!may(&["authority.read"], Access::Write, Some("main")));
        assert!(!may(&["authority.read:main"], Access::Read, Some("main2")));
        assert!(!may(&[], Access::Read, Some("main")));
        assert!(!may(&["authority.read:"], Access::Read, None));
    }
}
