//! How the gateway under drill introspects: the same plan for the binary's configuration and for the library.

use std::io;
use std::path::{Path, PathBuf};

use keyward::credentials::{
    Audience, BearerSettings, ClientSettings, CredentialSettings, Grant, KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use keyward::{Fallback, FallbackSettings, GivenUp, IntrospectionSettings, IssuerSettings, Strategy};
use keyward_lab::client::KeyFileForm;
use keyward_lab::time::Time;
use keyward_lab::{CommandError, Lab};
use serde::{Deserialize, Deserializer};
use url::Url;

/// `[gateway.introspection]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionPlan {
    /// Who the gateway is there, and how it shows it.
    #[serde(default)]
    pub credential: CredentialPlan,
    /// The client of the provider's that it is. Default `drill`.
    pub client: Option<String>,
    /// What its key file looks like. Default the one that is right for the credential.
    pub key_file: Option<KeyFileForm>,
    /// Whom assertions are for. Default the issuer.
    #[serde(default)]
    pub assertion_audience: AssertionAudience,
    /// A path at the issuer's address where the endpoint is said to be. Default where discovery says.
    pub wrong_path: Option<String>,
    /// As in the gateway's configuration.
    pub timeout: Option<Time>,
    /// As in the gateway's configuration.
    pub active_for: Option<Time>,
    /// As in the gateway's configuration.
    pub inactive_for: Option<Time>,
    /// As in the gateway's configuration.
    pub concurrency: Option<usize>,
}

/// How the gateway shows who it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CredentialPlan {
    /// A bearer by `client_credentials`, for which it shows its secret.
    ClientCredentials,
    /// Its secret in a header.
    #[default]
    ClientSecretBasic,
    /// Its secret in the form.
    ClientSecretPost,
    /// A bearer by the JWT-bearer grant.
    JwtBearer,
    /// An assertion.
    PrivateKeyJwt,
}

/// Whom assertions are for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AssertionAudience {
    /// The endpoint.
    Endpoint,
    /// The issuer.
    #[default]
    Issuer,
}

/// `[gateway.fallback]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackPlan {
    /// `revocation` or `signature`.
    pub gives_up: String,
    /// For tokens of which age. Default any.
    pub younger_than: Option<Time>,
}

/// What its credential's file holds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    /// A key that the provider knows, in a file of the kind that is good for something else.
    OtherKind,
    /// What the provider knows.
    Right,
    /// Something else.
    Wrong,
}

/// A strategy by its name in the configuration.
pub(crate) fn strategy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Strategy, D::Error> {
    let name = String::deserialize(deserializer)?;
    let found = Strategy::ALL.into_iter().find(|strategy| strategy.label() == name);
    found.ok_or_else(|| {
        let names = Strategy::ALL.map(Strategy::label).join(", ");
        serde::de::Error::custom(format!("there is no strategy {name:?}; there are {names}"))
    })
}

impl FallbackPlan {
    /// As the gateway's configuration has it.
    pub(crate) fn table(&self, header: &str) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("gives_up".to_owned(), toml::Value::Array(vec![self.gives_up.as_str().into()]));
        if let Some(Time(age)) = self.younger_than {
            table.insert("younger_than".to_owned(), humantime::format_duration(age).to_string().into());
        }
        table.insert("header".to_owned(), header.into());
        table
    }

    fn settings(&self) -> FallbackSettings {
        let all = [GivenUp::Revocation, GivenUp::Signature];
        FallbackSettings {
            gives_up: all.into_iter().filter(|given_up| given_up.label() == self.gives_up).collect(),
            fallback: Fallback { younger_than: self.younger_than.map(|Time(age)| age) },
        }
    }
}

impl IntrospectionPlan {
    fn client(&self) -> &str {
        self.client.as_deref().unwrap_or(keyward_lab::client::CLIENT_ID)
    }

    fn key_form(&self) -> KeyFileForm {
        self.key_file.unwrap_or(match self.credential {
            CredentialPlan::JwtBearer => KeyFileForm::ServiceAccount,
            _ => KeyFileForm::Application,
        })
    }

    fn has_key(&self) -> bool {
        matches!(self.credential, CredentialPlan::JwtBearer | CredentialPlan::PrivateKeyJwt)
    }

