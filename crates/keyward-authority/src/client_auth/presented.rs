//! What a request shows of who sent it.

use base64_simd::STANDARD;
use http::header::AUTHORIZATION;
use memchr::{memchr, memchr2};
use zeroize::Zeroizing;

use super::secret::SECRET_OCTETS;
use crate::cause::Cause;
use crate::entity::ClientAuthMethod;
use crate::http::FormRequest;
use crate::wiped::Wiped;

/// `client_assertion_type` (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request shows of which client sent it, in one way.
#[derive(Debug)]
pub(super) enum Presented<'a> {
    /// An assertion (RFC 7521 §4.2).
    Assertion {
        /// What the form says beside it.
        client_id: Option<&'a str>,
        assertion: &'a str,
    },
    /// `client_id` alone.
    Name { client_id: &'a str },
    /// A secret (RFC 6749 §2.3.1).
    Secret { method: ClientAuthMethod, client_id: String, secret: Zeroizing<String> },
}

impl<'a> Presented<'a> {
    pub(super) fn shows_any(request: &FormRequest) -> bool {
        let parameters = ["client_assertion", "client_assertion_type", "client_id", "client_secret"];
        request.headers.contains_key(AUTHORIZATION)
            || parameters.iter().any(|name| request.form.find(name).is_some())
    }

    /// The one way (RFC 6749 §2.3): more than one is refused, whichever is right.
    ///
    /// # Errors
    /// A [`Cause`].
    pub(super) fn of(request: &'a FormRequest) -> Result<Self, Cause> {
        let form = &request.form;
        let (client_id, secret) = (form.find("client_id"), form.find("client_secret"));
        let (assertion, kind) = (form.find("client_assertion"), form.find("client_assertion_type"));
        let mut headers = request.headers.get_all(AUTHORIZATION).iter();
        let header = headers.next();
        let ways = [header.is_some(), secret.is_some(), assertion.is_some() || kind.is_some()];
        if headers.next().is_some() || ways.into_iter().filter(|shown| *shown).count() > 1 {
            return Err(Cause::AuthenticationSeveral);
        }
        if let Some(header) = header {
            let (name, secret) = basic(header.as_bytes())?;
            if client_id.is_some_and(|client_id| client_id != name) {
                return Err(Cause::AuthenticationSeveral);
            }
            return Self::secret(ClientAuthMethod::ClientSecretBasic, name, secret);
        }
        if let Some(secret) = secret {
            let client_id = client_id.ok_or(Cause::AuthenticationMissing)?.to_owned();
            return Self::secret(
                ClientAuthMethod::ClientSecretPost,
                client_id,
                Zeroizing::new(secret.to_owned()),
            );
        }
        match (assertion, kind) {
            (Some(assertion), Some(JWT_BEARER)) => Ok(Self::Assertion { client_id, assertion }),
            (Some(_), Some(_)) => Err(Cause::AssertionTypeUnsupported),
            (Some(_), None) | (None, Some(_)) => Err(Cause::ParameterMissing),
            (None, None) => {
                client_id.map(|client_id| Self::Name { client_id }).ok_or(Cause::AuthenticationMissing)
            }
        }
    }

    /// How it seems to authenticate itself: a name alone may be a public client's, or go with a certificate.
    pub(super) fn method(&self) -> ClientAuthMethod {
        match self {
            Self::Assertion { .. } => ClientAuthMethod::PrivateKeyJwt,
            Self::Name { .. } => ClientAuthMethod::None,
            Self::Secret { method, .. } => *method,
        }
    }

    fn secret(method: ClientAuthMethod, client_id: String, secret: Zeroizing<String>) -> Result<Self, Cause> {
        if client_id.is_empty() {
            return Err(Cause::AuthenticationMissing);
        }
        // No secret is so long, of whichever client.
        if secret.len() > SECRET_OCTETS {
            return Err(Cause::SecretWrong);
        }
        Ok(Self::Secret { method, client_id, secret })
    }
}

/// `client_id` and secret of an `Authorization: Basic`, with both parts encoded as in a form before they were joined (RFC 6749
/// §2.3.1).
///
/// # Errors
/// [`Cause::AuthenticationMalformed`], [`Cause::AuthenticationMethodNotAllowed`] for another scheme.
pub fn basic(header: &[u8]) -> Result<(String, Zeroizing<String>), Cause> {
    let malformed = || Cause::AuthenticationMalformed;
    let space = header.iter().position(|octet| *octet == b' ').ok_or_else(malformed)?;
    let (scheme, encoded) = header.split_at_checked(space).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return Err(Cause::AuthenticationMethodNotAllowed);
    }
    let joined = STANDARD.decode_to_vec(encoded.trim_ascii()).map(Wiped::new).map_err(|_| malformed())?;
    let colon = memchr(b':', &joined).ok_or_else(malformed)?;
    let (name, secret) = joined.split_at_checked(colon).ok_or_else(malformed)?;
    let name = form_decoded(name).ok_or_else(malformed)?;
    let secret = form_decoded(secret.get(1..).unwrap_or_default()).map(Zeroizing::new);
    Ok((name, secret.ok_or_else(malformed)?))
}

/// What `application/x-www-form-urlencoded` says; none where a percent sign begins nothing, or where that is no UTF-8.
fn form_decoded(octets: &[u8]) -> Option<String> {
    if memchr2(b'%', b'+', octets).is_none() {
        return str::from_utf8(octets).ok().map(str::to_owned);
    }
    let mut decoded = Wiped::new(Vec::with_capacity(octets.len()));
    let mut rest = octets.iter();
    while let Some(octet) = rest.next() {
        decoded.push(match octet {
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            b'+' => b' ',
            plain => *plain,
        });
    }
    str::from_utf8(&decoded).ok().map(str::to_owned)
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(header: &str) -> Result<(String, String), Cause> {
        basic(header.as_bytes()).map(|(name, secret)| (name, (*secret).clone()))
    }

    fn header(joined: &str) -> String {
        format!("Basic {}", STANDARD.encode_to_string(joined))
    }

    #[test]
    fn both_parts_were_encoded_as_in_a_form() {
        let pair = |name: &str, secret: &str| Ok((name.to_owned(), secret.to_owned()));
        assert_eq!(decoded(&header("a:b")), pair("a", "b"));
        assert_eq!(decoded(&header("a%3Ab:c+d%2b%C3%A9")), pair("a:b", "c d+é"));
        assert_eq!(decoded(&header("a:b:c")), pair("a", "b:c"));
        assert_eq!(decoded(&header("a:")), pair("a", ""));
        assert_eq!(decoded(&header("a:b").replace("Basic ", "bASIC   ")), pair("a", "b"));
    }

    #[test]
    fn what_is_not_basic_is_refused() {
        for malformed in [
            "",
            "Basic",
            "Basic !",
            "Basic YQ",
            &header("a"),
            &header("a:%"),
            &header("a:%4"),
            &header("%zz:a"),
        ] {
            assert_eq!(decoded(malformed), Err(Cause::AuthenticationMalformed), "{malformed}");
        }
        assert_eq!(decoded(&header("a:%FF")), Err(Cause::AuthenticationMalformed));
        assert_eq!(decoded("Bearer abc"), Err(Cause::AuthenticationMethodNotAllowed));
    }
}
