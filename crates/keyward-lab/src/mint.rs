//! Tokens made and looked up.

use std::sync::{Arc, PoisonError};

use serde_json::{Map, Value, json};

use crate::client::{CLIENT_ID, Client};
use crate::clock::seconds;
use crate::error::CommandError;
use crate::issuer::{Issuer, TOKEN_LIFETIME_S};
use crate::jws;
use crate::key::LabKey;
use crate::time::Time;
use crate::token::{Kid, Signature, TokenPlan};

/// The longest token that is made.
const LONGEST_TOKEN: usize = 8 << 20;

/// The claim that makes a token longer.
const PADDING: &str = "padding";

impl Issuer {
    /// A token as it is planned.
    pub(crate) fn token(&self, plan: &TokenPlan) -> Result<String, CommandError> {
        let key = match &plan.key {
            Some(name) => Arc::clone(self.told().keys.ring().key(name)?),
            None => Arc::clone(self.told().keys.ring().signing()?),
        };
        let header = self.header(plan, &key);
        let mut claims = self.claims(plan)?;
        if let Some(octets) = plan.octets {
            pad(&mut claims, octets, &header, &key)?;
        }
        let input = jws::signing_input(&header, Value::Object(claims).to_string().as_bytes());
        let signature = match plan.signature {
            Signature::Good => key.sign(input.as_bytes()),
            Signature::Random => Ok(self.shared.random.octets(key.signature_octets())),
            Signature::OtherKey => self.other_key(key.algorithm)?.sign(input.as_bytes()),
        };
        Ok(jws::compact(input, &signature.map_err(|_| CommandError::Signing)?))
    }

    fn header(&self, plan: &TokenPlan, key: &LabKey) -> Value {
        let typ = plan.typ.as_deref().unwrap_or("at+jwt");
        let mut header = json!({ "alg": key.algorithm.name(), "typ": typ });
        let kid = match &plan.kid {
            Kid::Own => key.kid().map(str::to_owned),
            Kid::Absent => None,
            Kid::Random => Some(self.shared.random.name()),
            Kid::Given(kid) => Some(kid.clone()),
        };
        if let (Some(kid), Some(members)) = (kid, header.as_object_mut()) {
            members.insert("kid".to_owned(), kid.into());
        }
        header
    }

    /// RFC 9068 §2.2.
    fn claims(&self, plan: &TokenPlan) -> Result<Map<String, Value>, CommandError> {
        let issued = self.token_wall().saturating_sub(seconds(plan.issued_ago.0));
        let lifetime = plan.lifetime.map_or(TOKEN_LIFETIME_S, |lifetime| lifetime.0.as_secs());
        let expires = issued.saturating_add_unsigned(lifetime);
        let mut claims = Map::new();
        let mut insert = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        insert("iss", self.addresses.issuer.as_str().into());
        insert("sub", CLIENT_ID.into());
        insert("client_id", CLIENT_ID.into());
        insert("aud", plan.audience.as_deref().unwrap_or(self.audience()).into());
        insert("iat", issued.into());
        insert("exp", expires.into());
        insert("jti", self.shared.random.name().into());
        for (name, text) in &plan.claims {
            let value = serde_json::from_str(text)
                .map_err(|source| CommandError::ClaimNotJson { claim: name.clone(), source })?;
            insert(name, value);
        }
        Ok(claims)
    }

    /// What the token endpoint answers (RFC 6749 §5.1).
    pub(crate) fn grant(
        &self,
        client: &Client,
        scope: Option<&str>,
        opaque: bool,
    ) -> Result<Value, CommandError> {
        let lifetime =
            self.plan.token_lifetime.unwrap_or(Time(std::time::Duration::from_secs(TOKEN_LIFETIME_S)));
        let mut plan = TokenPlan { lifetime: Some(lifetime), ..TokenPlan::default() };
        plan.claims.insert("client_id".to_owned(), json!(client.id).to_string());
        if let Some(scope) = scope {
            plan.claims.insert("scope".to_owned(), json!(scope).to_string());
        }
        let access_token = if opaque {
            let token = format!("opaque-{}", self.shared.random.name());
            let claims = Value::Object(self.claims(&plan)?);
            let mut tokens = self.opaque.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.remember(token.clone(), claims);
            token
        } else {
            self.token(&plan)?
        };
        let mut granted = json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": lifetime.0.as_secs() });
        if let (Some(scope), Some(members)) = (scope, granted.as_object_mut()) {
            members.insert("scope".to_owned(), scope.into());
        }
        Ok(granted)
    }

    /// What the introspection endpoint answers (RFC 7662 §2.2).
    pub(crate) fn introspect(&self, token: &str) -> Value {
        let opaque = self.opaque.lock().unwrap_or_else(PoisonError::into_inner).claims(token).cloned();
        let now = self.token_wall();
        let live = |claims: &Value| claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| now < exp);
        match opaque.or_else(|| self.signed(token)).filter(live) {
            Some(Value::Object(mut claims)) => {
                claims.insert("active".to_owned(), true.into());
                claims.insert("token_type".to_owned(), "Bearer".into());
                Value::Object(claims)
            }
            _ => json!({ "active": false }),
        }
    }

    /// The claims of a JWT that one of its keys signed, published or not.
    fn signed(&self, token: &str) -> Option<Value> {
        let (input, payload, signature) = jws::parts(token)?;
        let keys: Vec<_> = self.told().keys.ring().all().cloned().collect();
        let ours = keys.iter().any(|key| key.signed(input.as_bytes(), &signature));
        serde_json::from_slice(&payload).ok().filter(|_| ours)
    }
}

/// Makes the token about `octets` long.
fn pad(
    claims: &mut Map<String, Value>,
    octets: usize,
    header: &Value,
    key: &LabKey,
) -> Result<(), CommandError> {
    if octets > LONGEST_TOKEN {
        return Err(CommandError::TokenTooLong { octets, limit: LONGEST_TOKEN });
    }
    claims.insert(PADDING.to_owned(), "".into());
    let encoded = |octets: usize| octets.div_ceil(3) * 4;
    let bare = Value::Object(claims.clone()).to_string().len();
    let rest = encoded(header.to_string().len()) + encoded(key.signature_octets()) + 2;
    let payload = octets.saturating_sub(rest) / 4 * 3;
    claims.insert(PADDING.to_owned(), "x".repeat(payload.saturating_sub(bare)).into());
    Ok(())
}
