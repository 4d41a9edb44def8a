//! The issuer: an authority of this process, with one realm and one client, whose storage is gone at the end.

use std::net::SocketAddr;

use keyward::entropy;
use keyward_authority::authority::Authority;
use keyward_authority::config::Config;
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, GrantType, Realm, ResourceServer, TokenFormat,
};
use keyward_authority::operations;
use keyward_authority::server::Node;
use keyward_authority::storage::Actor;
use serde::Deserialize;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::exit::Failure;

/// The one client.
pub(super) const CLIENT_ID: &str = "development";

/// The audience of every token.
pub(super) const AUDIENCE: &str = "echo";

const REALM: &str = "main";

/// The scopes that the client may have.
const SCOPES: [&str; 2] = ["read", "write"];

/// The environment variable that the configuration names; only this process is told it.
const MASTER_KEY: &str = "MASTER_KEY";

/// An authority that is ready to serve.
pub(super) struct DevelopmentIssuer {
    pub(super) url: String,
    pub(super) client_secret: Zeroizing<String>,
    pub(super) node: Node,
    /// What is in it is deleted with this.
    pub(super) folder: TempDir,
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl DevelopmentIssuer {
    /// An authority at `listen` with new keys and a new secret, which operators ask at `admin`.
    pub(super) async fn new(listen: SocketAddr, admin: SocketAddr) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(Failure::Folder)?;
        let master_key = Zeroizing::new(hex(&entropy::secret()));
        let environment = |name: &str| (name == MASTER_KEY).then(|| master_key.to_string());
        let config = Config::parse(&config(listen, admin), folder.path(), environment);
        let node = Node::bind(config.map_err(Failure::AuthorityConfig)?).await?;
        let client_secret = furnish(node.authority()).await?;
        Ok(Self { url: node.authority().issuer(REALM), client_secret, node, folder })
    }
}

/// An access token for the client, as the printed line asks for one.
pub(super) async fn token(token_endpoint: &str, client_secret: &str) -> Result<String, Failure> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(Failure::HttpClient)?;
    let request = client.post(token_endpoint).basic_auth(CLIENT_ID, Some(client_secret));
    let granted: Granted = async {
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await?;
        answer.error_for_status()?.json().await
    }
    .await
    .map_err(Failure::FirstToken)?;
    Ok(granted.access_token)
}

/// Everything is on this machine.
fn config(listen: SocketAddr, admin: SocketAddr) -> String {
    format!(
        r#"
[authority]
origin = "http://{listen}"
listen = "{listen}"
admin_listen = "{admin}"

[key_store]
master_key_environment = "{MASTER_KEY}"

[log]
format = "text"
level = "warn"
"#
    )
}

/// Makes the realm, who takes its tokens, and the client. Its secret is the answer.
async fn furnish(authority: &Authority) -> Result<Zeroizing<String>, Failure> {
    let by = Actor("keyward up".to_owned());
    let scopes = || SCOPES.map(str::to_owned).to_vec();
    operations::create(authority, &by, REALM, Realm { access_token_lifetime: 3600, ..Realm::new(REALM) })
        .await?;
    let server = ResourceServer {
        audience: AUDIENCE.to_owned(),
        description: "the service behind the gateway".to_owned(),
        enabled: true,
        scopes: scopes(),
        token_format: TokenFormat::Jwt,
        access_token_lifetime: None,
        algorithm: None,
        introspected_by: Some(CLIENT_ID.to_owned()),
    };
    let client = Client {
        id: CLIENT_ID.to_owned(),
        description: "whoever tries it".to_owned(),
        enabled: true,
        kind: ClientKind::Confidential,
        auth_methods: vec![ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost],
        grant_types: vec![GrantType::ClientCredentials],
        audiences: vec![AUDIENCE.to_owned()],
        scopes: scopes(),
        requires_dpop: false,
        requires_certificate: false,
        tls_subject: None,
        jwks_uri: None,
    };
    operations::create(authority, &by, REALM, client).await?;
    operations::create(authority, &by, REALM, server).await?;
    let (_, secret) = operations::add_secret(authority, &by, REALM, CLIENT_ID, "first", None).await?;
    Ok(secret)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
