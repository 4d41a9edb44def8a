//! How a realm's keys come and go, as its settings say and clocks allow.

use super::lifecycle::LifecycleSettings;
use super::store;
use crate::entity::{Realm, RotationSettings};

/// For how long a JWK Set may be kept without asking again, in seconds: `max-age` of what we answer.
pub const JWK_SET_MAX_AGE: u32 = 300;

/// For how long a key has to be published at least before it signs, in seconds: verifiers that keep a set for `max-age`, and
/// those that keep it for five minutes whatever we say, one behind the other.
pub const SHORTEST_PUBLICATION: u64 = JWK_SET_MAX_AGE as u64 + 300;

/// The longest time that a setting may say, in seconds: ten years.
const LONGEST: u64 = 3650 * 86_400;

/// What the clocks of two nodes, or of a node and a verifier, may differ by, in seconds: the leeway that verifiers give.
const LEEWAY: i64 = 60;

/// How long a request may take from when it was given a key to when its token has got its `exp`, in seconds, the time for which
/// a node goes by keys that it read before among it.
const UNDER_WAY: i64 = 5;

/// Why keys could not come and go so.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RotationSettingsError {
    /// An algorithm is there twice.
    #[error("the algorithm {0} is there more than once")]
    AlgorithmRepeated(String),
    /// It is none that a realm signs with.
    #[error("nothing is signed with {0:?} here: write RS256, PS256, ES256 or EdDSA")]
    AlgorithmUnknown(String),
    /// There is none.
    #[error("a realm signs with at least one algorithm")]
    NoAlgorithm,
    /// Verifiers would meet tokens of a key that they do not know (incident B5).
    #[error(
        "publish_for is {publish_for} s, and verifiers may keep an old key set for {SHORTEST_PUBLICATION} s: a key has to be \
         published for that long before it signs"
    )]
    PublishedTooShortly {
        /// What was given, in seconds.
        publish_for: u64,
    },
    /// A key's successor would have to be published before the key itself signs.
    #[error("sign_for is {sign_for} s, shorter than publish_for, {publish_for} s")]
    SignsTooShortly {
        /// What was given, in seconds.
        sign_for: u64,
        /// What was given, in seconds.
        publish_for: u64,
    },
    /// It is longer than ten years.
    #[error("{seconds} s is longer than ten years")]
    TooLong {
        /// What was given.
        seconds: u64,
    },
}

/// Whether keys can come and go so. To be asked before settings are kept.
///
/// # Errors
/// [`RotationSettingsError`].
pub fn check_rotation(settings: &RotationSettings) -> Result<(), RotationSettingsError> {
    let RotationSettings { algorithms, publish_for, sign_for } = settings;
    if algorithms.is_empty() {
        return Err(RotationSettingsError::NoAlgorithm);
    }
    for (place, name) in algorithms.iter().enumerate() {
        if store::algorithm(name).is_none() {
            return Err(RotationSettingsError::AlgorithmUnknown(name.clone()));
        }
        if algorithms.iter().take(place).any(|other| other == name) {
            return Err(RotationSettingsError::AlgorithmRepeated(name.clone()));
        }
    }
    if let Some(&seconds) = [publish_for, sign_for].into_iter().find(|seconds| **seconds > LONGEST) {
        return Err(RotationSettingsError::TooLong { seconds });
    }
    if *publish_for < SHORTEST_PUBLICATION {
        return Err(RotationSettingsError::PublishedTooShortly { publish_for: *publish_for });
    }
    if sign_for < publish_for {
        let (sign_for, publish_for) = (*sign_for, *publish_for);
        return Err(RotationSettingsError::SignsTooShortly { sign_for, publish_for });
    }
    Ok(())
}

impl LifecycleSettings {
    /// What a realm's settings come to, whose tokens are good for `longest_token` seconds at most.
    ///
    /// One node may publish a key and another let it sign, so that it is published for longer by what their clocks may differ by.
    /// A token's `exp` was made by one node's clock, is held by a verifier against its own with leeway, and the key is
    /// withdrawn by the clock of a third.
    pub fn of(realm: &Realm, longest_token: u64) -> Self {
        let seconds = |seconds: u64| i64::try_from(seconds.min(LONGEST)).unwrap_or(i64::MAX);
        // What no version of this has taken stands in the database all the same, one day: it must not end a realm's keys.
        let known = realm.rotation.algorithms.iter().filter(|name| store::algorithm(name).is_some());
        Self {
            algorithms: known.cloned().collect(),
            publish_for: seconds(realm.rotation.publish_for.max(SHORTEST_PUBLICATION)) + LEEWAY,
            sign_for: seconds(realm.rotation.sign_for),
            token_lifetime: seconds(longest_token) + 3 * LEEWAY + UNDER_WAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_let_an_unknown_key_sign_are_refused() {
        let fault = |change: &dyn Fn(&mut RotationSettings)| {
            let mut settings = RotationSettings::default();
            change(&mut settings);
            check_rotation(&settings).err()
        };
        assert_eq!(fault(&|_| ()), None);
        assert_eq!(fault(&|of| (of.publish_for, of.sign_for) = (600, 600)), None);
        assert_eq!(
            fault(&|of| of.publish_for = 599),
            Some(RotationSettingsError::PublishedTooShortly { publish_for: 599 })
        );
        assert_eq!(
            fault(&|of| of.sign_for = 7199),
            Some(RotationSettingsError::SignsTooShortly { sign_for: 7199, publish_for: 7200 })
        );
        assert_eq!(fault(&|of| of.algorithms.clear()), Some(RotationSettingsError::NoAlgorithm));
        assert_eq!(
            fault(&|of| of.algorithms.push("ES256".to_owned())),
            Some(RotationSettingsError::AlgorithmRepeated("ES256".to_owned()))
        );
        for name in ["HS256", "none", "es256", "Ed25519", "ES512"] {
            let unknown = Some(RotationSettingsError::AlgorithmUnknown(name.to_owned()));
            assert_eq!(fault(&|of| of.algorithms.push(name.to_owned())), unknown);
        }
        assert_eq!(
            fault(&|of| of.sign_for = u64::MAX),
            Some(RotationSettingsError::TooLong { seconds: u64::MAX })
        );
    }
}
