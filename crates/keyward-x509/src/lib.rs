//! Certificates for whoever verifies: which of them are trust anchors, whether a chain leads to one, and what
//! the certificate says that wraps a key.
//!
//! The crate reads no file, opens no socket and knows no clock: octets and the time, in whole seconds since
//! 1970-01-01T00:00:00Z, are arguments. Paths are built and signatures checked by rustls-webpki; what is ours is
//! which certificates it may start from ([`TrustStore`]) and which certificate a failure concerns ([`ChainError`]).
//!
//! - [`Bundle`] reads certificates, PEM or DER, and skips what is none.
//! - [`TrustStore`] sorts them: an anchor is declared, self-signed, a CA's and within its validity. All else is an
//!   intermediate.
//! - [`verify`] takes a chain to an anchor, for a [`Purpose`], at a time, with [`Revocation`].
//! - [`Identity`] is a name to hold a certificate against: DNS, IP or SPIFFE.
//! - [`DistinguishedName`] is a subject to hold one against.
//! - [`Wrapper`] is the certificate beside a JSON Web Key (RFC 7517 §4.7 to 4.9).
//!
//! ```
//! use keyward_x509::{Bundle, BundleLimits, Purpose, Revocation, TrustStore, verify};
//!
//! # const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../keyward-cli/tests/vectors/chain");
//! # let roots = std::fs::read(format!("{FOLDER}/root.pem"))?;
//! # let presented = std::fs::read(format!("{FOLDER}/session.pem"))?;
//! let now = 1_796_083_200; // 2026-12-01T00:00:00Z
//! let roots = Bundle::parse(&roots, BundleLimits::default())?;
//! let presented = Bundle::parse(&presented, BundleLimits::default())?;
//! let store = TrustStore::builder().anchors(roots.certificates).build(now);
//!
//! let revocation = Revocation::none();
//! let chain = verify(&store, &presented.certificates, Purpose::ClientAuth, now, &revocation)?;
//! chain.check_identity(&"spiffe://example.org/session/7".parse()?)?;
//! assert_eq!(chain.anchor().subject(), "O=Example, CN=Network Root");
//!
//! let error = verify(&store, &presented.certificates, Purpose::ServerAuth, now, &revocation).unwrap_err();
//! assert_eq!(error.label(), "not_for_purpose");
//! assert_eq!(error.certificate(), presented.certificates.first());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bundle;
mod certificate;
mod chain;
mod chain_error;
mod der;
mod diagnosis;
mod distinguished_name;
mod identity;
mod key_usage;
mod name;
mod purpose;
mod revocation;
mod signature;
mod sorting;
mod trust_store;
mod wrapper;

pub use bundle::{Bundle, BundleError, BundleLimits, Skipped};
pub use certificate::{Certificate, CertificateError, Validity};
pub use chain::{PRESENTED_LIMIT, VerifiedChain, verify};
pub use chain_error::ChainError;
pub use distinguished_name::{DistinguishedName, DistinguishedNameError};
pub use identity::{Identity, IdentityError, SpiffeError, SpiffeId};
pub use key_usage::{ExtendedKeyUsage, KeyUsage};
pub use purpose::Purpose;
pub use revocation::{Crl, CrlError, Revocation};
pub use sorting::{NoAnchor, Role, Sorted};
pub use trust_store::{TrustStore, TrustStoreBuilder};
pub use wrapper::{Wrapper, WrapperMembers, WrapperTrouble};
