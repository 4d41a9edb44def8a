//! What is made, changed and deleted as a whole: five routes for each kind.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa::openapi::{HttpMethod, Required};

use super::problem::{Problem, ProblemKind};
use super::request::{Json, PAGE_LIMIT, Page, Reader, Version, Writer, json};
use super::routes::{Described, Routes};
use crate::authority::Authority;
use crate::entity::{Client, ExternalSigner, Identity, Realm, ResourceServer, ServiceAccount};
use crate::operations::{self, Managed};

/// A kind that has its routes here.
trait Entity: Managed + DeserializeOwned + ToSchema {
    /// Where all of a realm are.
    const LIST: &'static str;
    /// Where one is.
    const ONE: &'static str;
    /// What one and several are called, in one word, for the names of the operations.
    const NOUN: &'static str;
    /// The same of several.
    const NOUNS: &'static str;

    /// The name that its path ends with.
    fn last_name(&self) -> String {
        self.id()
    }
}

macro_rules! entity {
    ($kind:ty, $noun:literal, $nouns:literal, $list:literal, $name:literal) => {
        impl Entity for $kind {
            const LIST: &'static str = $list;
            const ONE: &'static str = concat!($list, "/{", $name, "}");
            const NOUN: &'static str = $noun;
            const NOUNS: &'static str = $nouns;
        }
    };
}

entity!(Client, "client", "clients", "/realms/{realm}/clients", "id");
entity!(ServiceAccount, "service_account", "service_accounts", "/realms/{realm}/service-accounts", "id");
entity!(
    ResourceServer,
    "resource_server",
    "resource_servers",
    "/realms/{realm}/resource-servers",
    "audience"
);
entity!(ExternalSigner, "external_signer", "external_signers", "/realms/{realm}/external-signers", "name");

impl Entity for Identity {
    const LIST: &'static str = "/realms/{realm}/external-signers/{name}/identities";
    const ONE: &'static str = "/realms/{realm}/external-signers/{name}/identities/{external_id}";
    const NOUN: &'static str = "identity";
    const NOUNS: &'static str = "identities";

    fn last_name(&self) -> String {
        self.external_id.clone()
    }
}

pub(super) fn add(routes: Routes) -> Routes {
    let routes = add_realms(routes);
    let routes = add_kind::<Client>(routes);
    let routes = add_kind::<ServiceAccount>(routes);
    let routes = add_kind::<ResourceServer>(routes);
    let routes = add_kind::<ExternalSigner>(routes);
    add_kind::<Identity>(routes)
}

fn add_kind<E: Entity>(routes: Routes) -> Routes {
    let (noun, nouns) = (E::NOUN, E::NOUNS);
    let described = |verb: &str, noun: &str, summary: String| {
        Described::new(format!("{verb}_{noun}"), summary).tag(nouns)
    };
    let (list, one) = (E::LIST, E::ONE);
    routes
        .add(
            HttpMethod::Get,
            list,
            list_of::<E>,
            described("list", nouns, format!("The {}, by name", words(nouns))).lists::<E>(PAGE_LIMIT),
        )
        .add(
            HttpMethod::Post,
            list,
            create::<E>,
            described("create", noun, format!("Makes a new {}", words(noun)))
                .takes::<E>()
                .gives::<E>("201", "it is made"),
        )
        .add(
            HttpMethod::Get,
            one,
            find::<E>,
            described("get", noun, format!("One {}", words(noun))).gives::<E>("200", "as it is"),
        )
        .add(
            HttpMethod::Put,
            one,
            change::<E>,
            described("change", noun, format!("Makes {} as the body says, as a whole", one_of(noun)))
                .takes::<E>()
                .gives::<E>("200", "as it is from now on")
                .versioned(Required::True),
        )
        .add(
            HttpMethod::Delete,
            one,
            remove::<E>,
            described("delete", noun, format!("Deletes {} and what belongs to it", one_of(noun)))
                .gives_nothing()
                .versioned(Required::False),
        )
}

/// A noun with its article.
fn one_of(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {}", words(noun))
}

fn words(noun: &str) -> String {
    noun.replace('_', " ")
}

/// How the names begin of all that are listed together: by the names that stand before theirs in the path.
fn prefix(names: &str) -> String {
    if names.is_empty() { String::new() } else { format!("{names}/") }
}

async fn list_of<E: Entity>(
    State(authority): State<Authority>,
    reader: Reader,
    page: Page,
) -> Result<Response, Problem> {
    let prefix = prefix(&reader.path.id());
    let after = page.behind(&prefix);
    let found = operations::list::<E>(&authority, &reader.path.realm, &prefix, &after, page.limit).await?;
    Ok(page.answer(found.into_iter().map(|found| found.entity).collect(), E::last_name))
}

