//! Clients: how they show who they are, what is wrong with it, and the key files that they get.

use keyward_jose::Algorithm;
use keyward_lab::client::{ClientKeyError, KeyFileForm};
use keyward_lab::plan::IssuerPlan;
use keyward_lab::{CommandError, Lab, LabError};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::assertion::{Party, der, now, post, signer};
use crate::support::{client, good, lab, lab_with, obey, plan};

const CLIENTS: &str = r#"
    errors = "rfc"

    [client.gateway]
    keys = [{ kid = "ec", algorithm = "ES256" }, { kid = "rsa" }]

    [client.robot]
    kind = "service_account"
    keys = [{ kid = "robot-1", algorithm = "ES256" }]
"#;

async fn rfc() -> Lab {
    lab_with(toml::from_str(CLIENTS).unwrap()).await
}

async fn zitadel() -> Lab {
    lab_with(toml::from_str(&CLIENTS.replace("rfc", "zitadel")).unwrap()).await
}

fn gateway(lab: &Lab) -> Party {
    Party::of(lab, "gateway", "ec", Algorithm::Es256)
}

fn robot(lab: &Lab) -> Party {
    Party::of(lab, "robot", "robot-1", Algorithm::Es256)
}

/// Introspects with a secret.
async fn by_secret(lab: &Lab, id: &str, secret: &str) -> u16 {
    let endpoint = lab.issuer("main").unwrap().introspection_endpoint;
    let request = client().post(endpoint).basic_auth(id, Some(secret)).form(&[("token", good(lab))]);
    request.send().await.unwrap().status().as_u16()
}

/// Introspects with a bearer.
async fn by_bearer(lab: &Lab, bearer: &str) -> (u16, Option<String>) {
    let endpoint = lab.issuer("main").unwrap().introspection_endpoint;
    let request = client().post(endpoint).bearer_auth(bearer).form(&[("token", good(lab))]);
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), challenge)
}

#[tokio::test]
async fn an_assertion_is_a_client_to_every_endpoint() {
    let lab = rfc().await;
    let (gateway, addresses) = (gateway(&lab), lab.issuer("main").unwrap());
    assert_eq!(gateway.introspect(&lab, &good(&lab), json!({})).await.1["active"], true);
    let at_endpoint = json!({ "aud": ["elsewhere", addresses.introspection_endpoint] });
    assert_eq!(gateway.introspect(&lab, &good(&lab), at_endpoint).await.0, 200);
    let rsa = Party::of(&lab, "gateway", "rsa", Algorithm::Ps256);
    let assertion = rsa.assertion(&lab, json!({ "aud": addresses.token_endpoint })).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", crate::assertion::ASSERTION_TYPE),
        ("client_assertion", &assertion),
        ("client_id", "gateway"),
    ];
    let (status, granted) = post(&addresses.token_endpoint, &form).await;
    assert_eq!(status, 200, "{granted}");
    assert_eq!(by_bearer(&lab, granted["access_token"].as_str().unwrap()).await, (200, None));
    let (status, again) = post(&addresses.token_endpoint, &form).await;
    assert_eq!((status, &again["error"]), (401, &"invalid_client".into()));
    assert_eq!(again["error_description"], "the jti of the assertion was used before");
    let both = [&form[..], &[("client_secret", "x")]].concat();
    assert_eq!(post(&addresses.token_endpoint, &both).await.0, 400, "one way at a time");
}

#[tokio::test]
async fn what_is_wrong_with_an_assertion_is_said() {
    let lab = rfc().await;
    let gateway = gateway(&lab);
    let now = now(&lab);
    for (claims, description) in [
        (json!({ "iss": "nobody", "sub": "nobody" }), "the client is not known"),
        (json!({ "sub": "robot" }), "the issuer of the assertion is wrong"),
        (json!({ "aud": "https://other.example" }), "the audience of the assertion is wrong"),
        (json!({ "exp": now - 1 }), "the assertion has expired"),
        (json!({ "iat": now + 60 }), "the assertion is not valid yet"),
        (json!({ "nbf": now + 60 }), "the assertion is not valid yet"),
        (json!({ "jti": null }), "the assertion is malformed"),
        (json!({ "exp": null }), "the assertion is malformed"),
        (json!({ "iss": "robot", "sub": "robot" }), "the key is of the wrong kind"),
    ] {
        let (status, refused) = gateway.introspect(&lab, &good(&lab), claims.clone()).await;
        assert_eq!((status, &refused["error"]), (401, &"invalid_client".into()), "{claims}");
        assert_eq!(refused["error_description"], description, "{claims}");
    }
    let forged = Party { kid: Some("rsa"), ..gateway };
    let (_, refused) = forged.introspect(&lab, &good(&lab), json!({})).await;
    assert_eq!(refused["error_description"], "the signature of the assertion is wrong");
    let unknown = Party { kid: Some("other"), ..forged };
    let (_, refused) = unknown.introspect(&lab, &good(&lab), json!({})).await;
    assert_eq!(refused["error_description"], "the key is not known");
    let nameless = Party { kid: None, ..unknown };
    assert_eq!(nameless.introspect(&lab, &good(&lab), json!({})).await.0, 200, "any of its keys will do");
}

