//! The one client of an issuer, and the forms that it sends.

use base64_simd::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use url::form_urlencoded;

/// `client_id` of the one client, and the `sub` of its tokens.
pub const CLIENT_ID: &str = "drill";

/// Its secret, which is none.
pub const CLIENT_SECRET: &str = "drill";

/// A client that gave the right secret.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: &'static str,
}

/// `application/x-www-form-urlencoded`.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Client {
    /// By `client_secret_basic` or `client_secret_post` (OpenID Connect Core §9).
    pub(crate) fn authenticated(headers: &HeaderMap, form: &Form) -> Option<Self> {
        let known = match headers.get(AUTHORIZATION) {
            Some(value) => {
                basic(value.as_bytes()).is_some_and(|(id, secret)| id == CLIENT_ID && secret == CLIENT_SECRET)
            }
            None => {
                form.field("client_id") == Some(CLIENT_ID)
                    && form.field("client_secret") == Some(CLIENT_SECRET)
            }
        };
        known.then_some(Self { id: CLIENT_ID })
    }
}

impl Form {
    pub(crate) fn parse(octets: &[u8]) -> Self {
        Self(form_urlencoded::parse(octets).into_owned().collect())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// RFC 6749 §2.3.1: both halves were form-encoded before they were joined.
fn basic(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let pair =
        STANDARD.decode_to_vec(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |half: &str| {
        // A form of one name without a value decodes to that name.
        form_urlencoded::parse(half.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
    };
    Some((decoded(id), decoded(secret)))
}
