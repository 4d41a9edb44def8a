//! An answer, and what the endpoint's fault makes of it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::answer::{self, Answer};
use crate::body::{Cut, LabBody, gzip_bomb};
use crate::fault::{Fault, RedirectTo};
use crate::gate::Stuck;
use crate::issuer::Issuer;
use crate::port::Port;
use crate::visitor::Visitor;

const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>\n";

/// What the endpoint says to a request.
///
/// # Errors
/// [`Cut`] where it says nothing and closes the connection.
pub(crate) async fn answer(
    issuer: &Arc<Issuer>,
    port: &Arc<Port>,
    secure: bool,
    stuck: &Stuck,
    request: Request<Incoming>,
) -> Result<Response<LabBody>, Cut> {
    let visitor = Visitor::of(request.headers());
    port.count_request(visitor);
    let fault = port.fault().filter(|fault| !led_here(fault, issuer, secure, &request));
    if let Some(Fault::Delay(time)) = &fault {
        tokio::time::sleep(time.0).await;
    }
    let path = request.uri().path().to_owned();
    let mut answer = answer::right(issuer, port.endpoint, fault.as_ref(), request).await?;
    let mut response = match fault {
        // What is wrong with introspection is in its answer already.
        None
        | Some(Fault::Delay(_) | Fault::Tls(_) | Fault::ActiveAs(_) | Fault::Says(_) | Fault::SignedAs(_)) => {
            answer.into_response(LabBody::whole)
        }
        // The gate stands before both; they get here while it closes.
        Some(Fault::Refuse | Fault::Hang) => return Err(Cut),
        Some(Fault::HangAfterHead) => {
            stuck.set();
            answer.into_response(|body| LabBody::Withheld(body.len().max(1) as u64))
        }
        Some(Fault::Drip) => {
            stuck.set();
            answer.into_response(LabBody::drip)
        }
        Some(Fault::CloseMidway) => answer.into_response(|body| LabBody::half(&body)),
        Some(Fault::Status { code, retry_after }) => status(answer, code, retry_after),
        Some(Fault::Refusal { code, error }) => refusal(answer, code, &error),
        Some(Fault::Html) => {
            answer.status = StatusCode::OK;
            answer.body = Bytes::from_static(PAGE);
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            answer.into_response(LabBody::whole)
        }
        Some(Fault::TruncatedJson) => {
            answer.body.truncate(answer.body.len() / 2);
            answer.into_response(LabBody::whole)
        }
        Some(Fault::WrongContentType) => {
            answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            answer.into_response(LabBody::whole)
        }
        Some(Fault::Oversized) => answer.into_response(|_| LabBody::oversized()),
        Some(Fault::GzipBomb) => {
            answer.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer.into_response(|_| LabBody::whole(gzip_bomb()))
        }
        Some(Fault::Redirect(to)) => redirect(issuer, port, &to, &path),
        Some(Fault::Flap(every)) if port.flaps_well(every, visitor) => answer.into_response(LabBody::whole),
        Some(Fault::Flap(_)) => status(answer, 503, None),
    };
    if !response.headers().contains_key(DATE)
        && let Ok(date) = HeaderValue::from_str(&issuer.date())
    {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

/// Whether a redirect has led the request here already: by another name, or by http.
fn led_here(fault: &Fault, issuer: &Issuer, secure: bool, request: &Request<Incoming>) -> bool {
    match fault {
        Fault::Redirect(RedirectTo::OtherHost) => {
            let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
            host.is_some_and(|host| host.starts_with(issuer.addresses.other_host().as_bytes()))
        }
        Fault::Redirect(RedirectTo::Http) => !secure,
        _ => false,
    }
}

fn status(mut answer: Answer, code: u16, retry_after: Option<u64>) -> Response<LabBody> {
    // The codes of RFC 6749 §4.1.2.1 and §5.2.
    let error = match code {
        400 => "invalid_request",
        401 => "invalid_client",
        403 => "access_denied",
        429 | 503 => "temporarily_unavailable",
        _ => "server_error",
    };
    if let Some(seconds) = retry_after {
        answer.headers.insert(RETRY_AFTER, seconds.into());
    }
    refusal(answer, code, error)
}

fn refusal(mut answer: Answer, code: u16, error: &str) -> Response<LabBody> {
    // What was out of range was refused when it was commanded.
    answer.status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    answer.body = json!({ "error": error }).to_string().into();
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if code == 401 {
        let challenge =
            if error == "invalid_token" { "Bearer error=\"invalid_token\"" } else { "Basic realm=\"lab\"" };
        answer.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer.into_response(LabBody::whole)
}

fn redirect(issuer: &Issuer, port: &Port, to: &RedirectTo, path: &str) -> Response<LabBody> {
    let mut response = Response::new(LabBody::whole(Bytes::new()));
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(location) = HeaderValue::from_str(&issuer.addresses.redirect(to, port.number, path)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
