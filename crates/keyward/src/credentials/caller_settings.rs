//! What a caller is made of.

use std::time::Duration;

use super::CredentialSettings;
use crate::address::AllowedHost;

/// What a [`Caller`](super::Caller) is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerSettings {
    /// Our name for the issuer, in events.
    pub name: Box<str>,
    /// The issuer's identifier, which assertions are for.
    pub issuer: Box<str>,
    /// Our credential there.
    pub credential: CredentialSettings,
    /// How long one call may take, DNS, connection, TLS and body included. Default 2 s.
    pub timeout: Duration,
    /// The most octets that are read of an answer. Default 64 KiB.
    pub body_limit: usize,
    /// `Accept` of each call. Default `application/json`.
    pub accept: &'static str,
    /// How many connections to one host are kept for later. Default 32.
    pub idle_connections: usize,
    /// Trust anchors for its TLS beside the system's, in PEM.
    pub extra_anchors: Vec<u8>,
    /// Hosts that may have any address, and that other hosts may lead to.
    pub allowed_hosts: Vec<AllowedHost>,
    /// How often the credential's files are looked at. Default 2 s.
    pub look_interval: Duration,
}

impl CallerSettings {
    /// The defaults for this issuer.
    pub fn new(name: &str, issuer: &str, credential: CredentialSettings) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            credential,
            timeout: Duration::from_secs(2),
            body_limit: 64 * 1024,
            accept: "application/json",
            idle_connections: 32,
            extra_anchors: Vec::new(),
            allowed_hosts: Vec::new(),
            look_interval: Duration::from_secs(2),
        }
    }
}
