//! A Redis that gateways share, and that remembers which proofs were used.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use keyward::binding::ReplayKey;
use keyward::clock::{Clock, SystemClock};
use keyward::entropy;
use keyward::{MonoTime, Remembering, SharedReplay, SharedReplayError, SharedReplaySettings};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// Before the name of each proof, so that others may use the same database.
const PREFIX: &str = "keyward:proof:";

/// The longest that a connection takes to be made. Requests do not wait for so long, and the next one finds it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure nothing is tried for this long, so that requests do not wait for what is refused anyway.
const PAUSE: Duration = Duration::from_millis(100);

/// The memory of `[gateway.dpop.shared_memory]`.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    pub(crate) redis: Arc<RedisProofs>,
    pub(crate) settings: SharedReplaySettings,
}

/// One connection to Redis, made when it is needed first, and again when it broke.
pub(crate) struct RedisProofs {
    url: Zeroizing<String>,
    /// In PEM, in place of the system's.
    anchors: Option<Vec<u8>>,
    client: Client,
    /// Who we are, among all who share it: another one after each start, as what we remember is.
    id: String,
    /// Held while a connection is made: one at a time.
    making: Arc<tokio::sync::Mutex<()>>,
    line: Arc<Mutex<Line>>,
    clock: Arc<SystemClock>,
}

/// The connection, as it is at the moment.
#[derive(Default)]
struct Line {
    connection: Option<MultiplexedConnection>,
    /// Which one it is, from 1.
    number: u64,
    failed: Option<(MonoTime, SharedReplayError)>,
}

/// A connection to ask over.
struct Connected {
    number: u64,
    connection: MultiplexedConnection,
    /// Made for this question.
    is_fresh: bool,
}

/// Why an address of Redis is of no use. It shows nothing of it: it holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedisUrlError {
    /// Anchors that cannot be read, or that would verify nothing.
    #[error(
        "these anchors are no certificates in PEM, or the address is not one of rediss://, which they are for"
    )]
    Anchors,
    /// Its fragment turns checks off.
    #[error("the certificate of a Redis is always checked: take the part from # on away")]
    Fragment,
    /// None that can be read.
    #[error("this is no address of a Redis, such as \"rediss://user:password@redis.example:6379/0\"")]
    Malformed,
}

impl SharedMemory {
    /// Keeps the connection of `previous` where it leads to the same place.
    pub(crate) fn go_on_with(&mut self, previous: Option<&Self>) {
        if let Some(previous) = previous.filter(|previous| previous.redis.is_alike(&self.redis)) {
            self.redis = Arc::clone(&previous.redis);
        }
    }
}

