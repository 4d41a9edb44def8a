use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest;
use keyward_jose::{Algorithm, DecodeBuffer, LocalSigner, Signer};
use keyward_verify::binding::{
    BindingCheck, BindingSettings, Checked, DpopProof, Presented, Proofs, Scheme, normalized,
};
use keyward_verify::introspection::{Answer, AnswerCache, AnswerCacheSettings, Endpoint, Found, Received};
use keyward_verify::{Issuer, IssuerPolicy, MonoTime, Now, Requirement, UnixTime, Verified};
use serde_json::{Value, json};

use crate::{base64url, repeats_a_name};

/// The proof, the token and the key of RFC 9449 §7.1, figure 13.
const FIGURE_13: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const URI: &str = "https://resource.example.org/protectedresource";
const NOW: Now = Now { wall: UnixTime(1_562_262_618), mono: MonoTime(86_400_000_000_000) };

/// For how many seconds after `iat`, and before it, a proof may be used by default.
const LATE: f64 = 120.0;
const EARLY: f64 = 60.0;

/// 9999-12-31T23:59:59Z, the last date that is taken for one.
const LAST_DATE: f64 = 253_402_300_799.0;

static CHECK: LazyLock<BindingCheck> =
    LazyLock::new(|| BindingCheck::new(BindingSettings::default(), &[7; 32]));
static OF_THE_RFC: LazyLock<Verified> = LazyLock::new(|| bound_to(JKT));

/// A key that was made when the process started, and the token that is bound to it.
static OURS: LazyLock<(LocalSigner, Verified)> = LazyLock::new(|| {
    let signer = LocalSigner::generate(Algorithm::Es256, None).unwrap();
    let verified = bound_to(&signer.public_jwk().unwrap().thumbprint().to_string());
    (signer, verified)
});

/// `BindingCheck::check` of `data` as a proof, as the claims of one that is well signed, and as a URI.
///
/// The RFC's own proof holds, and nothing else by its key does; claims that are signed hold where a second reading finds
/// them to be of this request, and only there; the normal form of a URI is its own.
pub fn dpop(data: &[u8]) {
    assert_eq!(holds(data, &OF_THE_RFC), data == FIGURE_13.as_bytes(), "who signed it?");

    let (signer, verified) = &*OURS;
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": signer.public_jwk().unwrap() });
    let input = [header.to_string().as_bytes(), data].map(base64url::encode).join(".");
    let mut signature = signer.sign(input.as_bytes());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Ok(signature)) = signature.as_mut().poll(&mut context) else {
        panic!("a local signer has nothing to wait for")
    };
    let proof = format!("{input}.{}", base64url::encode(&signature));
    let fits = proof.len() <= BindingSettings::default().proof_size_limit;
    assert_eq!(holds(proof.as_bytes(), verified), fits && is_of_this_request(data));

    if let Some(normal) = std::str::from_utf8(data).ok().and_then(normalized) {
        assert_eq!(normalized(&normal).as_ref(), Some(&normal));
        assert!(normal.is_ascii() && !normal.contains(['?', '#', ' ', '\\', '|']));
    }
}

fn holds(jws: &[u8], verified: &Verified) -> bool {
    let proofs = Proofs::One(DpopProof { jws, method: "GET", uri: URI });
    let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
    let checked = CHECK.check(NOW, None, TOKEN.as_bytes(), verified, &presented, &mut DecodeBuffer::new());
    // What a token endpoint asks: there is no token yet, and no key that it would have to be of.
    let proves = |token| CHECK.prove(NOW, &presented.proofs, token, &mut DecodeBuffer::new());
    let (with, without) = (proves(Some(TOKEN.as_bytes())), proves(None));
    assert!(with.is_err() || without == with, "a token takes nothing away");
    match checked {
        Ok(Checked::Once(once)) => {
            assert_eq!(with.unwrap().once, once);
            assert!(once.until > NOW.wall, "it is too old");
            true
        }
        Ok(Checked::Holds) => panic!("a proof is used up"),
        Err(error) => {
            crate::shows_nothing(jws, &error.to_string());
            false
        }
    }
}

/// The claims, read with `Value`, but for `htu`, of whose spellings there are many.
fn is_of_this_request(claims: &[u8]) -> bool {
    if repeats_a_name(claims) {
        return false;
    }
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else {
        return false;
    };
    let text = |name: &str| claims[name].as_str();
    let date = |name: &str| claims[name].as_f64();
    let now = NOW.wall.0 as f64;
    let ath = base64url::encode(digest::digest(&digest::SHA256, TOKEN.as_bytes()).as_ref());
    let is_date_or_none = |name: &str| claims.get(name).is_none_or(Value::is_number);
    claims.is_object()
        && text("jti").is_some_and(|jti| (1..=256).contains(&jti.len()))
        && text("htm") == Some("GET")
        && text("ath") == Some(&ath)
        && text("htu").and_then(normalized).as_deref() == Some(URI)
        && date("iat").is_some_and(|iat| now < iat.floor() + LATE && iat.ceil() - EARLY <= now)
        && ["exp", "nbf"].into_iter().all(is_date_or_none)
        && date("exp").is_none_or(|exp| exp < LAST_DATE + 1.0 && now < exp.floor() + EARLY)
        && date("nbf").is_none_or(|nbf| nbf >= -LAST_DATE && nbf.ceil() - EARLY <= now)
        && claims.get("nonce").is_none_or(Value::is_string)
}

/// The verdict on the RFC's token where its endpoint says that it is bound to this key.
fn bound_to(jkt: &str) -> Verified {
    let policy = Arc::new(IssuerPolicy::new("idp", "https://idp.example"));
    let endpoint = Endpoint::new(Issuer { policy, keys: Arc::default() }, 0);
    let answers = AnswerCache::new(AnswerCacheSettings::default(), [7; 32]);
    let Found::Unknown(unasked) = answers.look(NOW, TOKEN.as_bytes()) else {
        panic!("nobody has asked yet");
    };
    let body = json!({ "active": true, "cnf": { "jkt": jkt } }).to_string();
    let received = Received {
        arrived: NOW.mono,
        status: 200,
        content_type: Some("application/json"),
        retry_after: None,
        body: body.as_bytes(),
    };
    let answer = endpoint.read(NOW, &answers.question(unasked), &received, &mut DecodeBuffer::new());
    let Ok(Answer::Active(active)) = answer else {
        panic!("it is active");
    };
    active.check(NOW, &Requirement::default()).unwrap()
}
