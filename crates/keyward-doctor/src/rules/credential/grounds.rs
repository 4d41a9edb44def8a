//! What speaks for a cause, the surest first.

use crate::code::Code;
use crate::facts::{Call, ProviderLogCause, ProviderLogLine, Spoken, Variation};
use crate::rules::words::{lasting, listed, moment};
use crate::said::{INTROSPECTION, Meaning, TOKEN, named};

use super::case::{Case, spoken};
use super::told;

/// A line of a log that is older than this may be of something that is over.
pub(super) const FRESH_S: i64 = 3_600;

/// What speaks for a cause.
pub(super) struct Ground {
    pub(super) code: Code,
    pub(super) is_certain: bool,
    pub(super) why: String,
}

impl Ground {
    pub(super) fn certain(code: Code, why: impl Into<String>) -> Self {
        Self { code, is_certain: true, why: why.into() }
    }

    pub(super) fn likely(code: Code, why: impl Into<String>) -> Self {
        Self { code, is_certain: false, why: why.into() }
    }
}

impl Case<'_> {
    /// A key for something else.
    pub(super) fn unfit(&self) -> Option<Ground> {
        let file = self.file().filter(|file| file.unfit)?;
        let kind = file.kind.as_deref().unwrap_or("another kind");
        let why = format!(
            "the key file says \"type\": {kind:?}, and the configuration uses it as {}",
            self.used_as()
        );
        let code = if self.is_grant() { Code::ApplicationKeyForGrant } else { Code::KeyKindWrong };
        Some(Ground::certain(code, why))
    }

    fn used_as(&self) -> &'static str {
        if self.is_grant() { "grant = \"jwt_bearer\"" } else { "method = \"private_key_jwt\"" }
    }

    /// What was taken in place of what is configured.
    pub(super) fn by_trial(&self) -> Option<Ground> {
        self.introspection.calls.iter().filter(|call| Meaning::of(call) == Meaning::Taken).find_map(|call| {
            let code = match call.variation {
                Variation::AsClientAssertion => Code::ApplicationKeyForGrant,
                Variation::AsGrant => Code::KeyKindWrong,
                Variation::ByProvidersClock => Code::AssertionTimesRefused,
                Variation::ForEndpoint | Variation::ForIssuer | Variation::ForTokenEndpoint => {
                    Code::AssertionAudienceWrong
                }
                Variation::OtherMethod => Code::AuthMethodWrong,
                _ => return None,
            };
            Some(Ground::certain(code, format!("this is taken: {}", told::call_told(call))))
        })
    }

    /// What the provider's log says.
    pub(super) fn by_log(&self) -> Option<Ground> {
        let lines: Vec<&ProviderLogLine> = self.lines().filter(|line| line.authority.is_none()).collect();
        let (line, code) = lines
            .iter()
            .find_map(|line| Some((*line, self.named_code(line.cause, line.code.as_deref())?)))?;
        let is_fresh = line.last_at.is_none_or(|at| self.facts.gathered_at.saturating_sub(at) <= FRESH_S);
        let is_behind = lines.iter().any(|line| line.cause == ProviderLogCause::ProjectionBehind);
        let is_sure = code != Code::ProviderLosesSightOfKey || is_behind || self.worked_before();
        let why = "the provider's log names the cause";
        Some(if is_fresh && is_sure { Ground::certain(code, why) } else { Ground::likely(code, why) })
    }

    /// What the refusal itself says.
    pub(super) fn by_name(&self, refused: &Call) -> Option<Ground> {
        let said = spoken(refused)?;
        let code = self.named_code(named(said)?, said.description.as_deref())?;
        Some(Ground::certain(code, format!("the provider names the cause: {}", told::said_told(said))))
    }

    /// What its error means, where it says no more.
    pub(super) fn by_error(&self, refused: &Call) -> Option<Ground> {
        let is_unfit = spoken(refused)?.error.as_deref() == Some("unauthorized_client") && self.is_grant();
        is_unfit.then(|| Ground::likely(Code::KeyKindWrong, "the provider does not allow this grant to us"))
    }

    /// The code of a named cause; none where it cannot be ours.
    fn named_code(&self, cause: ProviderLogCause, code: Option<&str>) -> Option<Code> {
        match cause {
            ProviderLogCause::Limited | ProviderLogCause::Unavailable | ProviderLogCause::Untold => None,
            // Keycloak says so of whatever is wrong with a client's proof.
            ProviderLogCause::SecretWrong | ProviderLogCause::SecretExpired if self.has_key() => None,
            ProviderLogCause::KeyNotFound if self.is_grant() => {
                let file = self.file();
                let kind = file.and_then(|file| file.kind.as_deref());
                let is_query = code.is_some_and(|code| code.contains("QUERY-") || code.contains("AuthNKey"));
                Some(match () {
                    () if file.is_some_and(|file| file.kid.is_none()) => Code::AssertionWithoutKid,
                    () if kind == Some("application") => Code::ApplicationKeyForGrant,
                    () if self.is_anothers() => Code::AssertionIssuerWrong,
                    () if is_query => Code::ProviderLosesSightOfKey,
                    () => Code::OwnKeyUnknown,
                })
            }
            cause => Some(cause.code(&self.introspection.credential.method)),
        }
    }

    /// What our own files and the provider's metadata say.
    pub(super) fn by_file(&self) -> Option<Ground> {
        let method = self.introspection.credential.method.as_str();
        if let Some(file) = self.file() {
            if let Some(at) = file.expires_at.filter(|at| *at <= self.facts.gathered_at) {
                return Some(Ground::likely(
                    Code::OwnKeyExpired,
                    format!("the key file says that the key was good until {}", moment(at)),
                ));
            }
            if self.is_anothers() {
                let owner = file.owner.as_deref().unwrap_or_default();
                let why = format!(
                    "the key file says that it is {owner}'s, and the configuration says {}",
                    self.who()
                );
                return Some(Ground::likely(Code::AssertionIssuerWrong, why));
            }
            if file.kid.is_none() {
                return Some(Ground::likely(
                    Code::AssertionWithoutKid,
                    "neither the key file nor the configuration names the key",
                ));
            }
        }
        let advertised = self.advertised();
        let is_method = matches!(method, "client_secret_basic" | "client_secret_post" | "private_key_jwt");
        (is_method && !advertised.is_empty() && !advertised.iter().any(|other| other == method)).then(|| {
            Ground::likely(
                Code::AuthMethodWrong,
                format!("the provider advertises {} and not {method}", listed(advertised)),
            )
        })
    }

    /// What the provider says to clients and keys that do not exist.
    pub(super) fn by_control(&self, refused: &Call) -> Option<Ground> {
        if refused.endpoint == INTROSPECTION && self.introspection.credential.method.starts_with("bearer") {
            let has_token = self
                .introspection
                .calls
                .iter()
                .any(|call| call.endpoint == TOKEN && Meaning::of(call) == Meaning::Taken);
            let why = if has_token {
                "the token endpoint grants us a token"
            } else {
                "it is the token from the file that is refused"
            };
            return Some(Ground { code: Code::BearerRefused, is_certain: has_token, why: why.to_owned() });
        }
        let differs = |variation| Some(!alike(self.said(variation)?, spoken(refused)?));
        match (differs(Variation::NobodysName), differs(Variation::NobodysKey)) {
            (Some(true), None) if !self.has_key() => Some(Ground::likely(
                Code::SecretWrong,
                "a client that does not exist is told something else: ours is known",
            )),
            (Some(true), Some(false)) => Some(Ground::likely(
                Code::OwnKeyUnknown,
                "a key that does not exist is told the same, and a client that does not exist is not",
            )),
            (Some(false), Some(true)) => Some(Ground::likely(
                Code::ClientUnknown,
                "a client that does not exist is told the same, and a key that does not exist is not",
            )),
            _ => None,
        }
    }

    /// What was changed before it began.
    pub(super) fn by_history(&self) -> Option<Ground> {
        let credential = &self.introspection.credential;
        if !credential.method.contains("secret") && credential.method != "bearer_client_credentials" {
            return None;
        }
        let changed_s = self.facts.gathered_at.saturating_sub(credential.modified_at?);
        let succeeded_s =
            self.held()?.last_success_seconds.and_then(|seconds| i64::try_from(seconds).ok())?;
        (changed_s >= 0 && changed_s <= succeeded_s).then(|| {
            let (changed, succeeded) = (lasting(changed_s as f64), lasting(succeeded_s as f64));
            Ground::likely(
                Code::SecretWrong,
                format!("the secret's file was changed {changed} ago, and the last call that worked was {succeeded} ago"),
            )
        })
    }

    /// Nobody says why.
    pub(super) fn untold(&self, refused: &Call) -> Ground {
        if refused.endpoint == TOKEN && Meaning::of(refused) == Meaning::Opaque {
            return Ground::likely(
                Code::ExchangeFails,
                "one answer stands for several causes, and nothing that was tried tells them apart",
            );
        }
        Ground::likely(Code::CredentialsRefused, "the same is said whatever is wrong, as far as it was tried")
    }
}

/// Whether two refusals say the same.
fn alike(one: &Spoken, other: &Spoken) -> bool {
    (one.status, &one.error, &one.description, &one.challenge)
        == (other.status, &other.error, &other.description, &other.challenge)
}
