//! `keyward doctor` against the lab and a gateway, over real sockets.

mod authority;
mod causes;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use keyward_lab::{Lab, Sockets};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

/// A lab with one issuer, a gateway before it, and a folder with the configuration of both.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    folder: TempDir,
    listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    client: reqwest::Client,
    gateway: Option<Child>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            let _ = gateway.kill();
            let _ = gateway.wait();
        }
    }
}

impl Site {
    /// `issuer` is the lab's one, in TOML; `settings` stand in the gateway's `[[issuer]]`, below its name.
    pub(crate) async fn new(issuer: &str, settings: &str) -> Self {
        let plan = toml::from_str(&format!("[issuer.main]\n{issuer}")).unwrap();
        let lab = Lab::on_sockets(&plan, &Sockets::default()).await.unwrap();
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [listen, admin] = held.map(|held| held.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let site = Self { lab, folder: tempfile::tempdir().unwrap(), listen, admin, client, gateway: None };
        let config = format!(
            "[gateway]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n[[issuer]]\nname = \"main\"\n\
             issuer = \"{}\"\naudiences = [\"api\"]\n{settings}",
            site.issuer()
        );
        site.write("keyward.toml", &config);
        site
    }

    /// Starts the gateway, and waits until it decides.
    pub(crate) async fn with_gateway(mut self) -> Self {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let gateway = command(&["gateway", "--config", &self.path("keyward.toml")]).stderr(log).spawn();
        self.gateway = Some(gateway.unwrap());
        self.until(async |site| site.ask(&site.token("{}")).await == Some(200)).await;
        self
    }

    /// Waits for this.
    pub(crate) async fn until(&self, is_so: impl AsyncFn(&Self) -> bool) {
        for _ in 0..400 {
            if is_so(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not so: {}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
    }

    /// What the gateway says of a token; none where it does not answer.
    pub(crate) async fn ask(&self, token: &str) -> Option<u16> {
        let request = self.client.get(format!("http://{}/", self.listen)).bearer_auth(token);
        request.send().await.ok().map(|answer| answer.status().as_u16())
    }

    pub(crate) fn issuer(&self) -> String {
        self.lab.issuer("main").unwrap().issuer
    }

    /// A token as a plan in JSON says.
    pub(crate) fn token(&self, plan: &str) -> String {
        self.lab.token(None, &serde_json::from_str(plan).unwrap()).unwrap()
    }

    pub(crate) async fn tell(&self, command: &str) {
        self.lab.obey(&serde_json::from_str(command).unwrap()).await.unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.display().to_string()
    }

    /// Runs the doctor with these arguments, and those after `--config`, while the lab goes on.
    pub(crate) async fn doctor(&self, arguments: &[&str], stdin: &str) -> Run {
        let config = self.path("keyward.toml");
        let (first, rest) = match arguments.split_first() {
            Some((&"collect", rest)) => (&["doctor", "collect"][..], rest),
            _ => (&["doctor"][..], arguments),
        };
        let all = [first, &["--config", &config], rest].concat();
        in_background(&all, stdin).await
    }
}

/// Runs the command while this runtime goes on.
async fn in_background(arguments: &[&str], stdin: &str) -> Run {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let stdin = stdin.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        keyward(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), stdin)
    });
    run.await.unwrap()
}

