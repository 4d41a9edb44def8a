//! What is to be watched of a realm's keys (promise 10): how many there are in each state, when the next of them leaves it, and
//! whether this node can open those that sign.

use super::error::SigningError;
use super::lifecycle::{KeyRecord, KeyState, LifecycleSettings};
use super::realm_keys::record;
use crate::authority::Authority;
use crate::entity::{Realm, ResourceServer, SigningKey};
use crate::view::ViewError;

/// A realm's keys, as far as they are watched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WatchedKeys {
    /// For each algorithm that is wanted or is there, each state but the last.
    pub(crate) states: Vec<WatchedState>,
    /// Whether a key that signs or is going to cannot be opened here.
    pub(crate) are_closed: bool,
}

/// The keys of an algorithm that are in a state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WatchedState {
    pub(crate) algorithm: String,
    pub(crate) state: KeyState,
    pub(crate) count: i64,
    /// When something is to be done next with one of them, in seconds since 1970; none where nothing is.
    pub(crate) next_step: Option<i64>,
}

/// The longest lifetime that a resource server of the realm asks for, in seconds.
struct LongestLifetime(u64);

const STATES: [KeyState; 3] = [KeyState::Published, KeyState::Active, KeyState::Passive];

impl WatchedKeys {
    /// Those of a realm, as this node knows them.
    ///
    /// # Errors
    /// [`ViewError`].
    pub(crate) async fn of(authority: &Authority, realm: &Realm) -> Result<Self, ViewError> {
        let (view, name) = (authority.view(), realm.name.as_str());
        let keys =
            view.made_of(name, "", |keys: Vec<SigningKey>| keys.iter().map(record).collect::<Vec<_>>());
        let keys = keys.await?;
        let longest = view.made_of(name, "", |servers: Vec<ResourceServer>| {
            let lifetimes = servers.iter().filter_map(|server| server.access_token_lifetime);
            LongestLifetime(lifetimes.max().unwrap_or(0))
        });
        let settings = LifecycleSettings::of(realm, longest.await?.0.max(realm.access_token_lifetime));
        // A realm that does not answer has no ring.
        let are_closed = match authority.key_rings().ring(authority, name).await {
            Ok(ring) => matches!(ring.open().await, Err(SigningError::Store { .. })),
            Err(_) => false,
        };
        Ok(Self { states: states(&keys, &settings), are_closed })
    }
}

fn states(keys: &[KeyRecord], settings: &LifecycleSettings) -> Vec<WatchedState> {
    let mut algorithms: Vec<_> = settings.algorithms.iter().collect();
    algorithms
        .extend(keys.iter().filter(|key| key.times.state() != KeyState::Retired).map(|key| &key.algorithm));
    algorithms.sort_unstable();
    algorithms.dedup();
    let of_algorithm = |algorithm: &String| {
        STATES.map(|state| {
            let of = keys.iter().filter(|key| key.algorithm == *algorithm && key.times.state() == state);
            let (steps, count) = (of.clone().filter_map(|key| next_step(key, keys, settings)), of.count());
            let (algorithm, next_step) = (algorithm.clone(), steps.min());
            WatchedState { algorithm, state, count: i64::try_from(count).unwrap_or(i64::MAX), next_step }
        })
    };
    algorithms.into_iter().flat_map(of_algorithm).collect()
}

