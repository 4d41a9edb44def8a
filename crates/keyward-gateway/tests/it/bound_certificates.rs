//! Tokens that are bound to a certificate (RFC 8705), over our own TLS and behind proxies.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use keyward::binding::CertificateThumbprint;
use serde_json::json;

use crate::pki::{Authority, Certified, Client};
use crate::support::{Folder, KEY, Running, claims, config, good_token, sign, with};
use crate::tls::{ASKS, TLS, folder};

fn x5t(certified: &Certified) -> String {
    URL_SAFE_NO_PAD.encode_to_string(CertificateThumbprint::of_der(certified.der()).0)
}

/// A token that is bound to this certificate.
fn token(certified: &Certified) -> String {
    sign(&KEY, &with(claims(), "cnf", json!({ "x5t#S256": x5t(certified) })))
}

/// The reason of the answer to this token over a connection of this client's; none where it is accepted.
async fn reason(client: &Client, running: &Running, token: &str, more: &str) -> Option<String> {
    let mut raw = client.connect(running.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
    raw.send(request).await;
    let (_, head, _) = raw.answer().await.unwrap();
    head.lines().find_map(|line| Some(line.strip_prefix("x-keyward-reason: ")?.to_owned()))
}

fn missing() -> Option<String> {
    Some("binding_missing".to_owned())
}

fn mismatch() -> Option<String> {
    Some("binding_mismatch".to_owned())
}

fn unclear() -> Option<String> {
    Some("request_unclear".to_owned())
}

#[tokio::test]
async fn our_own_tls_shows_the_certificate() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = folder(&servers, &clients);
    let running = folder.start(&format!("{}{TLS}{ASKS}\"optional\"\n", config(""))).await;
    let (alice, mallory) = (clients.client("alice"), clients.client("mallory"));
    let of_alice = token(&alice);
    let client = |shows| Client::new(&servers, shows);
    assert_eq!(reason(&client(Some(&alice)), &running, &of_alice, "").await, None);
    assert_eq!(reason(&client(Some(&mallory)), &running, &of_alice, "").await, mismatch());
    assert_eq!(reason(&client(None), &running, &of_alice, "").await, missing());
    assert_eq!(reason(&client(Some(&mallory)), &running, &good_token(), "").await, None);
    // Nobody's header counts where none is configured.
    let header = format!("Client-Cert: :{}:\r\n", STANDARD.encode_to_string(alice.der()));
    assert_eq!(reason(&client(Some(&mallory)), &running, &of_alice, &header).await, mismatch());
    assert_eq!(reason(&client(None), &running, &of_alice, &header).await, missing());
}

#[tokio::test]
async fn a_route_may_demand_a_certificate_of_every_token() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = folder(&servers, &clients);
    let routes = "[[route]]\nbinding = \"certificate\"\n";
    let running = folder.start(&format!("{}{TLS}{ASKS}\"required\"\n", config(routes))).await;
    let alice = clients.client("alice");
    let client = Client::new(&servers, Some(&alice));
    assert_eq!(reason(&client, &running, &token(&alice), "").await, None);
    assert_eq!(reason(&client, &running, &good_token(), "").await, missing());
}

/// As nginx and Envoy encode PEM.
fn encoded(pem: &str) -> String {
    let encode = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => c.to_string(),
        c => format!("%{:02X}", u32::from(c)),
    };
    pem.chars().map(encode).collect()
}

/// What each proxy says of a certificate, with the configuration that goes with it.
fn told(certified: &Certified) -> [(&'static str, &'static str, String); 5] {
    let (der, pem) = (STANDARD.encode_to_string(certified.der()), encoded(&certified.pem()));
    let hash: String =
        CertificateThumbprint::of_der(certified.der()).0.map(|octet| format!("{octet:02x}")).concat();
    [
        ("from = \"client_cert\"", "client-cert", format!(":{der}:")),
        ("from = \"nginx\"\nheader = \"X-Client-Cert\"", "x-client-cert", pem.clone()),
        ("from = \"traefik\"", "x-forwarded-tls-client-cert", der),
        ("from = \"xfcc\"", "x-forwarded-client-cert", format!("By=x;Hash={hash};Subject=\"CN=a,b\"")),
        ("from = \"xfcc\"", "x-forwarded-client-cert", format!("Hash=junk,Cert=\"{pem}\"")),
    ]
}

