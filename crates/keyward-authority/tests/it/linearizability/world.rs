//! Who is in the realm, and what was done and answered so far.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keyward::Algorithm;
use keyward_authority::authority::Authority;
use keyward_authority::client_auth::key_files::Uploaded;
use keyward_authority::entity::{Client, Realm, ResourceServer, ServiceAccount};
use keyward_authority::operations::{self, KeyOwner};
use keyward_authority::storage::Actor;
use keyward_jose::{LocalSigner, Signer as _};
use serde_json::json;

use super::chance::Chance;
use super::fact::{Fact, Name};
use super::nodes::Nodes;
use super::timeline::Seen;

pub(super) const REALM: &str = "main";
pub(super) const API: &str = "https://api.example";

/// Accounts that come and go, and clients that do.
pub(super) const ACCOUNTS: [&str; 3] = ["robot-0", "robot-1", "robot-2"];
pub(super) const CLIENTS: [&str; 2] = ["app-0", "app-1"];

/// Keys of each account.
pub(super) const KEYS: usize = 2;

/// The client that asks about tokens.
pub(super) const CHECKER: &str = "checker";

/// Tokens that are asked about: the last ones, and some that were before them.
const TOKENS: usize = 200;

/// An access token, and what it hangs on.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: String,
    /// When it was asked for.
    pub(super) since: u64,
    pub(super) refresh: Option<String>,
    pub(super) account: Name,
    pub(super) client: Option<Name>,
    pub(super) family: Option<Name>,
    /// There is one where it is revoked.
    pub(super) revoked: Name,
    pub(super) signing_key: Name,
    /// Each is tried once, so that an event tells of which request it is.
    pub(super) access_tried: AtomicBool,
    pub(super) refresh_tried: AtomicBool,
}

/// What was asked of a node with an actor of its own.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// It is so now; before, this was.
    Done { before: Fact, after: Fact },
    /// It was refused.
    Refused,
    /// The node was killed, or the database did not say.
    Unknown,
}

#[derive(Default)]
pub(super) struct History {
    last: AtomicU64,
    pub(super) asked: Mutex<HashMap<u64, Asked>>,
    pub(super) seen: Mutex<Vec<Seen>>,
    /// When what requests leave in the log came to be.
    pub(super) left: Mutex<HashMap<(Name, bool), (u64, u64)>>,
    counts: Mutex<BTreeMap<String, usize>>,
}

impl History {
    pub(super) fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn see(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }

    pub(super) fn count(&self, what: &str) {
        *self.counts.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.lock().unwrap().clone()
    }
}

pub(super) struct World {
    pub(super) nodes: Arc<Nodes>,
    pub(super) history: History,
    pub(super) checker: LocalSigner,
    /// By kid; the newest is the last, and may not be there yet.
    made: Mutex<HashMap<String, Vec<Arc<LocalSigner>>>>,
    tokens: Mutex<Vec<Arc<Issued>>>,
}

impl World {
    /// The realm with everybody in it, before there is any trouble.
    pub(super) async fn begin(nodes: Arc<Nodes>, authority: &Authority) -> Self {
        let by = Actor("setup".to_owned());
        operations::create(authority, &by, REALM, Realm::new(REALM)).await.unwrap();
        let api = json!({ "audience": API, "enabled": true, "scopes": ["read"], "token_format": "jwt" });
        let api: ResourceServer = serde_json::from_value(api).unwrap();
        operations::create(authority, &by, REALM, api).await.unwrap();
        for id in ACCOUNTS {
            operations::create(authority, &by, REALM, account(id, true)).await.unwrap();
        }
        for id in CLIENTS {
            operations::create(authority, &by, REALM, client(id, true)).await.unwrap();
        }
        let asks = json!({
            "id": CHECKER, "enabled": true, "kind": "confidential", "auth_methods": ["private_key_jwt"],
            "grant_types": ["client_credentials"], "scopes": ["introspect"],
        });
        let asks: Client = serde_json::from_value(asks).unwrap();
        operations::create(authority, &by, REALM, asks).await.unwrap();
        let checker = LocalSigner::generate(Algorithm::Es256, Some(CHECKER)).unwrap();
        let (owner, key) = (KeyOwner::Client(CHECKER.to_owned()), uploaded(&checker));
        operations::upload_key(authority, &by, REALM, &owner, &key, None).await.unwrap();
        let (made, tokens, history) = (Mutex::default(), Mutex::default(), History::default());
        Self { nodes, history, checker, made, tokens }
    }

    /// A new key of this name, which others may sign with before it is added.
    pub(super) fn make_key(&self, kid: &str) -> Arc<LocalSigner> {
        let key = Arc::new(LocalSigner::generate(Algorithm::Es256, Some(kid)).unwrap());
        self.made.lock().unwrap().entry(kid.to_owned()).or_default().push(Arc::clone(&key));
        key
    }

    /// It will never be there.
    pub(super) fn forget_key(&self, kid: &str, key: &Arc<LocalSigner>) {
        self.made.lock().unwrap().entry(kid.to_owned()).or_default().retain(|made| !Arc::ptr_eq(made, key));
    }

    /// A key of this name: mostly the newest, and sometimes one that was before it.
    pub(super) fn any_key(&self, kid: &str, chance: &Chance) -> Option<Arc<LocalSigner>> {
        let made = self.made.lock().unwrap();
        let made = made.get(kid).filter(|made| !made.is_empty())?;
        let back = if chance.below(8) == 0 { chance.below(made.len()) } else { 0 };
        made.get(made.len() - 1 - back).cloned()
    }

    pub(super) fn issued(&self, issued: Issued, chance: &Chance) {
        let mut tokens = self.tokens.lock().unwrap();
        if tokens.len() == TOKENS {
            tokens.swap_remove(chance.below(TOKENS));
        }
        tokens.push(Arc::new(issued));
    }

    pub(super) fn tokens(&self) -> Vec<Arc<Issued>> {
        self.tokens.lock().unwrap().clone()
    }

    pub(super) fn any_token(&self, chance: &Chance) -> Option<Arc<Issued>> {
        let tokens = self.tokens.lock().unwrap();
        (!tokens.is_empty()).then(|| Arc::clone(&tokens[chance.below(tokens.len())]))
    }
}

pub(super) fn account(id: &str, enabled: bool) -> ServiceAccount {
    let account = json!({ "id": id, "enabled": enabled, "audiences": [API], "scopes": ["read"] });
    serde_json::from_value(account).unwrap()
}

pub(super) fn client(id: &str, enabled: bool) -> Client {
    let client = json!({
        "id": id, "enabled": enabled, "kind": "public", "auth_methods": ["none"],
        "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token"],
        "audiences": [API], "scopes": ["read"],
    });
    serde_json::from_value(client).unwrap()
}

pub(super) fn uploaded(key: &LocalSigner) -> Uploaded {
    Uploaded::Jwk(serde_json::to_value(key.public_jwk()).unwrap())
}
