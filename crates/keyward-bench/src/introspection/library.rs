//! Verdicts in the library, against a verdict by keys on a token that was seen before.

use std::fs;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use keyward::credentials::{ClientSettings, CredentialSettings};
use keyward::endpoint::EndpointPlace;
use keyward::{
    AnswerCacheSettings, BreakerSettings, Failure as Outage, Fallback, FallbackCause, FallbackSettings,
    GivenUp, IntrospectionSettings, IssuerSettings, Strategy,
};

use crate::cached::Seen;
use crate::interleave::Timed;
use crate::row::Rows;
use crate::server::{Server, free_address};
use crate::{Failure, allocations, sample};

/// Longer than a measurement takes.
const LONG: Duration = Duration::from_secs(600);

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    measure_one(rows, "cached-jwt", &by_answer(None)?)?;
    measure_one(rows, "cached-opaque", &by_answer(Some(sample::opaque_token(1)))?)?;
    measure_one(rows, "breaker-open-fallback", &by_fallback()?)
}

fn measure_one(rows: &mut Rows, name: &str, seen: &Seen) -> Result<(), Failure> {
    let by_keys = Seen::new()?;
    let timed = Timed::run(&mut [
        &mut || {
            black_box(seen.accepts());
        },
        &mut || {
            black_box(by_keys.accepts());
        },
    ]);
    let nanoseconds = |of| timed.micros(of) * 1000.0;
    let times = format!("{:.3}  ({:.0} ns to {:.0} ns)", timed.ratio(0, 1), nanoseconds(0), nanoseconds(1));
    rows.told(&format!("introspection-{name}-library"), times);
    let allocated = allocations::during(|| {
        for _ in 0..1000 {
            black_box(seen.accepts());
        }
    });
    let name = format!("introspection-{name}-allocations");
    rows.at_most(&name, allocated as f64, 0.0, "  (in 1000 verdicts)");
    Ok(())
}

/// By what an endpoint said a moment ago, which cannot be asked again; [`None`] for a JWT.
pub(crate) fn by_answer(token: Option<String>) -> Result<Seen, Failure> {
    let provider = Server::start_provider()?;
    Seen::with(token, |issuer, folder| {
        let introspection = Some(introspection(provider.address, folder)?);
        Ok(IssuerSettings { strategy: Strategy::Introspection, introspection, ..issuer })
    })
}

/// By keys, since too many calls of the endpoint failed for another one to be made.
pub(crate) fn by_fallback() -> Result<Seen, Failure> {
    let nobody = free_address()?;
    let seen = Seen::with(None, |issuer, folder| {
        Ok(IssuerSettings {
            strategy: Strategy::IntrospectionThenKeySet,
            fallback: Some(FallbackSettings {
                gives_up: vec![GivenUp::Revocation],
                fallback: Fallback::default(),
            }),
            introspection: Some(introspection(nobody, folder)?),
            ..issuer
        })
    })?;
    for _ in 0..100 {
        if seen.verify()?.fallback() == Some(FallbackCause::Introspection(Outage::CircuitOpen)) {
            return Ok(seen);
        }
    }
    Err("the breaker stays closed".into())
}

fn introspection(provider: SocketAddr, folder: &Path) -> Result<IntrospectionSettings, Failure> {
    let secret_file = folder.join("secret.txt");
    fs::write(&secret_file, "a secret")?;
    let client = ClientSettings::ClientSecretBasic { client_id: "gateway".to_owned(), secret_file };
    Ok(IntrospectionSettings {
        endpoint: EndpointPlace::Url(format!("http://{provider}/introspect").parse()?),
        cache: AnswerCacheSettings { active: LONG, ..AnswerCacheSettings::default() },
        breaker: BreakerSettings { probe_after: LONG, probe_limit: LONG, ..BreakerSettings::default() },
        ..IntrospectionSettings::new(CredentialSettings::Client(client))
    })
}
