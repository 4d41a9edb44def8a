//! The operators' listener.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyward_server::listener;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service as _;

use super::clients::accepted;
use crate::config::Limits;

/// Connections at once.
const CONNECTIONS: usize = 64;

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Some((stream, _)) = accepted(&listener).await else {
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let _open = place;
            // A router is always ready.
            let service =
                service_fn(move |request: Request<Incoming>| router.clone().call(request.map(Body::new)));
            let http1 = listener::http1(limits.head_timeout, limits.head_octets);
            let _ = http1.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
