//! Who has been told what of the certificates around an issuer's keys.

use std::sync::Arc;
use std::time::Duration;

use super::{KeySet, LiveKey, Wrapper, WrapperTrouble};
use crate::UnixTime;

/// Says once what there is to tell of each certificate: at 30, 14, 7, 3 and 1 days before it is over, when it is, and
/// what else is wrong with it.
///
/// Whoever begins late, such as after a restart, hears what holds then, and not all that led there. A certificate that
/// takes the place of another one begins anew.
#[derive(Debug, Default)]
pub struct WrapperWatch {
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    key: Arc<LiveKey>,
    wrapper: Arc<Wrapper>,
    /// How many of the thresholds were passed.
    stage: usize,
}

/// Something to tell of the certificate around a key.
#[derive(Clone, Debug)]
pub struct WrapperNotice {
    /// The key.
    pub key: Arc<LiveKey>,
    /// The certificate.
    pub wrapper: Arc<Wrapper>,
    /// What there is to tell.
    pub news: WrapperNews,
}

/// What there is to tell of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrapperNews {
    /// It is over, since so long.
    Expired(Duration),
    /// It will be over after this time, which is a threshold or less.
    Expiring(Duration),
    /// It begins after this time.
    NotYetValid(Duration),
    /// This is wrong with it.
    Troubled(WrapperTrouble),
}

const DAY: u64 = 86_400;

impl WrapperWatch {
    /// How long before its end a certificate is told of, and at its end.
    pub const THRESHOLDS: [Duration; 6] = [
        Duration::from_secs(30 * DAY),
        Duration::from_secs(14 * DAY),
        Duration::from_secs(7 * DAY),
        Duration::from_secs(3 * DAY),
        Duration::from_secs(DAY),
        Duration::ZERO,
    ];

    /// What there is to tell now of the keys of `set`, and when to look again; never, where nothing changes by time
    /// alone.
    pub fn look(&mut self, now: UnixTime, set: Option<&KeySet>) -> (Vec<WrapperNotice>, Option<UnixTime>) {
        let before = std::mem::take(&mut self.told);
        let (mut notices, mut next) = (Vec::new(), None);
        for key in set.map_or(&[][..], KeySet::keys) {
            let Some(wrapper) = key.wrapper() else {
                continue;
            };
            let known = before.iter().find(|told| Arc::ptr_eq(&told.key, key));
            let known = known.filter(|told| told.wrapper.certificate == wrapper.certificate);
            let mut tell = |news| {
                notices.push(WrapperNotice { key: Arc::clone(key), wrapper: Arc::clone(&wrapper), news })
            };
            let label = |wrapper: &Wrapper| wrapper.trouble.as_ref().map(WrapperTrouble::label);
            if let Some(trouble) = &wrapper.trouble
                && known.is_none_or(|told| label(&told.wrapper) != label(&wrapper))
            {
                tell(WrapperNews::Troubled(trouble.clone()));
            }
            if let Some(certificate) = &wrapper.certificate
                && now < certificate.not_before
                && wrapper.trouble.is_none()
                && known.is_none()
            {
                tell(WrapperNews::NotYetValid(certificate.not_before.saturating_since(now)));
            }
            let mut stage = 0;
            if let Some(end) = wrapper.expires_at() {
                let due = Self::THRESHOLDS.map(|before| end.saturating_sub(before));
                stage = due.iter().filter(|at| **at <= now).count();
                if stage > known.map_or(0, |told| told.stage) {
                    tell(if now >= end {
                        WrapperNews::Expired(now.saturating_since(end))
                    } else {
                        WrapperNews::Expiring(end.saturating_since(now))
                    });
                }
                next = due.into_iter().filter(|at| *at > now).chain(next).min();
            }
            // A clock that was put back tells nothing twice.
            let stage = known.map_or(stage, |told| told.stage.max(stage));
            self.told.push(Told { key: Arc::clone(key), wrapper, stage });
        }
        (notices, next)
    }
}
