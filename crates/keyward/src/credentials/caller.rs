//! Calls a provider's endpoints in our name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use http::header::ACCEPT;
use keyward_jose::SignError;
use keyward_verify::MonoTime;
use keyward_verify::introspection::Failure;
use tokio::task::JoinSet;
use url::Url;

use super::assertion::Occasion;
use super::bearer::{Bearer, Outlook};
use super::bearer_machine::{AfterRefusal, Trouble};
use super::client_authentication::Proof;
use super::settings::{Credential, Loaded, LoadedGrant};
use super::shared::{Shared, Surroundings, fetchers, keep_looking, reload};
use super::standing::Standing;
use super::watch::FileWatch;
use super::{
    CallError, CallerError, CallerSettings, ClientAuthentication, CredentialSettings, CredentialStatus,
    OAuthError, ProviderError,
};
use crate::clock::{self, Clock};
use crate::endpoint::Endpoints;
use crate::entropy;
use crate::event::{Event, Observer};
use crate::fetch::{Answer, FetchError, Transport, shown};
use crate::trace;

/// Calls one issuer's endpoints, and shows them our credential.
///
/// The credential's files are read again when they change; a file that is of no use leaves the old credential in its
/// place. A bearer is obtained, renewed and, when it is refused, obtained again once. While the provider refuses us,
/// calls fail at once but for one attempt after each back-off.
#[derive(Debug)]
pub struct Caller {
    shared: Arc<Shared>,
    bearer: Option<Arc<Bearer>>,
    _watching: JoinSet<()>,
}

/// What a request was sent with.
enum Shown {
    Bearer(u64),
    Fixed(Arc<Credential>),
}

impl Caller {
    /// Reads the credential's files and, where it is one that is obtained, begins to obtain it. Calls go over this
    /// machine's network.
    ///
    /// # Errors
    /// [`CallerError`].
    pub fn start(
        settings: CallerSettings,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        seed: u64,
    ) -> Result<Self, CallerError> {
        Self::start_over(settings, None, clock, observer, seed)
    }

    /// The same by another way than this machine's network. A client certificate is of no use then.
    ///
    /// # Errors
    /// [`CallerError::File`].
    pub fn with_transport(
        settings: CallerSettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        seed: u64,
    ) -> Result<Self, CallerError> {
        Self::start_over(settings, Some(transport), clock, observer, seed)
    }

    fn start_over(
        settings: CallerSettings,
        transport: Option<Arc<dyn Transport>>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        seed: u64,
    ) -> Result<Self, CallerError> {
        // Looked at before they are read, so that a change meanwhile is seen at the next look.
        let watch = FileWatch::new(settings.credential.files());
        let Loaded { credential, identity, warnings } =
            settings.credential.load().map_err(CallerError::File)?;
        let made = fetchers(&settings, transport.as_ref(), identity).map_err(CallerError::HttpClient)?;
        let [fetcher, token_fetcher] = made.map(|fetcher| Arc::new(ArcSwap::from_pointee(fetcher)));
        let endpoints =
            Endpoints::new(&settings.issuer, (*token_fetcher.load_full()).clone(), Arc::clone(&clock));
        let credential = Arc::new(ArcSwap::from_pointee(credential));
        let (name, issuer) = (settings.name.clone(), settings.issuer.clone());
        let surroundings = Surroundings { name, issuer, clock, observer };
        for warning in &warnings {
            surroundings.tell(&Event::CredentialExposed { warning });
        }
        let bearer = match &settings.credential {
            CredentialSettings::Bearer(bearer) => {
                let (credential, fetcher) = (Arc::clone(&credential), Arc::clone(&token_fetcher));
                let seed = entropy::derived(seed, 1);
                Some(Arc::new(Bearer::start(
                    (**bearer).clone(),
                    credential,
                    fetcher,
                    Arc::clone(&endpoints),
                    surroundings.clone(),
                    seed,
                )))
            }
            _ => None,
        };
        let shared = Arc::new(Shared {
            settings,
            surroundings,
            transport,
            credential,
            fetcher,
            token_fetcher,
            endpoints,
            standing: Mutex::new(Standing::new(seed)),
            last_refusal: Mutex::default(),
            watch: Mutex::new(watch),
        });
        let mut watching = JoinSet::new();
        watching.spawn(keep_looking(Arc::clone(&shared), bearer.clone()));
        Ok(Self { shared, bearer, _watching: watching })
    }

