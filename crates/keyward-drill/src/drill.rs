//! A drill as its file says it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyward_lab::command::Command;
use keyward_lab::plan::{IssuerPlan, LabPlan};
use keyward_lab::time::Time;
use keyward_lab::token::TokenPlan;
use serde::Deserialize;
use toml::Spanned;

use crate::error::DrillError;
use crate::expectation::Expectation;
use crate::finding::ExpectedFinding;
use crate::gateway_expectation::GatewayExpectation;
use crate::gateway_plan::GatewayPlan;
use crate::introspection::CredentialState;
use crate::variant::{Variant, Variants};

/// One drill: what is running, the traffic, and the phases with their faults and the verdicts that are right.
#[derive(Clone, Debug)]
pub struct Drill {
    /// The file's name, without `.toml`; for a variant, with its name behind.
    pub name: String,
    /// One line.
    pub title: String,
    /// What happens and why it matters, in a few lines.
    pub about: String,
    /// The rows of the catalogue of incidents that it replays.
    pub incidents: Vec<String>,
    /// Where it can be run.
    pub runs: Runs,
    /// Whether traffic is only sent once a token was accepted. A drill of a start during an outage does not wait.
    pub warm: bool,
    /// The provider.
    pub provider: LabPlan,
    /// How the gateway is set up.
    pub gateway: GatewayPlan,
    /// The streams of requests, by name.
    pub traffic: BTreeMap<String, Stream>,
    /// What happens, in order.
    pub phases: Vec<Phase>,
}

/// Where a drill can be run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// Over sockets and in virtual time.
    #[default]
    Both,
    /// Over sockets: it is about TLS, processes, load or memory.
    Sockets,
    /// In virtual time: it is about days.
    VirtualTime,
}

fn yes() -> bool {
    true
}

/// A stream of requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Whose tokens. Default: the only issuer's.
    pub issuer: Option<String>,
    /// Requests a second.
    pub rate: f64,
    /// How long the same token is sent before a new one is asked for; each request has its own where it is zero.
    /// Default 1 s.
    pub renew: Option<Time>,
    /// What its tokens are like.
    #[serde(default)]
    pub token: TokenPlan,
    /// What a proxy on the way does to the header that they come in.
    #[serde(default)]
    pub header: Header,
}

/// What a proxy does to `Authorization`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// It is sent twice.
    Doubled,
    /// Nothing.
    #[default]
    Kept,
    /// It is taken away.
    Stripped,
}

impl Stream {
    /// How long the same token is sent.
    pub fn renew(&self) -> Duration {
        self.renew.map_or(Duration::from_secs(1), |Time(renew)| renew)
    }
}

/// A stretch of time with one expectation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What it is called in the report.
    pub name: String,
    /// How long it lasts.
    pub lasts: Time,
    /// How long verdicts are not judged at its beginning. Default: they are from the first.
    #[serde(default)]
    pub settle: Time,
    /// The streams that flow in it. Default: all.
    pub traffic: Option<Vec<String>>,
    /// What happens in it.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The verdicts that are right, by stream; those of [`ALL_STREAMS`] taken together under that name.
    #[serde(default)]
    pub expect: BTreeMap<String, Expectation>,
    /// What the gateway has to say of itself at the end of the phase.
    #[serde(default)]
    pub gateway: GatewayExpectation,
    /// What it may cost.
    #[serde(default)]
    pub bounds: Bounds,
    /// What `keyward doctor` has to name first at its end. Default: nothing is found.
    #[serde(default)]
    pub doctor: ExpectedFinding,
    /// What the doctor is handed in beside what it sees by itself.
    #[serde(default)]
    pub hands_in: HandsIn,
    /// The alerts whose conditions hold at its end: they fire where that goes on for as long as each waits.
    #[serde(default)]
    pub alerts: Vec<String>,
}

impl Phase {
    /// Whether a stream flows in it.
    pub(crate) fn flows(&self, stream: &str) -> bool {
        self.traffic.as_ref().is_none_or(|streams| streams.iter().any(|name| name == stream))
    }
}

/// What a doctor is handed in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandsIn {
    /// A token of this stream.
    pub token: Option<String>,
    /// What the providers' logs say of the phase.
    #[serde(default)]
    pub provider_log: bool,
}

