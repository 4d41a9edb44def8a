//! What is logged: what happened, to which request, and never a token, a claim or a secret.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use keyward_jose::{Algorithm, LocalSigner};
use serde_json::Value;

use crate::support::{
    Folder, KEY, OTHER_ISSUER, OTHER_KEY, STRANGERS_KEY, bearer, claims, config, expired_token, good_token,
    now, other_issuer, sign, with,
};

/// Where one test's log lines go.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

thread_local! {
    /// Each test, and its gateway, has a thread of its own.
    static LINES: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// Sends a thread's lines to its test, and those of threads that do not ask for them to nobody.
struct ByThread;

impl io::Write for ByThread {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        LINES.with_borrow(|lines| {
            if let Some(Lines(lines)) = lines {
                lines.lock().unwrap().extend_from_slice(octets);
            }
        });
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Takes this thread's lines, every one of them, as the gateway writes them.
    ///
    /// There is one subscriber for all: with one a thread, tracing would remember of a place in the code that
    /// nobody listens, where a thread without one came there first.
    pub(crate) fn capture() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(tracing::level_filters::LevelFilter::TRACE)
                .with_writer(|| ByThread)
                .init();
        });
        let lines = Self::default();
        LINES.set(Some(lines.clone()));
        lines
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of an event.
    pub(crate) fn of(&self, event: &str) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }
}

#[tokio::test]
async fn a_refusal_says_why_and_of_which_request() {
    let lines = Lines::capture();
    let folder = Folder::new();
    folder.write("other.json", "no key set");
    let running = folder.start(&config(&format!("{}[[route]]\npaths = [\"/a/\"]", other_issuer()))).await;
    let of_other = sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER));
    for (path, token, id) in
        [("/a/", &expired_token(), "id-1"), ("/b/", &"x".to_owned(), "id-2"), ("/a/", &of_other, "id-3")]
    {
        running.ask(path, &[("authorization", &bearer(token)), ("x-correlation-id", id)]).await;
    }
    running.ask("/a/..", &[("x-correlation-id", "id-4")]).await;
    running.ask("/a/", &[("x-correlation-id", "id 5")]).await;
    let failed = lines.of("jwt_validation_failed");
    let said: Vec<_> = failed
        .iter()
        .map(|line| {
            (
                line["level"].as_str(),
                line["reason"].as_str(),
                line["correlation_id"].as_str(),
                line["route"].as_u64(),
            )
        })
        .collect();
    assert_eq!(said[0], (Some("INFO"), Some("expired"), Some("id-1"), Some(1)));
    assert_eq!(said[1], (Some("INFO"), Some("malformed_token"), Some("id-2"), None));
    assert_eq!((said[2].1, said[2].3, said.len()), (Some("missing_token"), Some(1), 3));
    assert!(said[2].2.is_some_and(|id| id.len() == 24), "{said:?}");
    let undecided = lines.of("jwt_validation_undecided");
    assert_eq!(undecided.len(), 1);
    assert_eq!(
        (&undecided[0]["level"], &undecided[0]["reason"], &undecided[0]["correlation_id"]),
        (&"WARN".into(), &"keys_unavailable".into(), &"id-3".into())
    );
    let unclear = lines.of("request_unclear");
    assert_eq!((unclear.len(), &unclear[0]["correlation_id"]), (1, &"id-4".into()));
    assert_eq!(lines.of("jwks_refreshed").len(), 1);
    assert!(!lines.of("jwks_refresh_failed").is_empty());
    // Who is let in is counted, not logged.
    let events = || lines.text().lines().filter(|line| line.contains("\"event\":")).count();
    let before = events();
    running.ask_with(&good_token()).await;
    assert_eq!(events(), before, "{}", lines.text());
}

