//! What an introspection endpoint sent, read strictly (RFC 7662 §2.2 and §2.3, RFC 9701).

use std::sync::Arc;
use std::time::Duration;

use keyward_jose::DecodeBuffer;

use super::active::Statement;
use super::members::{Details, read_active};
use super::{Active, Question};
use crate::binding::Confirmation;
use crate::verdict::{Accepted, Proof};
use crate::{Claims, Issuer, MonoTime, Now, Reason, WantedKey};

/// An introspection endpoint, as far as its answers go.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The issuer whose tokens it knows, and the keys that its signed answers are checked with.
    pub issuer: Issuer,
    /// That issuer's place in the verifier's list.
    pub place: usize,
    /// Which answers are believed.
    pub form: AnswerForm,
    /// The longest answer that is looked at, in octets.
    pub size_limit: usize,
    /// The accepted values of `token_type`, whose case does not matter (RFC 6749 §7.1). Some endpoints say here that
    /// what was sent is a refresh token, and call it active. An answer without one passes. One that says `DPoP` and
    /// names no key leaves open what the token is bound to, so that nothing can prove it.
    pub token_types: Vec<Box<str>>,
}

/// Which answers are believed: as they come by TLS, or signed as well (RFC 9701).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// `application/json`.
    Plain,
    /// Either. Whoever can put something else in the answer's place can leave the signature out, too.
    PlainOrSigned {
        /// What `aud` of a signed answer must name: our client id (RFC 9701 §5).
        audience: Box<str>,
    },
    /// `application/token-introspection+jwt` and nothing else.
    Signed {
        /// What `aud` must name: our client id (RFC 9701 §5).
        audience: Box<str>,
    },
}

/// What came back, as HTTP has it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// When it had come.
    pub arrived: MonoTime,
    /// The status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Retry-After`, as the time from now (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
    /// The body, or as much of it as is more than [`Endpoint::size_limit`].
    pub body: &'a [u8],
}

/// What the endpoint says of the token.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is active. That is no verdict yet: see [`Active::check`].
    Active(Active),
    /// It is not: revoked, over, not the endpoint's, or none at all.
    Inactive(Question),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It failed.
    Error(AnswerError),
    /// It is signed, and the issuer's set does not hold the key: hand this to
    /// [`KeySetMachine::want`](crate::key_set::KeySetMachine::want) and read the same again, or give it up as
    /// [`Failure::AnswerKeysUnavailable`](super::Failure::AnswerKeysUnavailable).
    NeedsKey(WantedKey),
}

