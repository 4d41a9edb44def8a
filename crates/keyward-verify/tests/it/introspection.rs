//! What an endpoint says, and what is believed of it: nothing that is not well-formed, nothing that a token's own
//! claims would be refused for, and never that a token is bad because the endpoint or we are.

use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{DecodeBuffer, LocalSigner, Signer};
use keyward_verify::introspection::{
    Answer, AnswerError, AnswerForm, Endpoint, MalformedAnswer, Question, Received, SignedAnswerError, Unread,
};
use keyward_verify::key_set::KeySetMachine;
use keyward_verify::{
    ClaimRule, ClaimTest, IssuerPolicy, Now, Reason, Requirement, UnixTime, VerdictCache, Verified,
    VerifiedBy,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const TOKEN: &str = "mF_9.B5f-4.1JqM";
const CLIENT: &str = "gateway";

fn asked() -> Question {
    question(&answers(), START, TOKEN)
}

fn read(received: &Received<'_>) -> Result<Answer, Unread> {
    read_at(&endpoint(&Arc::default()), START, received)
}

fn read_at(endpoint: &Endpoint, now: Now, received: &Received<'_>) -> Result<Answer, Unread> {
    endpoint.read(now, &asked(), received, &mut DecodeBuffer::new())
}

fn malformed(result: Result<Answer, Unread>) -> MalformedAnswer {
    match result {
        Err(Unread::Error(AnswerError::Malformed(error))) => error,
        other => panic!("not malformed: {other:?}"),
    }
}

#[test]
fn a_status_says_whose_matter_it_is() {
    for status in 100..=999 {
        let refusal = Received {
            status,
            retry_after: Some(SECOND),
            body: br#"{"active":true,"error":"invalid_request"}"#,
            ..received(b"")
        };
        let expected = match status {
            200 => {
                assert!(matches!(read(&refusal), Ok(Answer::Active(_))));
                continue;
            }
            401 | 403 => AnswerError::CredentialsRejected { status },
            400 | 413 | 414 | 422 | 431 => AnswerError::QuestionRefused { status },
            408 | 429 | 500..=599 => AnswerError::Unavailable { status, retry_after: Some(SECOND) },
            _ => AnswerError::Malformed(MalformedAnswer::Status { status }),
        };
        assert_eq!(read(&refusal).unwrap_err(), Unread::Error(expected));
    }
}

/// RFC 6749 §5.2. What an endpoint may say of the token, no stranger may turn against our credentials.
#[test]
fn of_400_only_what_is_about_the_client_is() {
    for (body, is_ours) in [
        (r#"{"error":"invalid_client"}"#, true),
        (r#"{"error":"invalid_client","error_description":"no such key: AuthNKey.NotFound"}"#, true),
        (r#"{"error":"invalid\u005fclient"}"#, true),
        (r#"{"error":"unauthorized_client"}"#, true),
        (r#"{"error":"invalid_request"}"#, false),
        (r#"{"error":"invalid_token"}"#, false),
        (r#"{"error":"unsupported_token_type"}"#, false),
        (r#"{"error":["invalid_client"]}"#, false),
        (r#"{"error":"server_error","x":"invalid_client"}"#, false),
        (r#"{"error":"invalid_client"#, false),
        ("invalid_client", false),
        ("", false),
    ] {
        let refusal = Received { status: 400, body: body.as_bytes(), ..received(b"") };
        let expected = if is_ours {
            AnswerError::CredentialsRejected { status: 400 }
        } else {
            AnswerError::QuestionRefused { status: 400 }
        };
        assert_eq!(read(&refusal).unwrap_err(), Unread::Error(expected), "{body}");
    }
}

#[test]
fn an_answer_is_json_and_says_so() {
    let of = |content_type| read(&Received { content_type, ..received(br#"{"active":true}"#) });
    for good in
        ["application/json", "application/json; charset=utf-8", "Application/JSON;x=y", " application/json "]
    {
        assert!(of(Some(good)).is_ok(), "{good}");
    }
    for bad in ["text/html", "application/jsonp", "application/problem+json", "text/json", "", ";", "json"] {
        assert_eq!(malformed(of(Some(bad))), MalformedAnswer::ContentType, "{bad}");
    }
    assert_eq!(malformed(of(None)), MalformedAnswer::ContentType);
}

#[test]
fn active_is_a_boolean_or_nothing_is_known() {
    use MalformedAnswer::*;
    for (body, error) in [
        (r#"{"active":"true"}"#, ActiveNotBoolean),
        (r#"{"active":"false"}"#, ActiveNotBoolean),
        (r#"{"active":1}"#, ActiveNotBoolean),
        (r#"{"active":0}"#, ActiveNotBoolean),
        (r#"{"active":null}"#, ActiveNotBoolean),
        (r#"{"active":[true]}"#, ActiveNotBoolean),
        (r#"{"active":{}}"#, ActiveNotBoolean),
        (r#"{"Active":true}"#, ActiveNotBoolean),
        (r#"{"data":{"active":true}}"#, ActiveNotBoolean),
        ("{}", ActiveNotBoolean),
        (r#"{"active":true,"active":true}"#, DuplicateName),
        (r#"{"active":false,"active":true}"#, DuplicateName),
        (r#"{"active":true,"\u0061ctive":true}"#, DuplicateName),
        (r#"{"active":false,"x":{"y":1,"y":2}}"#, DuplicateName),
        (r#"{"active":true,"sub":"a","sub":"b"}"#, DuplicateName),
        ("", NotJson),
        ("true", NotJson),
        ("[true]", NotJson),
        (r#"[{"active":true}]"#, NotJson),
        (r#"{"active":true}{}"#, NotJson),
        (r#"{"active":TRUE}"#, NotJson),
        (r#"{"active":tru"#, NotJson),
        ("<html><body>active: true</body></html>", NotJson),
        ("\u{feff}{\"active\":true}", NotJson),
    ] {
        assert_eq!(malformed(read(&received(body.as_bytes()))), error, "{body}");
    }
    assert_eq!(malformed(read(&received(b"{\"active\":true,\"sub\":\"\xff\"}"))), NotJson);
    assert!(matches!(read(&received(b" {\"active\" : true}\n")), Ok(Answer::Active(_))));
}

#[test]
fn of_an_inactive_token_nothing_else_is_looked_at() {
    for body in [
        r#"{"active":false}"#,
        r#"{"active":false,"exp":"never","iss":7,"aud":null,"cnf":1,"token_type":[],"scope":{}}"#,
        r#"{"error":"expired","active":false}"#,
    ] {
        assert!(matches!(read(&received(body.as_bytes())), Ok(Answer::Inactive(_))), "{body}");
    }
}

#[test]
fn the_members_of_an_active_answer_have_their_types() {
    for member in [
        r#""iss":7"#,
        r#""sub":null"#,
        r#""aud":7"#,
        r#""aud":[1]"#,
        r#""exp":"1800003600""#,
        r#""exp":1800003600000"#,
        r#""nbf":true"#,
        r#""iat":{}"#,
        r#""scope":7"#,
        r#""client_id":["a"]"#,
        r#""username":7"#,
        r#""token_type":7"#,
        r#""jti":7"#,
        r#""sid":false"#,
        r#""cnf":"x""#,
        r#""cnf":[{}]"#,
        r#""cnf":null"#,
        r#""cnf":{"jkt":"x"}"#,
        r#""cnf":{"x5t#S256":7}"#,
    ] {
        let body = format!(r#"{{"active":true,{member}}}"#);
        assert_eq!(malformed(read(&received(body.as_bytes()))), MalformedAnswer::MemberType, "{member}");
    }
    let rich = json!({ "active": true, "iss": ISSUER, "aud": ["api", "x"], "exp": 1_800_003_600.5, "nbf": 1, "iat": 1,
        "client_id": "shop", "username": "al", "token_type": "Bearer", "scope": "read", "sub": "alice", "jti": "1",
        "sid": "s", "cnf": { "kid": "x" }, "act": { "sub": "x" }, "null": null });
    let active = active(&asked(), &rich);
    assert_eq!(active.claims().subject(), Some("alice"));
    assert_eq!(active.claims().json(), rich.to_string());
    assert!(!format!("{active:?}").contains("alice"));
}

#[test]
fn an_answer_is_as_long_as_the_limit_allows() {
    let body = |length: usize| format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(length - 22));
    let limit = Endpoint::DEFAULT_SIZE_LIMIT;
    assert_eq!(body(limit).len(), limit);
    assert!(read(&received(body(limit).as_bytes())).is_ok());
    assert_eq!(malformed(read(&received(body(limit + 1).as_bytes()))), MalformedAnswer::TooLarge { limit });
    let deep = format!(r#"{{"active":true,"x":{}}}"#, "[".repeat(30_000));
    assert_eq!(malformed(read(&received(deep.as_bytes()))), MalformedAnswer::NotJson);
}

/// A requirement that [`good_claims`] meet.
fn strict() -> Requirement {
    let test = ClaimTest::Contains(vec!["admin".into()]);
    Requirement {
        issuers: vec![0],
        audiences: vec!["api".into()],
        scopes: vec!["read".into()],
        claims: vec![ClaimRule { pointer: "/roles".into(), test }],
        binding: None,
    }
}

fn check(response: &Value, now: Now, requirement: &Requirement) -> Result<Verified, Reason> {
    active(&asked(), response).check(now, requirement)
}

#[test]
fn an_active_token_passes_the_checks_that_a_jwt_does() {
    let good = good_response();
    let now = START.wall.0;
    assert!(check(&good, START, &strict()).is_ok());
    for (response, reason) in [
        (with(good.clone(), "iss", "https://other.example"), Reason::WrongIssuer),
        (with(good.clone(), "iss", format!("{ISSUER}/")), Reason::WrongIssuer),
        (with(good.clone(), "iss", "HTTPS://idp.example"), Reason::WrongIssuer),
        (with(good.clone(), "exp", now - 60), Reason::Expired),
        (with(good.clone(), "nbf", now + 61), Reason::NotYetValid),
        (with(good.clone(), "iat", now + 61), Reason::IssuedInFuture),
        (with(good.clone(), "aud", "other"), Reason::WrongAudience),
        (with(good.clone(), "aud", json!([])), Reason::WrongAudience),
        (without(good.clone(), "aud"), Reason::WrongAudience),
        (with(good.clone(), "scope", "write"), Reason::InsufficientScope),
        (without(good.clone(), "scope"), Reason::InsufficientScope),
        (with(good.clone(), "roles", json!(["user"])), Reason::MissingClaim),
        (with(good.clone(), "token_type", "refresh_token"), Reason::WrongTokenType),
        (with(good.clone(), "token_type", "PoP"), Reason::WrongTokenType),
        (with(good.clone(), "token_type", ""), Reason::WrongTokenType),
    ] {
        assert_eq!(check(&response, START, &strict()).err(), Some(reason), "{response}");
    }
    for response in [
        without(good.clone(), "iss"),
        without(good.clone(), "exp"),
        without(good.clone(), "iat"),
        with(good.clone(), "exp", now - 59),
        with(good.clone(), "nbf", now + 60),
        with(good.clone(), "token_type", "bearer"),
        with(good.clone(), "token_type", "access_token"),
    ] {
        assert!(check(&response, START, &strict()).is_ok(), "{response}");
    }
    let elsewhere = Requirement { issuers: vec![1], ..strict() };
    assert_eq!(check(&good, START, &elsewhere).err(), Some(Reason::WrongIssuer));
}

#[test]
fn the_issuers_own_audience_counts_where_the_route_names_none() {
    let mut endpoint = endpoint(&Arc::default());
    Arc::make_mut(&mut endpoint.issuer.policy).audiences = vec!["other".into()];
    let body = good_response().to_string();
    let Ok(Answer::Active(active)) = read_at(&endpoint, START, &received(body.as_bytes())) else {
        panic!("active");
    };
    assert_eq!(active.check(START, &Requirement::default()).err(), Some(Reason::WrongAudience));
    assert!(active.check(START, &strict()).is_ok());
}

#[test]
fn what_is_accepted_says_that_an_endpoint_said_so() {
    let verified = check(&good_response(), START, &strict()).unwrap();
    assert!(matches!(verified.verified_by(), VerifiedBy::Introspection));
    assert_eq!((verified.kid(), verified.algorithm()), (None, None));
    assert_eq!((verified.subject(), verified.issuer_name()), (Some("alice"), "idp"));
    assert_eq!(verified.valid_until(), UnixTime(START.wall.0 + 3660));
    let verified = check(&without(good_response(), "exp"), START, &strict()).unwrap();
    assert_eq!(verified.valid_until(), UnixTime(i64::MAX));

    // What an endpoint may take back is nothing for a memory that no revocation reaches.
    let cache = VerdictCache::new(1 << 20, 1);
    cache.insert(0, TOKEN.as_bytes(), verified);
    assert!(cache.is_empty() && cache.get(START, 0, TOKEN.as_bytes()).is_none());
}

#[test]
fn to_confirm_a_token_is_to_agree_with_it() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let issuer = issuer_of(&machine);
    let token = sign(&KEYS[0], &good_claims());
    let verified = accepted(judge(START, START.mono, &issuer, &token));
    let confirm = |response: &Value| {
        let confirmed = active(&asked(), response).confirm(START, &strict(), verified.clone());
        confirmed.map(|verified| verified.kid().map(str::to_owned))
    };
    let good = good_response();
    let kid = Ok(KEYS[0].kid().map(str::to_owned));
    // What is left out, the token says itself.
    for response in [good.clone(), json!({ "active": true }), with(json!({ "active": true }), "scope", "")] {
        assert_eq!(confirm(&response), kid, "{response}");
    }
    for (response, reason) in [
        (with(good.clone(), "iss", "https://other.example"), Reason::WrongIssuer),
        (with(good.clone(), "exp", START.wall.0 - 60), Reason::Expired),
        (with(good.clone(), "aud", "other"), Reason::WrongAudience),
        (with(good.clone(), "scope", "write"), Reason::InsufficientScope),
        (with(good.clone(), "token_type", "refresh_token"), Reason::WrongTokenType),
    ] {
        assert_eq!(confirm(&response), Err(reason), "{response}");
    }
    let mut other = endpoint(machine.published());
    other.issuer.policy = Arc::new(IssuerPolicy::new("other", "https://other.example"));
    let Ok(Answer::Active(active)) = read_at(&other, START, &received(br#"{"active":true}"#)) else {
        panic!("active");
    };
    assert_eq!(active.confirm(START, &strict(), verified).err(), Some(Reason::WrongIssuer));
}

/// An endpoint that signs with `KEYS[0]`, whose set is there already.
struct Signing {
    machine: KeySetMachine,
    endpoint: Endpoint,
}

impl Signing {
    fn new() -> Self {
        let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
        let endpoint = Endpoint {
            form: AnswerForm::Signed { audience: CLIENT.into() },
            ..endpoint(machine.published())
        };
        Self { machine, endpoint }
    }

    fn read(&self, body: &str) -> Result<Answer, Unread> {
        read_at(&self.endpoint, START, &signed_answer(body.as_bytes()))
    }

    fn error(&self, body: &str) -> SignedAnswerError {
        match malformed(self.read(body)) {
            MalformedAnswer::Signed(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

fn signed_answer(body: &[u8]) -> Received<'_> {
    Received { content_type: Some("application/token-introspection+jwt"), ..received(body) }
}

fn signed_claims() -> Value {
    json!({ "iss": ISSUER, "aud": CLIENT, "iat": START.wall.0, "token_introspection": good_response() })
}

fn signed_as(signer: &LocalSigner, typ: &str, claims: &Value) -> String {
    let kid = KEYS[0].kid().unwrap();
    let header = json!({ "alg": "EdDSA", "kid": kid, "typ": typ }).to_string();
    sign_parts(signer, header.as_bytes(), claims.to_string().as_bytes())
}

fn signed(claims: &Value) -> String {
    signed_as(&KEYS[0], "token-introspection+jwt", claims)
}

#[test]
fn a_signed_answer_is_believed_where_all_of_it_holds() {
    use SignedAnswerError::*;
    let scene = Signing::new();
    let good = signed_claims();
    let Ok(Answer::Active(active)) = scene.read(&signed(&good)) else { panic!("active") };
    assert_eq!(active.claims().json(), good_response().to_string());
    assert!(active.check(START, &strict()).is_ok());
    let inactive = with(good.clone(), "token_introspection", json!({ "active": false }));
    assert!(matches!(scene.read(&signed(&inactive)), Ok(Answer::Inactive(_))));
    assert!(scene.read(&signed(&with(good.clone(), "aud", json!(["x", CLIENT])))).is_ok());
    assert!(scene.read(&signed_as(&KEYS[0], "application/token-introspection+jwt", &good)).is_ok());

    let now = START.wall.0;
    for (claims, error) in [
        (with(good.clone(), "iss", "https://other.example"), Issuer),
        (without(good.clone(), "iss"), Issuer),
        (with(good.clone(), "aud", "somebody"), Audience),
        (without(good.clone(), "aud"), Audience),
        (without(good.clone(), "iat"), Time),
        (with(good.clone(), "iat", now + 61), Time),
        (with(good.clone(), "iat", now - 61), Time),
        (with(good.clone(), "exp", now - 60), Time),
        (with(good.clone(), "nbf", now + 61), Time),
        (without(good.clone(), "token_introspection"), Payload),
    ] {
        assert_eq!(scene.error(&signed(&claims)), error, "{claims}");
    }
    assert_eq!(scene.error(&signed_as(&KEYS[0], "JWT", &good)), Type);
    assert_eq!(scene.error(&signed_as(&KEYS[0], "at+jwt", &good)), Type);
    assert_eq!(
        scene.error(&signed_as(&KEYS[1], "token-introspection+jwt", &good)),
        Signature(Reason::InvalidSignature)
    );
    assert_eq!(scene.error("a.b.c.d.e"), Form);
    assert_eq!(scene.error(r#"{"active":true}"#), Form);
    let none = sign_parts(&KEYS[0], br#"{"alg":"none","typ":"token-introspection+jwt"}"#, b"{}");
    assert_eq!(scene.error(&none), Form);
    let secret = sign_parts(&KEYS[0], br#"{"alg":"HS256","typ":"token-introspection+jwt"}"#, b"{}");
    assert_eq!(scene.error(&secret), Algorithm);
    for inner in [json!([true]), json!("true"), json!({ "active": "true" }), json!({}), json!(null)] {
        malformed(scene.read(&signed(&with(good.clone(), "token_introspection", inner))));
    }
}

#[test]
fn a_signed_answer_waits_for_its_key() {
    let mut scene = Signing::new();
    let header = json!({ "alg": "EdDSA", "kid": "new", "typ": "token-introspection+jwt" }).to_string();
    let body = sign_parts(&KEYS[1], header.as_bytes(), signed_claims().to_string().as_bytes());
    let later = later(START, SECOND);
    let answer = Received { arrived: later.mono, ..signed_answer(body.as_bytes()) };
    let Err(Unread::NeedsKey(wanted)) = read_at(&scene.endpoint, later, &answer) else { panic!("a new key") };
    assert_eq!((wanted.issuer, wanted.otherwise), (0, Reason::KeysUnavailable));
    next_fetch(&mut scene.machine, later, &[jwk(&KEYS[1], Some("new"))]);
    assert!(matches!(read_at(&scene.endpoint, later, &answer), Ok(Answer::Active(_))));

    let empty = machine(START);
    let endpoint = Endpoint { issuer: issuer_of(&empty), ..scene.endpoint.clone() };
    assert!(matches!(read_at(&endpoint, later, &answer), Err(Unread::NeedsKey(_))));
}

#[test]
fn only_the_form_that_was_agreed_on_is_believed() {
    let scene = Signing::new();
    let (plain, jwt) = (good_response().to_string(), signed(&signed_claims()));
    let [plain, jwt] = [received(plain.as_bytes()), signed_answer(jwt.as_bytes())];
    let of = |form| Endpoint { form, ..scene.endpoint.clone() };
    let audience = || CLIENT.into();
    for (form, plain_passes, jwt_passes) in [
        (AnswerForm::Plain, true, false),
        (AnswerForm::PlainOrSigned { audience: audience() }, true, true),
        (AnswerForm::Signed { audience: audience() }, false, true),
    ] {
        let endpoint = of(form);
        assert_eq!(read_at(&endpoint, START, &plain).is_ok(), plain_passes);
        assert_eq!(read_at(&endpoint, START, &jwt).is_ok(), jwt_passes);
    }
}

proptest! {
    /// A signed answer of which one bit was turned says nothing.
    #[test]
    fn a_signed_answer_with_one_bit_turned_is_not_believed(place in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let scene = Signing::new();
        let mut body = signed(&signed_claims()).into_bytes();
        let place = place.index(body.len());
        body[place] ^= 1 << bit;
        prop_assume!(!body[place].is_ascii_whitespace() || (place > 0 && place + 1 < body.len()));
        prop_assert!(read_at(&scene.endpoint, START, &signed_answer(&body)).is_err());
    }

    /// Whatever an endpoint sends, it is never the token's fault that it cannot be read.
    #[test]
    fn no_octets_blame_the_token(
        status in prop_oneof![Just(200), 100..600_u16],
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..64), "\\PC{0,64}".prop_map(String::into_bytes)],
    ) {
        let answer = Received { status, body: &body, ..received(b"") };
        prop_assert!(matches!(read(&answer), Err(Unread::Error(_))));
    }

    /// What has not come in time, or not at all, is never remembered as anything: see `answer_cache`. What has, is
    /// checked at the time of the check.
    #[test]
    fn times_are_looked_at_each_time(ahead in -200..200_i64) {
        let response = with(with(good_response(), "exp", START.wall.0 + 100), "nbf", START.wall.0 - 100);
        let now = Now { wall: UnixTime(START.wall.0 + ahead), ..START };
        let expected = match ahead {
            ..-160 => Some(Reason::NotYetValid),
            160.. => Some(Reason::Expired),
            // `iat` is the start.
            -160..-60 => Some(Reason::IssuedInFuture),
            _ => None,
        };
        prop_assert_eq!(check(&response, now, &strict()).err(), expected);
    }
}

#[test]
fn retry_after_comes_along() {
    for (status, retry_after) in [(429, Some(Duration::from_secs(7))), (503, None)] {
        let answer = Received { status, retry_after, ..received(b"") };
        let expected = AnswerError::Unavailable { status, retry_after };
        assert_eq!(read(&answer).unwrap_err(), Unread::Error(expected));
    }
}
