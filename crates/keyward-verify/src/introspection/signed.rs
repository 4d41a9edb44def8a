//! Signed answers (RFC 9701): verified like a token, before anything in them is believed.

use keyward_jose::{DecodeBuffer, Jws};
use serde_json::value::RawValue;

use super::{Answer, Endpoint, MalformedAnswer, Question, Received, SignedAnswerError, Unread};
use crate::decide::{Stop, could_know, find_key};
use crate::{Claims, Now};

impl Endpoint {
    /// Reads an answer that must be signed by the issuer, for `audience`, since the question came up.
    pub(super) fn read_signed(
        &self,
        now: Now,
        question: &Question,
        received: &Received<'_>,
        audience: &str,
        buffer: &mut DecodeBuffer,
    ) -> Result<Answer, Unread> {
        let jws = Jws::parse(received.body.trim_ascii(), self.size_limit, buffer)
            .map_err(|_| SignedAnswerError::Form)?;
        if !jws.header().is_type("token-introspection+jwt") {
            return Err(SignedAnswerError::Type.into());
        }
        if !self.issuer.policy.algorithms.contains(jws.header().algorithm()) {
            return Err(SignedAnswerError::Algorithm.into());
        }
        let payload = jws.dangerous_unverified_payload();
        let claims = Claims::parse(payload).map_err(|_| SignedAnswerError::Payload)?;
        self.check_claims(now, question, audience, &claims)?;
        let current = self.issuer.keys.current();
        let set = current.as_deref();
        find_key(now, &self.issuer, set, &jws).map_err(|no_key| {
            let could_know = could_know(now, received.arrived, &self.issuer, set, claims.issued_at());
            match no_key.stop(self.place, &jws, could_know) {
                Stop::NeedsKey(wanted) => Unread::NeedsKey(wanted),
                Stop::Reason(reason) => SignedAnswerError::Signature(reason).into(),
            }
        })?;
        self.read_response(question, response_in(payload)?.as_bytes())
    }

    fn check_claims(
        &self,
        now: Now,
        question: &Question,
        audience: &str,
        claims: &Claims,
    ) -> Result<(), SignedAnswerError> {
        let policy = &self.issuer.policy;
        if claims.issuer() != Some(&*policy.issuer) {
            return Err(SignedAnswerError::Issuer);
        }
        if !claims.audiences().any(|named| named == audience) {
            return Err(SignedAnswerError::Audience);
        }
        // An old answer, played again, would undo a revocation.
        let answered = claims.issued_at().ok_or(SignedAnswerError::Time)?;
        if answered.saturating_add(policy.leeway) < question.asked.wall {
            return Err(SignedAnswerError::Time);
        }
        policy.stated_times(claims).check(now).map(drop).map_err(|_| SignedAnswerError::Time)
    }
}

/// The text of `token_introspection`; `payload` is a claims set, whose names are unique.
fn response_in(payload: &[u8]) -> Result<&str, MalformedAnswer> {
    #[derive(serde::Deserialize)]
    struct Payload<'a> {
        #[serde(borrow)]
        token_introspection: &'a RawValue,
    }
    let payload: Payload<'_> =
        serde_json::from_slice(payload).map_err(|_| MalformedAnswer::Signed(SignedAnswerError::Payload))?;
    Ok(payload.token_introspection.get())
}
