use keyward_authority::client_auth::key_files::{PublicKey, UPLOAD_OCTETS, Uploaded, public_key};
use keyward_jose::VerificationKey;
use serde_json::Value;

/// `key_files::public_key` of `data` as a JWK, and as PEM.
///
/// What is taken is a public key that can be used, without a private member, under the name that it has; a refusal shows nothing of
/// what was sent.
pub fn uploaded_key(data: &[u8]) {
    let jwk = serde_json::from_slice::<Value>(data).ok();
    let name = jwk.as_ref().and_then(|jwk| jwk["kid"].as_str()).map(str::to_owned);
    let pem = std::str::from_utf8(data).ok().map(|text| Uploaded::Pem(text.to_owned()));
    for (uploaded, name) in [(jwk.map(Uploaded::Jwk), name), (pem, None)] {
        let Some(uploaded) = uploaded else { continue };
        match public_key(&uploaded) {
            Ok(key) => can_be_kept(&key, name.as_deref()),
            Err(error) => crate::shows_nothing(data, &error.to_string()),
        }
    }
}

fn can_be_kept(PublicKey { kid, jwk, not_after: _ }: &PublicKey, name: Option<&str>) {
    let text = jwk.to_string();
    assert!(text.len() <= 2 * UPLOAD_OCTETS);
    let key = VerificationKey::from_jwk(text.as_bytes()).unwrap();
    assert_eq!(key.kid(), Some(kid.as_str()));
    match name {
        Some(name) => assert_eq!(name, kid),
        None => assert_eq!(*kid, key.thumbprint().unwrap().to_string()),
    }
    assert!((1..=256).contains(&kid.len()) && !kid.chars().any(char::is_control));
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(jwk.get(private).is_none(), "{private} is kept");
    }
}
