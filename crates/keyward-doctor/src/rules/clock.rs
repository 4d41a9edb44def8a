//! The clocks: the provider's, the gateway's, and that of whoever looked.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{ClockFacts, Facts, GatewayIssuer};

use super::found::Found;
use super::held::{self, Seen};
use super::words::{lasting, several};

/// Clocks that are kept by NTP do not differ by this much: one that does is wrong, whatever the leeway forgives.
const WRONG_S: f64 = 30.0;

/// The leeway where nobody says what it is.
const LEEWAY_S: f64 = 60.0;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    let measured: Vec<Measured<'_>> = held::issuers(facts).into_iter().filter_map(Measured::of).collect();
    for one in &measured {
        match one.verdict() {
            Verdict::Wrong => found.add(wrong(one, &measured)),
            Verdict::BeyondLeeway => found.add(narrow(one).certain()),
            Verdict::NearLeeway => found.add(narrow(one).possible()),
            Verdict::Within => found.healthy(one.seen.name, one.told()),
        }
    }
    let unmeasured = facts.issuers.iter().map(|issuer| issuer.configured.name.as_str());
    for name in unmeasured.filter(|name| !measured.iter().any(|one| one.seen.name == *name)) {
        found.unseen(format!("the clock of {name}: no answer had a Date"));
    }
}

/// A provider's clock against ours.
struct Measured<'a> {
    seen: Seen<'a>,
    /// Against the clock of whoever looked, or else against the gateway's.
    clock: ClockFacts,
    /// Against the gateway's, where it knows.
    by_gateway: Option<ClockFacts>,
    leeway_s: f64,
}

enum Verdict {
    BeyondLeeway,
    NearLeeway,
    Within,
    Wrong,
}

impl<'a> Measured<'a> {
    fn of(seen: Seen<'a>) -> Option<Self> {
        let by_gateway = seen.held.and_then(of_gateway).filter(is_number);
        let here = seen.probed.and_then(|probed| probed.clock).filter(is_number);
        let leeway_s = seen.probed.map_or(LEEWAY_S, |probed| probed.configured.leeway_s as f64);
        Some(Self { seen, clock: here.or(by_gateway)?, by_gateway, leeway_s })
    }

    /// The larger of the two differences: tokens are decided by the gateway's clock, and it may be ours that is right.
    fn larger(&self) -> ClockFacts {
        let gateway = self.by_gateway.filter(|gateway| gateway.ahead_s.abs() > self.clock.ahead_s.abs());
        gateway.unwrap_or(self.clock)
    }

    fn verdict(&self) -> Verdict {
        let ClockFacts { ahead_s, uncertainty_s, .. } = self.larger();
        let (far, uncertainty) = (ahead_s.abs(), uncertainty_s.abs());
        match far {
            far if far - uncertainty > self.leeway_s && far >= WRONG_S => Verdict::Wrong,
            far if far - uncertainty > self.leeway_s => Verdict::BeyondLeeway,
            far if far + uncertainty > self.leeway_s => Verdict::NearLeeway,
            _ => Verdict::Within,
        }
    }

    fn told(&self) -> String {
        let ClockFacts { ahead_s, uncertainty_s, answers } = self.clock;
        let (name, uncertainty) = (self.seen.name, lasting(uncertainty_s));
        let of = if self.seen.probed.is_some_and(|probed| probed.clock.is_some()) {
            "ours"
        } else {
            "the gateway's"
        };
        let difference = if ahead_s.abs() <= uncertainty_s {
            format!("agrees with {of} within {uncertainty}")
        } else {
            format!("is {} {} {of}, give or take {uncertainty}", lasting(ahead_s), side(ahead_s))
        };
        format!(
            "the clock of {name} {difference}, by the Date of {}; the leeway is {}",
            several(answers as usize, "answer"),
            lasting(self.leeway_s)
        )
    }
}

