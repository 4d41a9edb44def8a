//! `[gateway]` as it is written.

use std::path::PathBuf;

use keyward_server::certificate_header::Form;
use serde::Deserialize;
use toml::Spanned;

use super::raw::Time;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) admin_listen: Option<Spanned<String>>,
    pub(super) metrics_namespace: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    pub(super) tls: Option<RawTls>,
    pub(super) admin_tls: Option<RawTls>,
    pub(super) client_certificate: Option<RawClientCertificate>,
    pub(super) dpop: Option<RawDpop>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDpop {
    pub(super) origins: Spanned<Vec<Spanned<String>>>,
    pub(super) algorithms: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) proof_age: Option<Spanned<Time>>,
    pub(super) leeway: Option<Time>,
    pub(super) nonce_slot: Option<Spanned<Time>>,
    pub(super) used_proofs: Option<Spanned<usize>>,
    pub(super) secret_file: Option<Spanned<PathBuf>>,
    pub(super) shared_memory: Option<Spanned<RawSharedMemory>>,
}

/// What remembers used proofs for several gateways.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSharedMemory {
    pub(super) redis_url_file: Spanned<PathBuf>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) timeout: Option<Spanned<Time>>,
    pub(super) when_down: Option<RawWhenDown>,
}

/// What becomes of proofs while it cannot be asked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawWhenDown {
    Local,
    Refuse,
}

/// By whose word we know of clients' certificates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClientCertificate {
    pub(super) from: Spanned<Form>,
    pub(super) header: Option<Spanned<String>>,
    pub(super) trusted_peers: Spanned<Vec<Spanned<String>>>,
}

/// The TLS of a listener.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) certificate_file: Spanned<PathBuf>,
    pub(super) key_file: Spanned<PathBuf>,
    pub(super) client_certificate: Option<Spanned<RawAsked>>,
    pub(super) client_ca_files: Option<Spanned<Vec<Spanned<PathBuf>>>>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAsked {
    None,
    Optional,
    Required,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) head_octets: Option<Spanned<usize>>,
    pub(super) head_timeout: Option<Spanned<Time>>,
    pub(super) drain_grace: Option<Time>,
    pub(super) drain_timeout: Option<Spanned<Time>>,
}
