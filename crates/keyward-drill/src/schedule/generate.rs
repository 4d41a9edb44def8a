//! Makes a schedule from a seed.

use keyward_lab::command::{Beside, ClockError, Command, JwksUri, Lag};
use keyward_lab::fault::{Endpoint, Fault, RedirectTo};
use keyward_lab::plan::Algorithm;
use keyward_lab::time::Time;
use keyward_lab::token::Signature;

use super::dice::Dice;
use super::duration;
use super::plan::{Ask, Event, Millis, Mint, PlannedIssuer, Schedule, Token, Worth};
use super::rotation::{KeyStep, Ring, is_idle, rotation};
use crate::drill::{Damage, GatewayStep};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;

/// What is meant to happen. Which keys and tokens that concerns is known when those before it have happened.
#[derive(Clone, Debug)]
enum Intent {
    /// A request of one of these kinds.
    Ask(usize, Traffic),
    /// The verifier is killed; its snapshots may be damaged then.
    Kill,
    Damage(Damage),
    Start,
    /// A key of this issuer is denied.
    Deny(usize),
    /// No key is denied any more.
    Allow,
    Keys(usize, Vec<KeyStep>),
    Provider(Box<Command>),
}

#[derive(Clone, Copy, Debug)]
enum Traffic {
    /// Good tokens mostly.
    Everyday,
    /// Kids that nobody has.
    Junk,
    /// Tokens that came before.
    Returning,
    /// Tokens of the key that signs now.
    Rush,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // Short ones more often than long ones, so that a thousand take less than a minute.
        let ends =
            [(); 2].map(|()| dice.spread(5 * MINUTE, 60 * MINUTE)).into_iter().min().unwrap_or(5 * MINUTE);
        let snapshots = dice.percent(60);
        let count = dice.between(1, 3);
        let issuers: Vec<_> =
            ["a", "b", "c"].iter().zip(0..count).map(|(name, _)| issuer(&mut dice, name)).collect();
        let mut intents = Vec::new();
        for (place, issuer) in issuers.iter().enumerate() {
            trouble(&mut dice, ends, issuer, &mut intents);
            rotations(&mut dice, ends, place, issuer, &mut intents);
            traffic(&mut dice, ends, place, &mut intents);
        }
        gateway(&mut dice, ends, &issuers, &mut intents);
        intents.retain(|(at, _)| *at < ends);
        intents.sort_by_key(|(at, _)| *at);
        let events = Resolver::new(&mut dice, &issuers).resolve(intents);
        Self { seed, ends, snapshots, issuers, events }
    }
}

fn issuer(dice: &mut Dice, name: &str) -> PlannedIssuer {
    let ttl = dice.pick(&[60, 90, 120, 300, 600]).map_or(MINUTE, |ttl| ttl * SECOND);
    let stale_limit = ttl * dice.pick(&[2, 3, 5, 12]).copied().unwrap_or(2);
    let max_age = dice.percent(20).then(|| dice.between(0, 2 * ttl / SECOND));
    let timeout = dice.pick(&[1, 2, 5, 10]).map_or(SECOND, |timeout| timeout * SECOND);
    PlannedIssuer { name: name.to_owned(), ttl, max_age, stale_limit, timeout }
}

fn told(issuer: &PlannedIssuer) -> Command {
    Command { issuer: Some(issuer.name.clone()), ..Command::default() }
}

