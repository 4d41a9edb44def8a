//! The gateway's answers where no endpoint is asked, against its answers by keys on a token that was seen before.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_jose::{Algorithm, LocalSigner};
use tempfile::TempDir;

use crate::forward_auth::{self, request};
use crate::load::Connection;
use crate::row::Rows;
use crate::server::{Server, free_address};
use crate::turns::Turns;
use crate::{Failure, sample};

/// What a gateway of [`Gateway::falling_back`] answers from the moment that it does not ask any more.
const BREAKER_IS_OPEN: &str = "x-keyward-fallback: circuit_open\r\n";

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    let peer = Gateway::start("")?;
    let token = peer.token(1)?;
    peer.accepts(&token, "x-auth-subject: 5be86359-")?;

    let provider = Server::start_provider()?;
    let introspecting = Gateway::introspecting(provider.address)?;
    let tokens = [("jwt", introspecting.token(1)?), ("opaque", sample::opaque_token(1))];
    for (_, token) in &tokens {
        introspecting.accepts(token, &format!("x-auth-subject: {}\r\n", sample::INTROSPECTED_SUBJECT))?;
    }
    // From here on there is nobody to ask.
    drop(provider);
    for (kind, introspected) in &tokens {
        let turns = introspecting.turns(introspected, &peer, &token)?;
        tell(rows, &format!("cached-{kind}"), &turns, 1.2);
    }

    let falling_back = Gateway::falling_back(free_address()?)?;
    let its_token = falling_back.token(1)?;
    falling_back.accepts(&its_token, BREAKER_IS_OPEN)?;
    let turns = falling_back.turns(&its_token, &peer, &token)?;
    tell(rows, "breaker-open-fallback", &turns, 1.1);
    falling_back.accepts(&its_token, BREAKER_IS_OPEN)
}

/// What a request takes, by the clock and of the processor, to what one by keys takes.
fn tell(rows: &mut Rows, name: &str, turns: &Turns, most: f64) {
    rows.at_most(&format!("introspection-{name}"), 1.0 / turns.request_ratio(), most, &turns.note());
    rows.at_most(&format!("introspection-{name}-cpu"), turns.cpu_ratio(0.0), most, "");
}

/// A gateway, and the signer whose keys it knows.
pub(super) struct Gateway {
    pub(super) server: Server,
    signer: Arc<LocalSigner>,
    _folder: TempDir,
}

impl Gateway {
    /// With `more` said of its issuer.
    fn start(more: &str) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let signer = sample::signer(Algorithm::EdDsa)?;
        fs::write(folder.path().join("keys.json"), sample::jwk_set(&signer)?)?;
        fs::write(folder.path().join("secret.txt"), "a secret")?;
        let config = |listen, admin| forward_auth::config(listen, admin, 32 * 1024 * 1024, more);
        let server = Server::start_gateway(folder.path(), config)?;
        Ok(Self { server, signer, _folder: folder })
    }

    /// It asks the endpoint, and remembers what it said for longer than a measurement takes.
    pub(super) fn introspecting(provider: SocketAddr) -> Result<Self, Failure> {
        Self::start(&format!("strategy = \"introspection\"\n{}", endpoint(provider)))
    }

    /// It asks the endpoint, and the keys where that does not answer.
    fn falling_back(provider: SocketAddr) -> Result<Self, Failure> {
        let fallback = "[issuer.fallback]\ngives_up = [\"revocation\"]\nheader = \"x-keyward-fallback\"";
        Self::start(&format!("strategy = \"introspection_then_key_set\"\n{}\n{fallback}", endpoint(provider)))
    }

    pub(super) fn token(&self, number: u32) -> Result<String, Failure> {
        sample::token(&self.signer, number)
    }

    /// Asks about the token until the answer says `telling`.
    fn accepts(&self, token: &str, telling: &str) -> Result<(), Failure> {
        let mut connection = Connection::open(self.server.address)?;
        let started = Instant::now();
        loop {
            connection.send(&request(token))?;
            let answer = connection.receive()?;
            if String::from_utf8_lossy(answer).contains(telling) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("{telling:?} is not in {:?}", String::from_utf8_lossy(answer)).into());
            }
        }
    }

    fn turns(&self, token: &str, peer: &Self, peers_token: &str) -> Result<Turns, Failure> {
        Turns::take([(&peer.server, &[request(peers_token)]), (&self.server, &[request(token)])])
    }
}

fn endpoint(provider: SocketAddr) -> String {
    format!(
        r#"
        [issuer.introspection]
        endpoint = "http://{provider}/introspect"
        active_for = "5m"
        [issuer.introspection.credential]
        method = "client_secret_basic"
        client_id = "gateway"
        secret_file = "secret.txt"
        "#
    )
}
