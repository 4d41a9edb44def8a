//! Resolves `[[issuer]]`.

use keyward::address::{AllowedHost, NoHost};
use keyward::{Algorithm, AlgorithmSet, HmacSecret, IssuerSettings, KeySource, SettingsError, Strategy};
use toml::Spanned;
use url::Url;

use super::fallback::DeclaredFallback;
use super::raw::{RawIssuer, RawKeySet, Time};
use super::{BadCredential, ConfigError, Source};

/// No signed token is shorter.
const LEAST_TOKEN: usize = 128;

impl Source<'_> {
    /// An issuer that a verifier can be started with, beside those before it, and what is said of its fallback.
    pub(super) fn issuer(
        &mut self,
        raw: RawIssuer,
        before: &[IssuerSettings],
    ) -> Result<(IssuerSettings, Option<DeclaredFallback>), ConfigError> {
        self.only_one(&raw, before)?;
        let mut settings = IssuerSettings::discover(raw.issuer.get_ref()).named(raw.name.get_ref());
        if raw.name.get_ref().is_empty() {
            return Err(self.error(&raw.name.span(), "an issuer needs a name"));
        }
        settings.source = self.key_source(&raw)?;
        settings.allowed_hosts = self.hosts(&raw.allow_hosts)?;
        if let Some(file) = &raw.hmac_secret_file {
            settings.hmac_secret = Some(HmacSecret::new(first_line(self.read(file)?)));
        }
        settings.policy.algorithms = self.algorithms(raw.algorithms, &settings)?;
        if let Some(file) = &raw.hmac_secret_file {
            settings.hmac_key().map_err(|error| self.error(&file.span(), error.to_string()))?;
        }
        settings.policy.denied_kids = raw.deny.into_iter().map(Into::into).collect();
        settings.policy.audiences = raw.audiences.into_iter().map(Into::into).collect();
        if let Some(types) = raw.token_types {
            if types.get_ref().is_empty() {
                return Err(self.error(&types.span(), "without a type, every token would be refused"));
            }
            settings.policy.token_types = types.into_inner().into_iter().map(Into::into).collect();
        }
        if let Some(Time(leeway)) = raw.leeway {
            settings.policy.leeway = leeway;
        }
        let octets = settings.policy.token_size_limit;
        settings.policy.token_size_limit = self.number(raw.token_octets, octets, LEAST_TOKEN..=usize::MAX)?;
        self.key_set(raw.key_set, &mut settings)?;
        self.wrapper(raw.wrapper, &mut settings)?;
        let fallback = raw.fallback.map(|fallback| self.fallback(fallback)).transpose()?;
        let (fallback, declared) = fallback.unzip();
        settings.fallback = fallback;
        if let Some(introspection) = &raw.introspection {
            let discovers = raw.discovery.as_ref().is_none_or(|discovery| *discovery.get_ref());
            settings.introspection = Some(self.introspection(introspection, &settings, discovers)?);
        }
        settings.strategy = raw.strategy.as_ref().map_or(Strategy::KeySet, |raw| (*raw.get_ref()).into());
        if let Some(strategy) = &raw.strategy {
            self.check_strategy(&strategy.span(), &settings, settings.strategy)?;
        }
        if let Some(introspection) = &raw.introspection {
            self.check_endpoints(introspection.get_ref(), &settings)?;
        }
        let place = raw.jwks_uri.as_ref().map_or(raw.issuer.span(), Spanned::span);
        match settings.check() {
            // It was told of when its files were read.
            Err(SettingsError::Credential { .. }) if self.bad_credential == BadCredential::IsToldOf => {}
            checked => checked.map_err(|error| self.error(&place, error.to_string()))?,
        }
        if let Some(file) = &raw.ca_file {
            settings.extra_anchors = self.read(file)?;
            keyward::source::Source::new(&settings)
                .map_err(|error| self.error(&file.span(), error.to_string()))?;
        }
        Ok((settings, declared))
    }

    fn only_one(&self, raw: &RawIssuer, before: &[IssuerSettings]) -> Result<(), ConfigError> {
        let (name, issuer) = (raw.name.get_ref(), raw.issuer.get_ref());
        if before.iter().any(|other| *other.policy.name == **name) {
            return Err(self.error(&raw.name.span(), format!("two issuers are called {name:?}")));
        }
        match before.iter().find(|other| *other.policy.issuer == **issuer) {
            Some(twin) => {
                let name = &twin.policy.name;
                Err(self.error(&raw.issuer.span(), format!("two issuers have this identifier; see {name:?}")))
            }
            None => Ok(()),
        }
    }

    fn key_source(&mut self, raw: &RawIssuer) -> Result<Option<KeySource>, ConfigError> {
        let places = [
            ("jwks_uri", raw.jwks_uri.as_ref().map(Spanned::span)),
            ("jwks_file", raw.jwks_file.as_ref().map(Spanned::span)),
            ("certificate_file", raw.certificate_file.as_ref().map(Spanned::span)),
        ];
        let mut places = places.into_iter().filter_map(|(name, span)| Some((name, span?)));
        let (first, second) = (places.next(), places.next());
        let discovery = raw.discovery.as_ref().filter(|discovery| *discovery.get_ref());
        if let Some((discovery, (name, _))) = discovery.zip(first.as_ref()) {
            let why = format!("discovery excludes {name}, which says where the keys are");
            return Err(self.error(&discovery.span(), why));
        }
        if let Some(((one, _), (other, place))) = first.zip(second) {
            return Err(self.error(&place, format!("{one} and {other} exclude each other")));
        }
        let kid = self.certificate_kid(&raw.certificate_kid, raw.certificate_file.is_some())?;
        Ok(match (&raw.jwks_uri, &raw.jwks_file, &raw.certificate_file) {
            (Some(uri), ..) => Some(KeySource::JwksUri(self.url(uri)?)),
            (_, Some(file), _) => {
                self.read(file)?;
                Some(KeySource::File(self.file_path(file.get_ref())))
            }
            (.., Some(file)) => {
                self.read(file)?;
                Some(KeySource::Certificates { path: self.file_path(file.get_ref()), kid })
            }
            _ if raw.discovery.is_some() && discovery.is_none() => None,
            _ if raw.hmac_secret_file.is_some() && !is_address(raw.issuer.get_ref()) => None,
            _ => Some(KeySource::Discovery),
        })
    }

    pub(super) fn url(&self, url: &Spanned<String>) -> Result<Url, ConfigError> {
        Url::parse(url.get_ref()).map_err(|error| self.error(&url.span(), format!("this is no URL: {error}")))
    }

    fn hosts(&self, texts: &[Spanned<String>]) -> Result<Vec<AllowedHost>, ConfigError> {
        let host = |text: &Spanned<String>| {
            text.get_ref().parse().map_err(|error: NoHost| self.error(&text.span(), error.to_string()))
        };
        texts.iter().map(host).collect()
    }

    fn algorithms(
        &self,
        names: Option<Spanned<Vec<Spanned<String>>>>,
        settings: &IssuerSettings,
    ) -> Result<AlgorithmSet, ConfigError> {
        let has_secret = settings.hmac_secret.is_some();
        let Some(names) = names else {
            let secret = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
            let of_secret = secret.into_iter().filter(|_| has_secret);
            let of_keys = AlgorithmSet::asymmetric().iter().filter(|_| settings.source.is_some());
            return Ok(of_keys.chain(of_secret).collect());
        };
        if names.get_ref().is_empty() {
            return Err(self.error(&names.span(), "without an algorithm, every token would be refused"));
        }
        names.get_ref().iter().map(|name| self.algorithm(name, has_secret)).collect()
    }

    fn algorithm(&self, name: &Spanned<String>, has_secret: bool) -> Result<Algorithm, ConfigError> {
        let algorithm = Algorithm::from_name(name.get_ref()).ok_or_else(|| {
            let known = Algorithm::ALL.map(Algorithm::name).join(", ");
            self.error(&name.span(), format!("this algorithm is not supported; there are {known}"))
        })?;
        if !AlgorithmSet::asymmetric().contains(algorithm) && !has_secret {
            return Err(self.error(&name.span(), "this algorithm needs hmac_secret_file"));
        }
        Ok(algorithm)
    }

    fn key_set(&self, raw: RawKeySet, settings: &mut IssuerSettings) -> Result<(), ConfigError> {
        let seconds = |time: &Option<Spanned<Time>>, default| self.time_or(time.as_ref(), default);
        let key_set = &mut settings.key_set;
        key_set.ttl = seconds(&raw.ttl, key_set.ttl)?;
        key_set.stale_limit = seconds(&raw.stale_limit, key_set.stale_limit)?;
        key_set.retries = raw.retries.unwrap_or(key_set.retries);
        settings.fetch_timeout = seconds(&raw.timeout, settings.fetch_timeout)?;
        if let Some(time) = raw.stale_limit.or(raw.ttl).filter(|_| key_set.stale_limit < key_set.ttl) {
            return Err(self.error(&time.span(), "the stale limit must not be shorter than the TTL"));
        }
        Ok(())
    }
}

fn is_address(issuer: &str) -> bool {
    Url::parse(issuer).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// A secret in a file mostly ends in a newline that is no part of it.
fn first_line(mut content: Vec<u8>) -> Vec<u8> {
    let end = content.iter().position(|octet| matches!(octet, b'\r' | b'\n')).unwrap_or(content.len());
    content.truncate(end);
    content
}
