//! Issuers by https: whom the lab's authority vouches for, and whom nobody should believe.

use keyward_lab::Lab;
use keyward_lab::fault::{Certificate, Endpoint, Fault, RedirectTo};
use keyward_lab::plan::IssuerPlan;
use serde_json::Value;

use crate::support::{PATIENCE, dial, fail, jwks_uri, lab, lab_with, mend};

async fn tls_lab() -> Lab {
    lab_with(IssuerPlan { tls: true, ..IssuerPlan::default() }).await
}

/// A client that trusts this PEM and nothing else.
fn trusting(pem: &str) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()])
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_https_issuer_is_vouched_for_by_the_labs_authority_alone() {
    let (lab, other) = (tls_lab().await, tls_lab().await);
    assert!(jwks_uri(&lab).starts_with("https://127.0.0.1:"));
    let client = trusting(lab.authority_pem());
    let set: Value = client.get(jwks_uri(&lab)).send().await.unwrap().json().await.unwrap();
    assert_eq!(set["keys"][0]["kid"], "key-1");
    let by_name = jwks_uri(&lab).replace("127.0.0.1", "localhost");
    assert_eq!(client.get(by_name).send().await.unwrap().status(), 200);
    assert!(client.get(jwks_uri(&other)).send().await.unwrap_err().is_connect());
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].requests, 2);
}

#[tokio::test]
async fn a_certificate_that_is_over_of_another_name_or_of_nobody_is_shown() {
    let lab = tls_lab().await;
    for (certificate, said) in [
        (Certificate::Expired, "Expired"),
        (Certificate::WrongName, "NotValidForName"),
        (Certificate::Untrusted, "UnknownIssuer"),
    ] {
        fail(&lab, Endpoint::Jwks, Fault::Tls(certificate)).await;
        // One without connections from before: what was cut is no certificate's fault.
        let client = trusting(lab.authority_pem());
        let error = format!("{:?}", client.get(jwks_uri(&lab)).send().await.unwrap_err());
        assert!(error.contains(said), "{certificate:?}: {error}");
        mend(&lab, Endpoint::Jwks).await;
        assert_eq!(client.get(jwks_uri(&lab)).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_pooled_connection_does_not_outlive_the_good_certificate() {
    let lab = tls_lab().await;
    let client = trusting(lab.authority_pem());
    client.get(jwks_uri(&lab)).send().await.unwrap().bytes().await.unwrap();
    fail(&lab, Endpoint::Jwks, Fault::Tls(Certificate::Expired)).await;
    assert!(client.get(jwks_uri(&lab)).send().await.is_err());
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].requests, 1);
}

#[tokio::test]
async fn refuse_and_hang_are_below_tls() {
    let lab = tls_lab().await;
    let client = trusting(lab.authority_pem());
    fail(&lab, Endpoint::Jwks, Fault::Refuse).await;
    assert!(client.get(jwks_uri(&lab)).send().await.unwrap_err().is_connect());
    fail(&lab, Endpoint::Jwks, Fault::Hang).await;
    let short = std::time::Duration::from_millis(300);
    assert!(client.get(jwks_uri(&lab)).timeout(short).send().await.unwrap_err().is_timeout());
    mend(&lab, Endpoint::Jwks).await;
    assert_eq!(client.get(jwks_uri(&lab)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_port_speaks_http_as_well_so_that_a_redirect_leads_down() {
    let lab = tls_lab().await;
    let client = trusting(lab.authority_pem());
    fail(&lab, Endpoint::Jwks, Fault::Redirect(RedirectTo::Http)).await;
    let answer = client.get(jwks_uri(&lab)).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), &location), (302, &jwks_uri(&lab).replace("https:", "http:")));
    assert_eq!(client.get(location).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_discovery_says_of_the_keys_leads_elsewhere() {
    let lab = tls_lab().await;
    let client = trusting(lab.authority_pem());
    let discovery = format!("{}/.well-known/openid-configuration", lab.issuer("main").unwrap().issuer);
    let here = jwks_uri(&lab);
    for (command, said) in [
        (r#"{"jwks_uri": "http"}"#, here.replace("https:", "http:")),
        (r#"{"jwks_uri": "other_host"}"#, here.replace("127.0.0.1", "localhost")),
        (r#"{"jwks_uri": "link_local"}"#, "https://169.254.13.37/jwks".to_owned()),
        (r#"{"jwks_uri": "metadata"}"#, "http://169.254.169.254/latest/meta-data/".to_owned()),
        (r#"{"jwks_uri": {"url": "ftp://x"}}"#, "ftp://x".to_owned()),
        (r#"{"jwks_uri": "true"}"#, here.clone()),
    ] {
        lab.obey(&serde_json::from_str(command).unwrap()).await.unwrap();
        let metadata: Value = client.get(&discovery).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["jwks_uri"], said.as_str(), "{command}");
    }
}

#[tokio::test]
async fn where_there_is_no_tls_a_bad_certificate_is_a_closed_port() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::Tls(Certificate::Expired)).await;
    assert_eq!(lab.faults("main")[&Endpoint::Jwks], Fault::Refuse);
    assert!(dial(&jwks_uri(&lab)).await.is_err());
}
