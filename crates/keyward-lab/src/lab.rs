//! The lab: its issuers over sockets or in memory, told what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::io::DuplexStream;

use crate::addresses::IssuerAddresses;
use crate::authority::Authority;
use crate::client::{ClientDescription, Clients, KeyFileForm};
use crate::clock::LabClock;
use crate::command::Command;
use crate::connection::serve;
use crate::door::{Door, Held};
use crate::error::{CommandError, LabError};
use crate::fault::{Endpoint, Fault};
use crate::issuer::{Issuer, Shared, Told};
use crate::key::{KeyGeneration, KeyRing, KeyState, LabKey, RsaStock, Wrapper};
use crate::obey::{Doors, obey};
use crate::plan::{IssuerPlan, KeyPlan, LabPlan};
use crate::port::{Condition, Counts, Line, Port};
use crate::provider_log::LogLines;
use crate::random::Random;
use crate::replay::Replay;
use crate::token::TokenPlan;

/// Where the made-up ports of a lab in memory begin.
const FIRST_PORT_IN_MEMORY: u16 = 20_000;

/// Octets that a connection in memory holds in each direction.
const IN_MEMORY_BUFFER: usize = 64 * 1024;

/// A running lab. This is a handle: cloning it copies a pointer, and everything ends with the last clone.
#[derive(Clone)]
pub struct Lab(Arc<Inner>);

struct Inner {
    authority: String,
    issuers: BTreeMap<String, Arc<Issuer>>,
    in_memory: bool,
    /// Held while a command is carried out, so that they come one after the other.
    doors: tokio::sync::Mutex<Doors>,
}

/// Where a lab listens: on 127.0.0.1 and, where that can be had, on ::1, an endpoint a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// The first of consecutive ports: for each issuer in the alphabetical order of their names discovery, JWK Set,
    /// token and introspection endpoint. Default: free ones.
    pub first_port: Option<u16>,
    /// Where the lab's authority is kept from one lab to the next: its certificate as `authority.pem`, its key as
    /// `authority.key`. Made if it is not there. Default: a new authority for each lab.
    pub folder: Option<PathBuf>,
}

impl Lab {
    /// Starts on sockets, with the machine's clock and randomness.
    ///
    /// # Errors
    /// [`LabError`], above all where a port is taken.
    pub async fn on_sockets(plan: &LabPlan, sockets: &Sockets) -> Result<Self, LabError> {
        let held = hold(plan, sockets.first_port)?;
        let mut ports = Vec::with_capacity(held.len());
        for socket in &held {
            ports.push(socket.port().map_err(|source| LabError::Listen { port: 0, source })?);
        }
        let (clock, random) = (LabClock::machine(), Random::machine());
        let (plan, folder) = (plan.clone(), sockets.folder.clone());
        let start = move || {
            let authority = match folder {
                Some(folder) => Authority::kept_in(&folder, clock.wall())?,
                None => Authority::new(clock.wall())?,
            };
            Inner::new(&plan, &ports, Shared::new(clock, random, authority), false)
        };
        let inner = tokio::task::spawn_blocking(start).await.map_err(|_| KeyGeneration)??;
        let mut doors = inner.doors.lock().await;
        let every =
            inner.issuers.values().flat_map(|issuer| issuer.ports.iter().map(move |port| (issuer, port)));
        for ((issuer, port), socket) in every.zip(held) {
            let listeners =
                socket.listen().map_err(|source| LabError::Listen { port: port.number, source })?;
            let door = Door::open(listeners, Arc::clone(issuer), Arc::clone(port));
            doors.insert((issuer.name.clone(), port.endpoint), door);
        }
        drop(doors);
        Ok(Self(Arc::new(inner)))
    }

    /// Starts in memory: nothing listens, and [`Lab::connect`] is how it is reached. It is `wall` now, in Unix
    /// seconds, and time goes as tokio's clock does, which may be paused. What is random comes from `seed`, keys and
    /// signatures aside. To be called in a tokio runtime.
    ///
    /// # Errors
    /// [`LabError::TlsInMemory`] where an issuer is to be reached by https, and what else is wrong with the plan.
    pub fn in_memory(plan: &LabPlan, wall: i64, seed: u64) -> Result<Self, LabError> {
        if let Some((issuer, _)) = plan.issuer.iter().find(|(_, plan)| plan.tls) {
            return Err(LabError::TlsInMemory { issuer: issuer.clone() });
        }
        let count = plan.issuer.len() * Endpoint::EACH.len();
        let ports: Vec<u16> = (FIRST_PORT_IN_MEMORY..=u16::MAX).take(count).collect();
        if ports.len() < count {
            return Err(LabError::Ports { first_port: FIRST_PORT_IN_MEMORY, issuers: plan.issuer.len() });
        }
        let clock = LabClock::starting_at(wall);
        let shared = Shared::new(clock, Random::seeded(seed), Authority::new(wall)?);
        Ok(Self(Arc::new(Inner::new(plan, &ports, shared, true)?)))
    }

