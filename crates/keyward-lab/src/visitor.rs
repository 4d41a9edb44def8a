//! Who comes to an endpoint: somebody who uses it, or a doctor who looks at it.

use http::HeaderMap;
use http::header::USER_AGENT;

/// What the `User-Agent` of `keyward doctor` begins with.
const DOCTOR: &[u8] = b"keyward-doctor/";

/// Who comes. A doctor is answered like everybody else and leaves no trace: neither in what is counted, nor in a fault
/// or a log that goes by how many came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// Anybody.
    Client,
    /// `keyward doctor`.
    Doctor,
}

impl Visitor {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_doctor = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(DOCTOR));
        if is_doctor { Self::Doctor } else { Self::Client }
    }

    /// One of two things: a client's, or a doctor's own.
    pub(crate) fn own<T>(self, [clients, doctors]: &[T; 2]) -> &T {
        match self {
            Self::Client => clients,
            Self::Doctor => doctors,
        }
    }

    pub(crate) fn own_mut<T>(self, [clients, doctors]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Client => clients,
            Self::Doctor => doctors,
        }
    }
}
