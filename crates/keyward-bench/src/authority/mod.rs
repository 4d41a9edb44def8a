//! The authority on each engine against oidc-provider and glewlwyd in the same run, with the HTTP floor and the bare
//! signature beside them. `cargo xtask bench` starts all of them but the floor.

mod requests;
mod rotation;
mod rounds;
mod site;

use std::hint::black_box;
use std::path::Path;

use keyward_jose::{Algorithm, Signer};

use crate::interleave::Timed;
use crate::row::Rows;
use crate::server::Server;
use crate::{Failure, sample};

use requests::{assertions, client_credentials, floor, introspection, jwks};
use rounds::{Rounds, Side};
use site::{Place, Site};

/// The least that issuing a token with ES256 may come to, of the floor.
const ISSUE_TO_FLOOR: f64 = 0.5;

/// The same, of oidc-provider.
const ISSUE_TO_OIDC_PROVIDER: f64 = 5.0;

/// The least that the introspection of a JWT may come to, of the floor.
const INTROSPECTION_TO_FLOOR: f64 = 0.6;

pub(crate) fn measure(rows: &mut Rows, file: Option<&Path>) -> Result<(), Failure> {
    let site = Site::read(file.ok_or("--authority names no file: run it by cargo xtask bench")?)?;
    let bare = Server::start_bare()?;
    tell_bare_signature(rows)?;
    let both = |form: fn(&Place) -> Result<Vec<u8>, Failure>| -> Result<Vec<Side>, Failure> {
        let mut sides = vec![Side::floor(&bare, floor())];
        for place in site.authorities.iter().chain([&site.oidc_provider, &site.glewlwyd]) {
            sides.push(Side::new(place, vec![form(place)?])?);
        }
        Ok(sides)
    };

    let rounds = Rounds::take(&mut both(client_credentials)?)?;
    for place in &site.authorities {
        let name = format!("authority-client-credentials-{}", place.name);
        tell(rows, &rounds, &name, &place.name, Some(ISSUE_TO_FLOOR));
        let (ratio, note) = rounds.ratio(&place.name, &site.oidc_provider.name);
        rows.at_least(&format!("{name}-to-oidc-provider"), ratio, ISSUE_TO_OIDC_PROVIDER, &note);
        let (ratio, note) = rounds.ratio(&place.name, &site.glewlwyd.name);
        rows.told(&format!("{name}-to-glewlwyd"), format!("{ratio:.3}{note}"));
    }

    let mut sides = vec![Side::floor(&bare, floor())];
    for place in &site.authorities {
        sides.push(Side::new(place, assertions(place)?)?);
    }
    let rounds = Rounds::take(&mut sides)?;
    for place in &site.authorities {
        let name = format!("authority-jwt-bearer-{}", place.name);
        tell(rows, &rounds, &name, &place.name, Some(ISSUE_TO_FLOOR));
    }

    let rounds = Rounds::take(&mut both(introspection)?)?;
    for place in &site.authorities {
        let name = format!("authority-introspection-{}", place.name);
        tell(rows, &rounds, &name, &place.name, Some(INTROSPECTION_TO_FLOOR));
        // An opaque token there, since it says nothing of its JWTs.
        tell_beside(rows, &rounds, &name, &place.name, [&site.oidc_provider, &site.glewlwyd]);
    }

    let rounds = Rounds::take(&mut both(|place| Ok(jwks(place)))?)?;
    for place in &site.authorities {
        let name = format!("authority-jwks-{}", place.name);
        tell(rows, &rounds, &name, &place.name, None);
        tell_beside(rows, &rounds, &name, &place.name, [&site.oidc_provider, &site.glewlwyd]);
    }
    rotation::measure(rows, &site.rotating)
}

fn tell(rows: &mut Rows, rounds: &Rounds, name: &str, of: &str, least: Option<f64>) {
    let (ratio, note) = rounds.ratio(of, rounds::FLOOR);
    let name = format!("{name}-to-floor");
    match least {
        Some(least) => rows.at_least(&name, ratio, least, &note),
        None => rows.told(&name, format!("{ratio:.3}{note}")),
    }
}

fn tell_beside(rows: &mut Rows, rounds: &Rounds, name: &str, of: &str, peers: [&Place; 2]) {
    for peer in peers {
        let (ratio, note) = rounds.ratio(of, &peer.name);
        rows.told(&format!("{name}-to-{}", peer.name), format!("{ratio:.3}{note}"));
    }
}

/// What no issuer can do without: the signature itself, over as many octets as a token has.
fn tell_bare_signature(rows: &mut Rows) -> Result<(), Failure> {
    let signer = sample::signer(Algorithm::Es256)?;
    let input = vec![b'a'; 500];
    sample::at_once(signer.sign(&input))?;
    let timed = Timed::run(&mut [&mut || {
        let _ = black_box(sample::at_once(signer.sign(black_box(&input))));
    }]);
    rows.told("authority-bare-es256-signature", format!("{:.1} µs", timed.micros(0)));
    Ok(())
}
