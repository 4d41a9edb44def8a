//! The first administrator: made once, by whoever has the machine.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use keyward::credentials::{CredentialFileError, PermissionsTooWide, SecretFile};
use keyward_jose::Algorithm;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{AUDIENCE, READ, WRITE};
use crate::authority::Authority;
use crate::client_auth::key_files::{self, KeyFileForm, KeyOwner};
use crate::entity::{Key, KeyOrigin, Realm, ResourceServer, ServiceAccount, TokenFormat};
use crate::operations::{self, ADMIN_REALM, Managed, OperationError};
use crate::storage::{Actor, Position};

/// What a bootstrap file says, in TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What the first service account is called. Default `administrator`.
    #[serde(default = "administrator")]
    service_account: String,
    /// Where its key file is written, which must not be there yet. Relative to the bootstrap file.
    key_file: PathBuf,
    /// What the key file looks like: `jwk`, `pem` or `zitadel`. Default `zitadel`, which says whose key it is.
    #[serde(default)]
    format: Format,
}

fn administrator() -> String {
    "administrator".to_owned()
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Jwk,
    Pem,
    #[default]
    Zitadel,
}

/// What was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bootstrapped {
    /// The service account in realm `admin`.
    pub service_account: String,
    /// `kid` of its key.
    pub kid: String,
    /// Where its private half is.
    pub key_file: PathBuf,
}

/// Why there is no first administrator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Others could have written it.
    #[error(transparent)]
    Exposed(#[from] PermissionsTooWide),
    /// The bootstrap file cannot be read.
    #[error(transparent)]
    File(#[from] CredentialFileError),
    /// The key file cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Something was made before: whoever did it administrates.
    #[error("there are {} events in the log already: a first administrator is made once, before anything else", head.0)]
    NotEmpty {
        /// How long the log is.
        head: Position,
    },
    /// It cannot be made so, or the storage fails.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The bootstrap file is no TOML, or says what it cannot.
    #[error("{}: {cause}", path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and where.
        cause: toml::de::Error,
    },
}

/// Makes realm `admin` with the first administrator, as `path` says, where the log is empty, and writes that one's key file with mode
/// 0600. Whatever goes wrong before the end leaves nothing behind.
///
/// # Errors
/// [`BootstrapError`]; a second time [`BootstrapError::NotEmpty`].
pub async fn bootstrap(authority: &Authority, path: &Path) -> Result<Bootstrapped, BootstrapError> {
    let wanted = read(path)?;
    demand_empty(authority.view().store().head().await.map_err(OperationError::from)?)?;
    let realm = Realm::new(ADMIN_REALM);
    let first_keys = realm.prepare(authority).await?;
    let (id, audiences, scopes) =
        (wanted.service_account, vec![AUDIENCE.to_owned()], vec![READ.to_owned(), WRITE.to_owned()]);
    let server = ResourceServer {
        audience: AUDIENCE.to_owned(),
        description: "the administration of this authority".to_owned(),
        enabled: true,
        scopes: scopes.clone(),
        token_format: TokenFormat::Jwt,
        access_token_lifetime: None,
        algorithm: None,
        introspected_by: None,
    };
    let description = "the first administrator".to_owned();
    let account =
        ServiceAccount { id: id.clone(), description, enabled: true, audiences, scopes, jwks_uri: None };
    account.check()?;
    let form = match wanted.format {
        Format::Jwk => KeyFileForm::Jwk,
        Format::Pem => KeyFileForm::Pem,
        Format::Zitadel => KeyFileForm::Zitadel,
    };
    let made = key_files::generate(Algorithm::Es256, form, KeyOwner::ServiceAccount(&id), None, None)
        .map_err(|error| OperationError::KeyUnavailable { why: error.to_string() })?;
    let now = operations::now(authority);
    let key = Key {
        owner: operations::KeyOwner::ServiceAccount(id.clone()).label(),
        kid: made.public.kid.clone(),
        jwk: made.public.jwk,
        enabled: true,
        expires_at: None,
        added_at: now,
        origin: KeyOrigin::Generated,
    };

    let mut command = operations::begin(authority, &Actor("bootstrap".to_owned())).await?;
    demand_empty(command.head())?;
    operations::create_in(&mut command, ADMIN_REALM, &realm, first_keys, now).await?;
    operations::create_in(&mut command, ADMIN_REALM, &server, (), now).await?;
    operations::create_in(&mut command, ADMIN_REALM, &account, (), now).await?;
    operations::create_in(&mut command, ADMIN_REALM, &key, (), now).await?;
    // Before the end: an administrator without a key would be one for ever. Where nobody knows whether the end was reached the
    // file stays, and is worth nothing if it was not.
    let key_file = path.parent().unwrap_or(Path::new("")).join(&wanted.key_file);
    write(&key_file, &made.file)?;
    command.commit().await.map_err(OperationError::from)?;
    Ok(Bootstrapped { service_account: id, kid: made.public.kid, key_file })
}

fn read(path: &Path) -> Result<Wanted, BootstrapError> {
    let SecretFile { octets, warning } = SecretFile::read(path)?;
    if let Some(warning) = warning {
        return Err(warning.into());
    }
    toml::from_slice(&octets).map_err(|cause| BootstrapError::Toml { path: path.to_owned(), cause })
}

fn demand_empty(head: Position) -> Result<(), BootstrapError> {
    match head {
        Position(0) => Ok(()),
        head => Err(BootstrapError::NotEmpty { head }),
    }
}

fn write(path: &Path, text: &Zeroizing<String>) -> Result<(), BootstrapError> {
    let refused = |cause| BootstrapError::KeyFile { path: path.to_owned(), cause };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(refused)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|cause| {
        // A half of a key is none; that it is there would stop the next attempt.
        let _ = fs::remove_file(path);
        refused(cause)
    })
}
