//! Resolves `[issuer.introspection.credential]`: who we are at an endpoint.

use std::ops::Range;
use std::path::PathBuf;

use keyward::Algorithm;
use keyward::credentials::{
    Audience, BearerSettings, ClientSettings, CredentialSettings, Grant, KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use toml::Spanned;

use super::raw::{RawClientMethod, RawCredential, RawGrant, RawMethod};
use super::{BadCredential, ConfigError, ConfigWarning, Source};

/// Members of every client that signs with a key of its own.
const OF_KEYS: [&str; 5] = ["key_file", "key_id", "algorithm", "key_password_file", "assertion_audience"];

impl Source<'_> {
    /// What `raw` says, with its files read once, so that what is wrong with one is said here. They are not watched
    /// with the configuration: the library reads them again by itself.
    pub(super) fn credential(
        &mut self,
        raw: &Spanned<RawCredential>,
    ) -> Result<CredentialSettings, ConfigError> {
        let (place, raw) = (raw.span(), raw.get_ref());
        let Some(method) = &raw.method else {
            return Err(self.error(&place, "a credential needs a method, such as \"client_secret_basic\""));
        };
        self.only_its_own(raw, method)?;
        let credential = match client_method(*method.get_ref()) {
            Some(client) => CredentialSettings::Client(self.client(raw, client, &method.span())?),
            None if *method.get_ref() == RawMethod::BearerFile => CredentialSettings::BearerFile {
                token_file: self.needed_file(&raw.token_file, "token_file", method)?,
            },
            None => CredentialSettings::Bearer(Box::new(self.bearer(raw, method)?)),
        };
        match credential.check() {
            Ok(warnings) => {
                self.warnings.extend(warnings.into_iter().map(ConfigWarning::Credential));
                Ok(credential)
            }
            Err(error) if self.bad_credential == BadCredential::IsToldOf => {
                let why = error.to_string();
                self.warnings.push(ConfigWarning::CredentialUnusable { path: error.path, why });
                Ok(credential)
            }
            Err(error) => {
                // A change of one may mend it.
                self.files.extend(credential.files().into_iter().map(PathBuf::from));
                let files = [&raw.secret_file, &raw.key_file, &raw.key_password_file];
                let files = files.into_iter().chain([&raw.certificate_file, &raw.token_file]).flatten();
                let named = files.into_iter().find(|file| self.file_path(file.get_ref()) == error.path);
                Err(self.error(&named.map_or(place, Spanned::span), error.to_string()))
            }
        }
    }

    fn bearer(
        &self,
        raw: &RawCredential,
        method: &Spanned<RawMethod>,
    ) -> Result<BearerSettings, ConfigError> {
        let Some(grant) = &raw.grant else {
            let why = "a bearer is obtained by a grant: \"client_credentials\" or \"jwt_bearer\"; one from a file \
                       has the method \"bearer_file\"";
            return Err(self.error(&method.span(), why));
        };
        let token_endpoint = match &raw.token_endpoint {
            Some(url) => EndpointPlace::Url(self.url(url)?),
            None => EndpointPlace::Discovery,
        };
        let grant = match (grant.get_ref(), &raw.client_authentication) {
            (RawGrant::ClientCredentials, Some(client)) => {
                Grant::ClientCredentials(self.client(raw, *client.get_ref(), &client.span())?)
            }
            (RawGrant::ClientCredentials, None) => {
                let client = RawClientMethod::ClientSecretBasic;
                Grant::ClientCredentials(self.client(raw, client, &grant.span())?)
            }
            (RawGrant::JwtBearer, _) => Grant::JwtBearer {
                key: self.key(raw, &grant.span())?,
                subject: self.text(&raw.subject)?,
                audience: self.assertion_audience(raw)?,
            },
        };
        Ok(BearerSettings { token_endpoint, grant, scope: self.text(&raw.scope)? })
    }

    /// `place` is what asked for a client.
    fn client(
        &self,
        raw: &RawCredential,
        method: RawClientMethod,
        place: &Range<usize>,
    ) -> Result<ClientSettings, ConfigError> {
        let needed = |name| self.error(place, format!("{} needs {name}", label(method)));
        let client_id = || self.text(&raw.client_id)?.ok_or_else(|| needed("client_id"));
        let file = |file: &Option<Spanned<PathBuf>>, name| self.file(file).ok_or_else(|| needed(name));
        Ok(match method {
            RawClientMethod::ClientSecretBasic => ClientSettings::ClientSecretBasic {
                client_id: client_id()?,
                secret_file: file(&raw.secret_file, "secret_file")?,
            },
            RawClientMethod::ClientSecretPost => ClientSettings::ClientSecretPost {
                client_id: client_id()?,
                secret_file: file(&raw.secret_file, "secret_file")?,
            },
            RawClientMethod::PrivateKeyJwt => ClientSettings::PrivateKeyJwt {
                client_id: self.text(&raw.client_id)?,
                key: self.key(raw, place)?,
                audience: self.assertion_audience(raw)?,
            },
            RawClientMethod::TlsClientAuth => ClientSettings::MutualTls {
                client_id: client_id()?,
                certificate_file: file(&raw.certificate_file, "certificate_file")?,
                key_file: file(&raw.key_file, "key_file")?,
            },
        })
    }

    fn key(&self, raw: &RawCredential, place: &Range<usize>) -> Result<KeyFileSettings, ConfigError> {
        let Some(path) = self.file(&raw.key_file) else {
            return Err(self.error(place, "this needs key_file, the private key that signs for us"));
        };
        let algorithm = raw.algorithm.as_ref().map(|name| {
            let signs = |algorithm: &Algorithm| keyward::AlgorithmSet::asymmetric().contains(*algorithm);
            Algorithm::from_name(name.get_ref()).filter(signs).ok_or_else(|| {
                let known = keyward::AlgorithmSet::asymmetric().iter().map(Algorithm::name);
                let known = known.collect::<Vec<_>>().join(", ");
                self.error(&name.span(), format!("nothing is signed with this algorithm; there are {known}"))
            })
        });
        Ok(KeyFileSettings {
            kid: self.text(&raw.key_id)?,
            algorithm: algorithm.transpose()?,
            passphrase_file: self.file(&raw.key_password_file),
            ..KeyFileSettings::new(path)
        })
    }

    fn assertion_audience(&self, raw: &RawCredential) -> Result<Audience, ConfigError> {
        Ok(match self.text(&raw.assertion_audience)? {
            None => Audience::default(),
            Some(text) if text == "issuer" => Audience::Issuer,
            Some(text) if text == "endpoint" => Audience::Endpoint,
            Some(text) => Audience::Named(text),
        })
    }

    fn file(&self, path: &Option<Spanned<PathBuf>>) -> Option<PathBuf> {
        path.as_ref().map(|path| self.file_path(path.get_ref()))
    }

    fn needed_file(
        &self,
        path: &Option<Spanned<PathBuf>>,
        name: &str,
        needed_by: &Spanned<RawMethod>,
    ) -> Result<PathBuf, ConfigError> {
        self.file(path).ok_or_else(|| self.error(&needed_by.span(), format!("this method needs {name}")))
    }

    fn text(&self, text: &Option<Spanned<String>>) -> Result<Option<String>, ConfigError> {
        match text {
            Some(text) if text.get_ref().is_empty() => {
                Err(self.error(&text.span(), "this is empty; leave it out where it is not needed"))
            }
            text => Ok(text.as_ref().map(|text| text.get_ref().clone())),
        }
    }

    /// A member that belongs to another method is a mistake: somebody thinks that it counts.
    fn only_its_own(&self, raw: &RawCredential, method: &Spanned<RawMethod>) -> Result<(), ConfigError> {
        let (what, own) = own_members(raw, *method.get_ref());
        match members(raw).into_iter().find(|(name, _)| !own.contains(name)) {
            Some((name, place)) => {
                Err(self
                    .error(&place, format!("{name} is no setting of {what}, which takes {}", own.join(", "))))
            }
            None => Ok(()),
        }
    }
}

