//! Whole verification of a token: against the bare signature check, and against jsonwebtoken.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac, signature};
use jsonwebtoken::{DecodingKey, Validation};
use keyward_jose::{Algorithm, AlgorithmSet, DecodeBuffer, JwkSet, JwkSetLimits, Signer, VerificationKey};
use keyward_verify::key_set::{
    Fetched, KeySetMachine, KeySetSettings, LiveKey, PublishedKeys, WrapperPolicy,
};
use keyward_verify::{
    Decision, Issuer, IssuerPolicy, MonoTime, Now, Requirement, UnixTime, Verdict, Verified, decide,
};
use serde::Deserialize;

use crate::interleave::Timed;
use crate::row::Rows;
use crate::{Failure, sample};

/// The most that whole verification may cost, against the bare check, or for HMAC against jsonwebtoken.
struct Target {
    algorithm: Algorithm,
    name: &'static str,
    to_bare: Option<f64>,
    to_jsonwebtoken: Option<f64>,
}

const TARGETS: [Target; 4] = [
    Target { algorithm: Algorithm::Rs256, name: "rs256", to_bare: Some(1.10), to_jsonwebtoken: None },
    Target { algorithm: Algorithm::Es256, name: "es256", to_bare: Some(1.05), to_jsonwebtoken: None },
    Target { algorithm: Algorithm::EdDsa, name: "eddsa", to_bare: Some(1.05), to_jsonwebtoken: None },
    Target { algorithm: Algorithm::Hs256, name: "hs256", to_bare: None, to_jsonwebtoken: Some(0.5) },
];

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    TARGETS.iter().try_for_each(|target| measure_one(rows, target))
}

fn measure_one(rows: &mut Rows, target: &Target) -> Result<(), Failure> {
    let signer = sample::signer(target.algorithm)?;
    let token = sample::token(&signer, 1)?;
    let whole =
        Whole::new(target.algorithm, signer.public_jwk().is_some().then(|| sample::jwk_set(&signer)))?;
    let bare = Bare::new(target.algorithm, &token, &signer)?;
    let peer = Peer::new(target.algorithm, &signer)?;

    let mut buffer = DecodeBuffer::new();
    if !whole.accepts(&token, &mut buffer) || !bare.holds() || !peer.accepts(&token) {
        return Err(format!("{} is not accepted by all three", target.name).into());
    }
    let timed = Timed::run(&mut [
        &mut || {
            black_box(whole.accepts(black_box(&token), &mut buffer));
        },
        &mut || {
            black_box(bare.holds());
        },
        &mut || {
            black_box(peer.accepts(black_box(&token)));
        },
    ]);
    let name = target.name;
    let times =
        |of: usize, to: usize| format!("  ({:.2} µs to {:.2} µs)", timed.micros(of), timed.micros(to));
    match target.to_bare {
        Some(most) => rows.at_most(&format!("verify-{name}-to-bare"), timed.ratio(0, 1), most, &times(0, 1)),
        None => {
            rows.told(&format!("verify-{name}-to-bare"), format!("{:.3}{}", timed.ratio(0, 1), times(0, 1)))
        }
    }
    match target.to_jsonwebtoken {
        Some(most) => {
            rows.at_most(&format!("verify-{name}-to-jsonwebtoken"), timed.ratio(0, 2), most, &times(0, 2));
        }
        None => rows.told(
            &format!("verify-{name}-to-jsonwebtoken"),
            format!("{:.3}{}", timed.ratio(0, 2), times(0, 2)),
        ),
    }
    rows.told(&format!("jsonwebtoken-{name}-to-bare"), format!("{:.3}{}", timed.ratio(2, 1), times(2, 1)));
    Ok(())
}

/// Our whole verification: parse, claims, times, issuer, audience, key by kid, signature.
pub(crate) struct Whole {
    now: Now,
    issuers: Vec<Issuer>,
    requirement: Requirement,
}

impl Whole {
    /// With the keys of `jwk_set`, or with the secret where there is none.
    pub(crate) fn new(
        algorithm: Algorithm,
        jwk_set: Option<Result<String, Failure>>,
    ) -> Result<Self, Failure> {
        Self::under(WrapperPolicy::default(), algorithm, jwk_set)
    }

