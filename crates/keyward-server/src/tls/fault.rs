//! What is wrong with a file of a TLS listener.

/// Why a certificate, a key or a bundle cannot be used. It shows nothing of what is in a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The key needs a passphrase.
    #[error("the key is encrypted; a listener needs one that is not")]
    Encrypted,
    /// The certificate is another key's.
    #[error("this key is not the one of the certificate")]
    KeyMismatch,
    /// rustls has no use for the key.
    #[error("the key cannot be used for TLS: RSA of 2048 bits and more, P-256, P-384, P-521 and Ed25519 can")]
    KeyUnusable,
    /// There is PEM that does not parse.
    #[error("it is no well-formed PEM")]
    Malformed,
    /// There is no certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// There is no private key.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// There are several private keys.
    #[error("it holds several private keys, and nothing says which one is meant")]
    SeveralKeys,
    /// A certificate that is none, or that rustls has no use for.
    #[error("a certificate in it cannot be used: {0}")]
    UnusableCertificate(String),
}
