//! What tokens are worth, and how the introspection endpoint says it (RFC 7662, RFC 9701).

use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::error::CommandError;
use crate::fault::{ActiveAs, Fault, Says, SignedAs};
use crate::form::Asked;
use crate::issuer::Issuer;
use crate::jws::{self, Received};
use crate::revocation::{Origin, Revoke, TokenId};

/// The type of a signed answer (RFC 9701 §5).
const SIGNED: &str = "application/token-introspection+jwt";

/// How far in the past is what should not be.
const LONG_AGO_S: i64 = 86_400;

/// What the endpoint tells a client, with the fault that it has.
pub(crate) fn answer(asked: &Asked<'_>, client: &str, fault: Option<&Fault>) -> Answer {
    let issuer = asked.issuer;
    let Some(token) = asked.form.field("token") else {
        return Answer::error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let mut told = issuer.introspect(token);
    if let Some(Fault::Says(says)) = fault {
        says.apply(&mut told, issuer.token_wall());
    }
    let text = match fault {
        Some(Fault::ActiveAs(active_as)) => active_as.apply(told),
        _ => told.to_string(),
    };
    let signed_as = match fault {
        Some(Fault::SignedAs(signed_as)) => Some(*signed_as),
        _ => None,
    };
    let wanted = issuer.plan.signed_introspection.unwrap_or_else(|| accepts_signed(asked.headers));
    if !wanted && signed_as.is_none() {
        return Answer::of("application/json", text);
    }
    match issuer.signed_answer(client, &text, signed_as) {
        Ok(jwt) => Answer::of(SIGNED, jwt),
        Err(_) => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// Takes a token back (RFC 7009 §2): those of other clients it refuses, and of unknown ones it says nothing.
pub(crate) fn revoke(asked: &Asked<'_>, client: &str) -> Answer {
    let Some(token) = asked.form.field("token") else {
        return Answer::error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    if let Some(claims) = asked.issuer.live(token) {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("client_id") != Some(client) {
            return Answer::error(StatusCode::BAD_REQUEST, "unauthorized_client");
        }
        if let Some(jti) = text("jti") {
            asked.issuer.revoke(&Revoke::Jti(jti.to_owned()));
        }
    }
    Answer::of("application/json", "{}")
}

impl Issuer {
    /// What it says of a token (RFC 7662 §2.2).
    fn introspect(&self, token: &str) -> Value {
        match self.live(token) {
            Some(Value::Object(mut claims)) => {
                claims.insert("active".to_owned(), true.into());
                claims.insert("token_type".to_owned(), "Bearer".into());
                Value::Object(claims)
            }
            _ => json!({ "active": false }),
        }
    }

    /// Whose bearer this is, where the token endpoint granted it to somebody who is still let in.
    pub(crate) fn bearer(&self, token: &str) -> Option<String> {
        let claims = self.live(token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let granted = TokenId::parse(text("jti")?)?.origin == Origin::Grant;
        let client = text("client_id").filter(|_| granted)?;
        self.told().clients.enabled(client).map(|client| client.name.clone())
    }

    /// The claims of a token of its own that has neither expired nor been taken back.
    fn live(&self, token: &str) -> Option<Value> {
        let now = self.token_wall();
        let opaque = self.opaque().claims(token).cloned();
        let claims = opaque.or_else(|| self.signed(token))?;
        let expires = claims.get("exp")?.as_i64()?;
        (now < expires && !self.told().revocations.revoked(&claims)).then_some(claims)
    }

    /// The claims of a JWT that one of its keys signed, published or not: the one of its kid before the others.
    fn signed(&self, token: &str) -> Option<Value> {
        let received = Received::parse(token)?;
        let mut keys: Vec<_> = self.told().keys.ring().all().cloned().collect();
        keys.sort_by_key(|key| key.kid() != received.kid.as_deref());
        let ours = keys.iter().any(|key| key.signed(received.input.as_bytes(), &received.signature));
        serde_json::from_slice(&received.payload).ok().filter(|_| ours)
    }

    /// An answer as a JWT (RFC 9701 §5).
    fn signed_answer(
        &self,
        client: &str,
        answer: &str,
        signed_as: Option<SignedAs>,
    ) -> Result<String, CommandError> {
        let key = self.told().keys.ring().signing()?.clone();
        let mut header = json!({ "alg": key.algorithm.name(), "typ": "token-introspection+jwt" });
        if let (Some(kid), Some(members)) = (key.kid(), header.as_object_mut()) {
            members.insert("kid".to_owned(), kid.into());
        }
        let audience = if signed_as == Some(SignedAs::OtherAudience) { "somebody-else" } else { client };
        let old = if signed_as == Some(SignedAs::Old) { LONG_AGO_S } else { 0 };
        let (issuer, audience) = (json!(self.addresses.issuer), json!(audience));
        let issued = self.token_wall().saturating_sub(old);
        // As text: what is wrong with the answer may be nothing that a JSON value can hold.
        let payload =
            format!(r#"{{"iss":{issuer},"aud":{audience},"iat":{issued},"token_introspection":{answer}}}"#);
        let input = jws::signing_input(&header, payload.as_bytes());
        let signs = match signed_as {
            Some(SignedAs::OtherKey) => self.other_key(key.algorithm)?,
            _ => key,
        };
        let signature = signs.sign(input.as_bytes()).map_err(|_| CommandError::Signing)?;
        Ok(jws::compact(input, &signature))
    }
}

impl Says {
    /// Makes an answer say it. Of what is inactive there is nothing to say.
    fn apply(self, told: &mut Value, now: i64) {
        let Some(members) = told.as_object_mut().filter(|members| members.len() > 1) else { return };
        let (name, value) = match self {
            Self::Expired => ("exp", now.saturating_sub(LONG_AGO_S).into()),
            Self::OtherAudience => ("aud", "somebody-else".into()),
            Self::OtherIssuer => ("iss", "https://other.example".into()),
            Self::RefreshToken => ("token_type", "refresh_token".into()),
        };
        members.insert(name.to_owned(), value);
    }
}

impl ActiveAs {
    /// The answer's text.
    fn apply(self, mut told: Value) -> String {
        let active = told.get("active").and_then(Value::as_bool).unwrap_or(false);
        let Some(members) = told.as_object_mut() else { return told.to_string() };
        let mut set = |value: Value| drop(members.insert("active".to_owned(), value));
        match self {
            Self::Absent => drop(members.remove("active")),
            Self::Array => return json!([told]).to_string(),
            Self::Duplicate => {
                let rest = told.to_string();
                // Which of the two counts is the reader's choice.
                return format!(r#"{{"active":{},{}"#, !active, rest.trim_start_matches('{'));
            }
            Self::Number => set(i32::from(active).into()),
            Self::String => set(active.to_string().into()),
        }
        told.to_string()
    }
}

fn accepts_signed(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case(SIGNED)))
}
