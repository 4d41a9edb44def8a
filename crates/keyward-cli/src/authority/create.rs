//! What has to be said of something new.

use clap::{Args, ValueEnum};
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, ExternalSigner, GrantType, Realm, ResourceServer, RotationSettings,
    ServiceAccount, SignerKeys, TokenFormat,
};
use serde_json::Value;

use super::api::{ApiArgs, body};
use crate::exit::Failure;

/// Something that can be made.
pub(crate) trait Creates: Args {
    /// What stands behind the realm in its address; none for a realm.
    const SEGMENT: Option<&'static str>;

    fn api(&self) -> &ApiArgs;

    fn realm(&self) -> Option<&str>;

    /// The body.
    fn entity(&self) -> Result<Value, Failure>;
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority realm create main --server https://auth.example --key-file administrator.json
  keyward authority realm create bank --algorithm ES256 --algorithm RS256 --access-token-lifetime 120 ...

Its issuer is https://auth.example/realms/NAME. It has its first signing key from the beginning.")]
pub(crate) struct RealmArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Its name, as it stands in its address
    name: String,
    /// What it signs with: ES256, EdDSA, RS256 or PS256; the first one unless a resource server wants another
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256")]
    algorithm: Vec<String>,
    /// How long an access token is good, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    access_token_lifetime: u64,
    /// How long a refresh token is good after its last use, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    refresh_token_lifetime: u64,
    /// Whoever an external signer vouches for becomes an identity at the first exchange
    #[arg(long)]
    just_in_time: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority resource-server create https://api.example --realm main --scope read ...
  keyward authority client create shop --realm main --audience https://api.example --scope read ...
  keyward authority secret create --realm main --client shop ... > shop.secret

A client needs a secret (`secret create`) or a key (`key add`, `key generate`) before it can do anything.")]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
    /// Its client_id
    id: String,
    /// What it is for, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// It cannot keep a secret
    #[arg(long, conflicts_with = "method")]
    public: bool,
    /// How it authenticates itself; may be given several times
    #[arg(long, value_name = "METHOD", default_value = "client-secret-basic")]
    method: Vec<Method>,
    /// What it asks by; may be given several times
    #[arg(long, value_name = "GRANT", default_value = "client-credentials")]
    grant: Vec<Grant>,
    /// A resource server that it may have tokens for; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A scope that it may have; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Its tokens are bound to a key by DPoP in any case
    #[arg(long)]
    requires_dpop: bool,
    /// Its tokens are bound to the certificate of its connection in any case
    #[arg(long)]
    requires_certificate: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority service-account create robot --realm main --audience https://api.example --scope read ...
  keyward authority key generate --realm main --service-account robot --format zitadel ... > robot.json

It has tokens in its own name, by the JWT-bearer grant with a key of its own.")]
pub(crate) struct ServiceAccountArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
    /// sub of its tokens
    id: String,
    /// What it is for, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// A resource server that it may have tokens for; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A scope that it may have; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority resource-server create https://api.example --realm main --scope read --scope write ...
  keyward authority resource-server create urn:ledger --realm main --opaque --introspected-by ledger ...")]
pub(crate) struct ResourceServerArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
    /// aud of its tokens, and what is asked for as `resource`
    audience: String,
    /// What it is, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// One of its scopes; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Its tokens cannot be read: only introspection tells
    #[arg(long)]
    opaque: bool,
    /// How long its tokens are good, in seconds [default: the realm's]
    #[arg(long, value_name = "SECONDS")]
    access_token_lifetime: Option<u64>,
    /// What its tokens are signed with [default: the realm's first]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
    /// The client that may ask about its tokens
    #[arg(long, value_name = "CLIENT")]
    introspected_by: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority signer create ci --realm main --issuer https://ci.example --audience https://auth.example ...

Tokens of this issuer can be exchanged for ours (RFC 8693) by clients with the grant token-exchange.")]
pub(crate) struct SignerArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
    /// Our name for it
    name: String,
    /// iss of its tokens, to the letter
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// What aud of its tokens has to name
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// Where its keys are [default: where its discovery document says]
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// The claim that an identity is known by
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    id_claim: String,
    /// A resource server for those who are made just in time; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    identity_audience: Vec<String>,
    /// A scope for those; may be given several times
    #[arg(long, value_name = "SCOPE")]
    identity_scope: Vec<String>,
}

/// As [`ClientAuthMethod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Its secret, in Authorization: Basic
    ClientSecretBasic,
    /// Its secret, in the form
    ClientSecretPost,
    /// An assertion that its key signs (RFC 7523)
    PrivateKeyJwt,
    /// A certificate of one of its keys (RFC 8705)
    SelfSignedTlsClientAuth,
}

