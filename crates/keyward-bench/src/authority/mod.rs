//! The authority on each engine against oidc-provider and glewlwyd in the same run, with the HTTP floor and the bare
//! signature beside them. `cargo xtask bench` starts all of them but the floor.

mod hot;
mod requests;
mod rotation;
mod rounds;
mod site;

use std::hint::black_box;
use std::path::Path;

use keyward_jose::{Algorithm, Signer, VerificationKey};

use crate::interleave::Timed;
use crate::row::Rows;
use crate::server::Server;
use crate::{Failure, sample};

pub(crate) use hot::Desk;
use requests::{assertions, client_credentials, floor, introspection, jwks};
use rounds::{BARE_ISSUER, FLOOR, Rounds, Side};
use site::{Place, Site};

/// The least that issuing a token with ES256 may come to, of a server that does nothing but sign (decision 0025).
const ISSUE_TO_BARE_ISSUER: f64 = 0.7;

/// The same, of oidc-provider.
const ISSUE_TO_OIDC_PROVIDER: f64 = 5.0;

/// The least that the introspection of a JWT may come to, of the floor.
const INTROSPECTION_TO_FLOOR: f64 = 0.6;

pub(crate) fn measure(rows: &mut Rows, file: Option<&Path>) -> Result<(), Failure> {
    let site = Site::read(file.ok_or("--authority names no file: run it by cargo xtask bench")?)?;
    let bare = Server::start_bare()?;
    let bare_signatures = tell_bare_signatures(rows)?;
    let both = |form: fn(&Place) -> Result<Vec<u8>, Failure>| -> Result<Vec<Side>, Failure> {
        let mut sides = vec![Side::bare(FLOOR, &bare, floor())];
        for place in site.authorities.iter().chain([&site.oidc_provider, &site.glewlwyd]) {
            sides.push(Side::new(place, vec![form(place)?])?);
        }
        Ok(sides)
    };

    let bare_issuer = Server::start_bare_issuer()?;
    let mut sides = both(client_credentials)?;
    let request = client_credentials(site.authorities.first().ok_or("no authority")?)?;
    sides.push(Side::bare(BARE_ISSUER, &bare_issuer, request));
    let rounds = Rounds::take(&mut sides)?;
    let (ratio, note) = rounds.ratio(BARE_ISSUER, FLOOR);
    rows.told("authority-bare-issuer-to-floor", format!("{ratio:.3}{note}"));
    for place in &site.authorities {
        let name = format!("authority-client-credentials-{}", place.name);
        // A signature alone takes more than a floor's request does: no issuer on this machine comes to half of the floor.
        tell(rows, &rounds, &name, &place.name, None);
        let (ratio, note) = rounds.ratio(&place.name, BARE_ISSUER);
        rows.at_least(&format!("{name}-to-bare-issuer"), ratio, ISSUE_TO_BARE_ISSUER, &note);
        let (ratio, note) = rounds.ratio(&place.name, &site.oidc_provider.name);
        rows.at_least(&format!("{name}-to-oidc-provider"), ratio, ISSUE_TO_OIDC_PROVIDER, &note);
        let (ratio, note) = rounds.ratio(&place.name, &site.glewlwyd.name);
        rows.told(&format!("{name}-to-glewlwyd"), format!("{ratio:.3}{note}"));
    }

    let mut sides = vec![Side::bare(FLOOR, &bare, floor())];
    for place in &site.authorities {
        sides.push(Side::new(place, assertions(place)?)?);
    }
    let rounds = Rounds::take(&mut sides)?;
    for place in &site.authorities {
        let name = format!("authority-jwt-bearer-{}", place.name);
        // Its assertion's verification and its token's signature alone cost several times the floor.
        tell(rows, &rounds, &name, &place.name, None);
        let (cpu, bare) = (rounds.cpu_micros(&place.name), bare_signatures.verified_and_signed);
        let note = format!("  ({cpu:.1} to {bare:.1} µs of CPU)");
        rows.told(&format!("{name}-to-bare-signatures"), format!("{:.3}{note}", cpu / bare));
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
    let (ratio, note) = rounds.ratio(of, FLOOR);
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

/// What no issuer can do without, in microseconds.
struct BareSignatures {
    verified_and_signed: f64,
}

/// The signature itself, over as many octets as a token has, and the verification of one over as many as an assertion has.
fn tell_bare_signatures(rows: &mut Rows) -> Result<BareSignatures, Failure> {
    let signer = sample::signer(Algorithm::Es256)?;
    let key = VerificationKey::from_jwk(&serde_json::to_vec(&signer.public_jwk())?)?;
    let (token, assertion) = (vec![b'a'; 500], vec![b'a'; 400]);
    let signature = sample::at_once(signer.sign(&assertion))?;
    sample::at_once(signer.sign(&token))?;
    key.verify(Algorithm::Es256, &assertion, &signature)?;
    let timed = Timed::run(&mut [
        &mut || {
            let _ = black_box(sample::at_once(signer.sign(black_box(&token))));
        },
        &mut || {
            let _ = black_box(key.verify(Algorithm::Es256, black_box(&assertion), &signature));
        },
    ]);
    let (signed, verified) = (timed.micros(0), timed.micros(1));
    rows.told("authority-bare-es256-signature", format!("{signed:.1} µs"));
    rows.told("authority-bare-es256-verification", format!("{verified:.1} µs"));
    Ok(BareSignatures { verified_and_signed: verified + signed })
}
