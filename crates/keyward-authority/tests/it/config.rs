//! What an authority.toml may say, and what is said of one that may not.

use std::path::{Path, PathBuf};

use keyward_authority::config::{Config, ConfigError, DEFAULT_FILE, FileWarning};
use keyward_authority::storage::StoreAddress;
use tempfile::TempDir;

/// A folder with a master key.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "master-key", &"0f".repeat(32));
    folder
}

/// A file that only its owner can read.
fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn parse(folder: &TempDir, text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, folder.path(), |name| (name == "MASTER").then(|| "a5".repeat(32)))
}

/// A configuration with these lines under `[authority]` and these after all.
fn with(authority: &str, rest: &str) -> String {
    let key_store = "\n[key_store]\nmaster_key_file = \"master-key\"\n";
    let key_store = if rest.contains("[key_store]") { "" } else { key_store };
    format!("[authority]\norigin = \"https://auth.example\"\n{authority}\n{key_store}{rest}")
}

/// One with these lines about the certificates that proxies tell.
fn told(lines: &str) -> String {
    let proxies = "[authority.proxies]\ntrusted_peers = [\"::1\"]\n[authority.proxies.client_certificate]";
    with(&format!("{proxies}\n{lines}"), "")
}

/// One with these lines under `[authority.dpop]`.
fn dpop(lines: &str) -> String {
    with(&format!("[authority.dpop]\n{lines}"), "")
}

/// `line:column: what is said`.
fn refused(text: &str) -> String {
    parse(&folder(), text).unwrap_err().to_string()
}

