//! Resolves `[key_store]`.

use toml::Spanned;
use zeroize::Zeroizing;

use super::raw::RawKeyStore;
use super::{ConfigError, ConfigWarning, Source};
use crate::signing::MasterKey;

impl Source<'_> {
    /// What private keys are sealed under.
    pub(super) fn master_key(
        &mut self,
        raw: &Spanned<RawKeyStore>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<MasterKey, ConfigError> {
        match (&raw.get_ref().master_key_file, &raw.get_ref().master_key_environment) {
            (Some(file), None) => {
                let (key, warning) = MasterKey::read(&self.folder.join(file.get_ref()))
                    .map_err(|error| self.error(&file.span(), error.to_string()))?;
                self.warnings.extend(warning.map(ConfigWarning::Secret));
                Ok(key)
            }
            (None, Some(name)) => {
                let value = environment(name.get_ref()).map(Zeroizing::new);
                let value = value.ok_or_else(|| {
                    self.error(&name.span(), "there is no environment variable of this name")
                })?;
                MasterKey::parse(value.trim()).map_err(|error| self.error(&name.span(), error.to_string()))
            }
            (None, None) => Err(self
                .error(&raw.span(), "name the master key by master_key_file or by master_key_environment")),
            (Some(_), Some(name)) => Err(self.error(
                &name.span(),
                "the master key is in master_key_file or in master_key_environment, not in both",
            )),
        }
    }
}
