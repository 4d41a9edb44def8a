//! What a caller says of our credential at one issuer, and the same with its files read.

use std::path::{Path, PathBuf};

use reqwest::Identity;
use zeroize::Zeroizing;

use super::{
    Audience, BearerToken, ClientAuthentication, ClientSecret, CredentialFault, CredentialFileError, KeyFile,
    KeyFileKind, KeyFileSettings, PermissionsTooWide, SecretFile, SigningKey,
};
use crate::endpoint::EndpointPlace;

/// Our credential at one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSettings {
    /// A bearer token that is obtained, and renewed, at the issuer's token endpoint.
    Bearer(Box<BearerSettings>),
    /// A bearer token from a file that somebody else renews.
    BearerFile {
        /// The token, in one line.
        token_file: PathBuf,
    },
    /// Each request authenticates us as a client.
    Client(ClientSettings),
}

/// How a client authenticates (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientSettings {
    /// `client_secret_basic`.
    ClientSecretBasic {
        /// Our name at the provider.
        client_id: String,
        /// The secret, in one line.
        secret_file: PathBuf,
    },
    /// `client_secret_post`.
    ClientSecretPost {
        /// Our name at the provider.
        client_id: String,
        /// The secret, in one line.
        secret_file: PathBuf,
    },
    /// `tls_client_auth` or `self_signed_tls_client_auth`.
    MutualTls {
        /// Our name at the provider.
        client_id: String,
        /// The client certificate and its intermediates, in PEM.
        certificate_file: PathBuf,
        /// Its private key, in PEM, not encrypted.
        key_file: PathBuf,
    },
    /// `private_key_jwt`.
    PrivateKeyJwt {
        /// Our name at the provider. Default what the key file says; only Zitadel's say it.
        client_id: Option<String>,
        /// What signs the assertion.
        key: KeyFileSettings,
        /// Whom the assertion is for. Default the issuer.
        audience: Audience,
    },
}

/// A bearer token that is obtained at the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerSettings {
    /// Where tokens are issued.
    pub token_endpoint: EndpointPlace,
    /// By what it is obtained.
    pub grant: Grant,
    /// `scope`, where the provider asks for one (RFC 6749 §3.3).
    pub scope: Option<String>,
}

/// By what a bearer token is obtained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// `client_credentials` (RFC 6749 §4.4).
    ClientCredentials(ClientSettings),
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 §2.1).
    JwtBearer {
        /// What signs the assertion: Zitadel's key of a service account, or another's.
        key: KeyFileSettings,
        /// In whose name: `iss` and `sub`. Default what the key file says; only Zitadel's say it.
        subject: Option<String>,
        /// Whom the assertion is for. Default the issuer.
        audience: Audience,
    },
}

impl CredentialSettings {
    /// The files that it names.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Bearer(bearer) => match &bearer.grant {
                Grant::ClientCredentials(client) => client.files(),
                Grant::JwtBearer { key, .. } => key.files().map(PathBuf::as_path).collect(),
            },
            Self::BearerFile { token_file } => vec![token_file],
            Self::Client(client) => client.files(),
        }
    }

    /// Reads the files, as a caller does who only wants to know whether they are good.
    ///
    /// # Errors
    /// [`CredentialFileError`], of the first file that is of no use, or of no use for this.
    pub fn check(&self) -> Result<Vec<PermissionsTooWide>, CredentialFileError> {
        self.load().map(|loaded| loaded.warnings)
    }

    pub(super) fn load(&self) -> Result<Loaded<Credential>, CredentialFileError> {
        match self {
            Self::Bearer(bearer) => Ok(bearer.grant.load()?.then(Credential::Obtained)),
            Self::BearerFile { token_file } => {
                let (line, warning) = line(token_file)?;
                let token = BearerToken::new(line).map_err(|fault| fault.of(token_file))?;
                Ok(Loaded::new(Credential::Fixed(ClientAuthentication::Bearer(token)), warning))
            }
            Self::Client(client) => Ok(client.load()?.then(Credential::Fixed)),
        }
    }
}

impl Grant {
    /// `grant_type` of RFC 6749 §4.4.2.
    pub const CLIENT_CREDENTIALS: &str = "client_credentials";

    /// `grant_type` of RFC 7523 §2.1.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    fn load(&self) -> Result<Loaded<LoadedGrant>, CredentialFileError> {
        match self {
            Self::ClientCredentials(client) => Ok(client.load()?.then(LoadedGrant::ClientCredentials)),
            Self::JwtBearer { key, subject, audience } => {
                let file = KeyFile::read(key)?;
                let subject =
                    subject_of(file.kind, subject.as_deref()).map_err(|fault| fault.of(&key.path))?;
                let grant =
                    LoadedGrant::JwtBearer { key: Box::new(file.key), subject, audience: audience.clone() };
                Ok(Loaded::new(grant, file.warnings))
            }
        }
    }
}

