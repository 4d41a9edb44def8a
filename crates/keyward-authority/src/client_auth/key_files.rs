//! Keys of clients and service accounts: public ones that their owners bring along, and pairs that we make, whose private half is
//! shown once.

use std::time::{Duration, UNIX_EPOCH};

use keyward_jose::{
    Algorithm, CertifiedJwk, KeyType, LocalSigner, Signer, SigningKeyError, UnusableKey, VerificationKey,
};
use keyward_x509::Certificate;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::private_jwk::{pkcs1, private_jwk};
use crate::assertion::is_name;

/// The longest upload, in octets.
pub const UPLOAD_OCTETS: usize = 16 * 1024;

/// A public key that an owner brings along.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// A JWK (RFC 7517) without private members.
    Jwk(Value),
    /// PEM (RFC 7468): one `PUBLIC KEY` (SubjectPublicKeyInfo) or one `CERTIFICATE`.
    Pem(String),
}

/// A public key, ready to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    /// What the JWK calls it, else its RFC 7638 thumbprint.
    pub kid: String,
    /// The key.
    pub jwk: Value,
    /// When the certificate that it came in ends, in seconds since 1970.
    pub not_after: Option<i64>,
}

/// A form of the private half of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyFileForm {
    /// A private JWK (RFC 7517, RFC 7518 §6, RFC 8037).
    Jwk,
    /// PKCS#8 (RFC 5958) in PEM.
    Pem,
    /// Zitadel's JSON: `serviceaccount` for a service account's, `application` for a client's.
    Zitadel,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyOwner<'a> {
    /// A client's, by its name.
    Client(&'a str),
    /// A service account's, by its name.
    ServiceAccount(&'a str),
}

/// A pair that was made.
#[derive(Debug)]
pub struct Generated {
    /// The public half.
    pub public: PublicKey,
    /// The private half, to be shown once.
    pub file: Zeroizing<String>,
}

/// Why a key cannot be taken or made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be made: HMAC has no public half.
    #[error("no key can be made for this algorithm: {0}")]
    Generation(SigningKeyError),
    /// Its `kid` is empty, too long, or has a control character.
    #[error("a kid has 1 to 256 octets and no control characters")]
    Kid,
    /// It is neither of what is taken.
    #[error("not a JWK, and not PEM with one PUBLIC KEY or one CERTIFICATE")]
    Malformed,
    /// A private key was sent.
    #[error("this is a private key: send its public half, and consider this one known to others")]
    Private,
    /// It is over 16 KiB.
    #[error("over {UPLOAD_OCTETS} octets")]
    TooLarge,
    /// No assertion would be taken that it signed.
    #[error("the key cannot be used: {0}")]
    Unusable(UnusableKey),
}

/// A public key that can be kept.
///
/// # Errors
/// [`KeyFileError`].
pub fn public_key(uploaded: &Uploaded) -> Result<PublicKey, KeyFileError> {
    match uploaded {
        Uploaded::Jwk(jwk) => from_jwk(jwk.clone(), None),
        Uploaded::Pem(text) => from_pem(text),
    }
}

fn from_jwk(jwk: Value, not_after: Option<i64>) -> Result<PublicKey, KeyFileError> {
    let text = serde_json::to_vec(&jwk).map_err(|_| KeyFileError::Malformed)?;
    if text.len() > UPLOAD_OCTETS {
        return Err(KeyFileError::TooLarge);
    }
    let key = VerificationKey::from_jwk(&text).map_err(|error| match error {
        UnusableKey::PrivateMembers => KeyFileError::Private,
        other => KeyFileError::Unusable(other),
    })?;
    let thumbprint = key.thumbprint().ok_or(KeyFileError::Unusable(UnusableKey::SymmetricInPublicSet))?;
    let kid = key.kid().map_or_else(|| thumbprint.to_string(), str::to_owned);
    if !is_name(&kid) {
        return Err(KeyFileError::Kid);
    }
    let Value::Object(mut members) = jwk else {
        return Err(KeyFileError::Malformed);
    };
    members.insert("kid".to_owned(), kid.as_str().into());
    Ok(PublicKey { kid, jwk: Value::Object(members), not_after })
}

