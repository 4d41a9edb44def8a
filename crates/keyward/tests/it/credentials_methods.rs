//! How requests show who we are, as the provider sees it.

use std::path::{Path, PathBuf};

use keyward::credentials::{
    Audience, BearerSettings, CallerError, CallerSettings, ClientSettings, CredentialSettings, Grant,
    KeyFile, KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use keyward_jose::{DecodeBuffer, Jws, Signer, VerificationKey};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};

use crate::credentials_provider::{Endpoint, INTROSPECT, Ours, Received, TOKEN, active, json as answer};
use crate::support::{Reply, START};

pub(crate) fn key(name: &str) -> KeyFileSettings {
    KeyFileSettings::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name))
}

/// A file with this text, in a folder that goes when it is dropped.
pub(crate) fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn private_key_jwt(client_id: Option<&str>, key: KeyFileSettings, audience: Audience) -> ClientSettings {
    ClientSettings::PrivateKeyJwt { client_id: client_id.map(ToOwned::to_owned), key, audience }
}

/// What one call sends.
async fn sent(credential: CredentialSettings) -> (Endpoint, Received) {
    let endpoint = Endpoint::start(|_| active()).await;
    let ours = Ours::new(&endpoint, credential);
    assert_eq!(ours.introspect().await.unwrap().status, 200);
    let received = endpoint.received(INTROSPECT).remove(0);
    assert_eq!(received.field("token").as_deref(), Some("a user's"));
    assert_eq!(received.field("token_type_hint").as_deref(), Some("access_token"));
    (endpoint, received)
}

/// The claims of an assertion that this key signed, and the key id that it names.
fn opened(assertion: &str, settings: &KeyFileSettings) -> (Value, Option<String>) {
    let key = KeyFile::read(settings).unwrap().key;
    let jwk = serde_json::to_vec(key.public_jwk().unwrap()).unwrap();
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(assertion.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
    let kid = jws.header().kid().map(ToOwned::to_owned);
    let verified = jws.verify(&VerificationKey::from_jwk(&jwk).unwrap()).unwrap();
    (serde_json::from_slice(verified.payload()).unwrap(), kid)
}

#[tokio::test]
async fn a_secret_is_encoded_as_a_form_has_it_before_it_is_joined() {
    for (client_id, secret, authorization) in [
        ("client", "secret", "Basic Y2xpZW50OnNlY3JldA=="),
        // RFC 6749 §2.3.1's own example.
        ("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
        // a%3Ab:c%2B%25%26+%C3%A9
        ("a:b", "c+%& é", "Basic YSUzQWI6YyUyQiUyNSUyNislQzMlQTk="),
    ] {
        let (_folder, secret_file) = file(&format!("{secret}\n"));
        let client_id = client_id.to_owned();
        let basic = ClientSettings::ClientSecretBasic { client_id, secret_file };
        let (_endpoint, received) = sent(CredentialSettings::Client(basic)).await;
        assert_eq!(received.header("authorization").as_deref(), Some(authorization));
        assert_eq!((received.field("client_id"), received.field("client_secret")), (None, None));
    }
}

#[tokio::test]
async fn a_secret_in_the_form_is_in_the_form_alone() {
    let (_folder, secret_file) = file("c+%& é");
    let post = ClientSettings::ClientSecretPost { client_id: "a:b".to_owned(), secret_file };
    let (_endpoint, received) = sent(CredentialSettings::Client(post)).await;
    assert_eq!(received.header("authorization"), None);
    assert_eq!(received.field("client_id").as_deref(), Some("a:b"));
    assert_eq!(received.field("client_secret").as_deref(), Some("c+%& é"));
}

#[tokio::test]
async fn a_token_from_a_file_is_a_bearer() {
    let (_folder, token_file) = file("abc.DEF-_~+/=\n");
    let (_endpoint, received) = sent(CredentialSettings::BearerFile { token_file }).await;
    assert_eq!(received.header("authorization").as_deref(), Some("Bearer abc.DEF-_~+/="));
    for text in ["abc def", "abc\u{e9}", "abc\ndef", &"x".repeat(16 * 1024 + 1)] {
        let (_folder, token_file) = file(text);
        let refused = CredentialSettings::BearerFile { token_file: token_file.clone() }.check().unwrap_err();
        assert_eq!(refused.path, token_file);
        assert!(!refused.to_string().contains("abc"), "{refused}");
    }
}

#[tokio::test]
async fn an_assertion_is_ours_for_this_provider_for_a_minute_and_once() {
    let endpoint = Endpoint::start(|_| active()).await;
    for (settings, client_id, kid) in [
        (key("zitadel.application.json"), None, Some("202")),
        (key("zitadel.application.json"), Some("another"), Some("202")),
        (key("rsa.jwk.json"), Some("client"), Some("key-of-a-jwk")),
        (key("ec384.sec1.pem"), Some("client"), None),
        (
            KeyFileSettings { kid: Some("ours".to_owned()), ..key("ed25519.pkcs8.pem") },
            Some("client"),
            Some("ours"),
        ),
    ] {
        let (before, expected) = (endpoint.received(INTROSPECT).len(), client_id.unwrap_or("501@project"));
        let credential = private_key_jwt(client_id, settings.clone(), Audience::Issuer);
        let ours = Ours::new(&endpoint, CredentialSettings::Client(credential));
        ours.introspect().await.unwrap();
        ours.introspect().await.unwrap();
        let mut seen = Vec::new();
        for received in &endpoint.received(INTROSPECT)[before..] {
            assert_eq!((received.header("authorization"), received.field("client_id")), (None, None));
            let kind = received.field("client_assertion_type").unwrap();
            assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            let (mut claims, named) = opened(&received.field("client_assertion").unwrap(), &settings);
            assert_eq!(named.as_deref(), kid);
            let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
            assert!(jti.as_str().unwrap().len() == 22 && !seen.contains(&jti), "{jti}");
            seen.push(jti);
            let (issued, over) = (START, START + 60);
            let ours = json!({
                "iss": expected, "sub": expected, "aud": endpoint.issuer(), "iat": issued, "exp": over,
            });
            assert_eq!(claims, ours);
        }
    }
    for (audience, expected) in [
        (Audience::Endpoint, endpoint.url(INTROSPECT).to_string()),
        (Audience::Named("https://idp.example/".to_owned()), "https://idp.example/".to_owned()),
    ] {
        let settings = key("rsa.pkcs8.der");
        let (_endpoint, received) = {
            let credential = private_key_jwt(Some("client"), settings.clone(), audience);
            let ours = Ours::new(&endpoint, CredentialSettings::Client(credential));
            ours.introspect().await.unwrap();
            (&endpoint, endpoint.received(INTROSPECT).pop().unwrap())
        };
        let (claims, _) = opened(&received.field("client_assertion").unwrap(), &settings);
        assert_eq!(claims["aud"], expected);
    }
}

/// A token endpoint that grants what it is asked for.
fn granting(token: &'static str) -> impl Fn(&Received) -> Reply {
    move |received| match received.path.as_str() {
        TOKEN => answer(200, json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600 })),
        _ => active(),
    }
}

