//! The way to an address, each step of each address by itself: name, connection, TLS, answer.

mod attempt;
mod body;
mod dns;
mod headers;
mod http;
mod plain;
mod timer;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use keyward::Now;
use keyward::address::{AddressClass, AllowedHost, may_resolve_to};
use keyward::fetch::{FetchError, shown, vet};
use rustls::sign::CertifiedKey;
use url::{Host, Url};
use zeroize::Zeroizing;

pub use dns::{Resolver, Resolving, SystemResolver};
pub(super) use plain::plain;

use super::all::all;
use super::clock::{self, Dated};
use super::context::{Context, locked};
use super::target::IssuerTarget;
use crate::facts::{Attempt, ClockFacts, Ended, Lookup, Reach};
use timer::Timer;
use tls::Trust;

/// The way to one issuer: whom it trusts, which addresses it goes to, and how long it waits, as the gateway does.
pub(super) struct Network {
    context: Context,
    /// The hosts that may have any address; none where every address may be asked.
    allowed_hosts: Option<Vec<AllowedHost>>,
    extra_anchors: Vec<u8>,
    trust: OnceLock<Result<Trust, String>>,
    time: Duration,
    body_limit: usize,
    times: Mutex<Times>,
    /// Addresses that facts show without their query.
    shortened: Mutex<Vec<(String, Url)>>,
}

/// What was seen of clocks.
#[derive(Default)]
struct Times {
    dated: Vec<Dated>,
    readings: Vec<Now>,
}

/// What is asked. `User-Agent` and `Host` are added, and user and password of the address as the gateway adds them.
pub(super) struct Request<'a> {
    /// GET or POST.
    pub(super) method: Method,
    /// Where.
    pub(super) url: &'a Url,
    /// What named that address: the discovery document, or the same address where the operator did.
    pub(super) named: &'a Url,
    /// What goes along, such as `Authorization`.
    pub(super) headers: HeaderMap,
    /// The body; empty for none.
    pub(super) body: Zeroizing<Vec<u8>>,
    /// Who we are in the TLS handshake, where we are asked; none for nobody.
    pub(super) identity: Option<Arc<CertifiedKey>>,
    /// How long it may take in all.
    pub(super) time: Duration,
}

impl<'a> Request<'a> {
    /// A GET of what was named at `named`.
    pub(super) fn get(named: &'a Url, url: &'a Url, time: Duration) -> Self {
        Self {
            method: Method::GET,
            url,
            named,
            headers: HeaderMap::new(),
            body: Zeroizing::default(),
            identity: None,
            time,
        }
    }
}

/// What came of a request.
pub(super) struct Exchange {
    /// As a fact.
    pub(super) reach: Reach,
    /// The answers, with what facts leave out: one for each [`Ended::Answered`] in `reach`, in that order.
    pub(super) answers: Vec<Answered>,
}

/// One answer.
pub(super) struct Answered {
    /// Who answered.
    pub(super) address: SocketAddr,
    /// The status.
    pub(super) status: StatusCode,
    /// The header.
    pub(super) headers: HeaderMap,
    /// The body, as far as it was read; wiped when dropped.
    pub(super) body: Zeroizing<Vec<u8>>,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
}

impl Network {
    /// The way to this issuer.
    pub(super) fn new(context: &Context, issuer: &IssuerTarget) -> Self {
        let settings = &issuer.settings;
        let limits = context.limits();
        Self {
            allowed_hosts: Some(settings.allowed_hosts.clone()),
            extra_anchors: settings.extra_anchors.clone(),
            time: settings.fetch_timeout.min(limits.request),
            ..Self::with(context, limits.body)
        }
    }

    /// The way to our own gateway, wherever the operator says that it is.
    pub(super) fn to_gateway(context: &Context) -> Self {
        // As many issuers' keys as a gateway may have are on one page.
        Self::with(context, 8 * context.limits().body)
    }

    fn with(context: &Context, body_limit: usize) -> Self {
        Self {
            context: context.clone(),
            allowed_hosts: None,
            extra_anchors: Vec::new(),
            trust: OnceLock::new(),
            time: context.limits().request,
            body_limit,
            times: Mutex::default(),
            shortened: Mutex::default(),
        }
    }

    /// What all probes share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// How long one fetch may take, as the gateway has it.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// The hosts that may have any address, and that others may lead to.
    pub(super) fn allowed_hosts(&self) -> &[AllowedHost] {
        self.allowed_hosts.as_deref().unwrap_or_default()
    }

    /// An address as facts show it: without what may be a credential.
    pub(super) fn told(&self, url: &Url) -> String {
        let told = String::from(shown(url));
        if told != url.as_str() {
            locked(&self.shortened).push((told.clone(), url.clone()));
        }
        told
    }

    /// The address that a fact of this issuer shows so, query and all; none where it is no address.
    pub(super) fn untold(&self, told: &str) -> Option<Url> {
        let shortened = locked(&self.shortened);
        let known = shortened.iter().find(|(known, _)| known == told).map(|(_, url)| url.clone());
        known.or_else(|| Url::parse(told).ok())
    }

