//! `keyward config`.

use crate::support::*;

#[test]
fn the_default_file_is_sound() {
    let folder = Folder::new();
    let default = keyward(&["config", "default"], "");
    assert_eq!(default.code, 0);
    let path = folder.write("keyward.toml", &default.stdout);
    let run = keyward(&["config", "check", &path], "");
    assert_eq!((run.code, run.stdout), (0, format!("{path}: it can be used; issuers: main\n")));
}

#[test]
fn a_mistake_has_file_line_and_column() {
    let folder = Folder::new();
    let path = folder.write("keyward.toml", "[gateway]\nlisten = \"127.0.0.1:1\"\n  lisen = 1\n");
    let run = keyward(&["config", "check", &path], "");
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with(&format!("{path}:3:3: ")), "{}", run.stdout);
    let run = keyward(&["config", "check", &path, "--json"], "");
    let report = &run.objects()[0];
    assert_eq!((run.code, &report["line"], &report["column"]), (1, &3.into(), &3.into()));
    assert_eq!(report["sound"], false);
}

#[test]
fn a_credential_is_looked_at_and_what_is_wrong_with_it_is_said() {
    let folder = Folder::new();
    let config = |credential: &str| {
        format!(
            "[[issuer]]\nname = \"zitadel\"\nissuer = \"https://idp.example\"\nstrategy = \"introspection\"\n\
             [issuer.introspection]\n[issuer.introspection.credential]\n{credential}\n"
        )
    };
    let secret = folder.write("secret", "planted\n");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(&secret, mode(0o644)).unwrap();
    let basic = "method = \"client_secret_basic\"\nclient_id = \"gateway\"\nsecret_file = \"secret\"";
    let path = folder.write("keyward.toml", &config(basic));
    let run = keyward(&["config", "check", &path], "");
    let warning = format!("{secret} has mode 0644, so that others than its owner can use it; 0600 is enough");
    assert_eq!(
        (run.code, run.stdout),
        (0, format!("{path}: warning: {warning}\n{path}: it can be used; issuers: zitadel\n"))
    );
    let run = keyward(&["config", "check", &path, "--json"], "");
    assert_eq!((run.code, &run.objects()[0]["warnings"][0]), (0, &warning.into()));
    std::fs::set_permissions(&secret, mode(0o600)).unwrap();
    assert!(!keyward(&["config", "check", &path], "").stdout.contains("warning"));

    // Incident A1.
    let key = include_str!("../../../keyward/tests/keys/zitadel.application.json");
    folder.write("key.json", key);
    let grant = "method = \"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"key.json\"";
    let path = folder.write("keyward.toml", &config(grant));
    let run = keyward(&["config", "check", &path], "");
    assert_eq!(run.code, 1);
    assert!(run.stdout.starts_with(&format!("{path}:9:12: ")), "{}", run.stdout);
    assert!(run.stdout.contains("Use it as private_key_jwt at the introspection endpoint"), "{}", run.stdout);
}

#[test]
fn a_file_that_is_not_there_is_no_bad_configuration() {
    let run = keyward(&["config", "check", "/nowhere/keyward.toml"], "");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("/nowhere/keyward.toml"));
    assert_eq!(keyward(&["gateway", "--config", "/nowhere/keyward.toml"], "").code, 2);
}
