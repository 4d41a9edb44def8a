//! The forms that the endpoints are asked with, and a request as they see it.

use std::fmt;

use http::{HeaderMap, StatusCode};
use url::form_urlencoded;

use crate::client::{Cause, said};
use crate::fault::Endpoint;
use crate::issuer::Issuer;
use crate::provider_log::Entry;
use crate::visitor::Visitor;

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

impl Asked<'_> {
    /// Writes down that it was refused, and why; not of a doctor, who finds out what is refused.
    pub(crate) fn log(
        &self,
        status: StatusCode,
        error: &str,
        cause: &dyn fmt::Display,
        asserted: Option<Cause>,
    ) {
        if Visitor::of(self.headers) == Visitor::Doctor {
            return;
        }
        let is_introspection = self.url == self.issuer.addresses.introspection_endpoint;
        let endpoint = if is_introspection { Endpoint::Introspection } else { Endpoint::Token };
        let (status, cause) = (status.as_u16(), cause.to_string());
        let entry = Entry { endpoint, status, error, client: said(self), cause, asserted };
        self.issuer.log().write(self.issuer.token_wall(), self.issuer.plan.errors, &entry);
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