impl RedisProofs {
    /// It is not connected yet. `anchors` are certificates in PEM, in place of the system's.
    pub(crate) fn new(url: Zeroizing<String>, anchors: Option<Vec<u8>>) -> Result<Self, RedisUrlError> {
        if url.contains('#') {
            return Err(RedisUrlError::Fragment);
        }
        let client = Client::open(url.as_str()).map_err(|_| RedisUrlError::Malformed)?;
        let client = match &anchors {
            None => client,
            Some(anchors) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(anchors.clone()) };
                let holds_one =
                    CertificateDer::pem_slice_iter(anchors).next().is_some_and(|first| first.is_ok());
                let client = Client::build_with_tls(url.as_str(), certificates);
                client.ok().filter(|_| holds_one).ok_or(RedisUrlError::Anchors)?
            }
        };
        let id = format!("{:016x}", entropy::seed());
        let (making, line) = Default::default();
        Ok(Self { url, anchors, client, id, making, line, clock: Arc::new(SystemClock::new()) })
    }

    /// Whether both lead to the same place, as the same user, by the same anchors.
    fn is_alike(&self, other: &Self) -> bool {
        self.url == other.url && self.anchors == other.anchors
    }

    /// Whether passwords and answers go to another machine for everybody between to read and to change.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) => {
                host != "localhost" && !host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
            _ => false,
        }
    }

    async fn is_new(&self, key: &ReplayKey, time: Duration) -> Result<bool, SharedReplayError> {
        let line = self.connected().await?;
        let is_fresh = line.is_fresh;
        match self.set(line, key, time).await {
            // One that was idle may have been closed, which shows when it is used.
            Err(SharedReplayError::Unreachable { .. }) if !is_fresh => {
                self.set(self.connected().await?, key, time).await
            }
            answer => answer,
        }
    }

    async fn set(&self, line: Connected, key: &ReplayKey, time: Duration) -> Result<bool, SharedReplayError> {
        let Connected { number, mut connection, .. } = line;
        // Where the answer does not come in time this is dropped, and the next request asks over another connection.
        let mut doubt = Doubt { line: &self.line, number, is_founded: true };
        let answer = self.ask(&mut connection, &name(key), time).await.map_err(|error| explained(&error));
        match &answer {
            Ok(_) => doubt.is_founded = false,
            // One that refuses may have become a replica: its name may lead to another by now.
            Err(error @ SharedReplayError::Refused { .. }) => {
                self.line().failed = Some((self.clock.mono(), error.clone()));
            }
            Err(_) => {}
        }
        answer
    }

    /// Whether the name was not there, or was set by ourselves: what we let pass is known here before Redis is asked, so that
    /// this can only be of a question whose answer was lost.
    async fn ask(
        &self,
        connection: &mut MultiplexedConnection,
        name: &str,
        time: Duration,
    ) -> Result<bool, RedisError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut set = redis::cmd("SET");
        set.arg(name).arg(&self.id).arg("NX").arg("PX").arg(millis);
        if set.query_async::<Option<String>>(connection).await?.is_some() {
            return Ok(true);
        }
        let set_by: Result<Option<String>, RedisError> =
            redis::cmd("GET").arg(name).query_async(connection).await;
        match set_by {
            Ok(set_by) => Ok(set_by.as_ref() == Some(&self.id)),
            // We may not look: it is there, and that is all we know.
            Err(error) if matches!(explained(&error), SharedReplayError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn connected(&self) -> Result<Connected, SharedReplayError> {
        if let Some(connected) = self.line().connected() {
            return Ok(connected);
        }
        let making = Arc::clone(&self.making).lock_owned().await;
        {
            let line = self.line();
            if let Some(connected) = line.connected() {
                return Ok(connected);
            }
            let paused = |at: MonoTime| self.clock.mono() < at.saturating_add(PAUSE);
            if let Some((_, error)) = line.failed.as_ref().filter(|(at, _)| paused(*at)) {
                return Err(error.clone());
            }
        }
        let (client, line, clock) = (self.client.clone(), Arc::clone(&self.line), Arc::clone(&self.clock));
        // It goes on where the request that began it does not wait any longer.
        let made = tokio::spawn(async move {
            let _making = making;
            // How long a request waits is not known here, and not the same after a reload.
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_response_timeout(Some(CONNECT_TIMEOUT));
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            locked(&line).made(connection, clock.mono())
        });
        made.await.unwrap_or(Err(SharedReplayError::TimedOut))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        locked(&self.line)
    }
}

impl SharedReplay for RedisProofs {
    fn remember<'a>(&'a self, key: &'a ReplayKey, time: Duration) -> Remembering<'a> {
        Box::pin(self.is_new(key, time))
    }
}

impl fmt::Debug for RedisProofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisProofs").finish_non_exhaustive()
    }
}

impl Line {
    fn connected(&self) -> Option<Connected> {
        let connection = self.connection.clone()?;
        Some(Connected { number: self.number, connection, is_fresh: false })
    }

    fn made(
        &mut self,
        connection: Result<MultiplexedConnection, RedisError>,
        now: MonoTime,
    ) -> Result<Connected, SharedReplayError> {
        match connection {
            Ok(connection) => {
                self.number += 1;
                self.connection = Some(connection.clone());
                self.failed = None;
                Ok(Connected { number: self.number, connection, is_fresh: true })
            }
            Err(error) => {
                let error = explained(&error);
                self.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }
}

/// Gives a connection up when it is dropped: one that leads nowhere may take minutes to break by itself.
struct Doubt<'a> {
    line: &'a Mutex<Line>,
    number: u64,
    is_founded: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let mut line = locked(self.line);
        if self.is_founded && line.number == self.number {
            line.connection = None;
        }
    }
}

fn locked(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(key: &ReplayKey) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode_to_string(key.as_bytes()))
}

fn explained(error: &RedisError) -> SharedReplayError {
    if error.is_timeout() {
        return SharedReplayError::TimedOut;
    }
    match error.kind() {
        // Its first word alone: some servers repeat what they do not understand, a password among it.
        ErrorKind::AuthenticationFailed | ErrorKind::Server(_) | ErrorKind::Extension => {
            SharedReplayError::Refused { said: error.code().unwrap_or(error.category()).to_owned() }
        }
        _ => SharedReplayError::Unreachable { why: error.to_string() },
    }
}
