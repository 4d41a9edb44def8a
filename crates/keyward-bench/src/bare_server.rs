//! Servers that do nothing but answer: hyper alone, on the same runtime as the gateway.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyward_jose::{Algorithm, LocalSigner, sign_compact};
use tokio::net::TcpListener;

use crate::{Failure, sample};

/// The floor: answers 204 to everything.
pub(crate) fn answer_no_content() -> Result<(), Failure> {
    serve(|_request| async {
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    })
}

/// A provider whose introspection endpoint says at once, and of every token, that it is active.
pub(crate) fn introspect() -> Result<(), Failure> {
    let said: &'static str = sample::introspection_response()?.leak();
    serve(move |request| async move {
        // A body that is left unread closes the connection.
        let _ = request.into_body().collect().await;
        let mut response = Response::new(Full::new(Bytes::from_static(said.as_bytes())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    })
}

/// An issuer that does nothing but what none can do without: it reads what it is asked, and signs as many octets as a token has.
pub(crate) fn issue() -> Result<(), Failure> {
    let signer: &'static Arc<LocalSigner> = Box::leak(Box::new(sample::signer(Algorithm::Es256)?));
    let claims: &'static str = sample::claims(0).to_string().leak();
    serve(move |request| async move {
        let _ = request.into_body().collect().await;
        let token = sign_compact(&**signer, Some("at+jwt"), claims.as_bytes()).await.unwrap_or_default();
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    })
}

/// Listens on a free port, which it prints, and serves until it is killed.
fn serve<B, F>(answer: impl Fn(Request<Incoming>) -> F + Copy + Send + 'static) -> Result<(), Failure>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            tokio::spawn(async move {
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
