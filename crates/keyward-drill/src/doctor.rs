//! The doctor at the end of a phase: what `keyward doctor` would be told to look at there, and what it makes of it.

use std::sync::Arc;
use std::time::Duration;

use keyward::IssuerSettings;
use keyward::clock::SystemClock;
use keyward_doctor::facts::Facts;
use keyward_doctor::probe::{IssuerTarget, Limits, Means, Silent, Target, look};
use url::Url;
use zeroize::Zeroizing;

/// The doctor, with less patience than for a person: the phases of drills are short.
#[derive(Clone, Copy, Debug)]
pub struct Doctor {
    /// How long things may take, and how large they may be.
    pub limits: Limits,
}

impl Default for Doctor {
    fn default() -> Self {
        let limits = Limits {
            total: Duration::from_secs(4),
            request: Duration::from_secs(1),
            lookup: Duration::from_secs(1),
            ..Limits::default()
        };
        Self { limits }
    }
}

/// What is there to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    /// As its gateway has them.
    pub(crate) issuers: Vec<IssuerSettings>,
    /// The gateway's admin listener.
    pub(crate) admin: Url,
}

/// What is handed in beside it.
#[derive(Default)]
pub(crate) struct HandedIn {
    pub(crate) token: Option<Arc<str>>,
    pub(crate) provider_log: Option<String>,
}

impl Doctor {
    /// What is seen of it. The gateway's counts are those of the time `since`.
    pub(crate) async fn look(&self, patient: Patient, handed_in: HandedIn, since: Duration) -> Facts {
        let target = Target {
            issuers: patient.issuers.into_iter().map(|settings| IssuerTarget { settings }).collect(),
            gateway: Some(patient.admin),
            token: handed_in.token.map(|token| Zeroizing::new(token.as_bytes().to_vec())),
            provider_log: handed_in.provider_log.map(String::into_bytes),
            since,
            limits: self.limits,
            ..Target::default()
        };
        let means = Means::new(Arc::new(SystemClock::new()), Arc::new(Silent));
        look(&target, &means).await
    }
}
