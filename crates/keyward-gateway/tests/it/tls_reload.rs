//! Certificates, keys and authorities change while connections are open.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::pki::{Authority, Certified, Client};
use crate::support::{config, until};
use crate::tls::{ASKS, TLS, certify, folder, good_request};

#[tokio::test]
async fn open_connections_go_on_and_new_ones_see_the_new_certificate() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let folder = folder(&old, &old);
    let mut running = folder.start(&(config("") + TLS)).await;
    let mut reloader = running.reloader.take().unwrap();
    let (trusts_old, trusts_new) = (Client::new(&old, None), Client::new(&new, None));
    let mut open = trusts_old.connect(running.address).await.unwrap();
    let mut shaking = running.connect().await;
    shaking.send(b"\x16").await;

    certify(&folder, &new.server());
    reloader.reload().unwrap();
    open.send(good_request()).await;
    assert_eq!(open.answer().await.unwrap().0, 200);
    assert_eq!(trusts_new.ask(running.address, &good_request()).await, Some(200));
    assert_eq!(trusts_old.ask(running.address, &good_request()).await, None);

    // A file that cannot be used changes nothing: here a key that is another certificate's.
    folder.write_secret("tls.key", &old.server().key_pem());
    reloader.reload().unwrap_err();
    folder.write("tls.pem", "no certificate");
    reloader.reload().unwrap_err();
    std::fs::remove_file(folder.path("tls.pem")).unwrap();
    reloader.reload().unwrap_err();
    assert_eq!(trusts_new.ask(running.address, &good_request()).await, Some(200));
    open.send(good_request()).await;
    assert_eq!(open.answer().await.unwrap().0, 200);
}

#[tokio::test]
async fn a_changed_certificate_key_or_authority_is_seen() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let folder = folder(&old, &old);
    let mut running = folder.start(&format!("{}{TLS}{ASKS}\"required\"", config(""))).await;
    let reloader = running.reloader.take().unwrap();
    tokio::spawn(reloader.look_every(std::time::Duration::from_millis(10)).run());
    certify(&folder, &new.server());
    let of_old = Client::new(&new, Some(&old.client("alice")));
    until(async || of_old.ask(running.address, &good_request()).await == Some(200)).await;
    folder.write("clients.pem", &new.pem());
    until(async || of_old.ask(running.address, &good_request()).await.is_none()).await;
    let of_new = Client::new(&new, Some(&new.client("alice")));
    assert_eq!(of_new.ask(running.address, &good_request()).await, Some(200));
}

#[tokio::test]
async fn tls_itself_comes_and_goes_with_the_configuration() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let mut running = folder.start(&config("")).await;
    let mut reloader = running.reloader.take().unwrap();
    let mut plain = running.connect().await;
    plain.send(good_request()).await;
    assert_eq!(plain.answer().await.unwrap().0, 200);
    folder.write("keyward.toml", &(config("") + TLS));
    reloader.reload().unwrap();
    assert_eq!(Client::new(&servers, None).ask(running.address, &good_request()).await, Some(200));
    plain.send(good_request()).await;
    assert_eq!(plain.answer().await.unwrap().0, 200);
}

/// Two connections of one client, the second after `change`: how each shook hands, and its answer.
async fn twice(
    client: &Client,
    address: std::net::SocketAddr,
    change: impl FnOnce(),
) -> [(Option<HandshakeKind>, Option<u16>); 2] {
    let mut outcomes = [(None, None); 2];
    let mut change = Some(change);
    for outcome in &mut outcomes {
        if let Ok(mut raw) = client.connect(address).await {
            if raw.try_send(good_request()).await.is_ok() {
                outcome.1 = raw.answer().await.map(|answer| answer.0);
            }
            outcome.0 = raw.stream.get_ref().1.handshake_kind();
        }
        if let Some(change) = change.take() {
            change();
        }
    }
    outcomes
}

/// A server that answers 200 to whoever shows a certificate by `authorities`, one after the other with each
/// connection. What it is made of is all that rustls' documentation asks for.
async fn naive(
    certified: &Certified,
    authorities: [&Authority; 2],
    sessions: [Arc<dyn StoresServerSessions>; 2],
) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let configs = [0, 1].map(|place| {
        let mut anchors = RootCertStore::empty();
        anchors.add(authorities[place].der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&provider));
        let key = PrivateKeyDer::try_from(certified.key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![certified.der().clone()], key)
            .unwrap();
        config.session_storage = Arc::clone(&sessions[place]);
        Arc::new(config)
    });
    tokio::spawn(async move {
        for config in configs {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return };
                assert!(stream.get_ref().1.peer_certificates().is_some());
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_resumed_session_carries_no_identity_past_a_change_of_the_trust_store() {
    let (servers, old, new) = (Authority::new("servers"), Authority::new("old"), Authority::new("new"));
    let alice = old.client("alice");
    let server = servers.server();
    let resumed = (Some(HandshakeKind::Resumed), Some(200));
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let client = || Client::speaking(&servers, Some(&alice), versions);
        // What must not be: the sessions outlive the anchors, and the old client is let in by the new ones.
        let sessions = ServerSessionMemoryCache::new(32);
        let address = naive(&server, [&old, &new], [sessions.clone(), sessions]).await;
        assert_eq!(twice(&client(), address, || ()).await[1], resumed, "{versions:?}");

        for asked in ["optional", "required"] {
            let folder = folder(&servers, &old);
            certify(&folder, &server);
            let mut running = folder.start(&format!("{}{TLS}{ASKS}\"{asked}\"", config(""))).await;
            let mut reloader = running.reloader.take().unwrap();
            let full = (Some(HandshakeKind::Full), Some(200));
            // Without a change a session is not resumed, either: the certificate may be over meanwhile.
            assert_eq!(twice(&client(), running.address, || ()).await, [full, full], "{asked} {versions:?}");
            let [first, second] = twice(&client(), running.address, || {
                folder.write("clients.pem", &new.pem());
                reloader.reload().unwrap();
            })
            .await;
            assert_eq!((first, second.1), (full, None), "{asked} {versions:?}");
        }
    }
}

#[tokio::test]
async fn where_no_certificate_is_asked_for_sessions_are_resumed() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let mut running = folder.start(&(config("") + TLS)).await;
    let mut reloader = running.reloader.take().unwrap();
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let client = Client::speaking(&servers, None, versions);
        let [_, second] = twice(&client, running.address, || ()).await;
        assert_eq!(second, (Some(HandshakeKind::Resumed), Some(200)), "{versions:?}");
    }
    // One of before certificates were asked for is of no use after.
    let client = Client::new(&servers, None);
    let asks = format!("{}{TLS}{ASKS}\"required\"", config(""));
    let [_, second] = twice(&client, running.address, || {
        folder.write("keyward.toml", &asks);
        reloader.reload().unwrap();
    })
    .await;
    assert_eq!(second.1, None);
}