    fn audience(&self) -> &'static str {
        match self.assertion_audience {
            AssertionAudience::Endpoint => "endpoint",
            AssertionAudience::Issuer => "issuer",
        }
    }

    fn endpoint(&self, issuer: &str) -> Option<String> {
        self.wrong_path.as_ref().map(|path| format!("{}{path}", issuer.trim_end_matches('/')))
    }

    /// Where the credential for this issuer is, below the gateway's folder.
    fn file(issuer: &str) -> String {
        format!("{issuer}.credential")
    }

    /// Writes what the provider knows the gateway by, or something else, into `folder`.
    pub(crate) fn write(
        &self,
        lab: &Lab,
        issuer: &str,
        folder: &Path,
        state: CredentialState,
    ) -> Result<(), WriteError> {
        let text = match state {
            CredentialState::Wrong => "wrong".to_owned(),
            CredentialState::OtherKind => {
                let form = match self.key_form() {
                    KeyFileForm::ServiceAccount => KeyFileForm::Application,
                    KeyFileForm::Application | KeyFileForm::Pem => KeyFileForm::ServiceAccount,
                };
                lab.key_file(Some(issuer), self.client(), None, form)?
            }
            CredentialState::Right if self.has_key() => {
                lab.key_file(Some(issuer), self.client(), None, self.key_form())?
            }
            CredentialState::Right => {
                let clients = lab.clients(issuer);
                clients.get(self.client()).and_then(|client| client.secret.clone()).unwrap_or_default()
            }
        };
        // In one move, so that it is never read half.
        let (path, new) = (folder.join(Self::file(issuer)), folder.join("credential.new"));
        std::fs::write(&new, text)?;
        std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(std::fs::rename(new, path)?)
    }

    /// As the gateway's configuration has it.
    pub(crate) fn table(&self, name: &str, issuer: &str) -> toml::Table {
        let mut credential = toml::Table::new();
        let mut put = |name: &str, value: &str| credential.insert(name.to_owned(), value.into());
        put(if self.has_key() { "key_file" } else { "secret_file" }, &Self::file(name));
        if !self.has_key() {
            put("client_id", self.client());
        }
        match self.credential {
            CredentialPlan::ClientCredentials => {
                put("method", "bearer");
                put("grant", "client_credentials");
                put("client_authentication", "client_secret_basic");
            }
            CredentialPlan::ClientSecretBasic => drop(put("method", "client_secret_basic")),
            CredentialPlan::ClientSecretPost => drop(put("method", "client_secret_post")),
            CredentialPlan::JwtBearer => {
                put("method", "bearer");
                put("grant", "jwt_bearer");
                put("assertion_audience", self.audience());
            }
            CredentialPlan::PrivateKeyJwt => {
                put("method", "private_key_jwt");
                put("assertion_audience", self.audience());
            }
        }
        let mut table = toml::Table::new();
        table.insert("credential".to_owned(), credential.into());
        if let Some(endpoint) = self.endpoint(issuer) {
            table.insert("endpoint".to_owned(), endpoint.into());
        }
        let times =
            [("timeout", self.timeout), ("active_for", self.active_for), ("inactive_for", self.inactive_for)];
        for (name, time) in times {
            if let Some(Time(time)) = time {
                table.insert(name.to_owned(), humantime::format_duration(time).to_string().into());
            }
        }
        if let Some(concurrency) = self.concurrency {
            let concurrency = i64::try_from(concurrency).unwrap_or(i64::MAX);
            table.insert("concurrency".to_owned(), concurrency.into());
        }
        table
    }

    /// The same for the library.
    fn settings(&self, name: &str, issuer: &str, folder: &Path) -> IntrospectionSettings {
        let file = folder.join(Self::file(name));
        let mut settings = IntrospectionSettings::new(self.credential(file));
        if let Some(url) = self.endpoint(issuer).and_then(|endpoint| Url::parse(&endpoint).ok()) {
            settings.endpoint = EndpointPlace::Url(url);
        }
        settings.timeout = self.timeout.map_or(settings.timeout, |Time(timeout)| timeout);
        settings.cache.active = self.active_for.map_or(settings.cache.active, |Time(time)| time);
        settings.cache.inactive = self.inactive_for.map_or(settings.cache.inactive, |Time(time)| time);
        settings.concurrency = self.concurrency.unwrap_or(settings.concurrency);
        settings
    }

    fn credential(&self, file: PathBuf) -> CredentialSettings {
        let client_id = self.client().to_owned();
        let audience = match self.assertion_audience {
            AssertionAudience::Endpoint => Audience::Endpoint,
            AssertionAudience::Issuer => Audience::Issuer,
        };
        let bearer = |grant| {
            let token_endpoint = EndpointPlace::Discovery;
            CredentialSettings::Bearer(Box::new(BearerSettings { token_endpoint, grant, scope: None }))
        };
        match self.credential {
            CredentialPlan::ClientCredentials => {
                let client = ClientSettings::ClientSecretBasic { client_id, secret_file: file };
                bearer(Grant::ClientCredentials(client))
            }
            CredentialPlan::ClientSecretBasic => {
                CredentialSettings::Client(ClientSettings::ClientSecretBasic { client_id, secret_file: file })
            }
            CredentialPlan::ClientSecretPost => {
                CredentialSettings::Client(ClientSettings::ClientSecretPost { client_id, secret_file: file })
            }
            CredentialPlan::JwtBearer => {
                bearer(Grant::JwtBearer { key: KeyFileSettings::new(file), subject: None, audience })
            }
            CredentialPlan::PrivateKeyJwt => CredentialSettings::Client(ClientSettings::PrivateKeyJwt {
                client_id: None,
                key: KeyFileSettings::new(file),
                audience,
            }),
        }
    }
}

/// Sets an issuer up as a drill says. The credential is below `folder`.
pub(crate) fn set_up(
    settings: &mut IssuerSettings,
    strategy: Strategy,
    fallback: Option<&FallbackPlan>,
    introspection: Option<&IntrospectionPlan>,
    folder: &Path,
) {
    let (name, issuer) = (settings.policy.name.clone(), settings.policy.issuer.clone());
    settings.strategy = strategy;
    settings.fallback = fallback.map(FallbackPlan::settings);
    settings.introspection = introspection.map(|plan| plan.settings(&name, &issuer, folder));
}

/// Why the credential could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Lab(#[from] CommandError),
}
