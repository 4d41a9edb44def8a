//! Resolves `[[issuer]]`.

use std::time::Duration;

use keyward::{Algorithm, AlgorithmSet, HmacSecret, IssuerSettings, KeySource};
use toml::Spanned;
use url::Url;

use super::raw::{RawIssuer, RawKeySet, Time};
use super::{ConfigError, Source};

impl Source<'_> {
    pub(super) fn issuer(&mut self, raw: RawIssuer) -> Result<IssuerSettings, ConfigError> {
        let mut settings = IssuerSettings::discover(raw.issuer.get_ref()).named(raw.name.get_ref());
        if raw.name.get_ref().is_empty() {
            return Err(self.error(&raw.name.span(), "an issuer needs a name"));
        }
        settings.source = match (&raw.jwks_uri, &raw.jwks_file) {
            (Some(uri), None) => Some(KeySource::JwksUri(
                Url::parse(uri.get_ref())
                    .map_err(|error| self.error(&uri.span(), format!("this is no URL: {error}")))?,
            )),
            (None, Some(file)) => {
                self.read(file)?;
                Some(KeySource::File(self.folder.join(file.get_ref())))
            }
            (None, None) if raw.hmac_secret_file.is_some() && !is_address(raw.issuer.get_ref()) => None,
            (None, None) => Some(KeySource::Discovery),
            (Some(_), Some(file)) => {
                return Err(self.error(&file.span(), "jwks_uri and jwks_file exclude each other"));
            }
        };
        if let Some(file) = &raw.hmac_secret_file {
            settings.hmac_secret = Some(HmacSecret::new(first_line(self.read(file)?)));
        }
        settings.policy.algorithms = self.algorithms(raw.algorithms, settings.hmac_secret.is_some())?;
        settings.policy.audiences = raw.audiences.into_iter().map(Into::into).collect();
        if let Some(types) = raw.token_types {
            settings.policy.token_types = types.into_iter().map(Into::into).collect();
        }
        if let Some(Time(leeway)) = raw.leeway {
            settings.policy.leeway = leeway;
        }
        if let Some(octets) = raw.token_octets {
            settings.policy.token_size_limit = octets;
        }
        if let Some(file) = &raw.ca_file {
            settings.extra_anchors = self.read(file)?;
        }
        self.key_set(raw.key_set, &mut settings)?;
        settings.check().map_err(|error| self.error(&raw.issuer.span(), error.to_string()))?;
        Ok(settings)
    }

    fn algorithms(
        &self,
        names: Option<Vec<Spanned<String>>>,
        has_secret: bool,
    ) -> Result<AlgorithmSet, ConfigError> {
        let Some(names) = names else {
            let secret = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
            let of_secret = secret.into_iter().filter(|_| has_secret);
            return Ok(AlgorithmSet::asymmetric().iter().chain(of_secret).collect());
        };
        names
            .iter()
            .map(|name| {
                Algorithm::from_name(name.get_ref()).ok_or_else(|| {
                    let known = Algorithm::ALL.map(Algorithm::name).join(", ");
                    self.error(&name.span(), format!("this algorithm is not supported; there are {known}"))
                })
            })
            .collect()
    }

    fn key_set(&self, raw: RawKeySet, settings: &mut IssuerSettings) -> Result<(), ConfigError> {
        let seconds = |time: &Option<Spanned<Time>>, default: Duration| match time {
            Some(time) if time.get_ref().0.is_zero() => {
                Err(self.error(&time.span(), "the time must be longer than zero"))
            }
            Some(time) => Ok(time.get_ref().0),
            None => Ok(default),
        };
        let key_set = &mut settings.key_set;
        key_set.ttl = seconds(&raw.ttl, key_set.ttl)?;
        key_set.min_ttl = key_set.min_ttl.min(key_set.ttl);
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