async fn create<E: Entity>(
    State(authority): State<Authority>,
    writer: Writer,
    Json(entity): Json<E>,
) -> Result<Response, Problem> {
    let outer = writer.path.id();
    if !outer.is_empty() && !entity.id().starts_with(&prefix(&outer)) {
        return Err(otherwise());
    }
    let made = operations::create(&authority, writer.actor(), &writer.path.realm, entity).await?;
    Ok(json(StatusCode::CREATED, Some(made.position), &made.entity))
}

async fn find<E: Entity>(State(authority): State<Authority>, reader: Reader) -> Result<Response, Problem> {
    let found = operations::find::<E>(&authority, &reader.path.realm, &reader.path.id()).await?;
    Ok(json(StatusCode::OK, Some(found.position), &found.entity))
}

async fn change<E: Entity>(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
    Json(entity): Json<E>,
) -> Result<Response, Problem> {
    if entity.id() != writer.path.id() {
        return Err(otherwise());
    }
    let expected = version.demand()?;
    let changed =
        operations::change(&authority, writer.actor(), &writer.path.realm, entity, expected).await?;
    Ok(json(StatusCode::OK, Some(changed.position), &changed.entity))
}

async fn remove<E: Entity>(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
) -> Result<Response, Problem> {
    let (realm, id) = (&writer.path.realm, writer.path.id());
    operations::remove::<E>(&authority, writer.actor(), realm, &id, version.or_any()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A body that is of something else than the path.
fn otherwise() -> Problem {
    Problem::new(ProblemKind::Invalid, "the body must be of what the path names; names do not change")
}

fn add_realms(routes: Routes) -> Routes {
    let described = |id: &str, summary: &str| Described::new(id, summary).tag("realms");
    let (list, one) = ("/realms", "/realms/{realm}");
    routes
        .add(
            HttpMethod::Get,
            list,
            list_realms,
            described("list_realms", "The realms, by name").lists::<Realm>(PAGE_LIMIT),
        )
        .add(
            HttpMethod::Post,
            list,
            create_realm,
            described("create_realm", "Makes a new realm, with its first signing keys")
                .takes::<Realm>()
                .gives::<Realm>("201", "it is made"),
        )
        .add(
            HttpMethod::Get,
            one,
            find_realm,
            described("get_realm", "One realm").gives::<Realm>("200", "as it is"),
        )
        .add(
            HttpMethod::Put,
            one,
            change_realm,
            described("change_realm", "Makes a realm as the body says, as a whole")
                .takes::<Realm>()
                .gives::<Realm>("200", "as it is from now on")
                .versioned(Required::True),
        )
        .add(
            HttpMethod::Delete,
            one,
            remove_realm,
            described("delete_realm", "Deletes a realm that is disabled and empty, and its signing keys")
                .gives_nothing()
                .versioned(Required::False),
        )
}

async fn list_realms(State(authority): State<Authority>, _: Reader, page: Page) -> Result<Response, Problem> {
    let found = operations::list_realms(&authority, &page.after, page.limit).await?;
    Ok(page.answer(found.into_iter().map(|found| found.entity).collect(), |realm| realm.name.clone()))
}

async fn create_realm(
    State(authority): State<Authority>,
    writer: Writer,
    Json(realm): Json<Realm>,
) -> Result<Response, Problem> {
    let name = realm.name.clone();
    let made = operations::create(&authority, writer.actor(), &name, realm).await?;
    Ok(json(StatusCode::CREATED, Some(made.position), &made.entity))
}

async fn find_realm(State(authority): State<Authority>, reader: Reader) -> Result<Response, Problem> {
    let name = &reader.path.realm;
    let found = operations::find::<Realm>(&authority, name, name).await?;
    Ok(json(StatusCode::OK, Some(found.position), &found.entity))
}

async fn change_realm(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
    Json(realm): Json<Realm>,
) -> Result<Response, Problem> {
    let name = &writer.path.realm;
    if realm.name != *name {
        return Err(otherwise());
    }
    let expected = version.demand()?;
    let changed = operations::change(&authority, writer.actor(), name, realm, expected).await?;
    Ok(json(StatusCode::OK, Some(changed.position), &changed.entity))
}

async fn remove_realm(
    State(authority): State<Authority>,
    writer: Writer,
    version: Version,
) -> Result<Response, Problem> {
    // A realm that is made again under the name would be theirs.
    writer.demand_all_realms()?;
    let name = &writer.path.realm;
    operations::remove::<Realm>(&authority, writer.actor(), name, name, version.or_any()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
