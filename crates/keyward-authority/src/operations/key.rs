//! Public keys of clients and service accounts.

use keyward_jose::Algorithm;
use serde_json::Value;

use super::managed::{Actions, Managed, actions};
use super::{Current, OperationError, check, create, find_in, now};
use crate::authority::Authority;
use crate::client_auth::key_files::{self, Generated, KeyFileForm, PublicKey, Uploaded};
use crate::entity::{Client, Key, KeyOrigin, ServiceAccount, entity};
use crate::storage::{Actor, Command};

/// Whose key it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyOwner {
    /// A client's, by `client_id`.
    Client(String),
    /// A service account's, by its name.
    ServiceAccount(String),
}

impl KeyOwner {
    /// As [`Key::owner`] has it.
    pub fn label(&self) -> String {
        match self {
            Self::Client(id) => format!("client/{id}"),
            Self::ServiceAccount(id) => format!("service_account/{id}"),
        }
    }

    /// As key files have it.
    fn for_file(&self) -> key_files::KeyOwner<'_> {
        match self {
            Self::Client(id) => key_files::KeyOwner::Client(id),
            Self::ServiceAccount(id) => key_files::KeyOwner::ServiceAccount(id),
        }
    }

    fn parse(label: &str) -> Option<Self> {
        match label.split_once('/')? {
            ("client", id) => Some(Self::Client(id.to_owned())),
            ("service_account", id) => Some(Self::ServiceAccount(id.to_owned())),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), OperationError> {
        match self {
            Self::Client(id) | Self::ServiceAccount(id) => check::name("owner", id),
        }
    }
}

/// Adds a public key that its owner made. Of a JWK, a PEM or a certificate nothing is kept but the key and its `kid`, which is
/// the JWK's own, or its RFC 7638 thumbprint.
///
/// # Errors
/// [`OperationError`].
pub async fn upload_key(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    owner: &KeyOwner,
    uploaded: &Uploaded,
    expires_at: Option<i64>,
) -> Result<Current<Key>, OperationError> {
    owner.check()?;
    let PublicKey { kid, mut jwk, .. } =
        key_files::public_key(uploaded).map_err(|error| OperationError::invalid("key", error.to_string()))?;
    if let Some(members) = jwk.as_object_mut() {
        members.retain(|name, value| is_kept(name, value));
    }
    let (owner, added_at) = (owner.label(), now(authority));
    let key = Key { owner, kid, jwk, enabled: true, expires_at, added_at, origin: KeyOrigin::Uploaded };
    create(authority, by, realm, key).await
}

/// Makes a key for a client or an account. The private half is in the file that is returned once, and nowhere else.
///
/// # Errors
/// [`OperationError`].
pub async fn generate_key(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    owner: &KeyOwner,
    algorithm: Algorithm,
    form: KeyFileForm,
    expires_at: Option<i64>,
) -> Result<(Current<Key>, Generated), OperationError> {
    owner.check()?;
    check::time("expires_at", expires_at)?;
    // RSA keys take their time, so it is not for the threads that answer.
    let made = tokio::task::spawn_blocking({
        let owner = owner.clone();
        move || key_files::generate(algorithm, form, owner.for_file(), None, expires_at)
    });
    let generated = match made.await {
        Ok(Ok(generated)) => generated,
        Ok(Err(error)) => return Err(OperationError::KeyUnavailable { why: error.to_string() }),
        Err(error) => return Err(OperationError::KeyUnavailable { why: error.to_string() }),
    };
    let PublicKey { kid, jwk, .. } = generated.public.clone();
    let (added_at, origin) = (now(authority), KeyOrigin::Generated);
    let key = Key { owner: owner.label(), kid, jwk, enabled: true, expires_at, added_at, origin };
    Ok((create(authority, by, realm, key).await?, generated))
}

/// The members of a JWK that are kept (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2): texts, and nothing private.
const MEMBERS: [&str; 9] = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];

fn is_kept(name: &str, value: &Value) -> bool {
    MEMBERS.contains(&name) && value.is_string()
}

impl Managed for Key {
    const LIMIT: i64 = 20;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        match KeyOwner::parse(&self.owner) {
            Some(KeyOwner::Client(_)) => actions!("client_key"),
            Some(KeyOwner::ServiceAccount(_)) | None => actions!("service_account_key"),
        }
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn siblings(&self) -> String {
        format!("{}/", self.owner)
    }

    fn check(&self) -> Result<(), OperationError> {
        match KeyOwner::parse(&self.owner) {
            Some(owner) => owner.check()?,
            None => return Err(OperationError::invalid("owner", "must be client/ID or service_account/ID")),
        }
        check::kid("kid", &self.kid)?;
        check::time("expires_at", self.expires_at)?;
        match key_files::public_key(&Uploaded::Jwk(self.jwk.clone())) {
            Ok(key) if key.kid != self.kid || key.jwk != self.jwk => {
                Err(OperationError::invalid("jwk", "must have the kid of the key"))
            }
            Ok(_)
                if !self.jwk.as_object().is_some_and(|it| it.iter().all(|(name, of)| is_kept(name, of))) =>
            {
                let why = format!("must have none but the public members of a key: {}", MEMBERS.join(", "));
                Err(OperationError::invalid("jwk", why))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(OperationError::invalid("jwk", error.to_string())),
        }
    }

    async fn check_new(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        let missing = match KeyOwner::parse(&self.owner) {
            Some(KeyOwner::Client(id)) => match find_in::<Client>(command, realm, &id).await? {
                Some(_) => return Ok(()),
                None => entity::<Client>(realm, &id),
            },
            Some(KeyOwner::ServiceAccount(id)) => {
                match find_in::<ServiceAccount>(command, realm, &id).await? {
                    Some(_) => return Ok(()),
                    None => entity::<ServiceAccount>(realm, &id),
                }
            }
            None => return Err(OperationError::invalid("owner", "must be client/ID or service_account/ID")),
        };
        Err(OperationError::NotFound { entity: missing })
    }

    fn check_change(&self, before: &Self, _realm: &str) -> Result<(), OperationError> {
        let Self { owner: _, kid: _, jwk, enabled: _, expires_at: _, added_at, origin } = self;
        if *jwk == before.jwk && *added_at == before.added_at && *origin == before.origin {
            return Ok(());
        }
        Err(OperationError::invalid("jwk", "cannot change: add another key and delete this one"))
    }
}
