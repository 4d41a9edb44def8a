//! The requests, as they go over the wire.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use keyward::credentials::KeyFile;
use keyward_jose::sign_compact;
use serde_json::{Value, json};

use super::site::Place;
use crate::load::Connection;
use crate::{Failure, sample};

/// More than are used up while they are measured: each counts once.
const ASSERTIONS: usize = 60_000;

/// How long they count, in seconds: less than the authority allows.
const ASSERTION_LIFETIME: u64 = 240;

/// For the server that answers everything.
pub(super) fn floor() -> Vec<u8> {
    get("/")
}

pub(super) fn client_credentials(place: &Place) -> Result<Vec<u8>, Failure> {
    Ok(token_request(place, &place.form))
}

/// About a token that was just issued.
pub(super) fn introspection(place: &Place) -> Result<Vec<u8>, Failure> {
    let form = place.introspected_form.as_ref().unwrap_or(&place.form);
    let answer = ask(place, &token_request(place, form))?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or("no token")?;
    let request = post(&place.introspection, Some(place), &format!("token={token}"));
    let said = ask(place, &request)?;
    if said.get("active").and_then(Value::as_bool) == Some(true) {
        Ok(request)
    } else {
        Err(format!("{} says {said} of its own token", place.name).into())
    }
}

pub(super) fn jwks(place: &Place) -> Vec<u8> {
    get(&place.jwks)
}

/// How many keys are published. Those that signed stay for as long as their tokens do.
pub(super) fn published_keys(place: &Place) -> Result<usize, Failure> {
    let set = ask(place, &jwks(place))?;
    Ok(set.get("keys").and_then(Value::as_array).ok_or("no keys")?.len())
}

/// For the JWT-bearer grant (RFC 7523 §2.1), each with an assertion of its own.
pub(super) fn assertions(place: &Place) -> Result<Vec<Vec<u8>>, Failure> {
    const MISSING: &str = "no service account";
    let account = place.service_account.as_ref().ok_or(MISSING)?;
    let key = place.service_account_key.as_ref().ok_or(MISSING)?;
    let (_, key) = KeyFile::parse(key.as_bytes(), None, None, None)?;
    let now = sample::now();
    let request = |number: usize| {
        let claims = json!({
            "iss": account,
            "sub": account,
            "aud": place.issuer,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
            "jti": URL_SAFE_NO_PAD.encode_to_string(format!("bench-{now}-{number:016}")),
        })
        .to_string();
        let assertion = sample::at_once(Box::pin(sign_compact(&key, Some("JWT"), claims.as_bytes())))?;
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
        Ok(post(&place.token, None, &format!("{grant}&assertion={assertion}&{}", place.form)))
    };
    (0..ASSERTIONS).map(request).collect()
}

fn token_request(place: &Place, form: &str) -> Vec<u8> {
    post(&place.token, Some(place), &format!("grant_type=client_credentials&{form}"))
}

fn ask(place: &Place, request: &[u8]) -> Result<Value, Failure> {
    let mut connection = Connection::open(place.address()?)?;
    connection.send(request)?;
    let answer = connection.receive()?;
    let body = answer.windows(4).position(|octets| octets == b"\r\n\r\n").map(|head| head + 4);
    Ok(serde_json::from_slice(answer.get(body.unwrap_or_default()..).unwrap_or_default())?)
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

fn post(path: &str, client: Option<&Place>, form: &str) -> Vec<u8> {
    let authorization = client.map_or_else(String::new, |place| {
        let credential = STANDARD.encode_to_string(format!("{}:{}", place.client, place.secret));
        format!("Authorization: Basic {credential}\r\n")
    });
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: application/json\r\n\
         {authorization}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len(),
    )
    .into_bytes()
}
