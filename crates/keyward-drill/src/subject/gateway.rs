//! The gateway itself: the binary, as a process of its own, over real sockets.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use keyward::IssuerSettings;
use keyward_lab::Lab;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep};
use url::{Url, form_urlencoded};

use super::asker::{Asker, FALLBACK_HEADER};
use super::{Facts, KeyFacts, Subject};
use crate::doctor::Patient;
use crate::drill::{Damage, Drill, GatewayStep, Header};
use crate::error::RunError;
use crate::expectation::Detail;
use crate::gateway_plan::{settings, strings};
use crate::introspection::{CredentialState, IntrospectionPlan};
use crate::ports::free_ports;
use crate::seen::Outcome;
use crate::wrapper::AUTHORITY_FILE;

/// How long it may take to come up, to end, and to read its configuration again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const GLANCE: Duration = Duration::from_millis(10);

/// How many lines of its log an error shows.
const LOG_TAIL_LINES: usize = 15;

/// A gateway that is started, stopped and configured by a drill. It ends with this.
#[derive(Debug)]
pub(crate) struct Gateway {
    program: PathBuf,
    folder: tempfile::TempDir,
    admin: SocketAddr,
    asker: Asker,
    config: Mutex<toml::Table>,
    /// The issuers as it was started with them.
    issuers: Vec<IssuerSettings>,
    denied: Mutex<Vec<String>>,
    introspection: Option<IntrospectionPlan>,
    lab: Lab,
    child: AsyncMutex<Option<Child>>,
}

impl Gateway {
    /// Writes its configuration, and starts it where the drill says so.
    pub(crate) async fn new(drill: &Drill, lab: &Lab, program: &Path) -> Result<Self, RunError> {
        let folder = tempfile::tempdir().map_err(RunError::io("make a folder"))?;
        let [listen, admin] = free_ports()?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let address = Uri::builder().scheme("http").authority(listen.to_string()).path_and_query("/").build();
        let gateway = Self {
            program: program.to_owned(),
            admin,
            asker: Asker::new(address.unwrap_or_default()),
            config: Mutex::new(config(drill, lab, listen, admin)),
            issuers: settings(drill, lab, folder.path())?,
            denied: Mutex::default(),
            introspection: drill.gateway.introspection.clone(),
            lab: lab.clone(),
            child: AsyncMutex::new(None),
            folder,
        };
        let authority = gateway.folder.path().join(AUTHORITY_FILE);
        std::fs::write(authority, lab.authority_pem()).map_err(RunError::io("write the authority's PEM"))?;
        std::fs::create_dir(gateway.snapshots()).map_err(RunError::io("make the folder for snapshots"))?;
        gateway.write_credentials(CredentialState::Right)?;
        gateway.write_config()?;
        if drill.gateway.starts {
            gateway.start().await?;
        }
        Ok(gateway)
    }

    fn snapshots(&self) -> PathBuf {
        self.folder.path().join("snapshots")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    fn write_config(&self) -> Result<(), RunError> {
        let text = self.config.lock().unwrap_or_else(PoisonError::into_inner).to_string();
        let (path, new) =
            (self.folder.path().join("keyward.toml"), self.folder.path().join("keyward.toml.new"));
        // In one move, so that it is never read half.
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(new, path))
            .map_err(RunError::io("write keyward.toml"))
    }

    fn write_credentials(&self, state: CredentialState) -> Result<(), RunError> {
        let Some(plan) = &self.introspection else {
            return Ok(());
        };
        self.lab
            .issuers()
            .try_for_each(|issuer| plan.write(&self.lab, issuer, self.folder.path(), state))
            .map_err(RunError::credential)
    }

    async fn forget(&self, subject: &str) -> Result<(), RunError> {
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("sub", subject).finish();
        match self.asker.post(self.admin_uri("/cache/forget"), form).await {
            Some(status) if status.is_success() => Ok(()),
            other => Err(self.failure(&format!("the gateway does not forget: {other:?}"))),
        }
    }

