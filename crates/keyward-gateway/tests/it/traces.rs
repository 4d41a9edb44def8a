//! Traces: what is recorded of requests and calls, what goes along with them, and that a receiver that fails harms nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use keyward_gateway::config::DEFAULT_FILE;

use crate::logs::Lines;
use crate::provider::{Mood, Provider};
use crate::support::{
    Folder, KEY, OTHER_KEY, bearer, claims, config, expired_token, good_token, key_set, sign, until, with,
};

/// The messages, and nothing of how they are filled.
#[path = "../../src/traces/otlp.rs"]
mod otlp;

use otlp::{ExportRequest, ExportResponse, One, PartialSuccess, WireSpan};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A receiver of OTLP.
struct Receiver {
    address: std::net::SocketAddr,
    state: Arc<Mutex<Received>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    spans: Vec<WireSpan>,
    service_names: Vec<String>,
    heads: Vec<(String, HeaderMap)>,
    /// What it answers with; 200 where it is none.
    status: Option<u16>,
    /// How many spans it says that it did not take.
    rejects: i64,
    hangs: bool,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<Received>> = Arc::default();
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| receive(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, task }
    }

    /// The table of traces that are sent here.
    fn table(&self, rest: &str) -> String {
        format!("[traces]\nendpoint = \"http://{}\"\n{rest}\n", self.address)
    }

    fn named(&self, name: &str) -> Vec<WireSpan> {
        self.state.lock().unwrap().spans.iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The spans of this name, once there are so many.
    async fn spans(&self, name: &str, count: usize) -> Vec<WireSpan> {
        until(async || self.named(name).len() >= count).await;
        let spans = self.named(name);
        assert_eq!(spans.len(), count, "{spans:?}");
        spans
    }
}

async fn receive(
    state: Arc<Mutex<Received>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if state.lock().unwrap().hangs {
        std::future::pending::<()>().await;
    }
    let mut state = state.lock().unwrap();
    let answer = Response::builder().status(state.status.unwrap_or(200));
    if state.status.is_none() {
        for resource in ExportRequest::decode(body).unwrap().resource_spans {
            let of_resource = resource.resource.unwrap().attributes;
            state.service_names.extend(of_resource.iter().filter(|of| of.key == "service.name").map(text));
            state.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        state.heads.push((head.uri.path().to_owned(), head.headers));
    }
    let partial_success = PartialSuccess { rejected_spans: state.rejects, error_message: String::new() };
    let said = ExportResponse { partial_success: Some(partial_success).filter(|_| state.rejects > 0) };
    Ok(answer.body(Full::from(said.encode_to_vec())).unwrap())
}

fn text(attribute: &otlp::KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(One::Text(text)) => text.clone(),
        Some(One::Number(number)) => number.to_string(),
        None => String::new(),
    }
}

fn attribute(span: &WireSpan, name: &str) -> Option<String> {
    span.attributes.iter().find(|attribute| attribute.key == format!("keyward.{name}")).map(text)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The trace and the span of a `traceparent`.
fn parts(traceparent: &str) -> (&str, &str) {
    (&traceparent[3..35], &traceparent[36..52])
}

#[tokio::test]
async fn a_verdict_is_a_span_that_says_why() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let routes = "[[route]]\npaths = [\"/api/\"]\n[[route]]\npaths = [\"/health\"]\naccess = \"public\"\n";
    let text =
        config(&format!("{routes}{}", receiver.table("sampling_ratio = 1.0\nservice_name = \"edge\"")));
    let running = folder.start(&text).await;
    let (good, expired) = (bearer(&good_token()), bearer(&expired_token()));
    for _ in 0..2 {
        assert_eq!(running.ask("/api/", &[("authorization", &good)]).await.status, 200);
    }
    assert_eq!(running.ask("/", &[("authorization", &expired)]).await.reason(), Some("expired"));
    assert_eq!(running.ask("/health", &[]).await.status, 200);
    let spans = receiver.spans("keyward.verdict", 3).await;
    let said = |name| spans.iter().map(|span| attribute(span, name)).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(said("verdict"), [some("accept"), some("accept"), some("reject")]);
    assert_eq!(said("source"), [some("keys"), some("remembered"), None]);
    assert_eq!(said("reason"), [None, None, some("expired")]);
    assert_eq!(said("issuer"), [some("main"), some("main"), None]);
    assert_eq!(said("route"), [some("1"), some("1"), None]);
    for span in &spans {
        assert_eq!((span.trace_id.len(), span.span_id.len(), span.parent_span_id.len()), (16, 8, 0));
        assert_eq!((span.kind, &span.status), (2, &None));
        assert!(span.start_time_unix_nano < span.end_time_unix_nano);
        assert!(span.end_time_unix_nano / 1_000_000_000 >= 1_700_000_000);
    }
    // The key set was read for nobody's request.
    let fetched = receiver.spans("keyward.key_set_fetch", 1).await;
    assert_eq!(attribute(&fetched[0], "outcome"), some("fetched"));
    let received = receiver.state.lock().unwrap();
    assert!(received.service_names.iter().all(|name| name == "edge"));
    assert_eq!(received.heads[0].0, "/v1/traces");
    assert_eq!(received.heads[0].1["content-type"], "application/x-protobuf");
}

