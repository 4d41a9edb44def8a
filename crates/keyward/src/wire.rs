//! A reason on the wire: the one place that makes HTTP of it (RFC 6750 §3, RFC 9449 §7.1).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use keyward_jose::AlgorithmSet;
use keyward_verify::binding::{Demanded, DpopProof, Proofs, Scheme};
use keyward_verify::{Reason, ReasonKind};

/// After how many seconds a client may ask again, where we could not decide.
pub const RETRY_AFTER_SECONDS: u32 = 5;

/// `DPoP`: where a proof of possession stands (RFC 9449 §4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// `DPoP-Nonce`: where a nonce is handed out (RFC 9449 §8.1).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The status that stands for a reason.
pub const fn status(reason: Reason) -> StatusCode {
    match reason.kind() {
        ReasonKind::BadRequest => StatusCode::BAD_REQUEST,
        ReasonKind::Forbidden => StatusCode::FORBIDDEN,
        ReasonKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ReasonKind::Undecided => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The `error` of RFC 6750 §3.1, RFC 9449 §7.1 and §9, and RFC 6749 §5.2 that stands for a reason.
pub const fn error_code(reason: Reason) -> &'static str {
    match (reason, reason.kind()) {
        (Reason::ProofInvalid | Reason::ProofReplayed, _) => "invalid_dpop_proof",
        (Reason::ProofNonceRequired, _) => "use_dpop_nonce",
        (_, ReasonKind::BadRequest) => "invalid_request",
        (_, ReasonKind::Forbidden) => "insufficient_scope",
        (_, ReasonKind::Unauthenticated) => "invalid_token",
        (_, ReasonKind::Undecided) => "temporarily_unavailable",
    }
}

/// How tokens may be sent here, which a refusal tells the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'a> {
    /// The scopes that are demanded.
    pub scopes: &'a [Box<str>],
    /// The scheme by which this request sent its token. Default [`Scheme::Bearer`].
    pub sent_by: Scheme,
    /// The binding that is demanded of every token. Where it is [`Demanded::Dpop`], `Bearer` is not offered.
    pub demanded: Option<Demanded>,
    /// `DPoP`, where proofs can be checked here. Default none.
    pub dpop: Option<DpopOffer<'a>>,
}

/// What a DPoP client has to know.
#[derive(Clone, Copy, Debug)]
pub struct DpopOffer<'a> {
    /// The algorithms that proofs may be signed with.
    pub algorithms: AlgorithmSet,
    /// The nonce to hand out, where one is demanded.
    pub nonce: Option<&'a str>,
}

impl Offer<'_> {
    /// A challenge for each scheme that is offered. The one that the request used comes first and says what was wrong (RFC 9449
    /// §7.1, §7.2): nginx before 1.23 passes on no other.
    fn challenges(&self, reason: Reason) -> impl Iterator<Item = Cow<'static, str>> {
        let bearer = self.demanded != Some(Demanded::Dpop) || self.dpop.is_none();
        let dpop = self.dpop.filter(|_| self.demanded != Some(Demanded::Certificate));
        let told_by = match self.sent_by {
            Scheme::Bearer if bearer => Scheme::Bearer,
            Scheme::Dpop if dpop.is_none() => Scheme::Bearer,
            Scheme::Bearer | Scheme::Dpop => Scheme::Dpop,
        };
        let of = |scheme| {
            let told = if told_by == scheme { error_members(reason, self.scopes) } else { String::new() };
            (scheme, told)
        };
        let bearer = bearer.then(|| of(Scheme::Bearer)).map(|(scheme, told)| joined(scheme, &[&told]));
        let dpop = dpop.map(|dpop| {
            let (scheme, told) = of(Scheme::Dpop);
            let names: Vec<_> = dpop.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            joined(scheme, &[&told, &format!(r#"algs="{}""#, names.join(" "))])
        });
        let (first, second) = if told_by == Scheme::Bearer { (bearer, dpop) } else { (dpop, bearer) };
        first.into_iter().chain(second)
    }
}

/// A scheme, and what is said with it.
fn joined(scheme: Scheme, members: &[&str]) -> Cow<'static, str> {
    let members: Vec<_> = members.iter().copied().filter(|members| !members.is_empty()).collect();
    if members.is_empty() {
        return Cow::Borrowed(scheme.name());
    }
    Cow::Owned(format!("{scheme} {}", members.join(", ")))
}

