//! Secrets of ours, planted everywhere and looked for wherever anything is shown.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::credentials::{
    Audience, BearerSettings, ClientSettings, CredentialSettings, Grant, KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use serde_json::json;

use crate::credentials_methods::{file, key};
use crate::credentials_provider::{Endpoint, Ours, Received, TOKEN, active, json as answer};
use crate::support::{Reply, pass};

const SECRET: &str = "pl@nted secret+of ours";
const BEARER: &str = "planted-bearer-token";

/// All that is logged, at every level, by everybody on this thread.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A provider that says back all that it was told, and refuses it.
fn repeating(received: &Received) -> Reply {
    let decoded: String = url::form_urlencoded::parse(received.body.as_bytes())
        .map(|(name, value)| format!("{name} is {value} "))
        .collect();
    let all = format!("{decoded} {} {}", received.header("authorization").unwrap_or_default(), received.body);
    answer(401, json!({ "error": "invalid_client", "error_description": all, "error_uri": all }))
}

#[tokio::test]
async fn no_secret_is_shown_whatever_the_provider_repeats() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let (_folder, secret_file) = file(SECRET);
    let (_bearer_folder, token_file) = file(BEARER);
    let client_id = "client".to_owned();
    let basic =
        ClientSettings::ClientSecretBasic { client_id: client_id.clone(), secret_file: secret_file.clone() };
    let post = ClientSettings::ClientSecretPost { client_id: client_id.clone(), secret_file };
    let encrypted =
        KeyFileSettings { passphrase_file: Some(key("passphrase").path), ..key("rsa.encrypted.pem") };
    let assertion = ClientSettings::PrivateKeyJwt {
        client_id: Some(client_id),
        key: encrypted,
        audience: Audience::Issuer,
    };
    let endpoint = Endpoint::start(repeating).await;
    let obtained = |grant| {
        let (token_endpoint, scope) = (EndpointPlace::Url(endpoint.url(TOKEN)), None);
        CredentialSettings::Bearer(Box::new(BearerSettings { token_endpoint, grant, scope }))
    };
    let jwt_bearer = Grant::JwtBearer {
        key: key("zitadel.serviceaccount.json"),
        subject: None,
        audience: Audience::Issuer,
    };
    let mut shown = String::new();
    for credential in [
        CredentialSettings::Client(basic.clone()),
        CredentialSettings::Client(post.clone()),
        CredentialSettings::Client(assertion.clone()),
        CredentialSettings::BearerFile { token_file },
        obtained(Grant::ClientCredentials(basic)),
        obtained(Grant::ClientCredentials(post)),
        obtained(Grant::ClientCredentials(assertion)),
        obtained(jwt_bearer.clone()),
    ] {
        let ours = Ours::new(&endpoint, credential);
        let error = ours.introspect().await.unwrap_err();
        let status = serde_json::to_string(&ours.caller.status()).unwrap();
        assert!(status.contains("401 invalid_client"), "{status}");
        shown += &format!("{error} {error:?} {status} {:?} {:?}\n", ours.caller, ours.caller.settings());
    }
    // A token that was granted, and is refused.
    endpoint.answers(|received| match received.path.as_str() {
        TOKEN => answer(200, json!({ "access_token": BEARER, "token_type": "Bearer", "expires_in": 60 })),
        _ => repeating(received),
    });
    let ours = Ours::new(&endpoint, obtained(jwt_bearer.clone()));
    let error = ours.introspect().await.unwrap_err();
    shown += &format!("{error} {error:?} {:?} {:?}\n", ours.caller, ours.caller.status());
    pass(Duration::from_secs(120)).await;
    endpoint.answers(|_| active());
    let answer = ours.introspect().await;
    shown += &format!("{answer:?}\n");

    let mut sent = vec![SECRET.to_owned(), BEARER.to_owned(), "planted-passphrase".to_owned()];
    for received in endpoint.received(TOKEN).into_iter().chain(endpoint.received("/introspect")) {
        sent.extend(
            ["assertion", "client_assertion", "client_secret"].iter().filter_map(|name| received.field(name)),
        );
        // What is encoded is no better.
        let authorization = received.header("authorization");
        sent.extend(authorization.and_then(|value| Some(value.split_once(' ')?.1.to_owned())));
        sent.extend(received.body.split(['&', '=']).filter(|text| text.len() > 20).map(ToOwned::to_owned));
    }
    let signatures: Vec<_> =
        sent.iter().filter_map(|text| text.rsplit_once('.')).map(|(_, s)| s.to_owned()).collect();
    sent.extend(signatures.into_iter().filter(|signature| signature.len() > 20));
    sent.retain(|text| !text.starts_with("urn") && text != "client_assertion_type");
    assert!(sent.len() > 30, "{}", sent.len());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("credential_rejected") && log.contains("credential_refused"), "{log}");
    for secret in sent {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}
