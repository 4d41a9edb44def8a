//! One exchange with a provider, by the network or by whatever a test puts in its place.

use std::fmt::{self, Debug};
use std::pin::Pin;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::combinators::BoxBody;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::FetchError;
use super::error::shown;

/// Makes one exchange with a provider.
///
/// It follows no redirect and limits nothing: times, sizes and places are [`Fetcher`](super::Fetcher)'s, so that
/// they are the same whatever carries the exchange.
pub trait Transport: Send + Sync + Debug {
    /// Sends the request, and comes back with the head of the answer. It is dropped when the time is over.
    fn send<'a>(&'a self, request: &'a OutgoingRequest) -> Exchange<'a>;
}

/// What [`Transport::send`] comes back with: any status, or why there is none.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, FetchError>> + Send + 'a>>;

/// An answer's body as it comes in.
pub type Body = BoxBody<Bytes, FetchError>;

/// What is sent to a provider. Its `Debug` shows neither headers nor body, where credentials stand.
#[derive(Clone)]
pub struct OutgoingRequest {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// What goes along, beside what the transport adds itself, such as `Host`.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl OutgoingRequest {
    /// A GET of a JSON document.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: accepting("application/json"), body: Bytes::new() }
    }

    /// A POST of these fields as a form (`application/x-www-form-urlencoded`), answered in JSON. The body is wiped
    /// when the last who holds it lets go.
    pub fn post_form<'a>(url: Url, fields: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let mut headers = accepting("application/json");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // Each octet in its longest form: a text that grew would leave a copy behind.
        let octets = fields.clone().into_iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let form =
            form_urlencoded::Serializer::new(String::with_capacity(octets)).extend_pairs(fields).finish();
        let body = Bytes::from_owner(Zeroizing::new(form.into_bytes()));
        Self { method: Method::POST, url, headers, body }
    }
}

impl Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingRequest")
            .field("method", &self.method)
            .field("url", &shown(&self.url).as_str())
            .finish_non_exhaustive()
    }
}

fn accepting(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(media_type))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_and_never_shown() {
        let url = Url::parse("https://user:word@idp.example/token?key=planted").expect("a URL");
        let request = OutgoingRequest::post_form(
            url,
            [("client_secret", "a&b=c d+é"), ("token", "pl@nted"), ("none", "")],
        );
        assert_eq!(request.body, "client_secret=a%26b%3Dc+d%2B%C3%A9&token=pl%40nted&none=");
        let shown = format!("{request:?}");
        for secret in ["pl@nted", "pl%40nted", "planted", "word", "a%26b"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
