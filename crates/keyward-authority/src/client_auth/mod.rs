//! How a client shows who it is (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).
//!
//! Whoever fails too often is refused before anything is looked up ([`Limits`]). A secret that was right a moment ago costs no
//! hash, an assertion one signature. Whether a client, a secret or a key is there is told to nobody who has not got it: all of them
//! are refused alike, and what is told apart is told to our log.

mod certificate;
mod flights;
mod presented;
mod private_jwk;
mod secret_check;

pub mod key_files;
pub mod secret;

use std::sync::Arc;

use keyward::clock::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::assertion::{self, is_name};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, ClientAuthMethod, ClientKind, Kept, Secret, entity};
use crate::http::{FormRequest, Refusal};
use crate::last_use::LastUses;
use crate::limits::{Attempt, FailureLimits, Limits};
use presented::Presented;
pub use presented::basic;
pub use secret_check::SECRET_LIMIT;
use secret_check::{Claim, SecretCheck, Secrets};

/// A client, and how it showed that it is that one. Where it was by a certificate, its tokens are bound to that (RFC 8705 §3).
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The client.
    pub client: Arc<Client>,
    /// How it showed so; [`ClientAuthMethod::None`] for a public client that said its name.
    pub method: ClientAuthMethod,
}

/// How many may look through all keys of a realm at a time, for a better label in our log.
const SEARCHES: usize = 2;

/// What the authentication of clients keeps in mind on this node.
#[derive(Debug)]
pub struct ClientAuth {
    /// Who looks for why a key was refused, which takes long.
    searches: Semaphore,
    last_uses: LastUses,
    limits: Limits,
    secrets: SecretCheck,
}

impl ClientAuth {
    /// Nothing is known yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let secrets = SecretCheck::new(Arc::clone(&clock));
        let (last_uses, limits) = (LastUses::default(), Limits::new(clock));
        Self { searches: Semaphore::new(SEARCHES), last_uses, limits, secrets }
    }

    /// The same, in which so many may fail.
    pub(crate) fn with_failure_limits(self, rates: FailureLimits) -> Self {
        Self { limits: self.limits.with_rates(rates), ..self }
    }

    /// When keys and secrets were used.
    pub fn last_uses(&self) -> &LastUses {
        &self.last_uses
    }

    /// Leave to look for why a key was refused; none where others do so already.
    pub(crate) fn search(&self) -> Option<SemaphorePermit<'_>> {
        self.searches.try_acquire().ok()
    }

    /// Who failed too often.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Whether a request says which client it is of. A certificate alone says nothing: many connections have one.
pub fn shows_any(request: &FormRequest) -> bool {
    Presented::shows_any(request)
}

/// The client that a request is of.
///
/// # Errors
/// A [`Refusal`], as it is told to a client that authenticates itself. One for having failed too often does not say whether this
/// attempt was right.
pub async fn authenticate(authority: &Authority, request: &FormRequest) -> Result<Authenticated, Refusal> {
    let presented = Presented::of(request).map_err(Refusal::of_authentication)?;
    let shown = presented.method();
    let decided = decide(authority, request, presented).await;
    let (method, outcome) = match &decided {
        Ok(authenticated) => (authenticated.method, Ok(())),
        Err(cause) => (shown, Err(*cause)),
    };
    authority.observer().authenticated(&request.realm.name, method, outcome);
    decided.map_err(Refusal::of_authentication)
}

async fn decide(
    authority: &Authority,
    request: &FormRequest,
    presented: Presented<'_>,
) -> Result<Authenticated, Cause> {
    match presented {
        Presented::Assertion { client_id, assertion } => {
            let client = Box::pin(assertion::client(authority, request, client_id, assertion)).await?;
            Ok(Authenticated { client, method: ClientAuthMethod::PrivateKeyJwt })
        }
        Presented::Name { client_id } => {
            Box::pin(limited(authority, request, client_id, by_name(authority, request, client_id))).await
        }
        Presented::Secret { method, client_id, secret } => {
            let claim = Claim { realm: &request.realm.name, client: &client_id, secret: &secret };
            match recalled(authority, request, method, &claim).await? {
                Some(authenticated) => Ok(authenticated),
                None => {
                    let by_secret = by_secret(authority, request, method, &claim);
                    Box::pin(limited(authority, request, &client_id, by_secret)).await
                }
            }
        }
    }
}

