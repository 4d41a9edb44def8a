//! One fetch: redirects, TLS, proxies, what a provider asks, and what its failure says.

use std::time::Duration;

use keyward::fetch::{Document, FetchError, Fetcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::support::{KEYS, Provider, Reply, patiently};

fn fetcher() -> Fetcher {
    Fetcher::new(Duration::from_secs(5), 1024, b"", &[]).unwrap()
}

async fn get(url: &str) -> Result<Document, FetchError> {
    patiently(fetcher().get(&Url::parse(url).unwrap())).await
}

async fn label(url: &str) -> &'static str {
    get(url).await.map_or_else(|error| error.label(), |_| "ok")
}

#[tokio::test]
async fn a_redirect_within_the_same_origin_is_followed_three_times() {
    let provider = Provider::start(&KEYS[..1]).await;
    for hop in 1..=4 {
        let to = if hop % 2 == 0 { provider.url(&format!("/{}", hop - 1)) } else { format!("/{}", hop - 1) };
        provider.set(&format!("/{hop}"), Reply::redirect(&to));
    }
    provider.set("/0", Reply::ok("here"));
    for hops in 0..=3 {
        assert_eq!(get(&provider.url(&format!("/{hops}"))).await.unwrap().body, b"here");
    }
    assert_eq!(label(&provider.url("/4")).await, "too_many_redirects");
    provider.set("/loop", Reply::redirect("/loop"));
    assert_eq!(label(&provider.url("/loop")).await, "too_many_redirects");
}

#[tokio::test]
async fn a_redirect_to_another_place_is_not_followed() {
    let (provider, other) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[..1]).await);
    for to in [
        other.url("/jwks"),
        provider.url("/jwks").replace("127.0.0.1", "localhost"),
        provider.url("/jwks").replace("http:", "https:"),
        "https://idp.example/jwks".to_owned(),
        "//idp.example/jwks".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        for status in [301, 302, 303, 307, 308] {
            provider.set("/away", Reply::with_header(status, &format!("Location: {to}")));
            assert_eq!(label(&provider.url("/away")).await, "redirect_refused", "{status} {to}");
        }
        // Not by a detour either.
        provider.set("/first", Reply::redirect("/away"));
        assert_eq!(label(&provider.url("/first")).await, "redirect_refused", "{to}");
    }
    assert_eq!((other.hits("/jwks"), provider.hits("/jwks")), (0, 0));
}

#[tokio::test]
async fn a_connection_that_fails_says_how() {
    // A port at which nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(label(&format!("http://{free}/")).await, "connect");
    assert_eq!(label("http://idp.invalid/").await, "insecure_address");
    // Too long for a name, so that no name server is asked.
    let error = get(&format!("http://{}.localhost/", "a".repeat(64))).await.unwrap_err();
    assert_eq!(error.label(), "dns", "{error}");

    // Who answers in plain text, hangs up, or sends an alert has no TLS.
    for answer in [b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), b"", b"\x15\x03\x03\x00\x02\x02\x28"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        });
        let error = get(&format!("https://{address}/")).await.unwrap_err();
        assert_eq!(error.label(), "tls", "{answer:?}: {error}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn retry_after_may_be_seconds_or_a_date() {
    let provider = Provider::start(&KEYS[..1]).await;
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (header, seconds) in [
        ("Retry-After: 120", Some(120)),
        ("Retry-After:  0 ", Some(0)),
        ("Retry-After: -1", None),
        ("Retry-After: soon", None),
        ("X-Other: 1", None),
        ("Retry-After: Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
        ("Retry-After: Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
        ("Retry-After: Sun Nov  6 08:51:37 1994", Some(120)),
        // It is over already.
        ("Retry-After: Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
    ] {
        provider.set("/busy", Reply::with_header(503, &format!("{date}{header}")));
        let error = get(&provider.url("/busy")).await.unwrap_err();
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{header}");
    }
    // Without the provider's own time a date says nothing.
    provider.set("/busy", Reply::with_header(503, "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT"));
    assert_eq!(get(&provider.url("/busy")).await.unwrap_err().retry_after(), None);
}

#[tokio::test]
async fn a_failure_shows_no_credential() {
    let provider = Provider::start(&KEYS[..1]).await;
    let with_secrets = |path: &str| {
        provider.url(path).replace("http://", "http://user:hunter2@") + "?apikey=hunter3#hunter4"
    };
    provider.set("/cut?apikey=hunter3", Reply::Cut(b"hunter5".repeat(10)));
    provider.set("/large?apikey=hunter3", Reply::ok("hunter5".repeat(1000)));
    provider.set("/away?apikey=hunter3", Reply::redirect("https://user:hunter6@idp.example/"));
    let mut urls = vec![
        with_secrets("/absent"),
        with_secrets("/cut"),
        with_secrets("/large"),
        with_secrets("/away"),
        format!("https://user:hunter2@{}.example/jwks?apikey=hunter3", "a".repeat(64)),
        "http://user:hunter2@idp.example/jwks?apikey=hunter3".to_owned(),
    ];
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    urls.push(format!("http://user:hunter2@{free}/jwks?apikey=hunter3"));
    // Whoever comes by https is hung up on.
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    urls.push(format!("https://user:hunter2@{}/jwks?apikey=hunter3", rude.local_addr().unwrap()));
    tokio::spawn(async move { while rude.accept().await.is_ok() {} });
    for url in urls {
        let error = get(&url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter"), "{text}");
        let url = Url::parse(&url).unwrap();
        // What is left still says which endpoint it was.
        assert!(text.contains(url.host_str().unwrap()) && text.contains(url.path()), "{text}");
    }
}

#[tokio::test]
async fn settings_and_verifiers_show_no_credential() {
    let url = Url::parse("https://user:hunter2@idp.example/jwks?apikey=hunter3").unwrap();
    let settings = keyward::IssuerSettings::jwks_uri("https://idp.example", url);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter") && shown.contains("idp.example/jwks"), "{shown}");
    let verifier = keyward::Verifier::builder().issuer(settings).start().unwrap();
    let shown = format!("{verifier:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

/// A proxy in the environment would see requests that must not leave this machine, and answer them. The
/// environment cannot be changed within a test, so this runs itself again with another one.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    const CHILD: &str = "KEYWARD_TEST_PROXY_CHILD";
    if let Some(url) = std::env::var_os(CHILD) {
        let url = url.into_string().unwrap();
        assert_eq!(get(&url).await.unwrap().body, b"direct");
        return;
    }
    let (provider, proxy) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[..1]).await);
    provider.set("/direct", Reply::ok("direct"));
    proxy.set(&provider.url("/direct"), Reply::ok("by proxy"));
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "fetching::a_proxy_in_the_environment_is_not_used"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.issuer());
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD");
    child.env(CHILD, provider.url("/direct"));
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((provider.hits("/direct"), proxy.hits(&provider.url("/direct"))), (1, 0));
}
