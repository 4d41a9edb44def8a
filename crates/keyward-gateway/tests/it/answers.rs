//! What every answer has, whatever it says.

use std::collections::BTreeSet;

use crate::support::{Folder, config, good_token};

#[tokio::test]
async fn a_sound_correlation_id_is_taken_over_and_another_replaced() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    for name in ["x-correlation-id", "x-request-id"] {
        let got = running.ask("/", &[(name, "req-1:2/3")]).await;
        assert_eq!(got.header("x-correlation-id"), Some("req-1:2/3"));
        assert_eq!(got.json()["correlation_id"], "req-1:2/3");
    }
    let long = "x".repeat(129);
    let hostile = ["a b", "a\"b", "a\\b", "<script>", "é", "a,b", "a;b", "{}", "%0a", "", &long];
    let mut made = BTreeSet::new();
    for id in hostile {
        let got = running.ask("/", &[("x-correlation-id", id)]).await;
        let own = got.header("x-correlation-id").unwrap();
        assert!(own.len() == 24 && own.bytes().all(|b| b.is_ascii_hexdigit()), "{id}: {own}");
        made.insert(own.to_owned());
    }
    assert_eq!(made.len(), hostile.len(), "each has its own");
    // A hostile one does not hide a sound one.
    let got = running.ask("/", &[("x-correlation-id", "a b"), ("x-request-id", "sound")]).await;
    assert_eq!(got.header("x-correlation-id"), Some("sound"));
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let mut raw = running.connect().await;
    raw.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (status, head, body) = raw.answer_to("HEAD").await.unwrap();
    assert_eq!((status, &*body), (401, ""));
    assert!(head.contains("x-keyward-reason: missing_token"), "{head}");
    // Nothing of a body came: the next answer follows at once.
    raw.send(format!("HEAD / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", good_token())).await;
    assert_eq!(raw.answer_to("HEAD").await.unwrap().0, 200);
}

#[tokio::test]
async fn every_method_is_held_to_the_token() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    for method in ["GET", "OPTIONS", "TRACE", "PUT", "PATCH", "PROPFIND", "X"] {
        let mut raw = running.connect().await;
        raw.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(raw.answer().await.unwrap().0, 401, "{method}");
        let authorization = format!("Authorization: Bearer {}", good_token());
        raw.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n{authorization}\r\n\r\n")).await;
        assert_eq!(raw.answer().await.unwrap().0, 200, "{method}");
    }
}
