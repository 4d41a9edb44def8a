//! A realm's signing keys.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::HttpMethod;

use super::problem::Problem;
use super::request::{PAGE_LIMIT, Page, Reader, Writer};
use super::routes::{Described, Routes};
use crate::authority::Authority;
use crate::entity::SigningKey;
use crate::operations;
use crate::signing::KeyState;

/// A signing key, without its private half.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
struct Shown {
    /// Its RFC 7638 thumbprint.
    kid: String,
    /// What it signs with.
    algorithm: String,
    /// What it is used for.
    state: UsedFor,
    /// Its public half, as it is published (RFC 7517).
    #[schema(value_type = Object)]
    jwk: Value,
    /// When it was published, in seconds since 1970.
    published_at: i64,
    /// Since when it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_since: Option<i64>,
    /// Since when it does not sign any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    passive_since: Option<i64>,
    /// Since when it is not published any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<i64>,
}

/// What a signing key is used for.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SigningKeyState)]
enum UsedFor {
    /// It is published, and does not sign yet.
    Published,
    /// It is published and signs.
    Active,
    /// It is published, and what it signed is still good.
    Passive,
    /// It is not published.
    Retired,
}

pub(super) fn add(routes: Routes) -> Routes {
    let described = |id: &str, summary: &str| Described::new(id, summary).tag("signing_keys");
    routes
        .add(
            HttpMethod::Get,
            "/realms/{realm}/signing-keys",
            list,
            described("list_signing_keys", "The keys that a realm signs with, or did")
                .lists::<Shown>(PAGE_LIMIT),
        )
        .add(
            HttpMethod::Post,
            "/realms/{realm}/rotate-signing-keys",
            rotate,
            described("rotate_signing_keys", "Asks for other keys to sign, as soon as everybody knows them")
                .gives_nothing(),
        )
        .add(
            HttpMethod::Post,
            "/realms/{realm}/signing-keys/{kid}/retire",
            retire,
            described("retire_signing_key", "Withdraws a key that nothing needs any more").gives_nothing(),
        )
        .add(
            HttpMethod::Post,
            "/realms/{realm}/signing-keys/{kid}/withdraw-compromised",
            withdraw,
            described(
                "withdraw_signing_key",
                "Withdraws a key at once that somebody else may have; what it signed is good no more",
            )
            .gives_nothing(),
        )
}

impl From<SigningKey> for Shown {
    fn from(key: SigningKey) -> Self {
        let SigningKey { kid, algorithm, jwk, times, .. } = key;
        let state = match times.state() {
            KeyState::Published => UsedFor::Published,
            KeyState::Active => UsedFor::Active,
            KeyState::Passive => UsedFor::Passive,
            KeyState::Retired => UsedFor::Retired,
        };
        Self {
            kid,
            algorithm,
            state,
            jwk,
            published_at: times.published_at,
            active_since: times.active_since,
            passive_since: times.passive_since,
            retired_at: times.retired_at,
        }
    }
}

async fn list(State(authority): State<Authority>, reader: Reader, page: Page) -> Result<Response, Problem> {
    let realm = &reader.path.realm;
    let found = operations::list::<SigningKey>(&authority, realm, "", &page.after, page.limit).await?;
    let shown = found.into_iter().map(|found| Shown::from(found.entity));
    Ok(page.answer(shown.collect(), |key| key.kid.clone()))
}

async fn rotate(State(authority): State<Authority>, writer: Writer) -> Result<Response, Problem> {
    operations::rotate_signing_keys(&authority, writer.actor(), &writer.path.realm).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn retire(State(authority): State<Authority>, writer: Writer) -> Result<Response, Problem> {
    let (realm, kid) = (&writer.path.realm, writer.path.first());
    operations::retire_signing_key(&authority, writer.actor(), realm, kid).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn withdraw(State(authority): State<Authority>, writer: Writer) -> Result<Response, Problem> {
    let (realm, kid) = (&writer.path.realm, writer.path.first());
    operations::withdraw_signing_key(&authority, writer.actor(), realm, kid).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
