//! A token for another (RFC 8693).

use serde_json::{Value, json};

use super::{Grant, Limits, Refresh};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::http::FormRequest;
use crate::token::granted::JWT;
use crate::token::subject_token::{self, Vouched};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// How many act for one another at most. A token gets longer with each.
const ACTOR_LIMIT: usize = 4;

/// Somebody whom an external signer vouches for gets as much as they and the client may have. One of our own tokens is
/// exchanged for one that may do less, and that is over when it is.
///
/// # Errors
/// [`Cause::IdentityDisabled`], [`Cause::IdentityUnknown`], [`Cause::ParameterMissing`], [`Cause::SubjectTokenRefused`],
/// [`Cause::SubjectTokenTypeUnsupported`], [`Cause::SubjectTokenUndecided`], [`Cause::Unavailable`].
pub(super) async fn grant<'a>(authority: &Authority, request: &'a FormRequest) -> Result<Grant<'a>, Cause> {
    let form = &request.form;
    let wanted = form.find("requested_token_type");
    if wanted.is_some_and(|wanted| wanted != ACCESS_TOKEN && wanted != JWT) {
        return Err(Cause::SubjectTokenTypeUnsupported);
    }
    let subject_token = form.demand("subject_token")?;
    check_type(form.demand("subject_token_type")?)?;
    let actor_token = match (form.find("actor_token"), form.find("actor_token_type")) {
        (Some(token), Some(kind)) => check_type(kind).map(|()| Some(token))?,
        (None, None) => None,
        _ => return Err(Cause::ParameterMissing),
    };
    let subject = subject_token::accept(authority, request, subject_token).await?;
    let actor = match actor_token {
        Some(token) => Some(subject_token::accept(authority, request, token).await?),
        None => None,
    };
    if actor.as_ref().is_some_and(|actor| actor.confirmation.is_some()) || !subject.lets_act(actor.as_ref()) {
        return Err(Cause::SubjectTokenRefused);
    }
    let ends = [subject.not_after, actor.as_ref().and_then(|actor| actor.not_after)];
    let not_after = ends.into_iter().flatten().min();
    let actor = acting(subject.actor, actor.as_ref())?;
    let refresh = if not_after.is_none() { Refresh::New } else { Refresh::Never };
    Ok(Grant {
        actor,
        limits: subject.limits.map(|(audiences, scopes)| Limits { audiences, scopes }),
        confirmation: subject.confirmation,
        not_after,
        refresh,
        issued_token_type: Some(if wanted == Some(JWT) { JWT } else { ACCESS_TOKEN }),
        ..Grant::to(subject.principal)
    })
}

fn check_type(kind: &str) -> Result<(), Cause> {
    if [ACCESS_TOKEN, ID_TOKEN, JWT].contains(&kind) {
        Ok(())
    } else {
        Err(Cause::SubjectTokenTypeUnsupported)
    }
}

/// `act`: who acts now, and within it who acted before (RFC 8693 §4.1).
fn acting(before: Option<Value>, actor: Option<&Vouched>) -> Result<Option<Value>, Cause> {
    let Some(actor) = actor else {
        return Ok(before);
    };
    let mut act = json!({ "sub": actor.principal.subject(), "subject_type": actor.principal.subject_type() });
    if let (Some(before), Some(members)) = (before, act.as_object_mut()) {
        members.insert("act".to_owned(), before);
    }
    if depth(&act) > ACTOR_LIMIT { Err(Cause::SubjectTokenRefused) } else { Ok(Some(act)) }
}

fn depth(act: &Value) -> usize {
    std::iter::successors(Some(act), |act| act.get("act")).take(ACTOR_LIMIT + 1).count()
}
