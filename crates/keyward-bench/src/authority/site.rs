//! Where everything is, as `cargo xtask bench` writes it down.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Failure;

#[derive(Deserialize)]
pub(super) struct Site {
    pub(super) authorities: Vec<Place>,
    pub(super) oidc_provider: Place,
    pub(super) glewlwyd: Place,
    pub(super) rotating: Rotating,
}

/// A server, and who we are there.
#[derive(Deserialize)]
pub(super) struct Place {
    pub(super) name: String,
    origin: String,
    pub(super) process: u32,
    pub(super) token: String,
    pub(super) introspection: String,
    pub(super) jwks: String,
    pub(super) client: String,
    pub(super) secret: String,
    /// What a token is asked for with.
    pub(super) form: String,
    /// The same for one that can be introspected, where that is another.
    pub(super) introspected_form: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) service_account: Option<String>,
    pub(super) service_account_key: Option<String>,
}

/// An authority whose time can be moved on.
#[derive(Deserialize)]
pub(super) struct Rotating {
    pub(super) authority: Place,
    /// Says by how many seconds its clock differs from ours.
    pub(super) time_file: PathBuf,
    /// By how many it is behind at first.
    pub(super) behind: i64,
    /// After how many seconds its keys are replaced.
    pub(super) step: i64,
}

impl Site {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

impl Place {
    pub(super) fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.origin.strip_prefix("http://").ok_or("not http")?.parse()?)
    }
}
