//! The issuers whose tokens may be exchanged for ours, and the verifiers that know their keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyward::fetch::Transport;
use keyward::{IssuerSettings, Reason, Verdict, Verifier};
use url::Url;

use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{ExternalSigner, SignerKeys};

/// A verifier for each realm's external signers. One is kept for as long as these are the same, since it knows their keys.
#[derive(Debug, Default)]
pub(super) struct ExternalSigners {
    by_realm: Mutex<HashMap<String, Arc<Signers>>>,
    /// None for this machine's network.
    transport: Option<Arc<dyn Transport>>,
}

/// A realm's external signers, as they are now.
#[derive(Debug)]
pub(super) struct Signers {
    declared: Arc<Vec<ExternalSigner>>,
    /// None where there is no signer whose tokens could be verified.
    verifier: Option<Verifier>,
}

impl Signers {
    /// Holds a token against the keys of its signer.
    pub(super) async fn verify(&self, token: &str) -> Verdict {
        match &self.verifier {
            Some(verifier) => verifier.verify(token.as_bytes()).await,
            None => Verdict::Reject(Reason::UnknownIssuer),
        }
    }

    /// The signer that we call so.
    pub(super) fn find(&self, name: &str) -> Option<&ExternalSigner> {
        self.declared.iter().find(|signer| signer.name == name)
    }
}

impl ExternalSigners {
    pub(super) fn by(transport: Arc<dyn Transport>) -> Self {
        Self { by_realm: Mutex::default(), transport: Some(transport) }
    }

    /// Those of a realm.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn of(&self, authority: &Authority, realm: &str) -> Result<Arc<Signers>, Cause> {
        let declared = authority.view().made_of(realm, "", enabled).await?;
        Ok(self.declared(authority, realm, declared))
    }

    /// Those by the log's head: for a token of an issuer that is none of them.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn now(&self, authority: &Authority, realm: &str) -> Result<Arc<Signers>, Cause> {
        let declared = authority.view().made_of_now(realm, "", enabled).await?;
        Ok(self.declared(authority, realm, declared))
    }

    fn declared(
        &self,
        authority: &Authority,
        realm: &str,
        declared: Arc<Vec<ExternalSigner>>,
    ) -> Arc<Signers> {
        let mut by_realm = self.by_realm.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_realm.get(realm);
        let is_same =
            |known: &&Arc<Signers>| Arc::ptr_eq(&known.declared, &declared) || known.declared == declared;
        if let Some(known) = known.filter(is_same) {
            return Arc::clone(known);
        }
        let previous = known.and_then(|known| known.verifier.as_ref());
        let verifier = self.verifier(authority, realm, &declared, previous);
        let made = Arc::new(Signers { declared, verifier });
        by_realm.insert(realm.to_owned(), Arc::clone(&made));
        made
    }

    /// Goes on with the keys that are known already.
    fn verifier(
        &self,
        authority: &Authority,
        realm: &str,
        declared: &[ExternalSigner],
        previous: Option<&Verifier>,
    ) -> Option<Verifier> {
        let mut issuers: Vec<IssuerSettings> = Vec::new();
        for signer in declared {
            // One that cannot be used, or is there twice, must not take the others with it.
            let usable = settings(signer).filter(|settings| {
                settings.check().is_ok()
                    && issuers.iter().all(|known| known.policy.issuer != settings.policy.issuer)
            });
            match usable {
                Some(settings) => issuers.push(settings),
                None => {
                    let name = signer.name.as_str();
                    tracing::warn!(
                        event = "external_signer_unusable",
                        realm,
                        signer = name,
                        "no token of it is taken"
                    );
                }
            }
        }
        if issuers.is_empty() {
            return None;
        }
        let mut builder = Verifier::builder().clock(Arc::clone(authority.clock()));
        if let Some(previous) = previous {
            builder = builder.previous(previous);
        }
        if let Some(transport) = &self.transport {
            builder = builder.transport(Arc::clone(transport));
        }
        let builder = issuers.into_iter().fold(builder, keyward::VerifierBuilder::issuer);
        match builder.start() {
            Ok(verifier) => Some(verifier),
            Err(error) => {
                tracing::error!(
                    event = "external_signers_unusable",
                    realm,
                    "no token of any is taken: {error}"
                );
                None
            }
        }
    }
}

/// Those whose tokens are taken.
fn enabled(signers: Vec<ExternalSigner>) -> Vec<ExternalSigner> {
    signers.into_iter().filter(|signer| signer.enabled).collect()
}

fn settings(signer: &ExternalSigner) -> Option<IssuerSettings> {
    let settings = match &signer.keys {
        SignerKeys::Discovery => IssuerSettings::discover(&signer.issuer),
        SignerKeys::JwksUri(address) => IssuerSettings::jwks_uri(&signer.issuer, Url::parse(address).ok()?),
    };
    Some(settings.named(&signer.name).audience(&signer.audience))
}
