//! What a token endpoint answers (RFC 6749 §5), read with distrust.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use keyward_jose::SignError;
use keyward_jose::json::check_unique_names;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::BearerToken;
use crate::fetch::{Answer, FetchError};

/// Why no token was obtained. Nothing in it is a secret of ours, nor a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The task that obtains tokens panicked, which is a mistake of ours. It is started again.
    #[error("the task that obtains it panicked")]
    Crashed,
    /// There was no answer.
    #[error("{0}")]
    Fetch(FetchError),
    /// The answer is none that a token endpoint gives.
    #[error("the token endpoint's answer is malformed: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The provider said no.
    #[error("the token endpoint says {0}")]
    Said(ProviderError),
    /// No assertion could be made.
    #[error("no assertion could be signed: {0}")]
    Sign(SignError),
}

/// What a provider said of a request (RFC 6749 §5.2), as far as it can be shown. One `server_error` may stand for
/// many causes (incident A1), which nobody can tell apart from here: what was said is kept for whoever can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// The status.
    pub status: StatusCode,
    /// `error`.
    pub code: OAuthError,
    /// `error_description`: at most 200 printable characters, without what we sent and what might be a token.
    pub description: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// `error` of RFC 6749 §4.1.2.1 and §5.2, and of RFC 6750 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthError {
    /// `access_denied`.
    AccessDenied,
    /// `insufficient_scope`.
    InsufficientScope,
    /// `invalid_client`: we are unknown, or our proof is wrong.
    InvalidClient,
    /// `invalid_grant`: the assertion is wrong, over, or for another.
    InvalidGrant,
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_scope`.
    InvalidScope,
    /// `invalid_token`.
    InvalidToken,
    /// `server_error`: something, on their side.
    ServerError,
    /// `temporarily_unavailable`.
    TemporarilyUnavailable,
    /// `unauthorized_client`: we may not use this grant.
    UnauthorizedClient,
    /// Another code, or none that can be read.
    Unknown,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
}

impl TokenError {
    /// The label in metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Crashed => "crashed",
            Self::Fetch(error) => error.label(),
            Self::Malformed { .. } => "malformed",
            Self::Said(error) => error.code.label(),
            Self::Sign(_) => "signing",
        }
    }

    /// Whether the provider refuses us, rather than fails: what asks again in vain until somebody mends it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Said(error) if error.is_refusal())
    }

    /// How long the provider asked to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            Self::Said(error) => error.retry_after,
            Self::Crashed | Self::Malformed { .. } | Self::Sign(_) => None,
        }
    }
}

impl ProviderError {
    /// Reads what is there. `secrets` are those that were sent.
    pub(super) fn read<'a>(answer: &Answer, secrets: impl Iterator<Item = &'a str>) -> Self {
        let said = serde_json::from_slice::<Said>(&answer.body).ok().unwrap_or_default();
        Self {
            status: answer.status,
            code: said.error.as_deref().map_or(OAuthError::Unknown, OAuthError::from_code),
            description: said.error_description.as_deref().map(|text| shown(text, secrets)),
            retry_after: answer.retry_after(),
        }
    }

    /// Whether it is us whom the provider refuses.
    pub fn is_refusal(&self) -> bool {
        match self.code {
            OAuthError::ServerError | OAuthError::TemporarilyUnavailable => false,
            OAuthError::Unknown => {
                matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            }
            _ => self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code.label())?;
        match &self.description {
            Some(description) => write!(f, " ({description:?})"),
            None => Ok(()),
        }
    }
}

/// The codes and their names.
const CODES: [(&str, OAuthError); 11] = [
    ("access_denied", OAuthError::AccessDenied),
    ("insufficient_scope", OAuthError::InsufficientScope),
    ("invalid_client", OAuthError::InvalidClient),
    ("invalid_grant", OAuthError::InvalidGrant),
    ("invalid_request", OAuthError::InvalidRequest),
    ("invalid_scope", OAuthError::InvalidScope),
    ("invalid_token", OAuthError::InvalidToken),
    ("server_error", OAuthError::ServerError),
    ("temporarily_unavailable", OAuthError::TemporarilyUnavailable),
    ("unauthorized_client", OAuthError::UnauthorizedClient),
    ("unsupported_grant_type", OAuthError::UnsupportedGrantType),
];

impl OAuthError {
    fn from_code(code: &str) -> Self {
        CODES.iter().find(|(name, _)| *name == code).map_or(Self::Unknown, |(_, error)| *error)
    }

    /// The code's name; `unknown` for another.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::Unknown => "unknown",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

/// A token as it was granted (RFC 6749 §5.1).
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub token: BearerToken,
    /// `expires_in`, where it was said.
    pub expires_in: Option<Duration>,
}

#[derive(Default, Deserialize)]
struct Said {
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct TokenBody {
    #[serde(default)]
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<serde_json::Number>,
}

impl Drop for TokenBody {
    fn drop(&mut self) {
        self.access_token.zeroize();
    }
}

/// Reads an answer. `secrets` are those that were sent.
pub(super) fn read<'a>(
    answer: &Answer,
    secrets: impl Iterator<Item = &'a str>,
) -> Result<Granted, TokenError> {
    let malformed = |what| TokenError::Malformed { what };
    if answer.status != StatusCode::OK {
        return Err(TokenError::Said(ProviderError::read(answer, secrets)));
    }
    if answer.media_type().as_deref() != Some("application/json") {
        return Err(malformed("its content type is not application/json"));
    }
    // What serde derives takes an array of the members' values for an object as well.
    if !answer.body.trim_ascii_start().starts_with(b"{") || check_unique_names(&answer.body).is_err() {
        return Err(malformed("it is no JSON object whose members stand once"));
    }
    let mut body: TokenBody =
        serde_json::from_slice(&answer.body).map_err(|_| malformed("a member is of the wrong type"))?;
    if !body.token_type.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(malformed("token_type is not Bearer"));
    }
    let expires_in = match &body.expires_in {
        None => None,
        Some(seconds) => match seconds.as_u64() {
            None | Some(0) => return Err(malformed("expires_in is no number of seconds ahead")),
            Some(seconds) => Some(Duration::from_secs(seconds)),
        },
    };
    let token = Zeroizing::new(body.access_token.take().ok_or(malformed("there is no access_token"))?);
    let token = BearerToken::new(token).map_err(|_| malformed("access_token is no token"))?;
    Ok(Granted { token, expires_in })
}

/// The most characters that are shown of a description, and that are looked at.
const DESCRIPTION_LIMIT: usize = 200;
const TEXT_LIMIT: usize = 2000;

/// A word that is longer may be a token, a key or a piece of one.
const WORD_LIMIT: usize = 40;

/// So many octets of a secret in a row are not shown.
const PIECE: usize = 8;

/// A provider's text as it can be shown: bounded, printable, and without what it must not repeat.
fn shown<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let text: String = text.chars().take(TEXT_LIMIT).collect();
    let text = secrets.fold(text, |text, secret| without(&text, secret));
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = printable.split_whitespace().map(|word| if is_long(word) { "…" } else { word });
    let mut shown = String::new();
    for word in words {
        if shown.chars().count() + 1 + word.chars().count() > DESCRIPTION_LIMIT {
            shown.push('…');
            break;
        }
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
    }
    shown
}

/// A text without a secret and without the pieces of it.
fn without(text: &str, secret: &str) -> String {
    let size = PIECE.min(secret.len());
    if size == 0 {
        return text.to_owned();
    }
    let pieces: BTreeSet<&[u8]> = secret.as_bytes().windows(size).collect();
    let found = text.as_bytes().windows(size).enumerate().filter(|(_, window)| pieces.contains(window));
    let mut hidden = found.flat_map(|(at, _)| at..at + size).collect::<BTreeSet<_>>();
    let mut left = String::with_capacity(text.len());
    let mut was_hidden = false;
    for (at, c) in text.char_indices() {
        let is_hidden = hidden.remove(&at);
        match (is_hidden, was_hidden) {
            (false, _) => left.push(c),
            (true, false) => left.push('…'),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    left
}

/// Whether a word has a run of characters that is as long as a token might be.
fn is_long(word: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=%".contains(c);
    word.split(|c| !is_token(c)).any(|run| run.len() > WORD_LIMIT) || word.len() > 2 * WORD_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_shown_without_what_it_must_not_repeat() {
        let secret = "s3cret+of ours%and long";
        let long = "x".repeat(41);
        for (text, expected) in [
            ("Errors.Internal", "Errors.Internal"),
            (
                "OIDC-AhX2u (error fetching keys: QUERY-Tha6f)",
                "OIDC-AhX2u (error fetching keys: QUERY-Tha6f)",
            ),
            ("you sent s3cret+of ours%and long, and that is wrong", "you sent …, and that is wrong"),
            ("you sent s3cret+of ou", "you sent …"),
            ("it ends with rs%and long", "it ends with …"),
            ("s3cret+ is too short to tell", "s3cret+ is too short to tell"),
            ("a\r\nb\u{7f}\u{1b}[31mc", "a b [31mc"),
            (&format!("a {long} b"), "a … b"),
            (&format!("a ({long}) b"), "a … b"),
            ("", ""),
        ] {
            assert_eq!(shown(text, [secret, ""].into_iter()), expected);
        }
        assert_eq!(shown("the pin is 1234.", ["1234"].into_iter()), "the pin is ….");
    }

    #[test]
    fn a_long_description_is_cut() {
        for word in ["é ", "word ", "… "] {
            let found = shown(&word.repeat(100_000), std::iter::empty());
            let length = found.chars().count();
            assert!(
                (DESCRIPTION_LIMIT - 5..=DESCRIPTION_LIMIT + 1).contains(&length) && found.ends_with('…')
            );
        }
    }
}
