//! A client that is known by the certificate of its connection (RFC 8705 §2).

use keyward_jose::{CertifiedJwk, Thumbprint, VerificationKey};
use keyward_x509::{Certificate, DistinguishedName};

use super::{kept, read};
use crate::assertion::OwnerKeys;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, ClientAuthMethod, Key, TlsSubject};
use crate::http::FormRequest;
use crate::limits::Attempt;

/// Which of the two methods shows that it is this client; none where it may use neither, or may do without and shows nothing.
///
/// # Errors
/// A [`Cause`]: of the two methods' the last one's.
pub(super) async fn method(
    authority: &Authority,
    request: &FormRequest,
    client: &Client,
) -> Result<Option<ClientAuthMethod>, Cause> {
    let may = |method| client.auth_methods.contains(&method);
    let (by_authority, self_signed) =
        (may(ClientAuthMethod::TlsClientAuth), may(ClientAuthMethod::SelfSignedTlsClientAuth));
    if !by_authority && !self_signed {
        return Ok(None);
    }
    let Some(der) = &request.peer.certificate else {
        let can_do_without = may(ClientAuthMethod::None);
        return if can_do_without { Ok(None) } else { Err(Cause::CertificateMissing) };
    };
    let certificate = Certificate::from_der(der).map_err(|_| Cause::CertificateOfAnother)?;
    let mut refused = Cause::CertificateOfAnother;
    if by_authority {
        match named(client, request.peer.is_trusted, &certificate) {
            Ok(()) => return Ok(Some(ClientAuthMethod::TlsClientAuth)),
            Err(cause) => refused = cause,
        }
    }
    if self_signed {
        match registered(authority, request, client, &certificate).await {
            Ok(()) => return Ok(Some(ClientAuthMethod::SelfSignedTlsClientAuth)),
            Err(cause) => refused = cause,
        }
    }
    Err(refused)
}

/// Whether a certificate of a trusted authority names the client (RFC 8705 §2.1.2).
fn named(client: &Client, is_trusted: bool, certificate: &Certificate) -> Result<(), Cause> {
    if !is_trusted {
        return Err(Cause::CertificateUntrusted);
    }
    let is_named = match &client.tls_subject {
        None => false,
        // Names of hosts have no case (RFC 5280 §7.2). A wildcard is a name of many, and so of no client.
        Some(TlsSubject::Dns(name)) => {
            !name.contains('*') && certificate.dns_names().any(|found| found.eq_ignore_ascii_case(name))
        }
        Some(TlsSubject::Email(address)) => certificate.email_addresses().any(|found| found == address),
        Some(TlsSubject::Ip(address)) => certificate.ip_addresses().contains(address),
        Some(TlsSubject::SubjectDn(name)) => {
            name.parse::<DistinguishedName>().is_ok_and(|name| name.is_subject_of(certificate))
        }
        Some(TlsSubject::Uri(uri)) => certificate.uris().any(|found| found == uri),
    };
    if is_named { Ok(()) } else { Err(Cause::CertificateOfAnother) }
}

/// Whether the certificate's key is one of the client's (RFC 8705 §2.2), whatever else the certificate says: its key was proved
/// in the handshake, and when it ends is for the registered key to say (promise 7).
async fn registered(
    authority: &Authority,
    request: &FormRequest,
    client: &Client,
    certificate: &Certificate,
) -> Result<(), Cause> {
    let key = CertifiedJwk::new(certificate.spki(), None, &[]).ok();
    let key = key.and_then(|jwk| serde_json::to_vec(&jwk).ok());
    let key = key.and_then(|jwk| VerificationKey::from_jwk(&jwk).ok());
    let thumbprint = key.and_then(|key| key.thumbprint()).ok_or(Cause::CertificateOfAnother)?;
    let (realm, owner) = (&request.realm.name, format!("client/{}", client.id));
    let made = |keys| OwnerKeys::of(&owner, keys);
    let mut keys = authority.view().made_of::<Key, OwnerKeys>(realm, &owner, made).await?;
    if keys.with_thumbprint(&thumbprint).is_none() {
        let known = client.jwks_uri.as_deref().and_then(|address| authority.key_sets().kept(realm, address));
        if known.is_some_and(|set| set.is_known_to_have(request.arrived.mono, &thumbprint)) {
            return Ok(());
        }
        let attempt = Attempt { realm, subject: &client.id, address: request.peer.address };
        authority.client_auth().limits().admit_fetch(&attempt)?;
        // What is remembered may be older than the key (promise 9).
        keys = OwnerKeys::of(&owner, kept::<Key>(authority, realm, &owner).await?).into();
    }
    let Some(key) = keys.with_thumbprint(&thumbprint) else {
        return at_address(authority, request, client, &thumbprint).await;
    };
    let now = request.arrived.wall;
    key.check_standing(now, Cause::CertificateKeyDisabled, Cause::CertificateKeyExpired)?;
    authority.client_auth().last_uses().note(key.entity(realm), now);
    Ok(())
}

/// Whether the key is one of those at the address that the client has by the log's head.
async fn at_address(
    authority: &Authority,
    request: &FormRequest,
    client: &Client,
    thumbprint: &Thumbprint,
) -> Result<(), Cause> {
    let realm = &request.realm.name;
    let client = read::<Client>(authority, realm, &client.id).await?.filter(|client| client.enabled);
    let address = client.as_ref().and_then(|client| client.jwks_uri.as_deref());
    let address = address.ok_or(Cause::CertificateOfAnother)?;
    let set = authority.key_sets().keep(realm, address).ok_or(Cause::KeySetUnavailable)?;
    set.check_thumbprint(request.arrived.mono, thumbprint).await
}