    /// What it was started with.
    pub fn settings(&self) -> &CallerSettings {
        &self.shared.settings
    }

    /// Where the issuer's endpoints are.
    pub(crate) fn endpoints(&self) -> &Arc<Endpoints> {
        &self.shared.endpoints
    }

    /// Whether a call would fail at once because of our credential, and how: without making one.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        match &self.bearer {
            Some(bearer) => bearer.refusal().map(|trouble| match trouble {
                Trouble::Rejected => Failure::CredentialsRejected,
                Trouble::Unavailable => Failure::CredentialsUnavailable,
            }),
            None => {
                let now = self.shared.surroundings.clock.mono();
                self.shared.standing().refuses(now).then_some(Failure::CredentialsRejected)
            }
        }
    }

    /// Posts a form to `endpoint`, which was found at `named`; the same one twice where the operator named it. The
    /// answer is one of any status but a redirect and those that refuse us. All of it, waiting for a token of ours
    /// included, ends at `deadline`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn post(
        &self,
        named: &Url,
        endpoint: &Url,
        fields: &[(&str, &str)],
        deadline: MonoTime,
    ) -> Result<Answer, CallError> {
        let wait = clock::until(&*self.shared.surroundings.clock, deadline);
        let calling = tokio::time::timeout(wait, self.call(named, endpoint, fields, deadline));
        let timeout = |_| Err(CallError::Fetch(FetchError::Timeout { url: shown(endpoint) }));
        calling.await.unwrap_or_else(timeout)
    }

    async fn call(
        &self,
        named: &Url,
        endpoint: &Url,
        fields: &[(&str, &str)],
        deadline: MonoTime,
    ) -> Result<Answer, CallError> {
        let mut is_last = false;
        loop {
            let (shown, proof) = self.show(endpoint, deadline).await?;
            let fetcher = self.shared.fetcher.load_full();
            let mut request = proof.post_form(endpoint, fields);
            request.headers.insert(ACCEPT, HeaderValue::from_static(self.shared.settings.accept));
            if let Some(context) = trace::cause() {
                context.add_to(&mut request.headers);
            }
            let sent = fetcher.send(named, &request).await;
            let answer = sent.map_err(|error| {
                self.untold(&shown);
                CallError::Fetch(error)
            })?;
            let said = proof.said(&answer);
            if !is_refusal(&said) {
                if answer.status.is_success() {
                    self.accepted(&shown);
                } else {
                    self.untold(&shown);
                }
                return Ok(answer);
            }
            let retry_in = match self.refused(&shown, said).await {
                None if !is_last => {
                    is_last = true;
                    continue;
                }
                retry_in => retry_in.unwrap_or_default(),
            };
            return Err(CallError::CredentialsRejected { retry_in });
        }
    }

    /// What a request carries now.
    async fn show(&self, endpoint: &Url, deadline: MonoTime) -> Result<(Shown, Proof), CallError> {
        let shared = &self.shared;
        let now = shared.surroundings.clock.now();
        let issuer = &shared.surroundings.issuer;
        let occasion = Occasion { issuer, endpoint, now: now.wall, nonce: entropy::nonce() };
        if let Some(bearer) = &self.bearer {
            let (number, token) = bearer.token(deadline).await.map_err(|no_token| match no_token {
                (Trouble::Rejected, retry_in) => CallError::CredentialsRejected { retry_in },
                (Trouble::Unavailable, retry_in) => CallError::CredentialsUnavailable { retry_in },
            })?;
            let proof =
                ClientAuthentication::Bearer(token).prove(&occasion).await.map_err(CallError::Sign)?;
            return Ok((Shown::Bearer(number), proof));
        }
        let may_show = shared.standing().ask(now.mono);
        may_show.map_err(|retry_in| CallError::CredentialsRejected { retry_in })?;
        let credential = shared.credential.load_full();
        let proof = match &*credential {
            Credential::Fixed(client) | Credential::Obtained(LoadedGrant::ClientCredentials(client)) => {
                client.prove(&occasion).await
            }
            // One that is obtained has a bearer.
            Credential::Obtained(LoadedGrant::JwtBearer { .. }) => Err(SignError::Failed),
        };
        Ok((Shown::Fixed(credential), proof.map_err(CallError::Sign)?))
    }

    fn accepted(&self, shown: &Shown) {
        let had_refused = match (shown, &self.bearer) {
            (Shown::Bearer(number), Some(bearer)) => bearer.accepted(*number),
            _ => self.shared.standing().accepted(),
        };
        // A new file ends a refusal as well, once the provider takes what is in it.
        let was_refused = self.shared.last_refusal().take().is_some();
        if had_refused || was_refused {
            self.shared.surroundings.tell(&Event::CredentialAccepted);
        }
    }

    /// The provider said nothing of what was shown.
    fn untold(&self, shown: &Shown) {
        if let Shown::Fixed(_) = shown {
            self.shared.standing().untold(self.shared.surroundings.clock.mono());
        }
    }

    /// None where it is worth another attempt at once, else the time until the next.
    async fn refused(&self, shown: &Shown, said: ProviderError) -> Option<Duration> {
        let shared = &self.shared;
        let after = match (shown, &self.bearer) {
            (Shown::Bearer(number), Some(bearer)) => bearer.refused(*number),
            (Shown::Fixed(old), _) if self.is_newer(old).await => AfterRefusal::Again { is_dropped: false },
            _ => {
                let (retry_in, rejections) = shared.standing().refused(shared.surroundings.clock.mono());
                AfterRefusal::Rejected { retry_in, rejections }
            }
        };
        match after {
            AfterRefusal::Again { is_dropped } => {
                if is_dropped {
                    shared.surroundings.tell(&Event::CredentialDropped { said: &said });
                }
                None
            }
            AfterRefusal::Rejected { retry_in, rejections } => {
                if let Some(rejections) = rejections {
                    shared.surroundings.tell(&Event::CredentialRejected {
                        said: &said,
                        rejections,
                        retry_in,
                    });
                    *shared.last_refusal() = Some(said);
                }
                Some(retry_in)
            }
        }
    }

    /// Whether another credential counts by now: its file may have been changed a moment ago.
    async fn is_newer(&self, old: &Arc<Credential>) -> bool {
        let is_newer = || !Arc::ptr_eq(old, &self.shared.credential.load());
        is_newer() || reload(&self.shared, None).await || is_newer()
    }

    /// How our credential stands.
    pub fn status(&self) -> CredentialStatus {
        let now = self.shared.surroundings.clock.mono();
        let last_refusal = self.shared.last_refusal().as_ref().map(ToString::to_string);
        let Some(bearer) = &self.bearer else {
            let method = match &**self.shared.credential.load() {
                Credential::Fixed(client) => client.method(),
                Credential::Obtained(_) => "bearer",
            };
            let rejections = self.shared.standing().count();
            let state = if rejections > 0 { "rejected" } else { "usable" };
            let (age_seconds, usable_for_seconds) = (None, None);
            let last_error = last_refusal;
            return CredentialStatus {
                method,
                state,
                age_seconds,
                usable_for_seconds,
                failures: 0,
                rejections,
                last_error,
            };
        };
        let Outlook { held, failures, rejections, last_error: error } = bearer.outlook();
        let is_usable = held.is_some_and(|(_, until)| now < until);
        let is_refusal = error.as_ref().is_some_and(|error| error.is_refusal());
        let state = match () {
            () if rejections > 0 || (is_refusal && !is_usable) => "rejected",
            () if is_usable => "usable",
            () if error.is_some() => "unavailable",
            () => "obtaining",
        };
        CredentialStatus {
            method: "bearer",
            state,
            age_seconds: held.map(|(obtained, _)| now.saturating_since(obtained).as_secs()),
            usable_for_seconds: held.map(|(_, until)| until.saturating_since(now).as_secs()),
            failures,
            rejections,
            last_error: error.map(|error| error.to_string()).or(last_refusal),
        }
    }
}

/// Whether an answer speaks of us rather than of what was asked: 401 and 403, and 400 with an error that names the
/// client (RFC 7662 §2.3, RFC 6749 §5.2).
fn is_refusal(said: &ProviderError) -> bool {
    match said.status.as_u16() {
        401 | 403 => true,
        400 => matches!(said.code, OAuthError::InvalidClient | OAuthError::UnauthorizedClient),
        _ => false,
    }
}
