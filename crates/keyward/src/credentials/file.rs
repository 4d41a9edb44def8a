//! A file that holds a secret of ours.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use keyward_jose::{SigningKeyError, UnusableKey};
use zeroize::Zeroizing;

/// The largest file that is read: an RSA key of 8192 bits in PEM is an eighth of it.
const SIZE_LIMIT: usize = 64 * 1024;

/// What stands in such a file; wiped when dropped, and never shown.
pub struct SecretFile {
    /// The octets as they are.
    pub octets: Zeroizing<Vec<u8>>,
    /// Where others than the file's owner can read it.
    pub warning: Option<PermissionsTooWide>,
}

/// Others than its owner have rights on a file that holds a secret: its mode is wider than 0600.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} has mode {mode:04o}, so that others than its owner can use it; 0600 is enough", path.display())]
pub struct PermissionsTooWide {
    /// The file.
    pub path: PathBuf,
    /// The permission bits.
    pub mode: u32,
}

/// Why a file of ours is of no use. It names the file, and shows nothing of what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct CredentialFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: CredentialFault,
}

/// What is wrong with a file of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialFault {
    /// The configured algorithm, or the one that the JWK names, is not for this kind of key.
    #[error("the algorithm is not for this kind of key")]
    AlgorithmMismatch,
    /// A Zitadel key of an application, with the JWT-bearer grant (incident A1).
    #[error(
        "this is the key of an application (\"type\": \"application\"), and the JWT-bearer grant looks for keys of \
         service accounts only: Zitadel would answer server_error for ever. Use it as private_key_jwt at the \
         introspection endpoint, or the key of a service account (\"type\": \"serviceaccount\") for this grant"
    )]
    ApplicationKey,
    /// A client certificate that cannot be used.
    #[error("there is no certificate, or no private key of it, in PEM")]
    Certificate,
    /// The key is encrypted, and there is no passphrase.
    #[error("the key is encrypted, and no file with its passphrase is configured")]
    Encrypted,
    /// The key is encrypted otherwise than aws-lc-rs can decrypt, or damaged.
    #[error(
        "the key is encrypted in another way than PBES2 with PBKDF2 and AES-CBC, which \
         `openssl pkcs8 -topk8` writes, or it is damaged"
    )]
    EncryptionUnsupported,
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The key is one that no verifier would take the public half of.
    #[error("the key is unusable: {0}")]
    KeyUnusable(UnusableKey),
    /// PEM of openssl's old kind of encryption.
    #[error(
        "the key is encrypted as openssl once did (Proc-Type); `openssl pkcs8 -topk8` writes what can be read"
    )]
    LegacyEncryption,
    /// It does not parse.
    #[error("no well-formed {0}")]
    Malformed(&'static str),
    /// A member that has to be there is not, or is empty.
    #[error("the member {0:?} is missing")]
    MissingMember(&'static str),
    /// Neither the configuration nor the key file says which client this is.
    #[error("it names no client, and no client id is configured")]
    NoClientId,
    /// There is no private key in it.
    #[error("it holds no private key")]
    NoKey,
    /// There is nothing in it.
    #[error("it is empty")]
    NoSecret,
    /// Nobody is named in whose name the grant is asked for.
    #[error("it names no service account, and no subject is configured")]
    NoSubject,
    /// There are characters in it that no token may have, or it is over 16 KiB.
    #[error("it holds something else than a token")]
    NotAToken,
    /// Its `use` or `key_ops` do not allow signing (RFC 7517 §4.2, §4.3).
    #[error("its use or key_ops does not allow signing")]
    NotForSigning,
    /// There are characters in it that no secret may have.
    #[error("it holds something else than one line of text")]
    NotOneLine,
    /// The passphrase does not open the key.
    #[error("the passphrase does not decrypt it")]
    PassphraseWrong,
    /// A Zitadel key of a service account, used as a client's.
    #[error(
        "this is the key of a service account (\"type\": \"serviceaccount\"), and private_key_jwt asks for the key \
         of an application; use it for the JWT-bearer grant"
    )]
    ServiceAccountKey,
    /// There are several private keys in it.
    #[error("it holds several private keys, and nothing says which one is meant")]
    SeveralKeys,
    /// It is too large.
    #[error("it is over the limit of {SIZE_LIMIT} octets")]
    TooLarge,
    /// It is in none of the forms that are known.
    #[error("neither a Zitadel key file, nor PEM, nor a JWK, nor PKCS#8 in DER")]
    UnknownFormat,
    /// A JSON key file of a kind that is not known.
    #[error("a key file whose \"type\" is neither \"serviceaccount\" nor \"application\"")]
    UnknownKind,
}