#[tokio::test]
async fn a_clock_that_is_wrong_refuses_assertions_either_way() {
    let lab = rfc().await;
    let gateway = gateway(&lab);
    let right = now(&lab);
    let claims = || json!({ "iat": right, "exp": right + 60 });
    for (ahead, status) in [(600, 401), (-600, 401), (0, 200)] {
        obey(&lab, &format!(r#"{{"clock": {{"ahead_s": {ahead}}}}}"#)).await;
        assert_eq!(gateway.introspect(&lab, "x", claims()).await.0, status, "{ahead}");
    }
}

#[tokio::test]
async fn which_audience_is_accepted_can_be_told() {
    let lab = rfc().await;
    let gateway = gateway(&lab);
    let addresses = lab.issuer("main").unwrap();
    for (told, issuer, endpoint, given) in [
        (r#""issuer""#, 200, 401, 401),
        (r#""endpoint""#, 401, 200, 401),
        (r#"{"given": "https://idp.example"}"#, 401, 401, 200),
        (r#""either""#, 200, 200, 401),
    ] {
        obey(&lab, &format!(r#"{{"assertion_audience": {told}}}"#)).await;
        let status = async |aud: &str| gateway.introspect(&lab, "x", json!({ "aud": aud })).await.0;
        let statuses = (
            status(&addresses.issuer).await,
            status(&addresses.introspection_endpoint).await,
            status("https://idp.example").await,
        );
        assert_eq!(statuses, (issuer, endpoint, given), "{told}");
    }
}

#[tokio::test]
async fn a_service_account_exchanges_an_assertion_for_a_bearer() {
    let lab = rfc().await;
    let robot = robot(&lab);
    let (status, granted) = robot.exchange(&lab, json!({ "jti": null })).await;
    assert_eq!((status, &granted["expires_in"]), (200, &300.into()), "{granted}");
    let bearer = granted["access_token"].as_str().unwrap();
    assert_eq!(by_bearer(&lab, bearer).await, (200, None));
    let refused = (401, Some("Bearer error=\"invalid_token\"".to_owned()));
    assert_eq!(by_bearer(&lab, &good(&lab)).await, refused, "a user's token is no bearer of a client");
    assert_eq!(by_bearer(&lab, "x").await, refused);
    obey(&lab, r#"{"client": {"robot": {"state": "disabled"}}}"#).await;
    assert_eq!(by_bearer(&lab, bearer).await, refused);
    obey(&lab, r#"{"client": {"robot": {"state": "enabled"}}, "clock": {"ahead_s": 301}}"#).await;
    assert_eq!(by_bearer(&lab, bearer).await, refused, "it has expired");
    obey(&lab, r#"{"clock": {"ahead_s": 0}}"#).await;
    assert_eq!(by_bearer(&lab, bearer).await, (200, None));
    obey(&lab, r#"{"revoke": "bearers"}"#).await;
    assert_eq!(by_bearer(&lab, bearer).await, refused, "it was taken back");
    let (_, granted) = robot.exchange(&lab, json!({ "sub": "somebody" })).await;
    assert_eq!(by_bearer(&lab, granted["access_token"].as_str().unwrap()).await, (200, None));
}

/// Each cause of A1, as a command and what the assertion has in it.
const CAUSES: [(&str, &str); 9] = [
    (r#"{"client": {"robot": {"keys": {"robot-1": "not_projected"}}}}"#, "the key is not known yet"),
    (r#"{"client": {"robot": {"keys": {"robot-1": "disabled"}}}}"#, "the key is disabled"),
    (r#"{"client": {"robot": {"keys": {"robot-1": "expired"}}}}"#, "the key has expired"),
    (r#"{"client": {"robot": {"kind": "application"}}}"#, "the key is of the wrong kind"),
    (r#"{"client": {"robot": {"state": "disabled"}}}"#, "the client is disabled"),
    (r#"{"client": {"robot": {"state": "unknown"}}}"#, "the client is not known"),
    (
        r#"{"assertion_audience": {"given": "https://other.example"}}"#,
        "the audience of the assertion is wrong",
    ),
    (r#"{"client": {"robot": {"assertions": {"refused": "no_kid"}}}}"#, "the assertion has no kid"),
    (
        r#"{"client": {"robot": {"assertions": {"refused": "wrong_issuer"}}}}"#,
        "the issuer of the assertion is wrong",
    ),
];

const MEND: &str = r#"{"assertion_audience": "either", "client": {"robot": {"state": "enabled",
    "kind": "service_account", "keys": {"robot-1": "good"}, "assertions": "judged"}}}"#;

#[tokio::test]
async fn the_causes_of_a1_are_told_apart_by_the_rfcs() {
    let lab = rfc().await;
    let robot = robot(&lab);
    for (command, description) in CAUSES {
        obey(&lab, command).await;
        let (status, refused) = robot.exchange(&lab, json!({})).await;
        assert_eq!((status, &refused["error_description"]), (400, &description.into()), "{command}");
        let kind = description == "the key is of the wrong kind";
        assert_eq!(refused["error"], if kind { "unauthorized_client" } else { "invalid_grant" });
        obey(&lab, MEND).await;
        assert_eq!(robot.exchange(&lab, json!({})).await.0, 200, "{command}");
    }
}

#[tokio::test]
async fn zitadel_has_one_answer_for_the_causes_of_a1() {
    let lab = zitadel().await;
    let opaque = (500, json!({ "error": "server_error", "error_description": "Errors.Internal" }));
    let (robot, gateway) = (robot(&lab), gateway(&lab));
    for (command, _) in CAUSES {
        obey(&lab, command).await;
        assert_eq!(robot.exchange(&lab, json!({})).await, opaque, "{command}");
        obey(&lab, MEND).await;
        assert_eq!(robot.exchange(&lab, json!({})).await.0, 200, "{command}");
    }
    assert_eq!(gateway.exchange(&lab, json!({})).await, opaque, "an application's key");
    assert_eq!(robot.exchange(&lab, json!({ "sub": "other" })).await, opaque);
    let nameless = Party { kid: None, ..robot };
    assert_eq!(nameless.exchange(&lab, json!({})).await, opaque, "no kid");
    assert_eq!(gateway.introspect(&lab, &good(&lab), json!({})).await.1["active"], true, "as A1 is mended");
    assert_eq!(by_secret(&lab, "gateway", "anything").await, 400, "it has no secret");
    assert_eq!(by_secret(&lab, "drill", "wrong").await, 401);
    assert_eq!(post(&lab.issuer("main").unwrap().token_endpoint, &[("grant_type", "x")]).await.0, 401);
}

#[tokio::test]
async fn secrets_and_clients_change_while_traffic_flows() {
    let lab = lab().await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 200);
    obey(&lab, r#"{"client": {"drill": {"secret": "an:other secret"}}}"#).await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 401);
    assert_eq!(by_secret(&lab, "drill", "an%3Aother+secret").await, 200, "form-encoded first");
    obey(&lab, r#"{"client": {"drill": {"secret": "drill", "state": "disabled"}}}"#).await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 401);
    obey(&lab, r#"{"client": {"drill": {"state": "enabled"}}}"#).await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 200);
    obey(&lab, r#"{"register": {"later": {"secret": "s"}}}"#).await;
    assert_eq!(by_secret(&lab, "later", "s").await, 200);
    let refusal = r#"{"fault": {"introspection": {"refusal": {"code": 400, "error": "invalid_client"}}}}"#;
    obey(&lab, refusal).await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 400);
    obey(&lab, r#"{"fault": {"introspection": {"refusal": {"code": 401, "error": "invalid_token"}}}}"#).await;
    assert_eq!(by_bearer(&lab, "x").await.1.unwrap(), "Bearer error=\"invalid_token\"");
    for refused in [
        r#"{"client": {"nobody": {}}}"#,
        r#"{"client": {"drill": {"secret": "new", "keys": {"nothing": "good"}}}}"#,
        r#"{"client": {"drill": {"secret": "new"}}, "publish": ["nothing"]}"#,
        r#"{"register": {"drill": {"keys": [{"kid": "a", "public": {"pem": "x"}}]}}}"#,
        r#"{"client": {"drill": {"secret": "new", "register": [{"kid": "a"}, {"kid": "a"}]}}}"#,
    ] {
        assert!(lab.obey(&serde_json::from_str(refused).unwrap()).await.is_err(), "{refused}");
    }
    obey(&lab, r#"{"mend": ["all"]}"#).await;
    assert_eq!(by_secret(&lab, "drill", "drill").await, 200, "what is refused changes nothing");
}

#[tokio::test]
async fn public_keys_are_registered_as_jwk_and_as_pem() {
    let lab = rfc().await;
    let pairs = [
        ("p256", Algorithm::Es256, KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("p384", Algorithm::Es384, KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("p521", Algorithm::Es512, KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512)),
        ("ed25519", Algorithm::EdDsa, KeyPair::generate_for(&rcgen::PKCS_ED25519)),
        ("rsa-2", Algorithm::Rs256, KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)),
    ];
    for (kid, algorithm, pair) in pairs {
        let pair = pair.unwrap();
        let signer = || signer(algorithm, &pair.serialize_der());
        let jwk = serde_json::to_string(keyward_jose::Signer::public_jwk(&signer()).unwrap()).unwrap();
        let pem = pair.public_key_pem();
        for (name, public) in [(kid, json!({ "pem": pem })), ("as-jwk", json!({ "jwk": jwk }))] {
            let command =
                json!({ "register": { "stranger": { "keys": [{ "kid": name, "public": public }] } } });
            obey(&lab, &command.to_string()).await;
            let party = Party { name: "stranger", kid: Some(name), signer: signer() };
            assert_eq!(party.introspect(&lab, "x", json!({})).await.0, 200, "{kid} {name}");
            let forged = Party { name: "stranger", ..gateway(&lab) };
            assert_eq!(Party { kid: Some(name), ..forged }.introspect(&lab, "x", json!({})).await.0, 401);
        }
    }
    let theirs = lab.key_file(None, "stranger", None, KeyFileForm::Pem);
    assert!(matches!(theirs, Err(CommandError::NotOurKey { client, .. }) if client == "stranger"));
}

#[tokio::test]
async fn key_files_are_handed_out_in_each_form() {
    let lab = rfc().await;
    let pem = lab.key_file(None, "gateway", Some("rsa"), KeyFileForm::Pem).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.lines().all(|line| line.len() <= 64));
    let file = |client, kid, form| {
        serde_json::from_str::<Value>(&lab.key_file(Some("main"), client, kid, form).unwrap()).unwrap()
    };
    let application = file("gateway", Some("rsa"), KeyFileForm::Application);
    assert_eq!(application["type"], "application");
    assert_eq!((&application["keyId"], &application["clientId"]), (&"rsa".into(), &"gateway".into()));
    assert_eq!(application["appId"], "app-gateway");
    let key = application["key"].as_str().unwrap();
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    let pkcs1 = der(key);
    assert!(rcgen_reads(&pem) && der(&pem).ends_with(&pkcs1));
    // SEQUENCE of the length that is left, then version 0 (RFC 8017 A.1.2).
    let length = u16::try_from(pkcs1.len() - 4).unwrap().to_be_bytes();
    assert_eq!(pkcs1[..7], [0x30, 0x82, length[0], length[1], 2, 1, 0]);
    let account = file("robot", None, KeyFileForm::ServiceAccount);
    assert_eq!((&account["type"], &account["userId"]), (&"serviceaccount".into(), &"robot".into()));
    assert_eq!(
        file("robot", None, KeyFileForm::Application)["clientId"],
        "robot",
        "a form of the other kind"
    );
    for (client, kid) in [("gateway", Some("x")), ("nobody", None), ("drill", None)] {
        assert!(lab.key_file(None, client, kid, KeyFileForm::Pem).is_err());
    }
    let clients = lab.clients("main");
    assert_eq!(clients["drill"].secret.as_deref(), Some("drill"));
    assert_eq!(clients["gateway"].keys.keys().collect::<Vec<_>>(), ["ec", "rsa"]);
}

fn rcgen_reads(pem: &str) -> bool {
    KeyPair::from_pem(pem).is_ok()
}

#[test]
fn a_plan_whose_clients_cannot_be_made_is_refused() {
    for (clients, kid) in [
        (r#"client.a.keys = [{ kid = "x" , algorithm = "ES256" }, { kid = "x", algorithm = "ES256" }]"#, "x"),
        (r#"client.a.keys = [{ kid = "y", public = { jwk = "{}" } }]"#, "y"),
    ] {
        let issuer: IssuerPlan = toml::from_str(clients).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(async { Lab::in_memory(&plan(issuer), 0, 1) }) {
            Err(LabError::Client {
                source: ClientKeyError::Repeated { kid: of, .. } | ClientKeyError::Unreadable { kid: of, .. },
                ..
            }) => assert_eq!(of, kid),
            other => panic!("{other:?}"),
        }
    }
}
