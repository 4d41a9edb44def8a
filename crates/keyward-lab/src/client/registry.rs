//! Who an issuer knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::key::ClientKey;
use super::{
    Assertions, CLIENT_ID, CLIENT_SECRET, ClientCommand, ClientKeyError, ClientKeyPlan, ClientKind,
    ClientPlan, ClientState, KeyCondition,
};
use crate::error::CommandError;
use crate::issuer::Shared;
use crate::plan::IssuerPlan;

/// The clients of an issuer. Cloning it copies pointers to keys, so that a command is tried on a copy.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    issuer: String,
    clients: BTreeMap<String, Client>,
}

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) kind: ClientKind,
    pub(crate) secret: Option<String>,
    pub(crate) state: ClientState,
    pub(crate) assertions: Assertions,
    pub(crate) keys: Vec<ClientKey>,
}

/// A client as the control API shows it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ClientDescription {
    /// What it is.
    pub kind: ClientKind,
    /// Whether it is known.
    pub state: ClientState,
    /// Its secret; none where it has only keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How its keys are taken, by name.
    pub keys: BTreeMap<String, KeyCondition>,
}

/// What was made for a command before anything is changed.
#[derive(Debug, Default)]
pub(crate) struct MadeClients {
    registered: Vec<Client>,
    keys: Vec<(String, Vec<ClientKey>)>,
}

impl Clients {
    /// Those of a plan, and the one that every issuer has.
    pub(crate) fn new(issuer: &str, plan: &IssuerPlan, shared: &Shared) -> Result<Self, ClientKeyError> {
        let mut clients = BTreeMap::new();
        let always = ClientPlan { secret: Some(CLIENT_SECRET.to_owned()), ..ClientPlan::default() };
        clients.insert(CLIENT_ID.to_owned(), Client::new(CLIENT_ID, &always, shared)?);
        for (name, plan) in &plan.client {
            clients.insert(name.clone(), Client::new(name, plan, shared)?);
        }
        Ok(Self { issuer: issuer.to_owned(), clients })
    }

    /// One that the issuer has heard of.
    pub(crate) fn known(&self, name: &str) -> Option<&Client> {
        self.clients.get(name).filter(|client| client.state != ClientState::Unknown)
    }

    /// One that it lets in.
    pub(crate) fn enabled(&self, name: &str) -> Option<&Client> {
        self.known(name).filter(|client| client.state == ClientState::Enabled)
    }

    /// One that was planned or registered, in whatever state.
    pub(crate) fn client(&self, name: &str) -> Result<&Client, CommandError> {
        self.clients.get(name).ok_or_else(|| self.unknown(name))
    }

    pub(crate) fn descriptions(&self) -> BTreeMap<String, ClientDescription> {
        let describe = |client: &Client| ClientDescription {
            kind: client.kind,
            state: client.state,
            secret: client.secret.clone(),
            keys: client.keys.iter().map(|key| (key.kid.clone(), key.condition)).collect(),
        };
        self.clients.iter().map(|(name, client)| (name.clone(), describe(client))).collect()
    }

    /// Does what a command says, with what was made for it.
    pub(crate) fn change(
        &mut self,
        commands: &BTreeMap<String, ClientCommand>,
        made: &MadeClients,
    ) -> Result<(), CommandError> {
        for client in &made.registered {
            self.clients.insert(client.name.clone(), client.clone());
        }
        for (name, command) in commands {
            let unknown = self.unknown(name);
            let client = self.clients.get_mut(name).ok_or(unknown)?;
            for (_, keys) in made.keys.iter().filter(|(of, _)| of == name) {
                client.add(keys)?;
            }
            client.change(command)?;
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> CommandError {
        CommandError::UnknownClient {
            client: name.to_owned(),
            issuer: self.issuer.clone(),
            clients: self.clients.keys().cloned().collect(),
        }
    }
}

impl MadeClients {
    /// Whether nothing has to be made for these.
    pub(crate) fn nothing(
        register: &BTreeMap<String, ClientPlan>,
        commands: &BTreeMap<String, ClientCommand>,
    ) -> bool {
        register.is_empty() && commands.values().all(|command| command.register.is_empty())
    }

    /// New clients, and new keys of old ones.
    pub(crate) fn new(
        register: &BTreeMap<String, ClientPlan>,
        commands: &BTreeMap<String, ClientCommand>,
        shared: &Arc<Shared>,
    ) -> Result<Self, ClientKeyError> {
        let registered = register.iter().map(|(name, plan)| Client::new(name, plan, shared));
        let keys =
            commands.iter().map(|(name, command)| Ok((name.clone(), keys(name, &command.register, shared)?)));
        Ok(Self {
            registered: registered.collect::<Result<_, _>>()?,
            keys: keys.collect::<Result<_, ClientKeyError>>()?,
        })
    }
}

impl Client {
    fn new(name: &str, plan: &ClientPlan, shared: &Shared) -> Result<Self, ClientKeyError> {
        let mut client = Self {
            name: name.to_owned(),
            kind: plan.kind,
            secret: plan.secret.clone(),
            state: ClientState::default(),
            assertions: Assertions::default(),
            keys: Vec::new(),
        };
        client.add(&keys(name, &plan.keys, shared)?)?;
        Ok(client)
    }

    /// Its key of this name, or its first one.
    pub(crate) fn key(&self, kid: Option<&str>) -> Result<&ClientKey, CommandError> {
        let key = self.keys.iter().find(|key| kid.is_none_or(|kid| key.kid == kid));
        key.ok_or_else(|| self.unknown_key(kid.unwrap_or_default()))
    }

    fn add(&mut self, keys: &[ClientKey]) -> Result<(), ClientKeyError> {
        for key in keys {
            if self.keys.iter().any(|other| other.kid == key.kid) {
                return Err(ClientKeyError::Repeated { client: self.name.clone(), kid: key.kid.clone() });
            }
            self.keys.push(key.clone());
        }
        Ok(())
    }

    fn change(&mut self, command: &ClientCommand) -> Result<(), CommandError> {
        self.state = command.state.unwrap_or(self.state);
        self.kind = command.kind.unwrap_or(self.kind);
        self.assertions = command.assertions.unwrap_or(self.assertions);
        if let Some(secret) = &command.secret {
            self.secret = Some(secret.clone());
        }
        for (kid, condition) in &command.keys {
            let unknown = self.unknown_key(kid);
            let key = self.keys.iter_mut().find(|key| key.kid == *kid).ok_or(unknown)?;
            key.condition = *condition;
        }
        Ok(())
    }

    fn unknown_key(&self, kid: &str) -> CommandError {
        CommandError::UnknownClientKey {
            kid: kid.to_owned(),
            client: self.name.clone(),
            keys: self.keys.iter().map(|key| key.kid.clone()).collect(),
        }
    }
}

fn keys(client: &str, plans: &[ClientKeyPlan], shared: &Shared) -> Result<Vec<ClientKey>, ClientKeyError> {
    plans.iter().map(|plan| ClientKey::new(client, plan, shared)).collect()
}
