//! What we hold: the credential's files, read as the gateway reads them, and what can be said of them.

use std::io::ErrorKind::PermissionDenied;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use keyward::credentials::{
    Audience, BearerToken, ClientAuthentication, ClientSettings, CredentialFault, CredentialFileError,
    CredentialSettings, Grant, KeyFile, KeyFileKind, KeyFileSettings, Loaded, PermissionsTooWide, SecretFile,
};
use keyward_jose::Signer as _;
use rustls::sign::CertifiedKey;
use serde::Deserialize;

use super::identity::identity;
use super::order::NOBODY;
use crate::facts::{CredentialFacts, CredentialFileFault, KeyFileFacts};

/// A credential whose files were read, as far as they are of use.
pub(super) struct Held {
    /// What can be said of it.
    pub(super) facts: CredentialFacts,
    /// What requests show of it; none where that cannot be had.
    pub(super) shown: Option<Shown>,
    /// Who we are in the TLS handshake.
    pub(super) identity: Option<Arc<CertifiedKey>>,
}

/// What requests show.
pub(super) struct Shown {
    /// How it authenticates a client. A key that asks for a token by the grant is here as well.
    pub(super) client: ClientAuthentication,
    /// The same with a key id that no key has, where it is a key.
    pub(super) nobodys_key: Option<ClientAuthentication>,
    /// Whether the key may be used as it is configured: the gateway takes no other.
    pub(super) fits: bool,
}

impl Held {
    /// Reads the files.
    pub(super) fn read(settings: &CredentialSettings) -> Self {
        let mut held = Self::unread(settings);
        held.facts.modified_at = settings.files().first().and_then(|path| modified_at(path));
        let read = match settings {
            CredentialSettings::Bearer(bearer) => match &bearer.grant {
                Grant::ClientCredentials(client) => held.client(client),
                Grant::JwtBearer { key, subject, audience } => {
                    held.key(key, subject.as_deref(), audience, true)
                }
            },
            CredentialSettings::BearerFile { token_file } => held.bearer(token_file),
            CredentialSettings::Client(client) => held.client(client),
        };
        if let Err(error) = read {
            let is_forbidden =
                matches!(&error.fault, CredentialFault::Io(cause) if cause.kind() == PermissionDenied);
            let fault =
                if is_forbidden { CredentialFileFault::Forbidden } else { CredentialFileFault::Unusable };
            held.facts.fault = Some(fault(error.to_string()));
        }
        held
    }

    /// What the configuration alone says.
    pub(super) fn unread(settings: &CredentialSettings) -> Self {
        let facts = CredentialFacts { method: method(settings).to_owned(), ..CredentialFacts::default() };
        Self { facts, shown: None, identity: None }
    }

    fn bearer(&mut self, path: &Path) -> Result<(), CredentialFileError> {
        let of = |fault| CredentialFileError { path: path.to_owned(), fault };
        let file = SecretFile::read(path)?;
        let token = BearerToken::new(file.line().map_err(of)?).map_err(of)?;
        self.warn(file.warning);
        self.shown = Some(Shown::new(ClientAuthentication::Bearer(token)));
        Ok(())
    }

    fn client(&mut self, client: &ClientSettings) -> Result<(), CredentialFileError> {
        match client {
            ClientSettings::PrivateKeyJwt { client_id, key, audience } => {
                return self.key(key, client_id.as_deref(), audience, false);
            }
            ClientSettings::MutualTls { certificate_file, key_file, .. } => {
                let (certificate, key) = (SecretFile::read(certificate_file)?, SecretFile::read(key_file)?);
                self.identity = identity(&certificate, &key);
            }
            ClientSettings::ClientSecretBasic { .. } | ClientSettings::ClientSecretPost { .. } => {}
        }
        let Loaded { credential, warnings, .. } = client.load()?;
        self.warn(warnings);
        self.facts.client_id = name(&credential).map(str::to_owned);
        self.shown = Some(Shown::new(credential));
        Ok(())
    }