/// Stands for all streams of a phase, taken together.
pub const ALL_STREAMS: &str = "*";

/// Something that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long after the phase began. Default: at once.
    #[serde(default)]
    pub after: Time,
    /// What the provider is told.
    pub provider: Option<Command>,
    /// What is done to the gateway.
    pub gateway: Option<GatewayStep>,
}

/// What is done to the gateway.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum GatewayStep {
    /// The file of its credential is written anew.
    Credential(CredentialState),
    /// The configuration is changed to deny these key ids, and read again.
    Deny(Vec<String>),
    /// It is told to forget what introspection said of the tokens of this `sub`.
    Forget(String),
    /// It is killed, as a crash or the kernel would.
    Kill,
    /// It is asked to end, and started again.
    Restart,
    /// The file with the keys of each issuer is damaged. The gateway has to be stopped.
    Snapshot(Damage),
    /// It is started.
    Start,
}

/// What can happen to a file with keys.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Half of it was written.
    Cut,
    /// Another issuer's file has its name.
    OtherIssuer,
    /// One character of it is another.
    Scramble,
}

/// What a phase may cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// How slow it may be, against another phase.
    pub latency: Option<LatencyBound>,
    /// The most requests for its key set that the provider may see in the phase, by issuer.
    #[serde(default)]
    pub fetches: BTreeMap<String, u64>,
    /// The most introspection calls that it may see, by issuer.
    #[serde(default)]
    pub introspections: BTreeMap<String, u64>,
    /// The most requests for a token of the gateway's own that it may see, by issuer.
    #[serde(default)]
    pub token_requests: BTreeMap<String, u64>,
    /// The most memory that the gateway may hold, in MiB.
    pub memory_mib: Option<u64>,
    /// The least requests a second that must have been answered, by stream.
    #[serde(default)]
    pub answered_per_second: BTreeMap<String, f64>,
}

/// How slow a phase may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyBound {
    /// Which stream.
    pub stream: String,
    /// The phase that it is held against.
    pub of: String,
    /// The most that its 99th percentile may be, as a multiple of the other's.
    pub within: f64,
    /// Whether it is judged in virtual time alone, where waits take time and nothing else does.
    #[serde(default)]
    pub waits_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDrill {
    title: String,
    about: String,
    #[serde(default)]
    incidents: Vec<String>,
    #[serde(default)]
    runs: Runs,
    #[serde(default = "yes")]
    warm: bool,
    #[serde(default)]
    provider: BTreeMap<String, IssuerPlan>,
    #[serde(default)]
    gateway: GatewayPlan,
    traffic: BTreeMap<String, Stream>,
    phase: Vec<Spanned<Phase>>,
    #[serde(default, rename = "variants")]
    _variants: serde::de::IgnoredAny,
}

impl Drill {
    /// Reads a file: one drill, or one for each of its variants.
    ///
    /// # Errors
    /// [`DrillError`], with the line.
    pub fn parse(name: &str, text: &str) -> Result<Vec<Self>, DrillError> {
        let Variants { variants } = toml::from_str(text).map_err(|error| DrillError::toml(name, &error))?;
        if variants.is_empty() {
            return Ok(vec![Self::parse_one(name, text)?]);
        }
        let drill = |(suffix, variant): (&String, &Variant)| {
            Self::parse_one(&format!("{name}-{suffix}"), &variant.apply(text))
        };
        variants.iter().map(drill).collect()
    }

    fn parse_one(name: &str, text: &str) -> Result<Self, DrillError> {
        let raw: RawDrill = toml::from_str(text).map_err(|error| DrillError::toml(name, &error))?;
        let mut issuer = raw.provider;
        if issuer.is_empty() {
            issuer.insert("main".to_owned(), IssuerPlan::default());
        }
        let drill = Self {
            name: name.to_owned(),
            title: raw.title,
            about: raw.about.trim().to_owned(),
            incidents: raw.incidents,
            runs: raw.runs,
            warm: raw.warm,
            provider: LabPlan { issuer },
            gateway: raw.gateway,
            traffic: raw.traffic,
            phases: Vec::new(),
        };
        let refused = |at: &Spanned<Phase>, what: String| DrillError::Senseless {
            drill: name.to_owned(),
            line: text.get(..at.span().start).map_or(1, |before| before.lines().count() + 1),
            what,
        };
        let of_file = |what: String| DrillError::Senseless { drill: name.to_owned(), line: 1, what };
        drill.check_streams().map_err(of_file)?;
        let mut phases: Vec<Phase> = Vec::new();
        for phase in raw.phase {
            drill.check(phase.get_ref(), &phases).map_err(|what| refused(&phase, what))?;
            phases.push(phase.into_inner());
        }
        if phases.is_empty() {
            return Err(of_file("it has no phase".to_owned()));
        }
        Ok(Self { phases, ..drill })
    }

