//! One issuer that refuses us: what speaks for which cause, the surest first.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{
    Call, CallResult, Facts, IntrospectionFacts, IssuerFacts, KeyFileFacts, ProviderLogCause,
    ProviderLogLine, Spoken, Variation,
};
use crate::rules::held::{self, Seen};
use crate::rules::words::{lasting, listed, moment};
use crate::said::{INTROSPECTION, Meaning, TOKEN, named};

use super::{cause, told};

/// A line of a log that is older than this may be of something that is over.
const FRESH_S: i64 = 3_600;

/// Clocks that differ by less are no cause.
const SKEW_S: f64 = 2.0;

/// One issuer and our credential there.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts,
    pub(super) seen: Seen<'a>,
    pub(super) issuer: &'a IssuerFacts,
    pub(super) introspection: &'a IntrospectionFacts,
}

/// What speaks for a cause.
struct Ground {
    code: Code,
    is_certain: bool,
    why: String,
}

impl Ground {
    fn certain(code: Code, why: impl Into<String>) -> Self {
        Self { code, is_certain: true, why: why.into() }
    }

    fn likely(code: Code, why: impl Into<String>) -> Self {
        Self { code, is_certain: false, why: why.into() }
    }
}

impl<'a> Case<'a> {
    /// The cause; none where nobody refuses us.
    pub(super) fn finding(&self) -> Option<Finding> {
        let ground = match self.unfit() {
            Some(ground) => ground,
            None => {
                let refused = self.refused()?;
                // It is not our credential that is wrong, but where it was shown.
                if self.taken(Variation::DiscoveredEndpoint) {
                    return None;
                }
                self.by_trial()
                    .or_else(|| self.by_log())
                    .or_else(|| self.by_name(refused))
                    .or_else(|| self.by_file())
                    .or_else(|| self.by_control(refused))
                    .or_else(|| self.by_history())
                    .unwrap_or_else(|| self.untold(refused))
            }
        };
        Some(self.told(ground))
    }

    fn told(&self, ground: Ground) -> Finding {
        let cause = cause::in_words(ground.code, self.seen.name, &self.who(), &self.key());
        let finding = Finding::new(ground.code, cause).of(self.seen.name).seen(ground.why);
        let finding = if ground.is_certain { finding.certain() } else { finding.likely() };
        let lines = self.lines().map(told::line_told);
        let finding = finding
            .seen_all(self.introspection.calls.iter().map(told::call_told))
            .seen_all(lines)
            .seen_all(self.file_told())
            .seen_all(self.gateway_told());
        let finding = if ground.is_certain { finding } else { finding.seen_all(self.excluded()) };
        self.mended(finding)
    }