/// Faults that come and go, junk in the set, a clock that is wrong.
fn trouble(dice: &mut Dice, ends: Millis, issuer: &PlannedIssuer, intents: &mut Vec<(Millis, Intent)>) {
    let mut tell = |at, command| intents.push((at, Intent::Provider(Box::new(command))));
    for _ in 0..dice.between(0, 4) {
        let at = dice.between(0, ends);
        let until = at + dice.spread(SECOND, 20 * MINUTE);
        let place = *dice
            .pick(&[Endpoint::All, Endpoint::All, Endpoint::Jwks, Endpoint::Discovery])
            .unwrap_or(&Endpoint::All);
        match dice.between(0, 9) {
            0 => {
                tell(at, Command { empty: Some(true), ..told(issuer) });
                tell(until, Command { empty: Some(false), ..told(issuer) });
            }
            1 => {
                tell(at, Command { jwks_uri: Some(JwksUri::Metadata), ..told(issuer) });
                tell(until, Command { jwks_uri: Some(JwksUri::True), ..told(issuer) });
            }
            _ => {
                let first = fault(dice, place, issuer.timeout);
                tell(at, Command { fault: [(place, first)].into(), ..told(issuer) });
                if dice.percent(30) {
                    let next = fault(dice, place, issuer.timeout);
                    tell(dice.between(at, until), Command { fault: [(place, next)].into(), ..told(issuer) });
                }
                tell(until, Command { mend: vec![place], ..told(issuer) });
            }
        }
    }
    for _ in 0..dice.between(0, 2) {
        let beside = (0..dice.between(0, 4)).map(|_| beside(dice, issuer)).collect();
        tell(dice.between(0, ends), Command { beside: Some(beside), ..told(issuer) });
    }
    if dice.percent(35) {
        let (at, lasts) = (dice.between(0, ends), dice.spread(SECOND, 20 * MINUTE));
        let lag = Lag { by: Time(duration(dice.spread(SECOND, 5 * MINUTE))), age_header: dice.percent(50) };
        tell(at, Command { lag: Some(lag), ..told(issuer) });
        let none = Lag { by: Time::default(), age_header: false };
        tell(at + lasts, Command { lag: Some(none), ..told(issuer) });
    }
    for _ in 0..dice.between(0, 2) {
        // Together with the other's rounding it stays within the leeway.
        let clock = ClockError { ahead_s: dice.between(-25, 25), tokens: true, date_header: true };
        tell(dice.between(0, ends), Command { clock: Some(clock), ..told(issuer) });
    }
}

fn fault(dice: &mut Dice, place: Endpoint, timeout: Millis) -> Fault {
    let status = |code, retry_after: Option<i64>| Fault::Status {
        code,
        retry_after: retry_after.map(i64::unsigned_abs),
    };
    match dice.between(0, 20) {
        0 | 1 => Fault::Refuse,
        2 | 3 => Fault::Hang,
        4 => Fault::HangAfterHead,
        // Two of them are well within the time for a fetch.
        5 | 6 => Fault::Delay(Time(duration(dice.between(1, timeout / 4)))),
        7 => Fault::Delay(Time(duration(2 * timeout))),
        8 => Fault::Drip,
        9 => Fault::CloseMidway,
        10 => status(if place == Endpoint::Jwks { 404 } else { 403 }, None),
        11 => status(429, Some(dice.between(1, 600))),
        12 => status(503, Some(dice.between(0, 60))),
        13 => status(*dice.pick(&[401, 500, 503]).unwrap_or(&500), None),
        14 => Fault::Html,
        15 => Fault::TruncatedJson,
        16 => Fault::WrongContentType,
        17 => {
            if dice.percent(50) {
                Fault::Oversized
            } else {
                Fault::GzipBomb
            }
        }
        18 => Fault::Redirect(if dice.percent(50) { RedirectTo::OtherHost } else { RedirectTo::Metadata }),
        _ => Fault::Flap(u32::try_from(dice.between(2, 4)).unwrap_or(2)),
    }
}

/// What may stand beside good keys. None has the name of a key that comes, or comes back: while a set has the name
/// for another key that can be used, the right one is found with the next refresh only.
fn beside(dice: &mut Dice, PlannedIssuer { name, .. }: &PlannedIssuer) -> Beside {
    match dice.between(0, 8) {
        0 => Beside::Akp,
        1 => Beside::BrokenPoint(format!("{name}-twin")),
        2 => Beside::BrokenPoint(format!("{name}-broken")),
        3 => Beside::DuplicateOf(format!("{name}-twin")),
        4 => Beside::WeakRsa,
        5 => Beside::Symmetric,
        6 => Beside::Encryption,
        7 => Beside::Nameless,
        _ => Beside::NoObject,
    }
}

fn rotations(
    dice: &mut Dice,
    ends: Millis,
    place: usize,
    issuer: &PlannedIssuer,
    intents: &mut Vec<(Millis, Intent)>,
) {
    let [dark, twin] = ["dark", "twin"].map(|name| format!("{}-{name}", issuer.name));
    // One that is never shown, and one that always is.
    let steps = vec![KeyStep::Make(dark), KeyStep::Make(twin.clone()), KeyStep::Publish(twin)];
    intents.push((0, Intent::Keys(place, steps)));
    let mut times: Vec<Millis> = (0..dice.between(0, 5)).map(|_| dice.between(0, ends)).collect();
    times.sort_unstable();
    for (at, number) in times.into_iter().zip(2..) {
        let steps = rotation(dice, at, &format!("{}-{number}", issuer.name));
        let mut ask = |at: Millis, kind| intents.push((at.max(0), Intent::Ask(place, kind)));
        if dice.percent(50) {
            // Its tokens come at once.
            (1..=6).for_each(|number| ask(at + number * number * 100, Traffic::Rush));
        }
        if dice.percent(40) {
            // It comes amid junk.
            let gap = dice.between(50, 300);
            (-15..15).for_each(|number| ask(at + number * gap, Traffic::Junk));
        }
        intents.extend(steps.into_iter().map(|(at, steps)| (at, Intent::Keys(place, steps))));
    }
}

