//! The way to an answer, and where it can end.

use std::time::Duration;

use keyward::IssuerSettings;
use keyward_doctor::facts::{BodyKind, Ended, Waited};
use keyward_doctor::probe::{Limits, look};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::Url;

use super::server::{Reply, Server, silent};
use super::{JWKS, Names, answer, attempt, jwk_set, key_set, key_set_reach, means, seen, seen_by, target};

/// An issuer without discovery, whose keys are at this address.
fn at(url: &str) -> IssuerSettings {
    IssuerSettings::jwks_uri("urn:test", Url::parse(url).unwrap())
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let facts = seen(at(&format!("http://{address}/jwks"))).await;
    assert_eq!(attempt(&facts).ended, Ended::ConnectRefused);
    assert_eq!((attempt(&facts).address, attempt(&facts).connect_ms), (address, None));
}

#[tokio::test]
async fn what_hangs_is_told_by_what_was_awaited() {
    // A full backlog: the system answers no further connection.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let full = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(full)).await {
        held.push(stream.unwrap());
        assert!(held.len() < 64, "the backlog is never full");
    }
    let facts = seen(at(&format!("http://{full}/jwks"))).await;
    assert_eq!(attempt(&facts).ended, Ended::TimedOut(Waited::Connection));

    let (mute, _holding) = silent().await;
    let facts = seen(at(&format!("http://{mute}/jwks"))).await;
    assert_eq!(attempt(&facts).ended, Ended::TimedOut(Waited::FirstOctet));
    assert!(attempt(&facts).connect_ms.is_some());
    let facts = seen(at(&format!("https://{mute}/jwks"))).await;
    assert_eq!(attempt(&facts).ended, Ended::TimedOut(Waited::Handshake));

    let server = Server::start().await;
    server.set(JWKS, Reply::Hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\": [".to_vec()));
    let facts = seen(at(&server.text(JWKS))).await;
    assert_eq!(attempt(&facts).ended, Ended::TimedOut(Waited::Body));
}

#[tokio::test]
async fn what_comes_is_told_by_its_form() {
    let server = Server::start().await;
    let page = "<!DOCTYPE html><title>503</title>";
    for (reply, status, kind) in [
        (Reply::json(&jwk_set()), 200, BodyKind::JsonObject),
        (Reply::json("{\"keys\": [{\"kty\""), 200, BodyKind::JsonBroken),
        (Reply::json(""), 200, BodyKind::Empty),
        (Reply::json("[]"), 200, BodyKind::Json),
        (Reply::of("503 Service Unavailable", "content-type: text/html\r\n", page), 503, BodyKind::Html),
        (Reply::of("401 Unauthorized", "", "who are you?"), 401, BodyKind::Other),
    ] {
        server.set(JWKS, reply);
        let facts = seen(at(&server.text(JWKS))).await;
        let answer = answer(attempt(&facts));
        assert_eq!((answer.status, answer.body.kind), (status, kind));
        let sets = key_set(&facts).answers.len();
        assert_eq!(sets > 0, status == 200 && kind == BodyKind::JsonObject, "{kind:?}");
        let is_told = key_set(&facts).trouble.is_some();
        assert_eq!(is_told, status == 200 && kind != BodyKind::JsonObject, "{kind:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_answer() {
    let server = Server::start().await;
    for (octets, ended) in [
        ("", Ended::BrokeOff),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\"", Ended::BrokeOff),
        ("HTTP/1.1 200", Ended::BrokeOff),
        ("220 mail.example ESMTP\r\n\r\n", Ended::NotHttp),
    ] {
        server.set(JWKS, Reply::raw(octets));
        let facts = seen(at(&server.text(JWKS))).await;
        assert_eq!(attempt(&facts).ended, ended, "{octets:?}");
    }
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_the_limit() {
    let server = Server::start().await;
    server.set(JWKS, Reply::json(&format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(5000))));
    let mut target = target(at(&server.text(JWKS)));
    target.limits.body = 1000;
    let facts = look(&target, &means(Names::default())).await.issuers.remove(0);
    let body = &answer(attempt(&facts)).body;
    assert_eq!((body.octets, body.over_limit, body.kind), (1000, true, BodyKind::JsonObject));
    assert_eq!((&key_set(&facts).answers[..], &key_set(&facts).trouble), (&[][..], &None));

    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(200_000));
    server.set(JWKS, Reply::raw(&endless));
    let facts = seen(at(&server.text(JWKS))).await;
    assert!(matches!(attempt(&facts).ended, Ended::NotHttp), "{:?}", attempt(&facts).ended);
}

