//! A token that stands for somebody: one of an external signer, or one of our own.

use std::sync::Arc;

use keyward::{Claims, Reason, Verdict, Verified};
use serde_json::Value;

use super::identity::identity;
use super::secret_text::{OPAQUE_PREFIX, REFRESH_PREFIX};
use super::{AccessToken, Confirmation, Principal, live};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::ExternalSigner;
use crate::http::FormRequest;

/// The longest name that an external signer may have for somebody, in octets. It is part of a name in the database.
const EXTERNAL_ID_LIMIT: usize = 255;

/// Somebody whom a token stands for.
pub(super) struct Vouched {
    pub(super) principal: Principal,
    /// Who acts for them already.
    pub(super) actor: Option<Value>,
    /// What the token is for, where it is one of our own: audiences and scopes.
    pub(super) limits: Option<(Vec<String>, Vec<String>)>,
    /// When the token is over, where it is one of our own.
    pub(super) not_after: Option<i64>,
    /// What the token is bound to.
    pub(super) confirmation: Option<Confirmation>,
    /// `iss` and `sub`, as the token has them.
    stated: (String, String),
    /// Who alone may act for them (RFC 8693 §4.4).
    may_act: Option<Value>,
}

impl Vouched {
    /// Whether the token lets `actor` act, or nobody: a token that names who may act stands for nobody else.
    pub(super) fn lets_act(&self, actor: Option<&Self>) -> bool {
        let (Some(may_act), actor) = (&self.may_act, actor) else {
            return true;
        };
        let Some((issuer, subject)) = actor.map(|actor| &actor.stated) else {
            return false;
        };
        let names = |member: &str| may_act.get(member).and_then(Value::as_str);
        let same_issuer = match may_act.get("iss") {
            // Names are only of their issuer.
            None => *issuer == self.stated.0,
            Some(_) => names("iss") == Some(issuer),
        };
        names("sub") == Some(subject) && same_issuer
    }
}

/// Whom a token stands for.
///
/// # Errors
/// [`Cause::IdentityDisabled`], [`Cause::IdentityUnknown`], [`Cause::SubjectTokenRefused`],
/// [`Cause::SubjectTokenUndecided`], [`Cause::Unavailable`].
pub(super) async fn accept(
    authority: &Authority,
    request: &FormRequest,
    token: &str,
) -> Result<Vouched, Cause> {
    if token.starts_with(REFRESH_PREFIX) {
        return Err(Cause::SubjectTokenRefused);
    }
    match live::read(authority, &request.realm.name, token).await? {
        Some(read) => own(authority, request, &read.claims).await,
        None if token.starts_with(OPAQUE_PREFIX) => Err(Cause::SubjectTokenRefused),
        None => external(authority, request, token).await,
    }
}

async fn own(
    authority: &Authority,
    request: &FormRequest,
    token: &AccessToken<'_>,
) -> Result<Vouched, Cause> {
    let standing = token.stands(authority, &request.realm.name, request.arrived.wall).await?;
    let principal = standing.ok_or(Cause::SubjectTokenRefused)?;
    let audiences = token.aud.0.iter().map(|audience| audience.clone().into_owned()).collect();
    let scopes = token.scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    Ok(Vouched {
        principal,
        limits: Some((audiences, scopes)),
        not_after: Some(token.exp),
        stated: (token.iss.to_string(), token.sub.to_string()),
        actor: token.act.clone(),
        confirmation: token.cnf.clone(),
        may_act: None,
    })
}

async fn external(authority: &Authority, request: &FormRequest, token: &str) -> Result<Vouched, Cause> {
    let realm = &request.realm;
    let known = &authority.tokens().external_signers;
    let mut signers = known.of(authority, &realm.name).await?;
    let mut verdict = signers.verify(token).await;
    if matches!(verdict, Verdict::Reject(Reason::UnknownIssuer)) {
        // What is remembered may be older than the signer (promise 9).
        let now = known.now(authority, &realm.name).await?;
        if !Arc::ptr_eq(&now, &signers) {
            verdict = now.verify(token).await;
            signers = now;
        }
    }
    let verified: Verified = match verdict {
        Verdict::Accept(verified) => verified,
        Verdict::Reject(reason) => {
            tracing::debug!(
                event = "subject_token_refused",
                realm = realm.name,
                reason = reason.label(),
                "a token is refused"
            );
            return Err(Cause::SubjectTokenRefused);
        }
        Verdict::Undecided(reason) => {
            tracing::debug!(
                event = "subject_token_undecided",
                realm = realm.name,
                reason = reason.label(),
                "a token cannot be checked"
            );
            return Err(Cause::SubjectTokenUndecided);
        }
    };
    let signer = signers.find(verified.issuer_name()).ok_or(Cause::SubjectTokenRefused)?;
    let claims = verified.claims();
    let external_id = external_id(signer, claims).ok_or(Cause::SubjectTokenRefused)?;
    let identity = identity(authority, realm, signer, external_id, request.arrived).await?;
    let (issuer, subject) = (signer.issuer.clone(), claims.subject().unwrap_or_default().to_owned());
    Ok(Vouched {
        principal: Principal::identity(Arc::clone(&identity))?,
        actor: None,
        limits: None,
        not_after: None,
        confirmation: None,
        stated: (issuer, subject),
        may_act: claims.pointer("/may_act").cloned(),
    })
}

/// The signer's name for somebody. `sub`, unless the signer is declared otherwise.
fn external_id<'a>(signer: &ExternalSigner, claims: &'a Claims) -> Option<&'a str> {
    let named = if signer.id_claim == "sub" {
        claims.subject()
    } else {
        // A claim's name may hold what a JSON Pointer gives a meaning to (RFC 6901 §3).
        let pointer = format!("/{}", signer.id_claim.replace('~', "~0").replace('/', "~1"));
        claims.pointer(&pointer).and_then(Value::as_str)
    };
    let is_sound =
        |id: &&str| !id.is_empty() && id.len() <= EXTERNAL_ID_LIMIT && !id.contains(char::is_control);
    named.filter(is_sound)
}
