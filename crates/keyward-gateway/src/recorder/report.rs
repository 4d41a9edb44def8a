//! What is recorded, as `/debug/recorder` shows it and as it is written to a file.

use std::time::Duration;

use keyward::clock::rfc3339;
use keyward::{FallbackCause, Now, Reason, Verdict};
use serde::Serialize;

use super::counts::{Counted, LONGEST};
use super::summary::{Source, Summary};
use super::transition::Transition;
use super::unknown_kids::Told;

pub(crate) const PATH: &str = "/debug/recorder";

/// What is asked for where nothing else is said.
const DEFAULT_SINCE: Duration = Duration::from_secs(300);
const DEFAULT_RECENT: usize = 100;

/// What an operator asks for: `?since=SECONDS&recent=COUNT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Over how long counts are, at most as long as they are kept.
    pub(crate) since: Duration,
    /// How many of the last verdicts are shown, at most as many as are kept.
    pub(crate) recent: usize,
}

/// Why nothing is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskedError {
    #[error("recent is how many verdicts are shown, such as 100")]
    Recent,
    #[error("since is a number of seconds from 1 on, such as 300")]
    Since,
    #[error("there are since and recent, and nothing else")]
    Unknown,
}

/// What is recorded. No token is in it, and no claim.
#[derive(Debug, Serialize)]
pub(crate) struct Recording {
    version: &'static str,
    at: String,
    up_seconds: u64,
    since_seconds: u64,
    verdicts: Vec<VerdictCount>,
    fallbacks: Vec<FallbackCount>,
    unclear: u64,
    transitions: Vec<RecordedTransition>,
    /// How many transitions there was no room for.
    transitions_forgotten: u64,
    /// Tokens whose key was not known, of those that were looked at: a few a second.
    unknown_kids: Told,
    recent: Vec<RecordedVerdict>,
    /// How many verdicts came while their place was looked at; they are counted, and not among the recent ones.
    missed: u64,
}

#[derive(Debug, Serialize)]
struct VerdictCount {
    verdict: &'static str,
    reason: Option<&'static str>,
    count: u64,
}

#[derive(Debug, Serialize)]
struct FallbackCount {
    issuer: Box<str>,
    cause: &'static str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct RecordedTransition {
    at: String,
    seconds_ago: u64,
    issuer: Option<Box<str>>,
    event: &'static str,
    cause: Option<&'static str>,
    kid: Option<Box<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    times: u64,
    last_seconds_ago: u64,
}

#[derive(Debug, Serialize)]
struct RecordedVerdict {
    at: String,
    seconds_ago: f64,
    verdict: &'static str,
    reason: Option<&'static str>,
    issuer: Option<String>,
    kid: Option<String>,
    /// The route's number in the configuration, from 1; none where none matched.
    route: Option<usize>,
    source: Option<&'static str>,
    cause: Option<&'static str>,
    took_us: u64,
}

impl Asked {
    /// Reads a query.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, AskedError> {
        let mut asked = Self { since: DEFAULT_SINCE, recent: DEFAULT_RECENT };
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "recent" => asked.recent = value.parse().map_err(|_| AskedError::Recent)?,
                "since" => {
                    let seconds =
                        value.parse().ok().filter(|seconds| *seconds > 0).ok_or(AskedError::Since)?;
                    asked.since = Duration::from_secs(seconds).min(LONGEST);
                }
                _ => return Err(AskedError::Unknown),
            }
        }
        Ok(asked)
    }
}

/// How much there was of everything.
pub(super) struct Sums {
    pub(super) since_s: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) undecided: u64,
    pub(super) fallbacks: u64,
}

/// What a recording is made from.
pub(super) struct Recorded<'a> {
    pub(super) now: Now,
    pub(super) up: Duration,
    pub(super) since: Duration,
    pub(super) counted: Vec<Counted>,
    /// The last first.
    pub(super) transitions: &'a [Transition],
    pub(super) transitions_forgotten: u64,
    pub(super) unknown_kids: Told,
    /// The last first.
    pub(super) recent: &'a [Summary],
    pub(super) missed: u64,
}

