//! What of a configuration is at work and changes while requests flow. A new one takes its place as a whole.

use keyward_jose::AlgorithmSet;

use crate::config::{Config, Proxies};
use crate::http::{Abilities, ClientCertificates};
use crate::tls::ListenerTls;

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Live {
    /// What the next connections get; those that are open keep what they have.
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) proxies: Proxies,
    /// What discovery says.
    pub(crate) abilities: Abilities,
}

impl Live {
    /// What of `config` can change. Proofs may be signed with these `algorithms`.
    pub(crate) fn of(config: &Config, algorithms: AlgorithmSet) -> Self {
        let (tls, proxies) = (config.tls.clone(), config.proxies.clone());
        let are_seen = tls.as_ref().is_some_and(ListenerTls::asks) || proxies.client_certificate.is_some();
        let certificates = if are_seen { ClientCertificates::Seen } else { ClientCertificates::Unseen };
        let abilities = Abilities::served(certificates, algorithms);
        Self { tls, proxies, abilities }
    }

    /// The last second of our certificate chain, since 1970; none without TLS.
    pub(crate) fn tls_not_after(&self) -> Option<i64> {
        self.tls.as_ref().map(ListenerTls::not_after)
    }
}
