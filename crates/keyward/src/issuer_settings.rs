//! What a caller says about one issuer.

use std::path::PathBuf;
use std::time::Duration;

use keyward_jose::{Algorithm, AlgorithmSet, KeyType, UnusableKey, VerificationKey};
use keyward_verify::key_set::{KeySetSettings, WrapperPolicy};
use keyward_verify::strategy::{GivenUp, Strategy, Tactic};
use keyward_verify::{IssuerPolicy, UnixTime};
use keyward_x509::{Bundle, BundleError, BundleLimits, Certificate, TrustStore};
use url::Url;
use zeroize::Zeroizing;

use crate::SettingsError;
use crate::address::{self, AllowedHost};
use crate::credentials::CredentialSettings;
use crate::endpoint::EndpointPlace;
use crate::fetch::shown;
use crate::introspection::{FallbackSettings, IntrospectionSettings};

/// One issuer: its name and policy, where its keys are, and how they are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerSettings {
    /// What its tokens may look like.
    pub policy: IssuerPolicy,
    /// Where its public keys are; none where it only has a secret.
    pub source: Option<KeySource>,
    /// A secret for HS256, HS384 and HS512, as far as the policy allows them and its length does.
    pub hmac_secret: Option<HmacSecret>,
    /// How its keys are kept.
    pub key_set: KeySetSettings,
    /// Which way its tokens are decided. Default by its keys.
    pub strategy: Strategy,
    /// Whether the strategy's second way may decide what the first one could not. Default not.
    pub fallback: Option<FallbackSettings>,
    /// Its introspection endpoint, where a strategy asks it, or opaque tokens are taken to it. Default none.
    pub introspection: Option<IntrospectionSettings>,
    /// How long one fetch may take, DNS, connection, TLS and body included. Default 5 s.
    pub fetch_timeout: Duration,
    /// Trust anchors for its TLS beside the system's, in PEM.
    pub extra_anchors: Vec<u8>,
    /// Hosts that its discovery document and its redirects may lead to, whatever address they have. They do not
    /// have to name the hosts of `issuer` and of a `jwks_uri` that stands here, unless these resolve to addresses
    /// that are refused. http stays refused. Whoever runs such a host can publish the issuer's keys.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Trust anchors that the certificates around its keys have to lead to, in PEM or DER; the policy says what becomes
    /// of a key whose certificate does not. Default none: a certificate is held against its key and its times only.
    pub wrapper_anchors: Vec<u8>,
}

/// Where an issuer's public keys are.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In certificates in a file, PEM or DER, which is read again as a set is fetched again. Each certificate is a key,
    /// unless it issued another one of the file.
    Certificates {
        /// The file.
        path: PathBuf,
        /// The `kid` of their keys; none for each key's RFC 7638 thumbprint, which outlives its certificate.
        kid: Option<Box<str>>,
    },
    /// At the `jwks_uri` of its discovery document (OpenID Connect Discovery §4, RFC 8414).
    Discovery,
    /// In a file, which is read again as a set is fetched again.
    File(PathBuf),
    /// At this address.
    JwksUri(Url),
}

impl KeySource {
    /// The place in words, without what an address may hold of credentials.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Certificates { path, kid: None } => path.display().to_string(),
            Self::Certificates { path, kid: Some(kid) } => format!("{} as {kid:?}", path.display()),
            Self::Discovery => "discovery".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::JwksUri(url) => shown(url).into(),
        }
    }
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySource({})", self.place())
    }
}

/// A shared secret. It is wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacSecret(pub(crate) Zeroizing<Vec<u8>>);

impl HmacSecret {
    /// Takes in a secret.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl std::fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacSecret(…)")
    }
}

impl IssuerSettings {
    /// An issuer whose keys are found by discovery. Its name is the issuer identifier itself.
    pub fn discover(issuer: &str) -> Self {
        Self::with_source(issuer, KeySource::Discovery)
    }

    /// An issuer whose keys are at `jwks_uri`.
    pub fn jwks_uri(issuer: &str, jwks_uri: Url) -> Self {
        Self::with_source(issuer, KeySource::JwksUri(jwks_uri))
    }

    /// An issuer whose keys are in a file.
    pub fn jwks_file(issuer: &str, path: impl Into<PathBuf>) -> Self {
        Self::with_source(issuer, KeySource::File(path.into()))
    }

    /// An issuer whose keys are those of certificates in a file.
    pub fn certificate_file(issuer: &str, path: impl Into<PathBuf>) -> Self {
        Self::with_source(issuer, KeySource::Certificates { path: path.into(), kid: None })
    }

    fn with_source(issuer: &str, source: KeySource) -> Self {
        Self {
            policy: IssuerPolicy::new(issuer, issuer),
            source: Some(source),
            hmac_secret: None,
            key_set: KeySetSettings::default(),
            strategy: Strategy::KeySet,
            fallback: None,
            introspection: None,
            fetch_timeout: Duration::from_secs(5),
            extra_anchors: Vec::new(),
            allowed_hosts: Vec::new(),
            wrapper_anchors: Vec::new(),
        }
    }

