//! What the token endpoint grants (RFC 6749 §5).

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::{Asserted, Cause, ClientKind, authenticated};
use crate::error::CommandError;
use crate::form::Asked;
use crate::issuer::{Issuer, TOKEN_LIFETIME_S};
use crate::plan::ErrorStyle;
use crate::revocation::Origin;
use crate::time::Time;
use crate::token::TokenPlan;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What it answers.
pub(crate) fn answer(asked: &Asked<'_>) -> Answer {
    let grant_type = asked.form.field("grant_type");
    if grant_type == Some(JWT_BEARER) {
        let Some(assertion) = asked.form.field("assertion") else {
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_request");
        };
        return match Asserted::judge(asked, ClientKind::ServiceAccount, assertion) {
            Ok(Asserted { client, subject }) => granted(asked, &client, &subject),
            Err(cause) => refusal(asked, cause),
        };
    }
    let client = match authenticated(asked) {
        Ok(client) => client,
        Err(refused) => return refused.answer(asked),
    };
    match grant_type {
        Some("client_credentials") => granted(asked, &client, &client),
        Some(_) => Answer::error(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => Answer::error(StatusCode::BAD_REQUEST, "invalid_request"),
    }
}

fn granted(asked: &Asked<'_>, client: &str, subject: &str) -> Answer {
    let opaque = asked.form.field("resource") == Some("opaque");
    match asked.issuer.grant(client, subject, asked.form.field("scope"), opaque) {
        Ok(granted) => Answer::json(&granted),
        Err(_) => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// RFC 7523 §3.1; or the one answer that Zitadel has for all of them.
fn refusal(asked: &Asked<'_>, cause: Cause) -> Answer {
    let (status, error, description) = match (asked.issuer.plan.errors, cause) {
        (ErrorStyle::Zitadel, _) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Errors.Internal".to_owned())
        }
        (ErrorStyle::Rfc, Cause::WrongKind) => {
            (StatusCode::BAD_REQUEST, "unauthorized_client", cause.to_string())
        }
        (ErrorStyle::Rfc, _) => (StatusCode::BAD_REQUEST, "invalid_grant", cause.to_string()),
    };
    asked.log(status, error, &cause, Some(cause));
    Answer::refusal(status, error, Some(&description))
}

impl Issuer {
    /// A successful answer (RFC 6749 §5.1).
    fn grant(
        &self,
        client: &str,
        subject: &str,
        scope: Option<&str>,
        opaque: bool,
    ) -> Result<Value, CommandError> {
        let lifetime = self.plan.token_lifetime.unwrap_or(Time(Duration::from_secs(TOKEN_LIFETIME_S)));
        let mut plan = TokenPlan { lifetime: Some(lifetime), opaque, ..TokenPlan::default() };
        let mut claim =
            |name: &str, value: &str| plan.claims.insert(name.to_owned(), json!(value).to_string());
        claim("client_id", client);
        claim("sub", subject);
        if let Some(scope) = scope {
            claim("scope", scope);
        }
        let mut granted = json!({
            "access_token": self.token_from(&plan, Origin::Grant)?,
            "token_type": "Bearer",
            "expires_in": lifetime.0.as_secs(),
        });
        if let (Some(scope), Some(members)) = (scope, granted.as_object_mut()) {
            members.insert("scope".to_owned(), scope.into());
        }
        Ok(granted)
    }
}