#[tokio::test]
async fn a_request_belongs_to_the_trace_that_it_names() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let running = folder.start(&config(&receiver.table("sampling_ratio = 0.0"))).await;
    let good = bearer(&good_token());
    let ask = async |parent: &'static str| {
        running.ask("/", &[("authorization", &good), ("traceparent", parent), ("tracestate", "a=1")]).await
    };
    let got = ask(SAMPLED).await;
    let (trace, span) = parts(got.header("traceparent").expect("it is handed on"));
    assert_eq!((trace, got.header("tracestate")), (TRACE, Some("a=1")));
    let spans = receiver.spans("keyward.verdict", 1).await;
    assert_eq!((hex(&spans[0].trace_id), hex(&spans[0].span_id)), (TRACE.to_owned(), span.to_owned()));
    assert_eq!(hex(&spans[0].parent_span_id), "00f067aa0ba902b7");
    assert_eq!(spans[0].trace_state, "a=1");
    // Handed on, and recorded by nobody.
    let got = ask(UNSAMPLED).await;
    let unsampled = got.header("traceparent").expect("it is handed on");
    assert!(unsampled.starts_with(&UNSAMPLED[..36]) && unsampled.ends_with("-00"), "{unsampled}");
    // Not to the letter: the trace is a new one.
    let got = ask("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01").await;
    let (new, _) = parts(got.header("traceparent").expect("it is handed on"));
    assert_ne!(new, TRACE);
    // A refusal goes to the client.
    let refused = running.ask("/", &[("traceparent", SAMPLED)]).await;
    assert_eq!((refused.status, refused.header("traceparent")), (401, None));
    assert_eq!(receiver.spans("keyward.verdict", 2).await.len(), 2);
}

#[tokio::test]
async fn whose_parents_are_not_followed_begins_its_own_traces() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let table = receiver.table("sampling_ratio = 0.0\nfollow_parents = false");
    let running = folder.start(&config(&table)).await;
    let got = running.ask("/", &[("authorization", &bearer(&good_token())), ("traceparent", SAMPLED)]).await;
    let parent = got.header("traceparent").expect("it is handed on");
    assert!(!parent.contains(TRACE) && parent.ends_with("-00"), "{parent}");
}

#[tokio::test]
async fn without_traces_nobody_looks_at_them() {
    let running = Folder::new().start(&config("")).await;
    let got = running.ask("/", &[("authorization", &bearer(&good_token())), ("traceparent", SAMPLED)]).await;
    assert_eq!((got.status, got.header("traceparent")), (200, None));
}

