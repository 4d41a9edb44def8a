//! The control API: a lab told what to do by HTTP, on this machine.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde::de::value::Error as FormError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::form_urlencoded;

use crate::client::KeyFileForm;
use crate::command::Command;
use crate::error::CommandError;
use crate::lab::Lab;
use crate::token::TokenPlan;

/// The longest command or token plan, in octets.
const BODY_LIMIT: usize = 1 << 20;

/// The control API of a lab, from [`Control::bind`] until it is dropped.
///
/// `POST /command` takes a [`Command`], `POST /token` a [`TokenPlan`] and, where there are several, the name of an issuer
/// in `?issuer=`. `GET /issuers` shows [`Lab::describe`], `GET /clients/NAME/key` the file of a client's key, with `?kid=`
/// and `?form=` ([`KeyFileForm`]), `GET /log` what an issuer wrote of the clients that it refused ([`Lab::provider_log`]),
/// and `GET /authority.pem` the certificate of the lab's authority.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Why the control API could not start.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address is not one of this machine alone.
    #[error(
        "{address} is not on loopback: whoever reaches it could command the lab, which asks nobody who they are"
    )]
    NotLoopback {
        /// Which.
        address: SocketAddr,
    },
}

/// Which `Host` a request may name. A page that a browser shows could otherwise command a lab on the same machine by a
/// name of its own that resolves to 127.0.0.1.
#[derive(Clone, Copy, Debug)]
enum Hosts {
    Addresses,
    Loopback,
}

impl Control {
    /// Listens on an address of loopback; port 0 is a free one.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn bind(lab: &Lab, address: SocketAddr) -> Result<Self, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::NotLoopback { address });
        }
        Self::listen(lab, address, Hosts::Loopback).await
    }

    /// Listens on any address: whoever reaches it commands the lab.
    ///
    /// # Errors
    /// [`ControlError::Listen`].
    pub async fn dangerous_bind_anywhere(lab: &Lab, address: SocketAddr) -> Result<Self, ControlError> {
        Self::listen(lab, address, Hosts::Addresses).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn listen(lab: &Lab, address: SocketAddr, hosts: Hosts) -> Result<Self, ControlError> {
        let failed = |source| ControlError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = router(lab.clone(), hosts);
        let task = tokio::spawn(async move {
            // It has no end of its own.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(lab: Lab, hosts: Hosts) -> Router {
    Router::new()
        .route("/command", post(command))
        .route("/token", post(token))
        .route("/issuers", get(issuers))
        .route("/clients/{client}/key", get(key_file))
        .route("/log", get(provider_log))
        .route("/authority.pem", get(authority))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(hosts, only_from_here))
        .with_state(lab)
}

async fn only_from_here(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    if !hosts.allow(request.headers()) {
        let error = "the Host of a request is an address of this machine";
        return refusal(StatusCode::FORBIDDEN, error);
    }
    // A browser sends it with whatever a page sends elsewhere.
    if request.headers().contains_key(ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "no page of a browser commands a lab");
    }
    next.run(request).await
}

impl Hosts {
    fn allow(self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let Some(host) = host else { return false };
        let host = host.host().trim_start_matches('[').trim_end_matches(']');
        match (host.parse::<IpAddr>(), self) {
            (Ok(address), Self::Loopback) => address.is_loopback(),
            (Ok(_), Self::Addresses) => true,
            (Err(_), _) => host.eq_ignore_ascii_case("localhost"),
        }
    }
}

async fn command(State(lab): State<Lab>, body: Bytes) -> Response {
    let command: Command = match parsed(&body) {
        Ok(command) => command,
        Err(refused) => return *refused,
    };
    match lab.obey(&command).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refusal(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

async fn token(State(lab): State<Lab>, uri: Uri, body: Bytes) -> Response {
    let plan: TokenPlan = match parsed(&body) {
        Ok(plan) => plan,
        Err(refused) => return *refused,
    };
    answered(lab.token(queried(&uri, "issuer").as_deref(), &plan))
}

async fn key_file(State(lab): State<Lab>, Path(client): Path<String>, uri: Uri) -> Response {
    let form = match queried(&uri, "form").map(|form| form_named(&form)) {
        None => KeyFileForm::default(),
        Some(Ok(form)) => form,
        Some(Err(error)) => return refusal(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let (issuer, kid) = (queried(&uri, "issuer"), queried(&uri, "kid"));
    answered(lab.key_file(issuer.as_deref(), &client, kid.as_deref(), form))
}

async fn provider_log(State(lab): State<Lab>, uri: Uri) -> Response {
    let log = lab.provider_log(queried(&uri, "issuer").as_deref(), 0);
    answered(log.map(|log| log.lines.iter().map(|line| format!("{line}\n")).collect()))
}

fn form_named(name: &str) -> Result<KeyFileForm, FormError> {
    KeyFileForm::deserialize(name.into_deserializer())
}

fn queried<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let query = uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).find(|(is, _)| is == name).map(|(_, value)| value)
}

fn answered(text: Result<String, CommandError>) -> Response {
    match text {
        Ok(text) => text.into_response(),
        Err(error) => refusal(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

async fn issuers(State(lab): State<Lab>) -> Response {
    axum::Json(lab.describe()).into_response()
}

async fn authority(State(lab): State<Lab>) -> Response {
    ([(CONTENT_TYPE, "application/pem-certificate-chain")], lab.authority_pem().to_owned()).into_response()
}

/// Whatever type it is said to be: curl calls everything a form. Nothing is an object without members.
fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text)
        .map_err(|error| Box::new(refusal(StatusCode::BAD_REQUEST, error.to_string())))
}

fn refusal(status: StatusCode, error: impl Into<String>) -> Response {
    (status, axum::Json(json!({ "error": error.into() }))).into_response()
}
