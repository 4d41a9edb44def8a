//! What has changed: events of keys, endpoints, credentials and the configuration. One that repeats the last one is no
//! change, and counts it up.

use std::collections::VecDeque;

use keyward::event::Event;
use keyward::{MonoTime, UnixTime};

/// How many are kept.
const LIMIT: usize = 512;

/// How many key ids of a refreshed set are told.
const KIDS: usize = 8;

/// How many octets of a key id are kept: a provider may publish any.
const KID: usize = 128;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
    /// When, on both clocks.
    pub(crate) at: MonoTime,
    pub(crate) wall: UnixTime,
    /// When it was last told again, and how often it was told.
    pub(crate) last_at: MonoTime,
    pub(crate) times: u64,
    pub(crate) what: What,
}

/// What changed, of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct What {
    /// Our name for the issuer; none where it concerns none.
    pub(crate) issuer: Option<Box<str>>,
    matter: Matter,
    /// The event's label.
    pub(crate) event: &'static str,
    /// The cause's label.
    pub(crate) cause: Option<&'static str>,
    /// The key, where it is about one: its `kid` is published.
    pub(crate) kid: Option<Box<str>>,
    /// Which keys came and went.
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

/// What changes together: of each matter, and of each issuer, only the last event says how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter {
    Breaker,
    Credential,
    Gateway,
    Introspection,
    Keys,
    Proofs,
    Snapshot,
    Wrapper,
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct Transitions {
    kept: VecDeque<Transition>,
    /// How many are gone.
    forgotten: u64,
}

