//! Clients that show who they are by the certificate of a real connection, and tokens that are bound to it (RFC 8705).

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use keyward_authority::client_auth::key_files::{Uploaded, public_key};
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, GrantType, Key, KeyOrigin, Realm, TlsSubject,
};
use keyward_authority::operations;
use keyward_authority::storage::{Action, Actor, Change};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::node::{Answer, Running};
use crate::server_tls::{Authority, connect, start};

const REALM: &str = "main";
const ISSUER: &str = "http://127.0.0.1/realms/main";

/// A certificate and its key.
struct Shown(rcgen::Certificate, KeyPair);

impl Shown {
    fn by(authority: &Authority) -> Self {
        let (certificate, key) = authority.certify(ExtendedKeyUsagePurpose::ClientAuth);
        Self(certificate, key)
    }

    fn self_signed() -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertificateParams::new(["me".to_owned()]).unwrap().self_signed(&key).unwrap(), key)
    }

    fn of(&self) -> (CertificateDer<'static>, &KeyPair) {
        (self.0.der().clone(), &self.1)
    }

    /// `x5t#S256` (RFC 8705 §3.1).
    fn thumbprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.0.der());
        URL_SAFE_NO_PAD.encode_to_string(digest.as_ref())
    }
}

fn client(id: &str, method: ClientAuthMethod) -> Client {
    let body = json!({
        "id": id, "enabled": true, "kind": ClientKind::Confidential, "auth_methods": [method],
        "grant_types": [GrantType::ClientCredentials], "audiences": [ISSUER], "scopes": ["introspect"],
    });
    serde_json::from_value(body).unwrap()
}

/// A realm with a client for each of the two methods; `own` is the certificate of the second.
async fn fill(running: &Running, own: &Shown) {
    let (authority, actor) = (&running.authority, Actor("test".to_owned()));
    operations::create(authority, &actor, REALM, Realm::new(REALM)).await.unwrap();
    let subject = Some(TlsSubject::Ip("127.0.0.1".parse().unwrap()));
    let certified = Client { tls_subject: subject, ..client("certified", ClientAuthMethod::TlsClientAuth) };
    operations::create(authority, &actor, REALM, certified).await.unwrap();
    let self_signed = client("self-signed", ClientAuthMethod::SelfSignedTlsClientAuth);
    operations::create(authority, &actor, REALM, self_signed).await.unwrap();
    let uploaded = public_key(&Uploaded::Pem(own.0.pem())).unwrap();
    let key = Key {
        owner: "client/self-signed".to_owned(),
        kid: uploaded.kid,
        jwk: uploaded.jwk,
        enabled: true,
        expires_at: None,
        added_at: 0,
        origin: KeyOrigin::Uploaded,
    };
    put(running, &key).await;
}

async fn put<K: keyward_authority::entity::Kept>(running: &Running, kept: &K) {
    let store = running.authority.view().store();
    let mut command = store.command(Actor("test".to_owned()), 0).await.unwrap();
    let body = Some(serde_json::to_string(kept).unwrap());
    command.append(&Change { action: Action("put"), entity: kept.entity(REALM), body }).await.unwrap();
    command.commit().await.unwrap();
}

