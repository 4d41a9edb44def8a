//! The key that private keys are sealed under.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keyward::credentials::{CredentialFault, CredentialFileError, PermissionsTooWide, SecretFile};
use zeroize::Zeroizing;

/// How long it is, in octets.
const LENGTH: usize = 32;

/// 256 bits that are kept apart from the database: without them nothing in it signs. They are never shown.
#[derive(Clone)]
pub struct MasterKey {
    id: MasterKeyId,
    aead: Arc<RandomizedNonceKey>,
}

/// What a master key is called, in the database and where something is said of it: 64 bits of an HMAC under it, of which nothing
/// of the key can be learned. As text it is hex.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MasterKeyId(u64);

/// A text is no master key. Nothing of it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a master key is 32 octets, in hex or base64, such as `openssl rand -base64 32` prints")]
pub struct MasterKeyError;

/// Why a file holds no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyFileError {
    /// It cannot be read, or is not one line of text.
    #[error(transparent)]
    File(#[from] CredentialFileError),
    /// What it holds is none.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
}

impl MasterKey {
    /// Reads a key from a file, whose mode is held against 0600 as that of every file with a secret is.
    ///
    /// # Errors
    /// [`MasterKeyFileError`].
    pub fn read(path: &Path) -> Result<(Self, Option<PermissionsTooWide>), MasterKeyFileError> {
        let file = SecretFile::read(path)?;
        let fault = |fault: CredentialFault| CredentialFileError { path: path.to_owned(), fault };
        let key = Self::parse(&file.line().map_err(fault)?)?;
        Ok((key, file.warning))
    }

    /// Reads a key from a text, such as a variable of the environment holds: 32 octets in hex, or in base64 of either alphabet,
    /// padded or not.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let octets = Zeroizing::new(match text.len() {
            64 => unhex(text.as_bytes()),
            43 => [URL_SAFE_NO_PAD, STANDARD_NO_PAD].iter().find_map(|of| of.decode_to_vec(text).ok()),
            44 => [URL_SAFE, STANDARD].iter().find_map(|of| of.decode_to_vec(text).ok()),
            _ => None,
        });
        let octets = octets.as_deref().filter(|octets| octets.len() == LENGTH).ok_or(MasterKeyError)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, octets).map_err(|_| MasterKeyError)?;
        Ok(Self { id: MasterKeyId::of(octets), aead: Arc::new(key) })
    }

    /// What it is called.
    pub const fn id(&self) -> MasterKeyId {
        self.id
    }

    pub(super) fn aead(&self) -> &RandomizedNonceKey {
        &self.aead
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKeyId {
    fn of(octets: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, octets), b"keyward master key id 1");
        Self(tag.as_ref().iter().take(8).fold(0, |id, octet| id << 8 | u64::from(*octet)))
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for MasterKeyId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = text.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use aws_lc_rs::aead::Aad;

    use super::*;

    #[test]
    fn a_master_key_is_256_bits_in_any_usual_form() {
        let hex = "fbff00112233445566778899aabbccddeeff0123456789abcdef0123456789ab";
        let octets = unhex(hex.as_bytes()).unwrap();
        let opens = |text: &str| {
            let mut sealed = b"planted".to_vec();
            let none = || Aad::from([]);
            let nonce =
                MasterKey::parse(hex).unwrap().aead().seal_in_place_append_tag(none(), &mut sealed).unwrap();
            let key = MasterKey::parse(text).unwrap();
            key.aead().open_in_place(nonce, none(), &mut sealed).is_ok()
        };
        for text in [
            hex.to_uppercase(),
            STANDARD.encode_to_string(&octets),
            STANDARD_NO_PAD.encode_to_string(&octets),
            URL_SAFE.encode_to_string(&octets),
            URL_SAFE_NO_PAD.encode_to_string(&octets),
        ] {
            assert!(opens(&text), "{text}");
        }
        assert!(!opens(&hex.replace("00", "01")));
        let id = |text: &str| MasterKey::parse(text).unwrap().id();
        assert_eq!(id(hex), id(&STANDARD.encode_to_string(&octets)));
        assert_ne!(id(hex), id(&hex.replace("00", "01")));
        assert_eq!(id(hex).to_string().parse(), Ok(id(hex)));
        for text in ["", "secret", &hex[1..], &format!("{hex}00"), &hex.replace('f', "g"), &"é".repeat(32)] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), MasterKeyError, "{text}");
        }
        assert_eq!(format!("{:?}", MasterKey::parse(hex)), "Ok(MasterKey(…))");
    }

    #[test]
    fn a_file_that_others_can_read_says_so_and_one_without_a_key_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, format!("{}\n", "0f1e".repeat(16))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let (_, warning) = MasterKey::read(&path).unwrap();
        assert_eq!(warning.map(|warning| warning.mode), Some(0o640));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(MasterKey::read(&path).unwrap().1, None);
        fs::write(&path, "hunter2hunter2").unwrap();
        let error = MasterKey::read(&path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(matches!(MasterKey::read(&folder.path().join("none")), Err(MasterKeyFileError::File(_))));
    }
}
