//! One address, tried.

use std::io::ErrorKind;
use std::net::SocketAddr;

use keyward::fetch::retry_after;
use tokio::net::TcpStream;

use super::http::{self, Failure, Raw};
use super::timer::Timer;
use super::tls::{Refusal, Secured};
use super::{Answered, Forbidden, Network, Request, body, headers};
use crate::facts::{Answer, Attempt, Ended, TlsFacts, TlsTrouble, Waited};
use crate::probe::clock::Dated;

impl Network {
    /// Takes the request as far along the way to one address as it goes.
    pub(super) async fn attempt(
        &self,
        request: &Request<'_>,
        (address, forbidden): (SocketAddr, Option<Forbidden>),
        timer: &Timer<'_>,
    ) -> (Attempt, Option<Answered>) {
        let mut attempt = Attempt { address, connect_ms: None, tls: None, ended: Ended::OutOfTime };
        let answered = match (forbidden, self.context.asked_to_wait(request.url)) {
            (Some(forbidden), _) => Err(forbidden.ended()),
            (None, Some(wait)) => Err(Ended::AskedToWait(wait.as_secs())),
            (None, None) => self.go(request, &mut attempt, timer).await,
        };
        match answered {
            Ok(raw) => {
                let (ended, answered) = self.take(request, address, raw);
                (Attempt { ended, ..attempt }, Some(answered))
            }
            Err(ended) => (Attempt { ended, ..attempt }, None),
        }
    }

    async fn go(
        &self,
        request: &Request<'_>,
        attempt: &mut Attempt,
        timer: &Timer<'_>,
    ) -> Result<Raw, Ended> {
        let limit = self.body_limit;
        let connecting = timer.again();
        let connected = connecting.within(TcpStream::connect(attempt.address)).await;
        let tcp =
            connected.map_err(|over| over.ended(Waited::Connection))?.map_err(|error| refused(&error))?;
        attempt.connect_ms = Some(connecting.ms());
        // What it costs does not matter, and an answer that waits for it would.
        let _ = tcp.set_nodelay(true);
        if request.url.scheme() != "https" {
            let exchanged = http::exchange(tcp, request, timer, limit).await;
            return exchanged.map_err(|failure| failure.ended());
        }
        let trust = match self.trust() {
            Ok(trust) => trust,
            Err(why) => {
                let trouble = Some(TlsTrouble::Other(why.clone()));
                attempt.tls = Some(TlsFacts { trouble, ..TlsFacts::default() });
                return Err(Ended::TlsFailed);
            }
        };
        let shaking = trust.shake_hands(request.url, tcp, request.identity.as_ref());
        let (facts, secured) = timer.within(shaking).await.map_err(|over| over.ended(Waited::Handshake))?;
        let facts = attempt.tls.insert(facts);
        let Some(secured) = secured else { return Err(Ended::TlsFailed) };
        let refusal = secured.refusal();
        let Secured { stream, .. } = secured;
        let exchanged = http::exchange(stream, request, timer, limit).await;
        exchanged.map_err(|failure| broken(&failure, &refusal, facts))
    }

    /// Makes facts of an answer, and heeds what it asks for.
    fn take(&self, request: &Request<'_>, address: SocketAddr, raw: Raw) -> (Ended, Answered) {
        self.context.has_answered(address);
        self.take_times(Dated::of(&raw.headers, raw.asked_at, raw.answered_at));
        // Our own gateway says it to clients; what it says to us costs it nothing.
        let asks = retry_after(&raw.headers).filter(|wait| !wait.is_zero() && self.allowed_hosts.is_some());
        if let Some(wait) = asks {
            self.context.leave_alone(request.url, wait);
        }
        let answer = Answer {
            status: raw.status.as_u16(),
            first_octet_ms: raw.first_octet_ms,
            took_ms: raw.took_ms,
            headers: headers::told(request.url, &raw.headers),
            body: body::shape(&raw.headers, &raw.body, raw.over_limit),
        };
        let Raw { status, headers, body, over_limit, .. } = raw;
        (Ended::Answered(answer), Answered { address, status, headers, body, is_whole: !over_limit })
    }
}

/// Whether nothing of a request can have been taken in by whoever it was for.
pub(super) fn is_before_sending(ended: &Ended) -> bool {
    match ended {
        Ended::ConnectRefused
        | Ended::Forbidden(_)
        | Ended::TimedOut(Waited::Connection | Waited::Handshake)
        | Ended::TlsFailed
        | Ended::Unreachable(_) => true,
        Ended::Answered(_)
        | Ended::AskedToWait(_)
        | Ended::BrokeOff
        | Ended::NotHttp
        | Ended::OutOfTime
        | Ended::TimedOut(Waited::Body | Waited::FirstOctet) => false,
    }
}

/// Why there is no connection.
fn refused(error: &std::io::Error) -> Ended {
    match error.kind() {
        ErrorKind::ConnectionRefused => Ended::ConnectRefused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Ended::BrokeOff,
        ErrorKind::TimedOut => Ended::TimedOut(Waited::Connection),
        _ => Ended::Unreachable(error.to_string()),
    }
}

/// How a request over TLS ended: a server may say only after the handshake that it wants something else of it.
fn broken(failure: &Failure, refusal: &Refusal, facts: &mut TlsFacts) -> Ended {
    let trouble = match failure {
        Failure::Head(error) => refusal.trouble(error),
        Failure::Body(_) | Failure::NoRequest(_) | Failure::Over(..) => None,
    };
    match trouble {
        Some(trouble) => {
            facts.trouble = Some(trouble);
            Ended::TlsFailed
        }
        None => failure.ended(),
    }
}
