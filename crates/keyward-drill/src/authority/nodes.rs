//! The nodes of a drill, its administrator, and a realm with a service account.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use http::Method;
use keyward::clock::{Clock as _, SystemClock};
use keyward::credentials::KeyFile;
use keyward_authority::storage::{StoreAddress, StoreError};
use keyward_jose::{Signer, sign_compact};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::database::Database;
use super::node::Node;
use super::wire::{Answer, Wire, text};
use crate::error::RunError;
use crate::ports::free_ports;

/// The realm that clients go to.
pub(super) const REALM: &str = "drill";

/// Whose tokens are asked for.
pub(super) const RESOURCE: &str = "https://api.example";

/// As `keyward authority bootstrap` has it.
const ADMIN_AUDIENCE: &str = "urn:keyward:authority";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who signs assertions, in any form.
pub(super) type Key = Box<dyn Signer>;

/// All nodes on one database.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) wire: Wire,
    pub(super) all: Vec<Node>,
    pub(super) origin: String,
    storage: String,
    folder: tempfile::TempDir,
    clock: SystemClock,
    /// Obtained anew where it is refused.
    token: Mutex<String>,
}

impl Nodes {
    /// Makes the administrator, starts the nodes, and furnishes the realm.
    pub(super) async fn start(program: &Path, database: &Database) -> Result<Self, RunError> {
        let folder = tempfile::tempdir().map_err(RunError::io("make a folder"))?;
        let wire = Wire::new();
        let mut all = Vec::new();
        for number in 0..database.nodes {
            all.push(Node::new(program, folder.path(), number, free_ports()?));
        }
        let origin = all.first().map(|node| node.address.clone()).unwrap_or_default();
        write_private(&folder.path().join("master-key"), &"0f".repeat(32))?;
        write_private(&folder.path().join("bootstrap.toml"), "key_file = \"administrator.json\"\n")?;
        let clock = SystemClock::new();
        let storage = database.address.clone();
        let nodes = Self { wire, all, origin, storage, folder, clock, token: Mutex::default() };
        for node in &nodes.all {
            write_private(node.config(), &node.configuration(&nodes.origin, &nodes.storage))?;
        }
        nodes.bootstrap(program).await?;
        for node in &nodes.all {
            node.start(&nodes.wire).await?;
        }
        nodes.furnish().await?;
        Ok(nodes)
    }

    async fn bootstrap(&self, program: &Path) -> Result<(), RunError> {
        let [node, ..] = self.all.as_slice() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(["authority", "bootstrap", "--config"]).arg(node.config());
        command.arg(self.folder.path().join("bootstrap.toml")).stdin(Stdio::null());
        let done = command.output().await.map_err(RunError::io("make an administrator"))?;
        if done.status.success() {
            return Ok(());
        }
        let log = Some(String::from_utf8_lossy(&done.stderr).into_owned());
        Err(RunError::Gateway { what: "there is no administrator".to_owned(), log })
    }

