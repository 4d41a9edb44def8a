use keyward::credentials::{KeyFile, KeyFileKind, SigningKey};
use keyward_jose::{DecodeBuffer, Jws, Signer, VerificationKey, sign_compact};
use serde_json::Value;

/// `KeyFile::parse` of `data`, with a passphrase and without.
///
/// A key signs what its public half verifies, and is called what its file calls it; a refusal shows nothing of the file.
pub fn key_file(data: &[u8]) {
    let parse = |passphrase| KeyFile::parse(data, None, None, passphrase);
    let (bare, opened) = (parse(None), parse(Some(&b"planted-passphrase"[..])));
    // A passphrase opens what is encrypted, and changes nothing else.
    if let (Ok((bare, key)), Ok((kind, other))) = (&bare, &opened) {
        assert_eq!((bare, key.public_jwk()), (kind, other.public_jwk()));
    } else {
        assert!(bare.is_err(), "a passphrase took a key away");
    }
    for parsed in [bare, opened] {
        match parsed {
            Ok((kind, key)) => {
                signs_for_its_public_half(&key);
                is_called_what_its_file_says(data, &kind, &key);
            }
            Err(fault) => crate::shows_nothing(data, &fault.to_string()),
        }
    }
}

fn signs_for_its_public_half(key: &SigningKey) {
    let jwk = serde_json::to_vec(key.public_jwk().expect("a key pair")).unwrap();
    let signed = sign_compact(key, None, b"{}");
    let token = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(signed).unwrap();
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token.as_bytes(), usize::MAX, &mut buffer).unwrap();
    assert_eq!(jws.header().kid(), key.kid());
    jws.verify(&VerificationKey::from_jwk(&jwk).unwrap()).unwrap();
}

fn is_called_what_its_file_says(data: &[u8], kind: &KeyFileKind, key: &SigningKey) {
    let file = serde_json::from_slice::<Value>(data).unwrap_or_default();
    assert!(file.is_null() || !crate::repeats_a_name(data));
    let text = |name: &str| file[name].as_str();
    match kind {
        KeyFileKind::Bare => assert_eq!(text("kid"), key.kid()),
        KeyFileKind::ZitadelApplication { app_id, client_id } => {
            let said = (text("type"), text("keyId"), text("appId"), text("clientId"));
            assert_eq!(said, (Some("application"), key.kid(), Some(&**app_id), Some(&**client_id)));
        }
        KeyFileKind::ZitadelServiceAccount { user_id } => {
            let said = (text("type"), text("keyId"), text("userId"));
            assert_eq!(said, (Some("serviceaccount"), key.kid(), Some(&**user_id)));
        }
    }
}
