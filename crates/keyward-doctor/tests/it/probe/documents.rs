//! Discovery and keys, as they are published.

use keyward::{IssuerSettings, KeySource, WrapperPolicy};
use keyward_doctor::facts::{Elsewhere, SkippedKey};
use serde_json::json;

use super::server::{Reply, Server};
use super::{
    JWKS, OAUTH, OPENID, answer, attempt, first_key, jwk_set, key_set, key_set_reach, second_key, seen,
};

#[tokio::test]
async fn a_healthy_issuer_is_seen_as_it_is() {
    let server = Server::start().await;
    let metadata = json!({
        "issuer": server.issuer(),
        "jwks_uri": server.text(JWKS),
        "introspection_endpoint": server.text("/introspect"),
        "token_endpoint": server.text("/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    server.set(OPENID, Reply::json(&metadata.to_string()));
    let set = json!({ "keys": [first_key(), { "kty": "AKP", "kid": "post" }, second_key()] });
    let headers = "cache-control: public, max-age=600\r\nage: 12\r\nserver: lab/1\r\n";
    server.set(JWKS, Reply::of("200 OK", headers, &set.to_string()));

    let facts = seen(IssuerSettings::discover(&server.issuer()).named("idp").audience("api")).await;
    let configured = &facts.configured;
    assert_eq!((&*configured.name, &*configured.issuer), ("idp", &*server.issuer()));
    assert!(configured.discovers && configured.key_source.is_none());
    assert_eq!((configured.leeway_s, configured.ttl_s), (60, 300.0));
    assert_eq!((&*configured.strategy, &configured.audiences[..]), ("key_set", &["api".to_owned()][..]));

    let discovery = facts.discovery.as_ref().unwrap();
    assert_eq!(discovery.issuer.as_deref(), Some(&*server.issuer()));
    assert_eq!(discovery.token_endpoint.as_deref(), Some(&*server.text("/token")));
    assert_eq!(discovery.auth_methods, ["client_secret_basic", "private_key_jwt"]);
    assert_eq!(discovery.signing_algorithms, ["ES256"]);
    assert_eq!(discovery.reach.url, server.text(OPENID));

    let keys = key_set(&facts);
    assert_eq!((&keys.place, &keys.trouble), (&server.text(JWKS), &None));
    assert_eq!((keys.answers.len(), keys.elsewhere.len()), (2, 0));
    let [first, again] = &keys.answers[..] else { panic!() };
    assert_eq!(first, again);
    assert_eq!((first.address, first.age_s, first.max_age_s), (Some(server.address), Some(12), Some(600)));
    let told: Vec<_> = first.keys.iter().map(|key| (key.kid.as_deref(), &*key.kty, key.bits)).collect();
    assert_eq!(told, [(Some("1"), "EC", 256), (Some("2"), "EC", 256)]);
    assert_eq!(first.keys[0].algorithms, ["ES256"]);
    // RFC 7638 of RFC 7517's key.
    assert_eq!(first.keys[0].thumbprint.as_deref(), Some("cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"));
    let SkippedKey { index, kid, .. } = &first.skipped[0];
    assert_eq!((*index, kid.as_deref()), (1, Some("post")));
    let answer = answer(attempt(&facts));
    assert_eq!(answer.headers["server"], "lab/1");
    assert!(answer.took_ms >= answer.first_octet_ms);
}

#[tokio::test]
async fn the_other_document_is_asked_for_where_the_first_is_none() {
    let server = Server::start().await;
    server.set(OAUTH, Reply::json(&server.metadata().to_string()));
    server.set(JWKS, Reply::json(&jwk_set()));
    let facts = seen(IssuerSettings::discover(&server.issuer())).await;
    assert_eq!(facts.discovery.as_ref().unwrap().reach.url, server.text(OAUTH));
    assert_eq!(key_set(&facts).answers.len(), 2);
    assert_eq!((server.hits(OPENID), server.hits(OAUTH)), (1, 1));
}

#[tokio::test]
async fn an_issuer_is_told_to_the_letter_and_its_keys_are_seen_whatever_it_calls_itself() {
    let server = Server::provider(&jwk_set()).await;
    let slash = json!({ "issuer": format!("{}/", server.issuer()), "jwks_uri": server.text(JWKS) });
    server.set(OPENID, Reply::json(&slash.to_string()));
    let facts = seen(IssuerSettings::discover(&server.issuer())).await;
    assert_eq!(facts.discovery.as_ref().unwrap().issuer, Some(format!("{}/", server.issuer())));
    assert_eq!(key_set(&facts).answers.len(), 2);
}

#[tokio::test]
async fn without_a_document_there_is_no_key_set_to_look_at() {
    let server = Server::start().await;
    for reply in [Reply::json("[]"), Reply::json("{"), Reply::of("500 Oops", "", "")] {
        server.set(OPENID, reply);
        let facts = seen(IssuerSettings::discover(&server.issuer())).await;
        assert_eq!(facts.discovery.unwrap().issuer, None);
        assert_eq!(facts.key_set, None);
    }
    assert_eq!(server.hits(OAUTH), 0);
}

#[tokio::test]
async fn a_redirect_is_followed_where_the_gateway_follows_it() {
    let server = Server::provider(&jwk_set()).await;
    server.set("/old", Reply::redirect("/jwks"));
    let settings = || IssuerSettings::jwks_uri("urn:test", server.url("/old"));
    let facts = seen(settings()).await;
    assert_eq!(key_set(&facts).place, server.text("/old"));
    assert_eq!(key_set_reach(&facts).url, server.text(JWKS));
    assert_eq!((key_set(&facts).answers.len(), server.hits("/old"), server.hits(JWKS)), (2, 1, 2));

    // To another host it is not, and told.
    server.set("/old", Reply::redirect("https://keys.example/jwks?key=planted"));
    let facts = seen(settings()).await;
    let told = answer(attempt(&facts));
    assert_eq!((told.status, &*told.headers["location"]), (302, "https://keys.example/jwks"));
    assert_eq!(key_set_reach(&facts).url, server.text("/old"));

    // In a circle it is followed once around.
    server.set("/old", Reply::redirect("/older"));
    server.set("/older", Reply::redirect("/old"));
    let before = server.hits("/old");
    let facts = seen(settings()).await;
    assert_eq!((answer(attempt(&facts)).status, server.hits("/old") - before), (302, 1));
}

#[tokio::test]
async fn where_the_address_is_wrong_the_right_one_is_found() {
    let server = Server::start().await;
    let right = "/auth/v1/.well-known/jwks.json";
    server.set(right, Reply::json(&jwk_set()));
    let wrong = server.url("/rest/v1/.well-known/jwks.json");
    let facts = seen(IssuerSettings::jwks_uri(&server.text("/auth/v1"), wrong.clone())).await;
    let found = Elsewhere { url: server.text(right), status: Some(200), usable_keys: Some(1) };
    assert_eq!(key_set(&facts).elsewhere, [found]);
    assert_eq!(server.hits(right), 1);

    // What discovery says comes first.
    let metadata = json!({ "issuer": server.text("/auth/v1"), "jwks_uri": server.text(JWKS) });
    server.set(&format!("/auth/v1{OPENID}"), Reply::json(&metadata.to_string()));
    server.set(JWKS, Reply::json(&jwk_set()));
    let facts = seen(IssuerSettings::jwks_uri(&server.text("/auth/v1"), wrong)).await;
    assert_eq!(key_set(&facts).elsewhere[0].url, server.text(JWKS));
}

#[tokio::test]
async fn a_provider_that_fails_is_not_asked_elsewhere() {
    let server = Server::start().await;
    server.set(JWKS, Reply::of("503 Service Unavailable", "", ""));
    let facts = seen(IssuerSettings::jwks_uri("urn:test", server.url(JWKS))).await;
    assert_eq!(key_set(&facts).elsewhere, []);
    assert_eq!((server.asked().len(), server.hits(JWKS)), (2, 2));
}

#[tokio::test]
async fn keys_in_a_file_are_read_as_the_gateway_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwk_set()).unwrap();
    let facts = seen(IssuerSettings::jwks_file("https://idp.example", &path)).await;
    assert_eq!((&facts.discovery, &key_set(&facts).reach), (&None, &None));
    assert_eq!(key_set(&facts).answers[0].keys[0].kid.as_deref(), Some("1"));
    assert_eq!(facts.configured.key_source, Some(path.display().to_string()));

    std::fs::remove_file(&path).unwrap();
    let facts = seen(IssuerSettings::jwks_file("https://idp.example", &path)).await;
    assert!(key_set(&facts).trouble.as_ref().unwrap().contains("jwks.json"), "{facts:?}");
}

#[tokio::test]
async fn the_certificate_around_a_key_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.pem");
    let mut params = rcgen::CertificateParams::new(["signer.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    let source = KeySource::Certificates { path, kid: Some("k1".into()) };
    let settings = IssuerSettings {
        source: Some(source),
        ..IssuerSettings::discover("https://idp.example").wrapper(WrapperPolicy::Enforce)
    };
    let facts = seen(settings).await;
    let key = &key_set(&facts).answers[0].keys[0];
    assert_eq!((key.kid.as_deref(), key.wrapper_state.as_deref()), (Some("k1"), Some("expired")));
    assert_eq!(key.wrapper_not_after, Some(1_577_836_800));
    assert_eq!(facts.configured.wrapper_policy, "enforce");
}
