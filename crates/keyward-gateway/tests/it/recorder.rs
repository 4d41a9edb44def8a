//! The flight recorder: what was decided last, what has changed, and how much of what there was.

use keyward_doctor::facts::{GatewayIssuer, RecordedTransition, RecorderFacts};
use serde_json::{Value, json};

use crate::logs::Lines;
use crate::provider::{Mood, Provider};
use crate::support::{
    Folder, OTHER_KEY, STRANGERS_KEY, bearer, claims, config, expired_token, good_token, other_issuer, sign,
    until, with,
};

/// What a recording counts of one verdict.
fn counted(recording: &Value, verdict: &str, reason: Option<&str>) -> Option<u64> {
    let counts = recording["verdicts"].as_array().unwrap();
    let of_it = counts.iter().find(|count| count["verdict"] == verdict && count["reason"] == json!(reason));
    of_it.map(|count| count["count"].as_u64().unwrap())
}

#[tokio::test]
async fn verdicts_are_counted_and_the_last_are_told_in_short() {
    let folder = Folder::new();
    let running = folder.start(&config("[[route]]\npaths = [\"/a\"]")).await;
    let (good, expired) = (bearer(&good_token()), bearer(&expired_token()));
    for (path, sent) in [("/a", &good), ("/a", &good), ("/b", &good), ("/b", &expired), ("/a", &expired)] {
        running.ask(path, &[("authorization", sent)]).await;
    }
    running.ask("/b", &[]).await;
    running.ask("/..", &[("authorization", &good)]).await;
    let recording = running.operator("/debug/recorder").await.json();
    assert_eq!(counted(&recording, "accept", None), Some(3));
    assert_eq!(counted(&recording, "reject", Some("expired")), Some(2));
    assert_eq!(counted(&recording, "reject", Some("missing_token")), Some(1));
    assert_eq!(recording["verdicts"].as_array().unwrap().len(), 3, "what there was none of is left out");
    assert_eq!((&recording["unclear"], &recording["missed"]), (&json!(1), &json!(0)));
    assert_eq!(recording["version"], env!("CARGO_PKG_VERSION"));
    assert!(recording["since_seconds"].as_u64().unwrap() <= recording["up_seconds"].as_u64().unwrap());
    let recent = recording["recent"].as_array().unwrap();
    let told = |member: &str| recent.iter().map(|verdict| verdict[member].clone()).collect::<Vec<_>>();
    // The last first.
    assert_eq!(told("verdict"), ["reject", "reject", "reject", "accept", "accept", "accept"]);
    assert_eq!(
        told("reason"),
        [json!("missing_token"), json!("expired"), json!("expired"), Value::Null, Value::Null, Value::Null]
    );
    assert_eq!(told("route"), [Value::Null, json!(1), Value::Null, Value::Null, json!(1), json!(1)]);
    // Remembered by requirement: the route without one of its own had not seen it.
    assert_eq!(told("source")[3..], ["keys", "remembered", "keys"]);
    assert_eq!(told("issuer")[3..], ["main", "main", "main"]);
    assert_eq!(told("issuer")[..3], [Value::Null, Value::Null, Value::Null]);
    assert_eq!(told("kid")[1..], ["main-1", "main-1", "main-1", "main-1", "main-1"]);
    assert!(recent.iter().all(|verdict| verdict["took_us"].is_u64() && verdict["seconds_ago"].is_f64()));
    let fewer = running.operator("/debug/recorder?since=600&recent=2").await.json();
    assert_eq!(fewer["recent"].as_array().unwrap().len(), 2);
    assert_eq!(counted(&fewer, "accept", None), Some(3));
}

#[tokio::test]
async fn what_changes_is_told_with_its_cause_and_when_it_began() {
    let folder = Folder::new();
    folder.write("other.json", "no key set");
    let mut running = folder.start(&config(&other_issuer())).await;
    let of = |recording: &Value, issuer: Value| {
        let all = recording["transitions"].as_array().unwrap().clone();
        all.into_iter().filter(|transition| transition["issuer"] == issuer).collect::<Vec<_>>()
    };
    let recording = running.operator("/debug/recorder").await.json();
    let main = of(&recording, json!("main"));
    assert_eq!(
        (main.len(), &main[0]["event"], &main[0]["cause"]),
        (1, &json!("jwks_refreshed"), &Value::Null)
    );
    assert_eq!(main[0]["added"], json!(["main-1"]));
    assert!(main[0]["at"].as_str().unwrap().ends_with('Z') && main[0]["seconds_ago"].is_u64());
    let other = of(&recording, json!("other"));
    assert_eq!(other.len(), 1, "{other:?}");
    assert_eq!(
        (&other[0]["event"], &other[0]["cause"]),
        (&json!("jwks_refresh_failed"), &json!("malformed"))
    );
    assert!(other[0]["times"].as_u64().unwrap() >= 1);
    running.reloader.as_mut().unwrap().reload().unwrap();
    folder.write("keyward.toml", "nonsense");
    running.reloader.as_mut().unwrap().reload().unwrap_err();
    let of_gateway = of(&running.operator("/debug/recorder").await.json(), Value::Null);
    let events: Vec<_> = of_gateway.iter().map(|transition| &transition["event"]).collect();
    assert_eq!(events, ["config_refused", "config_reloaded"]);
}

