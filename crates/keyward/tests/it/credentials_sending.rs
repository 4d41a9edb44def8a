//! Requests that carry a credential: they go to the place that was named, and nowhere else.

use std::time::Duration;

use keyward::fetch::{FetchError, Fetcher, OutgoingRequest};
use url::Url;

use crate::credentials_provider::Endpoint;
use crate::support::{Reply, pass, patiently};

const LIMIT: usize = 64 * 1024;

fn fetcher() -> Fetcher {
    Fetcher::new(Duration::from_secs(2), LIMIT, &[], &[]).unwrap()
}

fn form(url: &Url) -> OutgoingRequest {
    OutgoingRequest::post_form(url.clone(), [("token", "pl@nted"), ("token_type_hint", "access_token")])
}

#[tokio::test]
async fn a_form_is_sent_and_any_status_comes_back_with_its_body() {
    let endpoint = Endpoint::start(|_| {
        let headers = "Content-Type: Application/JSON; charset=utf-8\r\nRetry-After: 7\r\n";
        Reply::Whole(400, headers.to_owned(), b"{}".to_vec())
    })
    .await;
    let url = endpoint.url("/introspect");
    let answer = patiently(fetcher().send(&url, &form(&url))).await.unwrap();
    assert_eq!((answer.status.as_u16(), &**answer.body), (400, &b"{}"[..]));
    assert_eq!(answer.media_type().as_deref(), Some("application/json"));
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
    let received = endpoint.received("/introspect").remove(0);
    assert_eq!(received.method, "POST");
    assert_eq!(received.header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(received.header("accept").as_deref(), Some("application/json"));
    assert_eq!(received.field("token").as_deref(), Some("pl@nted"));
    assert_eq!(format!("{answer:?}"), "Answer { status: 400, .. }");
}

#[tokio::test]
async fn a_redirect_is_never_followed_with_a_credential() {
    let elsewhere = Endpoint::start(|_| Reply::ok("{}")).await;
    let endpoint = Endpoint::start(|_| Reply::ok("{}")).await;
    let (url, fetcher) = (endpoint.url("/introspect"), fetcher());
    for status in [300, 301, 302, 303, 304, 307, 308] {
        for place in [elsewhere.url("/stolen").as_str(), "/stolen", ""] {
            let header = format!("Location: {place}");
            endpoint.answers(move |_| Reply::with_header(status, &header));
            let error = patiently(fetcher.send(&url, &form(&url))).await.unwrap_err();
            assert_eq!(error.label(), "redirect_refused", "{status}: {error}");
            assert!(endpoint.received("/stolen").is_empty() && elsewhere.received("/stolen").is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_sent_goes_by_https_or_stays_here_and_to_the_host_that_was_named() {
    let fetcher = fetcher();
    let elsewhere = Url::parse("http://idp.example/introspect").unwrap();
    let error = fetcher.send(&elsewhere, &form(&elsewhere)).await.unwrap_err();
    assert!(matches!(error, FetchError::InsecureAddress { .. }), "{error}");
    let (named, other) = ("https://idp.example/".parse().unwrap(), "https://idp.invalid/".parse().unwrap());
    let error = fetcher.send(&named, &form(&other)).await.unwrap_err();
    assert!(matches!(error, FetchError::ForeignHost { .. }), "{error}");
    let metadata = Url::parse("https://169.254.169.254/introspect").unwrap();
    let error = fetcher.send(&metadata, &form(&metadata)).await.unwrap_err();
    assert!(matches!(error, FetchError::ForbiddenAddress { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_broken_or_never_comes_is_an_error() {
    let too_large = vec![b' '; LIMIT + 1];
    for (reply, label) in [
        (Reply::ok(too_large.clone()), "too_large"),
        (Reply::Chunked(too_large.clone()), "too_large"),
        (Reply::Whole(401, String::new(), too_large), "too_large"),
        (Reply::Cut(b"{\"active\":true}".to_vec()), "connect"),
    ] {
        let endpoint = Endpoint::start(move |_| reply.clone()).await;
        let url = endpoint.url("/introspect");
        let error = patiently(fetcher().send(&url, &form(&url))).await.unwrap_err();
        assert_eq!(error.label(), label);
        assert!(!format!("{error} {error:?}").contains("pl@nted"));
    }
    let endpoint = Endpoint::start(|_| Reply::Hang).await;
    let (url, fetcher) = (endpoint.url("/introspect"), fetcher());
    let request = form(&url);
    let sending = fetcher.send(&url, &request);
    let (error, ()) = tokio::join!(sending, async {
        endpoint.hit("/introspect", 1).await;
        pass(Duration::from_secs(3)).await;
    });
    assert_eq!(error.unwrap_err().label(), "timeout");
}
