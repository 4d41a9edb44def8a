//! What was granted before, again (RFC 6749 §6).

use std::sync::Arc;

use super::{Grant, Limits, Refresh};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::Client;
use crate::http::FormRequest;
use crate::token::former_holders::FormerHolders;
use crate::token::refresh::ShownToken;
use crate::token::target::Unsaid;
use crate::token::{Confirmation, Principal};

/// As much as was granted then, as far as the client and the principal may still have it.
///
/// # Errors
/// Each cause of a refresh token apart, or why its subject is not let in any more.
pub(super) async fn grant<'a>(
    authority: &Authority,
    request: &'a FormRequest,
    client: &Arc<Client>,
) -> Result<Grant<'a>, Cause> {
    let shown = ShownToken::parse(request.form.demand("refresh_token")?);
    let shown = shown.ok_or(Cause::RefreshTokenUnknown)?;
    let realm = request.realm.name.as_str();
    let family = shown.family(authority, realm, client, request.arrived).await?;
    let principal = Principal::find(authority, realm, family.subject_type, &family.subject).await?;
    let former = FormerHolders::of(authority, realm).await?;
    if former.had(family.subject_type, &family.subject, family.began_at) {
        return Err(Cause::RefreshTokenRevoked);
    }
    let confirmation = family.confirmation.map(serde_json::from_value::<Confirmation>).transpose();
    Ok(Grant {
        actor: family.actor,
        limits: Some(Limits { audiences: family.audiences, scopes: family.scopes }),
        // What nobody can read nobody can prove.
        confirmation: confirmation.map_err(|_| Cause::RefreshTokenOfAnother)?,
        unsaid: Unsaid::All,
        refresh: Refresh::Next(shown),
        unproved: Cause::RefreshTokenOfAnother,
        ..Grant::to(principal)
    })
}