fn from_pem(text: &str) -> Result<PublicKey, KeyFileError> {
    if text.len() > UPLOAD_OCTETS {
        return Err(KeyFileError::TooLarge);
    }
    let sections = pem::parse_many(text).map_err(|_| KeyFileError::Malformed)?;
    if sections.iter().any(|section| section.tag().ends_with("PRIVATE KEY")) {
        return Err(KeyFileError::Private);
    }
    let [section] = sections.as_slice() else {
        return Err(KeyFileError::Malformed);
    };
    match section.tag() {
        "CERTIFICATE" => {
            let certificate =
                Certificate::from_der(section.contents()).map_err(|_| KeyFileError::Malformed)?;
            from_jwk(jwk_of(certificate.spki())?, Some(certificate.not_after()))
        }
        "PUBLIC KEY" => from_jwk(jwk_of(section.contents())?, None),
        _ => Err(KeyFileError::Malformed),
    }
}

/// The JWK of a SubjectPublicKeyInfo in DER. A certificate around it has no part in what it signs.
fn jwk_of(spki: &[u8]) -> Result<Value, KeyFileError> {
    let jwk = CertifiedJwk::new(spki, None, &[]).map_err(KeyFileError::Unusable)?;
    let mut jwk = serde_json::to_value(jwk).map_err(|_| KeyFileError::Malformed)?;
    if let Some(members) = jwk.as_object_mut() {
        members.remove("x5c");
    }
    Ok(jwk)
}

/// Makes a pair: 2048 bits for RSA, otherwise what the algorithm's curve gives. An absent `kid` is the key's RFC 7638 thumbprint.
/// `expires_at` is in seconds since 1970 and is only written down. It takes some 100 ms for RSA.
///
/// # Errors
/// [`KeyFileError::Generation`], [`KeyFileError::Kid`].
pub fn generate(
    algorithm: Algorithm,
    form: KeyFileForm,
    owner: KeyOwner<'_>,
    kid: Option<&str>,
    expires_at: Option<i64>,
) -> Result<Generated, KeyFileError> {
    let signer = LocalSigner::generate(algorithm, kid).map_err(KeyFileError::Generation)?;
    let public = serde_json::to_value(signer.public_jwk()).map_err(|_| KeyFileError::Malformed)?;
    let public = from_jwk(public, None)?;
    let pkcs8 = signer.to_pkcs8().map_err(KeyFileError::Generation)?;
    let file = match form {
        KeyFileForm::Jwk => {
            private_jwk(&public.jwk, algorithm.key_type(), &pkcs8).ok_or(KeyFileError::Malformed)?
        }
        KeyFileForm::Pem => pem_of("PRIVATE KEY", &pkcs8),
        KeyFileForm::Zitadel => {
            let pem = match algorithm.key_type() {
                // As Zitadel's own files have it, whose libraries read nothing else.
                KeyType::Rsa => pem_of("RSA PRIVATE KEY", &pkcs1(&pkcs8).ok_or(KeyFileError::Malformed)?),
                _ => pem_of("PRIVATE KEY", &pkcs8),
            };
            zitadel(owner, &public.kid, expires_at, &pem)?
        }
    };
    Ok(Generated { public, file })
}

fn pem_of(label: &str, der: &[u8]) -> Zeroizing<String> {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Zeroizing::new(pem::encode_config(&pem::Pem::new(label, der), config))
}

/// A key file as Zitadel's console hands it out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ZitadelKeyFile<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    key_id: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

fn zitadel(
    owner: KeyOwner<'_>,
    kid: &str,
    expires_at: Option<i64>,
    key: &str,
) -> Result<Zeroizing<String>, KeyFileError> {
    let (kind, user_id, client_id) = match owner {
        KeyOwner::Client(client) => ("application", None, Some(client)),
        KeyOwner::ServiceAccount(account) => ("serviceaccount", Some(account), None),
    };
    let date = |seconds: i64| {
        let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND));
        humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
    };
    let expiration_date = expires_at.map(date);
    let file =
        ZitadelKeyFile { kind, key_id: kid, key, expiration_date, user_id, app_id: client_id, client_id };
    serde_json::to_string_pretty(&file).map(Zeroizing::new).map_err(|_| KeyFileError::Malformed)
}