    /// Carries out a command. It is in effect for every connection and every request when this returns.
    ///
    /// # Errors
    /// [`CommandError`]; nothing is changed then.
    pub async fn obey(&self, command: &Command) -> Result<(), CommandError> {
        let issuer = self.named(command.issuer.as_deref())?;
        let mut doors = self.0.doors.lock().await;
        obey(issuer, &mut doors, command).await
    }

    /// A token of the named issuer, or of the only one.
    ///
    /// # Errors
    /// [`CommandError`] where the plan names what does not exist, or asks for what is no JSON.
    pub fn token(&self, issuer: Option<&str>, plan: &TokenPlan) -> Result<String, CommandError> {
        self.named(issuer)?.token(plan)
    }

    /// The addresses of an issuer; none where there is no such issuer.
    pub fn issuer(&self, name: &str) -> Option<IssuerAddresses> {
        self.0.issuers.get(name).map(|issuer| issuer.addresses.clone())
    }

    /// The names of the issuers, in alphabetical order.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.issuers.keys().map(String::as_str)
    }

    /// The certificate of the lab's authority, in PEM.
    pub fn authority_pem(&self) -> &str {
        &self.0.authority
    }

    /// Who came to each endpoint of an issuer; nothing where there is no such issuer.
    pub fn counts(&self, issuer: &str) -> BTreeMap<Endpoint, Counts> {
        let ports = self.0.issuers.get(issuer).into_iter().flat_map(|issuer| &issuer.ports);
        ports.map(|port| (port.endpoint, port.counts())).collect()
    }

    /// What is wrong with each endpoint of an issuer now; those that are well are not there.
    pub fn faults(&self, issuer: &str) -> BTreeMap<Endpoint, Fault> {
        let ports = self.0.issuers.get(issuer).into_iter().flat_map(|issuer| &issuer.ports);
        ports.filter_map(|port| Some((port.endpoint, port.fault()?))).collect()
    }

    /// The keys of an issuer.
    pub fn keys(&self, issuer: &str) -> Vec<KeyState> {
        self.0.issuers.get(issuer).map(|issuer| issuer.told().keys.ring().states()).unwrap_or_default()
    }

    /// The clients of an issuer, by name; nothing where there is no such issuer.
    pub fn clients(&self, issuer: &str) -> BTreeMap<String, ClientDescription> {
        let issuer = self.0.issuers.get(issuer);
        issuer.map(|issuer| issuer.told().clients.descriptions()).unwrap_or_default()
    }

    /// What the named issuer, or the only one, wrote of the clients that it refused, from this place on: 0 is the
    /// first line. The last 1,024 lines are kept. What `keyward doctor` was refused is not written.
    ///
    /// # Errors
    /// [`CommandError`] where there is no such issuer.
    pub fn provider_log(&self, issuer: Option<&str>, from: u64) -> Result<LogLines, CommandError> {
        Ok(self.named(issuer)?.log().since(from))
    }

    /// The file of a client's private key, of its first one where none is named. The issuer is the named one, or the
    /// only one.
    ///
    /// # Errors
    /// [`CommandError`] where there is no such issuer, client or key, or the key was registered by its public half.
    pub fn key_file(
        &self,
        issuer: Option<&str>,
        client: &str,
        kid: Option<&str>,
        form: KeyFileForm,
    ) -> Result<String, CommandError> {
        self.named(issuer)?.told().clients.client(client)?.key_file(kid, form)
    }

    /// A connection to an endpoint of a lab in memory, by host and port as the issuer's addresses name them.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] where the endpoint refuses, there is none, or the lab is on sockets.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<DuplexStream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let known = self.0.in_memory && IssuerAddresses::is_host(host);
        let (issuer, port) = self.behind(port).filter(|_| known).ok_or_else(refused)?;
        let place = Arc::clone(&port.places).acquire_owned().await.map_err(|_| refused())?;
        if port.line() == Line::Cut {
            return Err(refused());
        }
        port.count_connection();
        let (client, server) = tokio::io::duplex(IN_MEMORY_BUFFER);
        tokio::spawn(async move {
            serve(issuer, port, server).await;
            drop(place);
        });
        Ok(client)
    }

    /// Who is behind a port.
    fn behind(&self, number: u16) -> Option<(Arc<Issuer>, Arc<Port>)> {
        self.0.issuers.values().find_map(|issuer| {
            let port = issuer.ports.iter().find(|port| port.number == number)?;
            Some((Arc::clone(issuer), Arc::clone(port)))
        })
    }

    fn named(&self, name: Option<&str>) -> Result<&Arc<Issuer>, CommandError> {
        let issuers = || self.issuers().map(str::to_owned).collect();
        if let Some(name) = name {
            let unknown = || CommandError::UnknownIssuer { issuer: name.to_owned(), issuers: issuers() };
            return self.0.issuers.get(name).ok_or_else(unknown);
        }
        let mut all = self.0.issuers.values();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(CommandError::NoIssuer),
            (Some(_), Some(_)) => Err(CommandError::SeveralIssuers { issuers: issuers() }),
        }
    }
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab").field("issuers", &self.0.issuers.keys()).finish_non_exhaustive()
    }
}

