//! Who asks for a token, and how that one shows it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use keyward::credentials::{
    Audience, ClientAuthentication, ClientSecret, CredentialFileError, KeyFile, KeyFileKind, SigningKey,
};
use keyward_jose::Algorithm;

use super::{is_stdin, line, octets};
use crate::exit::Failure;

/// Who asks.
#[derive(Args, Debug)]
pub(super) struct CredentialArgs {
    /// The client's name [default: what a key file of Zitadel's says]
    #[arg(long, value_name = "ID", required_unless_present = "key_file")]
    client_id: Option<String>,
    /// The service account's name, with its key, in place of a client [default: what a key file of Zitadel's says]
    #[arg(long, value_name = "ID", conflicts_with = "client_id", requires = "key_file")]
    service_account: Option<String>,
    /// The file whose first line is the client's secret; - for standard input
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// The private key: a JWK, PEM, or a key file of Zitadel's; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_file")]
    key_file: Option<PathBuf>,
    /// What the issuer calls the key, where its file does not say it
    #[arg(long, value_name = "KID", requires = "key_file")]
    kid: Option<String>,
    /// What the key signs with [default: what its file says, else RS256 for RSA, and what goes with the curve]
    #[arg(long, value_name = "ALGORITHM", requires = "key_file", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// A file with the passphrase in one line, where the key is encrypted
    #[arg(long, value_name = "FILE", requires = "key_file")]
    passphrase_file: Option<PathBuf>,
    /// Whom assertions of the key are for [default: the issuer]
    #[arg(long, value_name = "AUDIENCE", requires = "key_file")]
    assertion_audience: Option<String>,
    /// How the client shows its secret
    #[arg(long, value_name = "HOW", default_value = "basic", requires = "client_secret_file")]
    auth: Auth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// client_secret_basic: in the Authorization header
    Basic,
    /// client_secret_post: in the form
    Post,
}

/// Who asks, and what with.
#[derive(Debug)]
pub(super) enum Credential {
    Client(ClientAuthentication),
    /// It has nothing to show.
    Public {
        client_id: String,
    },
    ServiceAccount {
        key: Box<SigningKey>,
        subject: String,
        audience: Audience,
    },
}

impl CredentialArgs {
    /// How many of its files are standard input.
    pub(super) fn on_stdin(&self) -> usize {
        let files = [&self.client_secret_file, &self.key_file, &self.passphrase_file];
        files.into_iter().flatten().filter(|path| is_stdin(path)).count()
    }

    pub(super) fn read(&self) -> Result<Credential, Failure> {
        let client_id = || self.client_id.clone().unwrap_or_default();
        if let Some(path) = &self.key_file {
            return self.read_key(path);
        }
        let Some(path) = &self.client_secret_file else {
            return Ok(Credential::Public { client_id: client_id() });
        };
        let (client_id, secret) = (client_id(), ClientSecret::new(line(path)?));
        Ok(Credential::Client(match self.auth {
            Auth::Basic => ClientAuthentication::ClientSecretBasic { client_id, secret },
            Auth::Post => ClientAuthentication::ClientSecretPost { client_id, secret },
        }))
    }

    fn read_key(&self, path: &Path) -> Result<Credential, Failure> {
        let passphrase = self.passphrase_file.as_deref().map(line).transpose()?;
        let passphrase = passphrase.as_ref().map(|line| line.as_bytes());
        let parsed = KeyFile::parse(&octets(path)?, self.kid.as_deref(), self.algorithm, passphrase);
        let (kind, key) = parsed.map_err(|fault| CredentialFileError { path: path.to_owned(), fault })?;
        let key = Box::new(key);
        let audience = self.assertion_audience.clone().map_or(Audience::Issuer, Audience::Named);
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        let credential = match (kind, &self.client_id, &self.service_account) {
            // Whoever looks for a key of the one kind finds none of the other (incident A1).
            (KeyFileKind::ZitadelApplication { .. }, _, Some(_)) => {
                return usage(
                    "this is the key file of an application, and no service account can use it: name --client-id",
                );
            }
            (KeyFileKind::ZitadelServiceAccount { .. }, Some(_), _) => {
                return usage(
                    "this is the key file of a service account, and no client can use it: leave --client-id out",
                );
            }
            (KeyFileKind::Bare, None, None) => {
                return usage("the key file does not say whose it is: name --service-account or --client-id");
            }
            (_, Some(client_id), _) => client(client_id.clone(), key, audience),
            (_, None, Some(subject)) => {
                Credential::ServiceAccount { key, subject: subject.clone(), audience }
            }
            (KeyFileKind::ZitadelApplication { client_id, .. }, None, None) => {
                client(client_id, key, audience)
            }
            (KeyFileKind::ZitadelServiceAccount { user_id }, None, None) => {
                Credential::ServiceAccount { key, subject: user_id, audience }
            }
        };
        Ok(credential)
    }

    /// Whether an assertion has to name the issuer.
    pub(super) fn needs_issuer(&self) -> bool {
        self.key_file.is_some() && self.assertion_audience.is_none()
    }
}

fn client(client_id: String, key: Box<SigningKey>, audience: Audience) -> Credential {
    Credential::Client(ClientAuthentication::PrivateKeyJwt { client_id, key, audience })
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| format!("no such algorithm: {name}"))
}
