//! What an introspection endpoint answers to a made-up token, read as the gateway reads it.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use keyward::{IntrospectionSettings, IssuerSettings, Now};
use keyward_jose::DecodeBuffer;
use keyward_verify::Issuer;
use keyward_verify::introspection::{
    Answer, AnswerCache, AnswerCacheSettings, AnswerError, Endpoint, Found, MalformedAnswer, Received,
    SignedAnswerError, Unread,
};

use crate::facts::CallResult;
use crate::probe::reach::Answered;

/// Reads answers.
pub(super) struct Reader(Endpoint);

impl Reader {
    pub(super) fn new(issuer: &IssuerSettings, settings: &IntrospectionSettings) -> Self {
        let issuer = Issuer { policy: Arc::new(issuer.policy.clone()), keys: Arc::default() };
        Self(Endpoint {
            form: settings.form.clone(),
            token_types: settings.token_types.clone(),
            ..Endpoint::new(issuer, 0)
        })
    }

    /// What an answer is; none where it speaks of us rather than of the token, or says that the endpoint fails.
    pub(super) fn read(&self, asked: Now, now: Now, token: &str, answered: &Answered) -> Option<CallResult> {
        let settings =
            AnswerCacheSettings { octets: 4096, inactive_limit: 16, ..AnswerCacheSettings::default() };
        // No secret: it knows one made-up token, for as long as this takes.
        let cache = AnswerCache::new(settings, [0; 32]);
        let Found::Unknown(unasked) = cache.look(asked, token.as_bytes()) else { return None };
        let received = Received {
            arrived: now.mono,
            status: answered.status.as_u16(),
            content_type: answered.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
            retry_after: None,
            body: &answered.body,
        };
        let question = cache.question(unasked);
        match self.0.read(now, &question, &received, &mut DecodeBuffer::new()) {
            Ok(Answer::Inactive(_)) => Some(CallResult::Accepted),
            Ok(Answer::Active(_)) => Some(CallResult::BelievesAnything),
            // It is signed, and the keys are not looked at here.
            Err(
                Unread::NeedsKey(_)
                | Unread::Error(AnswerError::Malformed(MalformedAnswer::Signed(SignedAnswerError::Signature(
                    _,
                )))),
            ) => Some(CallResult::Accepted),
            Err(Unread::Error(AnswerError::Malformed(malformed))) => match malformed {
                MalformedAnswer::Status { .. } => None,
                malformed => Some(CallResult::Malformed(malformed.to_string())),
            },
            Err(Unread::Error(_)) => None,
        }
    }
}
