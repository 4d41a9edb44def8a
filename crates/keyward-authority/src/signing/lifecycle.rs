//! When a key is published, signs, and is withdrawn (promise 10): known before it signs, and known until nothing that it signed
//! is good any more.
//!
//! A pure function over the keys as the log has them: whoever holds the log's head asks what is to be done now, does it in
//! the same transaction, and asks again at the deadline. Two nodes that do so at once do it one after the other, and the
//! second finds nothing left to do.

use serde::{Deserialize, Serialize};

/// When a key went from one state to the next, in seconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTimes {
    /// Since when it is published.
    pub published_at: i64,
    /// Since when it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_since: Option<i64>,
    /// Since when it does not sign any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive_since: Option<i64>,
    /// Since when it is not published any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<i64>,
    /// From when another is to sign in its place, though the settings would let it sign on: somebody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_at: Option<i64>,
    /// How long the longest token was good that it may have signed: what was signed before a setting changed stays good.
    #[serde(default)]
    pub longest_token: i64,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum KeyState {
    /// It is published, and does not sign yet.
    Published,
    /// It is published and signs.
    Active,
    /// It is published, and what it signed is still good.
    Passive,
    /// It is not published.
    Retired,
}

/// A key, as far as this is concerned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRecord {
    /// `kid`.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// Its times.
    pub times: KeyTimes,
    /// When the X.509 certificate around it is over, in seconds since 1970; none where it has none. No token outlives it.
    pub wrapper_not_after: Option<i64>,
}

/// How keys come and go. Times are in seconds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LifecycleSettings {
    /// The algorithms that there is an active key for.
    pub algorithms: Vec<String>,
    /// How long a key is published before it signs.
    pub publish_for: i64,
    /// How long it signs.
    pub sign_for: i64,
    /// How long the longest token is good, with what clocks may differ by.
    pub token_lifetime: i64,
}

/// One thing that is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// It signs from now on.
    Activate {
        /// Which.
        kid: String,
    },
    /// A key of this algorithm is made and published.
    Generate {
        /// Which algorithm.
        algorithm: String,
    },
    /// It signs longer tokens than it did, from now on.
    Lengthen {
        /// Which.
        kid: String,
    },
    /// It does not sign any more.
    MakePassive {
        /// Which.
        kid: String,
    },
    /// It is not published any more.
    Retire {
        /// Which.
        kid: String,
    },
}

/// What is to be done now, and when to ask again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// When something is to be done next, in seconds since 1970, unless something changes before.
    pub next: Option<i64>,
}

impl KeyTimes {
    /// Published now.
    pub const fn published(now: i64) -> Self {
        Self {
            published_at: now,
            active_since: None,
            passive_since: None,
            retired_at: None,
            replace_at: None,
            longest_token: 0,
        }
    }

    /// What the key is used for.
    pub const fn state(&self) -> KeyState {
        match (self.retired_at, self.passive_since, self.active_since) {
            (Some(_), ..) => KeyState::Retired,
            (None, Some(_), _) => KeyState::Passive,
            (None, None, Some(_)) => KeyState::Active,
            (None, None, None) => KeyState::Published,
        }
    }
}

impl KeyRecord {
    /// When nothing that it signed is good any more, in seconds since 1970; none where it signs, or still may.
    pub fn good_until(&self, settings: &LifecycleSettings) -> Option<i64> {
        let longest = self.times.longest_token.max(settings.token_lifetime);
        // What never signed has nothing that would have to stay good.
        let signed = if self.times.active_since.is_some() { longest } else { 0 };
        Some(self.times.passive_since?.saturating_add(signed))
    }

    /// Until when it may sign tokens that are good for `lifetime`, in seconds since 1970.
    pub(super) fn signs_until(&self, settings: &LifecycleSettings) -> Option<i64> {
        let rotation = self.times.active_since?.saturating_add(settings.sign_for);
        let wrapper = self.wrapper_not_after.map(|end| end.saturating_sub(settings.token_lifetime));
        [wrapper, self.times.replace_at, Some(rotation)].into_iter().flatten().min()
    }
}

