//! A private key as it is handed out: Zitadel's key files, PEM, JWK, PKCS#8.

use std::path::PathBuf;

use keyward_jose::Algorithm;
use keyward_jose::json::check_unique_names;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::signing_key::{Member, Wanted};
use super::{
    CredentialFault, CredentialFileError, PermissionsTooWide, SecretFile, SigningKey, encrypted_key,
};

/// Where a private key is, and what has to be known of it that its file does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFileSettings {
    /// The file.
    pub path: PathBuf,
    /// The name that the provider has for the key. Default what the file says, and none where it says nothing.
    pub kid: Option<String>,
    /// What it signs with. Default what the file says, else RS256 for RSA, EdDSA for Ed25519, and what goes with the
    /// curve for others.
    pub algorithm: Option<Algorithm>,
    /// A file with the passphrase, where the key is encrypted.
    pub passphrase_file: Option<PathBuf>,
}

/// A private key and what its file says of whose it is.
#[derive(Debug)]
pub struct KeyFile {
    /// Whose key it is.
    pub kind: KeyFileKind,
    /// The key.
    pub key: SigningKey,
    /// Files whose permissions are too wide.
    pub warnings: Vec<PermissionsTooWide>,
}

/// What a key file says of whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFileKind {
    /// Nothing: PEM, PKCS#8 or a JWK.
    Bare,
    /// Zitadel's `"type": "application"`: it authenticates a client (`private_key_jwt`), and does nothing else.
    ZitadelApplication {
        /// `appId`.
        app_id: String,
        /// `clientId`.
        client_id: String,
    },
    /// Zitadel's `"type": "serviceaccount"`: it serves the JWT-bearer grant, and nothing else.
    ZitadelServiceAccount {
        /// `userId`, which is `iss` and `sub` of the assertion.
        user_id: String,
    },
}

impl KeyFileSettings {
    /// A file that says itself what has to be known, or of which nothing has to be.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), kid: None, algorithm: None, passphrase_file: None }
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.path), self.passphrase_file.as_ref()].into_iter().flatten()
    }
}

impl KeyFile {
    /// Reads a key.
    ///
    /// # Errors
    /// [`CredentialFileError`], of the key's file or the passphrase's.
    pub fn read(settings: &KeyFileSettings) -> Result<Self, CredentialFileError> {
        let file = SecretFile::read(&settings.path)?;
        let mut warnings = Vec::from_iter(file.warning);
        let passphrase = match &settings.passphrase_file {
            None => None,
            Some(path) => {
                let passphrase = SecretFile::read(path)?;
                let line = passphrase.line().map_err(|fault| fault.of(path))?;
                warnings.extend(passphrase.warning);
                Some(line)
            }
        };
        let passphrase = passphrase.as_ref().map(|line| line.as_bytes());
        let parsed = Self::parse(&file.octets, settings.kid.as_deref(), settings.algorithm, passphrase);
        let (kind, key) = parsed.map_err(|fault| fault.of(&settings.path))?;
        Ok(Self { kind, key, warnings })
    }

    /// A key from a file's octets. `kid` and `algorithm` count over what the file says.
    ///
    /// # Errors
    /// [`CredentialFault`].
    pub fn parse(
        octets: &[u8],
        kid: Option<&str>,
        algorithm: Option<Algorithm>,
        passphrase: Option<&[u8]>,
    ) -> Result<(KeyFileKind, SigningKey), CredentialFault> {
        let wanted = Wanted { kid, algorithm };
        let text = octets.trim_ascii();
        let key = if text.starts_with(b"{") {
            return from_json(text, wanted, passphrase);
        } else if contains_pem(text) {
            from_pem(text, wanted, passphrase)
        } else if octets.first() == Some(&DER_SEQUENCE) {
            from_der(octets, wanted, passphrase)
        } else {
            Err(CredentialFault::UnknownFormat)
        };
        Ok((KeyFileKind::Bare, key?))
    }
}

/// What each of the DER forms begins with.
const DER_SEQUENCE: u8 = 0x30;

/// What is looked at of a JSON file before it is known what it is.
#[derive(Deserialize)]
struct Outline {
    kty: Option<serde::de::IgnoredAny>,
    keys: Option<serde::de::IgnoredAny>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A key file as Zitadel's console and API hand it out. What else is in it, such as `expirationDate`, is not ours.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZitadelKeyFile {
    key_id: Option<String>,
    key: Option<Member>,
    user_id: Option<String>,
    app_id: Option<String>,
    client_id: Option<String>,
}