/// When something is to be done next with a key, in seconds since 1970, as [`plan`](super::plan) has it; what is overdue lies in
/// the past.
fn next_step(key: &KeyRecord, keys: &[KeyRecord], settings: &LifecycleSettings) -> Option<i64> {
    let of = |state| {
        keys.iter().filter(move |other| other.algorithm == key.algorithm && other.times.state() == state)
    };
    let newest = of(KeyState::Active).max_by_key(|active| (active.times.active_since, active.kid.as_str()));
    let successor = of(KeyState::Published).min_by_key(|next| (next.times.published_at, next.kid.as_str()));
    let known = successor.map(|next| next.times.published_at.saturating_add(settings.publish_for));
    let is_wanted = settings.algorithms.contains(&key.algorithm);
    let is = |other: Option<&KeyRecord>| other.is_some_and(|other| other.kid == key.kid);
    match key.times.state() {
        KeyState::Retired => None,
        KeyState::Passive => key.good_until(settings),
        // It is wanted no more, and goes as soon as somebody looks.
        KeyState::Published if !is_wanted => Some(key.times.published_at),
        KeyState::Published if !is(successor) => None,
        KeyState::Published => match newest.and_then(|active| active.signs_until(settings)) {
            Some(until) => known.map(|known| known.max(until)),
            None if keys.iter().any(|key| key.times.active_since.is_some()) => known,
            None => Some(key.times.published_at),
        },
        KeyState::Active if !is_wanted => {
            let wanted = |other: &&KeyRecord| {
                other.times.state() == KeyState::Active && settings.algorithms.contains(&other.algorithm)
            };
            keys.iter().filter(wanted).filter_map(|other| other.times.active_since).min()
        }
        KeyState::Active if !is(newest) => newest.and_then(|newest| newest.times.active_since),
        KeyState::Active => {
            let until = key.signs_until(settings)?;
            // Without a successor, that one has to be published first.
            Some(known.map_or_else(|| until.saturating_sub(settings.publish_for), |known| known.max(until)))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lifecycle::{KeyTimes, plan};
    use super::*;

    fn settings(algorithms: &[&str]) -> LifecycleSettings {
        let algorithms = algorithms.iter().map(|&name| name.to_owned()).collect();
        LifecycleSettings { algorithms, publish_for: 100, sign_for: 1000, token_lifetime: 50 }
    }

    fn key(kid: &str, published_at: i64, active: Option<i64>, passive: Option<i64>) -> KeyRecord {
        let times = KeyTimes {
            active_since: active,
            passive_since: passive,
            longest_token: 50,
            ..KeyTimes::published(published_at)
        };
        KeyRecord { kid: kid.to_owned(), algorithm: "ES256".to_owned(), times, wrapper_not_after: None }
    }

    fn of(keys: &[KeyRecord], state: KeyState) -> (i64, Option<i64>) {
        let states = states(keys, &settings(&["ES256"]));
        let found = states.iter().find(|watched| watched.state == state).unwrap();
        (found.count, found.next_step)
    }

    #[test]
    fn a_realm_without_a_key_that_signs_shows_that_there_is_none() {
        assert_eq!(of(&[], KeyState::Active), (0, None));
        let retired = KeyRecord {
            times: KeyTimes { retired_at: Some(9), ..key("a", 0, Some(0), Some(5)).times },
            ..key("a", 0, None, None)
        };
        assert_eq!(of(&[retired], KeyState::Active), (0, None));
    }

    #[test]
    fn each_state_says_when_the_next_of_its_keys_leaves_it() {
        let alone = [key("a", 0, Some(0), None)];
        assert_eq!(of(&alone, KeyState::Active), (1, Some(900)), "its successor is published then");
        let both = [key("a", 0, Some(0), None), key("b", 950, None, None)];
        assert_eq!(of(&both, KeyState::Active), (1, Some(1050)));
        assert_eq!(of(&both, KeyState::Published), (1, Some(1050)));
        let after = [key("a", 0, Some(0), Some(1050)), key("b", 950, Some(1050), None)];
        assert_eq!(of(&after, KeyState::Passive), (1, Some(1100)));
        assert_eq!(of(&after, KeyState::Published), (0, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Where nothing is due, the earliest of them is when the plan wants to be asked again; where something is, one lies in the
        /// past, or a first key is to be made.
        #[test]
        fn it_is_what_the_plan_says(
            made in prop::collection::vec((0_i64..2000, 0_i64..2000, 0_i64..2000, 0_u8..4, any::<bool>()), 0..5),
            since in 0_i64..3000,
        ) {
            let keys: Vec<_> = made.iter().enumerate().map(|(place, &(published, active, passive, state, other))| {
                let active = (state > 0).then_some(published + active);
                let passive = (state > 1).then(|| active.unwrap_or(published) + passive);
                let mut key = key(&format!("key-{place}"), published, active, passive);
                key.times.retired_at = passive.filter(|_| state > 2);
                if other {
                    key.algorithm = "RS256".to_owned();
                }
                key
            }).collect();
            let settings = settings(&["ES256"]);
            // Nothing has happened yet that will.
            let times = keys.iter().flat_map(|key| [Some(key.times.published_at), key.times.active_since, key.times.passive_since]);
            let now = times.flatten().max().unwrap_or(0) + since;
            let planned = plan(now, &keys, &settings);
            let next = states(&keys, &settings).iter().filter_map(|watched| watched.next_step).min();
            if planned.steps.is_empty() {
                prop_assert_eq!(next, planned.next);
            } else {
                let is_first = !keys.iter().any(|key| {
                    key.algorithm == "ES256" && matches!(key.times.state(), KeyState::Active | KeyState::Published)
                });
                prop_assert!(is_first || next.is_some_and(|next| next <= now), "{next:?} {planned:?}");
            }
        }
    }
}
