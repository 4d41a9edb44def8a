//! Commands carried out: tried first, and then all of it or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;

use crate::client::MadeClients;
use crate::command::{Beside, Command, JwksUri, Rotate};
use crate::door::{Door, Listeners};
use crate::error::CommandError;
use crate::fault::{Endpoint, Fault, RedirectTo};
use crate::issuer::Issuer;
use crate::key::{KeyGeneration, KeyRing, LabKey, Wrapper, unwanted};
use crate::plan::WrapperPlan;
use crate::port::{Condition, Line};
use crate::rotation;

/// The doors of a lab's issuers; none where it is in memory.
pub(crate) type Doors = BTreeMap<(String, Endpoint), Door>;

/// Rotations more often than this would be nothing else.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// Carries out a command for an issuer.
pub(crate) async fn obey(
    issuer: &Arc<Issuer>,
    doors: &mut Doors,
    command: &Command,
) -> Result<(), CommandError> {
    let conditions = conditions(issuer, command)?;
    check(issuer, command)?;
    let (keys, clients) = generate(issuer, command).await?;
    let wrappers = wrappers(issuer, command, &keys)?;
    let made = Made { keys, wrappers, clients, beside: beside(issuer, command)? };
    let mut tried = issuer.told().keys.ring().clone();
    turn_keys(&mut tried, command, &made)?;
    let mut tried = issuer.told().clients.clone();
    tried.change(&command.client, &made.clients)?;

    let opened = open(issuer, doors, &conditions)?;
    if let Err(refused) = tell(issuer, command, &made) {
        close(issuer, doors, opened);
        return Err(refused);
    }
    for (endpoint, condition) in &conditions {
        let Some(port) = issuer.port(*endpoint) else { continue };
        port.turn(condition.clone());
        if let Some(door) = doors.get_mut(&(issuer.name.clone(), *endpoint))
            && condition.line() == Line::Cut
        {
            door.close(port.number).await;
        }
    }
    for (endpoint, listeners) in opened {
        if let Some(port) = issuer.port(endpoint) {
            let door = Door::open(listeners, Arc::clone(issuer), Arc::clone(port));
            doors.insert((issuer.name.clone(), endpoint), door);
        }
    }
    Ok(())
}

/// What was made for a command before anything is changed.
struct Made {
    keys: Vec<Arc<LabKey>>,
    /// By the name of the key that each is around.
    wrappers: Vec<(String, Arc<Wrapper>)>,
    clients: MadeClients,
    beside: Option<Vec<Value>>,
}

/// How the endpoints are to be that the command names.
fn conditions(issuer: &Issuer, command: &Command) -> Result<BTreeMap<Endpoint, Condition>, CommandError> {
    let mut conditions = BTreeMap::new();
    for endpoint in command.mend.iter().flat_map(|endpoint| each(*endpoint)) {
        conditions.insert(*endpoint, Condition::Well);
    }
    // `All` comes first, so that one of them can be told something else.
    for (endpoint, fault) in &command.fault {
        if matches!(fault, Fault::ActiveAs(_) | Fault::Says(_) | Fault::SignedAs(_))
            && *endpoint != Endpoint::Introspection
        {
            return Err(CommandError::OfIntrospection);
        }
        let fault = checked(issuer, fault)?;
        for endpoint in each(*endpoint) {
            conditions.insert(*endpoint, Condition::Faulty(fault.clone()));
        }
    }
    Ok(conditions)
}

fn each(endpoint: Endpoint) -> &'static [Endpoint] {
    match endpoint {
        Endpoint::All => &Endpoint::EACH,
        Endpoint::Discovery => &[Endpoint::Discovery],
        Endpoint::Jwks => &[Endpoint::Jwks],
        Endpoint::Token => &[Endpoint::Token],
        Endpoint::Introspection => &[Endpoint::Introspection],
    }
}

/// The fault as this issuer can have it.
fn checked(issuer: &Issuer, fault: &Fault) -> Result<Fault, CommandError> {
    match fault {
        Fault::Status { code, .. } | Fault::Refusal { code, .. } if !(200..=599).contains(code) => {
            Err(CommandError::StatusOutOfRange { code: *code })
        }
        Fault::Flap(0) => Err(CommandError::NoFlap),
        Fault::Redirect(RedirectTo::Http) if !issuer.plan.tls => {
            Err(CommandError::NoRedirectTarget { issuer: issuer.name.clone() })
        }
        Fault::Redirect(RedirectTo::Url(url)) => sendable(url).map(|()| fault.clone()),
        Fault::Tls(_) if !issuer.plan.tls => Ok(Fault::Refuse),
        _ => Ok(fault.clone()),
    }
}

fn check(issuer: &Issuer, command: &Command) -> Result<(), CommandError> {
    match &command.jwks_uri {
        Some(JwksUri::Http) if !issuer.plan.tls => {
            return Err(CommandError::NoRedirectTarget { issuer: issuer.name.clone() });
        }
        Some(JwksUri::Url(url)) => sendable(url)?,
        _ => {}
    }
    match command.rotate {
        Some(Rotate::Every { period, .. }) if period.0 < SHORTEST_PERIOD => Err(CommandError::NoPeriod),
        _ => Ok(()),
    }
}

fn sendable(url: &str) -> Result<(), CommandError> {
    HeaderValue::from_str(url).map(drop).map_err(|_| CommandError::BadAddress { address: url.to_owned() })
}

