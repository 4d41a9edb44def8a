use aws_lc_rs::digest;
use keyward_jose::{Algorithm, JwkSet, JwkSetError, JwkSetLimits, KeyType, VerificationKey};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// `JwkSet::parse` of `data`.
///
/// Each entry is a key or skipped, never both and never neither, and has the fate that it has alone; a key
/// is what its JWK says, serves no HMAC, and accepts no signature that nobody made.
pub fn jwk_set(data: &[u8]) {
    let limits = JwkSetLimits::default();
    let set = match JwkSet::parse(data, limits) {
        Ok(set) => set,
        Err(error) => return refusal_is_due(data, error, limits),
    };
    let entries = Entries::read(data).expect("a set is an object with an array of keys").keys;
    assert!(entries.len() <= limits.keys && data.len() <= limits.octets);

    let mut keys = set.keys().iter();
    let mut skipped = set.skipped().iter().peekable();
    for (index, entry) in entries.iter().enumerate() {
        let alone = VerificationKey::from_jwk(entry.get().as_bytes());
        match skipped.next_if(|skipped| skipped.index == index) {
            Some(skipped) => assert_eq!(alone.err(), Some(skipped.reason)),
            None => {
                let key = keys.next().expect("an entry that is not skipped is a key");
                assert_eq!(alone.map(|alone| format!("{alone:?}")), Ok(format!("{key:?}")));
                key_is_what_its_jwk_says(key, &serde_json::from_str(entry.get()).unwrap());
                key_accepts_nothing_unsigned(key, data);
            }
        }
    }
    assert!(keys.next().is_none() && skipped.next().is_none());
}

#[derive(Deserialize)]
struct Entries {
    keys: Vec<Box<RawValue>>,
}

impl Entries {
    fn read(data: &[u8]) -> Option<Self> {
        // What serde derives would also read an array of the members' values.
        let object = data.iter().find(|octet| !octet.is_ascii_whitespace()) == Some(&b'{');
        serde_json::from_slice(data).ok().filter(|_| object)
    }
}

fn refusal_is_due(data: &[u8], error: JwkSetError, limits: JwkSetLimits) {
    match error {
        JwkSetError::TooLarge { octets, limit } => assert!(octets == data.len() && octets > limit),
        JwkSetError::TooManyKeys { keys, limit } => {
            assert!(keys > limit && limit == limits.keys);
            assert_eq!(Entries::read(data).unwrap().keys.len(), keys);
        }
        JwkSetError::Malformed => {
            let is_set = serde_json::from_slice::<Value>(data).is_ok_and(|value| value["keys"].is_array());
            assert!(!is_set || crate::repeats_a_name(data), "refused a set");
        }
    }
}

fn key_is_what_its_jwk_says(key: &VerificationKey, jwk: &Value) {
    let text = |name: &str| jwk[name].as_str();
    assert_eq!(text("kty"), Some(key.key_type().name()));
    assert_eq!(text("kid"), key.kid());
    assert!(matches!(text("use"), None | Some("sig")));
    assert!(jwk["key_ops"].as_array().is_none_or(|ops| ops.iter().any(|op| op == "verify")));
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(jwk[private].is_null(), "{private} in a public key");
    }
    if let Some(alg) = text("alg") {
        let named = Algorithm::from_name(alg).unwrap();
        assert_eq!(key.algorithms().iter().collect::<Vec<_>>(), [named]);
    }
    assert!(!key.algorithms().is_empty());
    for algorithm in key.algorithms().iter() {
        assert!(algorithm.key_type() == key.key_type() && key.serves(algorithm));
    }
    assert_ne!(key.key_type(), KeyType::Oct);
    assert!(key.key_type() != KeyType::Rsa || (2_048..=8_192).contains(&key.bits()));

    let members: &[&str] = match key.key_type() {
        KeyType::Ec => &["crv", "kty", "x", "y"],
        KeyType::Okp => &["crv", "kty", "x"],
        _ => &["e", "kty", "n"],
    };
    // Numbers that lead with a zero octet, and so with AA, are published without it.
    if members.iter().any(|name| ["e", "n"].contains(name) && text(name).unwrap().starts_with("AA")) {
        return;
    }
    let canonical: Vec<_> = members.iter().map(|name| format!("\"{name}\":{}", jwk[name])).collect();
    let digest = digest::digest(&digest::SHA256, format!("{{{}}}", canonical.join(",")).as_bytes());
    assert_eq!(key.thumbprint().unwrap().as_bytes(), digest.as_ref());
}

fn key_accepts_nothing_unsigned(key: &VerificationKey, message: &[u8]) {
    for algorithm in key.algorithms().iter() {
        let octets = match algorithm.key_type() {
            KeyType::Ec => key.bits().div_ceil(8) * 2,
            KeyType::Okp => 64,
            _ => key.bits().div_ceil(8),
        };
        let mut one = vec![0; octets];
        one[0] = 1;
        for signature in [vec![], vec![0; octets], vec![0xff; octets], one] {
            assert!(key.verify(algorithm, message, &signature).is_err(), "a signature of nobody's");
        }
    }
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert!(!key.serves(algorithm));
    }
}
