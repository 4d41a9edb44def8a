//! One endpoint's port: what is wrong with it, and who came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::fault::{Certificate, Endpoint, Fault};
use crate::visitor::Visitor;

/// Connections at once, so that a drill's clients cannot take every descriptor of the process.
const PLACES: usize = 1024;

/// An endpoint's port.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) endpoint: Endpoint,
    pub(crate) number: u16,
    /// Each connection watches it.
    pub(crate) condition: watch::Sender<Condition>,
    pub(crate) places: Arc<Semaphore>,
    connections: AtomicU64,
    requests: AtomicU64,
    /// The clients', and the doctors'.
    flaps: [AtomicU64; 2],
}

/// How an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Its lab has ended.
    Ended,
    /// It does this.
    Faulty(Fault),
    /// It answers well.
    Well,
}

/// What a condition means for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is closed.
    Cut,
    /// Nothing is said on it.
    Silent,
    /// It works, with this certificate.
    Open(Option<Certificate>),
}

/// Who came to an endpoint, `keyward doctor` left out.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Counts {
    /// Connections, those that nothing was said on among them, whoever that was. Refused ones are not seen.
    pub connections: u64,
    /// Requests, whatever they were answered.
    pub requests: u64,
}

impl Condition {
    pub(crate) fn line(&self) -> Line {
        match self {
            Self::Ended | Self::Faulty(Fault::Refuse) => Line::Cut,
            Self::Faulty(Fault::Hang) => Line::Silent,
            Self::Faulty(Fault::Tls(certificate)) => Line::Open(Some(*certificate)),
            Self::Faulty(_) | Self::Well => Line::Open(None),
        }
    }
}

impl Port {
    pub(crate) fn new(endpoint: Endpoint, number: u16) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            number,
            condition: watch::Sender::new(Condition::Well),
            places: Arc::new(Semaphore::new(PLACES)),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            flaps: [AtomicU64::new(0), AtomicU64::new(0)],
        })
    }

    pub(crate) fn line(&self) -> Line {
        self.condition.borrow().line()
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        match &*self.condition.borrow() {
            Condition::Faulty(fault) => Some(fault.clone()),
            Condition::Ended => Some(Fault::Refuse),
            Condition::Well => None,
        }
    }

    /// From now on, unless its lab has ended.
    pub(crate) fn turn(&self, condition: Condition) {
        self.condition.send_if_modified(|now| {
            let changes = *now != Condition::Ended && *now != condition;
            if changes {
                *now = condition;
                self.flaps.iter().for_each(|flaps| flaps.store(0, Ordering::Relaxed));
            }
            changes
        });
    }

    pub(crate) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that was counted turns out to be a doctor's.
    pub(crate) fn discount_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn count_request(&self, visitor: Visitor) {
        if visitor == Visitor::Client {
            self.requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether this is the one time in `every` that a flapping endpoint answers well: the last one.
    pub(crate) fn flaps_well(&self, every: u32, visitor: Visitor) -> bool {
        let count = visitor.own(&self.flaps).fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        count.is_multiple_of(u64::from(every))
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}
