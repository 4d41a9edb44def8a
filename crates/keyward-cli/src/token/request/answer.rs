//! What a token endpoint answers (RFC 6749 §5).

use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::RequestError;
use crate::output::Printable;

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
}

/// RFC 6749 §5.2. It may have echoed anything: what is shown is short and printable.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    error: String,
    error_description: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(300).collect::<String>();
        write!(f, "{}", Printable(&short(&self.error)))?;
        if let Some(description) = &self.error_description {
            write!(f, " ({})", Printable(&short(description)))?;
        }
        f.write_str(self.advice())
    }
}

impl Refused {
    /// What to look at, for each error of RFC 6749 §5.2, RFC 8693 §2.2.2 and RFC 8707 §2.
    fn advice(&self) -> &'static str {
        match self.error.as_str() {
            "invalid_client" => {
                ": it does not know this client, its secret or its key; --auth, --kid or --assertion-audience may be wrong"
            }
            "invalid_grant" => ": it refuses the assertion or its key; its log may say why",
            "invalid_request" => ": it misses a parameter or does not understand one",
            "invalid_scope" => ": it does not know --scope, or not for whom asks",
            "invalid_target" => ": it does not know --resource or --audience, or not for whom asks",
            "unauthorized_client" => ": this client may not use this grant there",
            "unsupported_grant_type" => ": it does not offer this grant",
            _ => "",
        }
    }
}

/// The access token.
pub(super) fn read(url: Url, status: StatusCode, body: &[u8]) -> Result<Zeroizing<String>, RequestError> {
    if status.is_success() {
        return match serde_json::from_slice(body) {
            Ok(Granted { access_token, token_type }) if token_type.eq_ignore_ascii_case("Bearer") => {
                Ok(Zeroizing::new(access_token))
            }
            Ok(Granted { token_type, .. }) => Err(RequestError::TokenType { url, token_type }),
            Err(_) => Err(RequestError::Answer { url, status }),
        };
    }
    match serde_json::from_slice(body) {
        Ok(refused) => Err(RequestError::Refused { url, refused }),
        Err(_) => Err(RequestError::Answer { url, status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_no_token() {
        let url = Url::parse("https://idp.example/token").expect("a URL");
        let read = |status, body: &str| {
            read(url.clone(), status, body.as_bytes()).map_err(|error| error.to_string())
        };
        let token = read(StatusCode::OK, r#"{"access_token":"a.b.c","token_type":"bearer"}"#);
        assert_eq!(token.expect("a token").as_str(), "a.b.c");
        for (status, body, words) in [
            (StatusCode::OK, "{}", "nothing that RFC 6749 knows"),
            (StatusCode::OK, r#"{"access_token":"t","token_type":"mac"}"#, "only Bearer"),
            (StatusCode::BAD_GATEWAY, "<html>", "502"),
            (StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#, "its secret"),
            (
                StatusCode::BAD_REQUEST,
                r#"{"error":"x\u001b[2J","error_description":"y\n"}"#,
                "x\\u001b[2J (y\\u000a)",
            ),
        ] {
            let error = read(status, body).expect_err("no token");
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("a.b.c"));
        }
    }
}
