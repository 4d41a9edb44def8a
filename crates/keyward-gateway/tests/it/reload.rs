//! A new configuration takes the old one's place as a whole, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyward_gateway::RunError;

use crate::support::{
    Folder, KEY, OTHER_ISSUER, OTHER_KEY, Running, bearer, claims, config, good_token, key_set, other_issuer,
    sign, until, with,
};

const LOOK: Duration = Duration::from_millis(10);

const REFUSED: &str = "keyward_config_reloads_total{outcome=\"refused\"}";
const RELOADED: &str = "keyward_config_reloads_total{outcome=\"reloaded\"}";

/// Lets the gateway look at its files, often.
fn watch(running: &mut Running) {
    tokio::spawn(running.reloader.take().unwrap().look_every(LOOK).run());
}

#[tokio::test]
async fn a_changed_file_takes_effect() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    watch(&mut running);
    assert_eq!(running.ask("/", &[]).await.status, 401);
    folder.write("keyward.toml", &config("[[route]]\naccess = \"public\""));
    until(async || running.ask("/", &[]).await.status == 200).await;
    folder.write("keyward.toml", &config("[[route]]\nscopes = [\"admin\"]"));
    until(async || running.ask_with(&good_token()).await.status == 403).await;
    assert_eq!(running.metric(RELOADED).await, Some(2.0));
    // Without a change nothing is loaded.
    tokio::time::sleep(10 * LOOK).await;
    assert_eq!(running.metric(RELOADED).await, Some(2.0));
    assert_eq!(running.metric(REFUSED).await, Some(0.0));
}

#[tokio::test]
async fn a_changed_secret_takes_effect() {
    let folder = Folder::new();
    let text = config("hmac_secret_file = \"secret\"");
    let mut running = folder.start(&text).await;
    watch(&mut running);
    let signed_with = |secret: &str| {
        let signer =
            keyward_jose::LocalSigner::from_secret(keyward_jose::Algorithm::Hs256, None, secret.as_bytes());
        sign(&signer.unwrap(), &claims())
    };
    let old = signed_with(crate::support::SECRET);
    assert_eq!(running.ask_with(&old).await.status, 200);
    let new_secret = "another secret of the same length";
    folder.write("secret", new_secret);
    until(async || running.ask_with(&signed_with(new_secret)).await.status == 200).await;
    // Remembered or not, what the old one signed is no longer good.
    assert_eq!(running.ask_with(&old).await.reason(), Some("invalid_signature"));
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_old_one_goes_on() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    let path = folder.path("keyward.toml");
    let mut reloader = running.reloader.take().unwrap();
    let mut refused = 0.0;
    for bad in [
        "[[route",
        "",
        "[gateway]\nlissten = \"a\"",
        &config("[[route]]\npaths = [\"api\"]"),
        &config("").replace("keys.json", "missing"),
    ] {
        folder.write("keyward.toml", bad);
        let error = reloader.reload().unwrap_err();
        assert!(matches!(error, RunError::Config(_)), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
        refused += 1.0;
        assert_eq!(running.metric(REFUSED).await, Some(refused));
        assert_eq!(running.metric("keyward_config_refused").await, Some(1.0));
        assert_eq!(running.ask_with(&good_token()).await.status, 200);
        assert_eq!(running.ask("/", &[]).await.status, 401);
    }
    std::fs::remove_file(&path).unwrap();
    assert!(reloader.reload().is_err());
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    folder.write("keyward.toml", &config("[[route]]\naccess = \"public\""));
    reloader.reload().unwrap();
    assert_eq!(running.metric("keyward_config_refused").await, Some(0.0));
    assert_eq!(running.ask("/", &[]).await.status, 200);
}

#[tokio::test]
async fn a_bad_file_is_tried_once_and_its_repair_is_seen() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    watch(&mut running);
    folder.write("keyward.toml", "[[route");
    until(async || running.metric(REFUSED).await.is_some()).await;
    tokio::time::sleep(10 * LOOK).await;
    assert_eq!(running.metric(REFUSED).await, Some(1.0));
    folder.write("keyward.toml", &config("[[route]]\naccess = \"public\""));
    until(async || running.ask("/", &[]).await.status == 200).await;
}