/// What RFC 6750 §3 says of a refusal. Where no token was sent it names no error (§3.1).
fn error_members(reason: Reason, scopes: &[Box<str>]) -> String {
    if reason == Reason::MissingToken {
        return String::new();
    }
    let (error, description) = (error_code(reason), reason.description());
    let mut members = format!(r#"error="{error}", error_description="{description}""#);
    if reason == Reason::InsufficientScope && !scopes.is_empty() {
        members.push_str(r#", scope=""#);
        members.push_str(&scopes.join(" "));
        members.push('"');
    }
    members
}

/// The challenge of RFC 6750 §3, where bearer tokens alone are offered. Where we could not decide there is none, for
/// another token would not help.
pub fn challenge(reason: Reason, scopes: &[Box<str>]) -> Option<Cow<'static, str>> {
    (!reason.is_undecided()).then(|| joined(Scheme::Bearer, &[&error_members(reason, scopes)]))
}

/// Adds the headers that an answer with this reason has where bearer tokens alone are offered: see [`add_headers_for`].
pub fn add_headers(reason: Reason, scopes: &[Box<str>], headers: &mut HeaderMap) {
    add_headers_for(reason, &Offer { scopes, ..Offer::default() }, headers);
}

/// Adds the headers that an answer with this reason has: a `WWW-Authenticate` for each scheme, or `Retry-After`;
/// `DPoP-Nonce`; and `Cache-Control: no-store`.
pub fn add_headers_for(reason: Reason, offer: &Offer<'_>, headers: &mut HeaderMap) {
    use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    add_nonce(offer.dpop.and_then(|dpop| dpop.nonce), headers);
    if reason.is_undecided() {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        return;
    }
    headers.remove(WWW_AUTHENTICATE);
    for challenge in offer.challenges(reason) {
        let challenge = HeaderValue::from_str(&challenge);
        // A scope that no header can hold is left out with all the rest.
        headers.append(WWW_AUTHENTICATE, challenge.unwrap_or(HeaderValue::from_static("Bearer")));
    }
}

/// Adds `DPoP-Nonce`, which may stand in every answer (RFC 9449 §8.2).
pub fn add_nonce(nonce: Option<&str>, headers: &mut HeaderMap) {
    if let Some(Ok(nonce)) = nonce.map(HeaderValue::from_str) {
        headers.insert(DPOP_NONCE, nonce);
    }
}

/// The JSON body of an answer with this reason. `correlation_id` must need no escape.
pub fn body(reason: Reason, correlation_id: Option<&str>) -> String {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        error: &'static str,
        reason: &'static str,
        description: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        correlation_id: Option<&'a str>,
    }
    let body = Body {
        error: error_code(reason),
        reason: reason.label(),
        description: reason.description(),
        correlation_id,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

/// The tokens of a request's `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerToken<'a> {
    /// None was sent by this way.
    Absent,
    /// One was sent.
    One(&'a [u8]),
    /// More than one was sent, which RFC 6750 §2 forbids.
    Several,
}

/// The bearer token of `Authorization` (RFC 6750 §2.1). Another scheme counts as no token; more than one field,
/// whatever its scheme, as several: who comes behind us may read the other one (RFC 9110 §5.3).
pub fn bearer_token(headers: &HeaderMap) -> BearerToken<'_> {
    match access_token(headers) {
        AccessToken::Absent | AccessToken::One { scheme: Scheme::Dpop, .. } => BearerToken::Absent,
        AccessToken::One { scheme: Scheme::Bearer, token } => BearerToken::One(token),
        AccessToken::Several => BearerToken::Several,
    }
}

/// The token of a request's `Authorization` header, by either scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessToken<'a> {
    /// None was sent by this way.
    Absent,
    /// One was sent.
    One {
        /// By this scheme.
        scheme: Scheme,
        /// This one.
        token: &'a [u8],
    },
    /// More than one was sent, which RFC 6750 §2 forbids.
    Several,
}

