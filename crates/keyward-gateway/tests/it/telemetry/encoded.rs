//! What `/metrics` says after traffic has the names and labels of the catalogue, all of them and no others.

use std::collections::{BTreeMap, BTreeSet};

use keyward_gateway::METRICS;
use serde_json::json;

use super::of_sample;
use crate::pki::Authority;
use crate::provider::{Mood, Provider};
use crate::support::{OTHER_KEY, Running, claims, config, expired_token, good_token, sign, with};
use crate::tls::certify;
use crate::wrappers;

/// The labels that the samples of each metric come with.
type Labels = BTreeMap<&'static str, BTreeSet<BTreeSet<String>>>;

#[tokio::test]
async fn every_metric_is_encoded_with_its_labels_and_nothing_else_is() {
    let servers = Authority::new("servers");
    let folder = crate::tls::folder(&servers, &servers);
    folder.write_secret("client-secret", "planted-secret\n");
    let provider = Provider::start().await;
    provider.state().keys = wrappers::set(60);
    let credential = format!(
        "[issuer.introspection.credential]\nmethod = \"bearer\"\ngrant = \"client_credentials\"\n\
         client_authentication = \"client_secret_basic\"\ntoken_endpoint = \"http://{}/token\"\n\
         client_id = \"gateway\"\nsecret_file = \"client-secret\"\n",
        provider.address
    );
    let keys = format!("jwks_uri = \"http://{}/keys\"\nallow_hosts = [\"127.0.0.1\"]", provider.address);
    let rest = format!(
        "strategy = \"introspection_then_key_set\"\nfallback = {{ gives_up = [\"revocation\"] }}\n{}{credential}",
        provider.endpoint("")
    );
    let running = folder.start(&config(&rest).replace("jwks_file = \"keys.json\"", &keys)).await;
    provider.knows(&good_token(), json!({}));
    running.ask_with(&good_token()).await;
    running.ask_with(&good_token()).await;
    provider.is(Mood::Status(500, 0));
    for token in [
        &sign(&OTHER_KEY, &with(claims(), "jti", "by-keys")),
        &sign(&OTHER_KEY, &with(claims(), "iss", "https://stranger.example")),
        &expired_token(),
        "junk",
    ] {
        running.ask_with(token).await;
    }
    running.ask("/", &[]).await;
    let mut seen = Labels::new();
    look(&mut seen, &running).await;

    certify(&folder, &servers.server_until(2040));
    let tls = "[gateway.tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls.key\"\n";
    look(&mut seen, &folder.start(&(config("") + tls)).await).await;

    let catalogued = METRICS.iter().map(|metric| {
        let labels = metric.labels.iter().map(|label| label.name.to_owned()).collect();
        (metric.name, BTreeSet::from([labels]))
    });
    assert_eq!(seen, catalogued.collect::<Labels>());
}

async fn look(seen: &mut Labels, running: &Running) {
    let text = running.operator("/metrics").await.body;
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, _) = sample.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let (metric, suffix) = of_sample(name).unwrap_or_else(|| panic!("not in the catalogue: {sample}"));
        // No value here has a comma.
        let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        let labels = labels.filter(|label| suffix != "_bucket" || label != "le").collect();
        seen.entry(metric.name).or_default().insert(labels);
    }
}
