//! Resolves `[issuer.introspection]`.

use std::time::Duration;

use keyward::credentials::{ClientSettings, CredentialSettings, Grant};
use keyward::endpoint::EndpointPlace;
use keyward::{AnswerForm, IntrospectionSettings, IssuerSettings};
use tokio::sync::Semaphore;
use toml::Spanned;

use super::raw::{RawAnswers, RawIntrospection, Time};
use super::{ConfigError, Source};

/// The longest that an answer may be remembered: for as long nobody notices that a token was taken back (B13).
const LONGEST_MEMORY: Duration = Duration::from_secs(300);

impl Source<'_> {
    /// The endpoint of an issuer whose other settings are known.
    pub(super) fn introspection(
        &mut self,
        raw: &Spanned<RawIntrospection>,
        issuer: &IssuerSettings,
        discovers: bool,
    ) -> Result<IntrospectionSettings, ConfigError> {
        let (place, raw) = (raw.span(), raw.get_ref());
        let Some(credential) = &raw.credential else {
            let why = "nobody answers strangers: who we are at the endpoint belongs into \
                       [issuer.introspection.credential]";
            return Err(self.error(&place, why));
        };
        let mut settings = IntrospectionSettings::new(self.credential(credential)?);
        settings.endpoint = match &raw.endpoint {
            Some(url) => EndpointPlace::Url(self.url(url)?),
            None if discovers => EndpointPlace::Discovery,
            None => {
                let why =
                    "without discovery the endpoint's address has to stand here: endpoint = \"https://…\"";
                return Err(self.error(&place, why));
            }
        };
        settings.timeout = self.time_or(raw.timeout.as_ref(), settings.timeout)?;
        let most = Semaphore::MAX_PERMITS;
        settings.concurrency = self.number(raw.concurrency.clone(), settings.concurrency, 1..=most)?;
        settings.hedge = raw.hedge;
        settings.form = self.answer_form(raw, &settings.credential, issuer)?;
        if let Some(types) = &raw.token_types {
            if types.get_ref().is_empty() {
                return Err(self.error(&types.span(), "without a type, every token would be refused"));
            }
            settings.token_types = types.get_ref().iter().map(|name| name.as_str().into()).collect();
        }
        settings.cache.active = self.memory(&raw.active_for, settings.cache.active)?;
        settings.cache.inactive = self.memory(&raw.inactive_for, settings.cache.inactive)?;
        settings.cache.octets = raw.cache_octets.unwrap_or(settings.cache.octets);
        Ok(settings)
    }

    /// Whether the verifier takes these addresses: each on its own, so that the error is where it stands.
    pub(super) fn check_endpoints(
        &self,
        raw: &RawIntrospection,
        issuer: &IssuerSettings,
    ) -> Result<(), ConfigError> {
        let token_endpoint = raw.credential.as_ref().and_then(|raw| raw.get_ref().token_endpoint.as_ref());
        for url in [raw.endpoint.as_ref(), token_endpoint].into_iter().flatten() {
            let checked = issuer.check_address(&self.url(url)?);
            checked.map_err(|error| self.error(&url.span(), error.to_string()))?;
        }
        Ok(())
    }

    fn answer_form(
        &self,
        raw: &RawIntrospection,
        credential: &CredentialSettings,
        issuer: &IssuerSettings,
    ) -> Result<AnswerForm, ConfigError> {
        let answers = raw.answers.as_ref().map_or(RawAnswers::Plain, |answers| *answers.get_ref());
        if answers == RawAnswers::Plain {
            return match &raw.audience {
                Some(audience) => {
                    let why = "only signed answers have an audience: answers = \"signed\" (RFC 9701)";
                    Err(self.error(&audience.span(), why))
                }
                None => Ok(AnswerForm::Plain),
            };
        }
        let place = raw.answers.as_ref().map(Spanned::span).unwrap_or_default();
        if issuer.source.is_none() {
            let why = "signed answers are verified with the issuer's keys, and it has none: see discovery, jwks_uri";
            return Err(self.error(&place, why));
        }
        let audience = raw.audience.as_ref().map(|audience| audience.get_ref().as_str());
        let Some(audience) = audience.or_else(|| client_id(credential)).filter(|text| !text.is_empty())
        else {
            let why = "signed answers are for a client, and the credential has no client_id: add audience";
            return Err(self.error(&place, why));
        };
        let audience = audience.into();
        Ok(match answers {
            RawAnswers::PlainOrSigned => AnswerForm::PlainOrSigned { audience },
            RawAnswers::Plain | RawAnswers::Signed => AnswerForm::Signed { audience },
        })
    }

    /// How long answers are remembered; zero for not at all.
    fn memory(&self, time: &Option<Spanned<Time>>, default: Duration) -> Result<Duration, ConfigError> {
        match time {
            Some(time) if time.get_ref().0 > LONGEST_MEMORY => {
                let why = "at most 5m is possible here: for as long as an answer is remembered, nobody notices \
                           that the provider has changed its mind";
                Err(self.error(&time.span(), why))
            }
            time => Ok(time.as_ref().map_or(default, |time| time.get_ref().0)),
        }
    }
}

/// What our client is called at the provider, as far as the configuration says it.
fn client_id(credential: &CredentialSettings) -> Option<&str> {
    let client = match credential {
        CredentialSettings::Client(client) => client,
        CredentialSettings::Bearer(bearer) => match &bearer.grant {
            Grant::ClientCredentials(client) => client,
            Grant::JwtBearer { .. } => return None,
        },
        CredentialSettings::BearerFile { .. } => return None,
    };
    match client {
        ClientSettings::ClientSecretBasic { client_id, .. }
        | ClientSettings::ClientSecretPost { client_id, .. }
        | ClientSettings::MutualTls { client_id, .. } => Some(client_id),
        ClientSettings::PrivateKeyJwt { client_id, .. } => client_id.as_deref(),
    }
}