impl Transitions {
    pub(super) fn push(&mut self, at: MonoTime, wall: UnixTime, what: What) {
        if let Some(last) = self.kept.iter_mut().rev().find(|last| last.what.is_of_the_matter_of(&what))
            && last.what.says_the_same_as(&what)
        {
            last.last_at = at;
            last.times = last.times.saturating_add(1);
            return;
        }
        if self.kept.len() >= LIMIT {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(Transition { at, wall, last_at: at, times: 1, what });
    }

    /// All that are kept, the last first.
    pub(super) fn last_first(&self) -> Vec<Transition> {
        self.kept.iter().rev().cloned().collect()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl What {
    /// Something of the gateway itself.
    pub(crate) fn of_gateway(event: &'static str) -> Self {
        Self::new("", Matter::Gateway, event, None)
    }

    /// None where the event changes nothing.
    pub(crate) fn of(issuer: &str, event: &Event<'_>) -> Option<Self> {
        let (matter, cause) = match event {
            Event::CredentialAccepted
            | Event::CredentialExposed { .. }
            | Event::CredentialObtained { .. }
            | Event::CredentialReloaded
            | Event::CredentialReloadRefused { .. } => (Matter::Credential, None),
            Event::CredentialDropped { said } | Event::CredentialRejected { said, .. } => {
                (Matter::Credential, Some(said.code.label()))
            }
            Event::CredentialFailed { error, .. } | Event::CredentialRefused { error, .. } => {
                (Matter::Credential, Some(error.label()))
            }
            Event::IntrospectionBreaker { .. } => (Matter::Breaker, None),
            Event::IntrospectionFailed { failure, .. } => (Matter::Introspection, Some(failure.label())),
            Event::IntrospectionRecovered { .. } => (Matter::Introspection, None),
            Event::ProofMemoryFailed { cause, .. } => (Matter::Proofs, Some(*cause)),
            Event::ProofMemoryRecovered { .. } => (Matter::Proofs, None),
            Event::RefreshCrashed { .. } | Event::Refreshed { .. } => (Matter::Keys, None),
            Event::RefreshFailed { error, .. } => (Matter::Keys, Some(error.label())),
            Event::RefreshRefused { .. } => (Matter::Keys, Some("no_usable_key")),
            Event::SnapshotRefused { .. }
            | Event::SnapshotUsed { .. }
            | Event::SnapshotWriteFailed { .. } => (Matter::Snapshot, None),
            Event::WrapperExpired { .. } | Event::WrapperExpiring { .. } => (Matter::Wrapper, None),
            Event::WrapperNotYetValid { .. } => (Matter::Wrapper, Some("not_yet_valid")),
            Event::WrapperTroubled { trouble, .. } => (Matter::Wrapper, Some(trouble.label())),
            // Calls that came to an end: they are counted.
            _ => return None,
        };
        let what = Self::new(issuer, matter, event.label(), cause);
        Some(match event {
            Event::Refreshed { refreshed, .. } => {
                Self { added: kids(&refreshed.added), removed: kids(&refreshed.removed), ..what }
            }
            Event::WrapperExpired { kid, .. }
            | Event::WrapperExpiring { kid, .. }
            | Event::WrapperNotYetValid { kid, .. }
            | Event::WrapperTroubled { kid, .. } => Self { kid: kid.map(|kid| cut(kid).into()), ..what },
            _ => what,
        })
    }

    fn new(issuer: &str, matter: Matter, event: &'static str, cause: Option<&'static str>) -> Self {
        let issuer = (!issuer.is_empty()).then(|| issuer.into());
        Self { issuer, matter, event, cause, kid: None, added: Vec::new(), removed: Vec::new() }
    }

    fn is_of_the_matter_of(&self, other: &Self) -> bool {
        (self.matter, &self.issuer, &self.kid) == (other.matter, &other.issuer, &other.kid)
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        let changes_keys = !(other.added.is_empty() && other.removed.is_empty());
        // A configuration that is read anew is another one.
        self.matter != Matter::Gateway
            && (self.event, self.cause) == (other.event, other.cause)
            && !changes_keys
    }
}

/// `-` for a key without an id, as in the log.
fn kids(kids: &[Option<String>]) -> Vec<String> {
    kids.iter().take(KIDS).map(|kid| cut(kid.as_deref().unwrap_or("-"))).collect()
}

/// The id; one that is too long ends with an ellipsis.
fn cut(kid: &str) -> String {
    match kid.get(..kid.floor_char_boundary(KID)) {
        Some(start) if start.len() < kid.len() => format!("{start}…"),
        _ => kid.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(issuer: &str, event: &'static str, cause: Option<&'static str>) -> What {
        What::new(issuer, Matter::Keys, event, cause)
    }

    fn told(transitions: &Transitions) -> Vec<(Option<&str>, &'static str, u64, u64)> {
        let kept = transitions.kept.iter().rev();
        kept.map(|t| (t.what.issuer.as_deref(), t.what.event, t.at.0, t.times)).collect()
    }

    #[test]
    fn what_repeats_the_last_of_its_matter_is_counted_up() {
        let mut transitions = Transitions::default();
        let mut push = |at, what| transitions.push(MonoTime(at), UnixTime(0), what);
        push(1, keys("a", "jwks_refreshed", None));
        push(2, keys("a", "jwks_refresh_failed", Some("dns")));
        push(3, keys("b", "jwks_refreshed", None));
        push(4, What::new("a", Matter::Breaker, "introspection_circuit_opened", None));
        push(5, keys("a", "jwks_refresh_failed", Some("dns")));
        push(6, keys("a", "jwks_refresh_failed", Some("tls")));
        push(7, keys("a", "jwks_refresh_failed", Some("dns")));
        push(8, keys("a", "jwks_refreshed", None));
        push(9, What { added: vec!["k2".to_owned()], ..keys("a", "jwks_refreshed", None) });
        push(10, What::of_gateway("config_reloaded"));
        push(11, What::of_gateway("config_reloaded"));
        let (failed, refreshed) = ("jwks_refresh_failed", "jwks_refreshed");
        assert_eq!(
            told(&transitions),
            [
                (None, "config_reloaded", 11, 1),
                (None, "config_reloaded", 10, 1),
                (Some("a"), refreshed, 9, 1),
                (Some("a"), refreshed, 8, 1),
                (Some("a"), failed, 7, 1),
                (Some("a"), failed, 6, 1),
                (Some("a"), "introspection_circuit_opened", 4, 1),
                (Some("b"), refreshed, 3, 1),
                (Some("a"), failed, 2, 2),
                (Some("a"), refreshed, 1, 1),
            ]
        );
        assert_eq!(transitions.last_first()[8].last_at, MonoTime(5));
    }

    #[test]
    fn of_what_a_provider_publishes_little_is_kept() {
        let published: Vec<_> = (0..100).map(|_| Some("é".repeat(10_000))).chain([None]).collect();
        let kept = kids(&published);
        assert_eq!(kept.len(), KIDS);
        assert!(kept.iter().all(|kid| *kid == format!("{}…", "é".repeat(KID / 2))));
        assert_eq!(kids(&[None, Some("k".repeat(KID))]), ["-".to_owned(), "k".repeat(KID)]);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut transitions = Transitions::default();
        for number in 0..1000 {
            let event = if number % 2 == 0 { "jwks_refreshed" } else { "jwks_refresh_failed" };
            transitions.push(MonoTime(number), UnixTime(0), keys("a", event, None));
        }
        assert_eq!((transitions.kept.len(), transitions.forgotten()), (LIMIT, 1000 - LIMIT as u64));
    }
}