/// What is configured, in words, and the members that it takes.
fn own_members(raw: &RawCredential, method: RawMethod) -> (String, Vec<&'static str>) {
    if let Some(client) = client_method(method) {
        return (label(client).to_owned(), members_of_client(client));
    }
    if method == RawMethod::BearerFile {
        return ("bearer_file".to_owned(), vec!["token_file"]);
    }
    let of_all = ["grant", "token_endpoint", "scope"].into_iter();
    match raw.grant.as_ref().map(Spanned::get_ref) {
        // What it takes depends on what is missing, and that is said.
        None => ("bearer".to_owned(), members(raw).into_iter().map(|(name, _)| name).collect()),
        Some(RawGrant::JwtBearer) => {
            ("the grant jwt_bearer".to_owned(), of_all.chain(["subject"]).chain(OF_KEYS).collect())
        }
        Some(RawGrant::ClientCredentials) => {
            let client = raw.client_authentication.as_ref().map(|client| *client.get_ref());
            let client = client.unwrap_or(RawClientMethod::ClientSecretBasic);
            let own = of_all.chain(["client_authentication"]).chain(members_of_client(client));
            (format!("the grant client_credentials with {}", label(client)), own.collect())
        }
    }
}

fn members_of_client(client: RawClientMethod) -> Vec<&'static str> {
    match client {
        RawClientMethod::ClientSecretBasic | RawClientMethod::ClientSecretPost => {
            vec!["client_id", "secret_file"]
        }
        RawClientMethod::PrivateKeyJwt => ["client_id"].into_iter().chain(OF_KEYS).collect(),
        RawClientMethod::TlsClientAuth => vec!["client_id", "certificate_file", "key_file"],
    }
}

