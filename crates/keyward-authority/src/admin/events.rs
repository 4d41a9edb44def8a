//! The log: who did what, and when.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::HttpMethod;

use super::problem::Problem;
use super::request::{PAGE_LIMIT, Page, Reader};
use super::routes::{Described, Routes};
use crate::authority::Authority;
use crate::entity::shown;
use crate::operations::{self, OperationError};
use crate::storage::{Event, Position};

/// A change, as the log has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct Shown {
    /// Its place in the log.
    position: i64,
    /// When, in milliseconds since 1970, by the clock of the node that did it.
    at_ms: i64,
    /// Who did it: the subject of a token, `bootstrap`, or the authority itself.
    actor: String,
    /// What was done, such as `client_key.disabled`.
    action: String,
    /// The kind of what it was done to.
    kind: String,
    /// Its name.
    id: String,
    /// How it is from then on, without secrets; none where it is gone or is nothing but a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    entity: Option<Value>,
}

pub(super) fn add(routes: Routes) -> Routes {
    let described = Described::new("list_events", "What was done in a realm, in order").tag("events");
    routes.add(HttpMethod::Get, "/realms/{realm}/events", list, described.lists::<Shown>(PAGE_LIMIT))
}

async fn list(State(authority): State<Authority>, reader: Reader, page: Page) -> Result<Response, Problem> {
    let after = match page.after.as_str() {
        "" => 0,
        text => match text.parse() {
            Ok(after @ 0..) => after,
            _ => return Err(Problem::malformed("after must be the position of an event")),
        },
    };
    let realm = &reader.path.realm;
    // Of a realm that is gone the log still tells.
    let events = if realm.contains('\0') {
        Vec::new()
    } else {
        let store = authority.view().store();
        store.events_of(realm, Position(after), page.limit).await.map_err(OperationError::from)?
    };
    if events.is_empty() && after == 0 {
        operations::find::<crate::entity::Realm>(&authority, realm, realm).await?;
    }
    Ok(page.answer(events.into_iter().map(Shown::from).collect(), |event| event.position.to_string()))
}

impl From<Event> for Shown {
    fn from(event: Event) -> Self {
        let Event { position, at_ms, actor, action, kind: label, realm: _, id, body } = event;
        let entity = body.and_then(|body| shown(&label, &body));
        Self { position: position.0, at_ms, actor, action, kind: label, id, entity }
    }
}
