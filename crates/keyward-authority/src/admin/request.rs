//! What a request says, once it is known who sends it.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::administrator::{Access, Administrator};
use super::problem::{Problem, ProblemKind};
use crate::authority::Authority;
use crate::operations::Expected;
use crate::storage::{Actor, Position};

/// The longest body, in octets.
const BODY_LIMIT: usize = 64 * 1024;

/// The most that a page holds, and what it holds where nobody says.
pub(super) const PAGE_LIMIT: u32 = 500;
const PAGE_DEFAULT: u32 = 100;

/// Somebody who may read what the path names.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) path: Path,
}

/// Somebody who may change what the path names.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) path: Path,
    administrator: Administrator,
}

/// The names in a path.
#[derive(Debug)]
pub(super) struct Path {
    /// The realm; empty where the path has none.
    pub(super) realm: String,
    /// The others, in their order.
    names: Vec<String>,
}

impl Path {
    async fn of(parts: &mut Parts) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, &()).await;
        let parameters = parameters.map_err(|_| Problem::malformed("the path is not UTF-8"))?;
        let (mut realm, mut names) = (String::new(), Vec::new());
        for (name, value) in &parameters {
            match name {
                "realm" => value.clone_into(&mut realm),
                _ => names.push(value.to_owned()),
            }
        }
        Ok(Self { realm, names })
    }

    /// What authorisation goes by.
    fn realm(&self) -> Option<&str> {
        (!self.realm.is_empty()).then_some(self.realm.as_str())
    }

    /// The name of the entity that the path is of: what belongs to another one has that one's name before its own.
    pub(super) fn id(&self) -> String {
        self.names.join("/")
    }

    /// The first name behind the realm.
    pub(super) fn first(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The last name.
    pub(super) fn last(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }
}

impl FromRequestParts<Authority> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, authority: &Authority) -> Result<Self, Problem> {
        let administrator = Administrator::of(authority, parts).await?;
        let path = Path::of(parts).await?;
        administrator.demand(Access::Read, path.realm())?;
        Ok(Self { path })
    }
}

impl FromRequestParts<Authority> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, authority: &Authority) -> Result<Self, Problem> {
        let administrator = Administrator::of(authority, parts).await?;
        let path = Path::of(parts).await?;
        administrator.demand(Access::Write, path.realm())?;
        Ok(Self { path, administrator })
    }
}

impl Writer {
    /// Who it is in the log.
    pub(super) fn actor(&self) -> &Actor {
        self.administrator.actor()
    }

    /// What concerns more than the realm that the path names.
    ///
    /// # Errors
    /// 403.
    pub(super) fn demand_all_realms(&self) -> Result<(), Problem> {
        self.administrator.demand(Access::Write, None)
    }
}

/// A body in JSON: an object with the members of `T`, and no others.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Authority> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Authority) -> Result<Self, Problem> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "send the body as Content-Type: application/json";
            return Err(Problem::new(ProblemKind::MediaType, detail));
        }
        let body = axum::body::to_bytes(request.into_body(), BODY_LIMIT).await.map_err(|_| {
            let detail = format!("a body is at most {BODY_LIMIT} octets long");
            Problem::new(ProblemKind::TooLarge, detail)
        })?;
        // What serde derives takes an array of the members' values as well.
        if body.iter().find(|octet| !octet.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Problem::malformed("the body must be an object"));
        }
        match serde_json::from_slice(&body) {
            Ok(read) => Ok(Self(read)),
            Err(error) if error.is_data() => Err(Problem::new(ProblemKind::Invalid, error.to_string())),
            Err(error) => Err(Problem::malformed(format!("the body is no JSON: {error}"))),
        }
    }
}

/// Which version a change goes by: `If-Match` (RFC 9110 §13.1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Version(Option<Expected>);

impl Version {
    /// Where it may be left out.
    pub(super) fn or_any(self) -> Expected {
        self.0.unwrap_or(Expected::Any)
    }

    /// Where what somebody else wrote meanwhile would be lost.
    ///
    /// # Errors
    /// 428.
    pub(super) fn demand(self) -> Result<Expected, Problem> {
        let detail = "send If-Match with the ETag of what you change, or * to change whatever is there";
        self.0.ok_or_else(|| Problem::new(ProblemKind::VersionMissing, detail))
    }
}

impl FromRequestParts<Authority> for Version {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Authority) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value.to_str().unwrap_or_default().trim(),
            (Some(_), Some(_)) => "",
        };
        let position = || value.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Position);
        match (value, position()) {
            ("*", _) => Ok(Self(Some(Expected::Any))),
            // What is written otherwise is no tag of ours.
            (_, Some(position)) if tag(position) == value => Ok(Self(Some(Expected::At(position)))),
            _ => Err(Problem::malformed("If-Match must be one ETag, such as \"17\", or *")),
        }
    }
}

/// The `ETag` of what an event made.
fn tag(Position(position): Position) -> String {
    format!("\"{position}\"")
}

/// Which part of a list: `after` and `limit`.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) after: String,
    pub(super) limit: u32,
}

impl FromRequestParts<Authority> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Authority) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let (mut after, mut limit) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "after" => &mut after,
                "limit" => &mut limit,
                _ => return Err(Problem::malformed("a list takes after and limit, and nothing else")),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(Problem::malformed("after and limit may be there once"));
            }
        }
        let limit = match limit {
            None => PAGE_DEFAULT,
            Some(text) => match text.parse() {
                Ok(limit @ 1..=PAGE_LIMIT) => limit,
                _ => return Err(Problem::malformed(format!("limit must be 1 to {PAGE_LIMIT}"))),
            },
        };
        Ok(Self { after: after.unwrap_or_default(), limit })
    }
}

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    items: Vec<T>,
    /// What to send as `after` to go on; none where this was all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Page {
    /// The whole name of what it is behind, where all that is listed begins with `prefix`.
    pub(super) fn behind(&self, prefix: &str) -> String {
        if self.after.is_empty() { String::new() } else { format!("{prefix}{}", self.after) }
    }

    /// The answer with what was found of this page: it is told by `name` where the next one begins.
    pub(super) fn answer<T: Serialize>(&self, items: Vec<T>, name: impl Fn(&T) -> String) -> Response {
        let is_full = items.len() >= self.limit as usize;
        let next = if is_full { items.last().map(name) } else { None };
        json(StatusCode::OK, None, &Listed { items, next })
    }
}

/// An answer in JSON. Administration is nobody else's business: no cache keeps it.
pub(super) fn json(status: StatusCode, position: Option<Position>, body: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_string(body) else {
        return Problem::new(ProblemKind::Unavailable, "the answer cannot be written").into_response();
    };
    let mut answer = (status, body).into_response();
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(position) = position
        && let Ok(tag) = HeaderValue::from_str(&tag(position))
    {
        headers.insert(ETAG, tag);
    }
    answer
}
