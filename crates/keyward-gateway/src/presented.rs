//! What a request shows beside its token.

use keyward::binding::{CertificateThumbprint, Presented, Scheme};
use keyward::wire;

use crate::connection::Connection;
use crate::live::Live;
use crate::original::{Asked, Unclear};

/// What a request shows, and which request that is where a proof must be of it.
#[derive(Debug, Default)]
pub(crate) struct Shown<'a> {
    scheme: Scheme,
    certificate: Option<CertificateThumbprint>,
    method: &'a str,
    uri: String,
}

impl<'a> Shown<'a> {
    /// What goes with a token that was sent by this scheme.
    pub(crate) fn by(
        asked: Asked<'a>,
        connection: &Connection,
        live: &Live,
        scheme: Scheme,
    ) -> Result<Self, Unclear> {
        let certificate = match &live.client_certificate {
            None => connection.certificate,
            Some(header) => {
                header.certificate_of(asked.headers, connection).map_err(|_| Unclear::ClientCertificate)?
            }
        };
        let (method, uri) = match (scheme, &live.dpop) {
            (Scheme::Dpop, Some(dpop)) => dpop.target(asked)?,
            _ => Default::default(),
        };
        Ok(Self { scheme, certificate, method, uri })
    }

    /// As the verifier takes it.
    pub(crate) fn presented(&'a self, asked: Asked<'a>) -> Presented<'a> {
        let Self { scheme, certificate, method, uri } = self;
        // A proof beside a bearer token proves nothing.
        let proofs = match scheme {
            Scheme::Bearer => Default::default(),
            Scheme::Dpop => wire::proofs(asked.headers, method, uri),
        };
        Presented { scheme: *scheme, certificate: *certificate, proofs }
    }
}
