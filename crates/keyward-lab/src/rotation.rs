//! Keys that rotate by themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::error::CommandError;
use crate::issuer::Issuer;
use crate::key::{KeyRing, LabKey};
use crate::plan::KeyPlan;

/// Keys of past rotations that are kept for tokens to be signed with.
const KEPT: usize = 256;

/// A rotation under way. Another one, or none, takes its place by giving the issuer another number.
#[derive(Debug)]
struct Rotation {
    issuer: Arc<Issuer>,
    number: u64,
    period: Duration,
    ahead: Duration,
    overlap: Duration,
    /// What is to be done, and in which order where the time is the same.
    due: BTreeMap<(Instant, u64), Step>,
    planned: u64,
    withdrawn: VecDeque<String>,
}

#[derive(Debug)]
enum Step {
    Introduce,
    SignWith(String),
    Withdraw(String),
}

/// Rotates from now on, for the first time after one period, while the issuer's rotation has this number.
pub(crate) fn start(
    issuer: Arc<Issuer>,
    number: u64,
    (period, ahead, overlap): (Duration, Duration, Duration),
) -> JoinHandle<()> {
    let (due, withdrawn) = (BTreeMap::new(), VecDeque::new());
    let mut rotation = Rotation { issuer, number, period, ahead, overlap, due, planned: 0, withdrawn };
    rotation.plan(Instant::now(), period, Step::Introduce);
    tokio::spawn(rotation.run())
}

impl Rotation {
    async fn run(mut self) {
        while let Some((&(next, _), _)) = self.due.first_key_value() {
            sleep_until(next).await;
            if !self.step() {
                return;
            }
        }
    }

    /// `wait` after `at`; never, where no clock goes that far.
    fn plan(&mut self, at: Instant, wait: Duration, step: Step) {
        let Some(at) = at.checked_add(wait) else { return };
        self.planned = self.planned.wrapping_add(1);
        self.due.insert((at, self.planned), step);
    }

    /// Does all that is due, at once: nobody sees a set between two steps of one moment. False: it is over.
    fn step(&mut self) -> bool {
        let issuer = Arc::clone(&self.issuer);
        let mut told = issuer.told();
        if told.rotation.number != self.number {
            return false;
        }
        let mut ring = told.keys.ring().clone();
        let now = Instant::now();
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), step) = entry.remove_entry();
            // A key that a command took meanwhile ends this one step, not the rotation.
            let _ = match step {
                Step::Introduce => self.introduce(&mut ring, at, &mut told.rotation.introduced),
                Step::SignWith(name) => self.sign_with(&mut ring, at, &name),
                Step::Withdraw(name) => self.withdraw(&mut ring, name),
            };
        }
        told.keys.replace(ring, issuer.shared.clock.wall());
        true
    }

    fn introduce(&mut self, ring: &mut KeyRing, at: Instant, count: &mut u64) -> Result<(), CommandError> {
        self.plan(at, self.period, Step::Introduce);
        *count += 1;
        let plan = KeyPlan::named(format!("rotated-{count}"));
        let shared = &self.issuer.shared;
        ring.add(Arc::new(LabKey::generate(&plan, &shared.stock)?))?;
        ring.publish(&plan.kid)?;
        self.plan(at, self.ahead, Step::SignWith(plan.kid));
        Ok(())
    }

    fn sign_with(&mut self, ring: &mut KeyRing, at: Instant, name: &str) -> Result<(), CommandError> {
        let before = ring.signing()?.name.clone();
        ring.sign_with(name)?;
        self.plan(at, self.overlap, Step::Withdraw(before));
        Ok(())
    }

    fn withdraw(&mut self, ring: &mut KeyRing, name: String) -> Result<(), CommandError> {
        ring.withdraw(&name)?;
        self.withdrawn.push_back(name);
        if self.withdrawn.len() > KEPT
            && let Some(oldest) = self.withdrawn.pop_front()
        {
            ring.forget(&oldest);
        }
        Ok(())
    }
}