impl Recording {
    pub(super) fn of(recorded: Recorded<'_>) -> Self {
        let Recorded {
            now,
            up,
            since,
            counted,
            transitions,
            transitions_forgotten,
            unknown_kids,
            recent,
            missed,
        } = recorded;
        let mut recording = Self {
            version: env!("CARGO_PKG_VERSION"),
            at: rfc3339(now.wall),
            up_seconds: up.as_secs(),
            since_seconds: since.as_secs(),
            verdicts: Vec::new(),
            fallbacks: Vec::new(),
            unclear: 0,
            transitions: transitions
                .iter()
                .map(|transition| RecordedTransition::of(transition, now))
                .collect(),
            transitions_forgotten,
            unknown_kids,
            recent: recent.iter().map(|summary| RecordedVerdict::of(summary, now)).collect(),
            missed,
        };
        counted.into_iter().for_each(|counted| recording.count(counted));
        recording
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// How much there was of everything.
    pub(super) fn sums(&self) -> Sums {
        let sum = |verdict| {
            let of_it = self.verdicts.iter().filter(|count| count.verdict == verdict);
            of_it.map(|count| count.count).sum()
        };
        Sums {
            since_s: self.since_seconds,
            accepted: sum("accept"),
            rejected: sum("reject"),
            undecided: sum("undecided"),
            fallbacks: self.fallbacks.iter().map(|count| count.count).sum(),
        }
    }

    fn count(&mut self, counted: Counted) {
        match counted {
            Counted::Accepted(count) => {
                self.verdicts.push(VerdictCount { verdict: ACCEPT, reason: None, count });
            }
            Counted::Fallback { issuer, cause, count } => {
                self.fallbacks.push(FallbackCount { issuer, cause, count });
            }
            Counted::Refused(reason, count) => {
                let (verdict, reason) = (Verdict::from(reason).label(), Some(reason.label()));
                self.verdicts.push(VerdictCount { verdict, reason, count });
            }
            Counted::Unclear(count) => self.unclear = count,
        }
    }
}

impl RecordedTransition {
    fn of(transition: &Transition, now: Now) -> Self {
        let Transition { at, wall, last_at, times, what } = transition;
        let ago = |at| now.mono.saturating_since(at).as_secs();
        Self {
            at: rfc3339(*wall),
            seconds_ago: ago(*at),
            issuer: what.issuer.clone(),
            event: what.event,
            cause: what.cause,
            kid: what.kid.clone(),
            added: what.added.clone(),
            removed: what.removed.clone(),
            times: *times,
            last_seconds_ago: ago(*last_at),
        }
    }
}

impl RecordedVerdict {
    fn of(summary: &Summary, now: Now) -> Self {
        let Summary { at, took, reason, source, cause, route, issuer, kid } = summary;
        let ago = now.mono.saturating_since(*at);
        Self {
            at: rfc3339(now.wall.saturating_sub(ago)),
            seconds_ago: ago.as_millis() as f64 / 1000.0,
            verdict: reason.map_or(ACCEPT, |reason| Verdict::from(reason).label()),
            reason: reason.map(Reason::label),
            issuer: issuer.text(),
            kid: kid.text(),
            route: *route,
            source: source.map(Source::label),
            cause: cause.map(FallbackCause::label),
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// The label of [`Verdict::Accept`], of which there is none here.
const ACCEPT: &str = "accept";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_within_bounds() {
        let asked = |since, recent| Ok(Asked { since: Duration::from_secs(since), recent });
        assert_eq!(Asked::parse(None), asked(300, 100));
        assert_eq!(Asked::parse(Some("since=5&recent=0")), asked(5, 0));
        assert_eq!(Asked::parse(Some("since=99999999")), asked(600, 100));
        for since in ["since=0", "since=", "since=5m", "since=-1"] {
            assert_eq!(Asked::parse(Some(since)), Err(AskedError::Since), "{since}");
        }
        assert_eq!(Asked::parse(Some("recent=all")), Err(AskedError::Recent));
        assert_eq!(Asked::parse(Some("seconds=5")), Err(AskedError::Unknown));
    }
}
