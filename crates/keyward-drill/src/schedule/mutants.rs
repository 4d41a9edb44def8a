//! Verifiers that break one promise each: schedules have to find every one of them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use keyward::{IssuerSettings, Reason};

use super::run::{run_with, settings};
use crate::drill::{Damage, GatewayStep, Header};
use crate::engine::VIRTUAL_WALL;
use crate::error::RunError;
use crate::expectation::Detail;
use crate::seen::Outcome;
use crate::subject::{Facts, Library, Subject};

/// Within how many seeds a mutant has to be found.
const SEEDS: u64 = 40;

/// What a mutant does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// Accepts every token.
    AcceptsEverything,
    /// Accepts what it cannot decide.
    FailsOpen,
    /// Takes longer than two seconds to find a new key amid junk.
    FindsKeysLate,
    /// Loses the keys of an issuer when a refresh fails.
    ForgetsOnFailure,
    /// Loses its keys when it is stopped.
    ForgetsOnRestart,
    /// Asks the provider for every unknown kid.
    HasNoBudget,
    /// Accepts what a denied key has signed, if it did so before.
    IgnoresDenial,
    /// Accepts what a removed key has signed, if it did so before.
    KeepsRemovedKeys,
    /// Keeps a set for longer than its stale limit.
    KeepsStaleKeys,
    /// Looks for a new key with the next refresh only.
    NeverLooksForKeys,
    /// Tries again and again where a provider fails.
    NeverRests,
    /// Says of a token that it is bad where it cannot decide.
    RejectsTheUndecided,
    /// Lets tokens of all issuers wait while one of them fails.
    WaitsForNeighbours,
}

impl Wrong {
    fn bend(self, settings: &mut IssuerSettings) {
        let key_set = &mut settings.key_set;
        match self {
            Self::FindsKeysLate => key_set.kid_refill = Duration::from_secs(10),
            Self::HasNoBudget => {
                key_set.kid_burst = u32::MAX;
                key_set.kid_refill = Duration::ZERO;
                key_set.absent_memory = Duration::ZERO;
            }
            Self::KeepsStaleKeys => key_set.stale_limit *= 3,
            Self::NeverLooksForKeys => key_set.kid_burst = 0,
            Self::NeverRests => key_set.retry_rest = Duration::from_millis(500),
            _ => {}
        }
    }
}

#[derive(Debug)]
struct Mutant {
    library: Library,
    wrong: Wrong,
    accepted: Mutex<BTreeSet<String>>,
}

impl Mutant {
    fn accepted_before(&self, token: &str) -> bool {
        self.accepted.lock().unwrap().contains(token)
    }

    /// Whether the last refresh of some issuer failed.
    fn is_in_trouble(&self) -> bool {
        let status = self.library.verifier().map(|verifier| verifier.status()).unwrap_or_default();
        status.iter().any(|issuer| issuer.failures > 0)
    }
}

impl Subject for Mutant {
    fn detail(&self) -> Detail {
        self.library.detail()
    }

    async fn ask(&self, token: &str, header: Header) -> Outcome {
        if self.wrong == Wrong::WaitsForNeighbours && self.is_in_trouble() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let outcome = self.library.ask(token, header).await;
        if outcome == Outcome::Accept {
            self.accepted.lock().unwrap().insert(token.to_owned());
        }
        match (self.wrong, outcome) {
            (_, Outcome::Unanswered) => outcome,
            (Wrong::AcceptsEverything, _) | (Wrong::FailsOpen, Outcome::Undecided(_)) => Outcome::Accept,
            (Wrong::ForgetsOnFailure, _) if self.is_in_trouble() => Reason::KeysUnavailable.into(),
            (Wrong::IgnoresDenial, Outcome::Reject(Some(Reason::Revoked)))
            | (Wrong::KeepsRemovedKeys, Outcome::Reject(Some(Reason::UnknownKid)))
                if self.accepted_before(token) =>
            {
                Outcome::Accept
            }
            (Wrong::RejectsTheUndecided, Outcome::Undecided(_)) => Reason::UnknownKid.into(),
            _ => outcome,
        }
    }

    async fn step(&self, step: &GatewayStep) -> Result<(), RunError> {
        self.library.step(step).await?;
        if self.wrong == Wrong::ForgetsOnRestart && *step == GatewayStep::Kill {
            // There may be no snapshot yet.
            let _ = self.library.step(&GatewayStep::Snapshot(Damage::Cut)).await;
        }
        Ok(())
    }

    async fn facts(&self) -> Result<Option<Facts>, RunError> {
        self.library.facts().await
    }
}

/// Plays seeds until this promise is broken.
fn breaks(wrong: Wrong, promise: u8) {
    let is_found = |seed| {
        let ran = run_with(seed, |lab, schedule| {
            let mut settings = settings(lab, schedule);
            settings.iter_mut().for_each(|settings| wrong.bend(settings));
            let library = Library::with_settings(settings, schedule.snapshots, lab, VIRTUAL_WALL, seed)?;
            Ok(Mutant { library, wrong, accepted: Mutex::default() })
        });
        ran.unwrap().violations.iter().any(|violation| violation.promise == promise)
    };
    assert!(
        (1..=SEEDS).any(is_found),
        "{wrong:?} is not seen to break promise {promise} within {SEEDS} seeds"
    );
}

#[test]
fn a_verifier_that_accepts_everything_is_found() {
    breaks(Wrong::AcceptsEverything, 1);
}

#[test]
fn a_verifier_that_fails_open_is_found() {
    breaks(Wrong::FailsOpen, 4);
}

#[test]
fn a_verifier_that_loses_keys_by_a_failure_is_found() {
    breaks(Wrong::ForgetsOnFailure, 3);
}

#[test]
fn a_verifier_that_starts_without_its_snapshot_is_found() {
    breaks(Wrong::ForgetsOnRestart, 4);
}

#[test]
fn a_verifier_that_asks_for_every_unknown_kid_is_found() {
    breaks(Wrong::HasNoBudget, 5);
}

#[test]
fn a_verifier_that_ignores_what_is_denied_is_found() {
    breaks(Wrong::IgnoresDenial, 3);
}

#[test]
fn a_verifier_that_keeps_removed_keys_is_found() {
    breaks(Wrong::KeepsRemovedKeys, 3);
}

#[test]
fn a_verifier_that_keeps_stale_keys_is_found() {
    breaks(Wrong::KeepsStaleKeys, 4);
}

#[test]
fn a_verifier_that_never_looks_for_a_key_is_found() {
    breaks(Wrong::NeverLooksForKeys, 5);
}

#[test]
fn a_verifier_that_blames_the_token_is_found() {
    breaks(Wrong::RejectsTheUndecided, 2);
}

#[test]
fn a_verifier_whose_issuers_wait_for_each_other_is_found() {
    breaks(Wrong::WaitsForNeighbours, 6);
}

#[test]
fn a_verifier_that_finds_keys_late_is_found() {
    breaks(Wrong::FindsKeysLate, 5);
}

#[test]
fn a_verifier_that_never_rests_is_found() {
    breaks(Wrong::NeverRests, 5);
}