    /// A key that signs for `configured`, or for whom its file says, to be granted a token or to authenticate a client.
    fn key(
        &mut self,
        settings: &KeyFileSettings,
        configured: Option<&str>,
        audience: &Audience,
        is_grant: bool,
    ) -> Result<(), CredentialFileError> {
        self.facts.audience = Some(match audience {
            Audience::Endpoint => "endpoint".to_owned(),
            Audience::Issuer => "issuer".to_owned(),
            Audience::Named(audience) => audience.clone(),
        });
        let KeyFile { kind, key, warnings } = KeyFile::read(settings)?;
        self.warn(warnings);
        let (says, owner, fits) = match &kind {
            KeyFileKind::Bare => (None, None, true),
            KeyFileKind::ZitadelApplication { client_id, .. } => {
                (Some("application"), Some(client_id), !is_grant)
            }
            KeyFileKind::ZitadelServiceAccount { user_id } => {
                (Some("serviceaccount"), Some(user_id), is_grant)
            }
        };
        self.facts.key_file = Some(KeyFileFacts {
            path: settings.path.display().to_string(),
            kind: says.map(str::to_owned),
            kid: key.kid().map(str::to_owned),
            owner: owner.cloned(),
            unfit: !fits,
            expires_at: expires_at(&settings.path),
        });
        let of = |fault| CredentialFileError { path: settings.path.clone(), fault };
        // Of a key for something else the file's own name counts: what is configured is meant for another.
        let name = if fits { configured.or(owner.map(String::as_str)) } else { owner.map(String::as_str) };
        let missing = if is_grant { CredentialFault::NoSubject } else { CredentialFault::NoClientId };
        let name = name.ok_or(missing).map_err(of)?;
        let subject = if is_grant { &mut self.facts.subject } else { &mut self.facts.client_id };
        *subject = Some(configured.unwrap_or(name).to_owned());
        let shown = |key| ClientAuthentication::PrivateKeyJwt {
            client_id: name.to_owned(),
            key: Box::new(key),
            audience: audience.clone(),
        };
        let nobodys = KeyFileSettings { kid: Some(NOBODY.to_owned()), ..settings.clone() };
        let nobodys_key = KeyFile::read(&nobodys).ok().map(|file| shown(file.key));
        self.shown = Some(Shown { client: shown(key), nobodys_key, fits });
        if !fits {
            let fault =
                if is_grant { CredentialFault::ApplicationKey } else { CredentialFault::ServiceAccountKey };
            return Err(of(fault));
        }
        Ok(())
    }

    fn warn(&mut self, warnings: impl IntoIterator<Item = PermissionsTooWide>) {
        let exposed = |warning: PermissionsTooWide| CredentialFileFault::Exposed(warning.to_string());
        self.facts.fault = warnings.into_iter().next().map(exposed);
    }
}

impl Shown {
    pub(super) fn new(client: ClientAuthentication) -> Self {
        Self { client, nobodys_key: None, fits: true }
    }
}

/// As facts call it.
pub(super) fn method(settings: &CredentialSettings) -> &'static str {
    let client = match settings {
        CredentialSettings::Bearer(bearer) => match bearer.grant {
            Grant::ClientCredentials(_) => return "bearer_client_credentials",
            Grant::JwtBearer { .. } => return "bearer_jwt",
        },
        CredentialSettings::BearerFile { .. } => return "bearer_file",
        CredentialSettings::Client(client) => client,
    };
    match client {
        ClientSettings::ClientSecretBasic { .. } => "client_secret_basic",
        ClientSettings::ClientSecretPost { .. } => "client_secret_post",
        ClientSettings::MutualTls { .. } => "tls_client_auth",
        ClientSettings::PrivateKeyJwt { .. } => "private_key_jwt",
    }
}

/// Our name at the provider, where we say one.
fn name(client: &ClientAuthentication) -> Option<&str> {
    match client {
        ClientAuthentication::Bearer(_) => None,
        ClientAuthentication::ClientSecretBasic { client_id, .. }
        | ClientAuthentication::ClientSecretPost { client_id, .. }
        | ClientAuthentication::MutualTls { client_id }
        | ClientAuthentication::PrivateKeyJwt { client_id, .. } => Some(client_id),
    }
}

fn modified_at(path: &Path) -> Option<i64> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// When the key's time is over, as a key file of Zitadel's says.
fn expires_at(path: &Path) -> Option<i64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Dated {
        expiration_date: Option<String>,
    }
    let file = SecretFile::read(path).ok()?;
    let dated: Dated = serde_json::from_slice(&file.octets).ok()?;
    let date = humantime::parse_rfc3339(dated.expiration_date.as_deref()?).ok()?;
    i64::try_from(date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}
