//! A forward-auth request over loopback, against a bare hyper server that answers 204.

use std::fs;
use std::net::SocketAddr;

use keyward_jose::{Algorithm, LocalSigner};

use crate::interleave::Timed;
use crate::row::Rows;
use crate::server::Server;
use crate::turns::Turns;
use crate::verify::Bare;
use crate::{Failure, sample};

/// Enough that a token is forgotten long before it comes round again: see [`config`].
const UNSEEN_TOKENS: u32 = 6000;

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let signer = sample::signer(Algorithm::Rs256)?;
    fs::write(folder.path().join("keys.json"), sample::jwk_set(&signer)?)?;

    let seen = vec![request(&sample::token(&signer, 0)?)];
    let bare = Server::start_bare()?;
    let gateway =
        Server::start_gateway(folder.path(), |listen, admin| config(listen, admin, 32 * 1024 * 1024, ""))?;
    let turns = Turns::take([(&bare, &seen), (&gateway, &seen)])?;
    rows.at_least("forward-auth-seen-requests", turns.request_ratio(), 0.9, &turns.note());
    rows.told("forward-auth-seen-cpu", format!("{:.3}", turns.cpu_ratio(0.0)));
    drop(gateway);

    let unseen = (0..UNSEEN_TOKENS)
        .map(|number| Ok(request(&sample::token(&signer, number)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let gateway =
        Server::start_gateway(folder.path(), |listen, admin| config(listen, admin, 1024 * 1024, ""))?;
    let check = bare_check_seconds(&signer)?;
    let turns = Turns::take([(&bare, &unseen), (&gateway, &unseen)])?;
    rows.at_most("forward-auth-unseen-cpu", turns.cpu_ratio(check), 1.3, &turns.note());
    Ok(())
}

/// What Traefik sends, with the token in it.
pub(crate) fn request(token: &str) -> Vec<u8> {
    format!(
        "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n\
         X-Forwarded-Uri: /api/orders?page=2\r\nX-Forwarded-For: 192.0.2.7\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

fn bare_check_seconds(signer: &LocalSigner) -> Result<f64, Failure> {
    let bare = Bare::new(Algorithm::Rs256, &sample::token(signer, 0)?, signer)?;
    let timed = Timed::run(&mut [&mut || {
        std::hint::black_box(bare.holds());
    }]);
    Ok(timed.micros(0) / 1e6)
}

/// As it would be configured: a route that tells the service who is calling. `more` is said of the issuer.
pub(crate) fn config(listen: SocketAddr, admin: SocketAddr, cache_octets: u64, more: &str) -> String {
    format!(
        r#"
        [gateway]
        listen = "{listen}"
        admin_listen = "{admin}"
        [verdict_cache]
        octets = {cache_octets}
        [[issuer]]
        name = "main"
        issuer = "{issuer}"
        jwks_file = "keys.json"
        audiences = ["{audience}"]
        {more}
        [[route]]
        hosts = ["app.example"]
        paths = ["/api/"]
        scopes = ["orders:read"]
        [route.headers]
        "X-Auth-Subject" = "/sub"
        "#,
        issuer = sample::ISSUER,
        audience = sample::AUDIENCE,
    )
}
