//! A token of ours that lets somebody administrate.

use std::collections::BTreeSet;

use super::live;
use crate::authority::Authority;
use crate::cause::Cause;

/// Who a token speaks for, and what that one still may.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// `sub`.
    pub(crate) subject: String,
    /// Its scopes, less those that its subject has lost since.
    pub(crate) scopes: BTreeSet<String>,
}

/// What a token of `realm` for `audience` is good for now; none where it is not. One that is bound to a key or a certificate is
/// not: nobody here asks for the proof.
///
/// # Errors
/// [`Cause::Unavailable`].
pub(crate) async fn standing(
    authority: &Authority,
    realm: &str,
    audience: &str,
    text: &str,
) -> Result<Option<Standing>, Cause> {
    let Some(read) = live::read(authority, realm, text).await? else {
        return Ok(None);
    };
    let token = &read.claims;
    if !token.aud.contains(audience) || token.cnf.is_some() {
        return Ok(None);
    }
    let now = authority.clock().now().wall;
    let Some(principal) = token.stands(authority, realm, now).await? else {
        return Ok(None);
    };
    let still = principal.allowed().scopes;
    let scopes = token.scope.split(' ').filter(|scope| still.iter().any(|one| one == scope));
    let scopes = scopes.map(str::to_owned).collect();
    Ok(Some(Standing { subject: token.sub.to_string(), scopes }))
}
