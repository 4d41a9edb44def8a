//! What a request proves, which its token is bound to.

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderName;
use keyward::binding::{BindingError, CertificateThumbprint, DpopProof, Proofs, Proved};
use keyward_jose::{DecodeBuffer, Thumbprint};

use super::Confirmation;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::Authenticated;
use crate::entity::ClientAuthMethod;
use crate::http::FormRequest;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// What the token of this request is bound to: the key of its DPoP proof, where there is one (RFC 9449 §5), and the certificate
/// of its connection, where the client authenticated itself by that or wants it (RFC 8705 §3). A proof is used up by this.
///
/// # Errors
/// [`Cause::CertificateMissing`], [`Cause::DpopNonceWanted`], [`Cause::DpopProofInvalid`], [`Cause::DpopProofMissing`],
/// [`Cause::DpopProofReplayed`], [`Cause::Unavailable`].
pub(super) async fn confirmation(
    authority: &Authority,
    request: &FormRequest,
    client: Option<&Authenticated>,
) -> Result<Option<Confirmation>, Cause> {
    let certificate = match client {
        Some(client) if is_bound_to_certificate(client) => {
            Some(certificate(request).ok_or(Cause::CertificateMissing)?)
        }
        _ => None,
    };
    let key = proved_key(authority, request, None).await?;
    if key.is_none() && client.is_some_and(|client| client.client.requires_dpop) {
        return Err(Cause::DpopProofMissing);
    }
    Ok(Confirmation::of(key, certificate))
}

/// What a request proves that shows one of our tokens.
///
/// # Errors
/// As [`confirmation`].
pub(super) async fn proved_for(
    authority: &Authority,
    request: &FormRequest,
    token: &str,
) -> Result<Option<Confirmation>, Cause> {
    let key = proved_key(authority, request, Some(token)).await?;
    Ok(Confirmation::of(key, certificate(request)))
}

fn is_bound_to_certificate(client: &Authenticated) -> bool {
    let by_it = [ClientAuthMethod::SelfSignedTlsClientAuth, ClientAuthMethod::TlsClientAuth];
    client.client.requires_certificate || by_it.contains(&client.method)
}

fn certificate(request: &FormRequest) -> Option<CertificateThumbprint> {
    request.peer.certificate.as_deref().map(CertificateThumbprint::of_der)
}

async fn proved_key(
    authority: &Authority,
    request: &FormRequest,
    token: Option<&str>,
) -> Result<Option<Thumbprint>, Cause> {
    let mut fields = request.headers.get_all(DPOP).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let uri = request.endpoint();
    let proofs = match fields.next() {
        None => Proofs::One(DpopProof { jws: field.as_bytes(), method: "POST", uri: &uri }),
        Some(_) => Proofs::Several,
    };
    let check = authority.tokens().binding();
    let token = token.map(str::as_bytes);
    let proved = check.prove(request.arrived, &proofs, token, &mut DecodeBuffer::new());
    let Proved { key, once } = proved.map_err(|error| match error {
        BindingError::Nonce => Cause::DpopNonceWanted,
        BindingError::Mismatch | BindingError::Missing | BindingError::Proof(_) => Cause::DpopProofInvalid,
    })?;
    // Its name holds the key, the jti and the address, and so the realm.
    let name = format!("dpop/{}", URL_SAFE_NO_PAD.encode_to_string(once.key.as_bytes()));
    let until_ms = once.until.0.saturating_mul(1000);
    let is_new = Box::pin(authority.view().store().use_once(&name, until_ms)).await?;
    if is_new { Ok(Some(key)) } else { Err(Cause::DpopProofReplayed) }
}
