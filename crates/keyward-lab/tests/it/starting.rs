//! How a lab starts, and why it does not.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use keyward_lab::command::Command;
use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::plan::{IssuerPlan, KeyPlan};
use keyward_lab::token::TokenPlan;
use keyward_lab::{CommandError, Lab, LabError, Sockets};

use crate::support::{client, fail, fetch, jwks_uri, mend, plan, split};

#[tokio::test]
async fn ports_are_consecutive_from_the_first_one() {
    let mut plan = plan(IssuerPlan::default());
    plan.issuer.insert("another".to_owned(), IssuerPlan::default());
    // Nobody promises eight free ports in a row: try until there are.
    let mut first_port = 21_000;
    let lab = loop {
        match Lab::on_sockets(&plan, &Sockets { first_port: Some(first_port), folder: None }).await {
            Ok(lab) => break lab,
            Err(LabError::Listen { .. }) => first_port += 8,
            Err(other) => panic!("{other}"),
        }
    };
    let another = lab.issuer("another").unwrap();
    assert_eq!(another.issuer, format!("http://127.0.0.1:{first_port}"));
    assert_eq!(another.jwks_uri, format!("http://127.0.0.1:{}/jwks", first_port + 1));
    assert_eq!(another.token_endpoint, format!("http://127.0.0.1:{}/token", first_port + 2));
    assert_eq!(another.introspection_endpoint, format!("http://127.0.0.1:{}/introspect", first_port + 3));
    assert_eq!(lab.issuer("main").unwrap().issuer, format!("http://127.0.0.1:{}", first_port + 4));
    assert_eq!(fetch(&lab.issuer("main").unwrap().jwks_uri).await.unwrap().status(), 200);
    assert_eq!(lab.issuers().collect::<Vec<_>>(), ["another", "main"]);
    let which = lab.obey(&Command::default()).await.unwrap_err();
    assert_eq!(which.to_string(), "which issuer? There are another, main");
    assert!(lab.token(Some("another"), &TokenPlan::default()).is_ok());
    let unknown = lab.token(Some("x"), &TokenPlan::default());
    assert!(matches!(unknown, Err(CommandError::UnknownIssuer { .. })));
}

#[tokio::test]
async fn a_port_that_is_taken_or_is_none_is_an_error() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let at = |port| Sockets { first_port: Some(port), folder: None };
    let refused = Lab::on_sockets(&plan(IssuerPlan::default()), &at(port)).await;
    assert!(matches!(refused, Err(LabError::Listen { port: at, .. }) if at == port));
    let none = Lab::on_sockets(&plan(IssuerPlan::default()), &at(65_533)).await;
    assert!(matches!(none, Err(LabError::Ports { .. } | LabError::Listen { .. })));
}

#[tokio::test]
async fn the_authority_is_kept_in_the_folder_from_one_lab_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made");
    let sockets = Sockets { first_port: None, folder: Some(folder.clone()) };
    let plan = plan(IssuerPlan { tls: true, ..IssuerPlan::default() });
    let first = Lab::on_sockets(&plan, &sockets).await.unwrap();
    let pem = std::fs::read(folder.join("authority.pem")).unwrap();
    assert_eq!(pem, first.authority_pem().as_bytes());
    let mode = std::fs::metadata(folder.join("authority.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    let second = Lab::on_sockets(&plan, &sockets).await.unwrap();
    let anchor = reqwest::Certificate::from_pem(&pem).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([anchor]).build().unwrap();
    assert_eq!(client.get(jwks_uri(&second)).send().await.unwrap().status(), 200);
    std::fs::write(folder.join("authority.key"), "no key").unwrap();
    assert!(matches!(Lab::on_sockets(&plan, &sockets).await, Err(LabError::Certificate(_))));
}

#[tokio::test]
async fn two_keys_of_one_name_are_refused() {
    let keys = vec![KeyPlan::named("a"), KeyPlan::named("a")];
    let refused = Lab::in_memory(&plan(IssuerPlan { keys, ..IssuerPlan::default() }), 0, 1);
    assert!(matches!(refused, Err(LabError::KeyExists { kid, .. }) if kid == "a"));
}

#[tokio::test]
async fn who_takes_localhost_for_its_ipv6_address_is_answered_and_refused_alike() {
    use std::net::Ipv6Addr;
    use tokio::net::TcpStream;

    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let lab = Lab::on_sockets(&plan(IssuerPlan::default()), &Sockets::default()).await.unwrap();
    let (_, port, _) = split(&jwks_uri(&lab));
    let there = || TcpStream::connect((Ipv6Addr::LOCALHOST, port));
    assert!(there().await.is_ok());
    fail(&lab, Endpoint::Jwks, Fault::Refuse).await;
    assert!(there().await.is_err());
    mend(&lab, Endpoint::Jwks).await;
    let url = format!("http://[::1]:{port}/jwks");
    assert_eq!(client().get(url).send().await.unwrap().status(), 200);
}