/// The new keys, the issuer's and its clients'. RSA keys take their time, so that is not done on a worker of the
/// runtime.
async fn generate(
    issuer: &Arc<Issuer>,
    command: &Command,
) -> Result<(Vec<Arc<LabKey>>, MadeClients), CommandError> {
    if command.generate.is_empty() && MadeClients::nothing(&command.register, &command.client) {
        return Ok((Vec::new(), MadeClients::default()));
    }
    let (plans, shared) = (command.generate.clone(), Arc::clone(&issuer.shared));
    let (register, clients) = (command.register.clone(), command.client.clone());
    let make = move || {
        let key = |plan| LabKey::generate(plan, &shared.stock).map(Arc::new);
        let keys = plans.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, CommandError>((keys, MadeClients::new(&register, &clients, &shared)?))
    };
    tokio::task::spawn_blocking(make).await.map_err(|_| KeyGeneration)?
}

/// The certificates around new keys, and those that take the place of others.
fn wrappers(
    issuer: &Issuer,
    command: &Command,
    made: &[Arc<LabKey>],
) -> Result<Vec<(String, Arc<Wrapper>)>, CommandError> {
    let planned = command.generate.iter().filter_map(|plan| Some((&plan.kid, plan.wrapper.as_ref()?)));
    let wrap = |(name, plan): (&String, &WrapperPlan)| {
        let key = match made.iter().find(|key| key.name == *name) {
            Some(key) => Arc::clone(key),
            None => Arc::clone(issuer.told().keys.ring().key(name)?),
        };
        Ok((name.clone(), Arc::new(Wrapper::new(&key, plan, &issuer.shared)?)))
    };
    planned.chain(&command.wrapper).map(wrap).collect()
}

fn beside(issuer: &Issuer, command: &Command) -> Result<Option<Vec<Value>>, CommandError> {
    let shared = &issuer.shared;
    let make = |beside: &Beside| unwanted(beside, &shared.random);
    command.beside.as_ref().map(|all| all.iter().map(make).collect()).transpose()
}

fn turn_keys(ring: &mut KeyRing, command: &Command, made: &Made) -> Result<(), CommandError> {
    for key in &made.keys {
        ring.add(Arc::clone(key))?;
    }
    for (name, wrapper) in &made.wrappers {
        ring.wrap(name, Arc::clone(wrapper))?;
    }
    for name in &command.publish {
        ring.publish(name)?;
    }
    if let Some(name) = &command.sign_with {
        ring.sign_with(name)?;
    }
    for name in &command.withdraw {
        ring.withdraw(name)?;
    }
    for beside in command.beside.iter().flatten() {
        if let Beside::DuplicateOf(name) = beside {
            ring.key(name)?;
        }
    }
    if let Some(beside) = &made.beside {
        ring.beside.clone_from(beside);
    }
    if let Some(empty) = command.empty {
        ring.empty = empty;
    }
    if let Some(drop_expired) = command.drop_expired {
        ring.drop_expired = drop_expired;
    }
    command.nodes.as_ref().map_or(Ok(()), |nodes| ring.set_nodes(nodes))
}

/// Listens again where an endpoint no longer refuses; nowhere if one of them cannot.
fn open(
    issuer: &Issuer,
    doors: &mut Doors,
    conditions: &BTreeMap<Endpoint, Condition>,
) -> Result<Vec<(Endpoint, Listeners)>, CommandError> {
    let mut opened = Vec::new();
    for (endpoint, condition) in conditions {
        let Some(port) = issuer.port(*endpoint).filter(|_| condition.line() != Line::Cut) else { continue };
        let Some(door) = doors.get_mut(&(issuer.name.clone(), *endpoint)) else { continue };
        match door.listen(port.number) {
            Ok(listeners) => opened.extend(listeners.map(|listeners| (*endpoint, listeners))),
            Err(source) => {
                close(issuer, doors, opened);
                return Err(CommandError::Listen { port: port.number, source });
            }
        }
    }
    Ok(opened)
}

/// Closes what [`open`] opened.
fn close(issuer: &Issuer, doors: &mut Doors, opened: Vec<(Endpoint, Listeners)>) {
    for (endpoint, listeners) in opened {
        drop(listeners);
        if let Some(port) = issuer.port(endpoint) {
            doors.insert((issuer.name.clone(), endpoint), Door::closed(port.number));
        }
    }
}

/// Everything but the faults, in one moment.
fn tell(issuer: &Arc<Issuer>, command: &Command, made: &Made) -> Result<(), CommandError> {
    let mut told = issuer.told();
    // A rotation may have gone on since it was tried.
    let mut ring = told.keys.ring().clone();
    turn_keys(&mut ring, command, made)?;
    // Nothing changes clients but commands, which come one after the other.
    told.clients.change(&command.client, &made.clients)?;
    told.keys.replace(ring, issuer.shared.clock.wall());
    if let Some(lag) = command.lag {
        told.lag = (!lag.by.0.is_zero()).then_some(lag);
    }
    if let Some(clock) = command.clock {
        told.clock = clock;
    }
    if let Some(jwks_uri) = &command.jwks_uri {
        told.jwks_uri = jwks_uri.clone();
    }
    if let Some(name) = &command.calls_itself {
        told.calls_itself = name.clone();
    }
    if let Some(audience) = &command.assertion_audience {
        told.assertion_audience = audience.clone();
    }
    if let Some(revoke) = &command.revoke {
        told.revocations.add(revoke, issuer.issued.load(Ordering::Relaxed));
    }
    if let Some(rotate) = &command.rotate {
        told.rotation.stop();
        if let Rotate::Every { period, ahead, overlap } = rotate {
            let times = (period.0, ahead.0, overlap.0);
            told.rotation.task = Some(rotation::start(Arc::clone(issuer), told.rotation.number, times));
        }
    }
    Ok(())
}