/// What is to be done at `now`.
pub fn plan(now: i64, keys: &[KeyRecord], settings: &LifecycleSettings) -> Plan {
    let mut plan = Plan::default();
    for algorithm in &settings.algorithms {
        let of =
            |state| keys.iter().filter(move |key| key.algorithm == *algorithm && key.times.state() == state);
        plan_algorithm(
            now,
            algorithm,
            of(KeyState::Active),
            of(KeyState::Published),
            keys,
            settings,
            &mut plan,
        );
    }
    plan_unwanted(keys, settings, &mut plan);
    for key in keys {
        match (key.times.state(), key.good_until(settings)) {
            (KeyState::Active, _) if key.times.longest_token < settings.token_lifetime => {
                plan.steps.push(Step::Lengthen { kid: key.kid.clone() });
            }
            (KeyState::Passive, Some(over)) if over <= now => {
                plan.steps.push(Step::Retire { kid: key.kid.clone() });
            }
            (KeyState::Passive, Some(over)) => plan.wake(over),
            _ => {}
        }
    }
    plan
}

/// Keys of an algorithm that is wanted no more sign no more, once one does that is wanted; what they signed stays good.
fn plan_unwanted(keys: &[KeyRecord], settings: &LifecycleSettings, plan: &mut Plan) {
    let is_wanted = |key: &&KeyRecord| settings.algorithms.contains(&key.algorithm);
    let somebody_signs = keys.iter().filter(is_wanted).any(|key| key.times.state() == KeyState::Active);
    for key in keys.iter().filter(|key| !is_wanted(key)) {
        match key.times.state() {
            KeyState::Active if somebody_signs => plan.steps.push(Step::MakePassive { kid: key.kid.clone() }),
            KeyState::Published => plan.steps.push(Step::MakePassive { kid: key.kid.clone() }),
            KeyState::Active | KeyState::Passive | KeyState::Retired => {}
        }
    }
}

fn plan_algorithm<'a>(
    now: i64,
    algorithm: &str,
    active: impl Iterator<Item = &'a KeyRecord>,
    published: impl Iterator<Item = &'a KeyRecord>,
    keys: &[KeyRecord],
    settings: &LifecycleSettings,
    plan: &mut Plan,
) {
    let active: Vec<_> = active.collect();
    // The one that was published first has been known longest.
    let successor = published.min_by_key(|key| (key.times.published_at, key.kid.clone()));
    let newest = active.iter().max_by_key(|key| (key.times.active_since, key.kid.clone())).copied();
    for older in active.iter().filter(|key| Some(&key.kid) != newest.map(|key| &key.kid)) {
        plan.steps.push(Step::MakePassive { kid: older.kid.clone() });
    }
    let Some(current) = newest else {
        match successor {
            // Nobody can have an old set of a realm that never had a key: it signs at once.
            Some(successor) if is_known(now, successor, settings) || !ever_signed(keys) => {
                plan.steps.push(Step::Activate { kid: successor.kid.clone() });
            }
            Some(successor) => plan.wake(successor.times.published_at.saturating_add(settings.publish_for)),
            None => plan.steps.push(Step::Generate { algorithm: algorithm.to_owned() }),
        }
        return;
    };
    let until = current.signs_until(settings).unwrap_or(now);
    let Some(successor) = successor else {
        let at = until.saturating_sub(settings.publish_for);
        if at <= now {
            plan.steps.push(Step::Generate { algorithm: algorithm.to_owned() });
        } else {
            plan.wake(at);
        }
        return;
    };
    let known = successor.times.published_at.saturating_add(settings.publish_for);
    let due = until.max(known);
    if due <= now {
        plan.steps.push(Step::Activate { kid: successor.kid.clone() });
        plan.steps.push(Step::MakePassive { kid: current.kid.clone() });
    } else {
        plan.wake(due);
    }
}

fn is_known(now: i64, key: &KeyRecord, settings: &LifecycleSettings) -> bool {
    key.times.published_at.saturating_add(settings.publish_for) <= now
}

