//! A form that somebody sends to an endpoint (RFC 6749 §3.2).

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::form_urlencoded;

use crate::cause::Cause;
use crate::wiped::Wiped;

/// The longest body, in octets: two tokens of the verifier's default limit, and the rest.
pub const BODY_LIMIT: usize = 40 * 1024;

/// The most parameters. The longest request of the RFCs that are served has fewer than twenty.
const PARAMETER_LIMIT: usize = 32;

/// What may stand there more than once (RFC 8693 §2.1, RFC 8707 §2).
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// A form. It is wiped when it is dropped: secrets, assertions and tokens stand in it.
#[derive(Debug, Default)]
pub struct Form {
    parameters: Vec<(String, Wiped<String>)>,
}

impl Form {
    /// Reads a body of at most [`BODY_LIMIT`] octets.
    ///
    /// # Errors
    /// [`Cause::FormMalformed`], [`Cause::BodyTooLarge`], [`Cause::ParameterRepeated`] (RFC 6749 §3.2).
    pub fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Self, Cause> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Cause::FormMalformed);
        }
        if body.len() > BODY_LIMIT {
            return Err(Cause::BodyTooLarge);
        }
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            // RFC 6749 §3.2: without a value is as if it were not there.
            if value.is_empty() {
                continue;
            }
            if form.parameters.len() == PARAMETER_LIMIT {
                return Err(Cause::BodyTooLarge);
            }
            if !REPEATABLE.contains(&&*name) && form.find(&name).is_some() {
                return Err(Cause::ParameterRepeated);
            }
            form.parameters.push((name.into_owned(), Wiped::new(value.into_owned())));
        }
        Ok(form)
    }

    /// A parameter's value.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// [`Cause::ParameterMissing`].
    pub fn demand(&self, name: &str) -> Result<&str, Cause> {
        self.find(name).ok_or(Cause::ParameterMissing)
    }

    /// The values of a parameter that may be there more than once.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.parameters.iter().filter(move |(found, _)| found == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(body: &str) -> Result<Form, Cause> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"),
        );
        Form::parse(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn each_parameter_is_there_once_but_for_what_a_token_is_for() {
        let form = parse("grant_type=client_credentials&resource=https%3A%2F%2Fa&resource=b&scope=").unwrap();
        assert_eq!(form.find("grant_type"), Some("client_credentials"));
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["https://a", "b"]);
        assert_eq!((form.find("scope"), form.demand("scope")), (None, Err(Cause::ParameterMissing)));
        assert_eq!(parse("scope=a&scope=b").unwrap_err(), Cause::ParameterRepeated);
        assert_eq!(parse("client_secret=a&client_secret=a").unwrap_err(), Cause::ParameterRepeated);
    }

    #[test]
    fn what_is_no_form_or_too_much_of_one_is_refused() {
        assert_eq!(Form::parse(&HeaderMap::new(), &Bytes::new()).unwrap_err(), Cause::FormMalformed);
        assert_eq!(parse(&"a".repeat(BODY_LIMIT + 1)).unwrap_err(), Cause::BodyTooLarge);
        let many: String = (0..=PARAMETER_LIMIT).map(|number| format!("p{number}=1&")).collect();
        assert_eq!(parse(&many).unwrap_err(), Cause::BodyTooLarge);
        assert!(parse(&many.replacen("p32=1", "p32=", 1)).is_ok(), "what has no value is not there");
    }
}
