//! Providers by https: whom the system does not trust is trusted only by an anchor of ours.

use keyward::{IssuerSettings, Verifier};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;

use crate::support::{Bench, JWKS, KEYS, OPENID, Outcome, Provider, Reply, discover};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server needs to be `name`, until the first of January of `year`.
fn certified(authority: &Authority, name: &str, year: i32) -> ServerConfig {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.into()], key).unwrap()
}

fn trusting(authority: &Authority, provider: &Provider) -> IssuerSettings {
    IssuerSettings { extra_anchors: authority.pem().into_bytes(), ..discover(provider) }
}

#[tokio::test]
async fn an_anchor_of_ours_is_trusted_for_this_issuer() {
    let authority = authority();
    let provider = Provider::start_tls(&KEYS[..1], certified(&authority, "127.0.0.1", 4000)).await;
    let bench = Bench::ready(trusting(&authority, &provider)).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    // It serves no other issuer, nor does the anchor of another.
    Bench::new(discover(&provider)).seen("failed: tls", 1).await;
    Bench::new(trusting(&self::authority(), &provider)).seen("failed: tls", 1).await;
}

#[tokio::test]
async fn a_certificate_that_is_over_or_of_another_name_is_refused() {
    let authority = authority();
    for (name, year) in [("127.0.0.1", 2020), ("127.0.0.2", 4000), ("idp.example", 4000)] {
        let provider = Provider::start_tls(&KEYS[..1], certified(&authority, name, year)).await;
        let bench = Bench::new(trusting(&authority, &provider));
        bench.seen("failed: tls", 1).await;
        assert_eq!((provider.hits(OPENID), bench.status().usable), (0, false), "{name} {year}");
    }
}

#[tokio::test]
async fn nothing_leads_from_https_to_http() {
    let authority = authority();
    let provider = Provider::start_tls(&KEYS[..1], certified(&authority, "127.0.0.1", 4000)).await;
    let plain = Provider::start(&KEYS[..1]).await;
    let document = json!({ "issuer": provider.issuer(), "jwks_uri": plain.url(JWKS) });
    provider.set(OPENID, Reply::ok(document.to_string()));
    Bench::new(trusting(&authority, &provider)).seen("failed: insecure_address", 1).await;
    provider.set(OPENID, Reply::ok(provider.metadata(&provider.issuer())));
    for to in [plain.url(JWKS), provider.url(JWKS).replace("https:", "http:")] {
        provider.set(JWKS, Reply::redirect(&to));
        Bench::new(trusting(&authority, &provider)).seen("failed: redirect_refused", 1).await;
    }
    assert_eq!(plain.hits(JWKS), 0);
}

#[tokio::test]
async fn anchors_that_are_none_are_refused() {
    let settings = IssuerSettings::discover("https://idp.example");
    for anchors in ["not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let settings = IssuerSettings { extra_anchors: anchors.into(), ..settings.clone() };
        assert!(Verifier::builder().issuer(settings).start().is_err(), "{anchors}");
    }
}
