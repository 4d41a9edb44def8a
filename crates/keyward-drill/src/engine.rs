//! Runs one drill: phase after phase, its traffic, its steps, and what came of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as RealInstant};

use keyward_lab::Lab;
use keyward_lab::fault::Endpoint;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::doctor::{Doctor, HandedIn};
use crate::drill::{Drill, Header, Phase, Step};
use crate::error::RunError;
use crate::finding::Looked;
use crate::flow::{Span, Supply, flow, lock};
use crate::judge::{Asked, Observed, Pace, judge};
use crate::progress::Progress;
use crate::report::DrillReport;
use crate::subject::{Facts, Subject};
use crate::tally::Tally;

/// What time it is, in seconds of Unix, when virtual time begins: 1 January 2027.
pub(crate) const VIRTUAL_WALL: i64 = 1_798_761_600;

/// How long the gateway may take until it accepts the first token. Others' refresh their keys once a minute.
const WARM_WITHIN: Duration = Duration::from_secs(90);

/// How long it may take until it has told of the keys that it uses.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Longer than any look.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// A drill that is about to run.
pub(crate) struct Run<'a, S> {
    pub(crate) drill: &'a Drill,
    pub(crate) lab: Lab,
    pub(crate) subject: Arc<S>,
    pub(crate) pace: Pace,
    pub(crate) progress: &'a dyn Progress,
    /// Who looks at the end of each phase; nobody where nobody was asked to.
    pub(crate) doctor: Option<Doctor>,
}

/// What is known of a phase before its last answers have come.
struct Past {
    tallies: BTreeMap<String, Arc<Mutex<Tally>>>,
    open: Vec<JoinSet<()>>,
    asked: Asked,
    lasted: Duration,
    before: Option<Facts>,
    after: Option<Facts>,
    looked: Option<Looked>,
}

