//! A form that somebody sends to an endpoint (RFC 6749 §3.2).

use std::ops::Range;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::{memchr, memchr2};
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
    /// All names and values, one after the other.
    text: Wiped<String>,
    parameters: Vec<Parameter>,
}

/// Where it stands in the text.
#[derive(Debug)]
struct Parameter {
    name: Range<usize>,
    value: Range<usize>,
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
        // As long as it gets, or it would leave copies behind: an octet that is no UTF-8 becomes U+FFFD, which is three.
        let text = Wiped::new(String::with_capacity(3 * body.len()));
        let mut form = Self { text, parameters: Vec::new() };
        let mut rest: &[u8] = body;
        while !rest.is_empty() {
            let (pair, others) = split(rest, b'&');
            form.take(pair)?;
            rest = others;
        }
        Ok(form)
    }

    fn take(&mut self, pair: &[u8]) -> Result<(), Cause> {
        let (name, value) = split(pair, b'=');
        // RFC 6749 §3.2: without a value is as if it were not there.
        if value.is_empty() {
            return Ok(());
        }
        if let (Some(name), Some(value)) = (verbatim(name), verbatim(value)) {
            return self.push(name, value);
        }
        let (name, value) = form_urlencoded::parse(pair).next().unwrap_or_default();
        self.push(&name, &Wiped::new(value.into_owned()))
    }

    fn push(&mut self, name: &str, value: &str) -> Result<(), Cause> {
        if self.parameters.len() == PARAMETER_LIMIT {
            return Err(Cause::BodyTooLarge);
        }
        if !REPEATABLE.contains(&name) && self.find(name).is_some() {
            return Err(Cause::ParameterRepeated);
        }
        let (name, value) = (self.append(name), self.append(value));
        self.parameters.push(Parameter { name, value });
        Ok(())
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    /// A parameter's value.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|parameter| self.value_of(parameter, name))
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// [`Cause::ParameterMissing`].
    pub fn demand(&self, name: &str) -> Result<&str, Cause> {
        self.find(name).ok_or(Cause::ParameterMissing)
    }

    /// The values of a parameter that may be there more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter_map(move |parameter| self.value_of(parameter, name))
    }

    /// What a parameter says, if it is called so.
    fn value_of(&self, parameter: &Parameter, name: &str) -> Option<&str> {
        let is_it = self.text.get(parameter.name.clone()) == Some(name);
        self.text.get(parameter.value.clone()).filter(|_| is_it)
    }
}

/// What stands before the first such octet, and what behind it.
fn split(octets: &[u8], at: u8) -> (&[u8], &[u8]) {
    let (before, behind) = octets.split_at(memchr(at, octets).unwrap_or(octets.len()));
    (before, behind.get(1..).unwrap_or_default())
}

/// What says what it stands for as it is: tokens do, which are most of what is sent.
fn verbatim(octets: &[u8]) -> Option<&str> {
    if memchr2(b'%', b'+', octets).is_some() { None } else { str::from_utf8(octets).ok() }
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
    fn what_stands_for_itself_and_what_does_not_are_read_alike() {
        let form = parse("&token=a=b==&a+b=c%2Bd&é=%C3%A9&=x&half=%4&wrong=%FF%26&&last=~").unwrap();
        for (name, value) in [
            ("token", "a=b=="),
            ("a b", "c+d"),
            ("é", "é"),
            ("", "x"),
            ("half", "%4"),
            ("wrong", "\u{FFFD}&"),
            ("last", "~"),
        ] {
            assert_eq!((name, form.find(name)), (name, Some(value)));
        }
        assert_eq!((form.find("a+b"), form.parameters.len()), (None, 7));
        assert_eq!(parse("scope=a&%73cope=b").unwrap_err(), Cause::ParameterRepeated);
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
