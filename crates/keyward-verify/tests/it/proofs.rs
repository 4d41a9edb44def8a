//! What tests of sender-constrained tokens need: a client that proves, a token that is bound, and the check.

use std::sync::LazyLock;

use keyward_jose::{Algorithm, DecodeBuffer, LocalSigner, Signer, Thumbprint};
use keyward_verify::binding::{
    BindingCheck, BindingError, BindingSettings, CertificateThumbprint, Checked, Demanded, DpopProof, Once,
    Presented, Proofs, Scheme,
};
use keyward_verify::{Now, Verified};
use serde_json::{Value, json};

use crate::support::*;

pub(crate) const METHOD: &str = "GET";
pub(crate) const URI: &str = "https://api.example/orders";

/// A certificate, as far as a token is bound to it.
pub(crate) const CERTIFICATE: CertificateThumbprint = CertificateThumbprint([0x5c; 32]);
pub(crate) const OTHER_CERTIFICATE: CertificateThumbprint = CertificateThumbprint([0x5d; 32]);

/// The client's key, and somebody else's.
pub(crate) static CLIENT: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::Es256, None).unwrap());
pub(crate) static THIEF: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::Es256, None).unwrap());

pub(crate) fn thumbprint(signer: &LocalSigner) -> Thumbprint {
    signer.public_jwk().unwrap().thumbprint()
}

/// The `jkt` of a key.
pub(crate) fn jkt(signer: &LocalSigner) -> String {
    thumbprint(signer).to_string()
}

/// The `x5t#S256` of a certificate.
pub(crate) fn x5t(certificate: CertificateThumbprint) -> String {
    base64url(&certificate.0)
}

/// Good claims with this `cnf`.
pub(crate) fn bound_claims(cnf: impl Into<Value>) -> Value {
    with(good_claims(), "cnf", cnf)
}

/// The verdict on a token of these claims.
pub(crate) fn verified(claims: &Value) -> (String, Verified) {
    let token = sign(&KEYS[0], claims);
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let verified = accepted(judge(START, START.mono, &issuer_of(&machine), &token));
    (token, verified)
}

/// The verdict on a token that is bound to the client's key.
pub(crate) fn dpop_bound() -> (String, Verified) {
    verified(&bound_claims(json!({ "jkt": jkt(&CLIENT) })))
}

/// The header of a proof by `signer`.
pub(crate) fn proof_header(signer: &LocalSigner) -> Value {
    json!({ "typ": "dpop+jwt", "alg": signer.algorithm().name(), "jwk": jwk(signer, None) })
}

/// The claims of a proof for `token` that is made at [`START`], for [`METHOD`] and [`URI`].
pub(crate) fn proof_claims(token: &str) -> Value {
    let ath = base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref());
    json!({ "jti": "e1j3V_bKic8-LAEB", "htm": METHOD, "htu": URI, "iat": START.wall.0, "ath": ath })
}

pub(crate) fn sign_proof(signer: &LocalSigner, header: &Value, claims: &Value) -> String {
    sign_parts(signer, header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// A good proof for `token`.
pub(crate) fn proof(token: &str) -> String {
    sign_proof(&CLIENT, &proof_header(&CLIENT), &proof_claims(token))
}

pub(crate) fn one(jws: &str) -> Proofs<'_> {
    Proofs::One(DpopProof { jws: jws.as_bytes(), method: METHOD, uri: URI })
}

/// A token that is sent under `DPoP` with this proof and nothing else.
pub(crate) fn with_proof(jws: &str) -> Presented<'_> {
    Presented { scheme: Scheme::Dpop, certificate: None, proofs: one(jws) }
}

pub(crate) fn checker(settings: BindingSettings) -> BindingCheck {
    BindingCheck::new(settings, &[7; 32])
}

/// With default settings, at [`START`], where this is demanded.
pub(crate) fn check_demanding(
    demanded: Option<Demanded>,
    token: &str,
    verified: &Verified,
    presented: &Presented<'_>,
) -> Result<Checked, BindingError> {
    let check = checker(BindingSettings::default());
    check.check(START, demanded, token.as_bytes(), verified, presented, &mut DecodeBuffer::new())
}

/// The same where nothing is.
pub(crate) fn check(
    token: &str,
    verified: &Verified,
    presented: &Presented<'_>,
) -> Result<Checked, BindingError> {
    check_demanding(None, token, verified, presented)
}

/// What a proof by these settings at this time comes to.
pub(crate) fn check_proof_at(
    now: Now,
    settings: BindingSettings,
    token: &str,
    verified: &Verified,
    jws: &str,
) -> Result<Once, BindingError> {
    let check = checker(settings);
    let checked =
        check.check(now, None, token.as_bytes(), verified, &with_proof(jws), &mut DecodeBuffer::new())?;
    match checked {
        Checked::Once(once) => Ok(once),
        Checked::Holds => panic!("a proof is used up"),
    }
}
