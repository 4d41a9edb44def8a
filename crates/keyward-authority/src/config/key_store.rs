//! Resolves `[key_store]`.

use std::path::PathBuf;

use toml::Spanned;
use zeroize::Zeroizing;

use super::raw::RawKeyStore;
use super::{ConfigError, FileWarning, Source};
use crate::signing::{LocalKeys, MasterKey};

impl Source<'_> {
    /// What private keys are sealed under, and what else opens them.
    pub(super) fn key_store(
        &mut self,
        raw: &Spanned<RawKeyStore>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<LocalKeys, ConfigError> {
        let keys = raw.get_ref();
        let master = match (&keys.master_key_file, &keys.master_key_environment) {
            (Some(file), None) => self.key_file(file)?,
            (None, Some(name)) => self.key_variable(name, &environment)?,
            (None, None) => {
                let why = "name the master key by master_key_file or by master_key_environment";
                return Err(self.error(&raw.span(), why));
            }
            (Some(_), Some(name)) => {
                let why = "the master key is in master_key_file or in master_key_environment, not in both";
                return Err(self.error(&name.span(), why));
            }
        };
        let mut further = Vec::new();
        for file in &keys.further_master_key_files {
            further.push(self.key_file(file)?);
        }
        for name in &keys.further_master_key_environments {
            further.push(self.key_variable(name, &environment)?);
        }
        Ok(LocalKeys::new(master).with_further(further))
    }

    fn key_file(&mut self, file: &Spanned<PathBuf>) -> Result<MasterKey, ConfigError> {
        let path = self.file_path(file.get_ref());
        self.files.push(path.clone());
        let (key, warning) =
            MasterKey::read(&path).map_err(|error| self.error(&file.span(), error.to_string()))?;
        self.warnings.extend(warning.map(FileWarning::Secret));
        Ok(key)
    }

    fn key_variable(
        &self,
        name: &Spanned<String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<MasterKey, ConfigError> {
        let value = environment(name.get_ref()).map(Zeroizing::new);
        let value =
            value.ok_or_else(|| self.error(&name.span(), "there is no environment variable of this name"))?;
        MasterKey::parse(value.trim()).map_err(|error| self.error(&name.span(), error.to_string()))
    }
}
