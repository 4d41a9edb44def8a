use std::sync::Arc;

use keyward_jose::DecodeBuffer;
use keyward_verify::introspection::{
    Answer, AnswerCache, AnswerCacheSettings, AnswerError, AnswerForm, Endpoint, Found, MalformedAnswer,
    Received, Unread,
};
use keyward_verify::{Issuer, IssuerPolicy, MonoTime, Now, Requirement, UnixTime};
use serde_json::Value;

const ISSUER: &str = "https://idp.example";
const NOW: Now = Now { wall: UnixTime(1_800_000_000), mono: MonoTime(86_400_000_000_000) };

/// `Endpoint::read` of `data` as the body of an answer, plain and as a signed one.
///
/// Only what says `"active": true`, once, is active, and passes no further than its claims do; what is signed by nobody is
/// never believed; a refusal shows nothing of the answer.
pub fn introspection(data: &[u8]) {
    let policy = Arc::new(IssuerPolicy::new("idp", ISSUER));
    let issuer = Issuer { policy, keys: Arc::default() };
    let form = AnswerForm::PlainOrSigned { audience: "gateway".into() };
    let endpoint = Endpoint { form, ..Endpoint::new(issuer, 0) };
    let answers = AnswerCache::new(AnswerCacheSettings::default(), [7; 32]);
    let Found::Unknown(unasked) = answers.look(NOW, b"token") else {
        panic!("nobody has asked yet");
    };
    let question = answers.question(unasked);
    let read = |content_type| {
        let content_type = Some(content_type);
        let received =
            Received { arrived: NOW.mono, status: 200, content_type, retry_after: None, body: data };
        endpoint.read(NOW, &question, &received, &mut DecodeBuffer::new())
    };
    match read("application/json; charset=utf-8") {
        Ok(answer) => says_what_it_says(data, &answer),
        Err(Unread::Error(error)) => {
            must_be_malformed(data, error);
            crate::shows_nothing(data, &error.to_string());
        }
        Err(Unread::NeedsKey(_)) => panic!("a plain answer needs no key"),
    }
    match read("application/token-introspection+jwt") {
        Ok(_) => panic!("nobody signed it"),
        Err(Unread::Error(error)) => crate::shows_nothing(data, &error.to_string()),
        Err(Unread::NeedsKey(_)) => {}
    }
}

fn says_what_it_says(data: &[u8], answer: &Answer) {
    let said: Value = serde_json::from_slice(data).expect("JSON");
    assert!(!crate::repeats_a_name(data), "a name stands twice");
    let Answer::Active(active) = answer else {
        assert_eq!(said["active"], Value::Bool(false));
        return;
    };
    assert_eq!(said["active"], Value::Bool(true));
    let Ok(verified) = active.check(NOW, &Requirement::default()) else {
        return;
    };
    assert!(said["iss"].is_null() || said["iss"] == ISSUER);
    let token_type = said["token_type"].as_str().map(str::to_ascii_lowercase);
    assert!(matches!(token_type.as_deref(), None | Some("bearer" | "access_token")), "{token_type:?}");
    if let Some(expires) = said["exp"].as_f64() {
        assert!(expires + 60.0 > NOW.wall.0 as f64 - 1.0, "it is over");
    }
    for name in ["nbf", "iat"] {
        if let Some(begins) = said[name].as_f64() {
            assert!(begins - 60.0 < NOW.wall.0 as f64 + 1.0, "{name} is still to come");
        }
    }
    assert_eq!(said["sub"].as_str(), verified.subject());
}

/// What is well-formed, and says no more than that it is not active, must not be called malformed.
fn must_be_malformed(data: &[u8], error: AnswerError) {
    let AnswerError::Malformed(malformed) = error else {
        panic!("200 is no refusal: {error}");
    };
    let inactive =
        serde_json::from_slice::<Value>(data).is_ok_and(|said| said["active"] == Value::Bool(false));
    let is_fault = crate::repeats_a_name(data) || matches!(malformed, MalformedAnswer::TooLarge { .. });
    assert!(!inactive || is_fault, "{malformed}");
}
