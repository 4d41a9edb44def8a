//! `keyward doctor` where the issuer is our own authority: a node of this binary, whose log is what it wrote.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use keyward_authority::authority::Authority;
use keyward_authority::client_auth::key_files::KeyFileForm;
use keyward_authority::config::Config;
use keyward_authority::entity::{Client, Key, Realm, ResourceServer, Secret, ServiceAccount};
use keyward_authority::operations::{self, Expected, KeyOwner, Managed};
use keyward_authority::server::Node;
use keyward_authority::storage::Actor;
use keyward_jose::Algorithm;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::codes;
use crate::support::*;

const REALM: &str = "main";

/// A node, a folder with its configuration and its log, and the gateway's configuration beside it.
struct Site {
    folder: Folder,
    issuer: String,
    admin: SocketAddr,
    log: String,
    serving: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.serving.kill();
        let _ = self.serving.wait();
    }
}

/// How the gateway's configuration says who it is.
enum Shown {
    Account { kid: Option<String>, subject: Option<&'static str> },
    Client { kid: Option<String> },
    Secret,
}

impl Site {
    /// A realm with a service account `robot` that may introspect, a client `gateway` with keys and a secret, and what is done to
    /// them. The credential's file is what comes of it.
    async fn new(format: &str, furnish: impl AsyncFnOnce(&Authority) -> (String, Shown)) -> Self {
        let folder = Folder::new();
        let [listen, admin] =
            [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        private(&folder, "master-key", &"0f".repeat(32));
        let config = folder.write(
            "authority.toml",
            &format!(
                "[authority]\norigin = \"http://{listen}\"\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n\
                 [key_store]\nmaster_key_file = \"master-key\"\n[log]\nformat = \"{format}\"\n"
            ),
        );
        let node = Node::bind(Config::load(Path::new(&config), |_| None).unwrap()).await.unwrap();
        found_realm(node.authority()).await;
        let (file, shown) = furnish(node.authority()).await;
        let issuer = node.authority().issuer(REALM);
        // The file of the database is one process' own.
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        drop(stop);
        node.serve(async {
            let _ = stopped.await;
        })
        .await;
        let log = folder.path("authority.log");
        let serving = command(&["authority", "serve", "--config", &config])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let site = Self { folder, issuer, admin, log, serving };
        let begun = Instant::now();
        while std::net::TcpStream::connect(listen).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{}",
                std::fs::read_to_string(&site.log).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        site.configure(&file, shown);
        site
    }

    fn configure(&self, file: &str, shown: Shown) {
        let path = private(&self.folder, "credential", file);
        let line = |name: &str, value: Option<&str>| value.map(|value| format!("{name} = \"{value}\"\n"));
        let credential = match &shown {
            Shown::Account { kid, subject } => [
                Some(format!(
                    "method = \"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"{path}\"\nscope = \"introspect\"\n"
                )),
                line("key_id", kid.as_deref()),
                line("subject", *subject),
            ],
            Shown::Client { kid } => [
                Some(format!("method = \"private_key_jwt\"\nkey_file = \"{path}\"\n")),
                line("key_id", kid.as_deref()),
                line("client_id", Some("gateway")),
            ],
            Shown::Secret => [
                Some(format!("method = \"client_secret_basic\"\nsecret_file = \"{path}\"\n")),
                line("client_id", Some("gateway")),
                None,
            ],
        };
        self.folder.write(
            "keyward.toml",
            &format!(
                "[gateway]\nlisten = \"127.0.0.1:0\"\n[[issuer]]\nname = \"main\"\nissuer = \"{}\"\naudiences = [\"api\"]\n\
                 strategy = \"introspection\"\n[issuer.introspection.credential]\n{}",
                self.issuer,
                credential.into_iter().flatten().collect::<String>()
            ),
        );
    }

    /// What it finds, with the arguments that come behind the configuration.
    async fn doctor(&self, more: &[&str]) -> Value {
        let config = self.folder.path("keyward.toml");
        let arguments = [&["doctor", "--config", &config, "--json"], more].concat();
        let run = keyward(&arguments, "");
        assert!(matches!(run.code, 0 | 1), "{}{}", run.stdout, run.stderr);
        run.objects().remove(0)
    }

    /// The codes and the certainty of what it finds without the log, and of what with it.
    async fn twice(&self) -> [Vec<(String, String)>; 2] {
        let without = self.doctor(&[]).await;
        let with = self.doctor(&["--provider-log", &self.log]).await;
        for report in [&without, &with] {
            let text = report.to_string();
            assert!(!text.contains("PRIVATE"), "{text}");
        }
        [without, with].map(|report| roots(&report))
    }
}

/// A file that nobody else may read.
fn private(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn roots(report: &Value) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    findings.iter().map(|finding| (text(finding, "code"), text(finding, "certainty"))).collect()
}

fn by() -> Actor {
    Actor("a test".to_owned())
}

async fn found_realm(authority: &Authority) {
    operations::create(authority, &by(), REALM, Realm::new(REALM)).await.unwrap();
    create::<Client>(
        authority,
        json!({
            "id": "gateway", "enabled": true, "kind": "confidential", "grant_types": ["client_credentials"],
            "auth_methods": ["client_secret_basic", "private_key_jwt"], "audiences": ["api"],
        }),
    )
    .await;
    let server = json!({
        "audience": "api", "enabled": true, "scopes": ["read"], "token_format": "jwt", "introspected_by": "gateway",
    });
    create::<ResourceServer>(authority, server).await;
    for id in ["robot", "another"] {
        let audience = authority.issuer(REALM);
        let account = json!({ "id": id, "enabled": true, "audiences": [audience], "scopes": ["introspect"] });
        create::<ServiceAccount>(authority, account).await;
    }
}

async fn create<K: Managed + DeserializeOwned>(authority: &Authority, entity: Value) {
    let entity: K = serde_json::from_value(entity).unwrap();
    operations::create(authority, &by(), REALM, entity).await.unwrap();
}

/// Changes something that is there.
async fn change<K: Managed + DeserializeOwned>(authority: &Authority, id: &str, change: impl FnOnce(&mut K)) {
    let mut entity = operations::find::<K>(authority, REALM, id).await.unwrap().entity;
    change(&mut entity);
    operations::change(authority, &by(), REALM, entity, Expected::Any).await.unwrap();
}

/// A new key of whom, in this form: its file and its kid.
async fn key(authority: &Authority, owner: KeyOwner, form: KeyFileForm) -> (String, String) {
    let made = operations::generate_key(authority, &by(), REALM, &owner, Algorithm::Es256, form, None).await;
    let (kept, generated) = made.unwrap();
    (generated.file.to_string(), kept.entity.kid)
}

fn robot() -> KeyOwner {
    KeyOwner::ServiceAccount("robot".to_owned())
}

/// The key of the service account, changed.
async fn changed(authority: &Authority, how: impl FnOnce(&mut Key)) -> (String, Shown) {
    let (file, kid) = key(authority, robot(), KeyFileForm::Zitadel).await;
    change(authority, &format!("service_account/robot/{kid}"), how).await;
    (file, Shown::Account { kid: None, subject: None })
}

fn finding(code: &str, certainty: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), certainty.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_the_authority_takes_is_healthy_and_so_is_the_node() {
    let site = Site::new("json", async |authority| {
        let (file, _) = key(authority, robot(), KeyFileForm::Zitadel).await;
        (file, Shown::Account { kid: None, subject: None })
    })
    .await;
    let report = site.doctor(&["--authority", &format!("http://{}", site.admin)]).await;
    assert_eq!(codes(&report), [""; 0], "{report:#}");
    let healthy = report["healthy"].to_string();
    for what in ["takes our credential (bearer_jwt)", "is ready", "has a key that signs", "refuses nobody"] {
        assert!(healthy.contains(what), "{what}: {healthy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_and_an_expired_key_are_told_apart_by_the_log_alone() {
    let site = Site::new("json", async |authority| changed(authority, |key| key.enabled = false).await).await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2103", "certain")]);
    let report = site.doctor(&["--provider-log", &site.log]).await;
    let text = report["findings"][0].to_string();
    assert!(text.contains("keyward authority key enable --server http://127.0.0.1:"), "{text}");
    assert!(text.contains("the provider's log: assertion_key_disabled"), "{text}");

    let site =
        Site::new("text", async |authority| changed(authority, |key| key.expires_at = Some(1)).await).await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2104", "certain")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_there_is_told_by_the_log() {
    let site = Site::new("text", async |authority| {
        let (file, kid) = key(authority, robot(), KeyFileForm::Zitadel).await;
        let id = format!("service_account/robot/{kid}");
        operations::remove::<Key>(authority, &by(), REALM, &id, Expected::Any).await.unwrap();
        (file, Shown::Account { kid: None, subject: None })
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2202", "certain")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_name_and_one_for_another_use_are_told_by_the_authority_itself() {
    let site = Site::new("json", async |authority| {
        let (file, _) = key(authority, robot(), KeyFileForm::Pem).await;
        (file, Shown::Account { kid: None, subject: Some("robot") })
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2105", "certain"), finding("KW2105", "certain")]);

    let gateway = || KeyOwner::Client("gateway".to_owned());
    let site = Site::new("json", async |authority| {
        let (file, kid) = key(authority, gateway(), KeyFileForm::Pem).await;
        (file, Shown::Account { kid: Some(kid), subject: Some("gateway") })
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2101", "certain"), finding("KW2101", "certain")]);
    let site = Site::new("json", async |authority| {
        let (file, kid) = key(authority, robot(), KeyFileForm::Pem).await;
        (file, Shown::Client { kid: Some(kid) })
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2109", "certain"), finding("KW2109", "certain")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_somebody_elses_name_is_likely_by_its_file_and_certain_by_the_log() {
    let site = Site::new("json", async |authority| {
        let (file, _) = key(authority, robot(), KeyFileForm::Zitadel).await;
        (file, Shown::Account { kid: None, subject: Some("another") })
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2106", "likely"), finding("KW2106", "certain")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_an_expired_one_and_a_disabled_client_are_told_alike_and_apart_by_the_log() {
    let secret = async |authority: &Authority| {
        let made = operations::add_secret(authority, &by(), REALM, "gateway", "first", None).await;
        made.unwrap().1.to_string()
    };
    let site = Site::new("json", async |authority| {
        secret(authority).await;
        ("wrong".to_owned(), Shown::Secret)
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2201", "certain")]);
    let site = Site::new("json", async |authority| {
        let file = secret(authority).await;
        change::<Secret>(authority, "gateway/first", |secret| secret.enabled = false).await;
        (file, Shown::Secret)
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2219", "certain")]);
    let site = Site::new("json", async |authority| {
        let file = secret(authority).await;
        change::<Client>(authority, "gateway", |client| client.enabled = false).await;
        (file, Shown::Secret)
    })
    .await;
    assert_eq!(site.twice().await, [finding("KW2207", "likely"), finding("KW2208", "certain")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_again_and_again_says_for_what_and_one_that_is_gone_is_said_to_be() {
    let mut site =
        Site::new("json", async |authority| changed(authority, |key| key.enabled = false).await).await;
    for _ in 0..4 {
        site.doctor(&[]).await;
    }
    // Its own attempts are what rises.
    let admin = format!("http://{}", site.admin);
    let report = site.doctor(&["--authority", &admin]).await;
    let refuses =
        report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "KW7207").unwrap();
    assert_eq!(refuses["certainty"], "certain");
    assert!(
        refuses["cause"].as_str().unwrap().ends_with("to token of realm main for assertion_key_disabled"),
        "{refuses:#}"
    );
    let _ = site.serving.kill();
    let _ = site.serving.wait();
    let run = keyward(&["doctor", "--authority", &admin, "--json"], "");
    assert_eq!((run.code, codes(&run.objects()[0])), (1, vec!["KW7201"]), "{}", run.stdout);
}
