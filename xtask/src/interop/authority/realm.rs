//! The realm that clients go to, and what each of them has to know of it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::nodes::Nodes;
use crate::interop::certificates::write_private;
use crate::interop::error::Error;
use crate::interop::issuers::{Issuer, OidcProvider, new_keys};
use crate::interop::workshop::Workshop;

/// The realm.
pub(super) const NAME: &str = "interop";

/// Who takes JWTs, and who asks about opaque tokens.
pub(super) const RESOURCE: &str = "https://api.example/jwt";
const OPAQUE: &str = "https://api.example/opaque";

/// Whose certificate `certified` has.
const CERTIFIED: &str = "CN=certified";

/// Longer than any run takes, and than what a run skips of time.
const TOKEN_LIFETIME: u32 = 86_400;

/// Who is in it, with the private halves of their keys.
pub(super) struct Realm {
    signer: Option<(String, String)>,
    /// What its tokens are signed with, the first where nothing else is said, and for how long by one key.
    rotation: Value,
    /// For ES256, a client's.
    client_key: Value,
    /// For RS256, which every library knows, a service account's; where it is measured, for ES256.
    robot_key: Value,
}

impl Realm {
    /// With keys that nobody else has; tokens of `signer` may be exchanged.
    pub(super) fn new(workshop: &Workshop, signer: Option<&OidcProvider>) -> Result<Self, Error> {
        let signer = signer.map(|signer| (Issuer::issuer(signer).to_owned(), signer.audience().to_owned()));
        let rotation = json!({ "algorithms": ["RS256", "ES256"], "publish_for": 600, "sign_for": 2_592_000 });
        Self::with(workshop, signer, rotation, "RS256")
    }

    /// All in ES256. Where so much time passes as keys sign for, they are replaced.
    pub(super) fn in_es256(workshop: &Workshop, sign_for: u32) -> Result<Self, Error> {
        let rotation = json!({ "algorithms": ["ES256"], "publish_for": 600, "sign_for": sign_for });
        Self::with(workshop, None, rotation, "ES256")
    }

    fn with(
        workshop: &Workshop,
        signer: Option<(String, String)>,
        rotation: Value,
        robot: &str,
    ) -> Result<Self, Error> {
        const MISSING: Error = Error::MissingField { what: "generate keys", field: "key" };
        let installed = &workshop.installed;
        let keys = new_keys(&installed.node(), &installed.script("keys.mjs"), &["ES256", robot])?;
        let [client_key, robot_key] = <[Value; 2]>::try_from(keys).map_err(|_| MISSING)?;
        Ok(Self { signer, rotation, client_key, robot_key })
    }

    /// The service account's private key.
    pub(super) fn robot_key(&self) -> &Value {
        &self.robot_key
    }

    /// For `keyward authority apply`.
    pub(super) fn file(&self) -> Result<String, Error> {
        let client = |id: &str, method: &str| {
            let grants = [
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "urn:ietf:params:oauth:grant-type:token-exchange",
                "refresh_token",
                "client_credentials",
            ];
            json!({
                "id": id,
                "enabled": true,
                "kind": "confidential",
                "auth_methods": [method],
                "grant_types": grants,
                "audiences": [RESOURCE, OPAQUE],
                "scopes": ["read", "write"],
                "requires_dpop": id == "bound",
            })
        };
        let mut certified = client("certified", "tls_client_auth");
        if let Some(members) = certified.as_object_mut() {
            members.insert("tls_subject".to_owned(), json!({ "subject_dn": CERTIFIED }));
        }
        let server = |audience: &str, format: &str| {
            json!({
                "audience": audience,
                "enabled": true,
                "scopes": ["read", "write"],
                "token_format": format,
                "introspected_by": "basic",
            })
        };
        let signer = |(issuer, audience): &(String, String)| {
            json!({
                "name": "idp",
                "issuer": issuer,
                "enabled": true,
                "audience": audience,
                "keys": "discovery",
                "id_claim": "sub",
                "audiences": [RESOURCE],
                "scopes": ["read"],
            })
        };
        let file = json!({
            "realm": {
                "name": NAME,
                "enabled": true,
                "access_token_lifetime": TOKEN_LIFETIME,
                "refresh_token_lifetime": TOKEN_LIFETIME,
                "just_in_time": true,
                "rotation": self.rotation,
            },
            "resource_servers": [server(RESOURCE, "jwt"), server(OPAQUE, "opaque")],
            "external_signers": self.signer.iter().map(signer).collect::<Vec<_>>(),
            "service_accounts": [{ "id": "robot", "enabled": true, "audiences": [RESOURCE], "scopes": ["read"] }],
            "clients": [
                client("basic", "client_secret_basic"),
                client("post", "client_secret_post"),
                client("assertion", "private_key_jwt"),
                client("bound", "client_secret_basic"),
                certified,
                client("self-signed", "self_signed_tls_client_auth"),
            ],
            "keys": [
                key("client/assertion", &self.client_key),
                key("service_account/robot", &self.robot_key),
            ],
        });
        toml::to_string(&file).map_err(|_| Error::MissingField { what: "write the realm", field: "TOML" })
    }

    /// What clients are told, in a file for their eyes only: who they are, and where to go.
    pub(super) fn tell(
        &self,
        folder: &Path,
        nodes: &Nodes,
        subject_token: Option<String>,
    ) -> Result<PathBuf, Error> {
        let secret = |client: &str| {
            let made = nodes.administer(&["secret", "create", "--client", client]);
            made.map(|secret| json!({ "id": client, "secret": secret }))
        };
        let told = json!({
            "issuer": nodes.issuer(),
            "resource": RESOURCE,
            "opaque": OPAQUE,
            "basic": secret("basic")?,
            "post": secret("post")?,
            "bound": secret("bound")?,
            "assertion": { "id": "assertion", "key": self.client_key },
            "robot": { "id": "robot", "key": self.robot_key },
            "subject_token": subject_token,
        });
        let path = folder.join("site.json");
        write_private(&path, &told.to_string())?;
        Ok(path)
    }
}

/// The public half of a private JWK, as the realm's file has it.
fn key(owner: &str, private: &Value) -> Value {
    let is_public = |name: &str| ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"].contains(&name);
    let members = private.as_object().into_iter().flatten().filter(|(name, _)| is_public(name));
    let jwk: serde_json::Map<_, _> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    json!({ "owner": owner, "kid": jwk.get("kid"), "enabled": true, "jwk": jwk })
}
