//! A verdict on a token that was seen before.

use std::hint::black_box;
use std::path::Path;

use keyward::{IssuerSettings, RequirementId, Verdict, Verified, Verifier, WrapperPolicy};
use keyward_jose::{Algorithm, LocalSigner};

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
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Seen {
    /// By the keys of its issuer.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::with(None, |issuer, _| Ok(issuer))
    }

    /// By the keys of its issuer that certificates are around, under this policy.
    pub(crate) fn wrapped(policy: WrapperPolicy) -> Result<Self, Failure> {
        Self::of(sample::wrapped_jwk_set, None, |issuer, _| Ok(issuer.wrapper(policy)))
    }

    /// By an issuer of which more is said than where its keys are; [`None`] for the token that they signed.
    pub(crate) fn with(
        token: Option<String>,
        issuer: impl FnOnce(IssuerSettings, &Path) -> Result<IssuerSettings, Failure>,
    ) -> Result<Self, Failure> {
        Self::of(sample::jwk_set, token, issuer)
    }

    fn of(
        jwk_set: fn(&LocalSigner) -> Result<String, Failure>,
        token: Option<String>,
        issuer: impl FnOnce(IssuerSettings, &Path) -> Result<IssuerSettings, Failure>,
    ) -> Result<Self, Failure> {
        let signer = sample::signer(Algorithm::Rs256)?;
        let folder = tempfile::tempdir()?;
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, jwk_set(&signer)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let token = token.map_or_else(|| sample::token(&signer, 1), Ok)?;
        let settings = IssuerSettings::jwks_file(sample::ISSUER, keys).audience(sample::AUDIENCE);
        let settings = issuer(settings, folder.path())?;
        let verifier = runtime.block_on(async { Verifier::builder().issuer(settings).start() })?;
        let seen = Self { verifier, token, runtime, _folder: folder };
        seen.verify().map(|_| seen)
    }

    /// Waits for its verdict.
    pub(crate) fn verify(&self) -> Result<Verified, Failure> {
        match self.runtime.block_on(self.verifier.verify(self.token.as_bytes())) {
            Verdict::Accept(verified) => Ok(verified),
            verdict => Err(format!("the sample token is not accepted: {verdict:?}").into()),
        }
    }

    pub(crate) fn accepts(&self) -> bool {
        let verdict = self.verifier.try_verify_for(RequirementId::default(), self.token.as_bytes());
        matches!(verdict, Some(Verdict::Accept(_)))
    }
}