#[tokio::test]
async fn what_a_request_waits_for_is_part_of_its_trace() {
    let (folder, receiver, provider) = (Folder::new(), Receiver::start().await, Provider::start().await);
    folder.write_secret("client-secret", "planted-secret\n");
    let tables = provider.tables("timeout = \"400ms\"");
    let text = format!("strategy = \"introspection\"\n{tables}{}", receiver.table("sampling_ratio = 0.0"));
    let running = folder.start(&config(&text)).await;
    let token = sign(&KEY, &with(claims(), "jti", "planted-jti"));
    provider.knows(&token, json!({}));
    let ask = async |token: &str| {
        running.ask("/", &[("authorization", &bearer(token)), ("traceparent", SAMPLED)]).await
    };
    assert_eq!(ask(&token).await.status, 200);
    let verdict = receiver.spans("keyward.verdict", 1).await.remove(0);
    let call = receiver.spans("keyward.introspection", 1).await.remove(0);
    assert_eq!((hex(&call.trace_id), &call.parent_span_id), (TRACE.to_owned(), &verdict.span_id));
    assert_eq!((call.kind, attribute(&call, "outcome")), (3, Some("active".to_owned())));
    assert_eq!(attribute(&verdict, "source"), Some("introspection".to_owned()));
    let (path, sent) = provider.state().traceparents.last().cloned().unwrap();
    let sent = sent.expect("the provider is told");
    assert_eq!((path.as_str(), parts(&sent)), ("/introspect", (TRACE, &*hex(&call.span_id))));
    // What fails is an error; a token that is refused is none.
    provider.is(Mood::Status(500, 0));
    let other = sign(&KEY, &with(claims(), "jti", "planted-other"));
    assert_eq!(ask(&other).await.reason(), Some("introspection_unavailable"));
    let verdict = receiver.spans("keyward.verdict", 2).await.remove(1);
    let call = receiver.spans("keyward.introspection", 2).await.remove(1);
    let status = |span: &WireSpan| span.status.as_ref().map(|status| (status.code, status.message.clone()));
    assert_eq!(status(&verdict), Some((2, "introspection_unavailable".to_owned())));
    assert_eq!(status(&call), Some((2, "unavailable".to_owned())));
    assert_eq!(attribute(&verdict, "verdict"), Some("undecided".to_owned()));
    // Nothing of a token or a secret leaves.
    let everything = format!("{:?}", receiver.state.lock().unwrap().spans);
    for secret in ["planted", &token, &token[..20], "alice"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_fetch_of_keys_is_caused_by_the_first_request_that_needs_it() {
    let (folder, receiver, provider) = (Folder::new(), Receiver::start().await, Provider::start().await);
    let keys = format!("jwks_uri = \"http://{}/keys\"", provider.address);
    let text = config(&receiver.table("sampling_ratio = 0.0"));
    let running = folder.start(&text.replace("jwks_file = \"keys.json\"", &keys)).await;
    let first = receiver.spans("keyward.key_set_fetch", 1).await.remove(0);
    assert!(first.parent_span_id.is_empty());
    provider.state().keys = key_set(&[&KEY, &OTHER_KEY]);
    let rotated = bearer(&sign(&OTHER_KEY, &claims()));
    let got = running.ask("/", &[("authorization", &rotated), ("traceparent", SAMPLED)]).await;
    assert_eq!(got.status, 200);
    let verdict = receiver.spans("keyward.verdict", 1).await.remove(0);
    let fetch = receiver.spans("keyward.key_set_fetch", 2).await.remove(1);
    assert_eq!((hex(&fetch.trace_id), &fetch.parent_span_id), (TRACE.to_owned(), &verdict.span_id));
    assert!(verdict.start_time_unix_nano <= fetch.start_time_unix_nano);
}

#[tokio::test]
async fn a_token_of_our_own_is_obtained_for_nobodys_request() {
    let (folder, receiver, provider) = (Folder::new(), Receiver::start().await, Provider::start().await);
    folder.write_secret("client-secret", "planted-secret\n");
    let credential = format!(
        "[issuer.introspection.credential]\nmethod = \"bearer\"\ngrant = \"client_credentials\"\n\
         token_endpoint = \"http://{}/token\"\nclient_id = \"gateway\"\nsecret_file = \"client-secret\"\n",
        provider.address
    );
    provider.state().token_status = 500;
    let table = receiver.table("");
    let text = format!("strategy = \"introspection\"\n{}{credential}{table}", provider.endpoint(""));
    let _running = folder.start_unready(&config(&text)).await;
    until(async || !receiver.named("keyward.token_request").is_empty()).await;
    let request = receiver.named("keyward.token_request").remove(0);
    let status = request.status.as_ref().map(|status| status.code);
    assert_eq!((request.parent_span_id.len(), status), (0, Some(2)));
    let (path, told) = provider.state().traceparents[0].clone();
    assert_eq!((path.as_str(), told), ("/token", None));
}

#[tokio::test]
async fn an_untraced_call_has_no_traceparent() {
    let (folder, provider) = (Folder::new(), Provider::start().await);
    folder.write_secret("client-secret", "planted-secret\n");
    let text = format!("strategy = \"introspection\"\n{}", provider.tables(""));
    let running = folder.start(&config(&text)).await;
    let got = running.ask("/", &[("authorization", &bearer("opaque")), ("traceparent", SAMPLED)]).await;
    assert_eq!(got.reason(), Some("inactive"));
    assert_eq!(provider.state().traceparents, [("/introspect".to_owned(), None)]);
}

#[tokio::test]
async fn a_refused_request_is_found_by_its_trace() {
    let lines = Lines::capture();
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let running = folder.start(&config(&receiver.table(""))).await;
    let refused = [("authorization", &*bearer(&expired_token())), ("traceparent", SAMPLED)];
    running.ask("/", &refused).await;
    assert_eq!(lines.of("jwt_validation_failed")[0]["trace_id"], TRACE);
    let text = running.operator("/metrics").await.body;
    let example = |start: &str| {
        let line = text.lines().find(|line| line.starts_with(start) && line.contains(" # {")).expect("one");
        line.split_once(" # ").unwrap().1.to_owned()
    };
    let named = format!("{{trace_id=\"{TRACE}\",span_id=\"");
    assert!(example("auth_jwt_invalid_total{reason=\"expired\"}").starts_with(&named), "{text}");
    assert!(example("keyward_jwt_validation_duration_seconds_bucket").starts_with(&named), "{text}");
    // The next one is not recorded, and the example stays.
    running.ask("/", &[("authorization", &bearer(&expired_token())), ("traceparent", UNSAMPLED)]).await;
    let text = running.operator("/metrics").await.body;
    let line = text.lines().find(|line| line.starts_with("auth_jwt_invalid_total{reason=\"expired\"}"));
    assert!(
        line.expect("a sample").starts_with("auth_jwt_invalid_total{reason=\"expired\"} 2 # {"),
        "{line:?}"
    );
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nothing_and_what_is_left_out_is_counted() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    receiver.state.lock().unwrap().hangs = true;
    let text = config(&receiver.table("sampling_ratio = 1.0\ntimeout = \"60s\""));
    let mut running = folder.start(&text).await;
    let mut raw = running.connect().await;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /\r\nauthorization: {}\r\n\r\n",
        bearer(&good_token())
    );
    // Those that wait, those that are on their way, and some more.
    for _ in 0..50 {
        raw.send(request.repeat(100)).await;
        for _ in 0..100 {
            assert_eq!(raw.answer().await.expect("an answer").0, 200);
        }
    }
    let left_out = running.metric("keyward_trace_spans_total{outcome=\"left_out\"}").await.expect("counted");
    assert!((300.0..=1000.0).contains(&left_out), "{left_out}");
    drop(raw);
    let began = tokio::time::Instant::now();
    running.stop();
    running.ended().await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_lost_and_told_once() {
    let lines = Lines::capture();
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    receiver.state.lock().unwrap().status = Some(400);
    let running = folder.start(&config(&receiver.table("sampling_ratio = 1.0"))).await;
    let lost = "keyward_trace_spans_total{outcome=\"lost\"}";
    for count in [2.0, 3.0] {
        running.ask_with(&good_token()).await;
        until(async || running.metric(lost).await >= Some(count)).await;
    }
    assert_eq!(lines.of("traces_failed").len(), 1);
    receiver.state.lock().unwrap().status = None;
    running.ask_with(&good_token()).await;
    receiver.spans("keyward.verdict", 1).await;
    until(async || !lines.of("traces_recovered").is_empty()).await;
    assert_eq!(running.metric("keyward_trace_spans_total{outcome=\"sent\"}").await, Some(1.0));
    // It took the rest.
    receiver.state.lock().unwrap().rejects = 1;
    running.ask_with(&good_token()).await;
    until(async || running.metric(lost).await == Some(4.0)).await;
}

#[tokio::test]
async fn what_is_left_when_the_gateway_ends_is_sent() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    folder.write_secret("headers", "Authorization: Bearer planted-key\n\nx-tenant: keyward\n");
    let table = receiver.table("sampling_ratio = 1.0\nheaders_file = \"headers\"");
    let mut running = folder.start(&config(&table)).await;
    running.ask_with(&good_token()).await;
    running.stop();
    running.ended().await;
    assert_eq!(receiver.named("keyward.verdict").len(), 1);
    let heads = receiver.state.lock().unwrap();
    assert_eq!(heads.heads[0].1["authorization"], "Bearer planted-key");
    assert_eq!(heads.heads[0].1["x-tenant"], "keyward");
}

#[test]
fn what_the_default_file_shows_can_be_used() {
    let folder = Folder::new();
    folder.write("collector-ca.pem", "");
    folder.write_secret("otlp-headers", "authorization: Bearer planted\n");
    let shown =
        DEFAULT_FILE.lines().skip_while(|line| *line != "# [traces]").take_while(|line| !line.is_empty());
    let is_setting = |line: &&str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
    };
    let table: Vec<_> = shown.map(|line| line.trim_start_matches("# ")).filter(is_setting).collect();
    assert_eq!(table.len(), 8);
    let traces = folder.parse(&config(&table.join("\n"))).expect("a sound one").traces.expect("traces");
    let without =
        folder.parse(&config("[traces]\nendpoint = \"http://127.0.0.1:4318\"")).expect("a sound one");
    let defaults = without.traces.expect("traces");
    assert_eq!((traces.sampling_ratio, traces.timeout), (defaults.sampling_ratio, defaults.timeout));
    assert_eq!(
        (traces.follow_parents, traces.service_name),
        (defaults.follow_parents, defaults.service_name)
    );
    assert_eq!(traces.endpoint, defaults.endpoint);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let folder = Folder::new();
    folder.write_secret("headers", "no header\n");
    let refused = |lines: &str| {
        let text = config(&format!("[traces]\n{lines}\n"));
        let error = folder.parse(&text).expect_err(lines);
        assert!(error.place().is_some(), "{error}");
        error.to_string()
    };
    for (lines, why) in [
        ("endpoint = \"collector:4317\"", "by http or https"),
        ("endpoint = \"https://user:word@collector\"", "headers_file"),
        ("endpoint = \"http://c\"\nsampling_ratio = 1.5", "from 0.0"),
        ("endpoint = \"http://c\"\nsampling_ratio = nan", "from 0.0"),
        ("endpoint = \"http://c\"\ntimeout = \"0s\"", "longer than zero"),
        ("endpoint = \"http://c\"\nheaders_file = \"headers\"", "each line is a header"),
        ("endpoint = \"http://c\"\nca_file = \"keys.json\"\nsampling_ratio = 2.0", "from 0.0"),
        ("sampling_ratio = 1.0", "endpoint"),
        ("endpoint = \"http://c\"\nendpiont = 1", "endpiont"),
    ] {
        let said = refused(lines);
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("no header") && !said.contains("word@"), "{said}");
    }
    folder.write_secret("headers", "a: planted\n");
    let text = config(
        "[traces]\nendpoint = \"http://collector:4318\"\nheaders_file = \"headers\"\nsampling_ratio = 1\n",
    );
    let config = folder.parse(&text).expect("a sound one");
    assert!(config.warnings.iter().any(|warning| warning.to_string().contains("without TLS")));
    let traces = config.traces.expect("traces");
    assert_eq!(traces.endpoint.as_str(), "http://collector:4318/v1/traces");
    assert!(!format!("{traces:?}").contains("planted"));
}