/// What the gateway measured. It tells the part that is certain, which is none where the clocks may agree.
fn of_gateway(held: &GatewayIssuer) -> Option<ClockFacts> {
    let certain = held.clock_ahead_seconds?;
    let uncertainty_s = held.clock_uncertain_by_seconds.unwrap_or(1.0);
    let ahead_s = if certain == 0.0 { 0.0 } else { certain + certain.signum() * uncertainty_s };
    Some(ClockFacts { ahead_s, uncertainty_s, answers: 1 })
}

fn is_number(clock: &ClockFacts) -> bool {
    clock.ahead_s.is_finite() && clock.uncertainty_s.is_finite()
}

/// A clock that no leeway should make up for, and whose it is.
fn wrong(one: &Measured<'_>, all: &[Measured<'_>]) -> Finding {
    let name = one.seen.name;
    let by_gateway = one.by_gateway.map(|clock| clock.ahead_s);
    let told =
        by_gateway.map(|ahead| format!("the gateway says: {} {} its own", lasting(ahead), side(ahead)));
    let here = one.clock.ahead_s;
    let is_far = |ahead: f64| ahead.abs() >= WRONG_S;
    let check = |finding: Finding| {
        finding
            .run("See whether this machine's clock is kept", ["timedatectl", "timesync-status"])
            .run("or, with chrony", ["chronyc", "tracking"])
    };
    let theirs = |cause: String| Finding::new(Code::ProviderClockWrong, cause).of(name);
    let others: Vec<f64> =
        all.iter().filter(|other| other.seen.name != name).map(|other| other.clock.ahead_s).collect();
    let finding = match by_gateway {
        Some(gateway) if is_far(gateway) && !is_far(here) => {
            let cause = format!("the clock of the gateway's machine is wrong by {}", lasting(gateway - here));
            check(
                Finding::new(Code::OurClockWrong, cause)
                    .certain()
                    .step("Set it, and have it kept by NTP; then nothing else is to do"),
            )
        }
        Some(gateway) if !is_far(gateway) && is_far(here) => {
            let cause = format!(
                "the clock of the machine that looked is wrong by {}; the gateway's is right",
                lasting(here - gateway)
            );
            check(Finding::new(Code::OurClockWrong, cause).certain().step(
                "Set it. Tokens are decided by the gateway's clock, and that one agrees with the provider's",
            ))
        }
        _ if !others.is_empty() && others.iter().all(|other| (other - here).abs() < WRONG_S) => {
            let cause = format!("our clock is {} {} that of every provider", lasting(here), side(-here));
            check(Finding::new(Code::OurClockWrong, cause).certain().step("Set it, and have it kept by NTP"))
        }
        _ if others.iter().any(|other| !is_far(*other)) => {
            let cause = format!(
                "the clock of {name} is {} {} ours, and other providers' are not",
                lasting(here),
                side(here)
            );
            theirs(cause).certain().step("Have whoever runs the provider set its clock, and keep it by NTP")
        }
        _ => {
            let cause = format!("the clock of {name} is {} {} ours", lasting(here), side(here));
            check(theirs(cause).likely().step("One of the two clocks is wrong. Look at ours first"))
                .step("If ours is right, have whoever runs the provider set theirs, and keep it by NTP")
        }
    };
    let effect = if here > 0.0 { "as from the future" } else { "as old, and expire early" };
    finding
        .seen(one.told())
        .seen_all(told)
        .seen_all(all.iter().filter(|other| other.seen.name != name).map(Measured::told))
        .seen(format!("its tokens are seen {effect}"))
        .step("A larger leeway is no way out: it makes every expired token valid for that much longer")
}

/// A difference that a good clock may have for a while, and a leeway that is smaller.
fn narrow(one: &Measured<'_>) -> Finding {
    let (name, leeway) = (one.seen.name, lasting(one.leeway_s));
    let ClockFacts { ahead_s: ahead, uncertainty_s, .. } = one.larger();
    let cause = format!(
        "the clock of {name} is {} {} ours (give or take {}), and the leeway is {leeway}",
        lasting(ahead),
        side(ahead),
        lasting(uncertainty_s)
    );
    let enough = ((ahead.abs() + uncertainty_s.abs()) / 10.0).ceil() * 10.0;
    Finding::new(Code::LeewayTooSmall, cause)
        .of(name)
        .seen(one.told())
        .step(format!(
            "Set leeway = \"{enough:.0}s\" or more of the [[issuer]], or have both clocks kept by NTP"
        ))
        .run("See whether ours is", ["timedatectl", "timesync-status"])
}

