//! HTTP to a provider in this process: the same octets, over a pipe in memory.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use keyward::fetch::{Body, Exchange, FetchError, OutgoingRequest, Transport};
use keyward_lab::Lab;

/// Reaches the issuers of a lab that listens nowhere.
#[derive(Debug)]
pub(crate) struct MemoryTransport {
    lab: Lab,
}

impl MemoryTransport {
    pub(crate) fn new(lab: Lab) -> Self {
        Self { lab }
    }

    async fn exchange(&self, sent: &OutgoingRequest) -> Result<Response<Body>, FetchError> {
        let url = &sent.url;
        let broken = |cause: String| FetchError::Connect { url: url.clone(), cause };
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0));
        let pipe = self.lab.connect(host, port).await.map_err(|error| broken(error.to_string()))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(pipe));
        let (mut sender, connection) = handshake.await.map_err(|error| broken(error.to_string()))?;
        // It ends with the exchange: its last word is the sender's.
        tokio::spawn(connection);
        let mut request = Request::new(Full::<Bytes>::new(sent.body.clone()));
        *request.method_mut() = sent.method.clone();
        *request.headers_mut() = sent.headers.clone();
        *request.uri_mut() = url[url::Position::BeforePath..].parse().unwrap_or_default();
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        if let Ok(authority) = HeaderValue::try_from(authority) {
            request.headers_mut().insert(HOST, authority);
        }
        let answer = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
        let url = url.clone();
        Ok(answer.map(|body| {
            body.map_err(move |error| FetchError::Connect { url: url.clone(), cause: error.to_string() })
                .boxed()
        }))
    }
}

impl Transport for MemoryTransport {
    fn send<'a>(&'a self, request: &'a OutgoingRequest) -> Exchange<'a> {
        Box::pin(self.exchange(request))
    }
}
