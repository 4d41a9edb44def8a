//! Private keys in every form in which they are handed out, and in those in which they are of no use.

use std::path::{Path, PathBuf};

use keyward::Algorithm;
use keyward::credentials::{CredentialFault, CredentialFileError, KeyFile, KeyFileKind, KeyFileSettings};
use keyward_jose::{DecodeBuffer, Jws, Signer, VerificationKey, sign_compact};

use crate::support::at_once;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

fn settings(name: &str) -> KeyFileSettings {
    KeyFileSettings::new(path(name))
}

fn opened(name: &str) -> KeyFileSettings {
    KeyFileSettings { passphrase_file: Some(path("passphrase")), ..settings(name) }
}

fn refused(settings: &KeyFileSettings) -> CredentialFault {
    let CredentialFileError { path, fault } = KeyFile::read(settings).unwrap_err();
    assert_eq!(path, settings.path);
    fault
}

/// The public half of a key that signs what it can be verified with.
fn public(file: &KeyFile) -> String {
    let mut jwk = serde_json::to_value(file.key.public_jwk().unwrap()).unwrap();
    let verifier = VerificationKey::from_jwk(jwk.to_string().as_bytes()).unwrap();
    let token = at_once(sign_compact(&file.key, None, b"{}")).unwrap();
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
    assert_eq!(jws.header().kid(), file.key.kid());
    jws.verify(&verifier).unwrap();
    jwk.as_object_mut().unwrap().retain(|name, _| name != "alg");
    jwk.to_string()
}

#[test]
fn one_key_in_every_form_is_one_key() {
    let rsa = public(&KeyFile::read(&settings("rsa.pkcs8.pem")).unwrap());
    for name in ["rsa.pkcs1.pem", "rsa.pkcs8.der", "rsa.jwk.json", "zitadel.application.json"] {
        assert_eq!(public(&KeyFile::read(&settings(name)).unwrap()), rsa, "{name}");
    }
    for name in ["rsa.encrypted.pem", "rsa.encrypted.der", "rsa.pkcs8.pem"] {
        assert_eq!(public(&KeyFile::read(&opened(name)).unwrap()), rsa, "{name}");
    }
    for [one, other] in [
        ["ec256.sec1.pem", "ec256.jwk.json"],
        ["ec384.sec1.pem", "ec384.encrypted.pem"],
        ["ec521.pkcs8.pem", "ec521.jwk.json"],
        ["ed25519.pkcs8.pem", "ed25519.jwk.json"],
    ] {
        let [one, other] = [one, other].map(|name| public(&KeyFile::read(&opened(name)).unwrap()));
        assert_eq!(one, other);
    }
}

#[test]
fn a_key_signs_with_what_goes_with_it_and_is_called_what_somebody_called_it() {
    for (name, algorithm, kid) in [
        ("rsa.pkcs1.pem", Algorithm::Rs256, None),
        ("ec256.sec1.pem", Algorithm::Es256, None),
        ("ec384.sec1.pem", Algorithm::Es384, None),
        ("ec521.pkcs8.pem", Algorithm::Es512, None),
        ("ed25519.jwk.json", Algorithm::EdDsa, None),
        ("rsa.jwk.json", Algorithm::Ps256, Some("key-of-a-jwk")),
        ("zitadel.application.json", Algorithm::Rs256, Some("202")),
        ("zitadel.serviceaccount.json", Algorithm::Rs256, Some("201")),
    ] {
        let file = KeyFile::read(&settings(name)).unwrap();
        assert_eq!((file.key.algorithm(), file.key.kid()), (algorithm, kid), "{name}");
        let named = KeyFileSettings { kid: Some("ours".to_owned()), ..settings(name) };
        assert_eq!(KeyFile::read(&named).unwrap().key.kid(), Some("ours"), "{name}");
    }
    let with = |name, algorithm| KeyFileSettings { algorithm: Some(algorithm), ..settings(name) };
    let file = KeyFile::read(&with("rsa.pkcs1.pem", Algorithm::Ps512)).unwrap();
    assert_eq!(file.key.algorithm(), Algorithm::Ps512);
    public(&file);
    for (name, algorithm) in [
        ("rsa.pkcs1.pem", Algorithm::Es256),
        ("ec256.sec1.pem", Algorithm::Es384),
        ("ed25519.pkcs8.pem", Algorithm::Hs256),
        // Its JWK says PS256.
        ("rsa.jwk.json", Algorithm::Rs256),
    ] {
        let fault = refused(&with(name, algorithm));
        assert!(matches!(fault, CredentialFault::AlgorithmMismatch), "{name}: {fault}");
    }
}

#[test]
fn zitadel_says_whose_key_it_is() {
    let application = KeyFile::read(&settings("zitadel.application.json")).unwrap();
    let (app_id, client_id) = ("401".to_owned(), "501@project".to_owned());
    assert_eq!(application.kind, KeyFileKind::ZitadelApplication { app_id, client_id });
    let account = KeyFile::read(&settings("zitadel.serviceaccount.json")).unwrap();
    assert_eq!(account.kind, KeyFileKind::ZitadelServiceAccount { user_id: "301".to_owned() });
    assert_eq!(KeyFile::read(&settings("rsa.pkcs1.pem")).unwrap().kind, KeyFileKind::Bare);
}

