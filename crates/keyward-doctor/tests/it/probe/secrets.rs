//! A bundle is carried elsewhere: nothing that was planted where strangers write is in it.

use keyward::IssuerSettings;
use keyward_doctor::probe::{Target, look};
use serde_json::json;
use zeroize::Zeroizing;

use super::server::{Reply, Server};
use super::{JWKS, Names, OPENID, first_key, means, target};

/// It stands in no word that a fact has for something else.
const PLANTED: &str = "pl4nted";

#[tokio::test]
async fn a_bundle_holds_no_secret_that_was_planted_where_strangers_write() {
    let server = Server::start().await;
    let with =
        |path: &str| format!("http://{PLANTED}:{PLANTED}@{}{path}?key={PLANTED}#{PLANTED}", server.address);
    let mut key = first_key();
    key["d"] = json!(PLANTED);
    let keys = [key, json!({ "kty": "oct", "k": PLANTED }), json!({ "kty": PLANTED })];
    let headers = format!(
        "set-cookie: {PLANTED}\r\nwww-authenticate: Bearer realm=\"{PLANTED}\"\r\nserver: a/1 x={PLANTED}\r\n\
         cache-control: max-age=60, x={PLANTED}\r\ncontent-type: application/json; x={PLANTED}\r\n\
         age: {PLANTED}\r\ndate: {PLANTED}\r\nretry-after: {PLANTED}\r\nexpires: {PLANTED}\r\n\
         x-secret: {PLANTED}\r\nvia: 1.1 {PLANTED}={PLANTED}\r\n"
    );
    let metadata = json!({
        "issuer": with(""), "jwks_uri": with(JWKS), "token_endpoint": with("/token"),
        "introspection_endpoint": with("/introspect"), "client_secret": PLANTED,
    });
    let set = json!({ "keys": keys, "client_secret": PLANTED }).to_string();
    for replies in [
        (Reply::of("200 OK", &headers, &metadata.to_string()), Reply::of("200 OK", &headers, &set)),
        (Reply::of("401 Unauthorized", &headers, PLANTED), Reply::of("500 Oops", &headers, PLANTED)),
        (Reply::redirect(&with("/away")), Reply::redirect(&with("/away"))),
        (Reply::json(PLANTED), Reply::json(&format!("{{\"keys\": [{PLANTED}"))),
        (Reply::raw(PLANTED), Reply::raw(&format!("HTTP/1.1 200 {PLANTED}\r\n{PLANTED}\r\n\r\n{PLANTED}"))),
    ] {
        server.set(OPENID, replies.0);
        server.set(JWKS, replies.1);
        let issuer = format!("http://{PLANTED}:{PLANTED}@{}", server.address);
        for settings in [
            IssuerSettings::discover(&issuer).named("idp"),
            IssuerSettings::jwks_uri(&issuer, with(JWKS).parse().unwrap()).named("idp"),
        ] {
            let target = Target {
                token: Some(Zeroizing::new(format!("a.{PLANTED}.c").into_bytes())),
                provider_log: Some(format!("level=error token={PLANTED}\n").into_bytes()),
                gateway: Some(with("").parse().unwrap()),
                ..target(settings)
            };
            let facts = look(&target, &means(Names::default())).await;
            let bundle = serde_json::to_string(&facts).unwrap();
            assert!(!bundle.contains(PLANTED), "{bundle}");
            assert!(!format!("{facts:?}").contains(PLANTED));
            assert!(!format!("{target:?}").contains(&format!("a.{PLANTED}")));
        }
    }
    // Where the gateway sends what an address holds, the doctor does as well.
    assert!(server.asked().iter().any(|asked| asked.head.contains("authorization: Basic ")));
    assert!(server.asked().iter().any(|asked| asked.path.contains(PLANTED)));
}
