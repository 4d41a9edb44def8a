//! A provider with an introspection endpoint and a token endpoint, over a real socket, that fails as it is told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{ISSUER, KEY, key_set, now, sign_as};

/// What its introspection endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Says what it knows.
    Answers,
    /// Closes the connection instead of an answer.
    Closes,
    /// Says nothing for ever.
    Hangs,
    /// Says this with 200, as JSON.
    Says(&'static str),
    /// Sends a page of HTML with 200.
    Html,
    /// Says what it knows in a JWT (RFC 9701), to the client `gateway`.
    Signs,
    /// Answers with this status, and this `Retry-After` where it is not 0.
    Status(u16, u64),
}

pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

pub(crate) struct State {
    pub(crate) mood: Mood,
    /// The status of its token endpoint.
    pub(crate) token_status: u16,
    /// What it says of which token; of others, that they are not active.
    pub(crate) known: HashMap<String, Value>,
    /// What `Authorization` has to be; anything where it is empty.
    pub(crate) authorization: String,
    /// Its JWK Set, at `/keys`.
    pub(crate) keys: String,
    /// How often its introspection endpoint was called.
    pub(crate) calls: usize,
    /// What each of its requests but those for keys had as `traceparent`, by path.
    pub(crate) traceparents: Vec<(String, Option<String>)>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Answers,
            token_status: 200,
            known: HashMap::new(),
            authorization: String::new(),
            keys: key_set(&[&KEY]),
            calls: 0,
            traceparents: Vec::new(),
        }));
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From now on this token is active, with these members.
    pub(crate) fn knows(&self, token: &str, members: Value) {
        let mut said = json!({ "active": true });
        said.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.state().known.insert(token.to_owned(), said);
    }

    pub(crate) fn revokes(&self, token: &str) {
        self.state().known.remove(token);
    }

    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    /// The tables of introspection here, for an issuer; these lines are in the first.
    pub(crate) fn tables(&self, lines: &str) -> String {
        let credential =
            "method = \"client_secret_basic\"\nclient_id = \"gateway\"\nsecret_file = \"client-secret\"";
        format!("{}[issuer.introspection.credential]\n{credential}\n", self.endpoint(lines))
    }

    /// The first of them.
    pub(crate) fn endpoint(&self, lines: &str) -> String {
        format!("[issuer.introspection]\nendpoint = \"http://{}/introspect\"\n{lines}\n", self.address)
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    if head.uri.path() == "/keys" {
        let keys = serde_json::from_str(&state.lock().unwrap().keys).unwrap();
        return Ok(json_answer(200, &keys));
    }
    let traceparent = head.headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
    state.lock().unwrap().traceparents.push((head.uri.path().to_owned(), traceparent));
    let form = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    if head.uri.path() == "/token" {
        let status = state.lock().unwrap().token_status;
        let said = json!({ "access_token": "planted-bearer", "token_type": "Bearer", "expires_in": 300 });
        return Ok(json_answer(status, &said));
    }
    let field = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(&form);
        pairs.find(|(of, _)| of == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (mood, said) = {
        let mut state = state.lock().unwrap();
        state.calls += 1;
        let shown = head.headers.get("authorization").map(|value| value.to_str().unwrap());
        let is_known = state.authorization.is_empty() || shown == Some(&state.authorization);
        let said = state.known.get(&field("token")).cloned().unwrap_or(json!({ "active": false }));
        (if is_known { state.mood } else { Mood::Status(401, 0) }, said)
    };
    match mood {
        Mood::Answers => Ok(json_answer(200, &said)),
        Mood::Closes => Err(std::io::Error::other("as this test wants it")),
        Mood::Hangs => Ok(std::future::pending::<Result<_, Infallible>>().await.unwrap()),
        Mood::Says(text) => Ok(json_answer(200, &serde_json::from_str(text).unwrap())),
        Mood::Html => {
            let mut answer = Response::new(Full::from("<html>maintenance</html>"));
            answer.headers_mut().insert("content-type", "text/html".parse().unwrap());
            Ok(answer)
        }
        Mood::Signs => {
            let claims =
                json!({ "iss": ISSUER, "aud": "gateway", "iat": now(), "token_introspection": said });
            let jwt = sign_as("token-introspection+jwt", &KEY, &claims);
            let mut answer = Response::new(Full::from(jwt));
            let kind = "application/token-introspection+jwt";
            answer.headers_mut().insert("content-type", kind.parse().unwrap());
            Ok(answer)
        }
        Mood::Status(status, retry_after) => {
            let mut answer = json_answer(status, &json!({ "error": "as_this_test_wants_it" }));
            if retry_after > 0 {
                answer.headers_mut().insert("retry-after", retry_after.into());
            }
            Ok(answer)
        }
    }
}

fn json_answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::from(body.to_string())).unwrap()
}
