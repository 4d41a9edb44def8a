//! One issuer that refuses us, and the finding that it comes to.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{
    Call, CallResult, ClockFacts, Facts, IntrospectionFacts, IssuerFacts, KeyFileFacts, ProviderLogLine,
    Spoken, Variation,
};
use crate::rules::held::{self, Seen};
use crate::rules::words::{lasting, moment};
use crate::said::{Meaning, is_authoritys};

use super::grounds::Ground;
use super::{cause, told};

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

impl<'a> Case<'a> {
    /// The cause; none where nobody refuses us.
    pub(super) fn finding(&self) -> Option<Finding> {
        let ground = match self.unfit() {
            Some(ground) => ground,
            None => {
                let Some(refused) = self.refused() else {
                    return self.by_authoritys_log(self.unheard()?).map(|ground| self.told(ground));
                };
                // It is not our credential that is wrong, but where it was shown.
                if self.taken(Variation::DiscoveredEndpoint) {
                    return None;
                }
                self.by_trial()
                    .or_else(|| self.by_name(refused))
                    .or_else(|| self.by_authoritys_log(refused))
                    .or_else(|| self.by_log())
                    .or_else(|| self.by_error(refused))
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
            .seen_all(self.clock_told().filter(|_| ground.code == Code::AssertionTimesRefused))
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

    /// The call that was not listened to, since we were refused too often before.
    fn unheard(&self) -> Option<&'a Call> {
        let calls = self.introspection.calls.iter();
        calls.filter(|call| call.variation == Variation::Configured).find(|call| {
            spoken(call).is_some_and(|said| said.error.as_deref() == Some("slow_down") && is_authoritys(said))
        })
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

    fn clock_told(&self) -> Option<String> {
        let ClockFacts { ahead_s, uncertainty_s, .. } = self.issuer.clock?;
        let side = if ahead_s < 0.0 { "behind" } else { "ahead of" };
        Some(format!(
            "the provider's clock is {:.1} s {side} ours, give or take {uncertainty_s:.1} s",
            ahead_s.abs()
        ))
    }

    fn gateway_told(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(held) = self.held() {
            let credential = &held.credential;
            if credential.state != "usable" {
                let count = credential.failures.max(credential.rejections);
                let attempts = super::attempts(count);
                lines.push(format!("gateway: its credential is {}, {attempts} in a row", credential.state));
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
    pub(super) fn worked_before(&self) -> bool {
        let had = self
            .held()
            .is_some_and(|held| held.credential.age_seconds.is_some() || held.last_success_seconds.is_some());
        had && self.file().is_some_and(|file| file.kid.is_some())
    }

    /// The log's lines, of our own authority's those of this realm.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a ProviderLogLine> {
        let realm = self.realm().map(|(_, realm)| realm);
        let lines = self.facts.provider_log.iter().flat_map(|log| &log.recognised);
        lines.filter(move |line| line.authority.as_ref().is_none_or(|line| Some(&*line.realm) == realm))
    }

    pub(super) fn taken(&self, variation: Variation) -> bool {
        self.introspection
            .calls
            .iter()
            .any(|call| call.variation == variation && Meaning::of(call) == Meaning::Taken)
    }

    /// What was said to a call of this variation that was refused.
    pub(super) fn said(&self, variation: Variation) -> Option<&'a Spoken> {
        spoken(self.introspection.calls.iter().find(|call| call.variation == variation)?)
    }

    pub(super) fn held(&self) -> Option<&'a crate::facts::GatewayIntrospection> {
        self.seen.held?.introspection.as_ref()
    }

    pub(super) fn file(&self) -> Option<&'a KeyFileFacts> {
        self.introspection.credential.key_file.as_ref()
    }

    pub(super) fn is_grant(&self) -> bool {
        self.introspection.credential.method == "bearer_jwt"
    }

    pub(super) fn has_key(&self) -> bool {
        self.file().is_some()
    }

    /// Whether the configuration says another name than the key file.
    pub(super) fn is_anothers(&self) -> bool {
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

pub(super) fn spoken(call: &Call) -> Option<&Spoken> {
    match &call.result {
        CallResult::Refused(said) => Some(said),
        _ => None,
    }
}
