//! What an assertion says, before anybody knows whether its key signed it (RFC 7523 §3).

use std::time::Duration;

use keyward::UnixTime;
use keyward_jose::Header;
use keyward_jose::json::check_unique_names;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::AssertionUse;
use crate::cause::Cause;

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// The claims that count.
#[derive(Debug)]
pub(super) struct Claims {
    /// `iss` and `sub`.
    pub(super) subject: String,
    audience: Audience,
    expires: UnixTime,
    issued: Option<UnixTime>,
    /// The later of `nbf` and `iat`.
    begins: Option<UnixTime>,
    /// `jti`; none where an assertion for the grant has none.
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    #[serde(default, deserialize_with = "text")]
    jti: Option<String>,
}

/// `aud` (RFC 7519 §4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Cause::AssertionMalformed`], [`Cause::AssertionIssuerWrong`].
    pub(super) fn parse(payload: &[u8], purpose: AssertionUse) -> Result<Self, Cause> {
        let malformed = |_| Cause::AssertionMalformed;
        check_unique_names(payload).map_err(malformed)?;
        // What serde derives takes an array of the members' values as well.
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(Cause::AssertionMalformed);
        }
        let raw: Raw = serde_json::from_slice(payload).map_err(|_| Cause::AssertionMalformed)?;
        match raw.jti.as_deref() {
            None if purpose == AssertionUse::ClientAuthentication => return Err(Cause::AssertionMalformed),
            Some("") => return Err(Cause::AssertionMalformed),
            None | Some(_) => {}
        }
        if raw.iss != raw.sub {
            return Err(Cause::AssertionIssuerWrong);
        }
        let optional = |date: Option<Number>| date.as_ref().map(time).transpose();
        let issued = optional(raw.iat)?;
        let begins = optional(raw.nbf)?.max(issued);
        Ok(Self {
            subject: raw.sub,
            audience: raw.aud,
            expires: time(&raw.exp)?,
            issued,
            begins,
            id: raw.jti,
        })
    }

    /// Holds the times against `now`.
    ///
    /// # Errors
    /// [`Cause::AssertionExpired`], [`Cause::AssertionNotYetValid`], [`Cause::AssertionLivesTooLong`].
    pub(super) fn check_times(&self, purpose: AssertionUse, now: UnixTime) -> Result<(), Cause> {
        if self.good_until() <= now {
            return Err(Cause::AssertionExpired);
        }
        if self.begins.is_some_and(|begins| begins > now.saturating_add(LEEWAY)) {
            return Err(Cause::AssertionNotYetValid);
        }
        if self.expires > now.saturating_add(purpose.lifetime() + LEEWAY) {
            return Err(Cause::AssertionLivesTooLong);
        }
        Ok(())
    }

    /// Holds the audience against who we are: it has to be the only one.
    ///
    /// # Errors
    /// [`Cause::AssertionAudienceWrong`].
    pub(super) fn check_audience(
        &self,
        purpose: AssertionUse,
        issuer: &str,
        endpoint: &str,
    ) -> Result<(), Cause> {
        let audience = match &self.audience {
            Audience::One(audience) => audience,
            Audience::Several(audiences) => match audiences.as_slice() {
                [audience] => audience,
                _ => return Err(Cause::AssertionAudienceWrong),
            },
        };
        let is_ours = match purpose {
            AssertionUse::ClientAuthentication => audience == issuer,
            AssertionUse::Grant => audience == issuer || audience == endpoint,
        };
        if is_ours { Ok(()) } else { Err(Cause::AssertionAudienceWrong) }
    }

    /// `iat`, where it is there.
    pub(super) fn issued_at(&self) -> Option<UnixTime> {
        self.issued
    }

    /// The first second at which it is not taken any more.
    pub(super) fn good_until(&self) -> UnixTime {
        self.expires.saturating_add(LEEWAY)
    }
}

/// Whether the header's `typ` says that it is an assertion for this, or nothing, or no more than that it is a JWT. No token of
/// ours, no logout token and no DPoP proof can pass for one.
pub(super) fn is_type(header: &Header<'_>, purpose: AssertionUse) -> bool {
    header.typ().is_none() || header.is_type("JWT") || header.is_type(purpose.media_type())
}