fn ever_signed(keys: &[KeyRecord]) -> bool {
    keys.iter().any(|key| key.times.active_since.is_some())
}

impl Plan {
    fn wake(&mut self, at: i64) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> LifecycleSettings {
        LifecycleSettings {
            algorithms: vec!["ES256".to_owned()],
            publish_for: 100,
            sign_for: 1000,
            token_lifetime: 50,
        }
    }

    /// The keys of a realm, and everything that must always hold of them.
    #[derive(Default)]
    struct Realm {
        keys: Vec<KeyRecord>,
        made: usize,
        /// When each key last signed.
        signed: std::collections::BTreeMap<String, i64>,
    }

    impl Realm {
        fn turn(&mut self, now: i64, settings: &LifecycleSettings, wrapper: Option<i64>) -> Plan {
            // A step may make another one due at once.
            for _ in 0..10 {
                let plan = plan(now, &self.keys, settings);
                if plan.steps.is_empty() {
                    return plan;
                }
                plan.steps.iter().for_each(|step| self.take(now, step, settings, wrapper));
            }
            panic!("it never comes to rest: {:?}", self.keys);
        }

        fn take(&mut self, now: i64, step: &Step, settings: &LifecycleSettings, wrapper: Option<i64>) {
            let find =
                |keys: &'_ mut Vec<KeyRecord>, kid: &str| keys.iter().position(|key| key.kid == kid).unwrap();
            match step {
                Step::Generate { algorithm } => {
                    self.made += 1;
                    let (kid, times) = (format!("key-{}", self.made), KeyTimes::published(now));
                    let wrapper_not_after = wrapper.map(|lasts| now + lasts);
                    self.keys.push(KeyRecord { kid, algorithm: algorithm.clone(), times, wrapper_not_after });
                }
                Step::Activate { kid } => {
                    let place = find(&mut self.keys, kid);
                    self.keys[place].times.active_since = Some(now);
                }
                Step::Lengthen { kid } => {
                    let place = find(&mut self.keys, kid);
                    self.keys[place].times.longest_token = settings.token_lifetime;
                }
                Step::MakePassive { kid } => {
                    let place = find(&mut self.keys, kid);
                    self.keys[place].times.passive_since = Some(now);
                }
                Step::Retire { kid } => {
                    let place = find(&mut self.keys, kid);
                    self.keys[place].times.retired_at = Some(now);
                }
            }
        }

        fn in_state(&self, state: KeyState) -> Vec<&KeyRecord> {
            self.keys.iter().filter(|key| key.times.state() == state).collect()
        }

        /// A token is signed, and everything that is still good can be verified.
        fn check(&mut self, now: i64, settings: &LifecycleSettings) {
            let active = self.in_state(KeyState::Active);
            assert_eq!(active.len(), 1, "at {now}: {:?}", self.keys);
            let kid = active[0].kid.clone();
            self.signed.insert(kid, now);
            for (kid, at) in &self.signed {
                let key = self.keys.iter().find(|key| key.kid == *kid).unwrap();
                let is_good = at + settings.token_lifetime > now;
                assert!(
                    !is_good || key.times.state() != KeyState::Retired,
                    "{kid} signed at {at}, gone at {now}"
                );
            }
        }
    }

    #[test]
    fn a_realms_first_key_signs_at_once_and_later_ones_only_when_everybody_knows_them() {
        let (settings, mut realm) = (settings(), Realm::default());
        assert_eq!(realm.turn(0, &settings, None).next, Some(900));
        assert_eq!(realm.in_state(KeyState::Active).len(), 1);
        realm.turn(900, &settings, None);
        assert_eq!(realm.in_state(KeyState::Published).len(), 1);
        realm.turn(999, &settings, None);
        assert_eq!(realm.in_state(KeyState::Active)[0].kid, "key-1");
        realm.turn(1000, &settings, None);
        assert_eq!(realm.in_state(KeyState::Active)[0].kid, "key-2");
        assert_eq!(realm.in_state(KeyState::Passive)[0].kid, "key-1");
        assert_eq!(realm.turn(1049, &settings, None).next, Some(1050));
        realm.turn(1050, &settings, None);
        assert_eq!(realm.in_state(KeyState::Retired)[0].kid, "key-1");
    }

