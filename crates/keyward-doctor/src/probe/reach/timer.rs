//! How long one thing may take, in what is left for all.

use std::time::Duration;

use keyward::MonoTime;

use crate::facts::{Ended, Waited};
use crate::probe::context::Context;

/// Runs from when it is made.
pub(super) struct Timer<'a> {
    context: &'a Context,
    began: MonoTime,
    own: MonoTime,
}

/// Why something was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The time for the whole look is over, which says nothing of who was asked.
    Look,
    /// Its own time is over.
    Own,
}

impl<'a> Timer<'a> {
    pub(super) fn new(context: &'a Context, time: Duration) -> Self {
        let began = context.mono();
        Self { context, began, own: began.saturating_add(time) }
    }

    /// A part of what is left, for one of so many.
    pub(super) fn share(&self, among: usize) -> Self {
        let share = u32::try_from(among.max(1)).unwrap_or(u32::MAX);
        Self::new(self.context, self.own.saturating_since(self.context.mono()) / share)
    }

    /// The same end, counted from now.
    pub(super) fn again(&self) -> Self {
        Self { context: self.context, began: self.context.mono(), own: self.own }
    }

    pub(super) fn began(&self) -> MonoTime {
        self.began
    }

    pub(super) fn now(&self) -> MonoTime {
        self.context.mono()
    }

    pub(super) fn ms(&self) -> u64 {
        self.context.ms_since(self.began)
    }

    /// What `future` comes to, unless it takes too long.
    pub(super) async fn within<F: Future>(&self, future: F) -> Result<F::Output, Over> {
        let own = self.own.saturating_since(self.context.mono());
        let look = self.context.left();
        let over = if own <= look { Over::Own } else { Over::Look };
        tokio::time::timeout(own.min(look), future).await.map_err(|_| over)
    }
}

impl Over {
    /// How a request ended for which `waited` was awaited.
    pub(super) fn ended(self, waited: Waited) -> Ended {
        match self {
            Self::Look => Ended::OutOfTime,
            Self::Own => Ended::TimedOut(waited),
        }
    }
}