    async fn furnish(&self) -> Result<(), RunError> {
        self.demand("realms", &realm(REALM)).await?;
        let server =
            json!({ "audience": RESOURCE, "enabled": true, "scopes": ["read"], "token_format": "jwt" });
        self.demand(&format!("realms/{REALM}/resource-servers"), &server).await?;
        for account in ["robot", "another"] {
            let account = json!({
                "id": account,
                "enabled": true,
                "audiences": [RESOURCE, self.issuer()],
                "scopes": ["read", "introspect"],
            });
            self.demand(&format!("realms/{REALM}/service-accounts"), &account).await?;
        }
        let client = json!({
            "id": "app",
            "enabled": true,
            "kind": "confidential",
            "auth_methods": ["private_key_jwt"],
            "grant_types": ["client_credentials"],
            "audiences": [RESOURCE],
            "scopes": ["read", "introspect"],
        });
        self.demand(&format!("realms/{REALM}/clients"), &client).await.map(drop)
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}/realms/{REALM}", self.origin)
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().wall.0
    }

    /// The first and the last: two, or the only one twice.
    pub(super) fn ends(&self) -> Option<(&Node, &Node)> {
        Some((self.all.first()?, self.all.last()?))
    }

    /// An administrator's call, at a node; none where it does not answer.
    pub(super) async fn call(
        &self,
        node: &Node,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let token = self.token(node, false).await?;
        let address = format!("{}/admin/v1/{path}", node.address);
        let answer = self.wire.administer(method.clone(), &address, &token, body).await?;
        if answer.0 != 401 {
            return Some(answer);
        }
        // It has run out, or its key was withdrawn: nothing was done.
        let token = self.token(node, true).await?;
        self.wire.administer(method, &address, &token, body).await
    }

    async fn token(&self, node: &Node, is_new: bool) -> Option<String> {
        let mut kept = self.token.lock().await;
        if is_new || kept.is_empty() {
            let file = std::fs::read(self.folder.path().join("administrator.json")).ok()?;
            let (_, key) = KeyFile::parse(&file, None, None, None).ok()?;
            let issuer = format!("{}/realms/admin", self.origin);
            let assertion = self.assertion(&key, "administrator", &issuer).await?;
            let form = [("grant_type", JWT_BEARER), ("assertion", &assertion), ("resource", ADMIN_AUDIENCE)];
            let address = format!("{}/realms/admin/token", node.address);
            let (_, answer) = self.wire.form(&address, None, &form).await?;
            *kept = text(&answer, "/access_token")?.to_owned();
        }
        Some(kept.clone())
    }

    /// What has to work for the drill to begin, or go on.
    pub(super) async fn demand(&self, path: &str, body: &Value) -> Result<Value, RunError> {
        let Some(node) = self.all.first() else {
            return Err(self.failure("there is no node"));
        };
        self.demand_of(node, Method::POST, path, Some(body)).await
    }

    pub(super) async fn demand_of(
        &self,
        node: &Node,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RunError> {
        match self.call(node, method.clone(), path, body).await {
            Some((200..=299, answer)) => Ok(answer),
            other => Err(node.failure(&format!("{method} {path} comes to {other:?}"))),
        }
    }

    /// A key of `owner`, such as `service-accounts/robot`, made at a node.
    pub(super) async fn key(
        &self,
        node: &Node,
        owner: &str,
        format: &str,
        expires_at: Option<i64>,
    ) -> Result<(String, Key), RunError> {
        let path = format!("realms/{REALM}/{owner}/generated-keys");
        let body = json!({ "algorithm": "ES256", "format": format, "expires_at": expires_at });
        let made = self.demand_of(node, Method::POST, &path, Some(&body)).await?;
        let kid = text(&made, "/key/kid").unwrap_or_default().to_owned();
        let file = text(&made, "/file").unwrap_or_default();
        let (_, key) = KeyFile::parse(file.as_bytes(), None, None, None)
            .map_err(|fault| node.failure(&format!("the key file cannot be read: {fault}")))?;
        Ok((kid, Box::new(key)))
    }

    /// An assertion of `subject` for `audience`.
    pub(super) async fn assertion(&self, key: &dyn Signer, subject: &str, audience: &str) -> Option<String> {
        self.signed(key, &self.claims(subject, audience)).await
    }

    pub(super) fn claims(&self, subject: &str, audience: &str) -> Value {
        let jti: String = keyward::entropy::secret().iter().map(|octet| format!("{octet:02x}")).collect();
        let now = self.now();
        json!({ "iss": subject, "sub": subject, "aud": audience, "iat": now, "exp": now + 60, "jti": jti })
    }

    pub(super) async fn signed(&self, key: &dyn Signer, claims: &Value) -> Option<String> {
        sign_compact(key, None, claims.to_string().as_bytes()).await.ok()
    }

    /// Asks a node for a token by an assertion.
    pub(super) async fn exchange(&self, node: &Node, assertion: &str, resource: &str) -> Option<Answer> {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion), ("resource", resource)];
        self.wire.form(&format!("{}/realms/{REALM}/token", node.address), None, &form).await
    }

    /// Asks a node for a token as a service account.
    pub(super) async fn ask(
        &self,
        node: &Node,
        key: &dyn Signer,
        subject: &str,
        resource: &str,
    ) -> Option<Answer> {
        let assertion = self.assertion(key, subject, &self.issuer()).await?;
        self.exchange(node, &assertion, resource).await
    }

    /// Whether a node says that a token is active, asked with the bearer token of somebody who may.
    pub(super) async fn is_active(&self, node: &Node, bearer: &str, token: &str) -> bool {
        let address = format!("{}/realms/{REALM}/introspect", node.address);
        let answer = self.wire.form(&address, Some(bearer), &[("token", token)]).await;
        answer.is_some_and(|(status, body)| {
            status == 200 && body.pointer("/active") == Some(&Value::Bool(true))
        })
    }

    /// What a node says of a token to a client that authenticates itself by its key.
    pub(super) async fn introspect_as(
        &self,
        node: &Node,
        key: &dyn Signer,
        client: &str,
        token: &str,
    ) -> Option<Answer> {
        let assertion = self.assertion(key, client, &self.issuer()).await?;
        let address = format!("{}/realms/{REALM}/introspect", node.address);
        let form =
            [("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", &assertion), ("token", token)];
        self.wire.form(&address, None, &form).await
    }

    /// What private keys are sealed under, from the next start on.
    pub(super) fn write_master_key(&self, key: &str) -> Result<(), RunError> {
        write_private(&self.folder.path().join("master-key"), key)
    }

    pub(super) fn master_key(&self) -> Result<String, RunError> {
        std::fs::read_to_string(self.folder.path().join("master-key"))
            .map_err(RunError::io("read the master key"))
    }

    /// Where everything is kept, for whoever is no process of its own.
    pub(super) fn storage(&self) -> Result<StoreAddress, StoreError> {
        Ok(match self.storage.parse()? {
            StoreAddress::Sqlite(file) => StoreAddress::Sqlite(self.folder.path().join(file)),
            server @ StoreAddress::Postgres(_) => server,
        })
    }

    pub(super) fn failure(&self, what: &str) -> RunError {
        match self.all.first() {
            Some(node) => node.failure(what),
            None => RunError::Gateway { what: what.to_owned(), log: None },
        }
    }
}

impl Node {
    fn configuration(&self, origin: &str, storage: &str) -> String {
        let (listen, admin) = self.listens();
        format!(
            "[authority]\norigin = {origin:?}\nlisten = {listen:?}\nadmin_listen = {admin:?}\n\n\
             [storage]\naddress = {storage:?}\n\n[key_store]\nmaster_key_file = \"master-key\"\n"
        )
    }
}

/// A realm whose keys come and go as by default.
pub(super) fn realm(name: &str) -> Value {
    json!({
        "name": name,
        "enabled": true,
        "access_token_lifetime": 3600,
        "refresh_token_lifetime": 86_400,
        "just_in_time": false,
        "rotation": { "algorithms": ["ES256"], "publish_for": 600, "sign_for": 2_592_000 },
    })
}

/// The answer's access token.
pub(super) fn token_of(answer: &Option<Answer>) -> Option<&str> {
    match answer {
        Some((200, body)) => text(body, "/access_token"),
        _ => None,
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), RunError> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(RunError::io(format!("write {}", path.display())))
}
