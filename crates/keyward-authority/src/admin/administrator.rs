//! Who may administrate: whoever has a token of ours for that, and still may.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::problem::{Problem, ProblemKind};
use super::{AUDIENCE, READ, WRITE};
use crate::authority::Authority;
use crate::digest;
use crate::http::Peer;
use crate::limits::Attempt;
use crate::operations::ADMIN_REALM;
use crate::storage::Actor;
use crate::token::{Standing, standing};

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

impl Administrator {
    /// Who sent this request.
    ///
    /// # Errors
    /// 401 where there is no token that is good for this, 429 where too many were not, and 503 where that cannot be known.
    pub(super) async fn of(authority: &Authority, parts: &Parts) -> Result<Self, Problem> {
        let missing = || Problem::new(ProblemKind::TokenMissing, REFUSED);
        let token = bearer(&parts.headers).ok_or_else(missing)?;
        // Strangers are one where nobody says who they are.
        let address = parts.extensions.get::<Peer>().map_or(UNKNOWN, |peer| peer.address);
        let subject = digest::short(token.as_bytes());
        let attempt = Attempt { realm: ADMIN_REALM, subject: &subject, address };
        let limits = authority.client_auth().limits();
        if limits.admit_token(&attempt).is_err() {
            return Err(Problem::new(ProblemKind::RateLimited, "wait, and get a new access token"));
        }
        let standing = standing(authority, ADMIN_REALM, AUDIENCE, token).await?;
        limits.settle_token(&attempt, standing.is_some());
        let Standing { subject, scopes } =
            standing.ok_or_else(|| Problem::new(ProblemKind::Unauthorized, REFUSED))?;
        Ok(Self { scopes, actor: Actor(subject) })
    }

    /// Who it is in the log.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether they may do this in a realm, or in all where none is named. Who may write may read. To write in realm `admin`
    /// takes the scope for all.
    ///
    /// # Errors
    /// 403, with what the token lacks.
    pub(super) fn demand(&self, access: Access, realm: Option<&str>) -> Result<(), Problem> {
        let enough: &[&str] = match access {
            Access::Read => &[READ, WRITE],
            Access::Write => &[WRITE],
        };
        let has = |scope: &str| self.scopes.contains(scope);
        // Whoever writes there makes administrators of all realms.
        let is_of_all = access == Access::Write && realm == Some(ADMIN_REALM);
        let realm = realm.filter(|_| !is_of_all);
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

/// The address of whoever has none.
const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// One text for all: which check failed is nobody's business who has no token.
const REFUSED: &str =
    "send a current access token of realm admin for urn:keyward:authority, as Authorization: Bearer";

/// The token (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|value| value.split_once(' ')),
        _ => None,
    };
    token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, token)| token.trim())
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
        assert!(may(&["authority.write"], Access::Write, Some("admin")));
        assert!(may(&["authority.read:admin"], Access::Read, Some("admin")));
        assert!(!may(&["authority.write:admin"], Access::Write, Some("admin")), "it could make itself more");
    }
}