#[tokio::test]
async fn each_address_of_a_name_is_tried_and_a_dead_one_costs_only_itself() {
    let server = Server::at("127.0.0.1:0").await;
    let port = server.address.port();
    server.set(JWKS, Reply::json(&jwk_set()));
    let names = Names::of("idp.example", &["127.0.0.2", "127.0.0.1"]);
    let settings = at(&format!("https://idp.example:{port}/jwks")).allow_host("idp.example".parse().unwrap());
    // Nobody listens at the first one, and the other one speaks no TLS.
    let facts = seen_by(settings, names).await;
    let attempts = &key_set_reach(&facts).attempts;
    assert_eq!(attempts[0].ended, Ended::ConnectRefused);
    assert_eq!(attempts[1].ended, Ended::TlsFailed);

    let names = Names::of("idp.localhost", &["127.0.0.2", "127.0.0.1"]);
    let facts = seen_by(at(&format!("http://idp.localhost:{port}/jwks")), names).await;
    let attempts = &key_set_reach(&facts).attempts;
    assert_eq!(
        attempts.iter().map(|one| one.address.to_string()).collect::<Vec<_>>(),
        [format!("127.0.0.2:{port}"), format!("127.0.0.1:{port}"),]
    );
    assert_eq!(attempts[0].ended, Ended::ConnectRefused);
    assert_eq!(answer(&attempts[1]).status, 200);
    // The address that answered was asked twice, and no other.
    let answered: Vec<_> = key_set(&facts).answers.iter().map(|one| one.address.unwrap()).collect();
    assert_eq!(answered, [server.address, server.address]);
}

#[tokio::test]
async fn addresses_that_answer_otherwise_are_told_apart() {
    let first = Server::at("127.0.0.1:0").await;
    let second = Server::at(&format!("127.0.0.2:{}", first.address.port())).await;
    first.set(JWKS, Reply::json(&jwk_set()));
    second.set(JWKS, Reply::json(r#"{"keys": []}"#));
    let names = Names::of("idp.localhost", &["127.0.0.1", "127.0.0.2"]);
    let url = format!("http://idp.localhost:{}/jwks", first.address.port());
    let facts = seen_by(at(&url), names).await;
    let keys: Vec<_> =
        key_set(&facts).answers.iter().map(|one| (one.address.unwrap(), one.keys.len())).collect();
    assert_eq!(keys, [(first.address, 1), (second.address, 0), (first.address, 1)]);
    assert_eq!((first.hits(JWKS), second.hits(JWKS)), (2, 1));
}

#[tokio::test]
async fn a_provider_that_answers_now_and_then_is_seen_to() {
    let server = Server::start().await;
    let fails = Reply::of("503 Service Unavailable", "", "");
    let well = Reply::json(&jwk_set());
    for (replies, first, second) in
        [(vec![well.clone(), fails.clone()], 200, 503), (vec![fails.clone(), well.clone()], 503, 200)]
    {
        let server = Server::start().await;
        server.set(JWKS, Reply::InTurn(replies));
        let facts = seen(at(&server.text(JWKS))).await;
        assert_eq!((answer(attempt(&facts)).status, key_set(&facts).answers.len()), (first, 1));
        let again = key_set(&facts).again.clone().unwrap();
        assert!(matches!(again, Ended::Answered(answer) if answer.status == second));
    }
    // Who gave no answer is not asked again.
    server.set(JWKS, Reply::raw(""));
    assert_eq!(key_set(&seen(at(&server.text(JWKS))).await).again, None);
    assert_eq!(server.hits(JWKS), 1);
}

#[tokio::test]
async fn no_more_addresses_are_tried_than_the_limit() {
    let all: Vec<String> = (1..=20).map(|last| format!("127.0.1.{last}")).collect();
    let names = Names::of("idp.localhost", &all.iter().map(String::as_str).collect::<Vec<_>>());
    let facts = seen_by(at("http://idp.localhost:1/jwks"), names).await;
    assert_eq!(key_set_reach(&facts).attempts.len(), Limits::default().addresses);
}