fn traffic(dice: &mut Dice, ends: Millis, place: usize, intents: &mut Vec<(Millis, Intent)>) {
    for _ in 0..(ends / (25 * SECOND)).min(40) {
        intents.push((dice.between(0, ends), Intent::Ask(place, Traffic::Everyday)));
    }
    for _ in 0..dice.between(0, 3) {
        let kind =
            dice.weighed([(2, Traffic::Everyday), (3, Traffic::Junk), (2, Traffic::Rush)], Traffic::Rush);
        let (at, count) = (dice.between(0, ends), dice.between(3, 20));
        let gap = dice.pick(&[0, 0, 10, 100, 400, 1500]).copied().unwrap_or(0);
        intents.extend((0..count).map(|number| (at + number * gap, Intent::Ask(place, kind))));
    }
}

/// The verifier goes down and comes back, at times while a provider is down; keys are denied and allowed again. Those
/// who came before come again then.
fn gateway(dice: &mut Dice, ends: Millis, issuers: &[PlannedIssuer], intents: &mut Vec<(Millis, Intent)>) {
    let mut at = 0;
    for _ in 0..dice.between(0, 3) {
        at += dice.spread(MINUTE, ends);
        intents.push((at, Intent::Kill));
        if dice.percent(20) {
            let damage = if dice.percent(50) { Damage::Cut } else { Damage::Scramble };
            intents.push((at, Intent::Damage(damage)));
        }
        let killed = at;
        at += dice.spread(SECOND, 10 * MINUTE);
        intents.push((at, Intent::Start));
        if let Some(issuer) = dice.pick(issuers).filter(|_| dice.percent(40)) {
            let fails = fault(dice, Endpoint::All, issuer.timeout);
            let command = Command { fault: [(Endpoint::All, fails)].into(), ..told(issuer) };
            intents.push((dice.between(killed, at), Intent::Provider(Box::new(command))));
            let command = Command { mend: vec![Endpoint::All], ..told(issuer) };
            let mended = at + dice.spread(SECOND, 10 * MINUTE);
            intents.push((mended, Intent::Provider(Box::new(command))));
        }
        return_of_all(dice, at, issuers.len(), intents);
    }
    for _ in 0..dice.between(0, 2) {
        let at = dice.between(0, ends);
        let places: Vec<usize> = (0..issuers.len()).collect();
        intents.push((at, Intent::Deny(dice.pick(&places).copied().unwrap_or(0))));
        return_of_all(dice, at, issuers.len(), intents);
        if dice.percent(60) {
            intents.push((at + dice.spread(SECOND, 10 * MINUTE), Intent::Allow));
        }
    }
}

fn return_of_all(dice: &mut Dice, at: Millis, issuers: usize, intents: &mut Vec<(Millis, Intent)>) {
    for place in (0..issuers).flat_map(|place| [place; 3]) {
        intents.push((at + dice.spread(10, 20 * SECOND), Intent::Ask(place, Traffic::Returning)));
    }
}

/// Turns what is meant to happen into what does.
struct Resolver<'a> {
    dice: &'a mut Dice,
    rings: Vec<Ring>,
    /// The numbers of the requests so far, by issuer.
    asked: Vec<Vec<usize>>,
    asks: usize,
    denied: Vec<String>,
    is_up: bool,
    events: Vec<(Millis, Event)>,
}

impl<'a> Resolver<'a> {
    fn new(dice: &'a mut Dice, issuers: &[PlannedIssuer]) -> Self {
        let ring =
            |issuer: &PlannedIssuer| Ring::new(&issuer.name, Algorithm::ES256, format!("{}-1", issuer.name));
        let (rings, asked) = (issuers.iter().map(ring).collect(), vec![Vec::new(); issuers.len()]);
        Self { dice, rings, asked, asks: 0, denied: Vec::new(), is_up: true, events: Vec::new() }
    }

    fn resolve(mut self, intents: Vec<(Millis, Intent)>) -> Vec<(Millis, Event)> {
        for (at, intent) in intents {
            let Some(event) = self.event(intent) else { continue };
            // Only requests may come together, so that there is no doubt about what was first.
            let at = match (self.events.last(), &event) {
                (None, _) => at.max(1),
                (Some((before, Event::Ask(_))), Event::Ask(_)) => at.max(*before),
                (Some((before, _)), _) => at.max(before + 1),
            };
            self.events.push((at, event));
        }
        self.events
    }

