//! What a subject says of its keys.

use std::collections::BTreeMap;

use keyward::IssuerStatus;
use serde_json::Value;

/// What a subject says of a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFacts {
    /// The state of the certificate around it, or `none`.
    pub(crate) wrapper: String,
    /// How many tokens it verified.
    pub(crate) verdicts: u64,
    /// Those of them that came while the certificate was over.
    pub(crate) expired_wrapper_verdicts: u64,
}

/// What is said of the certificate around a key that has none.
const NO_WRAPPER: &str = "none";

impl KeyFacts {
    /// The keys of an issuer by `kid`; of several with the same one, the last.
    pub(super) fn of_status(issuer: &IssuerStatus) -> BTreeMap<String, Self> {
        let keys = issuer.keys.iter().map(|key| {
            let facts = Self {
                wrapper: key.wrapper.as_ref().map_or(NO_WRAPPER, |wrapper| wrapper.state).to_owned(),
                verdicts: key.verdicts,
                expired_wrapper_verdicts: key.expired_wrapper_verdicts,
            };
            (key.kid.clone().unwrap_or_default(), facts)
        });
        keys.collect()
    }

    /// The same by issuer, out of `/debug/jwks-cache`.
    pub(super) fn of_page(cache: &Value) -> BTreeMap<String, BTreeMap<String, Self>> {
        let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
        let of_key = |key: &Value| {
            let count = |member| key.get(member).and_then(Value::as_u64).unwrap_or(0);
            let state = key.get("wrapper").and_then(|wrapper| text(wrapper, "state"));
            let facts = Self {
                wrapper: state.unwrap_or_else(|| NO_WRAPPER.to_owned()),
                verdicts: count("verdicts"),
                expired_wrapper_verdicts: count("expired_wrapper_verdicts"),
            };
            (text(key, "kid").unwrap_or_default(), facts)
        };
        let issuers = cache.as_array().into_iter().flatten();
        let of_issuer = |issuer: &Value| {
            let keys = issuer.get("keys").and_then(Value::as_array).into_iter().flatten();
            Some((text(issuer, "name")?, keys.map(of_key).collect()))
        };
        issuers.filter_map(of_issuer).collect()
    }
}
