//! What is said of a token to those who may ask (RFC 7662).

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;

use super::former_holders::FormerHolders;
use super::refresh::ShownToken;
use super::secret_text::REFRESH_PREFIX;
use super::{AccessToken, INTROSPECT_SCOPE, Principal, bearer, live};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::authenticate;
use crate::entity::{Client, ClientKind, ResourceServer, SubjectType};
use crate::http::{FormRequest, Refusal};

/// What is said of a token that is not good, or not for whoever asks, or none at all: which of them is nobody's business.
pub(crate) const INACTIVE: &str = r#"{"active":false}"#;

/// Who asks about tokens, and about which.
#[derive(Debug)]
pub(crate) struct Asker {
    /// `client_id`, or `sub` of a bearer.
    pub(crate) name: String,
    sees: Sees,
    /// Its own refresh tokens it sees as well.
    client: Option<String>,
}

/// The tokens that somebody may ask about.
#[derive(Debug)]
enum Sees {
    /// Of every audience.
    All,
    /// Of the resource servers that name this client.
    Named(String),
}

/// The clients that a resource server names.
struct Introspectors(HashSet<String>);

impl Asker {
    /// Whoever asks: a client that authenticates itself, or the bearer of a token for the authority itself.
    ///
    /// # Errors
    /// A [`Refusal`]; [`Cause::IntrospectionNotAllowed`] for a client that may ask about no token at all.
    pub(crate) async fn of(authority: &Authority, request: &FormRequest) -> Result<Self, Refusal> {
        if bearer::shows_any(request) {
            let name = bearer::bearer(authority, request, INTROSPECT_SCOPE).await;
            let name = name.map_err(Refusal::of_request)?;
            return Ok(Self { name, sees: Sees::All, client: None });
        }
        let client = authenticate(authority, request).await?.client;
        request.known.is(&client.id);
        let sees = Sees::of(authority, request, &client).await.map_err(Refusal::of_request)?;
        Ok(Self { name: client.id.clone(), sees, client: Some(client.id.clone()) })
    }

    async fn sees(&self, authority: &Authority, realm: &str, token: &AccessToken<'_>) -> Result<bool, Cause> {
        let Sees::Named(client) = &self.sees else {
            return Ok(true);
        };
        for audience in &token.aud.0 {
            let server = authority.view().find::<ResourceServer>(realm, audience).await?;
            if server.is_some_and(|server| server.introspected_by.as_ref() == Some(client)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Sees {
    async fn of(authority: &Authority, request: &FormRequest, client: &Client) -> Result<Self, Cause> {
        // Anybody can be a public client, and RFC 7662 §2.1 wants to know who asks.
        if client.kind == ClientKind::Public {
            return Err(Cause::IntrospectionNotAllowed);
        }
        if client.scopes.iter().any(|scope| scope == INTROSPECT_SCOPE) {
            return Ok(Self::All);
        }
        let named = |servers: Vec<ResourceServer>| {
            Introspectors(servers.into_iter().filter_map(|server| server.introspected_by).collect())
        };
        let (view, realm) = (authority.view(), request.realm.name.as_str());
        let mut introspectors = view.made_of::<ResourceServer, Introspectors>(realm, "", named).await?;
        if !introspectors.0.contains(&client.id) {
            // What is remembered may be older than the resource server (promise 9).
            introspectors = view.made_of_now::<ResourceServer, Introspectors>(realm, "", named).await?;
        }
        if introspectors.0.contains(&client.id) {
            return Ok(Self::Named(client.id.clone()));
        }
        Err(Cause::IntrospectionNotAllowed)
    }
}

/// What is said of a token, in JSON (RFC 7662 §2.2).
///
/// # Errors
/// [`Cause::Unavailable`]: nothing is said of a token of which nothing can be known.
pub(crate) async fn introspected(
    authority: &Authority,
    request: &FormRequest,
    asker: &Asker,
    token: &str,
) -> Result<Bytes, Cause> {
    let said = if token.starts_with(REFRESH_PREFIX) {
        of_refresh_token(authority, request, asker, token).await?.map(Bytes::from)
    } else {
        of_access_token(authority, request, asker, token).await?
    };
    Ok(said.unwrap_or(Bytes::from_static(INACTIVE.as_bytes())))
}

async fn of_access_token(
    authority: &Authority,
    request: &FormRequest,
    asker: &Asker,
    text: &str,
) -> Result<Option<Bytes>, Cause> {
    let realm = request.realm.name.as_str();
    let Some(read) = live::read(authority, realm, text).await? else {
        return Ok(None);
    };
    let is_seen = asker.sees(authority, realm, &read.claims).await?;
    if !is_seen || read.claims.stands(authority, realm, request.arrived.wall).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(read.said.clone()))
}

/// What is said of a refresh token. No resource server takes one, and so it is of its own type.
#[derive(Serialize)]
struct RefreshAnswer<'a> {
    active: bool,
    token_type: &'static str,
    iss: &'a str,
    client_id: &'a str,
    sub: &'a str,
    subject_type: SubjectType,
    aud: &'a [String],
    scope: String,
    exp: i64,
}

/// Only its own client is told anything of it.
async fn of_refresh_token(
    authority: &Authority,
    request: &FormRequest,
    asker: &Asker,
    text: &str,
) -> Result<Option<String>, Cause> {
    let (Some(client), Some(shown)) = (&asker.client, ShownToken::parse(text)) else {
        return Ok(None);
    };
    let realm = request.realm.name.as_str();
    let Some(family) = shown.current_family(authority, realm, client, request.arrived.wall).await? else {
        return Ok(None);
    };
    match Principal::find(authority, realm, family.subject_type, &family.subject).await {
        Ok(_) => {}
        Err(Cause::Unavailable) => return Err(Cause::Unavailable),
        Err(_) => return Ok(None),
    }
    let former = FormerHolders::of(authority, realm).await?;
    if former.had(family.subject_type, &family.subject, family.began_at) {
        return Ok(None);
    }
    let answer = RefreshAnswer {
        active: true,
        token_type: "refresh_token",
        iss: &request.issuer,
        client_id: &family.client,
        sub: &family.subject,
        subject_type: family.subject_type,
        aud: &family.audiences,
        scope: family.scopes.join(" "),
        exp: family.expires_at,
    };
    serde_json::to_string(&answer).map(Some).map_err(|_| Cause::Unavailable)
}
