//! What can be wrong with `[gateway.tls]`, and where it says so.

use std::time::Duration;

use keyward::binding::{BindingSettings, ReplayCache};
use keyward_gateway::config::DEFAULT_FILE;

use crate::pki::Authority;
use crate::support::{Folder, config};
use crate::tls::{ASKS, TLS, certify, folder};

fn error(folder: &Folder, text: &str) -> String {
    folder.parse(&(config("") + text)).unwrap_err().to_string()
}

#[test]
fn each_mistake_names_its_line_and_its_file() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    folder.write("empty", "\n");
    folder.write("both.key", &(servers.server().key_pem() + &servers.server().key_pem()));
    folder.write("other.key", &servers.server().key_pem());
    folder.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    folder.write("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    folder.write("encrypted.key", encrypted);
    let with = |from: &str, to: &str| TLS.replace(from, to);
    let asks = |asked: &str| format!("{TLS}{ASKS}\"{asked}\"");
    for (text, line, file, why) in [
        (with("tls.pem", "missing"), 2, "missing", "cannot be read"),
        (with("tls.pem", "empty"), 2, "empty", "it holds no certificate in PEM"),
        (with("tls.pem", "cut.pem"), 2, "cut.pem", "it is no well-formed PEM"),
        (with("tls.pem", "odd.pem"), 2, "odd.pem", "a certificate in it cannot be used"),
        (with("tls.key", "missing"), 3, "missing", "cannot be read"),
        (with("tls.key", "tls.pem"), 3, "tls.pem", "it holds no private key"),
        (with("tls.key", "both.key"), 3, "both.key", "several private keys"),
        (with("tls.key", "other.key"), 3, "other.key", "this key is not the one of the certificate"),
        (with("tls.key", "encrypted.key"), 3, "encrypted.key", "the key is encrypted"),
        (asks("required").replace("clients.pem", "missing"), 4, "missing", "cannot be read"),
        (asks("required").replace("clients.pem", "empty"), 4, "empty", "no certificate"),
        (asks("none"), 4, "", "these verify nothing"),
        (asks("optional").replace("[\"clients.pem\"]", "[]"), 5, "", "whose certificates?"),
        (format!("{TLS}client_certificate = \"required\"\n"), 4, "", "whose certificates?"),
        (format!("{TLS}client_certificate = \"some\"\n"), 4, "", "unknown variant `some`"),
        ("[gateway.tls]\nkey_file = \"tls.key\"\n".to_owned(), 1, "", "missing field `certificate_file`"),
    ] {
        let error = error(&folder, &text);
        let before = config("").lines().count();
        assert!(error.starts_with(&format!("{}:", before + line)), "{error}\n{text}");
        assert!(error.contains(why) && error.contains(file), "{error}\n{text}");
    }
    folder.parse(&(config("") + &asks("optional"))).unwrap();
}

#[test]
fn files_are_watched_and_a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let text = format!("{}{TLS}{ASKS}\"optional\"", config(""));
    let config = folder.parse(&text).unwrap();
    for file in ["tls.pem", "tls.key", "clients.pem"] {
        assert!(config.files.contains(&folder.path(file)), "{file}");
    }
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let key = folder.path("tls.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let warnings: Vec<_> = folder.parse(&text).unwrap().warnings.iter().map(ToString::to_string).collect();
    let warning =
        format!("{} has mode 0644, so that others than its owner can use it; 0600 is enough", key.display());
    assert_eq!(warnings, [warning]);
}

#[test]
fn what_is_over_soon_or_no_anchor_is_warned_of() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let warnings = || {
        let config = folder.parse(&format!("{}{TLS}{ASKS}\"optional\"", config(""))).unwrap();
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warnings(), [""; 0]);
    certify(&folder, &servers.server_until(2020));
    let expired = warnings();
    assert!(expired.len() == 1 && expired[0].contains("is over since"), "{expired:?}");
    certify(&folder, &servers.server());
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("clients.pem", &(servers.pem() + &servers.client("alice").pem() + odd));
    let [unreadable, no_anchor] = &warnings()[..] else { panic!("two warnings: {:?}", warnings()) };
    assert!(unreadable.contains("clients.pem: the certificate at place 3 cannot be read"), "{unreadable}");
    assert!(no_anchor.contains("alice") && no_anchor.contains("is no trust anchor"), "{no_anchor}");
    folder.write("clients.pem", &servers.client("alice").pem());
    let error = error(&folder, &format!("{TLS}{ASKS}\"optional\""));
    assert!(error.contains("there is no trust anchor in these files") && error.contains("alice"), "{error}");
}

#[test]
fn an_error_shows_nothing_of_a_key() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    folder.write("planted", "-----BEGIN PRIVATE KEY-----\nplantedAAAA\n-----END PRIVATE KEY-----\n");
    assert!(!error(&folder, &TLS.replace("tls.key", "planted")).contains("planted-"));
    folder.write("bad.key", "-----BEGIN PRIVATE KEY-----\nSecretAA\n-----END PRIVATE KEY-----\n");
    let error = error(&folder, &TLS.replace("tls.key", "bad.key"));
    assert!(error.contains("cannot be used for TLS") && !error.contains("Secret"), "{error}");
}

#[test]
fn the_tables_of_the_default_file_can_be_used() {
    let servers = Authority::new("servers");
    let folder = Folder::new();
    let server = servers.server();
    folder.write("gateway.pem", &server.pem());
    folder.write_secret("gateway.key", &server.key_pem());
    folder.write("clients-ca.pem", &servers.pem());
    folder.write_secret("dpop-secret", &format!("{}\n", "s".repeat(32)));
    folder.write_secret("redis-url", "rediss://user:password@redis.example:6379/0\n");
    let mut in_table = false;
    let text = DEFAULT_FILE.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if bare.starts_with('[') && bare.ends_with(']') {
            in_table = line.starts_with("# [gateway.");
        }
        let is_setting = bare.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        let used = in_table && (is_setting || bare.starts_with("[gateway.")) || line == "# binding = \"any\"";
        format!("{}\n", if used { bare } else { line })
    });
    let config = folder.parse(&text.collect::<String>()).unwrap();
    assert!(config.tls.is_some() && config.admin_tls.is_some() && config.client_certificate.is_some());
    let dpop = config.dpop.unwrap();
    let default = BindingSettings {
        algorithms: [keyward::Algorithm::Es256, keyward::Algorithm::EdDsa].into_iter().collect(),
        nonce_slot: Some(Duration::from_secs(300)),
        ..BindingSettings::default()
    };
    assert_eq!((dpop.binding, dpop.used_proofs), (default, ReplayCache::DEFAULT_LIMIT));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}
