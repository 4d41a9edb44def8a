//! Resolves `[authority.dpop]`: what proofs of a key must be like (RFC 9449).

use keyward::binding::BindingSettings;
use keyward::entropy;
use keyward_server::ProofSecret;
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
        let (algorithms, age) = (raw.algorithms.as_ref(), raw.proof_age.as_ref());
        let binding = self.proofs(algorithms, age, raw.leeway, raw.nonce_slot.as_ref())?;
        let mut dpop = Dpop { binding, ..Dpop::default() };
        let secret = self.nonce_secret(&raw, environment)?;
        if let Some(slot) = &raw.nonce_slot {
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

    fn nonce_secret(
        &mut self,
        raw: &RawDpop,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ProofSecret>, ConfigError> {
        match (&raw.secret_file, &raw.secret_environment) {
            (None, None) => Ok(None),
            (Some(file), None) => self.proof_secret(file).map(Some),
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
}
