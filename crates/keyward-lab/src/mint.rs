//! Tokens made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use crate::client::CLIENT_ID;
use crate::clock::seconds;
use crate::error::CommandError;
use crate::issuer::{Issuer, TOKEN_LIFETIME_S};
use crate::jws;
use crate::key::LabKey;
use crate::revocation::{Origin, TokenId};
use crate::token::{Kid, Signature, TokenPlan};

/// The longest token that is made.
const LONGEST_TOKEN: usize = 8 << 20;

/// The claim that makes a token longer.
const PADDING: &str = "padding";

impl Issuer {
    /// A token as it is planned.
    pub(crate) fn token(&self, plan: &TokenPlan) -> Result<String, CommandError> {
        self.token_from(plan, Origin::Plan(plan.mark.as_deref()))
    }

    pub(crate) fn token_from(&self, plan: &TokenPlan, origin: Origin<'_>) -> Result<String, CommandError> {
        let claims = self.claims(plan, origin)?;
        if plan.opaque { self.opaque_token(plan, claims) } else { self.jwt(plan, claims) }
    }

    fn jwt(&self, plan: &TokenPlan, mut claims: Map<String, Value>) -> Result<String, CommandError> {
        let key = match &plan.key {
            Some(name) => Arc::clone(self.told().keys.ring().key(name)?),
            None => Arc::clone(self.told().keys.ring().signing()?),
        };
        let header = self.header(plan, &key);
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

    fn opaque_token(&self, plan: &TokenPlan, claims: Map<String, Value>) -> Result<String, CommandError> {
        let mut token = format!("opaque-{}", self.shared.random.name());
        if let Some(octets) = plan.octets {
            let missing = affordable(octets)?.saturating_sub(token.len());
            token.push_str(&"x".repeat(missing));
        }
        if plan.signature == Signature::Good {
            self.opaque().remember(token.clone(), Value::Object(claims));
        }
        Ok(token)
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
    fn claims(&self, plan: &TokenPlan, origin: Origin<'_>) -> Result<Map<String, Value>, CommandError> {
        let issued = self.token_wall().saturating_sub(seconds(plan.issued_ago.0));
        let lifetime = plan.lifetime.map_or(TOKEN_LIFETIME_S, |lifetime| lifetime.0.as_secs());
        let expires = issued.saturating_add_unsigned(lifetime);
        let mut claims = Map::new();
        let mut insert = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        insert("iss", self.own_name().into());
        insert("sub", CLIENT_ID.into());
        insert("client_id", CLIENT_ID.into());
        insert("aud", plan.audience.as_deref().unwrap_or(self.audience()).into());
        insert("iat", issued.into());
        insert("exp", expires.into());
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        insert("jti", TokenId { origin, number }.text(&self.shared.random.name()).into());
        for (name, text) in &plan.claims {
            let value = serde_json::from_str(text)
                .map_err(|source| CommandError::ClaimNotJson { claim: name.clone(), source })?;
            insert(name, value);
        }
        Ok(claims)
    }
}

/// Makes the token about `octets` long.
fn pad(
    claims: &mut Map<String, Value>,
    octets: usize,
    header: &Value,
    key: &LabKey,
) -> Result<(), CommandError> {
    let octets = affordable(octets)?;
    claims.insert(PADDING.to_owned(), "".into());
    let encoded = |octets: usize| octets.div_ceil(3) * 4;
    let bare = Value::Object(claims.clone()).to_string().len();
    let rest = encoded(header.to_string().len()) + encoded(key.signature_octets()) + 2;
    let payload = octets.saturating_sub(rest) / 4 * 3;
    claims.insert(PADDING.to_owned(), "x".repeat(payload.saturating_sub(bare)).into());
    Ok(())
}

fn affordable(octets: usize) -> Result<usize, CommandError> {
    if octets > LONGEST_TOKEN {
        return Err(CommandError::TokenTooLong { octets, limit: LONGEST_TOKEN });
    }
    Ok(octets)
}