#[test]
fn what_cannot_be_used_says_why() {
    for (settings, why) in [
        (settings("rsa.encrypted.pem"), "no file with its passphrase"),
        (settings("rsa.encrypted.der"), "no file with its passphrase"),
        (opened("ed25519.scrypt.pem"), "in another way than PBES2"),
        (opened("rsa.pbes1.pem"), "in another way than PBES2"),
        (opened("rsa.legacy.pem"), "Proc-Type"),
        (settings("rsa.public.pem"), "holds no private key"),
        (settings("rsa1024.pkcs8.pem"), "private key"),
        (settings("secp256k1.sec1.pem"), "private key"),
        (settings("passphrase"), "neither a Zitadel key file"),
        (settings("missing"), "cannot be read"),
    ] {
        let error = KeyFile::read(&settings).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(&settings.path.display().to_string()), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("passphrase");
    for passphrase in ["planted-passphrasf", "x", "planted-passphrase "] {
        std::fs::write(&wrong, passphrase).unwrap();
        for name in ["rsa.encrypted.pem", "rsa.encrypted.der", "ec384.encrypted.pem"] {
            let settings = KeyFileSettings { passphrase_file: Some(wrong.clone()), ..settings(name) };
            assert!(matches!(refused(&settings), CredentialFault::PassphraseWrong), "{name} {passphrase:?}");
        }
    }
    let nowhere =
        KeyFileSettings { passphrase_file: Some(folder.path().join("none")), ..settings("rsa.pkcs1.pem") };
    assert_eq!(KeyFile::read(&nowhere).unwrap_err().path, folder.path().join("none"));
}

#[test]
fn of_two_keys_neither_is_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let two = folder.path().join("two.pem");
    let text =
        ["rsa.pkcs1.pem", "ec256.sec1.pem"].map(|name| std::fs::read_to_string(path(name)).unwrap()).concat();
    std::fs::write(&two, text).unwrap();
    assert!(matches!(refused(&KeyFileSettings::new(&two)), CredentialFault::SeveralKeys));
    std::fs::write(&two, r#"{"keys":[]}"#).unwrap();
    assert!(matches!(refused(&KeyFileSettings::new(&two)), CredentialFault::SeveralKeys));
}

#[test]
fn json_that_is_no_key_file_is_refused_and_not_shown() {
    let good: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("zitadel.serviceaccount.json")).unwrap()).unwrap();
    let without = |member: &str| {
        let mut file = good.clone();
        file.as_object_mut().unwrap().remove(member);
        file.to_string()
    };
    let jwk = |members: &str| format!(r#"{{"kty":"EC","crv":"P-256",{members}}}"#);
    for (text, why) in [
        (without("keyId"), "\"keyId\" is missing"),
        (without("key"), "\"key\" is missing"),
        (without("userId"), "\"userId\" is missing"),
        (without("type"), "neither a Zitadel key file"),
        (r#"{"type":"service_account","private_key":"planted"}"#.to_owned(), "neither \"serviceaccount\""),
        (
            r#"{"type":"application","keyId":"1","key":"planted","appId":"2"}"#.to_owned(),
            "\"clientId\" is missing",
        ),
        (
            r#"{"type":"serviceaccount","keyId":"1","key":"planted","userId":"2"}"#.to_owned(),
            "no private key",
        ),
        (r#"{"type":"serviceaccount","type":"planted"}"#.to_owned(), "no well-formed JSON"),
        (r#"{"planted":"#.to_owned(), "no well-formed JSON"),
        (r#"{"kty":"oct","k":"planted","d":"AAAA"}"#.to_owned(), "unusable"),
        (jwk(r#""x":"planted","y":"AA""#), "holds no private key"),
        (jwk(r#""x":"planted!","y":"AA","d":"AA""#), "no well-formed JWK"),
        (jwk(r#""x":"AA","y":"AA","d":"AA""#), "no well-formed private key"),
        (jwk(r#""x":"AA","y":"AA","d":"AA","use":"enc""#), "does not allow signing"),
        (jwk(r#""x":"AA","y":"AA","d":"AA","key_ops":["verify"]"#), "does not allow signing"),
        (jwk(r#""x":"AA","y":"AA","d":"AA","alg":"planted""#), "algorithm is not for this kind"),
        (r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","d":"AA"}"#.to_owned(), "curve is not supported"),
        (r#"{"kty":"OKP","crv":"X25519","x":"AA","d":"AA"}"#.to_owned(), "curve is not supported"),
    ] {
        let fault = KeyFile::parse(text.as_bytes(), None, None, None).unwrap_err();
        let shown = format!("{fault} {fault:?}");
        assert!(shown.contains(why) && !shown.contains("planted"), "{text}: {shown}");
    }
}

#[test]
fn damage_is_refused_whatever_the_form() {
    for name in ["rsa.pkcs8.der", "rsa.encrypted.der", "ed25519.pkcs8.pem", "ec256.jwk.json"] {
        let whole = std::fs::read(path(name)).unwrap();
        for end in (0..whole.len() - 2).step_by(7) {
            let cut = KeyFile::parse(&whole[..end], None, None, Some(b"planted-passphrase"));
            assert!(cut.is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn nothing_shows_a_key() {
    for name in ["rsa.jwk.json", "zitadel.serviceaccount.json", "ed25519.pkcs8.pem"] {
        let shown = format!("{:?}", KeyFile::read(&settings(name)).unwrap());
        let text = std::fs::read_to_string(path(name)).unwrap();
        let secret_words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 16);
        for word in secret_words {
            assert!(!shown.contains(word), "{shown}");
        }
    }
}