    /// How long it takes, by its own clock.
    pub fn lasts(&self) -> Duration {
        self.phases.iter().map(|phase| phase.lasts.0).sum()
    }

    /// Whether it measures the machine, so that nothing else should run meanwhile.
    pub fn wants_the_machine(&self) -> bool {
        let is_measured =
            |phase: &Phase| phase.bounds.latency.as_ref().is_some_and(|bound| !bound.waits_only);
        self.phases.iter().any(is_measured) || self.traffic.values().any(|stream| stream.rate > 500.0)
    }

    /// Whether the gateway is started, stopped or told anything, which only works for one of our own.
    pub fn steers_the_gateway(&self) -> bool {
        !self.gateway.starts || self.phases.iter().any(|p| p.steps.iter().any(|s| s.gateway.is_some()))
    }

    /// What the streams and the gateway name has to be there.
    fn check_streams(&self) -> Result<(), String> {
        let issuers = &self.provider.issuer;
        let named = self.traffic.values().filter_map(|stream| stream.issuer.as_ref());
        let unknown = named.chain(self.gateway.issuers.iter().flatten());
        if let Some(issuer) = unknown.into_iter().find(|issuer| !issuers.contains_key(*issuer)) {
            return Err(format!("there is no issuer {issuer:?} in [provider]"));
        }
        let on_the_way = self.traffic.iter().find(|(_, stream)| stream.header != Header::Kept);
        match on_the_way.filter(|_| self.runs != Runs::Sockets) {
            Some((stream, _)) => Err(format!(
                "stream {stream:?} has a header that a proxy changed, which there is over sockets only: say runs = \"sockets\""
            )),
            None => Ok(()),
        }
    }

    /// What the phase names has to be there.
    fn check(&self, phase: &Phase, earlier: &[Phase]) -> Result<(), String> {
        let streams: BTreeSet<&str> = self.traffic.keys().map(String::as_str).collect();
        let known = |stream: &String| {
            if streams.contains(stream.as_str()) {
                Ok(())
            } else {
                Err(format!("there is no stream {stream:?} in [traffic]; there are {streams:?}"))
            }
        };
        phase.traffic.iter().flatten().chain(&phase.hands_in.token).try_for_each(known)?;
        phase.expect.keys().filter(|stream| *stream != ALL_STREAMS).try_for_each(known)?;
        phase.bounds.answered_per_second.keys().try_for_each(known)?;
        let issuers = &self.provider.issuer;
        let Bounds { fetches, introspections, token_requests, .. } = &phase.bounds;
        let bounded = fetches.keys().chain(introspections.keys()).chain(token_requests.keys());
        let unknown = bounded.chain(phase.gateway.issuers());
        if let Some(issuer) = unknown.into_iter().find(|issuer| !issuers.contains_key(*issuer)) {
            return Err(format!("there is no issuer {issuer:?} in [provider]"));
        }
        if phase.settle.0 > phase.lasts.0 {
            return Err("it settles for longer than it lasts".to_owned());
        }
        if let Some(late) = phase.steps.iter().find(|step| step.after.0 >= phase.lasts.0) {
            return Err(format!("the step after {:?} comes when the phase is over", late.after.0));
        }
        if let Some(bound) = &phase.bounds.latency {
            known(&bound.stream)?;
            if !earlier.iter().any(|phase| phase.name == bound.of) {
                return Err(format!("its latency is held against {:?}, which is no earlier phase", bound.of));
            }
        }
        if phase.doctor.codes().next().is_none() && !phase.alerts.is_empty() {
            return Err("it names alerts, and no finding that its doctor has to name".to_owned());
        }
        if earlier.iter().any(|earlier| earlier.name == phase.name) {
            return Err(format!("there is a phase {:?} before it", phase.name));
        }
        Ok(())
    }
}