#[tokio::test]
async fn a_file_that_comes_later_than_the_configuration_that_names_it_is_waited_for() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    watch(&mut running);
    folder.write("keyward.toml", &config("hmac_secret_file = \"late\"\n[[route]]\naccess = \"public\""));
    until(async || running.metric(REFUSED).await.is_some()).await;
    assert_eq!(running.ask("/", &[]).await.status, 401);
    folder.write("late", crate::support::SECRET);
    until(async || running.ask("/", &[]).await.status == 200).await;
}

#[tokio::test]
async fn a_replacement_of_the_same_time_and_length_is_seen() {
    let folder = Folder::new();
    let mut running = folder.start(&config("# 1")).await;
    watch(&mut running);
    let path = folder.path("keyward.toml");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    // As `cp -p` or a rollout from an image does.
    std::fs::write(folder.path("copy"), config("# 2")).unwrap();
    std::fs::File::options().write(true).open(folder.path("copy")).unwrap().set_modified(modified).unwrap();
    std::fs::rename(folder.path("copy"), &path).unwrap();
    until(async || running.metric(RELOADED).await == Some(1.0)).await;
}

#[tokio::test]
async fn a_changed_key_file_takes_effect() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    watch(&mut running);
    let token = good_token();
    assert_eq!(running.ask_with(&token).await.status, 200);
    // A key that is taken out of the file stops verifying, also what was remembered.
    folder.write("keys.json", &key_set(&[&OTHER_KEY]));
    until(async || running.ask_with(&token).await.status == 401).await;
    assert_eq!(running.ask_with(&sign(&OTHER_KEY, &claims())).await.status, 200);
    // A file that is broken removes none.
    folder.write("keys.json", "no key set");
    until(async || running.metric(RELOADED).await == Some(2.0)).await;
    let failed = "keyward_jwks_refreshes_total{issuer=\"main\",outcome=\"malformed\"}";
    until(async || running.metric(failed).await >= Some(1.0)).await;
    assert_eq!(running.ask_with(&sign(&OTHER_KEY, &claims())).await.status, 200);
}

