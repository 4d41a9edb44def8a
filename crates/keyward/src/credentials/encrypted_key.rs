//! A private key behind a passphrase (RFC 5958 §3, with PBES2 of RFC 8018 §6.2).
//!
//! `pkcs8` reads what the file says of the encryption; aws-lc-rs does all of the cryptography.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Pbkdf2Prf};
use zeroize::Zeroizing;

use super::CredentialFault;

/// More rounds than anybody writes, and still over within seconds.
const ROUND_LIMIT: u32 = 10_000_000;

/// Whether this is an `EncryptedPrivateKeyInfo`.
pub(super) fn is_encrypted(der: &[u8]) -> bool {
    EncryptedPrivateKeyInfoRef::try_from(der).is_ok()
}

/// The key within, in PKCS#8.
pub(super) fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
    // A scheme that it does not know is no less malformed to the parser than damage is.
    let sealed =
        EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| CredentialFault::EncryptionUnsupported)?;
    let EncryptionScheme::Pbes2(pbes2::Parameters { kdf: Kdf::Pbkdf2(derivation), encryption }) =
        &sealed.encryption_algorithm
    else {
        return Err(CredentialFault::EncryptionUnsupported);
    };
    let function = match derivation.prf {
        Pbkdf2Prf::HmacWithSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Pbkdf2Prf::HmacWithSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Pbkdf2Prf::HmacWithSha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Pbkdf2Prf::HmacWithSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(CredentialFault::EncryptionUnsupported),
    };
    let (cipher, iv) = match encryption {
        pbes2::EncryptionScheme::Aes128Cbc { iv } => (&AES_128, iv),
        pbes2::EncryptionScheme::Aes192Cbc { iv } => (&AES_192, iv),
        pbes2::EncryptionScheme::Aes256Cbc { iv } => (&AES_256, iv),
        _ => return Err(CredentialFault::EncryptionUnsupported),
    };
    let rounds = NonZeroU32::new(derivation.iteration_count).filter(|rounds| rounds.get() <= ROUND_LIMIT);
    let rounds = rounds.ok_or(CredentialFault::EncryptionUnsupported)?;
    let mut key = Zeroizing::new(vec![0; encryption.key_size()]);
    if derivation.key_length.is_some_and(|length| usize::from(length) != key.len()) {
        return Err(CredentialFault::Malformed("encrypted private key"));
    }
    pbkdf2::derive(function, rounds, derivation.salt.as_ref(), passphrase, &mut key);
    let opened = UnboundCipherKey::new(cipher, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let mut octets = Zeroizing::new(sealed.encrypted_data.as_ref().to_vec());
    let context = DecryptionContext::Iv128(FixedLength::from(*iv));
    let plain = opened.and_then(|key| key.decrypt(&mut octets, context).map(|plain| plain.to_vec()));
    plain.map(Zeroizing::new).map_err(|_| CredentialFault::PassphraseWrong)
}