/// Decides unless they failed too often, and counts it if they fail.
async fn limited(
    authority: &Authority,
    request: &FormRequest,
    client_id: &str,
    decide: impl Future<Output = Result<Authenticated, Cause>>,
) -> Result<Authenticated, Cause> {
    let limits = authority.client_auth().limits();
    // What can be nobody's name is not kept as one: it may be as long as a body.
    let subject = if is_name(client_id) { client_id } else { "" };
    let attempt = Attempt { realm: &request.realm.name, subject, address: request.peer.address };
    limits.admit(&attempt)?;
    let decided = if subject.is_empty() { Err(Cause::ClientUnknown) } else { decide.await };
    limits.settle(&attempt, decided)
}

/// By a secret that was right a moment ago: no failure of others keeps its holder out.
async fn recalled(
    authority: &Authority,
    request: &FormRequest,
    method: ClientAuthMethod,
    claim: &Claim<'_>,
) -> Result<Option<Authenticated>, Cause> {
    let Some(known) = authority.client_auth().secrets.recall(claim, request.arrived.mono) else {
        return Ok(None);
    };
    let client = authority.view().find::<Client>(claim.realm, claim.client).await?;
    let Some(client) = client.filter(|client| client.enabled && client.auth_methods.contains(&method)) else {
        return Ok(None);
    };
    let made = |secrets| Secrets::of(claim.client, secrets);
    let secrets = authority.view().made_of::<Secret, Secrets>(claim.realm, claim.client, made).await?;
    let Some(secret) = known.among(&secrets, request.arrived) else {
        return Ok(None);
    };
    if known.is_noted_at(request.arrived.wall) {
        authority.client_auth().last_uses.note(secret.entity(claim.realm), request.arrived.wall);
    }
    Ok(Some(Authenticated { client, method }))
}

/// By a secret. What is there is read from the database: a secret that another node has just taken in is not said to be wrong, and
/// a client that is not there takes as long as one that is.
async fn by_secret(
    authority: &Authority,
    request: &FormRequest,
    method: ClientAuthMethod,
    claim: &Claim<'_>,
) -> Result<Authenticated, Cause> {
    let client = read::<Client>(authority, claim.realm, claim.client).await?;
    let secrets = Secrets::of(claim.client, kept::<Secret>(authority, claim.realm, claim.client).await?);
    let check = &authority.client_auth().secrets;
    let checked = check.check(claim, &secrets, request.arrived, authority.observer()).await;
    let Some(client) = client else {
        return Err(checked
            .err()
            .filter(|cause| *cause == Cause::Unavailable)
            .unwrap_or(Cause::ClientUnknown));
    };
    let secret = checked?;
    if !client.enabled {
        return Err(Cause::ClientDisabled);
    }
    if !client.auth_methods.contains(&method) {
        return Err(Cause::AuthenticationMethodNotAllowed);
    }
    authority.client_auth().last_uses.note(secret.entity(claim.realm), request.arrived.wall);
    Ok(Authenticated { client: Arc::new(client), method })
}

/// By its name: with the certificate of its connection, or as a public client with nothing else.
async fn by_name(
    authority: &Authority,
    request: &FormRequest,
    client_id: &str,
) -> Result<Authenticated, Cause> {
    let client = authority.view().find::<Client>(&request.realm.name, client_id).await?;
    let client = client.ok_or(Cause::ClientUnknown)?;
    if !client.enabled {
        return Err(Cause::ClientDisabled);
    }
    if let Some(method) = certificate::method(authority, request, &client).await? {
        return Ok(Authenticated { client, method });
    }
    if client.kind == ClientKind::Public && client.auth_methods.contains(&ClientAuthMethod::None) {
        return Ok(Authenticated { client, method: ClientAuthMethod::None });
    }
    Err(Cause::AuthenticationMethodNotAllowed)
}

/// An entity, from the database.
pub(crate) async fn read<K: Kept>(authority: &Authority, realm: &str, id: &str) -> Result<Option<K>, Cause> {
    let entity = entity::<K>(realm, id);
    let store = authority.view().store();
    let body = store.read(&entity).await?;
    body.map(|body| store.parse(&entity, &body)).transpose().map_err(|_| Cause::Unavailable)
}

/// What belongs to an owner, from the database.
async fn kept<K: Kept>(authority: &Authority, realm: &str, owner: &str) -> Result<Vec<K>, Cause> {
    /// More than an owner can have, of which some may be another's whose name begins so.
    const PAGE: u32 = 100;
    let prefix = format!("{owner}/");
    let store = authority.view().store();
    let page = store.list(K::KIND, realm, &prefix, "", PAGE).await?;
    let parse = |(id, body): (String, String)| store.parse(&id, &body).map_err(|_| Cause::Unavailable);
    page.into_iter().map(parse).collect()
}
