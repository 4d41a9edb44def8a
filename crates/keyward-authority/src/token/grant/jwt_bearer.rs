//! A service account, by an assertion that its key signs (RFC 7523 §2.1).

use super::{Grant, Refresh};
use crate::assertion;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::http::FormRequest;
use crate::token::Principal;

/// Where no client stands behind it there is nobody whom a refresh token could be bound to: the account makes another
/// assertion.
///
/// # Errors
/// Each cause of an assertion apart.
pub(super) async fn grant(
    authority: &Authority,
    request: &FormRequest,
    has_client: bool,
) -> Result<Grant<'static>, Cause> {
    let assertion = request.form.demand("assertion")?;
    let account = assertion::service_account(authority, request, assertion).await?;
    let refresh = if has_client { Refresh::New } else { Refresh::Never };
    Ok(Grant { refresh, ..Grant::to(Principal::ServiceAccount(account)) })
}
