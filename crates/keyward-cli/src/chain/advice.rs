//! What somebody can do about a chain that is refused.

use keyward::UnixTime;
use keyward_x509::{ChainError, NoAnchor};

use crate::output::Printable;
use crate::time::{format_rfc3339, relative};

/// What failed, with times as a person reads them.
pub(crate) fn what(error: &ChainError, now: UnixTime) -> String {
    let when =
        |time: i64| format!("{}, on {}", relative(UnixTime(time), now), format_rfc3339(UnixTime(time)));
    let text = match error {
        ChainError::CrlExpired { certificate, next_update, .. } => {
            format!("the revocation list for {certificate} was due {}", when(*next_update))
        }
        ChainError::Expired { certificate, not_after, .. } => {
            format!("{certificate} expired {}", when(*not_after))
        }
        ChainError::NotYetValid { certificate, not_before, .. } => {
            format!("{certificate} becomes valid {}", when(*not_before))
        }
        ChainError::Revoked { certificate, since } => {
            format!("{certificate} was revoked {}", when(*since))
        }
        ChainError::UntrustedRoot { certificate, why: NoAnchor::Expired { not_after, .. } } => {
            format!("{certificate} is no trust anchor: it expired {}", when(*not_after))
        }
        _ => error.to_string(),
    };
    Printable(&text).to_string()
}

/// What mends it.
pub(crate) fn fix(error: &ChainError) -> &'static str {
    match error {
        ChainError::CaAsLeaf { .. } => "present the leaf first, then the CAs above it",
        ChainError::CrlExpired { .. } => "fetch the issuer's current list, or pass --revocation soft",
        ChainError::CrlUntrusted { .. } => {
            "take the list that this very issuer signed; its key usage needs cRLSign"
        }
        ChainError::Empty => "name a file with a certificate",
        ChainError::Expired { .. } => "renew it; the same name and key may go on under a new certificate",
        ChainError::KeyUsage { .. } => "issue it with digitalSignature in its key usage",
        ChainError::Malformed { .. } => {
            "issue it as X.509 version 3, without critical extensions of your own"
        }
        ChainError::NameConstraint { .. } => "issue it for names that every CA above it may issue",
        ChainError::NameMismatch { .. } => {
            "ask for a name of its subject alternative names, or issue it with this one"
        }
        ChainError::NoCertificateSigner { .. } => {
            "issue the CA's certificate with keyCertSign in its key usage"
        }
        ChainError::NotCa { .. } => "issue it with basic constraints CA:TRUE, or present the CA that signed",
        ChainError::NotForPurpose { .. } => {
            "issue it with that purpose in its extended key usage, or without any"
        }
        ChainError::NotYetValid { .. } => "wait, or look whether the clock here is behind",
        ChainError::PathLength { .. } => {
            "issue the CA's certificate with a greater path length, or leave CAs out"
        }
        ChainError::RevocationUnknown { .. } => "pass the list of its issuer by --crl, or --revocation soft",
        ChainError::Revoked { .. } => "nothing: issue another",
        ChainError::SignatureInvalid { .. } => {
            "look for the CA of that name that signed it: another key has the same name"
        }
        ChainError::SignatureUnsupported { .. } => {
            "issue it with ECDSA, Ed25519 or RSA of at least 2048 bits, and SHA-256 or better"
        }
        ChainError::TooComplex { .. } => "present only the chain: six intermediates at most, each CA once",
        ChainError::TooMany { .. } => "present only the chain; other intermediates go to --intermediates",
        ChainError::UntrustedRoot { why: NoAnchor::NotDeclared, .. } => {
            "if you trust it, declare it by --anchors or --pin: nothing that is only presented is trusted"
        }
        ChainError::UntrustedRoot { .. } => "declare a root that is self-signed, a CA's and valid",
        ChainError::UnknownIssuer { .. } => {
            "pass its issuer by --intermediates, or, if that is a root, by --anchors"
        }
    }
}