#[tokio::test]
async fn fallbacks_are_counted_by_issuer_and_cause() {
    let folder = Folder::new();
    folder.write_secret("client-secret", "planted-secret\n");
    let provider = Provider::start().await;
    provider.is(Mood::Status(500, 0));
    let fallback = "[issuer.fallback]\ngives_up = [\"revocation\"]\nheader = \"x-keyward-fallback\"\n";
    let tables = provider.tables("timeout = \"400ms\"");
    let running = folder
        .start(&config(&format!("strategy = \"introspection_then_key_set\"\n{tables}{fallback}")))
        .await;
    for _ in 0..3 {
        assert_eq!(running.ask_with(&good_token()).await.status, 200);
    }
    let recording = running.operator("/debug/recorder").await.json();
    assert_eq!(recording["fallbacks"], json!([{ "issuer": "main", "cause": "unavailable", "count": 3 }]));
    let last = &recording["recent"][0];
    assert_eq!((&last["source"], &last["cause"]), (&json!("fallback"), &json!("unavailable")));
    let transitions = recording["transitions"].as_array().unwrap();
    let failed = transitions.iter().find(|transition| transition["event"] == "introspection_failed");
    assert_eq!(failed.unwrap()["cause"], "unavailable");
}

#[tokio::test]
async fn the_doctor_reads_what_is_told() {
    let folder = Folder::new();
    folder.write("other.json", "no key set");
    let running = folder.start(&config(&other_issuer())).await;
    running.ask_with(&good_token()).await;
    running.ask_with(&expired_token()).await;
    let recorded = running.operator("/debug/recorder").await.body;
    let recorded: RecorderFacts = serde_json::from_str(&recorded).unwrap();
    let counts: Vec<_> = recorded
        .verdicts
        .iter()
        .map(|verdict| (&*verdict.verdict, verdict.reason.as_deref(), verdict.count))
        .collect();
    assert_eq!(counts, [("accept", None, 1), ("reject", Some("expired"), 1)]);
    let failed = |transition: &&RecordedTransition| transition.issuer.as_deref() == Some("other");
    let failed = recorded.transitions.iter().find(failed).unwrap();
    assert_eq!((&*failed.event, failed.cause.as_deref()), ("jwks_refresh_failed", Some("malformed")));
    let issuers = running.operator("/debug/jwks-cache").await.body;
    let issuers: Vec<GatewayIssuer> = serde_json::from_str(&issuers).unwrap();
    assert_eq!((&issuers[0].failing, &issuers[0].last_error), (&None, &None));
    assert_eq!(issuers[1].failing.as_deref(), Some("malformed"));
    assert!(issuers[1].last_error.is_some() && issuers[1].clock_ahead_seconds.is_none());
}

#[tokio::test]
async fn a_strangers_text_is_in_no_recording() {
    let folder = Folder::new();
    let running = folder.start(&config(&other_issuer())).await;
    let strangers =
        keyward_jose::LocalSigner::generate(keyward_jose::Algorithm::EdDsa, Some("planted-kid")).unwrap();
    let planted = with(with(claims(), "sub", "planted-subject"), "jti", "planted-id");
    for token in [
        sign(&crate::support::KEY, &planted),
        sign(&STRANGERS_KEY, &with(planted.clone(), "iss", "https://planted.example")),
        sign(&strangers, &planted),
        "planted-token".to_owned(),
    ] {
        for path in ["/", "/planted-path", "/.."] {
            let headers = [("authorization", &*bearer(&token)), ("x-correlation-id", "planted-correlation")];
            running.ask(path, &headers).await;
        }
    }
    let got = running.operator("/debug/recorder?since=600&recent=99999").await;
    assert_eq!(got.json()["recent"].as_array().unwrap().len(), 12);
    assert!(!got.body.contains("planted"), "{}", got.body);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    for (query, named) in
        [("since=5m", "since"), ("since=0", "since"), ("recent=-1", "recent"), ("planted=5", "since")]
    {
        let got = running.operator(&format!("/debug/recorder?{query}")).await;
        assert_eq!(got.status, 400, "{query}");
        assert!(got.json()["error"].as_str().unwrap().contains(named), "{}", got.body);
        assert!(!got.body.contains("planted"), "{}", got.body);
    }
    assert_eq!(
        running
            .client
            .post(format!("http://{}/debug/recorder", running.admin))
            .send()
            .await
            .unwrap()
            .status(),
        405
    );
}

