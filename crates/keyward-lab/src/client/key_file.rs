//! A client's private key in a file, as providers hand it out.

use base64_simd::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::registry::Client;
use crate::error::CommandError;
use crate::key::KeyGeneration;

/// What a key file looks like.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum KeyFileForm {
    /// Zitadel's of an application: `{"type":"application","keyId","key","appId","clientId"}`.
    Application,
    /// PKCS#8 in PEM (RFC 7468 §10), which does not say the key's name.
    #[default]
    Pem,
    /// Zitadel's of a service account: `{"type":"serviceaccount","keyId","key","userId"}`.
    ServiceAccount,
}

impl Client {
    /// The file of its key of this name, or of its first one. A form of the other kind is how A1 comes about.
    pub(crate) fn key_file(&self, kid: Option<&str>, form: KeyFileForm) -> Result<String, CommandError> {
        let key = self.key(kid)?;
        let stranger = || CommandError::NotOurKey { kid: key.kid.clone(), client: self.name.clone() };
        let private = key.private.as_ref().ok_or_else(stranger)?;
        let pkcs8 = private.pkcs8().map_err(|_| KeyGeneration)?;
        // Zitadel's hold RSA keys as PKCS#1; it has no others.
        let zitadel =
            pkcs1(&pkcs8).map_or_else(|| pem("PRIVATE KEY", &pkcs8), |pkcs1| pem("RSA PRIVATE KEY", pkcs1));
        let file = match form {
            KeyFileForm::Pem => return Ok(pem("PRIVATE KEY", &pkcs8)),
            KeyFileForm::Application => json!({
                "type": "application", "keyId": key.kid, "key": zitadel,
                "appId": format!("app-{}", self.name), "clientId": self.name,
            }),
            KeyFileForm::ServiceAccount => json!({
                "type": "serviceaccount", "keyId": key.kid, "key": zitadel, "userId": self.name,
            }),
        };
        Ok(file.to_string())
    }
}

/// RFC 7468 §2.
fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode_to_string(der);
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The algorithm of an RSA key in PKCS#8 (RFC 5208 §5), and the start of the octet string behind it, whose length takes
/// two octets for every key of the lab.
const RSA_PRIVATE_KEY: [u8; 17] =
    [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, 4, 0x82];

/// The RSAPrivateKey (RFC 8017 A.1.2) of an RSA key; none of another.
fn pkcs1(pkcs8: &[u8]) -> Option<&[u8]> {
    let start = pkcs8.windows(RSA_PRIVATE_KEY.len()).position(|octets| octets == RSA_PRIVATE_KEY)?;
    pkcs8.get(start + RSA_PRIVATE_KEY.len() + 2..)
}