/// Why an endpoint's answer says nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Our own credentials are refused (RFC 7662 §2.3, RFC 6749 §5.2, RFC 6750 §3.1).
    #[error("our credentials are refused, with status {status}")]
    CredentialsRejected {
        /// The status code.
        status: u16,
    },
    /// It is no introspection response.
    #[error("not an introspection response: {0}")]
    Malformed(#[from] MalformedAnswer),
    /// The endpoint does not want to be asked this. It may be about the token, which is a stranger's.
    #[error("the question is refused, with status {status}")]
    QuestionRefused {
        /// The status code.
        status: u16,
    },
    /// The endpoint cannot answer now.
    #[error("the endpoint cannot answer, with status {status}")]
    Unavailable {
        /// The status code.
        status: u16,
        /// After how long it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

/// Why an answer is no introspection response. It says nothing of what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAnswer {
    /// `active` is missing, or is not `true` or `false`: a string is none.
    #[error("active is missing or no boolean")]
    ActiveNotBoolean,
    /// `Content-Type` is missing or is not one that is believed.
    #[error("the content type is not one that is believed")]
    ContentType,
    /// A member's name stands twice.
    #[error("a member's name stands twice")]
    DuplicateName,
    /// A registered member is of another type than it should be, or a date out of range.
    #[error("a member is of the wrong type")]
    MemberType,
    /// Not a JSON object in UTF-8.
    #[error("not a JSON object")]
    NotJson,
    /// It is signed, and the signature's side of it is not sound.
    #[error("the signed answer is not sound: {0}")]
    Signed(#[from] SignedAnswerError),
    /// No status code that RFC 7662 knows of: a redirect, or no such endpoint.
    #[error("status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// Longer than the limit.
    #[error("over the limit of {limit} octets")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// Why a signed answer is not believed (RFC 9701 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedAnswerError {
    /// `alg` is not one that the issuer may use.
    #[error("the algorithm is not allowed")]
    Algorithm,
    /// `aud` does not name us.
    #[error("it is for another audience")]
    Audience,
    /// No compact JWS; an encrypted one is none either.
    #[error("not a compact JWS")]
    Form,
    /// `iss` is not the issuer's.
    #[error("it is another issuer's")]
    Issuer,
    /// The payload is no JWT Claims Set with an object `token_introspection`.
    #[error("not the claims of a signed answer")]
    Payload,
    /// No key of the issuer's signed it.
    #[error("no key of the issuer's signed it: {0}")]
    Signature(Reason),
    /// `iat` is missing, ahead of us, or before we asked; or `exp` or `nbf` forbid it.
    #[error("it is not of now")]
    Time,
    /// `typ` is not `token-introspection+jwt`.
    #[error("it is of another type")]
    Type,
}

impl Endpoint {
    /// 64 KiB.
    pub const DEFAULT_SIZE_LIMIT: usize = 64 * 1024;

    /// The defaults for an issuer's endpoint: plain answers of 64 KiB, about bearer tokens and those that
    /// are bound to a key (RFC 9449 §5).
    ///
    /// `access_token` is no token type of RFC 6749's, and what some endpoints say.
    pub fn new(issuer: Issuer, place: usize) -> Self {
        Self {
            issuer,
            place,
            form: AnswerForm::Plain,
            size_limit: Self::DEFAULT_SIZE_LIMIT,
            token_types: vec!["Bearer".into(), "DPoP".into(), "access_token".into()],
        }
    }

    /// Reads what came back on a question.
    ///
    /// # Errors
    /// [`Unread`]. None of it is the token's doing.
    pub fn read(
        &self,
        now: Now,
        question: &Question,
        received: &Received<'_>,
        buffer: &mut DecodeBuffer,
    ) -> Result<Answer, Unread> {
        check_status(received)?;
        if received.body.len() > self.size_limit {
            return Err(MalformedAnswer::TooLarge { limit: self.size_limit }.into());
        }
        match (content_type(received), &self.form) {
            (Some(ContentType::Json), AnswerForm::Plain | AnswerForm::PlainOrSigned { .. }) => {
                self.read_response(question, received.body)
            }
            (
                Some(ContentType::Signed),
                AnswerForm::PlainOrSigned { audience } | AnswerForm::Signed { audience },
            ) => self.read_signed(now, question, received, audience, buffer),
            _ => Err(MalformedAnswer::ContentType.into()),
        }
    }

    /// Reads an introspection response that is known to be the endpoint's.
    pub(super) fn read_response(&self, question: &Question, json: &[u8]) -> Result<Answer, Unread> {
        if !read_active(json)? {
            return Ok(Answer::Inactive(*question));
        }
        let claims = Claims::parse(json).map_err(|_| MalformedAnswer::MemberType)?;
        let Details { jti, sid, token_type } = Details::read(json)?;
        let accepts =
            |token_type: Box<str>| self.token_types.iter().any(|typ| typ.eq_ignore_ascii_case(&token_type));
        let is_dpop = token_type.as_ref().is_some_and(|token_type| token_type.eq_ignore_ascii_case("DPoP"));
        let names_key = |confirmation: Option<&Confirmation>| confirmation.is_some_and(Confirmation::has_key);
        let is_named = names_key(claims.confirmation()) || names_key(question.claimed.as_ref());
        let claimed = if is_dpop && !is_named { Some(Confirmation::UNKNOWN) } else { question.claimed };
        let proof = Proof::Introspection { claimed: claimed.map(Box::new) };
        let valid = self.issuer.policy.stated_times(&claims).range();
        let issuer = Arc::clone(&self.issuer.policy);
        Ok(Answer::Active(Active::new(Statement {
            accepted: Arc::new(Accepted { claims, issuer, proof, valid }),
            question: *question,
            issuer_place: self.place,
            is_type_accepted: token_type.is_none_or(accepts),
            jti,
            sid,
        })))
    }
}

impl From<AnswerError> for Unread {
    fn from(error: AnswerError) -> Self {
        Self::Error(error)
    }
}

impl From<MalformedAnswer> for Unread {
    fn from(error: MalformedAnswer) -> Self {
        Self::Error(error.into())
    }
}

impl From<SignedAnswerError> for Unread {
    fn from(error: SignedAnswerError) -> Self {
        MalformedAnswer::from(error).into()
    }
}

/// Whose matter a status is. 401 and 403 speak of whoever asks: of a token that it does not know, an endpoint says
/// that it is not active.
fn check_status(received: &Received<'_>) -> Result<(), AnswerError> {
    let Received { status, retry_after, body, .. } = *received;
    match status {
        200 => Ok(()),
        400 if names_a_client_error(body) => Err(AnswerError::CredentialsRejected { status }),
        401 | 403 => Err(AnswerError::CredentialsRejected { status }),
        400 | 413 | 414 | 422 | 431 => Err(AnswerError::QuestionRefused { status }),
        408 | 429 | 500..=599 => Err(AnswerError::Unavailable { status, retry_after }),
        _ => Err(MalformedAnswer::Status { status }.into()),
    }
}

/// Whether an error response blames the client that asks (RFC 6749 §5.2). `invalid_token` and `invalid_request` may be
/// said of the token, which is a stranger's: no stranger may put our credentials in doubt.
fn names_a_client_error(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct ErrorResponse<'a> {
        #[serde(borrow)]
        error: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<ErrorResponse<'_>>(body)
        .is_ok_and(|response| matches!(&*response.error, "invalid_client" | "unauthorized_client"))
}

enum ContentType {
    Json,
    Signed,
}

fn content_type(received: &Received<'_>) -> Option<ContentType> {
    let essence = received.content_type?.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Some(ContentType::Json)
    } else if essence.eq_ignore_ascii_case("application/token-introspection+jwt") {
        Some(ContentType::Signed)
    } else {
        None
    }
}