impl<S: Subject> Run<'_, S> {
    /// Runs it to its end.
    #[expect(clippy::disallowed_methods, reason = "the report says how long it took on this machine")]
    pub(crate) async fn report(self) -> Result<DrillReport, RunError> {
        let started = RealInstant::now();
        let supplies: Vec<Supply> =
            self.drill.traffic.iter().map(|(name, stream)| Supply::new(name, stream, &self.lab)).collect();
        if self.drill.warm {
            self.warm_up(&supplies).await?;
        }
        let mut pasts = Vec::new();
        for (number, phase) in self.drill.phases.iter().enumerate() {
            self.progress.phase(&self.drill.name, &phase.name, number + 1, self.drill.phases.len());
            pasts.push(self.pass(phase, &supplies).await?);
        }
        let mut observed = Vec::new();
        for past in pasts {
            observed.push(past.complete().await);
        }
        let phases = judge(&self.drill.phases, &observed, self.subject.detail(), self.pace);
        Ok(DrillReport::ran(self.drill, phases, started.elapsed()))
    }

    /// Waits until a good token of each stream is accepted.
    async fn warm_up(&self, supplies: &[Supply]) -> Result<(), RunError> {
        let started = Instant::now();
        for supply in supplies.iter().filter(|supply| supply.is_good()) {
            loop {
                let outcome = self.subject.ask(&supply.next(Instant::now())?, Header::Kept).await;
                if outcome.kind() == "accept" {
                    break;
                }
                if started.elapsed() > WARM_WITHIN {
                    return Err(RunError::Gateway {
                        what: format!(
                            "no token of stream {:?} was accepted within {} s, before anything went wrong: {}",
                            supply.name(),
                            WARM_WITHIN.as_secs(),
                            outcome.label()
                        ),
                        log: None,
                    });
                }
                supply.renew();
                sleep(Duration::from_millis(50)).await;
            }
        }
        self.until_its_start_is_told().await
    }

    /// Waits until the gateway has told of its first keys, which it does after it has used them and kept them: what
    /// it tells then is of no phase.
    async fn until_its_start_is_told(&self) -> Result<(), RunError> {
        let issuers = self.drill.provider.issuer.keys().filter(|name| self.drill.gateway.knows(name)).count();
        let started = Instant::now();
        while started.elapsed() < TOLD_WITHIN {
            let Some(facts) = self.subject.facts().await? else { break };
            let told = facts.events.get("jwks_refreshed").copied().unwrap_or(0);
            if usize::try_from(told).is_ok_and(|told| told >= issuers) {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// One phase, until its time is over.
    async fn pass(&self, phase: &Phase, supplies: &[Supply]) -> Result<Past, RunError> {
        let before = self.subject.facts().await?;
        let asked_before = self.asked();
        let (at_once, later): (Vec<&Step>, Vec<&Step>) =
            phase.steps.iter().partition(|step| step.after.0.is_zero());
        for step in at_once {
            self.take(phase, step).await?;
        }
        let begins = Instant::now();
        let span = Span { begins, settled: begins + phase.settle.0, ends: begins + phase.lasts.0 };
        let mut flowing = JoinSet::new();
        let mut tallies = BTreeMap::new();
        for supply in supplies.iter().filter(|supply| phase.flows(supply.name())) {
            let tally = Arc::<Mutex<Tally>>::default();
            tallies.insert(supply.name().to_owned(), Arc::clone(&tally));
            flowing.spawn(flow(supply.clone(), Arc::clone(&self.subject), span, tally));
        }
        let mut later = later;
        later.sort_by_key(|step| step.after);
        for step in later {
            sleep_until(begins + step.after.0).await;
            self.take(phase, step).await?;
        }
        let mut open = Vec::new();
        while let Some(flowed) = flowing.join_next().await {
            match flowed {
                Ok(flowed) => open.push(flowed?),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        sleep_until(span.ends).await;
        let after = self.subject.facts().await?;
        let asked = self.asked().since(&asked_before);
        let lasted = begins.elapsed();
        let looked = match &self.doctor {
            Some(doctor) => self.look(doctor, phase, supplies).await?,
            None => None,
        };
        Ok(Past { tallies, open, asked, lasted, before, after, looked })
    }

    /// What a doctor finds now. The traffic goes on meanwhile, and is not judged: much of what a gateway knows of a
    /// provider it only learns by being asked.
    #[expect(clippy::disallowed_methods, reason = "the report says how long it took on this machine")]
    async fn look(
        &self,
        doctor: &Doctor,
        phase: &Phase,
        supplies: &[Supply],
    ) -> Result<Option<Looked>, RunError> {
        let Some(patient) = self.subject.patient()? else {
            return Ok(None);
        };
        let token = supplies.iter().find(|supply| phase.hands_in.token.as_deref() == Some(supply.name()));
        let token = token.map(|supply| supply.next(Instant::now())).transpose()?;
        let provider_log = phase.hands_in.provider_log.then(|| self.provider_log());
        let now = Instant::now();
        let unjudged = Span { begins: now, settled: now + FOR_EVER, ends: now + FOR_EVER };
        let mut going_on = JoinSet::new();
        for supply in supplies.iter().filter(|supply| phase.flows(supply.name())) {
            going_on.spawn(flow(supply.clone(), Arc::clone(&self.subject), unjudged, Arc::default()));
        }
        let since = phase.lasts.0.saturating_sub(phase.settle.0);
        let began = RealInstant::now();
        let facts = doctor.look(patient, HandedIn { token, provider_log }, since).await;
        Ok(Some(phase.doctor.judge(facts, began.elapsed().as_secs_f64())))
    }

    /// What the providers wrote of the clients that they refused.
    fn provider_log(&self) -> String {
        let logs = self.lab.issuers().filter_map(|issuer| self.lab.provider_log(Some(issuer), 0).ok());
        logs.flat_map(|log| log.lines).map(|line| format!("{line}\n")).collect()
    }

    async fn take(&self, phase: &Phase, step: &Step) -> Result<(), RunError> {
        if let Some(command) = &step.provider {
            let obeyed = self.lab.obey(command).await;
            obeyed.map_err(|cause| RunError::Command { phase: phase.name.clone(), cause })?;
        }
        match &step.gateway {
            Some(step) => self.subject.step(step).await,
            None => Ok(()),
        }
    }

    /// How many times each issuer was asked so far: by connection where nothing is said on it, by request where many
    /// come on one.
    fn asked(&self) -> Asked {
        let of = |endpoints: &[Endpoint]| {
            let count = |issuer: &String| {
                let counts = self.lab.counts(issuer);
                let asked = endpoints.iter().map(|endpoint| {
                    counts.get(endpoint).map_or(0, |counts| counts.connections.max(counts.requests))
                });
                asked.max().unwrap_or(0)
            };
            self.drill.provider.issuer.keys().map(|issuer| (issuer.clone(), count(issuer))).collect()
        };
        let keys: &[Endpoint] = match self.drill.gateway.introspection {
            // Discovery is asked for the endpoint, too.
            Some(_) => &[Endpoint::Jwks],
            None => &[Endpoint::Discovery, Endpoint::Jwks],
        };
        Asked {
            keys: of(keys),
            introspections: of(&[Endpoint::Introspection]),
            tokens: of(&[Endpoint::Token]),
        }
    }
}

impl Past {
    /// Waits for the answers that are still open.
    async fn complete(self) -> Observed {
        for open in self.open {
            open.join_all().await;
        }
        let tallies = self.tallies.into_iter().map(|(name, tally)| (name, lock(&tally).clone())).collect();
        let Self { asked, lasted, before, after, looked, .. } = self;
        Observed { tallies, asked, lasted, before, after, looked }
    }
}
