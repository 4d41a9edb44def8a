//! Resolves `[gateway.dpop]`, and what routes demand of bindings.

use keyward::binding::ReplayCache;
use toml::Spanned;

use super::raw::{RawBinding, RawRoute};
use super::raw_gateway::{RawAsked, RawDpop, RawGateway};
use super::{ConfigError, Source};
use crate::dpop::{Dpop, Origin};

/// More memory than anybody has for it: ten gigabytes.
const MOST_USED_PROOFS: usize = 100_000_000;

impl Source<'_> {
    /// How tokens that are bound to a key are taken; none where they are not.
    pub(super) fn dpop(&mut self, raw: Option<RawDpop>) -> Result<Option<Dpop>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let mut origins = Vec::new();
        for text in raw.origins.get_ref() {
            origins.push(self.origin(text, &origins)?);
        }
        if origins.is_empty() {
            let why = "without an origin no proof is for us; write one such as \"https://api.example\"";
            return Err(self.error(&raw.origins.span(), why));
        }
        let (algorithms, age) = (raw.algorithms.as_ref(), raw.proof_age.as_ref());
        let binding = self.proofs(algorithms, age, raw.leeway, raw.nonce_slot.as_ref())?;
        let used_proofs = self.number(raw.used_proofs, ReplayCache::DEFAULT_LIMIT, 1..=MOST_USED_PROOFS)?;
        let secret = raw.secret_file.map(|file| self.proof_secret(&file)).transpose()?;
        let shared = raw.shared_memory.map(|raw| self.shared_memory(raw, secret.is_some())).transpose()?;
        Ok(Some(Dpop { origins, binding, used_proofs, secret, shared }))
    }

    fn origin(&self, text: &Spanned<String>, before: &[Origin]) -> Result<Origin, ConfigError> {
        let origin = Origin::parse(text.get_ref()).ok_or_else(|| {
            let why = "an origin is a scheme, a host and a port where it is not the scheme's own, such as \
                       \"https://api.example\" or \"https://*.example.com\", and has no slash at its end";
            self.error(&text.span(), why)
        })?;
        if before.contains(&origin) {
            return Err(self.error(&text.span(), "this origin is there twice"));
        }
        if before.iter().any(|other| other.is_confused_with(&origin)) {
            let why = "nothing would tell this origin from the one with the other scheme, since requests name no port";
            return Err(self.error(&text.span(), why));
        }
        Ok(origin)
    }

    /// A route that demands what nobody can show would refuse everything.
    pub(super) fn check_bindings(
        &self,
        routes: &[RawRoute],
        gateway: &RawGateway,
    ) -> Result<(), ConfigError> {
        let asks = |asked: &Spanned<RawAsked>| *asked.get_ref() != RawAsked::None;
        let tls = gateway.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref());
        let certificates = tls.is_some_and(asks) || gateway.client_certificate.is_some();
        let proofs = gateway.dpop.is_some();
        for binding in routes.iter().filter_map(|route| route.binding.as_ref()) {
            let missing = match binding.get_ref() {
                RawBinding::Any if !certificates && !proofs => {
                    "client_certificate in [gateway.tls], [gateway.client_certificate] or [gateway.dpop]"
                }
                RawBinding::Certificate if !certificates => {
                    "client_certificate in [gateway.tls], or [gateway.client_certificate]"
                }
                RawBinding::Dpop if !proofs => "[gateway.dpop]",
                _ => continue,
            };
            let why = format!(
                "no request could pass here: nothing shows what a token is bound to without {missing}"
            );
            return Err(self.error(&binding.span(), why));
        }
        Ok(())
    }
}