/// The codes of what was found, the roots only.
pub(crate) fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_issuer_and_gateway_leave_nothing_to_find() {
    let site = Site::new("", "").await.with_gateway().await;
    let token = site.token("{}");
    let run = site.doctor(&["--token", "-"], &format!("{token}\n")).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.starts_with("Nothing is wrong in what was looked at.\n"), "{}", run.stdout);
    assert!(run.stdout.contains("Healthy\n"), "{}", run.stdout);
    assert_eq!(run.stderr, "", "no progress where there is no terminal");
    assert!(!run.stdout.contains(&token) && !run.stdout.contains('\u{1b}'));
    // The same by its name alone.
    let run = in_background(&["doctor", "--issuer", &site.issuer(), "--audience", "api", "--json"], "").await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(codes(&run.objects()[0]), [""; 0]);
    assert!(!run.objects()[0]["healthy"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_issuer_is_found_and_so_is_what_follows() {
    let site = Site::new("", "[issuer.key_set]\nttl = \"1s\"\n").await.with_gateway().await;
    site.tell(r#"{"fault": {"all": "refuse"}}"#).await;
    site.until(async |site| {
        let run = site.doctor(&["--json"], "").await;
        run.code == 1 && run.stdout.contains("KW1301")
    })
    .await;
    let run = site.doctor(&["--color", "always"], "").await;
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("KW1102 main:") && run.stdout.contains("\u{1b}[31m"), "{}", run.stdout);
    let run = site.doctor(&["--markdown"], "").await;
    assert!(run.code == 1 && run.stdout.starts_with("**KW1102** main: "), "{}", run.stdout);
    let run = in_background(&["doctor", "--issuer", &site.issuer()], "").await;
    assert!(run.code == 1 && run.stdout.contains("Ask for it yourself"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_is_waited_for_no_longer_than_was_asked() {
    let site = Site::new("", "").await;
    site.tell(r#"{"fault": {"all": "hang"}}"#).await;
    let began = Instant::now();
    let run = in_background(&["doctor", "--issuer", &site.issuer(), "--timeout", "1s", "--json"], "").await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(codes(&run.objects()[0]), ["KW1114"], "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_id_that_a_provider_made_up_does_nothing_where_it_is_shown() {
    let site = Site::new("", "").await;
    let jwk =
        r#"{"kty":"RSA","kid":"\u001b[31m` @channel <!here> $(id) '\u202e\n# x","n":"AQAB","e":"AQAB"}"#;
    let beside = serde_json::json!({ "beside": [{ "raw": jwk }] });
    site.tell(&beside.to_string()).await;
    let issuer = site.issuer();
    let look = async |form| in_background(&["doctor", "--issuer", &issuer, form], "").await;
    let (text, page) = (look("--color=never").await, look("--markdown").await);
    for run in [&text, &page] {
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("KW1203") && run.stdout.contains("channel"), "{}", run.stdout);
        let does_nothing = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(run.stdout.chars().all(does_nothing), "{:?}", run.stdout);
        assert!(!run.stdout.lines().any(|line| line.starts_with("# x")), "{}", run.stdout);
    }
    assert!(!page.stdout.contains("@channel") && !page.stdout.contains("<!here"), "{}", page.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_has_the_same_diagnosis_elsewhere_and_no_secret() {
    let credential = "strategy = \"introspection_then_key_set\"\nfallback = { gives_up = [\"revocation\"] }\n\
        [issuer.introspection.credential]\nmethod = \"client_secret_basic\"\nclient_id = \"drill\"\n\
        secret_file = \"secret\"\n";
    let site = Site::new("", credential).await;
    let secret = "planted-secret-0123456789";
    site.write("secret", secret);
    let site = site.with_gateway().await;
    // A claim that nobody may read in a bundle, and the signature that would make it worth something.
    let token = site.token(r#"{"claims": {"sub": "\"planted-claim-4711\""}}"#);
    let log =
        site.write("provider.log", "level=error msg=\"planted-line-0815\" error=\"AuthNKey.NotFound\"\n");
    let arguments = ["collect", "--token", "-", "--provider-log", &log];
    let run = site.doctor(&arguments, &token).await;
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let signature = token.rsplit('.').next().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let basic = base64_simd::STANDARD.encode_to_string(format!("drill:{secret}"));
    let planted = [
        secret,
        "planted-claim-4711",
        "planted-line-0815",
        token.as_str(),
        payload,
        signature,
        basic.as_str(),
    ];
    for planted in planted {
        assert!(!run.stdout.contains(planted), "{planted} is in the bundle");
    }
    let bundle = site.write("bundle.json", &run.stdout);
    let elsewhere = in_background(&["doctor", "--facts", &bundle, "--json"], "").await;
    let by_pipe = in_background(&["doctor", "--facts", "-", "--json"], &run.stdout).await;
    assert_eq!((elsewhere.code, &elsewhere.stdout), (1, &by_pipe.stdout), "{}", elsewhere.stderr);
    let facts = keyward_doctor::bundle::read(run.stdout.as_bytes()).unwrap();
    let diagnosis = keyward_doctor::rules::diagnose(&facts);
    let report = keyward_doctor::report::Report::new(&facts, &diagnosis);
    assert_eq!(elsewhere.objects()[0], serde_json::to_value(report).unwrap());
    for planted in planted {
        assert!(!elsewhere.stdout.contains(planted), "{planted} is in the report");
    }
}

#[test]
fn what_cannot_be_looked_at_is_2_and_says_why() {
    let folder = Folder::new();
    let broken = folder.write("keyward.toml", "[gateway]\nlisten = 1\n");
    let newer = folder.write("newer.json", r#"{"version":2}"#);
    let unknown = r#"{"version":1,"gathered_at":0,"took_ms":0,"since_s":0,"a\u001b[2Jb":1}"#;
    let unknown = folder.write("unknown.json", unknown);
    let empty = folder.write("empty.json", r#"{"version":1,"gathered_at":0,"took_ms":0,"since_s":0}"#);
    for (arguments, words) in [
        (&["--config", &broken][..], "keyward.toml:2:10: "),
        (&["--config", "missing.toml"], "missing.toml: cannot be read"),
        (&["--facts", "missing.json"], "missing.json: No such file"),
        (&["--facts", &newer], "is of version 2, and this keyward reads version 1"),
        (&["--facts", &unknown], "unknown field `a\\u001b[2Jb`"),
        (&["--facts", &broken], "is no bundle of `keyward doctor collect`"),
        (&["--issuer", "https://idp.example", "--token", "-"], "there is no token on standard input"),
        (&["--issuer", "https://idp.example", "--provider-log", "missing.log"], "missing.log: No such file"),
    ] {
        let run = keyward(&[&["doctor"], arguments].concat(), "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?} {}", run.stderr);
        assert!(run.stderr.contains(words) && !run.stderr.contains('\u{1b}'), "{arguments:?} {}", run.stderr);
    }
    let run = keyward(&["doctor", "--facts", &empty], "");
    assert_eq!((run.code, run.stderr.as_str()), (2, ""));
    assert!(run.stdout.starts_with("Nothing could be looked at."), "{}", run.stdout);
}

#[test]
fn a_code_and_an_alert_are_explained_by_their_pages_and_all_are_listed() {
    let run = keyward(&["doctor", "explain", "kw1203"], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.starts_with("# KW1203: Some of the published keys cannot be used\n"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("<!--"), "{}", run.stdout);
    let list = keyward(&["doctor", "explain"], "");
    let alerts = keyward_doctor::alert::ALERTS.len();
    assert_eq!(list.stdout.lines().count(), keyward_doctor::code::Code::ALL.len() + alerts);
    let page = keyward(&["doctor", "explain", "keywardbreakeropen"], "");
    assert!(page.code == 0 && page.stdout.starts_with("# KeywardBreakerOpen\n"), "{page:?}");
    assert!(list.stdout.contains("KW5101  The certificate around a key has expired\n"), "{}", list.stdout);
}
