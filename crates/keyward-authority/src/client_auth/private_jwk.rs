//! The private half of a key in the forms that PKCS#8 is taken apart for.

use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::KeyType;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{OctetStringRef, UintRef};
use pkcs8::der::{Decode, Reader, SliceReader};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// A private member of a JWK: its name, and its octets.
type Member = (&'static str, Zeroizing<Vec<u8>>);

/// The JWK of the pair whose public half is `public` (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2); none where `pkcs8` is no such
/// private key (RFC 5958).
pub(super) fn private_jwk(public: &Value, kind: KeyType, pkcs8: &[u8]) -> Option<Zeroizing<String>> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).ok()?;
    let octets = info.private_key.as_bytes();
    let private: Vec<Member> = match kind {
        KeyType::Ec => vec![("d", ec(octets)?)],
        KeyType::Okp => {
            vec![("d", Zeroizing::new(<&OctetStringRef>::from_der(octets).ok()?.as_bytes().to_vec()))]
        }
        KeyType::Rsa => rsa(octets)?,
        KeyType::Oct => return None,
    };
    let mut text = Zeroizing::new(serde_json::to_string(&without_wrapper(public)?).ok()?);
    // The private members follow the public ones, so that no value of theirs is kept where nobody wipes it.
    text.pop();
    for (name, octets) in private {
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(&*octets));
        text.reserve(name.len() + encoded.len() + 8);
        for piece in [",\"", name, "\":\"", &encoded, "\""] {
            text.push_str(piece);
        }
    }
    text.push('}');
    Some(text)
}

/// `RSAPrivateKey` (RFC 8017 appendix A.1.2) of an RSA key; none where `pkcs8` is no private key (RFC 5958).
pub(super) fn pkcs1(pkcs8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).ok()?;
    Some(Zeroizing::new(info.private_key.as_bytes().to_vec()))
}

fn without_wrapper(public: &Value) -> Option<Map<String, Value>> {
    let mut members = public.as_object()?.clone();
    members.remove("x5c");
    Some(members)
}

/// `ECPrivateKey` (RFC 5915): a version, and the key in as many octets as the curve has.
fn ec(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut reader = SliceReader::new(der).ok()?;
    let key = reader.sequence(|inner| {
        u8::decode(inner)?;
        let key = <&OctetStringRef>::decode(inner)?.as_bytes().to_vec();
        inner.read_slice(inner.remaining_len())?;
        pkcs8::der::Result::Ok(Zeroizing::new(key))
    });
    key.ok()
}

/// `RSAPrivateKey` (RFC 8017 appendix A.1.2): a version, the public members, and those of the private key.
fn rsa(der: &[u8]) -> Option<Vec<Member>> {
    const MEMBERS: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];
    let mut reader = SliceReader::new(der).ok()?;
    let members = reader.sequence(|inner| {
        u8::decode(inner)?;
        UintRef::decode(inner)?;
        UintRef::decode(inner)?;
        let read = |name| Ok((name, Zeroizing::new(UintRef::decode(inner)?.as_bytes().to_vec())));
        MEMBERS.into_iter().map(read).collect::<pkcs8::der::Result<Vec<_>>>()
    });
    members.ok()
}
