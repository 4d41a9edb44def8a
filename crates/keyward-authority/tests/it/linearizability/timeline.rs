//! The log as the order in which everything happened, and whether what was seen fits into it.
//!
//! Promise 9 has commands happen in the order of their positions, so no order is searched for: this one has to agree with when
//! each command was begun and over, and each answer with how things were at a time at which it may have looked.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::fact::{Fact, Name};

/// A command that is in the log. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) what: String,
    /// It did not happen before.
    pub(super) begun: u64,
    /// It did not happen after; the greatest where nobody knows.
    pub(super) ended: u64,
    /// What it made so, in its order.
    pub(super) made: Vec<(Name, Option<Value>)>,
}

/// Something that was answered.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) what: String,
    pub(super) begun: u64,
    pub(super) ended: u64,
    /// One of these was so, and each may have been remembered for so long.
    pub(super) ways: Vec<(Fact, u64)>,
}

/// Everything that happened: one command after the other.
#[derive(Debug)]
pub(super) struct Timeline {
    steps: Vec<Step>,
    /// How each thing is, since which step.
    history: HashMap<Name, Vec<(usize, Option<Value>)>>,
}

/// How things are between a command and the next.
#[derive(Debug)]
struct Step {
    what: String,
    /// They are not so before.
    since: u64,
    /// They are not so after.
    until: u64,
}

/// How things are after a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    timeline: &'a Timeline,
    step: usize,
}

impl<'a> At<'a> {
    pub(super) fn find(&self, name: &Name) -> Option<&'a Value> {
        let history = self.timeline.history.get(name)?;
        let place = history.partition_point(|(since, _)| *since <= self.step);
        history[..place].last()?.1.as_ref()
    }
}

impl Timeline {
    /// Of all commands in the order of the log, or why they cannot have happened in it.
    pub(super) fn new(commits: Vec<Commit>) -> Result<Self, String> {
        let mut steps = vec![Step { what: "nothing".to_owned(), since: 0, until: u64::MAX }];
        let mut history: HashMap<Name, Vec<_>> = HashMap::new();
        let mut ended = Vec::new();
        for Commit { what, begun, ended: end, made } in commits {
            let since = steps[steps.len() - 1].since.max(begun);
            for (name, body) in made {
                history.entry(name).or_default().push((steps.len(), body));
            }
            steps.push(Step { what, since, until: u64::MAX });
            ended.push(end);
        }
        let mut until = u64::MAX;
        for (step, end) in ended.into_iter().enumerate().rev() {
            until = until.min(end);
            steps[step].until = until;
            if steps[step + 1].since > until {
                let (first, second) = (&steps[step], &steps[step + 1]);
                return Err(format!("{second:?} came into the log behind {first:?}, and was over before"));
            }
        }
        Ok(Self { steps, history })
    }

    /// After so many commands.
    pub(super) fn at(&self, step: usize) -> At<'_> {
        At { timeline: self, step }
    }

    /// Whether all of it can have been seen; what was seen later is not older.
    pub(super) fn check(&self, mut seen: Vec<Seen>) -> Result<(), String> {
        seen.sort_by_key(Seen::earliest);
        // By when they were over, at which step the answers fit that are not known to be over yet.
        let (mut placed, mut least) = (BTreeMap::<u64, usize>::new(), 0);
        for seen in &seen {
            while let Some((ended, step)) = placed.first_key_value().map(|(ended, step)| (*ended, *step)) {
                if ended >= seen.earliest() {
                    break;
                }
                least = least.max(step);
                placed.remove(&ended);
            }
            let step = seen.ways.iter().filter_map(|(fact, age)| self.place(seen, fact, *age, least)).min();
            let Some(step) = step else {
                return Err(self.unexplained(seen, least));
            };
            let known = placed.entry(seen.ended).or_default();
            *known = step.max(*known);
        }
        Ok(())
    }

    /// The first step, from `least` on, at which it can have been seen.
    fn place(&self, seen: &Seen, fact: &Fact, age: u64, least: usize) -> Option<usize> {
        self.between(seen.begun.saturating_sub(age), seen.ended, least)
            .find(|step| fact.holds(self.at(*step)))
    }

    /// The steps that things may have been at, at some time between these two.
    fn between(&self, begun: u64, ended: u64, least: usize) -> std::ops::Range<usize> {
        let first = self.steps.partition_point(|step| step.until < begun);
        first.max(least)..self.steps.partition_point(|step| step.since <= ended)
    }

    fn unexplained(&self, seen: &Seen, least: usize) -> String {
        let about: Vec<_> = seen.ways.iter().map(|(fact, _)| fact.name()).collect();
        let Seen { what, begun, ended, ways } = seen;
        let mut lines =
            vec![format!("{what}, {begun} to {ended}, says one of {ways:?}; it may have looked at")];
        for step in self.between(seen.earliest(), seen.ended, least) {
            let Step { what, since, until } = &self.steps[step];
            let are: Vec<_> = about.iter().map(|name| self.at(step).find(name)).collect();
            lines.push(format!("{step}, {since} to {until}, {what}: {are:?}"));
        }
        lines.join("\n")
    }
}

