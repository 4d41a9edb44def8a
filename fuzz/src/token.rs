use std::sync::LazyLock;

use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, Jws, JwsError, KeyType, LocalSigner, Signer, VerificationKey,
};
use serde_json::Value;

use crate::{base64url, repeats_a_name};

/// One key for each algorithm, made when the process starts and dropped without having signed anything.
static STRANGERS: LazyLock<Vec<VerificationKey>> = LazyLock::new(|| {
    let rsa = LocalSigner::generate(Algorithm::Rs256, None).unwrap().to_pkcs8().unwrap();
    let signer = |algorithm: Algorithm| match algorithm.key_type() {
        KeyType::Rsa => LocalSigner::from_pkcs8(algorithm, None, &rsa).unwrap(),
        _ => LocalSigner::generate(algorithm, None).unwrap(),
    };
    let public = AlgorithmSet::asymmetric();
    let public = public.iter().map(signer).map(|signer| {
        VerificationKey::from_jwk(&serde_json::to_vec(signer.public_jwk().unwrap()).unwrap()).unwrap()
    });
    let hmac = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512].into_iter().collect();
    public.chain([VerificationKey::from_secret(&rsa, hmac, None).unwrap()]).collect()
});

/// `Jws::parse` of `data`, and of a token signed over `data`.
///
/// What is taken for a token is one, and encodes to the same text; what is refused is none; nothing verifies
/// with a key that did not sign it; and what was signed verifies until one bit of it is turned.
pub fn token(data: &[u8]) {
    let mut buffer = DecodeBuffer::new();
    let result = Jws::parse(data, Jws::DEFAULT_SIZE_LIMIT, &mut buffer);
    let reference = Reference::read(data);
    match (&result, reference) {
        (Ok(jws), Some(reference)) => {
            let header = &reference.header;
            let name = header["alg"].as_str().unwrap();
            assert_eq!(Algorithm::from_name(name), Some(jws.header().algorithm()));
            assert_eq!(jws.header().kid(), header["kid"].as_str());
            assert_eq!(jws.header().typ(), header["typ"].as_str());
            assert!(!repeats_a_name(&reference.header_text));
            assert_eq!(jws.dangerous_unverified_payload(), reference.payload);
            let parts = [&reference.header_text, &reference.payload, &reference.signature];
            assert_eq!(parts.map(|part| base64url::encode(part)).join(".").as_bytes(), data);
            for key in &*STRANGERS {
                assert!(jws.verify(key).is_err());
            }
        }
        (Ok(_), None) => panic!("took what is no token"),
        (Err(_), None) => {}
        (Err(JwsError::TooLarge { octets, .. }), Some(_)) => assert!(*octets > Jws::DEFAULT_SIZE_LIMIT),
        (Err(error), Some(reference)) => {
            assert!(repeats_a_name(&reference.header_text), "refused a token: {error}");
        }
    }
    signed_token_holds_until_a_bit_is_turned(data);
}

/// What a compact JWS is, read with `Value` and for no other purpose.
struct Reference {
    header_text: Vec<u8>,
    header: Value,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Reference {
    fn read(token: &[u8]) -> Option<Self> {
        let parts: Vec<_> = token.split(|octet| *octet == b'.').collect();
        let [header_text, payload, signature] = parts[..] else { return None };
        let [header_text, payload, signature] =
            [base64url::decode(header_text)?, base64url::decode(payload)?, base64url::decode(signature)?];
        let header: Value = serde_json::from_slice(&header_text).ok()?;
        let text_or_none = |name| header.get(name).is_none_or(Value::is_string);
        let sound = header.is_object()
            && Algorithm::from_name(header["alg"].as_str()?).is_some()
            && text_or_none("kid")
            && text_or_none("typ")
            && header.get("crit").is_none()
            && header.get("b64").is_none_or(|b64| *b64 == true);
        sound.then_some(Self { header_text, header, payload, signature })
    }
}

fn signed_token_holds_until_a_bit_is_turned(payload: &[u8]) {
    const SECRET: &[u8; 32] = b"what this signs, a bit can undo.";
    let signer = LocalSigner::from_secret(Algorithm::Hs256, None, SECRET).unwrap();
    let key =
        VerificationKey::from_secret(SECRET, AlgorithmSet::from_iter([Algorithm::Hs256]), None).unwrap();
    let input = format!("{}.{}", base64url::encode(br#"{"alg":"HS256"}"#), base64url::encode(payload));
    let mut signature = signer.sign(input.as_bytes());
    let ready = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Ok(signature)) = signature.as_mut().poll(&mut { ready }) else {
        panic!("a local signer has nothing to wait for")
    };
    let mut token = format!("{input}.{}", base64url::encode(&signature)).into_bytes();

    let mut buffer = DecodeBuffer::new();
    let verified = Jws::parse(&token, usize::MAX, &mut buffer).unwrap().verify(&key).unwrap();
    assert_eq!(verified.payload(), payload);
    let bit =
        payload.iter().fold(payload.len(), |bit, octet| bit.wrapping_mul(31).wrapping_add((*octet).into()))
            % (token.len() * 8);
    token[bit / 8] ^= 1 << (bit % 8);
    let accepted = Jws::parse(&token, usize::MAX, &mut buffer).is_ok_and(|jws| jws.verify(&key).is_ok());
    assert!(!accepted, "bit {bit} of a token does not count");
}
