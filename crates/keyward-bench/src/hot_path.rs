//! The hot paths by themselves, to be run under callgrind: twice, with different times, so that the
//! difference is what the repetitions cost and nothing else.

use std::hint::black_box;

use clap::ValueEnum;
use http::Request;
use keyward_gateway::{Config, Gateway};
use keyward_jose::{Algorithm, DecodeBuffer};

use crate::cached::Seen;
use crate::verify::Whole;
use crate::{Failure, sample};

/// A path that every request, or every new token, goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HotPath {
    /// Whole verification of an ES256 token.
    Verify,
    /// A verdict on a token that was seen before.
    Cached,
    /// The gateway's answer about a token that was seen before.
    ForwardAuth,
}

pub(crate) fn run(path: HotPath, times: u32) -> Result<(), Failure> {
    match path {
        HotPath::Verify => {
            let signer = sample::signer(Algorithm::Es256)?;
            let token = sample::token(&signer, 1)?;
            let whole = Whole::new(Algorithm::Es256, Some(sample::jwk_set(&signer)))?;
            let mut buffer = DecodeBuffer::new();
            repeat(times, || whole.accepts(black_box(&token), &mut buffer))
        }
        HotPath::Cached => {
            let seen = Seen::new()?;
            repeat(times, || seen.accepts())
        }
        HotPath::ForwardAuth => forward_auth(times),
    }
}

fn repeat(times: u32, mut step: impl FnMut() -> bool) -> Result<(), Failure> {
    let accepted = (0..times).filter(|_| black_box(step())).count();
    if accepted == times as usize { Ok(()) } else { Err("not every time accepted".into()) }
}

fn forward_auth(times: u32) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let signer = sample::signer(Algorithm::Es256)?;
    std::fs::write(folder.path().join("keys.json"), sample::jwk_set(&signer)?)?;
    let text = crate::forward_auth::config("127.0.0.1:0".parse()?, "127.0.0.1:0".parse()?, 1 << 25);
    let bearer = format!("Bearer {}", sample::token(&signer, 1)?);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let gateway = Gateway::bind(Config::parse(&text, folder.path())?).await?;
        let request = || {
            Request::get("/auth")
                .header("host", "127.0.0.1")
                .header("x-forwarded-method", "GET")
                .header("x-forwarded-host", "app.example")
                .header("x-forwarded-uri", "/api/orders?page=2")
                .header("authorization", &bearer)
                .body(())
        };
        // Requests are made beforehand: hyper's parsing is not ours to count.
        let requests = (0..times).map(|_| request()).collect::<Result<Vec<_>, _>>()?;
        for request in requests {
            if !gateway.answer(request).await.status().is_success() {
                return Err("not every time accepted".into());
            }
        }
        Ok(())
    })
}