fn bearer(endpoint: &Endpoint, grant: Grant) -> CredentialSettings {
    let token_endpoint = EndpointPlace::Url(endpoint.url(TOKEN));
    let scope = Some("openid urn:zitadel:iam:org:project:id:zitadel:aud".to_owned());
    CredentialSettings::Bearer(Box::new(BearerSettings { token_endpoint, grant, scope }))
}

#[tokio::test]
async fn a_bearer_is_obtained_by_the_key_of_a_service_account() {
    let endpoint = Endpoint::start(granting("obtained")).await;
    let settings = key("zitadel.serviceaccount.json");
    for (subject, expected) in [(None, "301"), (Some("another".to_owned()), "another")] {
        let grant = Grant::JwtBearer { key: settings.clone(), subject, audience: Audience::Issuer };
        let ours = Ours::new(&endpoint, bearer(&endpoint, grant));
        ours.introspect().await.unwrap();
        let asked = endpoint.received(TOKEN).pop().unwrap();
        assert_eq!(asked.field("grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
        assert_eq!(
            asked.field("scope").as_deref(),
            Some("openid urn:zitadel:iam:org:project:id:zitadel:aud")
        );
        assert_eq!(asked.header("authorization"), None);
        let (claims, kid) = opened(&asked.field("assertion").unwrap(), &settings);
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(expected), Some(expected)));
        assert_eq!((claims["aud"].as_str(), kid.as_deref()), (Some(&*endpoint.issuer()), Some("201")));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(START), &json!(START + 60)));
        let called = endpoint.received(INTROSPECT).pop().unwrap();
        assert_eq!(called.header("authorization").as_deref(), Some("Bearer obtained"));
        assert_eq!(called.field("assertion"), None);
    }
}