fn from_json(
    text: &[u8],
    wanted: Wanted<'_>,
    passphrase: Option<&[u8]>,
) -> Result<(KeyFileKind, SigningKey), CredentialFault> {
    let malformed = || CredentialFault::Malformed("JSON");
    check_unique_names(text).map_err(|_| malformed())?;
    let outline: Outline = serde_json::from_slice(text).map_err(|_| malformed())?;
    match outline {
        Outline { kty: Some(_), .. } => Ok((KeyFileKind::Bare, SigningKey::from_jwk(text, wanted)?)),
        Outline { keys: Some(_), .. } => Err(CredentialFault::SeveralKeys),
        Outline { kind: Some(kind), .. } => {
            let file: ZitadelKeyFile = serde_json::from_slice(text).map_err(|_| malformed())?;
            file.read(&kind, wanted, passphrase)
        }
        _ => Err(CredentialFault::UnknownFormat),
    }
}

impl ZitadelKeyFile {
    fn read(
        self,
        kind: &str,
        wanted: Wanted<'_>,
        passphrase: Option<&[u8]>,
    ) -> Result<(KeyFileKind, SigningKey), CredentialFault> {
        let kind = match kind {
            "application" => KeyFileKind::ZitadelApplication {
                app_id: member("appId", self.app_id)?,
                client_id: member("clientId", self.client_id)?,
            },
            "serviceaccount" => {
                KeyFileKind::ZitadelServiceAccount { user_id: member("userId", self.user_id)? }
            }
            _ => return Err(CredentialFault::UnknownKind),
        };
        let key_id = member("keyId", self.key_id)?;
        let wanted = Wanted { kid: wanted.kid.or(Some(&key_id)), ..wanted };
        let key = self.key.ok_or(CredentialFault::MissingMember("key"))?;
        Ok((kind, from_pem(key.0.as_bytes(), wanted, passphrase)?))
    }
}

fn member(name: &'static str, value: Option<String>) -> Result<String, CredentialFault> {
    value.filter(|value| !value.is_empty()).ok_or(CredentialFault::MissingMember(name))
}

fn contains_pem(text: &[u8]) -> bool {
    text.windows(PEM_BOUNDARY.len()).any(|window| window == PEM_BOUNDARY)
}

const PEM_BOUNDARY: &[u8] = b"-----BEGIN ";

/// The one private key among what PEM holds (RFC 7468): parameters and certificates may stand beside it.
fn from_pem(
    text: &[u8],
    wanted: Wanted<'_>,
    passphrase: Option<&[u8]>,
) -> Result<SigningKey, CredentialFault> {
    let sections = pem::parse_many(text).map_err(|_| CredentialFault::Malformed("PEM"))?;
    let mut keys = Vec::new();
    for section in sections {
        let is_sealed = section.headers().iter().any(|(name, _)| name == "Proc-Type");
        let label = section.tag().to_owned();
        let octets = Zeroizing::new(section.into_contents());
        if label.ends_with("PRIVATE KEY") {
            keys.push((label, is_sealed, octets));
        }
    }
    let mut keys = keys.into_iter();
    let (label, is_sealed, octets) = keys.next().ok_or(CredentialFault::NoKey)?;
    if keys.next().is_some() {
        return Err(CredentialFault::SeveralKeys);
    }
    if is_sealed {
        return Err(CredentialFault::LegacyEncryption);
    }
    match label.as_str() {
        "PRIVATE KEY" => SigningKey::from_pkcs8(&octets, wanted),
        "ENCRYPTED PRIVATE KEY" => from_encrypted(&octets, wanted, passphrase),
        "RSA PRIVATE KEY" => SigningKey::from_pkcs1(&octets, wanted),
        "EC PRIVATE KEY" => SigningKey::from_sec1(&octets, wanted),
        _ => Err(CredentialFault::UnknownFormat),
    }
}

fn from_der(
    der: &[u8],
    wanted: Wanted<'_>,
    passphrase: Option<&[u8]>,
) -> Result<SigningKey, CredentialFault> {
    if encrypted_key::is_encrypted(der) {
        from_encrypted(der, wanted, passphrase)
    } else {
        SigningKey::from_pkcs8(der, wanted)
    }
}

fn from_encrypted(
    der: &[u8],
    wanted: Wanted<'_>,
    passphrase: Option<&[u8]>,
) -> Result<SigningKey, CredentialFault> {
    let passphrase = passphrase.ok_or(CredentialFault::Encrypted)?;
    let opened = encrypted_key::decrypt(der, passphrase)?;
    SigningKey::from_pkcs8(&opened, wanted).map_err(|fault| match fault {
        // One wrong passphrase in 256 leaves what looks well padded.
        CredentialFault::Malformed(_) => CredentialFault::PassphraseWrong,
        other => other,
    })
}