    /// How far the clock of whoever answered is ahead of ours, as far as it is known by now.
    pub(super) fn ahead(&self) -> Option<ClockFacts> {
        let times = locked(&self.times);
        clock::ahead(&times.dated, &times.readings)
    }

    /// Asks every address at the same time.
    pub(super) async fn ask_each(&self, request: &Request<'_>) -> Exchange {
        let timer = Timer::new(&self.context, request.time);
        let way = self.way(request).await;
        let tried = all(way.addresses.iter().map(|address| self.attempt(request, *address, &timer))).await;
        way.gone(tried)
    }

    /// Asks one address after the other, those first that have answered before, until a request could be sent to one: for what
    /// must not be asked twice.
    pub(super) async fn ask_one(&self, request: &Request<'_>) -> Exchange {
        let timer = Timer::new(&self.context, request.time);
        let mut way = self.way(request).await;
        way.addresses.sort_by_key(|(address, _)| !self.context.is_answering(*address));
        let mut tried = Vec::new();
        for (place, address) in way.addresses.iter().enumerate() {
            let share = timer.share(way.addresses.len() - place);
            let one = self.attempt(request, *address, &share).await;
            let was_sent = !attempt::is_before_sending(&one.0.ended);
            tried.push(one);
            if was_sent {
                break;
            }
        }
        way.gone(tried)
    }

    /// Asks this address alone, which was found for the same request before.
    pub(super) async fn ask_again(
        &self,
        request: &Request<'_>,
        address: SocketAddr,
    ) -> (Ended, Option<Answered>) {
        let timer = Timer::new(&self.context, request.time);
        let (attempt, answered) = self.attempt(request, (address, None), &timer).await;
        (attempt.ended, answered)
    }

    /// Where the request leads, as far as that is known without connecting to anybody.
    async fn way(&self, request: &Request<'_>) -> Way {
        let url = shown(request.url).into();
        let unseen = Reach { url, refused: None, lookup: Lookup::NotTried, attempts: Vec::new() };
        let allowed = self.allowed_hosts.as_deref();
        let vetted = allowed.map_or(Ok(()), |allowed| vet(request.named, request.url, allowed));
        if let Err(refusal) = vetted {
            return Way::refused(unseen, request.url, &refusal);
        }
        let lookup = dns::lookup(&self.context, request.url).await;
        let port = request.url.port_or_known_default().unwrap_or_default();
        let found = match &lookup {
            Lookup::Found(found) => dns::chosen(found, self.context.limits().addresses),
            Lookup::Literal(address) => vec![*address],
            Lookup::Failed(_) | Lookup::NotTried | Lookup::TimedOut => Vec::new(),
        };
        let addresses = found
            .into_iter()
            .map(|address| (SocketAddr::new(address, port), self.forbidden(request.url, address)));
        Way { addresses: addresses.collect(), reach: Reach { lookup, ..unseen } }
    }

    /// Why the gateway passes over an address that a name resolves to.
    fn forbidden(&self, url: &Url, address: IpAddr) -> Option<Forbidden> {
        let allowed = self.allowed_hosts.as_deref()?;
        let Some(Host::Domain(name)) = url.host() else { return None };
        let may = may_resolve_to(name, address) || AllowedHost::any_covers(allowed, url);
        (!may).then(|| Forbidden(AddressClass::of(address)))
    }

    fn trust(&self) -> &Result<Trust, String> {
        self.trust.get_or_init(|| Trust::new(&self.extra_anchors, self.context.clock()))
    }

    /// Takes in what an answer says of the time.
    fn take_times(&self, dated: Option<Dated>) {
        let mut times = locked(&self.times);
        times.dated.extend(dated);
        times.readings.push(self.context.now());
    }
}

/// An address that is passed over: what it is, where it is something.
#[derive(Clone, Copy)]
struct Forbidden(Option<AddressClass>);

impl Forbidden {
    fn ended(self) -> Ended {
        let words =
            self.0.map_or_else(|| "not an address of this machine".to_owned(), |class| class.to_string());
        Ended::Forbidden(words)
    }
}

/// Where a request leads.
struct Way {
    addresses: Vec<(SocketAddr, Option<Forbidden>)>,
    reach: Reach,
}

impl Way {
    fn refused(unseen: Reach, url: &Url, refusal: &FetchError) -> Self {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            Some(Host::Domain(_)) | None => None,
        };
        let refused = Some(refusal.label().to_owned());
        let (FetchError::ForbiddenAddress { class, .. }, Some(address)) = (refusal, literal) else {
            return Self { addresses: Vec::new(), reach: Reach { refused, ..unseen } };
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = vec![(SocketAddr::new(address, port), Some(Forbidden(Some(*class))))];
        Self { addresses, reach: Reach { refused, lookup: Lookup::Literal(address), ..unseen } }
    }

    /// The same with what came of it.
    fn gone(self, tried: Vec<(Attempt, Option<Answered>)>) -> Exchange {
        let (attempts, answers): (Vec<_>, Vec<_>) = tried.into_iter().unzip();
        Exchange { reach: Reach { attempts, ..self.reach }, answers: answers.into_iter().flatten().collect() }
    }
}
