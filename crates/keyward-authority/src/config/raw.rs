//! The configuration as it is written. Nothing is looked up or checked here but names and types.

use std::path::PathBuf;

use keyward_server::certificate_header::Form;
pub(super) use keyward_server::config::Time;
use keyward_server::logs::{LogFormat, LogLevel};
use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) authority: Spanned<RawAuthority>,
    #[serde(default)]
    pub(super) storage: RawStorage,
    pub(super) key_store: Spanned<RawKeyStore>,
    #[serde(default)]
    pub(super) log: RawLog,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuthority {
    pub(super) origin: Spanned<String>,
    pub(super) listen: Option<Spanned<String>>,
    pub(super) admin_listen: Option<Spanned<String>>,
    pub(super) metrics_namespace: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    pub(super) tls: Option<RawTls>,
    pub(super) proxies: Option<RawProxies>,
    pub(super) dpop: Option<RawDpop>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) connections: Option<Spanned<usize>>,
    pub(super) head_octets: Option<Spanned<usize>>,
    pub(super) head_timeout: Option<Spanned<Time>>,
    pub(super) body_timeout: Option<Spanned<Time>>,
    pub(super) drain_grace: Option<Time>,
    pub(super) drain_timeout: Option<Spanned<Time>>,
    pub(super) remembered_entities: Option<Spanned<usize>>,
    pub(super) failures_per_client: Option<Spanned<usize>>,
    pub(super) failures_per_client_period: Option<Spanned<Time>>,
    pub(super) failures_per_address: Option<Spanned<usize>>,
    pub(super) failures_per_address_period: Option<Spanned<Time>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub(super) certificate_file: Spanned<PathBuf>,
    pub(super) key_file: Spanned<PathBuf>,
    pub(super) client_certificate: Option<RawAsked>,
    pub(super) client_ca_files: Option<Spanned<Vec<Spanned<PathBuf>>>>,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAsked {
    #[default]
    None,
    Optional,
    Required,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProxies {
    pub(super) trusted_peers: Spanned<Vec<Spanned<String>>>,
    pub(super) client_certificate: Option<RawToldCertificate>,
}

/// How they tell their clients' certificates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToldCertificate {
    pub(super) from: Spanned<Form>,
    pub(super) header: Option<Spanned<String>>,
    pub(super) client_ca_files: Option<Spanned<Vec<Spanned<PathBuf>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDpop {
    pub(super) algorithms: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) proof_age: Option<Spanned<Time>>,
    pub(super) leeway: Option<Time>,
    pub(super) nonce_slot: Option<Spanned<Time>>,
    pub(super) secret_file: Option<Spanned<PathBuf>>,
    pub(super) secret_environment: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStorage {
    pub(super) address: Option<Spanned<String>>,
    pub(super) password_file: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeyStore {
    pub(super) master_key_file: Option<Spanned<PathBuf>>,
    pub(super) master_key_environment: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) further_master_key_files: Vec<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) further_master_key_environments: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) format: Option<LogFormat>,
    pub(super) level: Option<LogLevel>,
}
