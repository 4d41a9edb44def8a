//! The provider's clock against ours.

use keyward::IssuerSettings;

use super::server::{Reply, Server, date};
use super::{JWKS, jwk_set, seen};

#[tokio::test]
async fn the_clock_of_a_provider_is_told_with_what_is_uncertain_of_it() {
    for ahead in [0, 95, -3600] {
        let server = Server::start().await;
        server.set(JWKS, Reply::of("200 OK", &date(ahead), &jwk_set()));
        let facts = seen(IssuerSettings::jwks_uri("urn:test", server.url(JWKS))).await;
        let clock = facts.clock.unwrap();
        // The answer was written a moment before it was asked for.
        let off = (clock.ahead_s - ahead as f64).abs();
        assert!(off <= clock.uncertainty_s + 1.0, "{ahead}: {clock:?}");
        assert!(clock.uncertainty_s < 2.0 && clock.answers == 2, "{clock:?}");
    }
}

#[tokio::test]
async fn nothing_is_told_of_a_clock_that_nobody_read() {
    let server = Server::start().await;
    server.set(JWKS, Reply::of("200 OK", "", &jwk_set()));
    let facts = seen(IssuerSettings::jwks_uri("urn:test", server.url(JWKS))).await;
    assert_eq!(facts.clock, None);
}