    /// The call that was refused, by what may be our credential.
    fn refused(&self) -> Option<&'a Call> {
        // What it refuses to nobody as well is no matter of ours.
        let fails_always = self.introspection.calls.iter().any(|call| {
            call.variation == Variation::NoCredential
                && matches!(Meaning::of(call), Meaning::Opaque | Meaning::Fails)
        });
        let configured = self
            .introspection
            .calls
            .iter()
            .find(|call| call.variation == Variation::Configured && Meaning::of(call).may_be_ours());
        configured.filter(|_| !fails_always)
    }

    /// A key for something else.
    fn unfit(&self) -> Option<Ground> {
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
    fn by_trial(&self) -> Option<Ground> {
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
    fn by_log(&self) -> Option<Ground> {
        let lines: Vec<&ProviderLogLine> = self.lines().collect();
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
    fn by_name(&self, refused: &Call) -> Option<Ground> {
        let CallResult::Refused(said) = &refused.result else { return None };
        let code = self.named_code(named(said)?, said.description.as_deref());
        code.map(|code| {
            Ground::certain(code, format!("the provider names the cause: {}", told::said_told(said)))
        })
        .or_else(|| {
            let is_unfit = said.error.as_deref() == Some("unauthorized_client") && self.is_grant();
            is_unfit
                .then(|| Ground::likely(Code::KeyKindWrong, "the provider does not allow this grant to us"))
        })
    }

    /// The code of a named cause; none where it cannot be ours.
    fn named_code(&self, cause: ProviderLogCause, code: Option<&str>) -> Option<Code> {
        match cause {
            ProviderLogCause::Untold | ProviderLogCause::Replayed => None,
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
            cause => Some(cause::code(cause, &self.introspection.credential.method)),
        }
    }

    /// What our own files and the provider's metadata say.
    fn by_file(&self) -> Option<Ground> {
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
    fn by_control(&self, refused: &Call) -> Option<Ground> {
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
    fn by_history(&self) -> Option<Ground> {
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
    fn untold(&self, refused: &Call) -> Ground {
        if refused.endpoint == TOKEN && Meaning::of(refused) == Meaning::Opaque {
            return Ground::likely(
                Code::ExchangeFails,
                "one answer stands for several causes, and nothing that was tried tells them apart",
            );
        }
        Ground::likely(Code::CredentialsRefused, "the same is said whatever is wrong, as far as it was tried")
    }

    /// What it is not, and what is left.
    fn excluded(&self) -> Vec<String> {
        let mut not: Vec<String> = Vec::new();
        let refused = |variation| self.said(variation).is_some();
        if let Some(file) = self.file() {
            not.extend(file.kid.as_ref().map(|kid| format!("a missing kid (our assertions name {kid})")));
            not.extend(
                file.kind
                    .as_ref()
                    .filter(|_| !file.unfit)
                    .map(|kind| format!("a key of the wrong kind (it is {kind})")),
            );
            not.extend(
                file.owner
                    .as_ref()
                    .filter(|_| !self.is_anothers())
                    .map(|owner| format!("a wrong issuer (the file says {owner})")),
            );
            not.extend(
                file.expires_at
                    .filter(|at| *at > self.facts.gathered_at)
                    .map(|at| format!("an expired key (the file says until {})", moment(at))),
            );
        }
        if refused(Variation::AsClientAssertion) {
            not.push("an application's key (refused as a client's as well)".to_owned());
        }
        if [Variation::ForIssuer, Variation::ForEndpoint, Variation::ForTokenEndpoint]
            .into_iter()
            .any(refused)
        {
            not.push("the assertion's audience (others are refused as well)".to_owned());
        }
        match self.issuer.clock {
            Some(clock) if self.has_key() && clock.ahead_s.abs() - clock.uncertainty_s <= SKEW_S => {
                not.push("the clocks (they agree)".to_owned());
            }
            _ => {}
        }
        if refused(Variation::OtherMethod) {
            not.push("the other way to send a secret".to_owned());
        }
        if refused(Variation::NoCredential) {
            not.push("an endpoint that fails whoever asks".to_owned());
        }
        let left = match () {
            () if self.is_grant() => {
                "the key is disabled, has expired, was deleted, or the provider does not see it yet"
            }
            () if self.has_key() => {
                "the client or its key is unknown, disabled or has expired, or the public key there is another one"
            }
            () if self.introspection.credential.method == "tls_client_auth" => {
                "the client is unknown or disabled, or its certificate is not the registered one"
            }
            () => "the secret is wrong or has expired, or the client is unknown or disabled",
        };
        let excluded = (!not.is_empty()).then(|| format!("excluded: {}", not.join("; ")));
        excluded.into_iter().chain([format!("possible: {left}")]).collect()
    }

    fn file_told(&self) -> Option<String> {
        let file = self.file()?;
        let kind = file.kind.as_deref().map_or("no type".to_owned(), |kind| format!("type {kind}"));
        let kid = file.kid.as_deref().map_or("no kid".to_owned(), |kid| format!("kid {kid}"));
        let owner = file.owner.as_ref().map_or(String::new(), |owner| format!(", of {owner}"));
        Some(format!("key file {}: {kind}, {kid}{owner}", file.path))
    }

    fn gateway_told(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(held) = self.held() {
            let credential = &held.credential;
            if credential.state != "usable" {
                let count = credential.failures.max(credential.rejections);
                lines
                    .push(format!("gateway: its credential is {}, {count} times in a row", credential.state));
            }
        }
        let began = held::recorder(self.facts).into_iter().flat_map(|recorder| &recorder.transitions).find(
            |transition| {
                transition.issuer.as_deref() == self.seen.held.map(|held| held.name.as_str())
                    && matches!(
                        transition.event.as_str(),
                        "credential_failed" | "credential_refused" | "credential_rejected"
                    )
            },
        );
        lines.extend(began.map(|began| {
            format!("gateway: {} since {} ({} ago)", began.event, began.at, lasting(began.seconds_ago as f64))
        }));
        lines
    }

    /// Whether the gateway had a token by this key, or was taken with it, since it started.
    fn worked_before(&self) -> bool {
        let had = self
            .held()
            .is_some_and(|held| held.credential.age_seconds.is_some() || held.last_success_seconds.is_some());
        had && self.file().is_some_and(|file| file.kid.is_some())
    }

    fn lines(&self) -> impl Iterator<Item = &'a ProviderLogLine> {
        self.facts.provider_log.iter().flat_map(|log| &log.recognised)
    }

    fn taken(&self, variation: Variation) -> bool {
        self.introspection
            .calls
            .iter()
            .any(|call| call.variation == variation && Meaning::of(call) == Meaning::Taken)
    }

    /// What was said to a call of this variation that was refused.
    fn said(&self, variation: Variation) -> Option<&'a Spoken> {
        spoken(self.introspection.calls.iter().find(|call| call.variation == variation)?)
    }

    fn held(&self) -> Option<&'a crate::facts::GatewayIntrospection> {
        self.seen.held?.introspection.as_ref()
    }

    fn file(&self) -> Option<&'a KeyFileFacts> {
        self.introspection.credential.key_file.as_ref()
    }

    fn is_grant(&self) -> bool {
        self.introspection.credential.method == "bearer_jwt"
    }

    fn has_key(&self) -> bool {
        self.file().is_some()
    }

    /// Whether the configuration says another name than the key file.
    fn is_anothers(&self) -> bool {
        let credential = &self.introspection.credential;
        let configured = if self.is_grant() { &credential.subject } else { &credential.client_id };
        let owner = self.owner();
        owner.is_some() && configured.is_some() && owner != configured.as_deref()
    }

    /// Whose the key file says it is.
    pub(super) fn owner(&self) -> Option<&'a str> {
        self.file()?.owner.as_deref()
    }

    /// Our name at the provider.
    pub(super) fn who(&self) -> String {
        let credential = &self.introspection.credential;
        credential
            .subject
            .as_ref()
            .or(credential.client_id.as_ref())
            .map_or("our client".to_owned(), |name| format!("client {name}"))
    }

    /// Our key, as the provider knows it.
    pub(super) fn key(&self) -> String {
        self.file()
            .and_then(|file| file.kid.as_ref())
            .map_or("our key".to_owned(), |kid| format!("our key {kid}"))
    }

    /// The file of the credential.
    pub(super) fn path(&self) -> String {
        self.file().map_or("the credential's file".to_owned(), |file| file.path.clone())
    }

    /// The methods that the provider advertises.
    pub(super) fn advertised(&self) -> &'a [String] {
        self.issuer.discovery.as_ref().map(|discovery| discovery.auth_methods.as_slice()).unwrap_or_default()
    }

    /// `assertion_audience` that was taken.
    pub(super) fn taken_audience(&self) -> Option<String> {
        let taken = [Variation::ForIssuer, Variation::ForEndpoint, Variation::ForTokenEndpoint]
            .into_iter()
            .find(|variation| self.taken(*variation))?;
        match taken {
            Variation::ForIssuer => Some("issuer".to_owned()),
            Variation::ForTokenEndpoint if self.is_grant() => Some("endpoint".to_owned()),
            Variation::ForTokenEndpoint => self
                .introspection
                .token_endpoint
                .clone()
                .or_else(|| self.issuer.discovery.as_ref()?.token_endpoint.clone()),
            _ if self.is_grant() => self.introspection.endpoint.clone(),
            _ => Some("endpoint".to_owned()),
        }
    }

    /// The method that was taken.
    pub(super) fn taken_method(&self) -> Option<&'a str> {
        let calls = self.introspection.calls.iter();
        calls
            .filter(|call| Meaning::of(call) == Meaning::Taken)
            .find(|call| call.variation == Variation::OtherMethod)
            .map(|call| call.method.as_str())
    }
}

fn spoken(call: &Call) -> Option<&Spoken> {
    match &call.result {
        CallResult::Refused(said) => Some(said),
        _ => None,
    }
}

/// Whether two refusals say the same.
fn alike(one: &Spoken, other: &Spoken) -> bool {
    (one.status, &one.error, &one.description, &one.challenge)
        == (other.status, &other.error, &other.description, &other.challenge)
}