/// As [`GrantType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Grant {
    /// In its own name (RFC 6749)
    ClientCredentials,
    /// In a service account's name, by an assertion (RFC 7523)
    JwtBearer,
    /// Again, by a refresh token (RFC 6749)
    RefreshToken,
    /// For a token of an external signer (RFC 8693)
    TokenExchange,
}

impl From<Method> for ClientAuthMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::ClientSecretBasic => Self::ClientSecretBasic,
            Method::ClientSecretPost => Self::ClientSecretPost,
            Method::PrivateKeyJwt => Self::PrivateKeyJwt,
            Method::SelfSignedTlsClientAuth => Self::SelfSignedTlsClientAuth,
        }
    }
}

impl From<Grant> for GrantType {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::ClientCredentials => Self::ClientCredentials,
            Grant::JwtBearer => Self::JwtBearer,
            Grant::RefreshToken => Self::RefreshToken,
            Grant::TokenExchange => Self::TokenExchange,
        }
    }
}

impl Creates for RealmArgs {
    const SEGMENT: Option<&'static str> = None;

    fn api(&self) -> &ApiArgs {
        &self.api
    }

    fn realm(&self) -> Option<&str> {
        None
    }

    fn entity(&self) -> Result<Value, Failure> {
        body(&Realm {
            access_token_lifetime: self.access_token_lifetime,
            refresh_token_lifetime: self.refresh_token_lifetime,
            just_in_time: self.just_in_time,
            rotation: RotationSettings { algorithms: self.algorithm.clone(), ..RotationSettings::default() },
            ..Realm::new(&self.name)
        })
    }
}

impl Creates for ClientArgs {
    const SEGMENT: Option<&'static str> = Some("clients");

    fn api(&self) -> &ApiArgs {
        &self.api
    }

    fn realm(&self) -> Option<&str> {
        Some(&self.realm)
    }

    fn entity(&self) -> Result<Value, Failure> {
        let (kind, auth_methods) = if self.public {
            (ClientKind::Public, vec![ClientAuthMethod::None])
        } else {
            (ClientKind::Confidential, self.method.iter().copied().map(Into::into).collect())
        };
        body(&Client {
            id: self.id.clone(),
            description: self.description.clone(),
            enabled: true,
            kind,
            auth_methods,
            grant_types: self.grant.iter().copied().map(Into::into).collect(),
            audiences: self.audience.clone(),
            scopes: self.scope.clone(),
            requires_dpop: self.requires_dpop,
            requires_certificate: self.requires_certificate,
            tls_subject: None,
            jwks_uri: None,
        })
    }
}

impl Creates for ServiceAccountArgs {
    const SEGMENT: Option<&'static str> = Some("service-accounts");

    fn api(&self) -> &ApiArgs {
        &self.api
    }

    fn realm(&self) -> Option<&str> {
        Some(&self.realm)
    }

    fn entity(&self) -> Result<Value, Failure> {
        body(&ServiceAccount {
            id: self.id.clone(),
            description: self.description.clone(),
            enabled: true,
            audiences: self.audience.clone(),
            scopes: self.scope.clone(),
        })
    }
}

impl Creates for ResourceServerArgs {
    const SEGMENT: Option<&'static str> = Some("resource-servers");

    fn api(&self) -> &ApiArgs {
        &self.api
    }

    fn realm(&self) -> Option<&str> {
        Some(&self.realm)
    }

    fn entity(&self) -> Result<Value, Failure> {
        body(&ResourceServer {
            audience: self.audience.clone(),
            description: self.description.clone(),
            enabled: true,
            scopes: self.scope.clone(),
            token_format: if self.opaque { TokenFormat::Opaque } else { TokenFormat::Jwt },
            access_token_lifetime: self.access_token_lifetime,
            algorithm: self.algorithm.clone(),
            introspected_by: self.introspected_by.clone(),
        })
    }
}

impl Creates for SignerArgs {
    const SEGMENT: Option<&'static str> = Some("external-signers");

    fn api(&self) -> &ApiArgs {
        &self.api
    }

    fn realm(&self) -> Option<&str> {
        Some(&self.realm)
    }

    fn entity(&self) -> Result<Value, Failure> {
        let keys = self.jwks_uri.clone().map_or(SignerKeys::Discovery, SignerKeys::JwksUri);
        body(&ExternalSigner {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            enabled: true,
            audience: self.audience.clone(),
            keys,
            id_claim: self.id_claim.clone(),
            audiences: self.identity_audience.clone(),
            scopes: self.identity_scope.clone(),
        })
    }
}
