use keyward_verify::{Claims, ClaimsError, UnixTime};
use serde_json::Value;

use crate::{base64url, repeats_a_name};

/// 9999-12-31T23:59:59Z, the last date that is taken for one.
const LAST_DATE: f64 = 253_402_300_799.0;

/// `Claims::parse` of `data`.
///
/// What is taken for claims says what the JSON says, and dates are rounded against the token; what is refused
/// has a claim of the wrong type or a name twice.
pub fn claims(data: &[u8]) {
    let tree = serde_json::from_slice::<Value>(data).ok();
    let reference = tree.filter(is_claims_set);
    match (Claims::parse(data), reference) {
        (Ok(claims), Some(tree)) => claims_say_what_the_json_says(&claims, data, &tree),
        (Ok(_), None) => panic!("took what is no claims set"),
        (Err(ClaimsError::DuplicateName), _) => assert!(repeats_a_name(data)),
        (Err(ClaimsError::Malformed), Some(_)) => {
            assert!(repeats_a_name(data), "refused a claims set");
        }
        (Err(ClaimsError::Malformed), None) => {}
    }
}

fn is_claims_set(tree: &Value) -> bool {
    let each =
        |names: &[&str], is: fn(&Value) -> bool| names.iter().all(|name| tree.get(name).is_none_or(is));
    tree.is_object()
        && each(&["iss", "sub", "azp"], Value::is_string)
        && each(&["aud", "scope", "scp"], |value| texts(value).is_some())
        && each(&["exp", "nbf", "iat"], |value| {
            value.as_f64().is_some_and(|seconds| (-LAST_DATE..LAST_DATE + 1.0).contains(&seconds))
        })
        && each(&["cnf"], |value| {
            value.is_object() && CONFIRMED.iter().all(|name| value.get(name).is_none_or(is_hash))
        })
}

/// The members of `cnf` that are understood.
const CONFIRMED: [&str; 2] = ["x5t#S256", "jkt"];

/// Whether this is a SHA-256 in base64url.
fn is_hash(value: &Value) -> bool {
    value.as_str().and_then(|text| base64url::decode(text.as_bytes())).is_some_and(|hash| hash.len() == 32)
}

/// The strings of a string or an array of strings.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn claims_say_what_the_json_says(claims: &Claims, data: &[u8], tree: &Value) {
    assert!(!repeats_a_name(data));
    assert_eq!(claims.json().as_bytes(), data);
    assert_eq!(claims.issuer(), tree["iss"].as_str());
    assert_eq!(claims.subject(), tree["sub"].as_str());
    assert_eq!(claims.authorized_party(), tree["azp"].as_str());
    assert_eq!(claims.audiences().collect::<Vec<_>>(), texts(&tree["aud"]).unwrap_or_default());
    assert_eq!(claims.pointer(""), Some(tree));

    let date =
        |name: &str, round: fn(f64) -> f64| tree[name].as_f64().map(|date| UnixTime(round(date) as i64));
    assert_eq!(claims.expires_at(), date("exp", f64::floor), "later than it says");
    assert_eq!(claims.not_before(), date("nbf", f64::ceil), "earlier than it says");
    assert_eq!(claims.issued_at(), date("iat", f64::ceil), "earlier than it says");

    let named = tree.get("cnf").map(|cnf| CONFIRMED.map(|name| cnf.get(name).is_some()));
    assert_eq!(claims.confirmation().map(|cnf| [cnf.has_certificate(), cnf.has_key()]), named);

    let lists = ["scope", "scp"].map(|name| texts(&tree[name]).unwrap_or_default()).concat();
    let scopes: Vec<_> =
        lists.iter().flat_map(|list| list.split(' ')).filter(|name| !name.is_empty()).collect();
    assert_eq!(claims.scopes().collect::<Vec<_>>(), scopes);
    assert!(scopes.iter().all(|scope| claims.has_scope(scope)));
    assert!(!claims.has_scope("") && !claims.has_scope(" "));
}
