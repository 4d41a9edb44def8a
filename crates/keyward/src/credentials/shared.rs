//! What a caller and who looks at its files share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::Identity;

use super::bearer::Bearer;
use super::settings::Credential;
use super::standing::Standing;
use super::watch::FileWatch;
use super::{CallerSettings, CredentialFault, CredentialFileError, ProviderError};
use crate::clock::Clock;
use crate::endpoint::Endpoints;
use crate::event::{self, Event, Observer};
use crate::fetch::{Fetcher, NetworkSettings, NetworkTransport, Transport};

/// How long a token request may take, DNS, connection, TLS and body included.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The most octets that are read of a token endpoint's answer.
const TOKEN_ANSWER_LIMIT: usize = 64 * 1024;

/// What a caller works with, and who looks at its files changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: CallerSettings,
    pub(super) surroundings: Surroundings,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) credential: Arc<ArcSwap<Credential>>,
    pub(super) fetcher: Arc<ArcSwap<Fetcher>>,
    pub(super) token_fetcher: Arc<ArcSwap<Fetcher>>,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) standing: Mutex<Standing>,
    pub(super) last_refusal: Mutex<Option<ProviderError>>,
    pub(super) watch: Mutex<FileWatch>,
}

/// What a caller and its bearer share.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) name: Box<str>,
    pub(super) issuer: Box<str>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
}

impl Surroundings {
    pub(super) fn tell(&self, event: &Event<'_>) {
        event::log(&self.name, event);
        self.observer.observe(&self.name, event);
    }
}

impl Shared {
    fn take_in(&self) -> bool {
        // Until the end: who looks meanwhile finds what was taken in.
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if !watch.has_changed() {
            return false;
        }
        let loaded = self.settings.credential.load().and_then(|loaded| {
            let made = fetchers(&self.settings, self.transport.as_ref(), loaded.identity.clone());
            // The anchors were good before; it is the certificate that is not.
            let path =
                self.settings.credential.files().first().map(|path| path.to_path_buf()).unwrap_or_default();
            let fault = CredentialFault::Certificate;
            made.map(|made| (loaded, made)).map_err(|_| CredentialFileError { path, fault })
        });
        let (loaded, [fetcher, token_fetcher]) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                self.surroundings.tell(&Event::CredentialReloadRefused { error: &error });
                return false;
            }
        };
        for warning in &loaded.warnings {
            self.surroundings.tell(&Event::CredentialExposed { warning });
        }
        // Connections of a client certificate are its own.
        if loaded.identity.is_some() {
            self.fetcher.store(Arc::new(fetcher));
            self.token_fetcher.store(Arc::new(token_fetcher));
        }
        self.credential.store(Arc::new(loaded.credential));
        self.standing().replaced();
        self.surroundings.tell(&Event::CredentialReloaded);
        true
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last_refusal(&self) -> MutexGuard<'_, Option<ProviderError>> {
        self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes in the files whenever they change, until it is dropped.
pub(super) async fn keep_looking(shared: Arc<Shared>, bearer: Option<Arc<Bearer>>) {
    loop {
        tokio::time::sleep(shared.settings.look_interval).await;
        reload(&shared, bearer.as_deref()).await;
    }
}

/// Takes in the files, where they have changed and are good. Whether it did.
pub(super) async fn reload(shared: &Arc<Shared>, bearer: Option<&Bearer>) -> bool {
    let looking = Arc::clone(shared);
    // A disk that hangs must not hold up who shares this thread.
    let reloaded = tokio::task::spawn_blocking(move || looking.take_in()).await.unwrap_or(false);
    if let (true, Some(bearer)) = (reloaded, bearer) {
        bearer.replaced();
    }
    reloaded
}

/// One for calls and one for token requests, over the same connections.
pub(super) fn fetchers(
    settings: &CallerSettings,
    transport: Option<&Arc<dyn Transport>>,
    identity: Option<Identity>,
) -> Result<[Fetcher; 2], reqwest::Error> {
    let transport = match transport {
        Some(transport) => Arc::clone(transport),
        None => Arc::new(NetworkTransport::with_settings(NetworkSettings {
            extra_anchors: settings.extra_anchors.clone(),
            allowed_hosts: settings.allowed_hosts.clone(),
            identity,
            idle_connections: settings.idle_connections,
            ..NetworkSettings::default()
        })?),
    };
    let limits = [(settings.timeout, settings.body_limit), (TOKEN_TIMEOUT, TOKEN_ANSWER_LIMIT)];
    Ok(limits.map(|(timeout, limit)| {
        Fetcher::with_transport(Arc::clone(&transport), timeout, limit, &settings.allowed_hosts)
    }))
}