/// The token of `Authorization` as `Bearer` (RFC 6750 §2.1) or as `DPoP` (RFC 9449 §7.1), and otherwise as
/// [`bearer_token`].
pub fn access_token(headers: &HeaderMap) -> AccessToken<'_> {
    let mut fields = headers.get_all(http::header::AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (None, _) => AccessToken::Absent,
        (Some(field), None) => [Scheme::Bearer, Scheme::Dpop]
            .into_iter()
            .find_map(|scheme| Some(AccessToken::One { scheme, token: strip(scheme, field.as_bytes())? }))
            .unwrap_or(AccessToken::Absent),
        (Some(_), Some(_)) => AccessToken::Several,
    }
}

/// What stands in `DPoP`, for the request of this method to this URI: see [`DpopProof`].
pub fn proofs<'a>(headers: &'a HeaderMap, method: &'a str, uri: &'a str) -> Proofs<'a> {
    let mut fields = headers.get_all(DPOP).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Proofs::Absent,
        (Some(field), None) => Proofs::One(DpopProof { jws: field.as_bytes(), method, uri }),
        (Some(_), Some(_)) => Proofs::Several,
    }
}

/// What follows the scheme, whose case does not matter (RFC 9110 §11.1).
fn strip(scheme: Scheme, value: &[u8]) -> Option<&[u8]> {
    let name = scheme.name().as_bytes();
    let (named, rest) = value.split_at_checked(name.len())?;
    match rest {
        [] if named.eq_ignore_ascii_case(name) => Some(rest),
        [b' ', ..] if named.eq_ignore_ascii_case(name) => Some(rest.trim_ascii_start()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_an_answer_that_blames_the_right_party() {
        for reason in Reason::ALL.iter().copied() {
            let mut headers = HeaderMap::new();
            add_headers(reason, &["read".into()], &mut headers);
            let status = status(reason);
            assert_eq!(headers.contains_key("retry-after"), status == StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(headers.contains_key("www-authenticate"), status != StatusCode::SERVICE_UNAVAILABLE);
            assert!(body(reason, None).contains(reason.label()));
        }
        let challenge = challenge(Reason::InsufficientScope, &["read".into(), "write".into()]);
        let challenge = challenge.expect("a challenge");
        assert!(
            challenge.contains(r#"error="insufficient_scope""#)
                && challenge.ends_with(r#"scope="read write""#)
        );
    }

    #[test]
    fn finds_the_one_bearer_token() {
        let headers = |values: &[&'static str]| {
            values
                .iter()
                .map(|value| (http::header::AUTHORIZATION, HeaderValue::from_static(value)))
                .collect::<HeaderMap>()
        };
        for (values, token) in [
            (&[][..], BearerToken::Absent),
            (&["Basic YTpi"], BearerToken::Absent),
            (&["Bearerabc"], BearerToken::Absent),
            (&["Bearer abc"], BearerToken::One(b"abc")),
            (&["bEARER   abc"], BearerToken::One(b"abc")),
            (&["Bearer"], BearerToken::One(b"")),
            (&["Basic YTpi", "Bearer abc"], BearerToken::Several),
            (&["Bearer abc", "Bearer abc"], BearerToken::Several),
            (&["DPoP abc"], BearerToken::Absent),
            (&["DPoP abc", "Bearer abc"], BearerToken::Several),
        ] {
            let headers = headers(values);
            assert_eq!(bearer_token(&headers), token, "{values:?}");
            let as_bearer = match access_token(&headers) {
                AccessToken::One { scheme: Scheme::Bearer, token } => BearerToken::One(token),
                AccessToken::Absent | AccessToken::One { scheme: Scheme::Dpop, .. } => BearerToken::Absent,
                AccessToken::Several => BearerToken::Several,
            };
            assert_eq!(as_bearer, token, "{values:?}");
        }
        for value in ["DPoP abc", "dpop abc", "DPOP  abc"] {
            let one = AccessToken::One { scheme: Scheme::Dpop, token: b"abc" };
            assert_eq!(access_token(&headers(&[value])), one);
        }
    }

    #[test]
    fn each_scheme_that_is_offered_has_a_challenge_and_the_one_that_was_used_says_what_was_wrong() {
        let algorithms =
            [keyward_jose::Algorithm::Es256, keyward_jose::Algorithm::EdDsa].into_iter().collect();
        let dpop = Some(DpopOffer { algorithms, nonce: Some("n-1") });
        let told = |reason: Reason| {
            format!(r#"error="{}", error_description="{}""#, error_code(reason), reason.description())
        };
        let (missing, bad) = (Reason::MissingToken, Reason::ProofInvalid);
        let algs = r#"algs="EdDSA ES256""#;
        let (bearer, proof) = (Scheme::Bearer, Scheme::Dpop);
        for (reason, sent_by, demanded, expected) in [
            (missing, bearer, None, vec!["Bearer".to_owned(), format!("DPoP {algs}")]),
            (missing, bearer, Some(Demanded::Dpop), vec![format!("DPoP {algs}")]),
            (missing, bearer, Some(Demanded::Certificate), vec!["Bearer".to_owned()]),
            (bad, proof, None, vec![format!("DPoP {}, {algs}", told(bad)), "Bearer".to_owned()]),
            (bad, proof, Some(Demanded::Dpop), vec![format!("DPoP {}, {algs}", told(bad))]),
            (
                Reason::BindingMissing,
                bearer,
                Some(Demanded::Any),
                vec![format!("Bearer {}", told(Reason::BindingMissing)), format!("DPoP {algs}")],
            ),
            (
                Reason::BindingMissing,
                bearer,
                Some(Demanded::Dpop),
                vec![format!("DPoP {}, {algs}", told(Reason::BindingMissing))],
            ),
        ] {
            let mut headers = HeaderMap::new();
            let offer = Offer { scopes: &[], sent_by, demanded, dpop };
            add_headers_for(reason, &offer, &mut headers);
            let challenges: Vec<_> = headers.get_all("www-authenticate").iter().cloned().collect();
            assert_eq!(challenges, expected, "{reason} {sent_by} {demanded:?}");
            assert_eq!(headers["dpop-nonce"], "n-1");
        }
        let mut headers = HeaderMap::new();
        add_headers_for(bad, &Offer { demanded: Some(Demanded::Dpop), ..Offer::default() }, &mut headers);
        assert!(headers["www-authenticate"].to_str().expect("text").starts_with("Bearer error="));
        assert_eq!(
            (error_code(bad), error_code(Reason::ProofReplayed)),
            ("invalid_dpop_proof", "invalid_dpop_proof")
        );
        assert_eq!(error_code(Reason::ProofNonceRequired), "use_dpop_nonce");
    }

    #[test]
    fn finds_the_proofs_of_a_request() {
        let mut headers = HeaderMap::new();
        assert!(matches!(proofs(&headers, "GET", "https://api.example/"), Proofs::Absent));
        headers.append("DPoP", HeaderValue::from_static("a.b.c"));
        let Proofs::One(proof) = proofs(&headers, "GET", "https://api.example/") else {
            panic!("there is one");
        };
        assert_eq!((proof.jws, proof.method, proof.uri), (&b"a.b.c"[..], "GET", "https://api.example/"));
        headers.append("dpop", HeaderValue::from_static("a.b.c"));
        assert!(matches!(proofs(&headers, "GET", "https://api.example/"), Proofs::Several));
    }
}
