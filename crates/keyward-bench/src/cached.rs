//! A verdict on a token that was seen before.

use std::hint::black_box;

use keyward::{IssuerSettings, RequirementId, Verdict, Verifier};
use keyward_jose::Algorithm;

use crate::allocations;
use crate::interleave::Timed;
use crate::row::Rows;
use crate::{Failure, sample};

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    let seen = Seen::new()?;
    let timed = Timed::run(&mut [&mut || {
        black_box(seen.accepts());
    }]);
    rows.at_most("cached-verdict-microseconds", timed.micros(0), 0.6, "");
    let allocations = allocations::during(|| {
        for _ in 0..1000 {
            black_box(seen.accepts());
        }
    });
    rows.at_most("cached-verdict-allocations", allocations as f64, 0.0, "  (in 1000 verdicts)");
    Ok(())
}

/// A verifier that has accepted one token already.
pub(crate) struct Seen {
    verifier: Verifier,
    token: String,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Seen {
    pub(crate) fn new() -> Result<Self, Failure> {
        let signer = sample::signer(Algorithm::Rs256)?;
        let folder = tempfile::tempdir()?;
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, sample::jwk_set(&signer)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let token = sample::token(&signer, 1)?;
        let verifier = runtime.block_on(async {
            Verifier::builder()
                .issuer(IssuerSettings::jwks_file(sample::ISSUER, keys).audience(sample::AUDIENCE))
                .start()
        })?;
        match runtime.block_on(verifier.verify(token.as_bytes())) {
            Verdict::Accept(_) => Ok(Self { verifier, token, _runtime: runtime, _folder: folder }),
            verdict => Err(format!("the sample token is not accepted: {verdict:?}").into()),
        }
    }

    pub(crate) fn accepts(&self) -> bool {
        let verdict = self.verifier.try_verify_for(RequirementId::default(), self.token.as_bytes());
        matches!(verdict, Some(Verdict::Accept(_)))
    }
}
