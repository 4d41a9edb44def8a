//! A client's secrets.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};

use super::keys::{Standing, last_uses};
use super::problem::Problem;
use super::request::{Json, PAGE_LIMIT, Page, Reader, Version, Writer, json};
use super::routes::{Described, Routes};
use crate::authority::Authority;
use crate::entity::{Kept as _, Secret};
use crate::operations;

/// A secret, as far as it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
struct Shown {
    /// Which of the client's.
    name: String,
    /// Whether it is taken.
    enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// When it was made, in seconds since 1970.
    added_at: i64,
    /// When it was last used, in seconds since 1970, as far as the nodes wrote it down; none where it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
}

/// A secret that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretToMake)]
struct Wanted {
    /// Which of the client's.
    name: String,
    /// Until when it is taken, in seconds since 1970; none for ever.
    expires_at: Option<i64>,
}

/// A secret that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeSecret)]
struct Made {
    secret: Shown,
    /// `client_secret`. It is shown this once, and kept as a hash.
    value: String,
}

pub(super) fn add(routes: Routes) -> Routes {
    let described = |id: &str, summary: &str| Described::new(id, summary).tag("secrets");
    let (list, one) = ("/realms/{realm}/clients/{id}/secrets", "/realms/{realm}/clients/{id}/secrets/{name}");
    routes
        .add(
            HttpMethod::Get,
            list,
            list_of,
            described("list_secrets", "A client's secrets, by name; not what they are")
                .lists::<Shown>(PAGE_LIMIT),
        )
        .add(
            HttpMethod::Post,
            list,
            make,
            described("make_secret", "Makes a secret; it is shown this once")
                .takes::<Wanted>()
                .gives::<Made>("201", "it is made"),
        )
        .add(
            HttpMethod::Get,
            one,
            find,
            described("get_secret", "One secret; not what it is").gives::<Shown>("200", "as it is"),
        )
        .add(
            HttpMethod::Put,
            one,
            change,
            described("change_secret", "Enables or disables a secret, or says until when it is taken")
                .takes::<Standing>()
                .gives::<Shown>("200", "as it is from now on")
                .versioned(Required::True),
        )
        .add(
            HttpMethod::Delete,
            one,
            remove,
            described("delete_secret", "Deletes a secret").gives_nothing().versioned(Required::False),
        )
}

impl Shown {
    fn new(secret: Secret, last_used_at: Option<i64>) -> Self {
        let Secret { client: _, name, hash: _, enabled, expires_at, added_at, .. } = secret;
        // What was used before was another one of this name.
        let last_used_at = last_used_at.filter(|used| *used >= added_at);
        Self { name, enabled, expires_at, added_at, last_used_at }
    }
}

async fn list_of(
    State(authority): State<Authority>,
    reader: Reader,
    page: Page,
) -> Result<Response, Problem> {
    let realm = &reader.path.realm;
    let prefix = format!("{}/", reader.path.first());
    let after = page.behind(&prefix);
    let found = operations::list::<Secret>(&authority, realm, &prefix, &after, page.limit).await?;
    let mut used = last_uses::<Secret>(&authority, realm, &prefix).await?;
    let shown = found.into_iter().map(|found| {
        let used = used.remove(&found.entity.id());
        Shown::new(found.entity, used)
    });
    Ok(page.answer(shown.collect(), |secret| secret.name.clone()))
}

async fn make(
    State(authority): State<Authority>,
    writer: Writer,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let (realm, client) = (&writer.path.realm, writer.path.first());
    let Wanted { name, expires_at } = wanted;
    let (made, value) =
        operations::add_secret(&authority, writer.actor(), realm, client, &name, expires_at).await?;
    let body = Made { secret: Shown::new(made.entity, None), value: value.to_string() };
    Ok(json(StatusCode::CREATED, Some(made.position), &body))
}

async fn find(State(authority): State<Authority>, reader: Reader) -> Result<Response, Problem> {
    let (realm, id) = (&reader.path.realm, reader.path.id());
    let found = operations::find::<Secret>(&authority, realm, &id).await?;
    let used = last_uses::<Secret>(&authority, realm, &id).await?.remove(&id);
    Ok(json(StatusCode::OK, Some(found.position), &Shown::new(found.entity, used)))
}

async fn change(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
    Json(standing): Json<Standing>,
) -> Result<Response, Problem> {
    let expected = version.demand()?;
    let (realm, id) = (&writer.path.realm, writer.path.id());
    let Standing { enabled, expires_at } = standing;
    let secret = Secret { enabled, expires_at, ..operations::find(&authority, realm, &id).await?.entity };
    let changed = operations::change(&authority, writer.actor(), realm, secret, expected).await?;
    Ok(json(StatusCode::OK, Some(changed.position), &Shown::new(changed.entity, None)))
}

async fn remove(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
) -> Result<Response, Problem> {
    let (realm, id) = (&writer.path.realm, writer.path.id());
    operations::remove::<Secret>(&authority, writer.actor(), realm, &id, version.or_any()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
