//! Strangers who send too much, too slowly, or nonsense, and what proxies send that is odd but right.

use std::time::Duration;

use crate::support::{Folder, config, config_with, good_token, until};

const SHORT: Duration = Duration::from_millis(200);

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn good_request() -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", good_token())
}

/// Two routes that can be told apart by their answers.
const TWO: &str = "[[route]]\npaths = [\"/public/\"]\naccess = \"public\"\n";

#[tokio::test]
async fn a_head_over_the_limit_is_refused_and_the_connection_closed() {
    let folder = Folder::new();
    let running = folder.start(&config_with("head_octets = 8192", "")).await;
    let mut raw = running.connect().await;
    raw.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(7000))).await;
    assert_eq!(raw.answer().await.unwrap().0, 401);
    raw.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}", "x".repeat(9000))).await;
    assert_eq!(raw.answer().await.unwrap().0, 431);
    assert!(raw.is_closed().await);
    // Nor does a long target, or a great many headers, get further.
    for head in [
        request(&format!("/{}", "x".repeat(9000))),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1500)),
    ] {
        let mut raw = running.connect().await;
        raw.send(head).await;
        let (status, ..) = raw.answer().await.unwrap();
        assert!(matches!(status, 414 | 431), "{status}");
        assert!(raw.is_closed().await);
    }
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
}

#[tokio::test]
async fn a_token_at_its_limit_fits_into_the_head() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let got = running.ask_with(&"x".repeat(16_384)).await;
    assert_eq!((got.status, got.reason()), (401, Some("malformed_token")));
    assert_eq!(running.ask_with(&"x".repeat(16_385)).await.reason(), Some("token_too_large"));
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let folder = Folder::new();
    let running = folder.start(&config_with("head_timeout = \"200ms\"", "")).await;
    for part in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut raw = running.connect().await;
        raw.send(part).await;
        assert!(raw.is_closed().await, "{part:?}");
    }
    // Not even if it sends something now and then.
    let mut raw = running.connect().await;
    let mut sent = 0;
    let closed = loop {
        raw.send("G").await;
        sent += 1;
        match tokio::time::timeout(SHORT / 10, raw.is_closed()).await {
            Ok(closed) => break closed,
            Err(_) => assert!(sent < 100, "it is never cut off"),
        }
    };
    assert!(closed);
    until(async || running.metric("keyward_connections").await == Some(0.0)).await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_no_longer_than_a_slow_one() {
    let folder = Folder::new();
    let running = folder.start(&config_with("head_timeout = \"200ms\"", "")).await;
    let mut raw = running.connect().await;
    for _ in 0..3 {
        raw.send(good_request()).await;
        assert_eq!(raw.answer().await.unwrap().0, 200);
        tokio::time::sleep(SHORT / 4).await;
    }
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let folder = Folder::new();
    let running = folder.start(&config_with("connections = 2", "")).await;
    let (mut first, mut second, mut third) =
        (running.connect().await, running.connect().await, running.connect().await);
    for raw in [&mut first, &mut second] {
        raw.send(good_request()).await;
        assert_eq!(raw.answer().await.unwrap().0, 200);
    }
    third.send(good_request()).await;
    assert!(tokio::time::timeout(SHORT, third.answer()).await.is_err(), "there is no place for it");
    // Operators are not kept waiting.
    assert_eq!(running.readiness().await.0, 200);
    assert_eq!(running.metric("keyward_connections").await, Some(2.0));
    drop(first);
    assert_eq!(third.answer().await.unwrap().0, 200);
    second.send(good_request()).await;
    assert_eq!(second.answer().await.unwrap().0, 200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let folder = Folder::new();
    let running = folder.start(&config(TWO)).await;
    let mut raw = running.connect().await;
    let all: String =
        (0..200).map(|n| if n % 3 == 0 { request("/public/") } else { request("/private") }).collect();
    raw.send(all).await;
    for n in 0..200 {
        assert_eq!(raw.answer().await.unwrap().0, if n % 3 == 0 { 200 } else { 401 }, "{n}");
    }
    // In pieces of any size, too.
    for octet in request("/public/").bytes() {
        raw.send([octet]).await;
    }
    assert_eq!(raw.answer().await.unwrap().0, 200);
}

#[tokio::test]
async fn http_1_0_is_understood() {
    let folder = Folder::new();
    let running = folder.start(&config(TWO)).await;
    let mut raw = running.connect().await;
    raw.send("GET /public/ HTTP/1.0\r\n\r\n").await;
    assert_eq!(raw.answer().await.unwrap().0, 200);
    assert!(raw.is_closed().await);
    // As nginx sends without further ado.
    let mut raw = running.connect().await;
    raw.send(format!(
        "GET /auth HTTP/1.0\r\nX-Original-URI: /private\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        good_token()
    ))
    .await;
    assert_eq!(raw.answer().await.unwrap().0, 200);
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn nonsense_is_refused_and_harms_nobody() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ] {
        for address in [running.address, running.admin] {
            let mut raw = crate::support::Raw::connect(address).await;
            raw.send(nonsense).await;
            match raw.answer().await {
                Some((status, ..)) => assert_eq!(status, 400, "{nonsense:?}"),
                None => continue,
            }
            assert!(raw.is_closed().await, "{nonsense:?}");
        }
    }
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
}

#[tokio::test]
async fn a_body_is_no_second_request() {
    let folder = Folder::new();
    let running = folder.start(&config(TWO)).await;
    let inner = request("/public/");
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    let sized = format!("Content-Length: {}\r\n\r\n{inner}", inner.len());
    let both = format!("Content-Length: 5\r\n{chunked}");
    for (body, may_be_refused) in [(sized, false), (chunked, false), (both, true)] {
        let mut raw = running.connect().await;
        raw.send(format!("POST /private HTTP/1.1\r\nHost: a\r\n{body}{}", request("/private"))).await;
        // Its own answer, the next one's, or an end; never one to what stands in the body.
        let mut statuses = Vec::new();
        while let Ok(Some((status, ..))) = tokio::time::timeout(SHORT, raw.answer()).await {
            statuses.push(status);
        }
        let refused = may_be_refused && statuses == [400];
        assert!(
            refused || (!statuses.is_empty() && statuses.iter().all(|status| *status == 401)),
            "{statuses:?}"
        );
        assert!(statuses.len() <= 2, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_read_in_full_leaves_the_connection_usable() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let token = good_token();
    let mut raw = running.connect().await;
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
        "\r\n",
    ] {
        raw.send(format!("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{body}")).await;
        let (status, head, _) = raw.answer().await.unwrap_or_else(|| panic!("closed before {body:?}"));
        assert_eq!(status, 200, "{body:?}");
        if head.contains("connection: close") {
            assert!(raw.is_closed().await);
            raw = running.connect().await;
        }
    }
}

#[tokio::test]
async fn a_body_that_is_promised_and_never_sent_delays_no_answer() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    // nginx passes the length on, and not the body, where it is not told otherwise.
    for promise in [
        "Content-Length: 1000000",
        "Transfer-Encoding: chunked",
        "Content-Length: 10\r\nExpect: 100-continue",
    ] {
        let mut raw = running.connect().await;
        raw.send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{promise}\r\n\r\n",
            good_token()
        ))
        .await;
        let answer = tokio::time::timeout(SHORT, raw.answer()).await;
        assert_eq!(answer.expect("at once").unwrap().0, 200, "{promise}");
        assert!(raw.is_closed().await, "{promise}");
    }
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
}
