//! Identity providers. [`ISSUERS`] are set up so that their access tokens are signed JWTs that live an hour, and
//! every one goes through the same cases. [`Introspected`] are those that are asked about their tokens.

mod canaille;
mod django_oauth_toolkit;
mod glewlwyd;
mod introspected;
mod lemonldap;
mod oidc_provider;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use serde_json::Value;

pub(crate) use self::canaille::Canaille;
pub(crate) use self::django_oauth_toolkit::DjangoOauthToolkit;
pub(crate) use self::glewlwyd::Glewlwyd;
pub(crate) use self::introspected::{Access, Introspected, Life, Other, Way};
pub(crate) use self::lemonldap::Lemonldap;
pub(crate) use self::oidc_provider::OidcProvider;
use super::error::Error;
use super::process::run;
use super::token::Token;
use super::workshop::Workshop;

/// The client that every issuer knows, or the start of its name where an issuer wants one an algorithm.
pub(crate) const CLIENT: &str = "interop";
pub(crate) const CLIENT_SECRET: &str = "interop-secret";

/// An identity provider that runs until it is dropped.
pub(crate) trait Issuer: Sync {
    /// Its issuer identifier, to the letter.
    fn issuer(&self) -> &str;

    /// Where its key set is.
    fn jwks_uri(&self) -> String;

    /// The audience that its tokens are for.
    fn audience(&self) -> &str;

    /// The algorithms that it can be asked for.
    fn algorithms(&self) -> &'static [&'static str];

    /// A new access token by client credentials, with scope `read`.
    fn token(&self, algorithm: &str) -> Result<Token, Error>;

    /// Changes the signing keys the way this provider's operators do. When it returns, new tokens are signed
    /// by new keys.
    fn rotate(&self) -> Result<(), Error>;
}

/// How an issuer is called and started.
pub(crate) struct IssuerKind {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// Starts it and waits until it answers.
    pub(crate) start: fn(&Workshop) -> Result<Box<dyn Issuer>, Error>,
}

/// Every issuer that Keyward is held against.
pub(crate) const ISSUERS: [IssuerKind; 3] = [
    IssuerKind { name: "oidc-provider", start: |workshop| Ok(Box::new(OidcProvider::start(workshop)?)) },
    IssuerKind { name: "glewlwyd", start: |workshop| Ok(Box::new(Glewlwyd::start(workshop)?)) },
    IssuerKind { name: "lemonldap-ng", start: |workshop| Ok(Box::new(Lemonldap::start(workshop)?)) },
];

/// The `kid`s in a published key set.
pub(crate) fn published_kids(http: &Client, jwks_uri: &str) -> Result<Vec<String>, Error> {
    const WHAT: &str = "read the issuer's key set";
    let set = json(http.get(jwks_uri).send().map_err(Error::http(WHAT))?, WHAT)?;
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or(Error::MissingField { what: WHAT, field: "keys" })?;
    Ok(keys.iter().filter_map(|key| key.get("kid")?.as_str()).map(str::to_owned).collect())
}

/// Asks a token endpoint for client credentials.
fn client_credentials(
    http: &Client,
    token_endpoint: &str,
    client: &str,
    resource: Option<&str>,
) -> Result<Token, Error> {
    let mut fields = vec![("scope", "read")];
    fields.extend(resource.map(|resource| ("resource", resource)));
    Token::parse(&opaque_token(http, token_endpoint, client, &fields)?)
}

/// The same, for a token of whatever form.
fn opaque_token(
    http: &Client,
    token_endpoint: &str,
    client: &str,
    fields: &[(&str, &str)],
) -> Result<String, Error> {
    const WHAT: &str = "get a token from the issuer";
    let form = [&[("grant_type", "client_credentials")], fields].concat();
    let request = http.post(token_endpoint).basic_auth(client, Some(CLIENT_SECRET)).form(&form);
    let answer = json(request.send().map_err(Error::http(WHAT))?, WHAT)?;
    let token = answer.get("access_token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or(Error::MissingField { what: WHAT, field: "access_token" })
}

/// New private keys as JWKs, one an algorithm.
pub(crate) fn new_keys(node: &Path, keys_script: &Path, algorithms: &[&str]) -> Result<Vec<Value>, Error> {
    let set = run(Command::new(node).arg(keys_script).args(algorithms))?;
    let mut set: Value = serde_json::from_str(&set).unwrap_or_default();
    match set.get_mut("keys").map(Value::take) {
        Some(Value::Array(keys)) => Ok(keys),
        _ => Err(Error::MissingField { what: "generate keys", field: "keys" }),
    }
}

/// The body of a 2xx answer.
fn json(response: Response, what: &'static str) -> Result<Value, Error> {
    accepted(response, what)?.json().map_err(Error::http(what))
}

/// The answer where it is a 2xx, an error with its body where not.
fn accepted(response: Response, what: &'static str) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().unwrap_or_default();
    Err(Error::Answer { what, status: status.as_u16(), body })
}

/// Whether `done` comes true within `seconds`.
pub(crate) fn comes_true(seconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
