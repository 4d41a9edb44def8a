//! What a client asks by: a grant a file. Each says who the token would be for, and what it may be for at most.

mod client_credentials;
mod jwt_bearer;
mod refresh_token;
mod token_exchange;

use serde_json::Value;

use super::refresh::ShownToken;
use super::target::Unsaid;
use super::{Allowed, Confirmation, Principal};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::Authenticated;
use crate::entity::GrantType;
use crate::http::FormRequest;

/// What a grant comes to.
pub(super) struct Grant<'a> {
    pub(super) principal: Principal,
    /// Who acts for it: `act`.
    pub(super) actor: Option<Value>,
    /// What it may be for at most, beside what the client and the principal may have.
    pub(super) limits: Option<Limits>,
    /// What has to be proved, since what it was granted by is bound.
    pub(super) confirmation: Option<Confirmation>,
    /// What the token must not outlive, in seconds since 1970.
    pub(super) not_after: Option<i64>,
    /// What the token is for where the request does not say.
    pub(super) unsaid: Unsaid,
    pub(super) refresh: Refresh<'a>,
    /// `issued_token_type` (RFC 8693 §2.2.1).
    pub(super) issued_token_type: Option<&'static str>,
    /// What it is told that does not prove what is bound.
    pub(super) unproved: Cause,
}

/// What something may be for at most.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) audiences: Vec<String>,
    pub(super) scopes: Vec<String>,
}

impl Limits {
    pub(super) fn allowed(&self) -> Allowed<'_> {
        Allowed { audiences: &self.audiences, scopes: &self.scopes }
    }
}

/// Whether a refresh token goes with the access token.
pub(super) enum Refresh<'a> {
    /// None does.
    Never,
    /// The first of a family, where the client may use one.
    New,
    /// The next one of this one's family.
    Next(ShownToken<'a>),
}

impl Grant<'_> {
    /// For `principal`, for nothing but what it and the client may have.
    fn to(principal: Principal) -> Self {
        Self {
            principal,
            actor: None,
            limits: None,
            confirmation: None,
            not_after: None,
            unsaid: Unsaid::Only,
            refresh: Refresh::Never,
            issued_token_type: None,
            unproved: Cause::SubjectTokenRefused,
        }
    }
}

/// The grant type that a request names.
pub(super) fn grant_type(request: &FormRequest) -> Result<GrantType, Cause> {
    match request.form.demand("grant_type")? {
        "client_credentials" => Ok(GrantType::ClientCredentials),
        "refresh_token" => Ok(GrantType::RefreshToken),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => Ok(GrantType::JwtBearer),
        "urn:ietf:params:oauth:grant-type:token-exchange" => Ok(GrantType::TokenExchange),
        _ => Err(Cause::GrantUnsupported),
    }
}

/// What the request is granted, by a client that may ask by this.
pub(super) async fn grant<'a>(
    authority: &Authority,
    request: &'a FormRequest,
    grant_type: GrantType,
    client: Option<&Authenticated>,
) -> Result<Grant<'a>, Cause> {
    let client = client.map(|client| &client.client);
    match (grant_type, client) {
        (GrantType::JwtBearer, client) => {
            Box::pin(jwt_bearer::grant(authority, request, client.is_some())).await
        }
        (_, None) => Err(Cause::AuthenticationMissing),
        (GrantType::ClientCredentials, Some(client)) => client_credentials::grant(client),
        (GrantType::RefreshToken, Some(client)) => {
            Box::pin(refresh_token::grant(authority, request, client)).await
        }
        (GrantType::TokenExchange, Some(_)) => Box::pin(token_exchange::grant(authority, request)).await,
    }
}