#[tokio::test]
async fn nothing_of_a_token_or_a_secret_is_in_a_line() {
    let lines = Lines::capture();
    let folder = Folder::new();
    folder.write("other.json", "no key set");
    let secret = "planted-secret-of-thirty-two-octets";
    folder.write("secret", secret);
    let routes = format!(
        "hmac_secret_file = \"secret\"\n{}[[route]]\npaths = [\"/scope/\"]\nscopes = [\"none\"]\n[[route]]\ncookie = \"planted\"\n\
         audiences = [\"api\"]\n[route.headers]\n\"X-Auth-Subject\" = \"/sub\"",
        other_issuer()
    );
    let mut running = folder.start(&config(&routes)).await;
    let planted = with(with(claims(), "sub", "planted-subject"), "email", "planted@mail.example");
    let tokens = [
        sign(&KEY, &planted),
        sign(&KEY, &with(planted.clone(), "exp", now() - 999)),
        sign(&KEY, &with(planted.clone(), "nbf", now() + 999)),
        sign(&KEY, &with(planted.clone(), "iat", now() + 999)),
        sign(&KEY, &with(planted.clone(), "iss", "https://planted.example")),
        sign(&KEY, &with(planted.clone(), "aud", "planted-audience")),
        sign(&STRANGERS_KEY, &planted),
        sign(&OTHER_KEY, &planted),
        sign(&OTHER_KEY, &with(planted.clone(), "iss", OTHER_ISSUER)),
        "planted-malformed".to_owned(),
        format!("planted-large{}", "x".repeat(20_000)),
        format!("eyJhbGciOiJub25lIn0.{}.", sign(&KEY, &planted).split('.').nth(1).unwrap()),
    ];
    for token in &tokens {
        for path in ["/", "/scope/", "/..", "/?access_token=planted-query"] {
            running.ask(path, &[("authorization", &bearer(token))]).await;
            running.ask(path, &[("cookie", &format!("planted={token}"))]).await;
            running
                .ask(path, &[("authorization", &bearer(token)), ("cookie", &format!("planted={token}"))])
                .await;
        }
        running
            .send(&[
                ("authorization", &bearer(token)),
                ("x-forwarded-uri", "/planted-a"),
                ("x-original-uri", "/planted-b"),
            ])
            .await;
    }
    running.ask("/", &[("authorization", "Basic planted-basic")]).await;
    running.ask("/", &[("x-correlation-id", "planted id"), ("x-request-id", "\"planted\"")]).await;
    // A reload that is refused, and one that is not.
    folder.write("secret", "planted-short");
    running.reloader.as_mut().unwrap().reload().unwrap_err();
    folder.write("secret", secret);
    running.reloader.as_mut().unwrap().reload().unwrap();
    running.operator("/debug/jwks-cache").await;
    running.operator("/metrics?planted-query").await;
    running.stop();
    running.ended().await;
    let text = lines.text();
    for event in [
        "jwt_validation_failed",
        "jwt_validation_undecided",
        "request_unclear",
        "config_refused",
        "config_reloaded",
        "gateway_draining",
    ] {
        assert!(!lines.of(event).is_empty(), "{event}");
    }
    for line in text.lines() {
        assert!(!line.to_lowercase().contains("planted"), "{line}");
        for token in &tokens {
            for part in token.split('.').filter(|part| part.len() > 20) {
                assert!(!line.contains(&part[..20]), "{line}");
            }
        }
    }
}

#[tokio::test]
async fn a_kid_is_named_where_an_issuer_published_it() {
    let lines = Lines::capture();
    let folder = Folder::new();
    let running = folder.start(&config(&other_issuer())).await;
    let unknown = LocalSigner::generate(Algorithm::EdDsa, Some("a-strangers-text")).unwrap();
    let of_other = with(claims(), "iss", OTHER_ISSUER);
    for (token, kid) in [
        (expired_token(), Some("main-1")),
        (sign(&STRANGERS_KEY, &claims()), Some("main-1")),
        (sign(&unknown, &with(claims(), "exp", now() - 999)), None),
        (sign(&unknown, &claims()), None),
        (sign(&OTHER_KEY, &with(of_other, "exp", now() - 999)), Some("other-1")),
        // Whoever the token says it is of: what is told is a text that is published.
        (sign(&KEY, &with(claims(), "iss", "https://unknown.example")), Some("main-1")),
        ("x".to_owned(), None),
    ] {
        running.ask_with(&token).await;
        let failed = lines.of("jwt_validation_failed");
        assert_eq!(failed.last().unwrap()["kid"].as_str(), kid, "{failed:?}");
    }
    assert!(!lines.text().contains("a-strangers-text"));
}

#[tokio::test]
async fn a_refused_configuration_is_loud_and_names_its_place() {
    let lines = Lines::capture();
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    folder.write("keyward.toml", "[log]\nlevel = \"loud\"");
    running.reloader.as_mut().unwrap().reload().unwrap_err();
    let refused = lines.of("config_refused");
    assert_eq!((refused.len(), &refused[0]["level"]), (1, &"ERROR".into()));
    assert!(
        refused[0]["message"].as_str().unwrap().contains("keyward.toml:2:9: unknown variant `loud`"),
        "{refused:?}"
    );
    for lasting in [
        config("").replacen("127.0.0.1:0", "127.0.0.1:1", 1),
        config("[log]\nlevel = \"debug\""),
        config("").replace("[gateway.limits]", "[gateway.limits]\nconnections = 5"),
        config("").replace("[gateway]", "[gateway]\nmetrics_namespace = \"other\""),
        config("[recorder]\ncapacity = 5"),
        config("[traces]\nendpoint = \"http://127.0.0.1:4318\""),
    ] {
        let before = lines.of("config_needs_restart").len();
        folder.write("keyward.toml", &lasting);
        running.reloader.as_mut().unwrap().reload().unwrap();
        assert_eq!(lines.of("config_needs_restart").len(), before + 1, "{lasting}");
    }
    folder.write("keyward.toml", &config("[[route]]"));
    running.reloader.as_mut().unwrap().reload().unwrap();
    assert_eq!(lines.of("config_needs_restart").len(), 6);
    assert_eq!(lines.of("config_reloaded").len(), 7);
}