fn side(ahead_s: f64) -> &'static str {
    if ahead_s < 0.0 { "behind" } else { "ahead of" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{first, found, issuer, with};

    fn clock(ahead_s: f64) -> Option<ClockFacts> {
        Some(ClockFacts { ahead_s, uncertainty_s: 0.5, answers: 4 })
    }

    /// What we measured, and what the gateway did; with this leeway.
    fn clocks(here: f64, by_gateway: Option<f64>, leeway_s: u64) -> Facts {
        with(|facts| {
            facts.only().clock = clock(here);
            facts.only().configured.leeway_s = leeway_s;
            facts.held().clock_ahead_seconds = by_gateway;
        })
    }

    #[test]
    fn a_difference_counts_against_the_leeway_with_its_uncertainty() {
        for (ahead, leeway, expected) in [
            (30.0, 60, ""),
            (-30.0, 60, ""),
            (59.4, 60, ""),
            (59.8, 60, "KW4109"),
            (120.0, 60, "KW6102"),
            (-120.0, 60, "KW6102"),
            (120.0, 300, ""),
            (8.0, 5, "KW4109"),
            (0.2, 0, "KW4109"),
        ] {
            assert_eq!(found(&clocks(ahead, None, leeway)), expected, "{ahead} s, leeway {leeway} s");
        }
        let finding = first(&clocks(8.0, None, 5));
        assert_eq!(
            finding.cause,
            "the clock of main is 8 s ahead of ours (give or take 0.5 s), and the leeway is 5 s"
        );
        assert_eq!(finding.certainty, crate::diagnosis::Certainty::Certain);
        assert_eq!(first(&clocks(59.8, None, 60)).certainty, crate::diagnosis::Certainty::Possible);
    }

    #[test]
    fn whose_clock_is_wrong_is_told_by_who_else_agrees() {
        let finding = first(&clocks(0.1, Some(-200.0), 60));
        assert_eq!((finding.code, finding.issuer), (Code::OurClockWrong, None));
        assert!(
            finding.cause.starts_with("the clock of the gateway's machine is wrong by 3 min"),
            "{}",
            finding.cause
        );
        let finding = first(&clocks(200.0, Some(0.0), 60));
        assert!(
            finding.cause.starts_with("the clock of the machine that looked is wrong"),
            "{}",
            finding.cause
        );
        assert_eq!(found(&clocks(200.0, Some(200.0), 60)), "KW6102");

        let two = |other: f64| {
            with(|facts| {
                facts.only().clock = clock(200.0);
                facts.held().clock_ahead_seconds = None;
                facts.only().configured.from_file = false;
                let mut second = issuer();
                second.configured.name = "other".to_owned();
                second.configured.issuer = "https://other.example".to_owned();
                second.configured.from_file = false;
                (second.discovery, second.introspection, second.clock) = (None, None, clock(other));
                facts.issuers.push(second);
            })
        };
        assert_eq!(found(&two(201.0)), "KW6101");
        assert_eq!(found(&two(0.0)), "KW6102");
        assert_eq!(first(&two(0.0)).certainty, crate::diagnosis::Certainty::Certain);
    }

    #[test]
    fn a_clock_that_nobody_measured_is_unseen() {
        let facts = with(|facts| {
            facts.only().clock = None;
            facts.held().clock_ahead_seconds = None;
        });
        let diagnosis = crate::rules::diagnose(&facts);
        assert_eq!(diagnosis.findings, []);
        assert_eq!(diagnosis.unseen, ["the clock of main: no answer had a Date"]);
    }
}