/// A server of key sets that counts how often it was asked.
async fn counting_issuer() -> (String, Arc<AtomicU64>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            if stream.read(&mut head).await.is_ok_and(|octets| octets > 0) {
                counter.fetch_add(1, Ordering::Relaxed);
                let set = key_set(&[&KEY]);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{set}",
                    set.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (uri, asked)
}

#[tokio::test]
async fn keys_carry_over_without_a_fetch() {
    let (uri, asked) = counting_issuer().await;
    let folder = Folder::new();
    let text =
        |rest: &str| config(rest).replace("jwks_file = \"keys.json\"", &format!("jwks_uri = \"{uri}\""));
    let mut running = folder.start(&text("")).await;
    let mut reloader = running.reloader.take().unwrap();
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    for change in
        ["audiences = [\"api\"]", "leeway = \"5s\"\n[[route]]\nscopes = [\"read\"]", &other_issuer(), ""]
    {
        folder.write("keyward.toml", &text(change));
        reloader.reload().unwrap();
        assert_eq!(running.ask_with(&good_token()).await.status, 200, "{change}");
        assert_eq!(running.readiness().await.0, 200);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // What a token must say is told by the new configuration at once, whatever is remembered.
    let token = good_token();
    assert_eq!(running.ask_with(&token).await.status, 200);
    folder.write("keyward.toml", &text("audiences = [\"files\"]"));
    reloader.reload().unwrap();
    assert_eq!(running.ask_with(&token).await.reason(), Some("wrong_audience"));
}

#[tokio::test]
async fn a_denied_key_is_refused_at_once_and_taken_back_at_once() {
    let (uri, asked) = counting_issuer().await;
    let folder = Folder::new();
    let text =
        |rest: &str| config(rest).replace("jwks_file = \"keys.json\"", &format!("jwks_uri = \"{uri}\""));
    let mut running = folder.start(&text("")).await;
    let mut reloader = running.reloader.take().unwrap();
    let token = good_token();
    assert_eq!(running.ask_with(&token).await.status, 200);
    let nobody = serde_json::json!([]);
    for (deny, refused, shown) in [
        ("deny = [\"main-1\"]", true, serde_json::json!(["main-1"])),
        ("deny = [\"other\"]", false, serde_json::json!(["other"])),
        ("deny = [\"other\", \"main-1\"]", true, serde_json::json!(["other", "main-1"])),
        ("", false, nobody),
    ] {
        folder.write("keyward.toml", &text(deny));
        reloader.reload().unwrap();
        // One that was accepted a moment ago, and one that was never seen.
        for token in [&token, &good_token()] {
            let got = running.ask_with(token).await;
            let expected = if refused { (401, Some("revoked")) } else { (200, None) };
            assert_eq!((got.status, got.reason()), expected, "{deny}");
        }
        let cache = running.operator("/debug/jwks-cache").await.json();
        assert_eq!(cache[0]["denied_kids"], shown);
        // It is published still, and nobody had to ask for that.
        assert_eq!(cache[0]["keys"][0]["kid"], "main-1");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_issuer_that_is_gone_is_gone_from_everywhere() {
    let folder = Folder::new();
    let mut running = folder.start(&config(&other_issuer())).await;
    let of_other = sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER));
    assert_eq!(running.ask_with(&of_other).await.status, 200);
    assert!(running.operator("/metrics").await.body.contains("keyward_jwks_usable{issuer=\"other\"} 1"));
    folder.write("keyward.toml", &config(""));
    running.reloader.as_mut().unwrap().reload().unwrap();
    assert_eq!(running.ask_with(&of_other).await.reason(), Some("unknown_issuer"));
    assert_eq!(running.operator("/debug/jwks-cache").await.json().as_array().unwrap().len(), 1);
    assert_eq!(running.operator("/readyz").await.json()["issuers"].as_array().unwrap().len(), 1);
    // A gauge that stays would keep an alert firing, or silent.
    let metrics = running.operator("/metrics").await.body;
    let gauges: Vec<_> = metrics
        .lines()
        .filter(|line| line.contains("issuer=\"other\"") && !line.contains("_total"))
        .collect();
    assert_eq!(gauges, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_by_the_old_or_the_new_configuration() {
    const CLIENTS: usize = 8;
    let folder = Folder::new();
    // One sends the subject and wants a token; the other knows the second issuer, and sends the issuer.
    let texts = [
        config("[[route]]\npaths = [\"/a/\"]\n[route.headers]\n\"X-Auth-Subject\" = \"/sub\""),
        config(&format!(
            "{}[[route]]\npaths = [\"/b/\"]\n[[route]]\n[route.headers]\n\"X-Auth-Issuer\" = \"/iss\"",
            other_issuer()
        )),
    ];
    let mut running = folder.start(&texts[0]).await;
    let mut reloader = running.reloader.take().unwrap();
    let running = Arc::new(running);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (running, done) = (Arc::clone(&running), Arc::clone(&done));
            tokio::spawn(async move {
                let (good, of_other) = (good_token(), sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER)));
                let mut seen = [0_u64; 2];
                while !done.load(Ordering::Relaxed) {
                    let got = running.ask("/a/x", &[("authorization", &bearer(&good))]).await;
                    assert_eq!(got.status, 200, "{client}: {}", got.body);
                    match (got.header("x-auth-subject"), got.header("x-auth-issuer")) {
                        (Some("alice"), None) => seen[0] += 1,
                        (None, Some("https://idp.example")) => seen[1] += 1,
                        other => panic!("a mixture: {other:?}"),
                    }
                    let got = running.ask("/a/x", &[("authorization", &bearer(&of_other))]).await;
                    match (got.status, got.header("x-auth-subject"), got.header("x-auth-issuer")) {
                        (401, Some(""), None) => assert_eq!(got.reason(), Some("unknown_issuer")),
                        (200, None, Some("https://other.example")) => {}
                        other => panic!("a mixture: {other:?} {}", got.body),
                    }
                }
                seen
            })
        })
        .collect();
    for reload in 0..100 {
        folder.write("keyward.toml", &texts[(reload + 1) % 2]);
        reloader.reload().unwrap();
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    done.store(true, Ordering::Relaxed);
    let mut seen = [0; 2];
    for client in clients {
        let [old, new] = client.await.unwrap();
        seen = [seen[0] + old, seen[1] + new];
    }
    assert!(seen.iter().all(|count| *count > 200), "{seen:?}");
    assert_eq!(running.metric(RELOADED).await, Some(100.0));
}
