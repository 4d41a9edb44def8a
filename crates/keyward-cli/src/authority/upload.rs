//! The public half of a key that somebody has in a file.

use std::path::Path;

use keyward::credentials::{CredentialFault, CredentialFileError, KeyFile, KeyFileKind, SecretFile};
use keyward_authority::client_auth::key_files::{Uploaded, public_key};
use keyward_jose::Signer as _;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::time::{format_rfc3339, parse_rfc3339};

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    Client(&'a str),
    ServiceAccount(&'a str),
}

/// What of a key file may be known to others.
#[derive(Debug)]
pub(super) struct PublicHalf {
    /// The public key (RFC 7517), with its `kid` where it has one.
    pub(super) jwk: Value,
    /// When the file says that it ends, in seconds since 1970.
    pub(super) expires_at: Option<i64>,
    /// Whether the private half is in the file.
    pub(super) was_private: bool,
    /// When the certificate ends that it came in, in seconds since 1970.
    certificate_ends: Option<i64>,
    kind: KeyFileKind,
}

impl PublicHalf {
    /// Of a file that holds either half.
    pub(super) fn read(
        path: &Path,
        kid: Option<&str>,
        passphrase_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let of_file = |fault| CredentialFileError { path: path.to_owned(), fault };
        let octets = SecretFile::read(path)?.octets;
        let passphrase = passphrase_file.map(passphrase).transpose()?;
        let passphrase = passphrase.as_ref().map(|line| line.as_bytes());
        match KeyFile::parse(&octets, kid, None, passphrase) {
            Ok((kind, key)) => {
                let jwk = key.public_jwk().and_then(|jwk| serde_json::to_value(jwk).ok());
                let mut jwk = jwk.ok_or_else(|| of_file(CredentialFault::NoKey))?;
                if let Some(members) = jwk.as_object_mut() {
                    // The file says what it is called; what it signs with is up to whoever signs.
                    members.remove("alg");
                    match key.kid() {
                        Some(kid) => members.insert("kid".to_owned(), kid.into()),
                        None => members.remove("kid"),
                    };
                }
                let expires_at = end(&kind, &octets);
                Ok(Self { jwk, expires_at, was_private: true, certificate_ends: None, kind })
            }
            // There is no private half in it.
            Err(CredentialFault::NoKey | CredentialFault::NotForSigning) => {
                let uploaded = match serde_json::from_slice(&octets) {
                    Ok(jwk) => Uploaded::Jwk(jwk),
                    Err(_) => Uploaded::Pem(String::from_utf8_lossy(&octets).into_owned()),
                };
                let public = public_key(&uploaded);
                let cause = |cause| Failure::KeyFile { path: path.display().to_string(), cause };
                let mut public = public.map_err(cause)?;
                if let (Some(kid), Some(members)) = (kid, public.jwk.as_object_mut()) {
                    members.insert("kid".to_owned(), kid.into());
                }
                Ok(Self {
                    jwk: public.jwk,
                    expires_at: None,
                    was_private: false,
                    certificate_ends: public.not_after,
                    kind: KeyFileKind::Bare,
                })
            }
            Err(fault) => Err(of_file(fault).into()),
        }
    }

    /// Whose it is: who was named, else whom the file names. A key of the one kind is of no use to the other (incident A1).
    pub(super) fn owner<'a>(&'a self, named: Option<Owner<'a>>) -> Result<Owner<'a>, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        match (named, self.says()) {
            (None, None) => {
                usage("the file does not say whose key it is: name --client or --service-account")
            }
            (Some(Owner::Client(_)), Some(Owner::ServiceAccount(_))) => usage(
                "this is the key file of a service account, and no client can use it: name --service-account",
            ),
            (Some(Owner::ServiceAccount(_)), Some(Owner::Client(_))) => usage(
                "this is the key file of an application, and no service account can use it: name --client",
            ),
            (Some(named), _) => Ok(named),
            (None, Some(said)) => Ok(said),
        }
    }

    /// What whoever uses the file will stumble over.
    pub(super) fn warning(&self, owner: Owner<'_>) -> Option<String> {
        match (self.says(), self.certificate_ends) {
            (Some(said), _) if said != owner => Some(format!(
                "who uses this file calls itself {:?}, which is not whose key it is now: change iss and sub, or the owner",
                said.id()
            )),
            (_, Some(end)) => Some(format!(
                "of the certificate its key alone is kept; it ends at {}, and the key does not: --expires-at says when",
                format_rfc3339(keyward::UnixTime(end))
            )),
            _ => None,
        }
    }

    /// Whom the file names.
    fn says(&self) -> Option<Owner<'_>> {
        match &self.kind {
            KeyFileKind::Bare => None,
            KeyFileKind::ZitadelApplication { client_id, .. } => Some(Owner::Client(client_id)),
            KeyFileKind::ZitadelServiceAccount { user_id } => Some(Owner::ServiceAccount(user_id)),
        }
    }
}

impl<'a> Owner<'a> {
    /// Who was named on the command line.
    pub(super) fn named(client: Option<&'a str>, service_account: Option<&'a str>) -> Option<Self> {
        client.map(Self::Client).or(service_account.map(Self::ServiceAccount))
    }

    fn id(self) -> &'a str {
        match self {
            Self::Client(id) | Self::ServiceAccount(id) => id,
        }
    }
}

fn passphrase(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let line = SecretFile::read(path)?.line();
    Ok(line.map_err(|fault| CredentialFileError { path: path.to_owned(), fault })?)
}

/// `expirationDate` of a key file of Zitadel's.
fn end(kind: &KeyFileKind, octets: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Dated {
        #[serde(rename = "expirationDate")]
        expiration_date: Option<String>,
    }
    if *kind == KeyFileKind::Bare {
        return None;
    }
    let dated: Dated = serde_json::from_slice(octets).ok()?;
    parse_rfc3339(&dated.expiration_date?).ok().map(|time| time.0)
}
