//! The forms that the endpoints are asked with, and a request as they see it.

use http::HeaderMap;
use url::form_urlencoded;

use crate::issuer::Issuer;

/// `application/x-www-form-urlencoded`.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

/// A form that came to an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) issuer: &'a Issuer,
    /// The endpoint's address.
    pub(crate) url: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) form: &'a Form,
}

impl Form {
    pub(crate) fn parse(octets: &[u8]) -> Self {
        Self(form_urlencoded::parse(octets).into_owned().collect())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