    /// The same, under this policy about the certificates around the keys.
    pub(crate) fn under(
        wrapper: WrapperPolicy,
        algorithm: Algorithm,
        jwk_set: Option<Result<String, Failure>>,
    ) -> Result<Self, Failure> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = Now { wall: UnixTime(i64::try_from(since.as_secs())?), mono: MonoTime(1) };
        let algorithms = AlgorithmSet::from_iter([algorithm]);
        let policy = IssuerPolicy {
            algorithms,
            audiences: vec![sample::AUDIENCE.into()],
            wrapper,
            ..IssuerPolicy::new("main", sample::ISSUER)
        };
        let keys = match jwk_set {
            Some(jwk_set) => {
                let published = Arc::new(PublishedKeys::default());
                let mut machine =
                    KeySetMachine::new(KeySetSettings::default(), Arc::clone(&published), now, 1);
                machine.poll(now);
                let set = JwkSet::parse(jwk_set?.as_bytes(), JwkSetLimits::default())?;
                machine.fetched(now, Ok(Fetched { set, max_age: None, age: Duration::ZERO }));
                published
            }
            None => {
                let key = VerificationKey::from_secret(sample::SECRET, algorithms, None)?;
                Arc::new(PublishedKeys::new(vec![LiveKey::fixed(key, now.wall)]))
            }
        };
        let issuers = vec![Issuer { policy: Arc::new(policy), keys }];
        Ok(Self { now, issuers, requirement: Requirement::default() })
    }

    pub(crate) fn accepts(&self, token: &str, buffer: &mut DecodeBuffer) -> bool {
        self.verify(token, buffer).is_some()
    }

    /// None where it is not accepted.
    pub(crate) fn verify(&self, token: &str, buffer: &mut DecodeBuffer) -> Option<Verified> {
        let decision =
            decide(self.now, self.now.mono, &self.issuers, &self.requirement, token.as_bytes(), buffer);
        match decision {
            Decision::Decided(Verdict::Accept(verified)) => Some(verified),
            _ => None,
        }
    }

    /// The time by which it decides.
    pub(crate) fn now(&self) -> Now {
        self.now
    }
}

/// What no verifier can do without: the signature check over the signing input, with a parsed key.
pub(crate) struct Bare {
    check: BareCheck,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
}

enum BareCheck {
    Public(signature::ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl Bare {
    pub(crate) fn new(
        algorithm: Algorithm,
        token: &str,
        signer: &keyward_jose::LocalSigner,
    ) -> Result<Self, Failure> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or("not a token")?;
        let signature = decode(signature)?;
        let check = match algorithm {
            Algorithm::Hs256 => {
                BareCheck::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, sample::SECRET)))
            }
            _ => BareCheck::Public(parse_key(algorithm, signer)?),
        };
        Ok(Self { check, signing_input: signing_input.as_bytes().to_vec(), signature })
    }

    pub(crate) fn holds(&self) -> bool {
        let (message, signature) = (black_box(&self.signing_input), black_box(&self.signature));
        match &self.check {
            BareCheck::Public(key) => key.verify_sig(message, signature).is_ok(),
            BareCheck::Secret(key) => {
                constant_time::verify_slices_are_equal(hmac::sign(key, message).as_ref(), signature).is_ok()
            }
        }
    }
}

pub(crate) fn parse_key(
    algorithm: Algorithm,
    signer: &keyward_jose::LocalSigner,
) -> Result<signature::ParsedPublicKey, Failure> {
    let jwk = serde_json::to_value(signer.public_jwk())?;
    let member = |name: &str| decode(jwk.get(name).and_then(|value| value.as_str()).unwrap_or_default());
    Ok(match algorithm {
        Algorithm::Rs256 => signature::RsaPublicKeyComponents { n: member("n")?, e: member("e")? }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)?,
        Algorithm::Es256 => {
            let point = [vec![4], member("x")?, member("y")?].concat();
            signature::ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)?
        }
        _ => signature::ParsedPublicKey::new(&signature::ED25519, member("x")?)?,
    })
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    Ok(base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text)?)
}

/// jsonwebtoken with aws-lc-rs, asked for the same checks.
struct Peer {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read by nobody, as in a service that only needs to know that they are there")]
struct PeerClaims {
    iss: String,
    sub: String,
    exp: u64,
    iat: u64,
    scope: String,
}

impl Peer {
    fn new(algorithm: Algorithm, signer: &keyward_jose::LocalSigner) -> Result<Self, Failure> {
        let jwk = signer.public_jwk().map(serde_json::to_value).transpose()?.unwrap_or_default();
        let member = |name: &str| jwk.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let (key, algorithm) = match algorithm {
            Algorithm::Rs256 => {
                (DecodingKey::from_rsa_components(member("n"), member("e"))?, jsonwebtoken::Algorithm::RS256)
            }
            Algorithm::Es256 => {
                (DecodingKey::from_ec_components(member("x"), member("y"))?, jsonwebtoken::Algorithm::ES256)
            }
            Algorithm::Hs256 => (DecodingKey::from_secret(sample::SECRET), jsonwebtoken::Algorithm::HS256),
            _ => (DecodingKey::from_ed_components(member("x"))?, jsonwebtoken::Algorithm::EdDSA),
        };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[sample::ISSUER]);
        validation.set_audience(&[sample::AUDIENCE]);
        Ok(Self { key, validation })
    }

    fn accepts(&self, token: &str) -> bool {
        jsonwebtoken::decode::<PeerClaims>(token, &self.key, &self.validation).is_ok()
    }
}