impl Seen {
    /// At one time, that it answered at.
    pub(super) fn now(what: &str, begun: u64, ended: u64, fact: Fact) -> Self {
        Self::remembered(what, begun, ended, fact, 0)
    }

    /// The same, or so long before.
    pub(super) fn remembered(what: &str, begun: u64, ended: u64, fact: Fact, age: u64) -> Self {
        Self { what: what.to_owned(), begun, ended, ways: vec![(fact, age)] }
    }

    fn earliest(&self) -> u64 {
        let age = self.ways.iter().map(|(_, age)| *age).max().unwrap_or(0);
        self.begun.saturating_sub(age)
    }
}

fn robot() -> Name {
    ("service_account", "robot".to_owned())
}

/// A robot that is made at 10 to 20, disabled at 30 to 40, and deleted at 50 or any time later.
fn life() -> Vec<Commit> {
    let commit = |what: &str, begun, ended, enabled: Option<bool>| {
        let body = enabled.map(|enabled| serde_json::json!({ "enabled": enabled }));
        Commit { what: what.to_owned(), begun, ended, made: vec![(robot(), body)] }
    };
    vec![
        commit("made", 10, 20, Some(true)),
        commit("disabled", 30, 40, Some(false)),
        commit("deleted", 50, u64::MAX, None),
    ]
}

#[test]
fn what_could_have_happened_fits_into_the_log() {
    let timeline = Timeline::new(life()).unwrap();
    let now = |begun, ended, fact: fn(Name) -> Fact| Seen::now("test", begun, ended, fact(robot()));
    for seen in [
        vec![],
        vec![now(0, 9, Fact::Absent), now(21, 29, Fact::Enabled), now(41, 49, Fact::Disabled)],
        // At the same time as it is made: both, and in this order.
        vec![now(11, 12, Fact::Absent), now(13, 14, Fact::Enabled)],
        // Nobody knows when it was deleted.
        vec![now(51, 52, Fact::Disabled), now(60, 70, Fact::Absent)],
        // One of two is enough, and what is remembered may be as old as it says.
        vec![Seen {
            ways: vec![(Fact::Absent(robot()), 0), (Fact::Enabled(robot()), 11)],
            ..now(48, 49, Fact::Absent)
        }],
    ] {
        timeline.check(seen).unwrap();
    }
}

#[test]
fn what_could_not_have_happened_does_not() {
    let timeline = Timeline::new(life()).unwrap();
    let now = |begun, ended, fact: fn(Name) -> Fact| Seen::now("test", begun, ended, fact(robot()));
    for seen in [
        // "Not found" after it was made.
        vec![now(21, 29, Fact::Absent)],
        // There before it was.
        vec![now(0, 9, Fact::Enabled)],
        // Let in after it was disabled, at once or for longer than it may be remembered.
        vec![now(41, 45, Fact::Enabled)],
        vec![Seen::remembered("test", 51, 55, Fact::Enabled(robot()), 10)],
        // Not there before it was deleted.
        vec![now(41, 49, Fact::Absent)],
        // Back and forth, each of which could have been by itself.
        vec![now(11, 12, Fact::Enabled), now(13, 14, Fact::Absent)],
        vec![now(60, 70, Fact::Absent), now(71, 72, Fact::Disabled)],
    ] {
        timeline.check(seen.clone()).expect_err(&format!("{seen:?}"));
    }
}

#[test]
fn commands_that_came_into_the_log_in_another_order_than_they_happened_are_no_timeline() {
    let mut commits = life();
    commits.swap(0, 1);
    Timeline::new(commits).unwrap_err();
}
