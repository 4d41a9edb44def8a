//! Who asks.

use base64_simd::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::Value;
use url::form_urlencoded;

use super::assertion::Asserted;
use super::{Cause, ClientKind, ClientState};
use crate::answer::Answer;
use crate::form::Asked;
use crate::jws::Received;
use crate::plan::ErrorStyle;

/// The longest name that a log has, in octets.
const SAID_LIMIT: usize = 128;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is something wrong with its assertion.
    #[error(transparent)]
    Assertion(Cause),
    /// Its bearer is nothing that the token endpoint granted, or is over, or was revoked.
    #[error("the bearer is not known")]
    Bearer,
    /// It is disabled.
    #[error("the client is disabled")]
    Disabled,
    /// It has no secret, and gave one.
    #[error("the client has no secret")]
    NoSecret,
    /// It does not say who it is, or in no way that is known.
    #[error("the client does not say who it is")]
    Nobody,
    /// Its secret is another.
    #[error("the secret is wrong")]
    Secret,
    /// It says it in more than one way (RFC 6749 §2.3).
    #[error("the client says who it is in several ways")]
    SeveralWays,
    /// Nobody has its name.
    #[error("the client is not known")]
    Unknown,
}

/// The `client_id` of who asks, or for a service account's bearer its name.
pub(crate) fn authenticated(asked: &Asked<'_>) -> Result<String, Refused> {
    let header = asked.headers.get(AUTHORIZATION);
    let (secret, assertion) = (asked.form.field("client_secret"), asked.form.field("client_assertion"));
    match (header, assertion, secret) {
        (Some(header), None, None) => {
            let (scheme, value) =
                header.to_str().ok().and_then(|header| header.split_once(' ')).ok_or(Refused::Nobody)?;
            if scheme.eq_ignore_ascii_case("Bearer")
                && asked.url == asked.issuer.addresses.introspection_endpoint
            {
                return asked.issuer.bearer(value.trim()).ok_or(Refused::Bearer);
            }
            let pair = basic(value).filter(|_| scheme.eq_ignore_ascii_case("Basic"));
            let (id, secret) = pair.ok_or(Refused::Nobody)?;
            by_secret(asked, &id, &secret)
        }
        (None, Some(assertion), None) => by_assertion(asked, assertion),
        (None, None, Some(secret)) => {
            by_secret(asked, asked.form.field("client_id").unwrap_or_default(), secret)
        }
        (None, None, None) => Err(Refused::Nobody),
        _ => Err(Refused::SeveralWays),
    }
}

/// Who asks, as they say themselves, where they say it in letters that a log can have.
pub(crate) fn said(asked: &Asked<'_>) -> Option<String> {
    let named = asked.form.field("client_id").map(str::to_owned);
    let by_basic = || {
        let header = asked.headers.get(AUTHORIZATION)?.to_str().ok()?;
        Some(basic(header.split_once(' ')?.1)?.0)
    };
    let asserted = || {
        let assertion = asked.form.field("client_assertion").or_else(|| asked.form.field("assertion"))?;
        let claims: Value = serde_json::from_slice(&Received::parse(assertion)?.payload).ok()?;
        Some(claims.get("iss")?.as_str()?.to_owned())
    };
    let name = named.or_else(by_basic).or_else(asserted)?;
    let is_sayable = |c: char| c.is_ascii_graphic() && c != '"';
    (name.len() <= SAID_LIMIT && name.chars().all(is_sayable)).then_some(name)
}

fn by_secret(asked: &Asked<'_>, id: &str, secret: &str) -> Result<String, Refused> {
    let told = asked.issuer.told();
    let client = told.clients.known(id).ok_or(Refused::Unknown)?;
    if client.state == ClientState::Disabled {
        return Err(Refused::Disabled);
    }
    match &client.secret {
        None => Err(Refused::NoSecret),
        Some(expected) if expected == secret => Ok(client.name.clone()),
        Some(_) => Err(Refused::Secret),
    }
}

/// `private_key_jwt` (RFC 7523 §2.2, OpenID Connect Core §9).
fn by_assertion(asked: &Asked<'_>, assertion: &str) -> Result<String, Refused> {
    if asked.form.field("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refused::Assertion(Cause::Malformed));
    }
    let asserted = Asserted::judge(asked, ClientKind::Application, assertion).map_err(Refused::Assertion)?;
    // RFC 7521 §4.2: where it is said as well, it is the same.
    if asked.form.field("client_id").is_some_and(|id| id != asserted.client) {
        return Err(Refused::Assertion(Cause::WrongIssuer));
    }
    Ok(asserted.client)
}

impl Refused {
    /// What the client is told, and the provider writes down.
    pub(crate) fn answer(self, asked: &Asked<'_>) -> Answer {
        let zitadel = asked.issuer.plan.errors == ErrorStyle::Zitadel;
        let (status, error, challenge) = match self {
            Self::Bearer => {
                (StatusCode::UNAUTHORIZED, "invalid_token", Some("Bearer error=\"invalid_token\""))
            }
            Self::NoSecret if zitadel => (StatusCode::BAD_REQUEST, "invalid_client", None),
            Self::SeveralWays => (StatusCode::BAD_REQUEST, "invalid_request", None),
            _ => (StatusCode::UNAUTHORIZED, "invalid_client", Some("Basic realm=\"lab\"")),
        };
        let asserted = match self {
            Self::Assertion(cause) => Some(cause),
            _ => None,
        };
        asked.log(status, error, &self, asserted);
        let description = asserted.filter(|_| !zitadel).map(|cause| cause.to_string());
        let mut answer = Answer::refusal(status, error, description.as_deref());
        if let Some(challenge) = challenge {
            answer.set(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

/// RFC 6749 §2.3.1: both halves were form-encoded before they were joined.
fn basic(value: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode_to_vec(value.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |half: &str| {
        // A form of one name without a value decodes to that name.
        form_urlencoded::parse(half.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
    };
    Some((decoded(id), decoded(secret)))
}
