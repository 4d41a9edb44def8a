//! Public keys of clients and service accounts.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use keyward_jose::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};

use super::problem::{Problem, ProblemKind};
use super::request::{Json, PAGE_LIMIT, Page, Reader, Version, Writer, json};
use super::routes::{Described, Routes};
use crate::authority::Authority;
use crate::client_auth::key_files::{KeyFileForm, Uploaded};
use crate::entity::{Kept, Key, KeyOrigin};
use crate::operations::{self, KeyOwner};

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct Shown {
    /// `kid` of its assertions.
    kid: String,
    /// The public key (RFC 7517).
    #[schema(value_type = Object)]
    jwk: Value,
    /// Whether it is taken.
    enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// When it was added, in seconds since 1970.
    added_at: i64,
    /// Where it came from.
    origin: KeyOrigin,
    /// When it was last used, in seconds since 1970, as far as the nodes wrote it down; none where it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
}

/// A public key that its owner made: as one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UploadedKey)]
struct Upload {
    /// A JWK, without its private members (RFC 7517).
    #[schema(value_type = Option<Object>)]
    jwk: Option<Value>,
    /// A public key or a certificate in PEM (`PUBLIC KEY` or `CERTIFICATE`, RFC 7468). Of a certificate its key alone is kept.
    pem: Option<String>,
    /// Until when it is taken, in seconds since 1970; none for ever.
    expires_at: Option<i64>,
}

/// A key that is made here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyToGenerate)]
struct Generate {
    /// What it signs with: `ES256` where nothing is said.
    algorithm: Option<String>,
    /// What the file looks like: `jwk` where nothing is said.
    #[serde(default)]
    format: Format,
    /// Until when it is taken, in seconds since 1970; none for ever.
    expires_at: Option<i64>,
}

/// What a key file looks like.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyFileFormat)]
enum Format {
    /// A private JWK (RFC 7517).
    #[default]
    Jwk,
    /// PKCS#8 in PEM (RFC 5958).
    Pem,
    /// JSON in the shape of Zitadel's key files.
    Zitadel,
}

/// A key that was just made, with its private half.
#[derive(Serialize, ToSchema)]
#[schema(as = GeneratedKey)]
struct Made {
    key: Shown,
    /// The private half. It is shown this once, and kept nowhere.
    file: String,
}

/// What may change of a key, or of a secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    /// Whether it is taken.
    pub(super) enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    pub(super) expires_at: Option<i64>,
}

/// Whose keys they are.
trait Owner: 'static {
    const PATH: &'static str;
    const NOUN: &'static str;

    fn of(id: &str) -> KeyOwner;
}

struct OfClient;

impl Owner for OfClient {
    const PATH: &'static str = "/realms/{realm}/clients/{id}";
    const NOUN: &'static str = "client";

    fn of(id: &str) -> KeyOwner {
        KeyOwner::Client(id.to_owned())
    }
}

struct OfServiceAccount;

impl Owner for OfServiceAccount {
    const PATH: &'static str = "/realms/{realm}/service-accounts/{id}";
    const NOUN: &'static str = "service_account";

    fn of(id: &str) -> KeyOwner {
        KeyOwner::ServiceAccount(id.to_owned())
    }
}

pub(super) fn add(routes: Routes) -> Routes {
    add_of::<OfServiceAccount>(add_of::<OfClient>(routes))
}

fn add_of<O: Owner>(routes: Routes) -> Routes {
    let noun = O::NOUN;
    let described = |verb: &str, what: &str, summary: &str| {
        Described::new(format!("{verb}_{noun}_{what}"), summary).tag("keys")
    };
    let list = format!("{}/keys", O::PATH);
    let one = format!("{list}/{{kid}}");
    let generated = format!("{}/generated-keys", O::PATH);
    routes
        .add(
            HttpMethod::Get,
            &list,
            list_of::<O>,
            described("list", "keys", "The public keys, by kid").lists::<Shown>(PAGE_LIMIT),
        )
        .add(
            HttpMethod::Post,
            &list,
            upload::<O>,
            described("upload", "key", "Adds a public key that its owner made")
                .takes::<Upload>()
                .gives::<Shown>("201", "it is added"),
        )
        .add(
            HttpMethod::Post,
            &generated,
            generate::<O>,
            described("generate", "key", "Makes a key; its private half is shown this once")
                .takes::<Generate>()
                .gives::<Made>("201", "it is made"),
        )
        .add(
            HttpMethod::Get,
            &one,
            find::<O>,
            described("get", "key", "One key").gives::<Shown>("200", "as it is"),
        )
        .add(
            HttpMethod::Put,
            &one,
            change::<O>,
            described("change", "key", "Enables or disables a key, or says until when it is taken")
                .takes::<Standing>()
                .gives::<Shown>("200", "as it is from now on")
                .versioned(Required::True),
        )
        .add(
            HttpMethod::Delete,
            &one,
            remove::<O>,
            described("delete", "key", "Deletes a key").gives_nothing().versioned(Required::False),
        )
}

