//! What a token is bound to: the claim `cnf` (RFC 7800 §3.1).

use base64_simd::URL_SAFE_NO_PAD;
use keyward::binding::CertificateThumbprint;
use keyward_jose::Thumbprint;
use serde::{Deserialize, Serialize};

/// What a token is bound to; both, where both are there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Confirmation {
    /// The key that makes its DPoP proofs (RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// The certificate of the connection on which it is sent (RFC 8705 §3.1).
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Confirmation {
    /// One of these; none where there is neither.
    pub(super) fn of(key: Option<Thumbprint>, certificate: Option<CertificateThumbprint>) -> Option<Self> {
        let certificate = certificate.map(|thumbprint| URL_SAFE_NO_PAD.encode_to_string(thumbprint.0));
        let jkt = key.map(|key| key.to_string());
        (jkt.is_some() || certificate.is_some()).then_some(Self { jkt, certificate })
    }

    /// Whether what was proved now is all that this names.
    pub(super) fn is_proved_by(&self, proved: Option<&Self>) -> bool {
        let holds =
            |named: &Option<String>, shown: Option<&String>| named.is_none() || named.as_ref() == shown;
        holds(&self.jkt, proved.and_then(|proved| proved.jkt.as_ref()))
            && holds(&self.certificate, proved.and_then(|proved| proved.certificate.as_ref()))
    }

    /// How a token that is bound so is sent: `token_type`.
    pub(super) fn token_type(confirmation: Option<&Self>) -> &'static str {
        // RFC 8705 §3: what is bound to a certificate is a bearer token all the same.
        if confirmation.is_some_and(|confirmation| confirmation.jkt.is_some()) { "DPoP" } else { "Bearer" }
    }
}
