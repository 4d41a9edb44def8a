//! A request to an endpoint of a realm.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use keyward::Now;

use super::Form;
use crate::entity::Realm;

/// A request to an endpoint of a realm: what the token, introspection and revocation endpoints decide on.
#[derive(Debug)]
pub struct FormRequest {
    /// The realm.
    pub realm: Arc<Realm>,
    /// Its issuer identifier.
    pub issuer: String,
    /// What the endpoint's address ends in.
    pub name: &'static str,
    /// What was sent.
    pub form: Form,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Who sent it.
    pub peer: Peer,
    /// When it came.
    pub arrived: Now,
    /// Whose it is, for the log.
    pub known: KnownName,
}

impl FormRequest {
    /// The address of the endpoint, as clients know it.
    pub fn endpoint(&self) -> String {
        [&self.issuer, "/", self.name].concat()
    }
}

/// The name of the client or the service account that a request proved to be of; none before that, so that no log line has a
/// stranger's word.
#[derive(Debug, Default)]
pub struct KnownName(OnceLock<String>);

impl KnownName {
    /// It was proved.
    pub fn is(&self, name: &str) {
        let _ = self.0.set(name.to_owned());
    }

    /// What it is, where that was proved.
    pub fn name(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address; where a trusted proxy is in front, the one that it tells.
    pub address: IpAddr,
    /// The certificate, in DER, that it proved to have the key of, in this connection or to a trusted proxy.
    pub certificate: Option<Arc<[u8]>>,
    /// Whether that certificate leads to an anchor for clients. Where it does not, all that is known is that they have its key.
    pub is_trusted: bool,
}

impl Peer {
    /// Somebody without a certificate.
    pub const fn plain(address: IpAddr) -> Self {
        Self { address, certificate: None, is_trusted: false }
    }
}