/// The members that are there beside `method`, and where.
fn members(raw: &RawCredential) -> Vec<(&'static str, Range<usize>)> {
    fn at<T>(member: &Option<Spanned<T>>) -> Option<Range<usize>> {
        member.as_ref().map(Spanned::span)
    }
    let members = [
        ("client_id", at(&raw.client_id)),
        ("secret_file", at(&raw.secret_file)),
        ("key_file", at(&raw.key_file)),
        ("key_id", at(&raw.key_id)),
        ("algorithm", at(&raw.algorithm)),
        ("key_password_file", at(&raw.key_password_file)),
        ("assertion_audience", at(&raw.assertion_audience)),
        ("certificate_file", at(&raw.certificate_file)),
        ("token_file", at(&raw.token_file)),
        ("grant", at(&raw.grant)),
        ("token_endpoint", at(&raw.token_endpoint)),
        ("scope", at(&raw.scope)),
        ("subject", at(&raw.subject)),
        ("client_authentication", at(&raw.client_authentication)),
    ];
    members.into_iter().filter_map(|(name, place)| Some((name, place?))).collect()
}

fn client_method(method: RawMethod) -> Option<RawClientMethod> {
    match method {
        RawMethod::Bearer | RawMethod::BearerFile => None,
        RawMethod::ClientSecretBasic => Some(RawClientMethod::ClientSecretBasic),
        RawMethod::ClientSecretPost => Some(RawClientMethod::ClientSecretPost),
        RawMethod::PrivateKeyJwt => Some(RawClientMethod::PrivateKeyJwt),
        RawMethod::TlsClientAuth => Some(RawClientMethod::TlsClientAuth),
    }
}

/// The name in the configuration, which is that of the registry (RFC 7591 §2, RFC 8705 §2.1.1).
const fn label(client: RawClientMethod) -> &'static str {
    match client {
        RawClientMethod::ClientSecretBasic => "client_secret_basic",
        RawClientMethod::ClientSecretPost => "client_secret_post",
        RawClientMethod::PrivateKeyJwt => "private_key_jwt",
        RawClientMethod::TlsClientAuth => "tls_client_auth",
    }
}