#[test]
fn the_default_file_is_one_and_says_the_defaults() {
    let folder = folder();
    let config = parse(&folder, DEFAULT_FILE).unwrap();
    let least = parse(&folder, &with("", "")).unwrap();
    assert_eq!(format!("{config:?}"), format!("{least:?}"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.origin.as_str(), "https://auth.example/");
    assert_eq!((config.listen.port(), config.admin_listen.port()), (8085, 9085));
    assert_eq!(config.storage, StoreAddress::Sqlite(folder.path().join("authority.db")));
}

/// What stands there commented out is known, too.
#[test]
fn every_commented_setting_of_the_default_file_is_a_setting() {
    let folder = folder();
    let mut text = String::new();
    for line in DEFAULT_FILE.lines() {
        let setting = line.strip_prefix("# ").filter(|rest| {
            rest.starts_with('[')
                || rest.split_once(" = ").is_some_and(|(name, _)| !name.contains([' ', '.']))
        });
        text.push_str(setting.unwrap_or(line));
        text.push('\n');
    }
    let error = parse(&folder, &text).unwrap_err().to_string();
    assert!(!error.contains("unknown field"), "{error}");
    // So far it was understood: the first file that is not there.
    assert!(error.contains("authority.pem"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, place, words) in [
        (with("listn = \"127.0.0.1:1\"", ""), "3:1", "unknown field `listn`"),
        (with("", "[strage]"), "7:2", "unknown field `strage`"),
        (with("listen = \"here\"", ""), "3:10", "127.0.0.1:8085"),
        (with("listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:1\"", ""), "4:16", "the same address"),
        (with("metrics_namespace = \"Key\"", ""), "3:21", "small letters"),
        (with("[authority.limits]\nhead_octets = 100", ""), "4:15", "at least 8192"),
        (with("[authority.limits]\nbody_timeout = \"0s\"", ""), "4:16", "longer than zero"),
        (with("[authority.limits]\nbody_timeout = \"soon\"", ""), "4:16", "is no time"),
        (with("[authority.proxies]\ntrusted_peers = []", ""), "4:17", "nobody's word counts"),
        (with("[authority.proxies]\ntrusted_peers = [\"10.0.0.1/8\"]", ""), "4:18", "10.0.0.0/8"),
        (
            with("[authority.proxies]\ntrusted_peers = [\"::1\"]\nclient_cert = true", ""),
            "5:1",
            "unknown field `client_cert`",
        ),
        (told("from = \"nginx\""), "6:8", "name in header"),
        (told("from = \"traefik\"\nheader = \"X-Cert\""), "7:10", "x-forwarded-tls-client-cert"),
        (told("from = \"nginx\"\nheader = \"Authorization\""), "7:10", "no header for a certificate"),
        (told("from = \"xfcc\"\nclient_ca_files = [\"absent\"]"), "7:20", "cannot be read"),
        (dpop("proof_age = \"0s\""), "4:13", "longer than zero"),
        (dpop("nonce_slot = \"10ms\""), "4:14", "at least \"1s\""),
        (dpop("algorithms = []"), "4:14", "every proof would be refused"),
        (dpop("algorithms = [\"HS256\"]"), "4:15", "no proof is signed with this"),
        (dpop("nonce_slot = \"5m\"\nsecret_file = \"absent\""), "5:15", "absent"),
        (dpop("nonce_slot = \"5m\"\nsecret_environment = \"OTHER\""), "5:22", "no environment variable"),
        (
            dpop("nonce_slot = \"5m\"\nsecret_environment = \"MASTER\"\nsecret_file = \"master-key\""),
            "5:22",
            "not in both",
        ),
        (dpop("secret_environment = \"MASTER\""), "4:22", "none is demanded"),
        (
            dpop("nonce_slot = \"5m\"") + "[storage]\naddress = \"postgres://me@db/x\"",
            "4:14",
            "take each other's nonces",
        ),
        (with("[authority.limits]\nfailures_per_client = 0", ""), "4:23", "at least 1"),
        (with("[authority.limits]\nfailures_per_address_period = \"0s\"", ""), "4:31", "longer than zero"),
        (with("", "[storage]\naddress = \"mysql://db/x\""), "8:11", "postgres://"),
        (with("", "[storage]\naddress = \"postgres://me:hush@db/x\""), "8:11", "password_file"),
        (with("", "[storage]\npassword_file = \"p\""), "8:17", "SQLite has no password"),
        (with("", "[key_store]\n"), "4:1", "master_key_file or by master_key_environment"),
        (with("", "[key_store]\nmaster_key_environment = \"OTHER\""), "5:26", "no environment variable"),
        (with("", "[key_store]\nmaster_key_file = \"absent\""), "5:19", "absent"),
        (
            with("", "[key_store]\nmaster_key_file = \"master-key\"\nmaster_key_environment = \"MASTER\""),
            "6:26",
            "not in both",
        ),
    ] {
        let error = refused(&text);
        assert!(error.starts_with(&format!("{place}: ")), "{place}: {error}\n{text}");
        assert!(error.contains(words), "{words}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
    assert!(refused("").contains("missing field `authority`"));
    let file = Config::load(Path::new("/nowhere/authority.toml"), |_| None).unwrap_err().to_string();
    assert!(file.starts_with("/nowhere/authority.toml: cannot be read"), "{file}");
}

#[test]
fn an_origin_is_by_https_or_on_this_machine_and_nothing_but_an_origin() {
    let parse = |origin: &str| {
        parse(&folder(), &with("", "").replace("https://auth.example", origin))
            .map(|config| config.origin.to_string())
    };
    for good in ["https://auth.example:8443", "http://127.0.0.1:8085", "http://localhost", "http://[::1]:1"] {
        assert!(parse(good).is_ok(), "{good}");
    }
    for bad in [
        "http://auth.example",
        "http://localhost.example",
        "https://auth.example/realms",
        "https://me@auth.example",
        "https://auth.example?x",
        "ftp://auth.example",
        "auth.example",
        "",
    ] {
        let error = parse(bad).unwrap_err();
        assert_eq!(error.place().unwrap().line, 2, "{bad}: {error}");
    }
}

#[test]
fn a_master_key_is_in_a_file_or_in_the_environment_and_never_shown() {
    let folder = folder();
    let environment = with("", "[key_store]\nmaster_key_environment = \"MASTER\"");
    assert!(parse(&folder, &environment).is_ok());
    write(&folder, "master-key", "not a key at all");
    let error = parse(&folder, &with("", "")).unwrap_err().to_string();
    assert!(error.contains("32 octets") && !error.contains("not a key"), "{error}");
    let config = parse(&folder, &environment).unwrap();
    assert!(!format!("{config:?}").contains("a5a5"), "{config:?}");
}

#[test]
fn a_password_comes_from_a_file_and_others_must_not_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = write(&folder, "password", "hush/é\n");
    let text = with("", "[storage]\naddress = \"postgres://me@db/x\"\npassword_file = \"password\"");
    let config = parse(&folder, &text).unwrap();
    let StoreAddress::Postgres(url) = &config.storage else { panic!("{config:?}") };
    assert_eq!(url.as_str(), "postgres://me:hush%2F%C3%A9@db/x");
    assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = parse(&folder, &text).unwrap();
    assert!(matches!(&config.warnings[..], [FileWarning::Secret(_)]), "{:?}", config.warnings);
}

#[test]
fn nothing_that_is_written_makes_it_panic() {
    let folder = folder();
    for text in ["[", "authority = 1", "[authority]\norigin = 1", "\u{0}", "[[authority]]", "é = \"é\""] {
        assert!(parse(&folder, text).is_err(), "{text:?}");
    }
}

#[test]
fn proofs_are_as_it_is_written_and_the_secret_is_never_shown() {
    let folder = folder();
    let lines =
        "algorithms = [\"ES256\", \"EdDSA\"]\nproof_age = \"30s\"\nleeway = \"0s\"\nnonce_slot = \"5m\"\n";
    write(&folder, "dpop", "correct horse battery staple tree\n");
    let config = parse(&folder, &dpop(&format!("{lines}secret_file = \"dpop\""))).unwrap();
    let binding = &config.dpop.binding;
    assert_eq!(binding.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().len(), 2);
    assert_eq!((binding.age.as_secs(), binding.leeway.as_secs()), (30, 0));
    assert_eq!(binding.nonce_slot.map(|slot| slot.as_secs()), Some(300));
    assert!(!format!("{config:?}").contains("correct"), "{config:?}");
    let again = parse(&folder, &dpop(&format!("{lines}secret_file = \"dpop\""))).unwrap();
    assert_eq!(config.dpop.secret.octets(), again.dpop.secret.octets(), "every node has the same");
    let by_environment = parse(&folder, &dpop(&format!("{lines}secret_environment = \"MASTER\""))).unwrap();
    assert_ne!(by_environment.dpop.secret.octets(), config.dpop.secret.octets());
    // One node alone makes its own, and another one after a restart.
    let alone = || *parse(&folder, &dpop(lines)).unwrap().dpop.secret.octets();
    assert_ne!(alone(), alone());
    write(&folder, "dpop", "short");
    let error = parse(&folder, &dpop(&format!("{lines}secret_file = \"dpop\""))).unwrap_err().to_string();
    assert!(error.contains("can be guessed") && !error.contains("short"), "{error}");
}

#[test]
fn the_files_that_it_was_read_from_are_watched() {
    let folder = folder();
    let path = write(&folder, "authority.toml", &with("", ""));
    let config = Config::load(&path, |_| None).unwrap();
    assert_eq!(config.files, [path.clone(), folder.path().join("master-key")]);
    // One that is missing is waited for.
    write(&folder, "authority.toml", &told("from = \"xfcc\"\nclient_ca_files = [\"absent\"]"));
    let error = Config::load(&path, |_| None).unwrap_err();
    assert!(error.files().contains(&folder.path().join("absent")), "{:?}", error.files());
}
