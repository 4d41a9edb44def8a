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
    /// How long the longest token is good, with what verifiers' clocks may differ by.
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
        Self { published_at: now, active_since: None, passive_since: None, retired_at: None }
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
    /// Until when it may sign tokens that are good for `lifetime`, in seconds since 1970.
    fn signs_until(&self, settings: &LifecycleSettings) -> Option<i64> {
        let rotation = self.times.active_since?.saturating_add(settings.sign_for);
        let wrapper = self.wrapper_not_after.map(|end| end.saturating_sub(settings.token_lifetime));
        Some(wrapper.map_or(rotation, |end| end.min(rotation)))
    }
}

/// What is to be done at `now`.
pub fn plan(now: i64, keys: &[KeyRecord], settings: &LifecycleSettings) -> Plan {
    let mut plan = Plan::default();
    for algorithm in &settings.algorithms {
        let of = |state| keys.iter().filter(move |key| key.algorithm == *algorithm && key.times.state() == state);
        plan_algorithm(now, algorithm, of(KeyState::Active), of(KeyState::Published), keys, settings, &mut plan);
    }
    // Keys of an algorithm that is wanted no more sign no more; what they signed stays good.
    for key in keys.iter().filter(|key| !settings.algorithms.contains(&key.algorithm)) {
        match key.times.state() {
            KeyState::Active | KeyState::Published => plan.steps.push(Step::MakePassive { kid: key.kid.clone() }),
            KeyState::Passive | KeyState::Retired => {}
        }
    }
    for key in keys.iter().filter(|key| key.times.state() == KeyState::Passive) {
        let over = key.times.passive_since.unwrap_or(now).saturating_add(settings.token_lifetime);
        if over <= now {
            plan.steps.push(Step::Retire { kid: key.kid.clone() });
        } else {
            plan.wake(over);
        }
    }
    plan
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
