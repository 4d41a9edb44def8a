//! `POST /cache/forget`: what a provider took back is not taken for good any longer.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use keyward::{Forget, Verifier};

pub(crate) const PATH: &str = "/cache/forget";

/// Octets of a request's body: four tokens of the longest kind.
const BODY_LIMIT: usize = 64 * 1024;

/// How many are named at once: for each `jti`, `sub` and `sid` all that is remembered is looked at.
const LIMIT: usize = 256;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What is to be forgotten. It may hold tokens, and is never shown.
pub(crate) struct Named(Vec<(Member, String)>);

#[derive(Clone, Copy)]
enum Member {
    Jti,
    Sid,
    Subject,
    Token,
}

/// Why nothing was forgotten. What was sent is not repeated: it may be a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForgetError {
    #[error("a value is empty: it names nothing")]
    Empty,
    #[error("nothing is named: send token, jti, sub or sid; each may come several times")]
    NothingNamed,
    #[error("the body did not arrive")]
    Truncated,
    #[error("the body is over {BODY_LIMIT} octets: send it in parts")]
    TooLarge,
    #[error("more than {LIMIT} are named: send them in parts")]
    TooMany,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("there is a field besides token, jti, sub and sid, and nothing was forgotten")]
    UnknownField,
    #[error("send a form: Content-Type: application/x-www-form-urlencoded")]
    WrongContentType,
}

impl Named {
    /// Reads a form.
    pub(crate) async fn read<B>(request: Request<B>) -> Result<Self, ForgetError>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if !is_form(request.headers()) {
            return Err(ForgetError::WrongContentType);
        }
        let body = Limited::new(request.into_body(), BODY_LIMIT).collect();
        match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => Self::parse(&body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ForgetError::TooLarge),
            Ok(Err(_)) => Err(ForgetError::Truncated),
            Err(_) => Err(ForgetError::TooSlow),
        }
    }

    fn parse(body: &Bytes) -> Result<Self, ForgetError> {
        let mut named = Vec::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            let member = match &*name {
                "jti" => Member::Jti,
                "sid" => Member::Sid,
                "sub" => Member::Subject,
                "token" => Member::Token,
                _ => return Err(ForgetError::UnknownField),
            };
            if value.is_empty() {
                return Err(ForgetError::Empty);
            }
            if named.len() == LIMIT {
                return Err(ForgetError::TooMany);
            }
            named.push((member, value.into_owned()));
        }
        if named.is_empty() { Err(ForgetError::NothingNamed) } else { Ok(Self(named)) }
    }

    /// Forgets it all, and says how many answers are gone.
    pub(crate) fn forget(&self, verifier: &Verifier) -> usize {
        let forgotten = self.0.iter().map(|(member, value)| {
            verifier.forget(match member {
                Member::Jti => Forget::Jti(value),
                Member::Sid => Forget::Sid(value),
                Member::Subject => Forget::Subject(value),
                Member::Token => Forget::Token(value.as_bytes()),
            })
        });
        forgotten.sum()
    }

    /// How many are named.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl ForgetError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Empty | Self::NothingNamed | Self::TooMany | Self::Truncated | Self::UnknownField => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::WrongContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