impl SecretFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CredentialFault::Io`], [`CredentialFault::TooLarge`] and [`CredentialFault::NoSecret`].
    pub fn read(path: &Path) -> Result<Self, CredentialFileError> {
        read(path).map_err(|fault| fault.of(path))
    }

    /// Its text without the end of the line: a secret, a passphrase or a token.
    ///
    /// # Errors
    /// [`CredentialFault::NotOneLine`] and [`CredentialFault::NoSecret`].
    pub fn line(&self) -> Result<Zeroizing<String>, CredentialFault> {
        let text = std::str::from_utf8(&self.octets).map_err(|_| CredentialFault::NotOneLine)?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(CredentialFault::NoSecret);
        }
        if line.chars().any(char::is_control) {
            return Err(CredentialFault::NotOneLine);
        }
        Ok(Zeroizing::new(line.to_owned()))
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("warning", &self.warning).finish_non_exhaustive()
    }
}

impl CredentialFault {
    pub(super) fn of(self, path: &Path) -> CredentialFileError {
        CredentialFileError { path: path.to_owned(), fault: self }
    }
}

impl From<SigningKeyError> for CredentialFault {
    fn from(error: SigningKeyError) -> Self {
        match error {
            SigningKeyError::AlgorithmMismatch => Self::AlgorithmMismatch,
            SigningKeyError::Generation | SigningKeyError::Pkcs8 => Self::Malformed("private key"),
            SigningKeyError::Unusable(unusable) => Self::KeyUnusable(unusable),
        }
    }
}

fn read(path: &Path) -> Result<SecretFile, CredentialFault> {
    // What is no plain file might never end, or never begin.
    if !fs::metadata(path).map_err(CredentialFault::Io)?.is_file() {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file");
        return Err(CredentialFault::Io(cause));
    }
    let file = fs::File::open(path).map_err(CredentialFault::Io)?;
    let warning = too_wide(path, &file.metadata().map_err(CredentialFault::Io)?);
    // At once of the size that it may have: a text that grew would leave a copy behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(SIZE_LIMIT + 1));
    file.take(SIZE_LIMIT as u64 + 1).read_to_end(&mut octets).map_err(CredentialFault::Io)?;
    match octets.len() {
        0 => Err(CredentialFault::NoSecret),
        octets if octets > SIZE_LIMIT => Err(CredentialFault::TooLarge),
        _ => Ok(SecretFile { octets, warning }),
    }
}

#[cfg(unix)]
fn too_wide(path: &Path, metadata: &fs::Metadata) -> Option<PermissionsTooWide> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o177 != 0).then(|| PermissionsTooWide { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn too_wide(_path: &Path, _metadata: &fs::Metadata) -> Option<PermissionsTooWide> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(octets: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        fs::write(&path, octets).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        (folder, path)
    }

    #[test]
    fn a_line_is_read_without_its_end() {
        for (text, line) in [
            (&b"planted"[..], Some("planted")),
            (b"planted\n", Some("planted")),
            (b"planted\r\n", Some("planted")),
            (b" plan ted ", Some(" plan ted ")),
            (b"\n", None),
            (b"plan\nted", None),
            (b"planted\n\n", None),
            (b"plan\0ted", None),
            (b"\xff\xfe", None),
        ] {
            let (_folder, path) = written(text, 0o600);
            let file = SecretFile::read(&path).expect("read");
            assert_eq!(file.line().ok().as_deref().map(String::as_str), line);
            assert_eq!(format!("{file:?}"), "SecretFile { warning: None, .. }");
        }
    }

    #[test]
    fn a_mode_wider_than_0600_is_warned_about() {
        for (mode, warns) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o700, true)] {
            let (_folder, path) = written(b"planted", mode);
            let warning = SecretFile::read(&path).expect("read").warning;
            assert_eq!(warning, warns.then(|| PermissionsTooWide { path: path.clone(), mode }));
            let said = warning.map(|warning| warning.to_string());
            assert!(
                said.is_none_or(|said| said.contains(&format!("{mode:04o}")) && !said.contains("planted"))
            );
        }
    }

    #[test]
    fn what_is_missing_empty_too_large_or_no_file_is_refused_by_name() {
        let (folder, empty) = written(b"", 0o600);
        let large = folder.path().join("large");
        fs::write(&large, vec![b'x'; SIZE_LIMIT + 1]).expect("written");
        let missing = folder.path().join("missing");
        let places = [
            (empty.as_path(), "it is empty"),
            (&large, "over the limit"),
            (&missing, "cannot be read"),
            (folder.path(), "no plain file"),
            (Path::new("/dev/zero"), "no plain file"),
        ];
        for (path, why) in places {
            let error = SecretFile::read(path).expect_err("refused").to_string();
            assert!(error.contains(why) && error.contains(&path.display().to_string()), "{error}");
        }
        fs::write(&large, vec![b'x'; SIZE_LIMIT]).expect("written");
        SecretFile::read(&large).expect("at the limit");
    }
}
