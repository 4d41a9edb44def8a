//! Resolves `[issuer.wrapper]`: what the certificates around keys mean for tokens.

use keyward::{IssuerSettings, WrapperPolicy};
use toml::Spanned;

use super::raw::{RawWrapper, RawWrapperPolicy};
use super::{ConfigError, Source};

impl Source<'_> {
    /// Puts the policy, and the anchors that certificates have to lead to, into `settings`.
    pub(super) fn wrapper(
        &mut self,
        raw: Option<RawWrapper>,
        settings: &mut IssuerSettings,
    ) -> Result<(), ConfigError> {
        let Some(RawWrapper { policy, anchors_file }) = raw else {
            return Ok(());
        };
        settings.policy.wrapper =
            policy.as_ref().map_or_else(WrapperPolicy::default, |raw| (*raw.get_ref()).into());
        let Some(file) = &anchors_file else {
            return Ok(());
        };
        if let Some(policy) = policy.filter(|_| settings.policy.wrapper == WrapperPolicy::Ignore) {
            let why = "what is ignored leads nowhere: anchors_file goes with \"warn\" and \"enforce\"";
            return Err(self.error(&policy.span(), why));
        }
        settings.wrapper_anchors = self.read(file)?;
        if settings.wrapper_anchors.is_empty() {
            return Err(self.error(&file.span(), "this file is empty; leave it out for no anchors"));
        }
        settings.check_wrapper_anchors().map_err(|error| self.error(&file.span(), error.to_string()))
    }

    /// The `kid` of keys from certificates.
    pub(super) fn certificate_kid(
        &self,
        kid: &Option<Spanned<String>>,
        has_file: bool,
    ) -> Result<Option<Box<str>>, ConfigError> {
        match kid {
            Some(kid) if !has_file => {
                Err(self.error(&kid.span(), "certificate_kid goes with certificate_file"))
            }
            Some(kid) if kid.get_ref().is_empty() => {
                Err(self.error(&kid.span(), "this is empty; leave it out for each key's thumbprint"))
            }
            kid => Ok(kid.as_ref().map(|kid| kid.get_ref().as_str().into())),
        }
    }
}

impl From<RawWrapperPolicy> for WrapperPolicy {
    fn from(raw: RawWrapperPolicy) -> Self {
        match raw {
            RawWrapperPolicy::Enforce => Self::Enforce,
            RawWrapperPolicy::Ignore => Self::Ignore,
            RawWrapperPolicy::Warn => Self::Warn,
        }
    }
}