    fn event(&mut self, intent: Intent) -> Option<Event> {
        let was_up = self.is_up;
        match intent {
            Intent::Ask(issuer, traffic) => self.ask(issuer, traffic).map(Event::Ask),
            Intent::Kill => {
                self.is_up = false;
                was_up.then_some(Event::Gateway(GatewayStep::Kill))
            }
            Intent::Damage(damage) => (!was_up).then_some(Event::Gateway(GatewayStep::Snapshot(damage))),
            Intent::Start => {
                self.is_up = true;
                (!was_up).then_some(Event::Gateway(GatewayStep::Start))
            }
            Intent::Deny(issuer) => {
                let ring = self.rings.get(issuer)?;
                let any = self.dice.pick(ring.made())?.clone();
                let kid = if self.dice.percent(60) { ring.signing().to_owned() } else { any };
                self.denied.push(kid);
                self.deny()
            }
            Intent::Allow => {
                self.denied.clear();
                self.deny()
            }
            Intent::Keys(issuer, steps) => {
                let command = self.rings.get_mut(issuer)?.take(&steps);
                (!is_idle(&command)).then(|| Event::Provider(Box::new(command)))
            }
            Intent::Provider(command) => Some(Event::Provider(command)),
        }
    }

    /// What is denied while the verifier is down is denied with the next change of that.
    fn deny(&self) -> Option<Event> {
        self.is_up.then(|| Event::Gateway(GatewayStep::Deny(self.denied.clone())))
    }

    fn ask(&mut self, issuer: usize, traffic: Traffic) -> Option<Ask> {
        #[derive(Clone, Copy)]
        enum Kind {
            Again,
            Any,
            Dark,
            Forged,
            Guessed,
            Nameless,
            Signing,
            Stray,
        }
        let dice = &mut *self.dice;
        let ring = self.rings.get(issuer)?;
        let kind = match traffic {
            Traffic::Everyday => dice.weighed(
                [
                    (38, Kind::Signing),
                    (20, Kind::Again),
                    (12, Kind::Any),
                    (10, Kind::Forged),
                    (8, Kind::Stray),
                    (5, Kind::Nameless),
                    (4, Kind::Guessed),
                    (3, Kind::Dark),
                ],
                Kind::Signing,
            ),
            Traffic::Junk => dice.weighed(
                [(12, Kind::Stray), (4, Kind::Guessed), (2, Kind::Forged), (1, Kind::Signing)],
                Kind::Stray,
            ),
            Traffic::Returning => dice.weighed([(2, Kind::Again), (1, Kind::Signing)], Kind::Signing),
            Traffic::Rush => dice.weighed([(4, Kind::Signing), (1, Kind::Any)], Kind::Signing),
        };
        let next = || {
            let numbers = ring.made().iter().filter_map(|key| key.rsplit('-').next()?.parse::<u32>().ok());
            let prefix = ring.made().first().and_then(|key| key.split('-').next()).unwrap_or_default();
            format!("{prefix}-{}", numbers.max().unwrap_or(0) + 1)
        };
        let signing = ring.signing().to_owned();
        let (key, worth) = match kind {
            Kind::Again => (signing, Worth::Good),
            Kind::Any => (dice.pick(ring.made()).cloned().unwrap_or(signing), Worth::Good),
            Kind::Dark => (ring.made().iter().find(|key| key.ends_with("-dark"))?.clone(), Worth::Good),
            Kind::Forged => {
                let signature = if dice.percent(50) { Signature::Random } else { Signature::OtherKey };
                (dice.pick(ring.published()).cloned().unwrap_or(signing), Worth::Forged(signature))
            }
            Kind::Guessed => (signing, Worth::Guessed(next())),
            Kind::Nameless => (signing, Worth::Nameless),
            Kind::Signing => (signing, Worth::Good),
            Kind::Stray => (signing, Worth::Stray),
        };
        let lifetime = dice.pick(&[30, 300, 300, 1200, 7200]).map_or(SECOND, |lifetime| lifetime * SECOND);
        let asked = self.asked.get_mut(issuer)?;
        let again = dice.pick(asked).copied().filter(|_| matches!(kind, Kind::Again));
        let token = again.map_or(Token::New(Mint { key, worth, lifetime }), Token::Again);
        asked.push(self.asks);
        self.asks += 1;
        Some(Ask { issuer, token })
    }
}
