//! The way to an address, each step of each address by itself: name, connection, TLS, answer.

mod dns;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use rustls::sign::CertifiedKey;
use url::Url;
use zeroize::Zeroizing;

pub use dns::{Resolver, Resolving, SystemResolver};

use super::context::Context;
use super::target::IssuerTarget;
use crate::facts::{Lookup, Reach};

/// The way to one issuer: whom it trusts, which addresses it goes to, and how long it waits, as the gateway does.
pub(super) struct Network {
    context: Context,
}

/// What is asked. `User-Agent` and `Host` are added.
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

/// What came of a request.
pub(super) struct Exchange {
    /// As a fact.
    pub(super) reach: Reach,
    /// The answers, with what facts leave out: one for each [`Ended::Answered`](crate::facts::Ended::Answered) in `reach`, in
    /// that order.
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
    pub(super) fn new(context: &Context, _issuer: &IssuerTarget) -> Self {
        Self { context: context.clone() }
    }

    /// What all probes share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Asks every address at the same time.
    pub(super) async fn ask_each(&self, request: &Request<'_>) -> Exchange {
        Exchange { reach: unseen(request.url), answers: Vec::new() }
    }

    /// Asks one address after the other, until one answers: for what must not be asked twice.
    pub(super) async fn ask_one(&self, request: &Request<'_>) -> Exchange {
        Exchange { reach: unseen(request.url), answers: Vec::new() }
    }
}

fn unseen(url: &Url) -> Reach {
    Reach { url: url.as_str().to_owned(), refused: None, lookup: Lookup::NotTried, attempts: Vec::new() }
}