    /// Our name for it, in metrics and logs.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.policy.name = name.into();
        self
    }

    /// One more audience of which `aud` must name one.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.policy.audiences.push(audience.into());
        self
    }

    /// One more host that its discovery document and its redirects may lead to.
    #[must_use]
    pub fn allow_host(mut self, host: AllowedHost) -> Self {
        self.allowed_hosts.push(host);
        self
    }

    /// One more key that verifies nothing from now on, whatever the issuer publishes.
    #[must_use]
    pub fn deny(mut self, kid: &str) -> Self {
        self.policy.denied_kids.push(kid.into());
        self
    }

    /// The only algorithms that its tokens may be signed with.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.policy.algorithms = algorithms.into_iter().collect();
        self
    }

    /// What the X.509 certificates around its keys mean for its tokens.
    #[must_use]
    pub fn wrapper(mut self, policy: WrapperPolicy) -> Self {
        self.policy.wrapper = policy;
        self
    }

    /// Whether a verifier can be started with it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let issuer = self.policy.name.to_string();
        let KeySetSettings { ttl, stale_limit, .. } = self.key_set;
        let times = |what| SettingsError::Times { issuer: issuer.clone(), what };
        if ttl.is_zero() || self.fetch_timeout.is_zero() {
            return Err(times("the TTL and the timeout must be longer than zero"));
        }
        if stale_limit < ttl {
            return Err(times("the stale limit must not be shorter than the TTL"));
        }
        // What the library makes of a bundle that is none: no certificate, and no error.
        let anchors = reqwest::Certificate::from_pem_bundle(&self.extra_anchors);
        if !self.extra_anchors.is_empty() && anchors.is_ok_and(|anchors| anchors.is_empty()) {
            return Err(SettingsError::NoAnchor { issuer });
        }
        self.check_introspection()?;
        self.check_wrapper_anchors()?;
        self.tactic(self.strategy)?;
        match &self.source {
            Some(KeySource::Discovery) => self.check_discovery(),
            Some(KeySource::JwksUri(url)) => self.check_address(url),
            None if self.hmac_secret.is_none() && self.strategy != Strategy::Introspection => {
                Err(SettingsError::NoKeys { issuer })
            }
            Some(KeySource::Certificates { .. } | KeySource::File(_)) | None => Ok(()),
        }
    }

    /// Whether tokens may be decided by `strategy` here, and how.
    ///
    /// # Errors
    /// [`SettingsError::NoIntrospection`], [`SettingsError::FallbackNotDeclared`].
    pub fn tactic(&self, strategy: Strategy) -> Result<Tactic, SettingsError> {
        let issuer = || self.policy.name.to_string();
        if strategy.introspects() && self.introspection.is_none() {
            return Err(SettingsError::NoIntrospection { issuer: issuer(), strategy });
        }
        let declares = |given_up: &GivenUp| {
            self.fallback.as_ref().filter(|settings| settings.gives_up.contains(given_up))
        };
        let declared = strategy.gives_up().as_ref().and_then(declares);
        match strategy.gives_up().filter(|_| strategy.needs_fallback() && declared.is_none()) {
            Some(gives_up) => {
                Err(SettingsError::FallbackNotDeclared { issuer: issuer(), strategy, gives_up })
            }
            None => Ok(Tactic { strategy, fallback: declared.map(|settings| settings.fallback) }),
        }
    }

    /// Whether the introspection endpoint can be asked.
    fn check_introspection(&self) -> Result<(), SettingsError> {
        let Some(introspection) = &self.introspection else {
            return Ok(());
        };
        let issuer = || self.policy.name.to_string();
        if introspection.timeout.is_zero() {
            let what = "the time for an introspection call must be longer than zero";
            return Err(SettingsError::Times { issuer: issuer(), what });
        }
        self.check_endpoint(&introspection.endpoint)?;
        if let CredentialSettings::Bearer(bearer) = &introspection.credential {
            self.check_endpoint(&bearer.token_endpoint)?;
        }
        let checked = introspection.credential.check();
        checked.map(drop).map_err(|cause| SettingsError::Credential { issuer: issuer(), cause })
    }

    /// Whether one of the anchors for certificates around keys can be one, where there are any. That it is over, or still
    /// to come, is no reason to refuse what was taken yesterday.
    ///
    /// # Errors
    /// [`SettingsError::WrapperAnchors`], [`SettingsError::WrapperAnchorsUnreadable`].
    pub fn check_wrapper_anchors(&self) -> Result<(), SettingsError> {
        let fits = |certificate: &Certificate| certificate.fits_as_anchor(certificate.not_before());
        let issuer = || self.policy.name.to_string();
        let certificates = self.wrapper_certificates()?;
        match certificates.first().map(fits) {
            Some(Err(cause)) if !certificates.iter().any(|certificate| fits(certificate).is_ok()) => {
                Err(SettingsError::WrapperAnchors { issuer: issuer(), cause })
            }
            _ => Ok(()),
        }
    }

    fn wrapper_certificates(&self) -> Result<Vec<Certificate>, SettingsError> {
        if self.wrapper_anchors.is_empty() {
            return Ok(Vec::new());
        }
        let issuer = || self.policy.name.to_string();
        let unreadable = |cause| SettingsError::WrapperAnchorsUnreadable { issuer: issuer(), cause };
        let bundle = Bundle::parse(&self.wrapper_anchors, BundleLimits::default()).map_err(unreadable)?;
        if bundle.certificates.is_empty() {
            return Err(unreadable(BundleError::NoCertificate));
        }
        Ok(bundle.certificates)
    }

    /// The declared anchors for certificates around keys, as of `now`.
    ///
    /// # Errors
    /// [`SettingsError::WrapperAnchorsUnreadable`].
    pub fn wrapper_trust(&self, now: UnixTime) -> Result<Option<TrustStore>, SettingsError> {
        let certificates = self.wrapper_certificates()?;
        let builder = (!certificates.is_empty()).then(|| TrustStore::builder().anchors(certificates));
        Ok(builder.map(|builder| builder.build(now.0)))
    }

    fn check_endpoint(&self, endpoint: &EndpointPlace) -> Result<(), SettingsError> {
        match endpoint {
            EndpointPlace::Discovery => self.check_discovery(),
            EndpointPlace::Url(url) => self.check_address(url),
        }
    }

    /// Whether something may be fetched from this address: by https, or by http from loopback, and from no address
    /// that stands for this machine's or its cloud's own services, unless `allowed_hosts` names it.
    ///
    /// # Errors
    /// [`SettingsError::InsecureAddress`], [`SettingsError::ForbiddenAddress`].
    pub fn check_address(&self, url: &Url) -> Result<(), SettingsError> {
        if !address::is_acceptable(url) {
            return Err(self.insecure(shown(url).as_str()));
        }
        let is_allowed = address::is_loopback(url) || AllowedHost::any_covers(&self.allowed_hosts, url);
        match address::named_class(url).filter(|_| !is_allowed) {
            Some(class) => {
                let (issuer, address) = (self.policy.name.to_string(), shown(url).into());
                Err(SettingsError::ForbiddenAddress { issuer, address, class })
            }
            None => Ok(()),
        }
    }

    /// Whether discovery may be asked where the issuer is.
    fn check_discovery(&self) -> Result<(), SettingsError> {
        let issuer = Url::parse(&self.policy.issuer);
        self.check_address(&issuer.map_err(|_| self.insecure(&self.policy.issuer))?)
    }

    fn insecure(&self, address: &str) -> SettingsError {
        let issuer = self.policy.name.to_string();
        SettingsError::InsecureAddress { issuer, address: address.to_owned() }
    }

    /// The key made of the secret, where there is one: it serves those allowed algorithms that it is long
    /// enough for.
    ///
    /// # Errors
    /// [`SettingsError::HmacSecret`].
    pub fn hmac_key(&self) -> Result<Option<VerificationKey>, SettingsError> {
        let Some(HmacSecret(secret)) = &self.hmac_secret else {
            return Ok(None);
        };
        let refused = |cause| SettingsError::HmacSecret { issuer: self.policy.name.to_string(), cause };
        let allowed = self.policy.algorithms.iter().filter(|algorithm| algorithm.key_type() == KeyType::Oct);
        let allowed: AlgorithmSet = allowed.collect();
        if allowed.is_empty() {
            return Err(refused(UnusableKey::AlgorithmUnsupported));
        }
        let served: AlgorithmSet = allowed
            .iter()
            .filter(|algorithm| {
                VerificationKey::from_secret(secret, AlgorithmSet::from_iter([*algorithm]), None).is_ok()
            })
            .collect();
        if served.is_empty() {
            return Err(refused(UnusableKey::SecretTooShort));
        }
        VerificationKey::from_secret(secret, served, None).map(Some).map_err(refused)
    }

    /// The policy, less the algorithms for which there can never be a key: else a token of one would be
    /// "not decidable now" for ever.
    pub(crate) fn decidable_policy(self) -> IssuerPolicy {
        let mut policy = self.policy;
        if self.source.is_none() {
            let of_secrets = |algorithm: &Algorithm| algorithm.key_type() == KeyType::Oct;
            policy.algorithms = policy.algorithms.iter().filter(of_secrets).collect();
        }
        policy
    }

    /// Whether the same public keys come from the same place: then a new configuration goes on with the set of
    /// the old one.
    pub(crate) fn has_same_place(&self, other: &Self) -> bool {
        self.policy.issuer == other.policy.issuer && self.source.is_some() && self.source == other.source
    }

    /// Whether the keys are also kept the same way: then it goes on with the task that keeps them.
    pub(crate) fn keeps_alike(&self, other: &Self) -> bool {
        let of = |settings: &Self| {
            (
                settings.policy.name.clone(),
                settings.hmac_secret.clone(),
                settings.policy.algorithms,
                settings.policy.wrapper,
                settings.wrapper_anchors.clone(),
                settings.key_set.clone(),
                settings.fetch_timeout,
                settings.extra_anchors.clone(),
                settings.allowed_hosts.clone(),
            )
        };
        self.has_same_place(other) && of(self) == of(other)
    }
}
