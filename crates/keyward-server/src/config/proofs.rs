//! What DPoP proofs must be like (RFC 9449).

use std::path::PathBuf;
use std::time::Duration;

use keyward::AlgorithmSet;
use keyward::binding::BindingSettings;
use toml::Spanned;

use super::proof_algorithm::proof_algorithm;
use super::{ConfigError, Source, Time};
use crate::ProofSecret;

impl Source<'_> {
    /// What proofs must be like, as far as that is written.
    ///
    /// # Errors
    /// No algorithm is left, or a time is too short.
    pub fn proofs(
        &self,
        algorithms: Option<&Spanned<Vec<Spanned<String>>>>,
        proof_age: Option<&Spanned<Time>>,
        leeway: Option<Time>,
        nonce_slot: Option<&Spanned<Time>>,
    ) -> Result<BindingSettings, ConfigError> {
        let mut settings = BindingSettings::default();
        if let Some(names) = algorithms {
            settings.algorithms = self.proof_algorithms(names)?;
        }
        settings.age = self.time_or(proof_age, settings.age)?;
        if let Some(Time(leeway)) = leeway {
            settings.leeway = leeway;
        }
        if let Some(slot) = nonce_slot {
            if slot.get_ref().0 < Duration::from_secs(1) {
                return Err(self.error(&slot.span(), "a nonce is good for at least \"1s\""));
            }
            settings.nonce_slot = Some(slot.get_ref().0);
        }
        Ok(settings)
    }

    /// The secret that nonces are made with, from its file.
    ///
    /// # Errors
    /// The file cannot be read, or the secret can be guessed.
    pub fn proof_secret(&mut self, file: &Spanned<PathBuf>) -> Result<ProofSecret, ConfigError> {
        let line = self.secret_line(file)?;
        ProofSecret::parse(&line).map_err(|guessable| self.file_error(file, guessable))
    }

    fn proof_algorithms(&self, names: &Spanned<Vec<Spanned<String>>>) -> Result<AlgorithmSet, ConfigError> {
        if names.get_ref().is_empty() {
            return Err(self.error(&names.span(), "without an algorithm, every proof would be refused"));
        }
        let algorithms = names.get_ref().iter().map(|name| {
            proof_algorithm(name.get_ref()).map_err(|unknown| self.error(&name.span(), unknown.to_string()))
        });
        algorithms.collect()
    }
}
