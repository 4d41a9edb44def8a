//! Keys from certificates, as external signers are often given: a PEM file in place of a JWK Set.

use keyward_jose::CertifiedJwk;
use keyward_x509::{Bundle, BundleError, BundleLimits, Certificate};
use serde_json::{Value, json};

/// How many certificates follow the key's own in its `x5c`.
const ISSUERS: usize = 8;

/// The JWK Set of the certificates in `octets`, PEM or DER, each as the wrapper of its own key.
///
/// A certificate that issued another one of the file is no key: it is part of that one's chain. What cannot be read
/// keeps its place in the set, as a key that cannot be used.
pub(crate) fn jwk_set(octets: &[u8], limit: usize, kid: Option<&str>) -> Result<Vec<u8>, BundleError> {
    let limits = BundleLimits { octets: limit, ..BundleLimits::default() };
    let Bundle { certificates, skipped } = Bundle::parse(octets, limits)?;
    let of_keys = certificates.iter().filter(|certificate| !is_issuer(certificate, &certificates));
    let mut keys: Vec<_> = of_keys.map(|certificate| jwk(certificate, &certificates, kid)).collect();
    keys.extend(skipped.iter().map(|_| json!({})));
    Ok(json!({ "keys": keys }).to_string().into_bytes())
}

/// Two generations of one self-signed certificate have the same name, and neither issued the other.
fn is_issuer(certificate: &Certificate, others: &[Certificate]) -> bool {
    let named = certificate.subject_der();
    others.iter().any(|other| other.issuer_der() == named && other.subject_der() != named)
}

fn jwk(certificate: &Certificate, others: &[Certificate], kid: Option<&str>) -> Value {
    let mut chain = vec![certificate];
    while let Some(last) = chain.last().filter(|last| chain.len() <= ISSUERS && !last.is_self_issued())
        && let Some(issuer) = others.iter().find(|other| other.subject_der() == last.issuer_der())
        && !chain.contains(&issuer)
    {
        chain.push(issuer);
    }
    let chain: Vec<_> = chain.into_iter().map(Certificate::der).collect();
    let jwk = CertifiedJwk::new(certificate.spki(), kid, &chain).ok();
    // A key of a kind that no token is signed with.
    jwk.and_then(|jwk| serde_json::to_value(jwk).ok()).unwrap_or_else(|| json!({ "kid": kid }))
}
