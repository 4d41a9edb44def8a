//! The hot paths by themselves, to be run under callgrind, which counts within [`measured`] only.

use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use clap::ValueEnum;
use http::Request;
use keyward::WrapperPolicy;
use keyward_gateway::{Config, Gateway};
use keyward_jose::{Algorithm, DecodeBuffer};

use crate::authority::Desk;
use crate::cached::Seen;
use crate::certificates::{Bound, Chain};
use crate::verify::Whole;
use crate::{Failure, introspection, sample};

/// A path that every request, or every new token, goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HotPath {
    /// Whole verification of an EdDSA token, whose signatures all cost the same.
    Verify,
    /// A verdict on a token that was seen before.
    Cached,
    /// The gateway's answer about a token that was seen before.
    ForwardAuth,
    /// A verdict on a token of which an endpoint spoke before.
    Introspected,
    /// A verdict by keys on a token that was seen before, while the endpoint's breaker is open.
    Fallback,
    /// Whole verification of an EdDSA token that is bound to a key, and of a proof by ES256.
    Dpop,
    /// A chain with one intermediate, from DER.
    Chain,
    /// A verdict on a token that was seen before, by a key with a certificate that counts.
    Wrapped,
    /// The authority's token in ES256, for a client whose secret is remembered.
    ClientCredentials,
    /// What the authority says of a JWT that it saw before.
    Introspection,
    /// The authority's JWK Set.
    JwkSet,
}

/// Makes everything ready, runs the path a few times to have seen it all, and then so many times to be
/// counted.
pub(crate) fn run(path: HotPath, times: u32) -> Result<(), Failure> {
    match path {
        HotPath::Verify => {
            let signer = sample::signer(Algorithm::EdDsa)?;
            let token = sample::token(&signer, 1)?;
            let whole = Whole::new(Algorithm::EdDsa, Some(sample::jwk_set(&signer)))?;
            let mut buffer = DecodeBuffer::new();
            repeat(times, || whole.accepts(black_box(&token), &mut buffer))
        }
        HotPath::Cached => {
            let seen = Seen::new()?;
            repeat(times, || seen.accepts())
        }
        HotPath::ForwardAuth => forward_auth(times),
        HotPath::Introspected => {
            let seen = introspection::by_answer(None)?;
            repeat(times, || seen.accepts())
        }
        HotPath::Fallback => {
            let seen = introspection::by_fallback()?;
            repeat(times, || seen.accepts())
        }
        HotPath::Dpop => {
            let proofs = usize::try_from(times)? + WARM_UP;
            let mut bound = Bound::new(Algorithm::EdDsa, Algorithm::Es256, proofs)?;
            repeat(times, || bound.accepts())
        }
        HotPath::Chain => {
            let chain = Chain::new(&rcgen::PKCS_ECDSA_P256_SHA256)?;
            repeat(times, || chain.is_read_and_verified())
        }
        HotPath::Wrapped => {
            let seen = Seen::wrapped(WrapperPolicy::Enforce)?;
            repeat(times, || seen.accepts())
        }
        HotPath::ClientCredentials => {
            let desk = Desk::open()?;
            repeat(times, || desk.issues())
        }
        HotPath::Introspection => {
            let desk = Desk::open()?;
            repeat(times, || desk.introspects())
        }
        HotPath::JwkSet => {
            let desk = Desk::open()?;
            repeat(times, || desk.publishes())
        }
    }
}

/// How many times a path runs before it is counted.
const WARM_UP: usize = 10;

fn repeat(times: u32, mut step: impl FnMut() -> bool) -> Result<(), Failure> {
    if !(0..WARM_UP).all(|_| step()) {
        return Err("not every time accepted".into());
    }
    if measured(times, &mut step) == times { Ok(()) } else { Err("not every time accepted".into()) }
}

/// How many of so many steps came out well. callgrind is told this function's name.
#[inline(never)]
fn measured(times: u32, step: &mut dyn FnMut() -> bool) -> u32 {
    (0..times).map(|_| u32::from(black_box(step()))).sum()
}

fn forward_auth(times: u32) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let signer = sample::signer(Algorithm::Es256)?;
    std::fs::write(folder.path().join("keys.json"), sample::jwk_set(&signer)?)?;
    let text = crate::forward_auth::config("127.0.0.1:0".parse()?, "127.0.0.1:0".parse()?, 1 << 25, "");
    let bearer = format!("Bearer {}", sample::token(&signer, 1)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let gateway = runtime.block_on(Gateway::bind(Config::parse(&text, folder.path())?))?;
    let request = || {
        Request::get("/auth")
            .header("host", "127.0.0.1")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-host", "app.example")
            .header("x-forwarded-uri", "/api/orders?page=2")
            .header("authorization", &bearer)
            .body(())
    };
    // The keys are fetched by the first answer that waits for them.
    let first = runtime.block_on(gateway.answer(request()?));
    if !first.status().is_success() {
        return Err("not accepted".into());
    }
    // Requests are made beforehand: hyper's parsing is not ours to count.
    let mut requests =
        (0..usize::try_from(times)? + WARM_UP).map(|_| request()).collect::<Result<Vec<_>, _>>()?;
    repeat(times, || {
        let Some(request) = requests.pop() else {
            return false;
        };
        let mut answering = std::pin::pin!(gateway.answer(request));
        match answering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.status().is_success(),
            // A token that was seen before waits for nothing.
            Poll::Pending => false,
        }
    })
}