#[tokio::test]
async fn a_bearer_is_obtained_by_client_credentials() {
    let endpoint = Endpoint::start(granting("obtained")).await;
    let (_folder, secret_file) = file("secret");
    let client_id = "client".to_owned();
    let basic = ClientSettings::ClientSecretBasic { client_id, secret_file };
    let assertion = private_key_jwt(Some("client"), key("ec256.jwk.json"), Audience::Endpoint);
    for client in [basic, assertion] {
        let ours = Ours::new(&endpoint, bearer(&endpoint, Grant::ClientCredentials(client.clone())));
        ours.introspect().await.unwrap();
        let asked = endpoint.received(TOKEN).pop().unwrap();
        assert_eq!(asked.field("grant_type").as_deref(), Some("client_credentials"));
        match client {
            ClientSettings::ClientSecretBasic { .. } => {
                assert_eq!(asked.header("authorization").as_deref(), Some("Basic Y2xpZW50OnNlY3JldA=="));
            }
            _ => {
                let (claims, _) = opened(&asked.field("client_assertion").unwrap(), &key("ec256.jwk.json"));
                assert_eq!(claims["aud"], endpoint.url(TOKEN).as_str());
            }
        }
        let called = endpoint.received(INTROSPECT).pop().unwrap();
        assert_eq!(called.header("authorization").as_deref(), Some("Bearer obtained"));
    }
}

#[tokio::test]
async fn a_key_of_the_wrong_kind_is_refused_before_anything_is_sent() {
    let endpoint = Endpoint::start(granting("obtained")).await;
    let jwt_bearer =
        |key| Grant::JwtBearer { key, subject: Some("301".to_owned()), audience: Audience::Issuer };
    let no_subject =
        Grant::JwtBearer { key: key("rsa.pkcs1.pem"), subject: None, audience: Audience::Issuer };
    for (credential, why) in [
        // A1, whatever else is configured.
        (bearer(&endpoint, jwt_bearer(key("zitadel.application.json"))), "Use it as private_key_jwt"),
        (bearer(&endpoint, no_subject), "no subject is configured"),
        (
            CredentialSettings::Client(private_key_jwt(
                Some("client"),
                key("zitadel.serviceaccount.json"),
                Audience::Issuer,
            )),
            "use it for the JWT-bearer grant",
        ),
        (
            CredentialSettings::Client(private_key_jwt(None, key("rsa.pkcs1.pem"), Audience::Issuer)),
            "no client id is configured",
        ),
    ] {
        let checked = credential.check().unwrap_err();
        assert!(checked.to_string().contains(why), "{checked}");
        let settings = CallerSettings::new("idp", &endpoint.issuer(), credential);
        let clock = crate::support::TestClock::new();
        let started = keyward::credentials::Caller::start(settings, clock, crate::support::Record::new(), 1);
        assert!(matches!(started, Err(CallerError::File(_))));
    }
    assert!(endpoint.received(TOKEN).is_empty());
}

#[tokio::test]
async fn a_client_certificate_is_shown_in_the_handshake() {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let certified = |name: &str| {
        let (params, key) =
            (CertificateParams::new([name.to_owned()]).unwrap(), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &authority).unwrap();
        (certificate, key)
    };
    let mut anchors = rustls::RootCertStore::empty();
    anchors.add(authority.der().clone()).unwrap();
    let (certificate, server_key) = certified("127.0.0.1");
    let tls = rustls::ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(anchors.into()).build().unwrap())
        .with_single_cert(
            vec![certificate.into()],
            PrivateKeyDer::try_from(server_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let endpoint = Endpoint::start_tls(tls, |_| active()).await;
    let (certificate, client_key) = certified("client");
    let (_folder, certificate_file) = file(&certificate.pem());
    let (_key_folder, key_file) = file(&client_key.serialize_pem());
    let mutual = ClientSettings::MutualTls {
        client_id: "client".to_owned(),
        certificate_file: certificate_file.clone(),
        key_file: key_file.clone(),
    };
    let trusting = |settings| CallerSettings { extra_anchors: authority.pem().into_bytes(), ..settings };
    let ours = Ours::with(&endpoint, CredentialSettings::Client(mutual.clone()), trusting);
    ours.introspect().await.unwrap();
    let received = endpoint.received(INTROSPECT).remove(0);
    assert_eq!(received.field("client_id").as_deref(), Some("client"));
    assert_eq!((received.header("authorization"), ours.caller.status().method), (None, "tls_client_auth"));
    // Without it there is no connection.
    let (_secret_folder, secret_file) = file("secret");
    let basic = ClientSettings::ClientSecretBasic { client_id: "client".to_owned(), secret_file };
    let other = Ours::with(&endpoint, CredentialSettings::Client(basic), trusting);
    other.introspect().await.unwrap_err();
    assert_eq!(endpoint.received(INTROSPECT).len(), 1);
    // A key that is another's, or none, is refused at the start.
    for text in [KeyPair::generate().unwrap().serialize_pem(), certificate.pem(), "planted".to_owned()] {
        std::fs::write(&key_file, text).unwrap();
        let settings = trusting(CallerSettings::new(
            "idp",
            "https://idp.example",
            CredentialSettings::Client(mutual.clone()),
        ));
        let clock = crate::support::TestClock::new();
        let refused = keyward::credentials::Caller::start(settings, clock, crate::support::Record::new(), 1);
        assert!(!refused.unwrap_err().to_string().contains("planted"));
    }
}
