//! An issuer: its keys and its clock, and what it says of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::addresses::IssuerAddresses;
use crate::authority::{Authority, Certificates};
use crate::client::{Clients, UsedIds};
use crate::clock::{LabClock, http_date};
use crate::command::{AssertionAudience, ClockError, IssuerName, JwksUri, Lag};
use crate::error::CommandError;
use crate::fault::Endpoint;
use crate::key::{KeyRing, LabKey, RsaStock, State};
use crate::opaque::OpaqueTokens;
use crate::plan::{Algorithm, IssuerPlan, KeyPlan};
use crate::port::Port;
use crate::provider_log::ProviderLog;
use crate::random::Random;
use crate::replay::{Replay, Replayed};
use crate::revocation::{Revocations, Revoke};
use crate::visitor::Visitor;

/// What an issuer's tokens live where its plan does not say, in seconds.
pub(crate) const TOKEN_LIFETIME_S: u64 = 300;

/// `aud` where its plan does not say.
const AUDIENCE: &str = "api";

/// An issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) plan: IssuerPlan,
    pub(crate) addresses: IssuerAddresses,
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) replay: Option<Replay>,
    /// How many tokens it has issued.
    pub(crate) issued: AtomicU64,
    pub(crate) opaque: Mutex<OpaqueTokens>,
    pub(crate) used: Mutex<UsedIds>,
    pub(crate) log: Mutex<ProviderLog>,
    pub(crate) told: Mutex<Told>,
    /// The keys that sign for [`crate::token::Signature::OtherKey`].
    pub(crate) others: Mutex<Vec<(Algorithm, Arc<LabKey>)>>,
}

/// What the issuers of a lab have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: LabClock,
    pub(crate) random: Random,
    pub(crate) stock: RsaStock,
    pub(crate) authority: Authority,
}

/// What commands change.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) keys: State,
    pub(crate) clock: ClockError,
    pub(crate) lag: Option<Lag>,
    pub(crate) jwks_uri: JwksUri,
    pub(crate) calls_itself: IssuerName,
    pub(crate) rotation: Turning,
    pub(crate) clients: Clients,
    pub(crate) assertion_audience: AssertionAudience,
    pub(crate) revocations: Revocations,
}

/// The rotation that goes on by itself, if one does.
#[derive(Debug, Default)]
pub(crate) struct Turning {
    /// Only the task that was started with this number may turn keys.
    pub(crate) number: u64,
    /// Keys that rotations have made so far: no kid comes twice.
    pub(crate) introduced: u64,
    pub(crate) task: Option<JoinHandle<()>>,
}

impl Turning {
    pub(crate) fn stop(&mut self) {
        self.number = self.number.wrapping_add(1);
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Told {
    pub(crate) fn new(
        ring: KeyRing,
        wall: i64,
        clients: Clients,
        assertion_audience: AssertionAudience,
    ) -> Self {
        Self {
            keys: State::new(ring, wall),
            clock: ClockError::default(),
            lag: None,
            jwks_uri: JwksUri::True,
            calls_itself: IssuerName::True,
            rotation: Turning::default(),
            clients,
            assertion_audience,
            revocations: Revocations::default(),
        }
    }
}

impl Issuer {
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opaque(&self) -> MutexGuard<'_, OpaqueTokens> {
        self.opaque.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `jti` of assertions that count no more.
    pub(crate) fn used(&self) -> MutexGuard<'_, UsedIds> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it wrote of the clients that it refused.
    pub(crate) fn log(&self) -> MutexGuard<'_, ProviderLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what it has issued until now.
    pub(crate) fn revoke(&self, revoke: &Revoke) {
        self.told().revocations.add(revoke, self.issued.load(Ordering::Relaxed));
    }

    pub(crate) fn port(&self, endpoint: Endpoint) -> Option<&Arc<Port>> {
        self.ports.iter().find(|port| port.endpoint == endpoint)
    }

    pub(crate) fn audience(&self) -> &str {
        self.plan.audience.as_deref().unwrap_or(AUDIENCE)
    }

    /// What it calls itself.
    pub(crate) fn own_name(&self) -> String {
        self.addresses.told_issuer(&self.told().calls_itself)
    }

    /// The time that its tokens are dated with.
    pub(crate) fn token_wall(&self) -> i64 {
        let error = self.told().clock;
        self.shared.clock.wall().saturating_add(if error.tokens { error.ahead_s } else { 0 })
    }

    /// The time that its answers are dated with.
    pub(crate) fn header_wall(&self) -> i64 {
        let error = self.told().clock;
        self.shared.clock.wall().saturating_add(if error.date_header { error.ahead_s } else { 0 })
    }

    /// `Date`.
    pub(crate) fn date(&self) -> String {
        http_date(self.header_wall())
    }

    /// OpenID Connect Discovery §3, RFC 8414 §2.
    pub(crate) fn metadata(&self) -> Value {
        let told = self.told();
        let mut algorithms: Vec<_> = told.keys.ring().all().map(|key| key.algorithm).collect::<Vec<_>>();
        algorithms.sort_unstable();
        algorithms.dedup();
        let algorithms: Vec<_> = algorithms.into_iter().map(Algorithm::name).collect();
        let client_authentication = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
        let assertion_algorithms = Algorithm::EACH.map(Algorithm::name);
        json!({
            "issuer": self.addresses.told_issuer(&told.calls_itself),
            "jwks_uri": self.addresses.told_jwks_uri(&told.jwks_uri),
            "token_endpoint": self.addresses.token_endpoint,
            "introspection_endpoint": self.addresses.introspection_endpoint,
            "revocation_endpoint": self.addresses.revocation_endpoint,
            "grant_types_supported": [
                "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": client_authentication,
            "token_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
            "introspection_endpoint_auth_methods_supported": client_authentication,
            "introspection_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
            "introspection_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": client_authentication,
        })
    }

    /// The JWK Set, from the cache in front if there is one.
    pub(crate) fn jwk_set(&self, visitor: Visitor) -> (Bytes, Option<Lag>) {
        let mut told = self.told();
        let lag = told.lag;
        let then = Instant::now().checked_sub(lag.map_or_else(Default::default, |lag| lag.by.0));
        (told.keys.set_at(then, self.shared.clock.wall(), visitor), lag)
    }

    /// What the provider of its recording said at this time.
    pub(crate) fn replayed(&self, endpoint: Endpoint) -> Option<Replayed<'_>> {
        self.replay.as_ref()?.at(endpoint, self.shared.clock.elapsed())
    }

    /// A key that is not the issuer's, of the kind of this one.
    pub(crate) fn other_key(&self, algorithm: Algorithm) -> Result<Arc<LabKey>, CommandError> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = others.iter().find(|(made, _)| *made == algorithm) {
            return Ok(Arc::clone(key));
        }
        let plan = KeyPlan { algorithm, ..KeyPlan::named("other") };
        let key = Arc::new(LabKey::generate(&plan, &self.shared.stock)?);
        others.push((algorithm, Arc::clone(&key)));
        Ok(key)
    }
}