/// A text, where it is there: `null` is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// A NumericDate (RFC 7519 §2), in whole seconds: what is behind the point is cut.
fn time(date: &Number) -> Result<UnixTime, Cause> {
    /// Up to which a double has every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(seconds) = date.as_i64() {
        return Ok(UnixTime(seconds));
    }
    match date.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is within what i64 and f64 have in common")]
        Some(seconds) if seconds.abs() < EXACT => Ok(UnixTime(seconds as i64)),
        _ => Err(Cause::AssertionMalformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const ISSUER: &str = "https://id.example/realms/main";
    const ENDPOINT: &str = "https://id.example/realms/main/token";

    fn claims(members: &str) -> Result<Claims, Cause> {
        let whole = format!(r#"{{"iss":"a","sub":"a","jti":"1",{members}}}"#);
        Claims::parse(whole.as_bytes(), AssertionUse::ClientAuthentication)
    }

    fn times_of(purpose: AssertionUse, members: &str) -> Result<(), Cause> {
        claims(&format!(r#""aud":"x",{members}"#)).and_then(|claims| claims.check_times(purpose, NOW))
    }

    fn times(members: &str) -> Result<(), Cause> {
        times_of(AssertionUse::ClientAuthentication, members)
    }

    #[test]
    fn the_times_have_to_be_about_now() {
        let at = |offset: i64| NOW.0 + offset;
        assert_eq!(times(&format!(r#""exp":{}"#, at(60))), Ok(()));
        assert_eq!(times(&format!(r#""exp":{}.75,"iat":{}.25"#, at(60), at(0))), Ok(()));
        assert_eq!(times(&format!(r#""exp":{}"#, at(-59))), Ok(()));
        assert_eq!(times(&format!(r#""exp":{}"#, at(-60))), Err(Cause::AssertionExpired));
        assert_eq!(times(r#""exp":-9223372036854775808"#), Err(Cause::AssertionExpired));
        assert_eq!(times(&format!(r#""exp":{}"#, at(360))), Ok(()));
        assert_eq!(times(&format!(r#""exp":{}"#, at(361))), Err(Cause::AssertionLivesTooLong));
        assert_eq!(times(&format!(r#""exp":{}"#, i64::MAX)), Err(Cause::AssertionLivesTooLong));
        let for_grant = |offset| times_of(AssertionUse::Grant, &format!(r#""exp":{}"#, at(offset)));
        assert_eq!(for_grant(3660), Ok(()));
        assert_eq!(for_grant(3661), Err(Cause::AssertionLivesTooLong));
        for begins in ["nbf", "iat"] {
            assert_eq!(times(&format!(r#""exp":{},"{begins}":{}"#, at(120), at(60))), Ok(()));
            let early = format!(r#""exp":{},"{begins}":{}"#, at(120), at(61));
            assert_eq!(times(&early), Err(Cause::AssertionNotYetValid));
        }
    }

    #[test]
    fn the_audience_is_this_issuer_and_nobody_else() {
        let check = |purpose, audience: &str| {
            let claims = claims(&format!(r#""exp":0,"aud":{audience}"#)).unwrap();
            claims.check_audience(purpose, ISSUER, ENDPOINT).is_ok()
        };
        let (issuer, endpoint) = (format!("{ISSUER:?}"), format!("{ENDPOINT:?}"));
        for purpose in [AssertionUse::ClientAuthentication, AssertionUse::Grant] {
            assert!(check(purpose, &issuer) && check(purpose, &format!("[{issuer}]")));
            for other in ["[]", r#""""#, r#""https://id.example/realms/main/""#, r#""https://id.example/""#] {
                assert!(!check(purpose, other), "{other}");
            }
            assert!(!check(purpose, &format!(r#"[{issuer},"https://other.example"]"#)));
            assert!(!check(purpose, &format!("[{issuer},{issuer}]")));
        }
        assert!(check(AssertionUse::Grant, &endpoint));
        assert!(!check(AssertionUse::ClientAuthentication, &endpoint));
    }

    #[test]
    fn what_lacks_a_claim_or_has_one_of_another_type_is_malformed() {
        let parse = |text: &str| Claims::parse(text.as_bytes(), AssertionUse::ClientAuthentication);
        let for_grant = |text: &str| Claims::parse(text.as_bytes(), AssertionUse::Grant);
        let whole = r#""iss":"a","sub":"a","aud":"x","exp":1,"jti":"1""#;
        assert!(parse(&format!("{{{whole}}}")).is_ok());
        for claim in whole.split(',') {
            let without: Vec<_> = whole.split(',').filter(|other| *other != claim).collect();
            let text = format!("{{{}}}", without.join(","));
            assert_eq!(parse(&text).unwrap_err(), Cause::AssertionMalformed, "{text}");
            let is_optional = claim.starts_with("\"jti");
            assert_eq!(for_grant(&text).is_ok(), is_optional, "{text}");
            let name = claim.split(':').next().unwrap();
            let other_type = format!("{{{},{name}:null}}", without.join(","));
            assert_eq!(parse(&other_type).unwrap_err(), Cause::AssertionMalformed);
            assert_eq!(for_grant(&other_type).unwrap_err(), Cause::AssertionMalformed);
            let twice = format!("{{{whole},{claim}}}");
            assert_eq!(parse(&twice).unwrap_err(), Cause::AssertionMalformed);
        }
        let array = r#"["a","a","x",1,null,null,"1"]"#;
        assert_eq!(parse(array).unwrap_err(), Cause::AssertionMalformed);
        assert_eq!(claims(r#""aud":"x","exp":1e300"#).unwrap_err(), Cause::AssertionMalformed);
        let other = r#"{"iss":"a","sub":"b","aud":"x","exp":1,"jti":"1"}"#;
        assert_eq!(parse(other).unwrap_err(), Cause::AssertionIssuerWrong);
    }
}
