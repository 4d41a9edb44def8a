//! One exchange with a provider, by the network or by whatever a test puts in its place.

use std::fmt::Debug;
use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use http_body_util::combinators::BoxBody;
use url::Url;

use super::FetchError;

/// Makes one exchange with a provider.
///
/// It follows no redirect and limits nothing: times, sizes and places are [`Fetcher`](super::Fetcher)'s, so that
/// they are the same whatever carries the exchange.
pub trait Transport: Send + Sync + Debug {
    /// Sends a GET for `url`, and comes back with the head of the answer. It is dropped when the time is over.
    fn get<'a>(&'a self, url: &'a Url) -> Exchange<'a>;
}

/// What [`Transport::get`] comes back with: any status, or why there is none.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, FetchError>> + Send + 'a>>;

/// An answer's body as it comes in.
pub type Body = BoxBody<Bytes, FetchError>;