    #[test]
    fn a_key_stops_signing_before_its_certificate_is_over() {
        let (settings, mut realm) = (settings(), Realm::default());
        realm.turn(0, &settings, Some(500));
        realm.turn(350, &settings, Some(500));
        assert_eq!(realm.in_state(KeyState::Published).len(), 1);
        realm.turn(450, &settings, Some(500));
        assert_eq!(realm.in_state(KeyState::Active)[0].kid, "key-2");
    }

    #[test]
    fn a_second_algorithm_waits_until_its_key_is_known() {
        let mut realm = Realm::default();
        realm.turn(0, &settings(), None);
        let both =
            LifecycleSettings { algorithms: vec!["ES256".to_owned(), "RS256".to_owned()], ..settings() };
        realm.turn(10, &both, None);
        assert_eq!(realm.in_state(KeyState::Active).len(), 1);
        realm.turn(110, &both, None);
        assert_eq!(realm.in_state(KeyState::Active).len(), 2);
        realm.turn(120, &settings(), None);
        assert_eq!(realm.in_state(KeyState::Active)[0].algorithm, "ES256");
        assert_eq!(realm.in_state(KeyState::Active).len(), 1);
    }

    #[test]
    fn an_algorithm_takes_anothers_place_once_its_key_is_known() {
        let mut realm = Realm::default();
        realm.turn(0, &settings(), None);
        let other = LifecycleSettings { algorithms: vec!["RS256".to_owned()], ..settings() };
        for (now, signs) in [(10, "ES256"), (109, "ES256"), (110, "RS256")] {
            realm.turn(now, &other, None);
            let active = realm.in_state(KeyState::Active);
            assert_eq!((active.len(), active[0].algorithm.as_str()), (1, signs), "at {now}");
        }
    }

    #[test]
    fn a_key_that_is_to_be_replaced_signs_until_its_successor_is_known() {
        let (settings, mut realm) = (settings(), Realm::default());
        realm.turn(0, &settings, None);
        realm.keys[0].times.replace_at = Some(10);
        assert_eq!(realm.turn(10, &settings, None).next, Some(110));
        assert_eq!(realm.in_state(KeyState::Active)[0].kid, "key-1");
        realm.turn(110, &settings, None);
        assert_eq!(realm.in_state(KeyState::Active)[0].kid, "key-2");
    }

    #[test]
    fn tokens_that_were_longer_once_stay_good() {
        let (settings, mut realm) = (settings(), Realm::default());
        realm.turn(0, &LifecycleSettings { token_lifetime: 500, ..settings.clone() }, None);
        realm.turn(999, &settings, None);
        realm.turn(1099, &settings, None);
        assert_eq!(realm.in_state(KeyState::Passive)[0].kid, "key-1");
        assert_eq!(realm.turn(1500, &settings, None).next, Some(1599));
        realm.turn(1599, &settings, None);
        assert_eq!(realm.in_state(KeyState::Retired)[0].kid, "key-1");
    }

    proptest! {
        #[test]
        fn whenever_it_is_asked_one_key_signs_and_what_is_good_can_be_verified(
            pauses in prop::collection::vec(0_i64..400, 1..60),
            publish_for in 1_i64..300,
            sign_for in 1_i64..2000,
            token_lifetime in 1_i64..300,
        ) {
            let algorithms = vec!["ES256".to_owned()];
            let settings = LifecycleSettings { algorithms, publish_for, sign_for, token_lifetime };
            let (mut realm, mut now) = (Realm::default(), 0);
            for pause in pauses {
                now += pause;
                realm.turn(now, &settings, None);
                realm.check(now, &settings);
                for key in &realm.keys {
                    let KeyTimes { published_at, active_since, .. } = key.times;
                    let is_first = key.kid == "key-1";
                    prop_assert!(is_first || active_since.is_none_or(|active| active >= published_at + publish_for));
                }
            }
        }
    }
}