/// The end of the year 9999, behind which RFC 3339 has no dates.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use keyward::credentials::{KeyFile, KeyFileKind};

    use super::*;

    const ALGORITHMS: [Algorithm; 5] =
        [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

    #[tokio::test]
    async fn what_is_made_is_read_by_our_own_reader_and_signs_what_its_public_half_verifies() {
        for algorithm in ALGORITHMS {
            for form in [KeyFileForm::Jwk, KeyFileForm::Pem, KeyFileForm::Zitadel] {
                for owner in [KeyOwner::Client("app"), KeyOwner::ServiceAccount("robot")] {
                    let made = generate(algorithm, form, owner, Some("k1"), Some(1_900_000_000)).unwrap();
                    let parsed = KeyFile::parse(made.file.as_bytes(), None, Some(algorithm), None);
                    let (kind, key) =
                        parsed.unwrap_or_else(|fault| panic!("{algorithm:?} {form:?}: {fault}"));
                    let expected = match (form, owner) {
                        (KeyFileForm::Zitadel, KeyOwner::Client(_)) => KeyFileKind::ZitadelApplication {
                            app_id: "app".to_owned(),
                            client_id: "app".to_owned(),
                        },
                        (KeyFileForm::Zitadel, KeyOwner::ServiceAccount(_)) => {
                            KeyFileKind::ZitadelServiceAccount { user_id: "robot".to_owned() }
                        }
                        _ => KeyFileKind::Bare,
                    };
                    assert_eq!((kind, made.public.kid.as_str()), (expected, "k1"));
                    let jwk = serde_json::to_vec(&made.public.jwk).unwrap();
                    let public = VerificationKey::from_jwk(&jwk).unwrap();
                    let signature = key.sign(b"message").await.unwrap();
                    public.verify(algorithm, b"message", &signature).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_zitadel_file_says_when_it_ends() {
        let made =
            generate(Algorithm::Es256, KeyFileForm::Zitadel, KeyOwner::ServiceAccount("r"), None, Some(0));
        assert!(made.unwrap().file.contains(r#""expirationDate": "1970-01-01T00:00:00Z""#));
    }

    #[test]
    fn a_public_key_is_taken_in_each_form_and_named_by_its_thumbprint() {
        let made = generate(Algorithm::Es256, KeyFileForm::Pem, KeyOwner::Client("a"), None, None).unwrap();
        let jwk = serde_json::to_vec(&made.public.jwk).unwrap();
        let key = VerificationKey::from_jwk(&jwk).unwrap();
        assert_eq!(made.public.kid, key.thumbprint().unwrap().to_string());
        let pem = pem_of("PUBLIC KEY", &key.spki().unwrap());
        let from_pem = public_key(&Uploaded::Pem((*pem).clone())).unwrap();
        assert_eq!(from_pem.kid, made.public.kid);
        let mut named = made.public.jwk.clone();
        named["kid"] = "mine".into();
        assert_eq!(public_key(&Uploaded::Jwk(named)).unwrap().kid, "mine");
        let mut certificate = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        certificate.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let pair = rcgen::KeyPair::generate().unwrap();
        let pem = certificate.self_signed(&pair).unwrap().pem();
        let from_certificate = public_key(&Uploaded::Pem(pem)).unwrap();
        assert_eq!(from_certificate.not_after, Some(2_208_988_800));
        assert_eq!(from_certificate.jwk.get("x5c"), None);
    }

    #[test]
    fn what_is_private_weak_or_nothing_is_not_taken() {
        let made = |form| generate(Algorithm::Es256, form, KeyOwner::Client("a"), None, None).unwrap().file;
        let jwk = serde_json::from_str(&made(KeyFileForm::Jwk)).unwrap();
        assert_eq!(public_key(&Uploaded::Jwk(jwk)), Err(KeyFileError::Private));
        let pem = (*made(KeyFileForm::Pem)).clone();
        assert_eq!(public_key(&Uploaded::Pem(pem)), Err(KeyFileError::Private));
        for nothing in ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert!(public_key(&Uploaded::Pem(nothing.to_owned())).is_err(), "{nothing}");
        }
        let weak = serde_json::json!({ "kty": "RSA", "e": "AQAB", "n": "w".repeat(171) });
        assert!(matches!(public_key(&Uploaded::Jwk(weak)), Err(KeyFileError::Unusable(_))));
        let secret = serde_json::json!({ "kty": "oct", "k": "c2VjcmV0" });
        assert!(public_key(&Uploaded::Jwk(secret)).is_err());
        let large = serde_json::json!({ "kty": "EC", "x": "A".repeat(UPLOAD_OCTETS) });
        assert_eq!(public_key(&Uploaded::Jwk(large)), Err(KeyFileError::TooLarge));
        let hmac = generate(Algorithm::Hs256, KeyFileForm::Jwk, KeyOwner::Client("a"), None, None);
        assert!(matches!(hmac, Err(KeyFileError::Generation(_))));
        let kid = generate(Algorithm::Es256, KeyFileForm::Jwk, KeyOwner::Client("a"), Some("a\nb"), None);
        assert_eq!(kid.unwrap_err(), KeyFileError::Kid);
    }
}
