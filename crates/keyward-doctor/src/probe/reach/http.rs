//! One HTTP/1.1 exchange over a connection that is there.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyward::MonoTime;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use url::{Position, Url};
use zeroize::Zeroizing;

use super::Request;
use super::timer::{Over, Timer};
use crate::facts::{Ended, Waited};

/// Who we are to servers.
const NAME: &str = concat!("keyward-doctor/", env!("CARGO_PKG_VERSION"));

/// The most octets of an answer's head.
const HEAD: usize = 64 * 1024;

/// The most headers of an answer.
const HEADERS: usize = 128;

/// An answer as it came.
pub(super) struct Raw {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) over_limit: bool,
    pub(super) first_octet_ms: u64,
    pub(super) took_ms: u64,
    /// When the request was sent.
    pub(super) asked_at: MonoTime,
    /// When the head of the answer was there.
    pub(super) answered_at: MonoTime,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// While the answer was awaited.
    #[error(transparent)]
    Head(hyper::Error),
    /// While its body came.
    #[error(transparent)]
    Body(hyper::Error),
    /// What was to be sent is no request.
    #[error(transparent)]
    NoRequest(#[from] http::Error),
    /// Not in time.
    #[error("not in time")]
    Over(Over, Waited),
}

impl Failure {
    pub(super) fn ended(&self) -> Ended {
        match self {
            Self::Head(error) if error.is_parse() => Ended::NotHttp,
            Self::Head(_) | Self::Body(_) => Ended::BrokeOff,
            Self::NoRequest(error) => Ended::Unreachable(error.to_string()),
            Self::Over(over, waited) => over.ended(*waited),
        }
    }
}

/// Sends the request and reads the answer, its body no further than `limit`.
pub(super) async fn exchange<S>(
    stream: S,
    request: &Request<'_>,
    timer: &Timer<'_>,
    limit: usize,
) -> Result<Raw, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let over = |waited| move |over| Failure::Over(over, waited);
    let sent = outgoing(request)?;
    let timer = timer.again();
    let mut builder = http1::Builder::new();
    let shaken = builder.max_buf_size(HEAD).max_headers(HEADERS).handshake(TokioIo::new(stream));
    let (mut sender, connection) = shaken.await.map_err(Failure::Head)?;
    // It ends with this call, whatever becomes of it.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let answer = timer.within(sender.send_request(sent)).await.map_err(over(Waited::FirstOctet))?;
    let (first_octet_ms, answered_at) = (timer.ms(), timer.now());
    let (head, body) = answer.map_err(Failure::Head)?.into_parts();
    let read = timer.within(read(body, limit)).await.map_err(over(Waited::Body))?;
    let (body, over_limit) = read.map_err(Failure::Body)?;
    Ok(Raw {
        status: head.status,
        headers: head.headers,
        body,
        over_limit,
        first_octet_ms,
        took_ms: timer.ms(),
        asked_at: timer.began(),
        answered_at,
    })
}

/// What is read of a body, and whether there is more.
async fn read(mut body: Incoming, limit: usize) -> Result<(Zeroizing<Vec<u8>>, bool), hyper::Error> {
    let mut octets = Zeroizing::new(Vec::new());
    while let Some(frame) = body.frame().await {
        // What is no data is a trailer.
        let data = frame?.into_data().unwrap_or_default();
        let room = limit.saturating_sub(octets.len());
        octets.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Ok((octets, true));
        }
    }
    Ok((octets, false))
}

fn outgoing(request: &Request<'_>) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let url = request.url;
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let body = Full::new(Bytes::from_owner(request.body.clone()));
    let mut sent = http::Request::builder().method(request.method.clone()).uri(target).body(body)?;
    let headers = sent.headers_mut();
    headers.extend(request.headers.clone());
    headers.insert(HOST, HeaderValue::from_str(host)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(NAME));
    if !headers.contains_key(ACCEPT) {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    }
    if let Some(basic) = basic(url).filter(|_| !headers.contains_key(AUTHORIZATION)) {
        let mut basic = HeaderValue::from_str(&basic)?;
        basic.set_sensitive(true);
        headers.insert(AUTHORIZATION, basic);
    }
    Ok(sent)
}

/// User and password of an address, as the gateway sends them (RFC 7617).
fn basic(url: &Url) -> Option<Zeroizing<String>> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| {
        // As long as it can become, so that nothing of it is left where it grew.
        let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
        decoded.extend(percent_decode_str(text));
        decoded
    };
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let pair = Zeroizing::new([&user[..], b":", &password].concat());
    let encoded = Zeroizing::new(base64_simd::STANDARD.encode_to_string(&pair[..]));
    Some(Zeroizing::new(format!("Basic {}", *encoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_of_an_address_are_sent_as_the_gateway_sends_them() {
        for (url, expected) in [
            ("https://idp.example/jwks", None),
            ("https://user:pass%2Fword@idp.example/", Some("Basic dXNlcjpwYXNzL3dvcmQ=")),
            ("https://user%@idp.example/", Some("Basic dXNlciU6")),
        ] {
            let found = basic(&Url::parse(url).expect("a URL"));
            assert_eq!(found.as_deref().map(String::as_str), expected, "{url}");
        }
    }
}