/// Sends SIGUSR1 to this very process, in which only gateways that are run listen for it.
fn ask_by_signal() {
    let process = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-USR1", &process]).status().unwrap().success());
}

/// Runs a gateway as the command line does, and asks for its recording.
async fn run_and_ask(folder: &Folder, text: &str, is_kept: impl Fn(&Lines) -> bool) -> Lines {
    let lines = Lines::capture();
    folder.write("keyward.toml", text);
    let path = folder.path("keyward.toml");
    let running = tokio::spawn(async move { keyward_gateway::run(&path).await });
    until(async || !lines.of("gateway_started").is_empty()).await;
    ask_by_signal();
    until(async || is_kept(&lines)).await;
    running.abort();
    lines
}

#[tokio::test]
async fn a_signal_keeps_what_is_recorded_in_a_file() {
    let folder = Folder::new();
    let recordings = folder.path("recordings");
    let files = || {
        std::fs::read_dir(&recordings).map(|files| files.flatten().collect::<Vec<_>>()).unwrap_or_default()
    };
    let is_kept = |_: &Lines| {
        files().iter().any(|file| file.file_name().to_str().unwrap().starts_with("keyward-recorder-"))
    };
    run_and_ask(&folder, &config("[recorder]\nfolder = \"recordings\""), is_kept).await;
    let text = std::fs::read_to_string(files()[0].path()).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&content["dumped_for"], &content["version"]),
        (&json!("signal"), &json!(env!("CARGO_PKG_VERSION")))
    );
    assert!(content["transitions"].is_array() && content["recent"].is_array());
}

#[tokio::test]
async fn a_signal_tells_the_counts_where_there_is_no_folder() {
    let folder = Folder::new();
    let is_told = |lines: &Lines| !lines.of("recorder_dumped").is_empty();
    let told = run_and_ask(&folder, &config("[recorder]\ncapacity = 0"), is_told).await.of("recorder_dumped");
    for (field, value) in [
        ("level", json!("INFO")),
        ("cause", json!("signal")),
        ("accepted", json!(0)),
        ("fallbacks", json!(0)),
    ] {
        assert_eq!(told[0][field], value, "{told:?}");
    }
    assert!(told[0].get("path").is_none());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_told() {
    let folder = Folder::new();
    folder.write("recordings", "no folder");
    let is_told = |lines: &Lines| !lines.of("recorder_dump_failed").is_empty();
    let text = config("[recorder]\nfolder = \"recordings\"");
    let told = run_and_ask(&folder, &text, is_told).await.of("recorder_dump_failed");
    assert!(told[0]["path"].as_str().unwrap().ends_with("/recordings"), "{told:?}");
}

#[tokio::test]
async fn as_many_verdicts_are_kept_as_there_is_room_for() {
    let folder = Folder::new();
    for capacity in [0, 3] {
        let running = folder.start(&config(&format!("[recorder]\ncapacity = {capacity}"))).await;
        for _ in 0..5 {
            running.ask_with(&good_token()).await;
        }
        let recording = running.operator("/debug/recorder").await.json();
        assert_eq!(recording["recent"].as_array().unwrap().len(), capacity);
        assert_eq!(counted(&recording, "accept", None), Some(5));
    }
    let error = folder.parse(&config("[recorder]\ncapacity = 65537")).unwrap_err();
    assert!(error.to_string().contains("at most 65536 is possible here"), "{error}");
}

#[tokio::test]
async fn how_many_different_keys_are_not_known_is_told_and_none_of_their_names() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let strangers = bearer(&sign(&OTHER_KEY, &claims()));
    for _ in 0..3 {
        running.ask("/", &[("authorization", &strangers)]).await;
    }
    running.ask("/", &[("authorization", &bearer(&expired_token()))]).await;
    let recording = running.operator("/debug/recorder").await.json();
    assert_eq!(recording["unknown_kids"], json!({ "verdicts": 3, "different": 1, "of_withdrawn_keys": 0 }));
}