/// The answer to a form that is sent to an endpoint of the realm.
async fn post(
    running: &Running,
    servers: &Authority,
    shows: Option<&Shown>,
    headers: &str,
    endpoint: &str,
    form: &str,
) -> Answer {
    let mut raw = connect(running.address, servers, shows.map(Shown::of)).await.expect("a connection");
    let length = form.len();
    raw.send(format!(
        "POST /realms/{REALM}/{endpoint} HTTP/1.1\r\nHost: a\r\n{headers}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    ))
    .await;
    raw.answer().await.expect("an answer")
}

fn grant(client: &str) -> String {
    format!("grant_type=client_credentials&client_id={client}&scope=introspect")
}

fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn a_client_gets_a_token_for_its_certificate_which_no_other_can_use() {
    let servers = Authority::new("all");
    let clients = "client_certificate = \"optional\"\nclient_ca_files = [\"ca.pem\"]";
    let running = start(&servers, clients).await;
    let (certified, own) = (Shown::by(&servers), Shown::self_signed());
    let (other, stranger) = (Shown::by(&servers), Shown::self_signed());
    fill(&running, &own).await;
    for (client, shown, others) in [
        // Another certificate that names the same subject is that client's own, too; who binds tokens binds them to one.
        ("certified", &certified, [&other, &own, &stranger]),
        ("self-signed", &own, [&certified, &other, &stranger]),
    ] {
        let answer = post(&running, &servers, Some(shown), "", "token", &grant(client)).await;
        assert_eq!(answer.status, 200, "{client}: {answer:?}");
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token)["cnf"], json!({ "x5t#S256": shown.thumbprint() }));

        // It asks about itself, as a bearer with the scope for that.
        let (bearer, form) = (format!("Authorization: Bearer {token}\r\n"), format!("token={token}"));
        let asked = post(&running, &servers, Some(shown), &bearer, "introspect", &form).await;
        assert_eq!((asked.status, &asked.json()["active"]), (200, &json!(true)), "{client}: {asked:?}");
        assert_eq!(asked.json()["cnf"], json!({ "x5t#S256": shown.thumbprint() }));
        for shows in others.into_iter().map(Some).chain([None]) {
            let refused = post(&running, &servers, shows, &bearer, "introspect", &form).await;
            assert_eq!(refused.status, 401, "{client}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn whoever_has_another_certificate_or_none_is_not_the_client() {
    let servers = Authority::new("all");
    let clients = "client_certificate = \"optional\"\nclient_ca_files = [\"ca.pem\"]";
    let running = start(&servers, clients).await;
    let (own, elsewhere) = (Shown::self_signed(), Shown::by(&Authority::new("elsewhere")));
    fill(&running, &own).await;
    let stranger = Shown::self_signed();
    for (client, shows, cause) in [
        ("certified", Some(&elsewhere), "certificate_untrusted"),
        ("certified", Some(&own), "certificate_untrusted"),
        ("certified", None, "certificate_missing"),
        ("self-signed", Some(&stranger), "certificate_of_another"),
        ("self-signed", None, "certificate_missing"),
    ] {
        let labels = format!("{{realm=\"main\",endpoint=\"token\",cause=\"{cause}\"}}");
        let sample = format!("keyward_authority_refusals_total{labels}");
        let before = running.metric(&sample).await.unwrap_or_default();
        let answer = post(&running, &servers, shows, "", "token", &grant(client)).await;
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")), "{answer:?}");
        assert_eq!(running.metric(&sample).await, Some(before + 1.0), "{client} {cause}");
        // A header says nothing: nobody here is a proxy.
        let told = format!("Client-Cert: :{}:\r\n", STANDARD.encode_to_string(own.0.der()));
        let answer = post(&running, &servers, shows, &told, "token", &grant(client)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_certificate_is_the_one_that_it_tells() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), clients.0.pem()).unwrap();
    let proxies = "[authority.proxies]\ntrusted_peers = [\"127.0.0.1\"]\n\
                   [authority.proxies.client_certificate]\nfrom = \"client_cert\"\nclient_ca_files = [\"ca.pem\"]\n";
    let running = Running::start_in(folder, "", proxies).await;
    let (certified, own) = (Shown::by(&clients), Shown::self_signed());
    fill(&running, &own).await;
    let untrusted = Shown::by(&servers);
    let ask = async |told: &[&Shown], client: &str| {
        let lines = told
            .iter()
            .map(|shown| format!("Client-Cert: :{}:\r\n", STANDARD.encode_to_string(shown.0.der())));
        let (headers, form) = (lines.collect::<String>(), grant(client));
        let request = format!(
            "POST /realms/{REALM}/token HTTP/1.1\r\nHost: a\r\n{headers}Content-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        running.ask(&request).await.unwrap()
    };
    for (shown, client) in [(&certified, "certified"), (&own, "self-signed")] {
        let answer = ask(&[shown], client).await;
        assert_eq!(answer.status, 200, "{client}: {answer:?}");
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token)["cnf"], json!({ "x5t#S256": shown.thumbprint() }));
        assert_eq!(ask(&[], client).await.status, 401);
        // Which of them is the proxy's word?
        let both = ask(&[shown, &untrusted], client).await;
        assert_eq!((both.status, &both.json()["error"]), (400, &json!("invalid_request")), "{both:?}");
    }
    assert_eq!(ask(&[&untrusted], "certified").await.status, 401);
    let malformed = "keyward_authority_refusals_total{realm=\"main\",endpoint=\"token\",cause=\"certificate_header_malformed\"}";
    assert_eq!(running.metric(malformed).await, Some(2.0));
}
