//! Resolves `[authority.dpop]`: what proofs of a key must be like (RFC 9449).

use std::time::Duration;

use keyward::binding::BindingSettings;
use keyward::entropy;
use keyward_jose::AlgorithmSet;
use keyward_server::{ProofSecret, proof_algorithm};
use toml::Spanned;
use zeroize::Zeroizing;

use super::raw::RawDpop;
use super::{ConfigError, Source};
use crate::storage::StoreAddress;

/// What DPoP proofs must be like, and what the nodes that take each other's nonces share.
#[derive(Clone, Debug)]
pub struct Dpop {
    /// What they must be like.
    pub binding: BindingSettings,
    /// The secret that nonces are made with, and the names of used proofs in the database.
    pub secret: ProofSecret,
}

impl Default for Dpop {
    /// No nonce is demanded.
    fn default() -> Self {
        // Without nonces the secret keys nothing but the names by which used proofs are kept in the database: the same on every
        // node, and after a restart.
        Self { binding: BindingSettings::default(), secret: ProofSecret::from([0; 32]) }
    }
}

impl Source<'_> {
    /// `storage` says whether there may be other nodes.
    pub(super) fn dpop(
        &mut self,
        raw: Option<RawDpop>,
        storage: &StoreAddress,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Dpop, ConfigError> {
        let Some(raw) = raw else {
            return Ok(Dpop::default());
        };
        let mut dpop = Dpop::default();
        let binding = &mut dpop.binding;
        if let Some(names) = &raw.algorithms {
            binding.algorithms = self.proof_algorithms(names)?;
        }
        if let Some(age) = &raw.proof_age {
            binding.age = self.longer_than_zero(age)?;
        }
        if let Some(leeway) = raw.leeway {
            binding.leeway = leeway.0;
        }
        let secret = self.proof_secret(&raw, environment)?;
        if let Some(slot) = &raw.nonce_slot {
            if slot.get_ref().0 < Duration::from_secs(1) {
                return Err(self.error(&slot.span(), "a nonce is good for at least \"1s\""));
            }
            binding.nonce_slot = Some(slot.get_ref().0);
            dpop.secret = match (secret, storage) {
                (Some(secret), _) => secret,
                // A proof from before a restart holds a nonce that is none any more.
                (None, StoreAddress::Sqlite(_)) => ProofSecret::from(entropy::secret()),
                (None, StoreAddress::Postgres(_)) => {
                    let why = "nodes that share a database have to take each other's nonces: name the secret that \
                               they share by secret_file or by secret_environment";
                    return Err(self.error(&slot.span(), why));
                }
            };
        } else if let Some(place) =
            raw.secret_file.as_ref().map(Spanned::span).or(raw.secret_environment.as_ref().map(Spanned::span))
        {
            let why = "nonces are made with this, and none is demanded: set nonce_slot, or leave this out";
            return Err(self.error(&place, why));
        }
        Ok(dpop)
    }

    fn proof_secret(
        &mut self,
        raw: &RawDpop,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ProofSecret>, ConfigError> {
        match (&raw.secret_file, &raw.secret_environment) {
            (None, None) => Ok(None),
            (Some(file), None) => {
                let secret = self.secret(file)?;
                let path = self.folder.join(file.get_ref());
                let error = |why: String| self.error(&file.span(), format!("{}: {why}", path.display()));
                let line = secret.line().map_err(|fault| error(fault.to_string()))?;
                ProofSecret::parse(&line).map(Some).map_err(|guessable| error(guessable.to_string()))
            }
            (None, Some(name)) => {
                let value = environment(name.get_ref()).map(Zeroizing::new);
                let value = value.ok_or_else(|| {
                    self.error(&name.span(), "there is no environment variable of this name")
                })?;
                let secret = ProofSecret::parse(value.trim());
                secret.map(Some).map_err(|guessable| self.error(&name.span(), guessable.to_string()))
            }
            (Some(_), Some(name)) => Err(self
                .error(&name.span(), "the secret is in secret_file or in secret_environment, not in both")),
        }
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