    async fn start(&self) -> Result<(), RunError> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(RunError::io("open the gateway's log"))?;
        let child = Command::new(&self.program)
            .arg("gateway")
            .arg("--config")
            .arg(self.folder.path().join("keyward.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(RunError::io(format!("start {}", self.program.display())))?;
        *self.child.lock().await = Some(child);
        let started = Instant::now();
        while self.asker.read(self.admin_uri("/healthz")).await.is_none() {
            let ended = self.child.lock().await.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(self.failure(&format!("the gateway ends with {status}")));
            }
            if started.elapsed() > PATIENCE {
                return Err(self.failure("the gateway does not come up"));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    async fn kill(&self) -> Result<(), RunError> {
        match self.child.lock().await.take() {
            Some(mut child) => child.kill().await.map_err(RunError::io("kill the gateway")),
            None => Ok(()),
        }
    }

    async fn restart(&self) -> Result<(), RunError> {
        if let Some(mut child) = self.child.lock().await.take() {
            signal(&child, "TERM").await?;
            let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
            ended
                .map_err(|_| self.failure("the gateway does not end on SIGTERM"))?
                .map_err(RunError::io("wait for the gateway"))?;
        }
        self.start().await
    }

    async fn deny(&self, kids: &[String]) -> Result<(), RunError> {
        {
            let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
            for issuer in config.get_mut("issuer").and_then(toml::Value::as_array_mut).into_iter().flatten() {
                if let Some(issuer) = issuer.as_table_mut() {
                    issuer.insert("deny".to_owned(), strings(kids));
                }
            }
        }
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = kids.to_vec();
        let before = self.events()?.get("config_reloaded").copied().unwrap_or(0);
        self.write_config()?;
        if let Some(child) = &*self.child.lock().await {
            signal(child, "HUP").await?;
        }
        let asked = Instant::now();
        while self.events()?.get("config_reloaded").copied().unwrap_or(0) == before {
            if asked.elapsed() > PATIENCE {
                return Err(self.failure("the gateway does not read its configuration again"));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// How many times each event was logged, and each with its cause.
    fn events(&self) -> Result<BTreeMap<String, u64>, RunError> {
        let log = match std::fs::read_to_string(self.log()) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(RunError::io("read the gateway's log")(error)),
        };
        let mut events = BTreeMap::new();
        for line in log.lines() {
            let fields: Option<Value> = serde_json::from_str(line).ok();
            let field = |name: &str| fields.as_ref().and_then(|fields| fields.get(name)?.as_str());
            let Some(event) = field("event") else {
                continue;
            };
            *events.entry(event.to_owned()).or_default() += 1;
            if let Some(cause) = field("cause") {
                *events.entry(format!("{event}:{cause}")).or_default() += 1;
            }
        }
        Ok(events)
    }

    fn admin_uri(&self, path: &str) -> Uri {
        let uri =
            Uri::builder().scheme("http").authority(self.admin.to_string()).path_and_query(path).build();
        uri.unwrap_or_default()
    }

    fn failure(&self, what: &str) -> RunError {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(LOG_TAIL_LINES)).copied();
        RunError::Gateway { what: what.to_owned(), log: Some(tail.collect::<Vec<_>>().join("\n")) }
    }

    async fn memory(&self) -> Option<u64> {
        let id = self.child.lock().await.as_ref()?.id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }
}

impl Subject for Gateway {
    fn detail(&self) -> Detail {
        Detail::Reason
    }

    async fn ask(&self, token: &str, header: Header) -> Outcome {
        self.asker.ask(token, header).await
    }

    async fn step(&self, step: &GatewayStep) -> Result<(), RunError> {
        match step {
            GatewayStep::Credential(state) => self.write_credentials(*state),
            GatewayStep::Deny(kids) => self.deny(kids).await,
            GatewayStep::Forget(subject) => self.forget(subject).await,
            GatewayStep::Kill => self.kill().await,
            GatewayStep::Restart => self.restart().await,
            GatewayStep::Snapshot(damage) => damage_snapshots(&self.snapshots(), *damage),
            GatewayStep::Start => self.start().await,
        }
    }

    async fn facts(&self) -> Result<Option<Facts>, RunError> {
        let Some((_, readiness)) = self.asker.read(self.admin_uri("/readyz")).await else {
            return Ok(None);
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let cache = self.asker.read(self.admin_uri("/debug/jwks-cache")).await;
        let cache = cache.map(|(_, cache)| json(&cache)).unwrap_or_default();
        let metrics = self.asker.read(self.admin_uri("/metrics")).await.map(|(_, metrics)| metrics);
        Ok(Some(Facts {
            readiness: json(&readiness).get("status").and_then(Value::as_str).unwrap_or_default().to_owned(),
            events: self.events()?,
            skipped: skipped(&cache),
            keys: KeyFacts::of_page(&cache),
            metrics,
            memory: self.memory().await,
        }))
    }

    fn patient(&self) -> Result<Option<Patient>, RunError> {
        let mut issuers = self.issuers.clone();
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        for issuer in &mut issuers {
            issuer.policy.denied_kids = denied.iter().map(|kid| kid.as_str().into()).collect();
        }
        let admin = Url::parse(&format!("http://{}/", self.admin)).ok();
        Ok(admin.map(|admin| Patient { issuers, admin }))
    }
}

/// The reasons for which keys are skipped, by issuer, out of `/debug/jwks-cache`.
fn skipped(cache: &Value) -> BTreeMap<String, Vec<String>> {
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let issuers = cache.as_array().into_iter().flatten();
    issuers
        .filter_map(|issuer| {
            let keys = issuer.get("skipped").and_then(Value::as_array).into_iter().flatten();
            Some((text(issuer, "name")?, keys.filter_map(|key| text(key, "reason")).collect()))
        })
        .collect()
}

/// Damages the file of each issuer in the folder.
pub(super) fn damage_snapshots(folder: &Path, damage: Damage) -> Result<(), RunError> {
    let cannot = || RunError::io("damage the snapshots");
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>())
        .map_err(cannot())?;
    match (damage, files.as_slice()) {
        (Damage::OtherIssuer, [one, other, ..]) => std::fs::copy(other, one).map(drop).map_err(cannot()),
        (Damage::OtherIssuer, _) | (_, []) => Err(RunError::Gateway {
            what: format!("there are {} snapshots, too few for this damage", files.len()),
            log: None,
        }),
        (Damage::Cut | Damage::Scramble, files) => files.iter().try_for_each(|file| {
            let text = std::fs::read(file).map_err(cannot())?;
            std::fs::write(file, damaged(text, damage)).map_err(cannot())
        }),
    }
}

fn damaged(mut text: Vec<u8>, damage: Damage) -> Vec<u8> {
    let middle = text.len() / 2;
    match damage {
        Damage::Cut => text.truncate(middle),
        Damage::OtherIssuer | Damage::Scramble => {
            if let Some(octet) = text.get_mut(middle) {
                *octet = if *octet == b'A' { b'B' } else { b'A' };
            }
        }
    }
    text
}

fn config(drill: &Drill, lab: &Lab, listen: SocketAddr, admin: SocketAddr) -> toml::Table {
    let plan = &drill.gateway;
    let mut key_set = toml::Table::new();
    for (name, time) in [("ttl", plan.ttl), ("stale_limit", plan.stale_limit), ("timeout", plan.timeout)] {
        if let Some(time) = time {
            key_set.insert(name.to_owned(), humantime::format_duration(time.0).to_string().into());
        }
    }
    if let Some(retries) = plan.retries {
        key_set.insert("retries".to_owned(), i64::from(retries).into());
    }
    let known = drill.provider.issuer.iter().filter(|(name, _)| plan.knows(name));
    let issuers = known.filter_map(|(name, issuer)| {
        let identifier = lab.issuer(name)?.issuer;
        let mut table = plan.table(&identifier);
        table.insert("name".to_owned(), name.as_str().into());
        table.insert("issuer".to_owned(), identifier.into());
        if issuer.tls {
            table.insert("ca_file".to_owned(), AUTHORITY_FILE.into());
        }
        table.insert("key_set".to_owned(), key_set.clone().into());
        table.insert("strategy".to_owned(), plan.strategy.label().into());
        if let Some(wrapper) = plan.wrapper {
            table.insert("wrapper".to_owned(), wrapper.table().into());
        }
        if let Some(introspection) = &plan.introspection {
            let issuer = lab.issuer(name)?.issuer;
            table.insert("introspection".to_owned(), introspection.table(name, &issuer).into());
        }
        if let Some(fallback) = &plan.fallback {
            table.insert("fallback".to_owned(), fallback.table(FALLBACK_HEADER).into());
        }
        Some(toml::Value::Table(table))
    });
    let mut config = toml::Table::new();
    let mut gateway = toml::Table::new();
    gateway.insert("listen".to_owned(), listen.to_string().into());
    gateway.insert("admin_listen".to_owned(), admin.to_string().into());
    config.insert("gateway".to_owned(), gateway.into());
    config.insert("issuer".to_owned(), toml::Value::Array(issuers.collect()));
    if plan.snapshots {
        let folder = toml::Table::from_iter([("folder".to_owned(), "snapshots".into())]);
        config.insert("snapshot".to_owned(), folder.into());
    }
    config
}

async fn signal(child: &Child, name: &str) -> Result<(), RunError> {
    let Some(id) = child.id() else {
        return Ok(());
    };
    let status = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().await;
    status.map(drop).map_err(RunError::io("signal the gateway"))
}