impl ClientSettings {
    fn files(&self) -> Vec<&Path> {
        match self {
            Self::ClientSecretBasic { secret_file, .. } | Self::ClientSecretPost { secret_file, .. } => {
                vec![secret_file]
            }
            Self::MutualTls { certificate_file, key_file, .. } => vec![certificate_file, key_file],
            Self::PrivateKeyJwt { key, .. } => key.files().map(PathBuf::as_path).collect(),
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`CredentialFileError`], of the first file that is of no use, or of no use for this.
    pub fn load(&self) -> Result<Loaded<ClientAuthentication>, CredentialFileError> {
        match self.clone() {
            Self::ClientSecretBasic { client_id, secret_file } => {
                let (line, warning) = line(&secret_file)?;
                let secret = ClientSecret::new(line);
                Ok(Loaded::new(ClientAuthentication::ClientSecretBasic { client_id, secret }, warning))
            }
            Self::ClientSecretPost { client_id, secret_file } => {
                let (line, warning) = line(&secret_file)?;
                let secret = ClientSecret::new(line);
                Ok(Loaded::new(ClientAuthentication::ClientSecretPost { client_id, secret }, warning))
            }
            Self::MutualTls { client_id, certificate_file, key_file } => {
                let certificate = SecretFile::read(&certificate_file)?;
                let key = SecretFile::read(&key_file)?;
                let bundle = Zeroizing::new([&certificate.octets[..], b"\n", &key.octets].concat());
                let identity = Identity::from_pem(&bundle)
                    .map_err(|_| CredentialFault::Certificate.of(&certificate_file))?;
                // A certificate is no secret, unless its key stands beside it.
                let warnings = [key.warning, certificate.warning.filter(|_| certificate_file == key_file)];
                let loaded = Loaded::new(
                    ClientAuthentication::MutualTls { client_id },
                    warnings.into_iter().flatten(),
                );
                Ok(Loaded { identity: Some(identity), ..loaded })
            }
            Self::PrivateKeyJwt { client_id, key, audience } => {
                let KeyFile { kind, key: signer, warnings } = KeyFile::read(&key)?;
                let client_id = client_of(kind, client_id).map_err(|fault| fault.of(&key.path))?;
                let authentication =
                    ClientAuthentication::PrivateKeyJwt { client_id, key: Box::new(signer), audience };
                Ok(Loaded::new(authentication, warnings))
            }
        }
    }
}

/// A credential whose files were read.
#[derive(Debug)]
pub struct Loaded<C> {
    /// What requests are sent with.
    pub credential: C,
    /// Who we are in the TLS handshake.
    pub identity: Option<Identity>,
    /// Files whose permissions are too wide.
    pub warnings: Vec<PermissionsTooWide>,
}

/// What requests are sent with.
#[derive(Debug)]
pub(super) enum Credential {
    /// This, until the files change.
    Fixed(ClientAuthentication),
    /// A token that is obtained by this.
    Obtained(LoadedGrant),
}

/// What a token request is made of.
#[derive(Debug)]
pub(super) enum LoadedGrant {
    ClientCredentials(ClientAuthentication),
    JwtBearer { key: Box<SigningKey>, subject: String, audience: Audience },
}

impl<C> Loaded<C> {
    fn new(credential: C, warnings: impl IntoIterator<Item = PermissionsTooWide>) -> Self {
        Self { credential, identity: None, warnings: warnings.into_iter().collect() }
    }

    fn then<D>(self, make: impl FnOnce(C) -> D) -> Loaded<D> {
        Loaded { credential: make(self.credential), identity: self.identity, warnings: self.warnings }
    }
}

/// In whose name the JWT-bearer grant is asked for. Zitadel looks for the key of an application among those of
/// service accounts, and never finds it (incident A1).
fn subject_of(kind: KeyFileKind, subject: Option<&str>) -> Result<String, CredentialFault> {
    match (kind, subject) {
        (KeyFileKind::ZitadelApplication { .. }, _) => Err(CredentialFault::ApplicationKey),
        (_, Some(subject)) => Ok(subject.to_owned()),
        (KeyFileKind::ZitadelServiceAccount { user_id }, None) => Ok(user_id),
        (KeyFileKind::Bare, None) => Err(CredentialFault::NoSubject),
    }
}

/// Which client a key authenticates. Zitadel looks for the key of a service account among those of applications.
fn client_of(kind: KeyFileKind, client_id: Option<String>) -> Result<String, CredentialFault> {
    match (kind, client_id) {
        (KeyFileKind::ZitadelServiceAccount { .. }, _) => Err(CredentialFault::ServiceAccountKey),
        (_, Some(client_id)) => Ok(client_id),
        (KeyFileKind::ZitadelApplication { client_id, .. }, None) => Ok(client_id),
        (KeyFileKind::Bare, None) => Err(CredentialFault::NoClientId),
    }
}

fn line(path: &Path) -> Result<(Zeroizing<String>, Option<PermissionsTooWide>), CredentialFileError> {
    let file = SecretFile::read(path)?;
    let line = file.line().map_err(|fault| fault.of(path))?;
    Ok((line, file.warning))
}
