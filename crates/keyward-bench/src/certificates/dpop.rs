//! A token that is bound to a key, and a fresh proof of it for each request (RFC 9449): against nothing but the signature
//! checks of both, by aws-lc-rs with keys that were parsed before.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use keyward_jose::{Algorithm, DecodeBuffer, LocalSigner, Signer};
use keyward_verify::Verified;
use keyward_verify::binding::{
    BindingCheck, BindingSettings, Checked, DpopProof, Presented, Proofs, ReplayCache, Scheme,
};

use crate::interleave::Timed;
use crate::row::Rows;
use crate::verify::{Bare, Whole, decode, parse_key};
use crate::{Failure, sample};

/// The most that verification may cost, against the sum of its two signature checks.
const MOST: f64 = 1.1;

/// How many proofs are made beforehand: no more than stay in the processor's cache, as octets do that were just received.
const PROOFS: usize = 1024;

/// How often each of them may be used: by each check's secret it is another one to the memory.
const SECRETS: u8 = 64;

pub(super) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    measure_one(rows, "es256", Algorithm::Es256)?;
    measure_one(rows, "eddsa", Algorithm::EdDsa)
}

/// With a proof by ES256, which clients use.
fn measure_one(rows: &mut Rows, name: &str, algorithm: Algorithm) -> Result<(), Failure> {
    let mut bound = Bound::new(algorithm, Algorithm::Es256, PROOFS)?;
    let mut seen = Bound::new(algorithm, Algorithm::Es256, PROOFS)?;
    let verified = seen.verify().ok_or("the bound token is not accepted")?;
    let mut signatures = Signatures::of(&bound)?;
    let mut proof_signatures = Signatures::of(&seen)?;
    let (mut all_accepted, mut all_proved) = (true, true);
    let (mut all_hold, mut all_proofs_hold) = (true, true);
    let timed = Timed::run(&mut [
        &mut || all_accepted &= black_box(bound.accepts()),
        &mut || all_hold &= black_box(signatures.both_hold()),
        &mut || all_proved &= black_box(seen.is_proved(&verified)),
        &mut || all_proofs_hold &= black_box(proof_signatures.of_proof_holds()),
    ]);
    if !(all_accepted && all_hold && all_proved && all_proofs_hold) {
        return Err(format!("a token by {name} or its proof is not accepted each time").into());
    }
    let times =
        |of: usize, to: usize| format!("  ({:.2} µs to {:.2} µs)", timed.micros(of), timed.micros(to));
    let row = format!("certificates-dpop-{name}-to-signatures");
    rows.at_most(&row, timed.ratio(0, 1), MOST, &times(0, 1));
    let row = format!("certificates-dpop-{name}-seen-to-signature");
    rows.told(&row, format!("{:.3}{}", timed.ratio(2, 3), times(2, 3)));
    Ok(())
}

/// Requests with one token, and a proof each that was not used before.
pub(crate) struct Bound {
    whole: Whole,
    checks: Vec<BindingCheck>,
    memory: ReplayCache,
    issuer: Arc<LocalSigner>,
    client: Arc<LocalSigner>,
    token: String,
    proofs: Vec<String>,
    used: usize,
    buffer: DecodeBuffer,
}

impl Bound {
    /// Whose token is signed by the first algorithm, and so many proofs by the second.
    pub(crate) fn new(token: Algorithm, proof: Algorithm, proofs: usize) -> Result<Self, Failure> {
        let (issuer, client) = (sample::signer(token)?, sample::signer(proof)?);
        let whole = Whole::new(token, Some(sample::jwk_set(&issuer)))?;
        let token = sample::bound_token(&issuer, &client)?;
        let proofs =
            (0..proofs).map(|number| sample::proof(&client, &token, number)).collect::<Result<_, _>>();
        Ok(Self {
            whole,
            checks: (0..SECRETS)
                .map(|secret| BindingCheck::new(BindingSettings::default(), &[secret; 32]))
                .collect(),
            memory: ReplayCache::new(ReplayCache::DEFAULT_LIMIT),
            issuer,
            client,
            proofs: proofs?,
            token,
            used: 0,
            buffer: DecodeBuffer::new(),
        })
    }

    /// Verifies the token, which nothing remembers, and the next proof.
    pub(crate) fn accepts(&mut self) -> bool {
        match self.verify() {
            Some(verified) => self.is_proved(&verified),
            None => false,
        }
    }

    fn verify(&mut self) -> Option<Verified> {
        self.whole.verify(black_box(&self.token), &mut self.buffer)
    }

    /// Whether the next proof is one for this token, and was not used before.
    fn is_proved(&mut self, verified: &Verified) -> bool {
        let check = self.checks.get(self.used / self.proofs.len());
        let (Some(check), Some(proof)) = (check, self.proofs.get(self.used % self.proofs.len())) else {
            return false;
        };
        self.used += 1;
        let (method, uri) = sample::REQUEST;
        let proofs = Proofs::One(DpopProof { jws: black_box(proof).as_bytes(), method, uri });
        let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
        let (now, token) = (self.whole.now(), self.token.as_bytes());
        match check.check(now, None, token, verified, &presented, &mut self.buffer) {
            Ok(Checked::Once(once)) => self.memory.remember(now, &once).is_ok(),
            _ => false,
        }
    }
}

/// What no verifier can do without.
struct Signatures {
    token: Bare,
    proof_key: ParsedPublicKey,
    /// Signing inputs and signatures.
    proofs: Vec<(Vec<u8>, Vec<u8>)>,
    used: usize,
}

impl Signatures {
    fn of(bound: &Bound) -> Result<Self, Failure> {
        let parts = |proof: &String| {
            let (input, signature) = proof.rsplit_once('.').ok_or("not a proof")?;
            Ok((input.as_bytes().to_vec(), decode(signature)?))
        };
        Ok(Self {
            token: Bare::new(bound.issuer.algorithm(), &bound.token, &bound.issuer)?,
            proof_key: parse_key(bound.client.algorithm(), &bound.client)?,
            proofs: bound.proofs.iter().map(parts).collect::<Result<_, Failure>>()?,
            used: 0,
        })
    }

    fn both_hold(&mut self) -> bool {
        self.token.holds() && self.of_proof_holds()
    }

    /// Of the next one.
    fn of_proof_holds(&mut self) -> bool {
        let Some((input, signature)) = self.proofs.get(self.used % self.proofs.len()) else {
            return false;
        };
        self.used += 1;
        self.proof_key.verify_sig(black_box(input), black_box(signature)).is_ok()
    }
}