impl Shown {
    fn new(key: Key, last_used_at: Option<i64>) -> Self {
        let Key { owner: _, kid, jwk, enabled, expires_at, added_at, origin, .. } = key;
        // What was used before was another one of this name.
        let last_used_at = last_used_at.filter(|used| *used >= added_at);
        Self { kid, jwk, enabled, expires_at, added_at, origin, last_used_at }
    }
}

async fn list_of<O: Owner>(
    State(authority): State<Authority>,
    reader: Reader,
    page: Page,
) -> Result<Response, Problem> {
    let realm = &reader.path.realm;
    let prefix = format!("{}/", O::of(reader.path.first()).label());
    let after = page.behind(&prefix);
    let found = operations::list::<Key>(&authority, realm, &prefix, &after, page.limit).await?;
    let mut used = last_uses::<Key>(&authority, realm, &prefix).await?;
    let shown = found.into_iter().map(|found| {
        let used = used.remove(&found.entity.id());
        Shown::new(found.entity, used)
    });
    Ok(page.answer(shown.collect(), |key| key.kid.clone()))
}

async fn find<O: Owner>(State(authority): State<Authority>, reader: Reader) -> Result<Response, Problem> {
    let (realm, id) = (&reader.path.realm, id::<O>(reader.path.first(), reader.path.last()));
    let found = operations::find::<Key>(&authority, realm, &id).await?;
    let used = last_uses::<Key>(&authority, realm, &id).await?.remove(&id);
    Ok(json(StatusCode::OK, Some(found.position), &Shown::new(found.entity, used)))
}

async fn upload<O: Owner>(
    State(authority): State<Authority>,
    writer: Writer,
    Json(upload): Json<Upload>,
) -> Result<Response, Problem> {
    let Upload { jwk, pem, expires_at } = upload;
    let uploaded = match (jwk, pem) {
        (Some(jwk), None) => Uploaded::Jwk(jwk),
        (None, Some(pem)) => Uploaded::Pem(pem),
        _ => return Err(Problem::new(ProblemKind::Invalid, "send either jwk or pem")),
    };
    let (realm, owner) = (&writer.path.realm, O::of(writer.path.first()));
    let made =
        operations::upload_key(&authority, writer.actor(), realm, &owner, &uploaded, expires_at).await?;
    Ok(json(StatusCode::CREATED, Some(made.position), &Shown::new(made.entity, None)))
}

async fn generate<O: Owner>(
    State(authority): State<Authority>,
    writer: Writer,
    Json(wanted): Json<Generate>,
) -> Result<Response, Problem> {
    let Generate { algorithm, format, expires_at } = wanted;
    let algorithm = match algorithm.as_deref() {
        None => Algorithm::Es256,
        Some(name) => crate::signing::algorithm(name).ok_or_else(|| {
            Problem::new(ProblemKind::Invalid, "algorithm must be RS256, PS256, ES256 or EdDSA")
        })?,
    };
    let form = match format {
        Format::Jwk => KeyFileForm::Jwk,
        Format::Pem => KeyFileForm::Pem,
        Format::Zitadel => KeyFileForm::Zitadel,
    };
    let (realm, owner, actor) = (&writer.path.realm, O::of(writer.path.first()), writer.actor());
    let (made, generated) =
        operations::generate_key(&authority, actor, realm, &owner, algorithm, form, expires_at).await?;
    let body = Made { key: Shown::new(made.entity, None), file: generated.file.to_string() };
    Ok(json(StatusCode::CREATED, Some(made.position), &body))
}

async fn change<O: Owner>(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
    Json(standing): Json<Standing>,
) -> Result<Response, Problem> {
    let expected = version.demand()?;
    let (realm, id) = (&writer.path.realm, id::<O>(writer.path.first(), writer.path.last()));
    let Standing { enabled, expires_at } = standing;
    let key = Key { enabled, expires_at, ..operations::find::<Key>(&authority, realm, &id).await?.entity };
    let changed = operations::change(&authority, writer.actor(), realm, key, expected).await?;
    Ok(json(StatusCode::OK, Some(changed.position), &Shown::new(changed.entity, None)))
}

async fn remove<O: Owner>(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
) -> Result<Response, Problem> {
    let (realm, id) = (&writer.path.realm, id::<O>(writer.path.first(), writer.path.last()));
    operations::remove::<Key>(&authority, writer.actor(), realm, &id, version.or_any()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// As [`Key::id`] has it.
fn id<O: Owner>(owner: &str, kid: &str) -> String {
    format!("{}/{kid}", O::of(owner).label())
}

/// When those of a kind were last used whose names begin so, by name.
pub(super) async fn last_uses<K: Kept>(
    authority: &Authority,
    realm: &str,
    prefix: &str,
) -> Result<BTreeMap<String, i64>, Problem> {
    // PostgreSQL takes no text with a NUL, and nothing is called so.
    if prefix.contains('\0') {
        return Ok(BTreeMap::new());
    }
    let used = authority.view().store().last_uses(K::KIND, realm, prefix).await;
    Ok(used.map_err(operations::OperationError::from)?.into_iter().collect())
}