impl Inner {
    /// `ports` are those of the first issuer's endpoints, then those of the second one's, and so on.
    fn new(plan: &LabPlan, ports: &[u16], shared: Shared, in_memory: bool) -> Result<Self, LabError> {
        let shared = Arc::new(shared);
        let mut issuers = BTreeMap::new();
        for ((name, plan), ports) in plan.issuer.iter().zip(ports.chunks(Endpoint::EACH.len())) {
            let issuer = new_issuer(name, plan, ports, &shared)?;
            issuers.insert(name.clone(), Arc::new(issuer));
        }
        let authority = shared.authority.pem().to_owned();
        Ok(Self { authority, issuers, in_memory, doors: tokio::sync::Mutex::default() })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for issuer in self.issuers.values() {
            for port in &issuer.ports {
                port.turn(Condition::Ended);
            }
            issuer.told().rotation.stop();
        }
    }
}

fn new_issuer(
    name: &str,
    plan: &IssuerPlan,
    ports: &[u16],
    shared: &Arc<Shared>,
) -> Result<Issuer, LabError> {
    let wall = shared.clock.wall();
    let ports: Vec<_> =
        Endpoint::EACH.iter().zip(ports).map(|(endpoint, port)| Port::new(*endpoint, *port)).collect();
    let number = |endpoint| ports.iter().find(|port| port.endpoint == endpoint).map_or(0, |port| port.number);
    let certificates = plan.tls.then(|| shared.authority.certificates(wall)).transpose()?;
    let replay = plan.replay.as_deref().map(Replay::read).transpose();
    let replay = replay.map_err(|source| LabError::Replay { issuer: name.to_owned(), source })?;
    let clients = Clients::new(name, plan, shared)
        .map_err(|source| LabError::Client { issuer: name.to_owned(), source })?;
    let told = Told::new(key_ring(name, plan, shared)?, wall, clients, plan.assertion_audience.clone());
    Ok(Issuer {
        name: name.to_owned(),
        plan: plan.clone(),
        addresses: IssuerAddresses::new(plan.tls, number),
        certificates,
        shared: Arc::clone(shared),
        replay,
        issued: AtomicU64::new(0),
        opaque: Mutex::default(),
        used: Mutex::default(),
        log: Mutex::default(),
        told: Mutex::new(told),
        others: Mutex::default(),
        ports,
    })
}

fn key_ring(issuer: &str, plan: &IssuerPlan, shared: &Shared) -> Result<KeyRing, LabError> {
    let default = [KeyPlan::named("key-1")];
    let plans: &[KeyPlan] = if plan.keys.is_empty() { &default } else { &plan.keys };
    let mut keys: Vec<LabKey> = Vec::with_capacity(plans.len());
    for plan in plans {
        if keys.iter().any(|key| key.name == plan.kid) {
            return Err(LabError::KeyExists { issuer: issuer.to_owned(), kid: plan.kid.clone() });
        }
        keys.push(LabKey::generate(plan, &shared.stock)?);
    }
    let wrappers = plans.iter().zip(&keys).filter_map(|(plan, key)| {
        let wrapper = Wrapper::new(key, plan.wrapper.as_ref()?, shared);
        Some(wrapper.map(|wrapper| (key.name.clone(), Arc::new(wrapper))))
    });
    let wrappers = wrappers.collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok(KeyRing::new(issuer, keys, wrappers))
}

/// A socket for each endpoint of each issuer, so that nobody else takes its port.
fn hold(plan: &LabPlan, first_port: Option<u16>) -> Result<Vec<Held>, LabError> {
    let issuers = plan.issuer.len();
    let mut held = Vec::with_capacity(issuers * Endpoint::EACH.len());
    for place in 0..issuers * Endpoint::EACH.len() {
        let port = match first_port {
            None => 0,
            Some(first_port) => u16::try_from(place)
                .ok()
                .and_then(|place| first_port.checked_add(place))
                .ok_or(LabError::Ports { first_port, issuers })?,
        };
        held.push(Door::hold(port).map_err(|source| LabError::Listen { port, source })?);
    }
    Ok(held)
}

impl Shared {
    fn new(clock: LabClock, random: Random, authority: Authority) -> Self {
        Self { clock, random, stock: RsaStock::default(), authority }
    }
}