fn behind(peers: &str, from: &str) -> String {
    format!("{}[gateway.client_certificate]\n{from}\ntrusted_peers = [\"{peers}\"]\n", config(""))
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_certificate() {
    let (clients, folder) = (Authority::new("clients"), Folder::new());
    let (alice, mallory) = (clients.client("alice"), clients.client("mallory"));
    let bearer = format!("Bearer {}", token(&alice));
    for ((from, name, of_alice), (_, _, of_mallory)) in told(&alice).into_iter().zip(told(&mallory)) {
        let running = folder.start(&behind("127.0.0.0/8", from)).await;
        let ask = async |values: &[&str]| {
            let values = values.iter().map(|value| (name, *value));
            let headers: Vec<_> = [("authorization", bearer.as_str())].into_iter().chain(values).collect();
            running.ask("/", &headers).await.reason().map(ToOwned::to_owned)
        };
        assert_eq!(ask(&[&of_alice]).await, None, "{from}");
        assert_eq!(ask(&[&of_mallory]).await, mismatch(), "{from}");
        assert_eq!(ask(&[]).await, missing(), "{from}");
        assert_eq!(ask(&[""]).await, missing(), "{from}");
        for values in [
            &[of_alice.as_str(), &of_alice][..],
            &[&of_alice, ""],
            &["junk"],
            &[&of_alice[..of_alice.len() - 1]],
        ] {
            assert_eq!(ask(values).await, unclear(), "{from} {values:?}");
        }
        assert_eq!(ask(&[&format!("{}{of_alice}", "x".repeat(16 * 1024))]).await, unclear(), "{from}");
    }
}

#[tokio::test]
async fn nobody_else_tells_one() {
    let (clients, folder) = (Authority::new("clients"), Folder::new());
    let alice = clients.client("alice");
    let bearer = format!("Bearer {}", token(&alice));
    for (from, name, value) in told(&alice) {
        let running = folder.start(&behind("10.0.0.0/8", from)).await;
        for value in [&*value, "junk"] {
            let headers = [("authorization", bearer.as_str()), (name, value)];
            assert_eq!(running.ask("/", &headers).await.reason(), Some("binding_missing"), "{from}");
        }
        let unbound = format!("Bearer {}", good_token());
        let headers = [("authorization", unbound.as_str()), (name, "junk"), (name, "junk")];
        assert_eq!(running.ask("/", &headers).await.status, 200, "{from}");
    }
}

#[tokio::test]
async fn the_certificate_of_a_proxy_is_not_its_clients() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = folder(&servers, &clients);
    let (alice, proxy) = (clients.client("alice"), clients.client("proxy"));
    let header = format!("Client-Cert: :{}:\r\n", STANDARD.encode_to_string(alice.der()));
    let client = Client::new(&servers, Some(&proxy));
    let start = async |peers: &str| {
        folder.start(&format!("{}{TLS}{ASKS}\"required\"\n", behind(peers, "from = \"client_cert\""))).await
    };
    let trusting = start("127.0.0.1").await;
    assert_eq!(reason(&client, &trusting, &token(&alice), &header).await, None);
    assert_eq!(reason(&client, &trusting, &token(&proxy), &header).await, mismatch());
    // It does not lend its own.
    assert_eq!(reason(&client, &trusting, &token(&proxy), "").await, missing());
    let other = start("10.0.0.0/8").await;
    assert_eq!(reason(&client, &other, &token(&alice), &header).await, mismatch());
    assert_eq!(reason(&client, &other, &token(&proxy), &header).await, None);
}

#[tokio::test]
async fn both_bindings_of_a_token_have_to_hold() {
    let folder = Folder::new();
    let alice = Authority::new("clients").client("alice");
    let client = crate::proof::Prover::new();
    let dpop = "[gateway.dpop]\norigins = [\"https://api.example\"]\n";
    let running = folder.start(&(behind("127.0.0.1", "from = \"client_cert\"") + dpop)).await;
    let cnf = json!({ "x5t#S256": x5t(&alice), "jkt": client.thumbprint() });
    let token = sign(&KEY, &with(claims(), "cnf", cnf));
    let authorization = format!("DPoP {token}");
    let certificate = format!(":{}:", STANDARD.encode_to_string(alice.der()));
    let proof = || client.proof("GET", "https://api.example/", &token);
    let ask = async |more: &[(&str, &str)]| {
        let got = running.ask("/", &[&[("authorization", authorization.as_str())], more].concat()).await;
        got.reason().map(ToOwned::to_owned)
    };
    assert_eq!(ask(&[("dpop", &proof()), ("client-cert", &certificate)]).await, None);
    assert_eq!(ask(&[("dpop", &proof())]).await, missing());
    assert_eq!(ask(&[("client-cert", &certificate)]).await, missing());
}
