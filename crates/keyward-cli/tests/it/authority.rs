//! `keyward authority`, from nothing to a token: the first administrator, a realm, a client, its secret and its end.

use crate::place::{Place, Serving};
use crate::support::*;

#[test]
fn from_nothing_to_a_token_and_back() {
    let place = Place::new();
    let made = place.bootstrap();
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{}", made.stdout);
    assert_eq!(made.objects()[0]["service_account"], "administrator");
    let again = place.bootstrap();
    assert_eq!(again.code, 1, "once only: {}{}", again.stdout, again.stderr);

    let serving = Serving::start(&place);
    place.done(&["realm", "create", "main"]);
    place.done(&["resource-server", "create", "api", "--realm", "main", "--scope", "read"]);
    let client = ["client", "create", "shop", "--realm", "main", "--audience", "api", "--scope", "read"];
    place.done(&client);
    let secret = place.done(&["secret", "create", "--realm", "main", "--client", "shop"]);
    assert_eq!(secret.trim().len(), 43, "nothing else is printed");
    let secret_file = place.folder.secret("shop.secret", &secret);
    let issuer = format!("{}/realms/main", place.origin);
    let request = [
        "token",
        "request",
        "--issuer",
        &issuer,
        "--client-id",
        "shop",
        "--client-secret-file",
        &secret_file,
    ];
    let token = keyward(&request, "");
    assert_eq!((token.code, token.stderr.as_str()), (0, ""));
    let jwks = format!("{issuer}/jwks");
    let verdict = keyward(
        &["token", "verify", "--jwks", &jwks, "--issuer", &issuer, "--audience", "api"],
        &token.stdout,
    );
    assert_eq!(verdict.code, 0, "{verdict:?}");

    // What is there already, what is not, and what makes no sense.
    let twice = place.ask(&client);
    assert_eq!((twice.code, twice.stdout.as_str()), (1, ""), "{}", twice.stderr);
    assert!(twice.stderr.contains("409"), "{}", twice.stderr);
    assert_eq!(place.ask(&["client", "show", "none", "--realm", "main"]).code, 1);
    assert_eq!(place.ask(&["realm", "list", "--realm", "main"]).code, 64);

    place.done(&["client", "disable", "shop", "--realm", "main"]);
    let shown = place.done(&["client", "show", "shop", "--realm", "main", "--json"]);
    assert!(shown.contains("\"enabled\":false"), "{shown}");
    let refused = keyward(&request, "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("invalid_client"), "{}", refused.stderr);
    place.done(&["client", "enable", "shop", "--realm", "main"]);
    assert_eq!(keyward(&request, "").code, 0);

    place.done(&["secret", "disable", "--realm", "main", "--client", "shop"]);
    assert_eq!(keyward(&request, "").code, 2);
    let secrets = place.done(&["secret", "list", "--realm", "main", "--client", "shop", "--json"]);
    assert!(secrets.contains("\"enabled\":false") && !secrets.contains(secret.trim()), "{secrets}");

    place.done(&["service-account", "create", "robot", "--realm", "main", "--audience", "api"]);
    let generate =
        ["key", "generate", "--realm", "main", "--service-account", "robot", "--format", "zitadel"];
    let key: serde_json::Value = serde_json::from_str(&place.done(&generate)).unwrap();
    assert_eq!(key["type"], "serviceaccount");
    let listed = place.done(&["key", "list", "--realm", "main", "--service-account", "robot"]);
    assert!(!listed.contains("PRIVATE"), "{listed}");
    let kid = key["keyId"].as_str().unwrap();
    place.done(&["key", "disable", "--realm", "main", "--service-account", "robot", kid]);
    let keys = place.done(&["signing-key", "list", "--realm", "main", "--json"]);
    assert!(keys.contains("\"state\":\"active\"") && !keys.contains("\"d\""), "{keys}");
    place.done(&["signing-key", "rotate", "--realm", "main"]);
    place.done(&["client", "delete", "shop", "--realm", "main"]);
    assert_eq!(place.ask(&["client", "show", "shop", "--realm", "main"]).code, 1);

    // Whoever looks may do so meanwhile; beyond that a file of SQLite is one process' own.
    let storage = |name: &str, more: &[&str]| {
        keyward(&[&["authority", "storage", name, "--config", &place.config], more].concat(), "")
    };
    assert_eq!(storage("verify", &[]).code, 0);
    let backup = place.folder.path("authority.backup");
    assert_eq!(storage("backup", &[&backup]).code, 0);
    let exported = storage("export", &[]);
    assert!(exported.objects().iter().any(|entity| entity["id"] == "robot"), "{exported:?}");
    assert!(!exported.stdout.contains("argon2") && !exported.stdout.contains("sealed"), "{exported:?}");
    let in_use = storage("rebuild", &[]);
    assert_eq!(in_use.code, 2);
    assert!(in_use.stderr.contains("in use by another process"), "{}", in_use.stderr);
    drop(serving);
    let rebuilt = storage("rebuild", &["--json"]);
    assert!(rebuilt.objects()[0]["position"].as_i64().unwrap() > 10, "{rebuilt:?}");
    assert_eq!(storage("verify", &[]).code, 0);
    assert_eq!(storage("restore", &[&backup]).code, 2, "it is not empty");
    let empty = Place::new();
    let restore = ["authority", "storage", "restore", "--config", &empty.config, &backup, "--json"];
    let restored = keyward(&restore, "");
    assert_eq!((restored.code, restored.stderr.as_str()), (0, ""), "{}", restored.stdout);
    let exported_again = keyward(&["authority", "storage", "export", "--config", &empty.config], "");
    assert_eq!(exported_again.stdout, exported.stdout);
}

#[test]
fn a_master_key_is_changed_and_one_that_is_lost_given_up() {
    let place = Place::new();
    assert_eq!(place.bootstrap().code, 0);
    let written = std::fs::read_to_string(&place.config).unwrap();
    let reseal = |keys: &str, more: &[&str]| {
        place.folder.write("authority.toml", &written.replace("\"master-key\"", keys));
        let command = ["authority", "storage", "reseal", "--config", &place.config, "--json"];
        let run = keyward(&[&command, more].concat(), "");
        let said = run.objects().remove(0);
        let closed = said["closed"].as_array().unwrap().len();
        (run.code, said["sealed"].as_u64().unwrap(), said["unchanged"].as_u64().unwrap(), closed)
    };
    place.folder.secret("next", &"1e".repeat(32));
    assert_eq!(reseal("\"next\"", &[]), (1, 0, 0, 1));
    let serve = keyward(&["authority", "serve", "--config", &place.config], "");
    assert_eq!(serve.code, 2);
    assert!(serve.stderr.contains("further_master_key_files"), "{}", serve.stderr);
    let both = "\"next\"\nfurther_master_key_files = [\"master-key\"]";
    assert_eq!(reseal(both, &[]), (0, 1, 0, 0));
    assert_eq!(reseal("\"next\"", &[]), (0, 0, 1, 0));
    assert_eq!(reseal("\"master-key\"", &["--withdraw-lost"]), (0, 0, 0, 1));
    assert_eq!(reseal("\"master-key\"", &[]), (0, 0, 1, 0));
    drop(Serving::start(&place));
}

#[test]
fn a_realm_becomes_what_a_file_says() {
    let place = Place::new();
    let apply = |name: &str, more: &[&str]| {
        let file = place.folder.path(name);
        keyward(&[&["authority", "apply", "--config", &place.config, "-f", &file], more].concat(), "")
    };
    assert_eq!(place.bootstrap().code, 0);
    let export = ["authority", "export", "--config", &place.config, "--realm", "admin"];
    let exported = keyward(&export, "");
    assert_eq!((exported.code, exported.stderr.as_str()), (0, ""));
    place.folder.write("admin.toml", &exported.stdout);
    let same = apply("admin.toml", &[]);
    assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{}", same.stderr);

    place.folder.write("changed.toml", &exported.stdout.replace("the first administrator", "who began it"));
    let planned = apply("changed.toml", &[]);
    assert_eq!(planned.code, 1, "{planned:?}");
    assert!(planned.stdout.starts_with("~ "), "{planned:?}");
    assert_eq!(keyward(&export, "").stdout, exported.stdout, "a plan changes nothing");
    assert_eq!(apply("changed.toml", &["--yes"]).code, 0);
    assert_eq!(apply("changed.toml", &["--yes"]).stdout, "", "a second time there is nothing left to do");
    assert!(keyward(&export, "").stdout.contains("who began it"));

    place.folder.write("broken.toml", "name = 1");
    let broken = apply("broken.toml", &["--yes"]);
    assert_eq!(broken.code, 2, "{broken:?}");
}

#[test]
fn a_configuration_is_checked() {
    let place = Place::new();
    let check = |file: &str| keyward(&["authority", "config", "check", file], "");
    let sound = check(&place.config);
    assert_eq!(sound.code, 0, "{sound:?}");
    assert!(sound.stdout.contains("it can be used"), "{sound:?}");
    let wrong =
        place.folder.write("wrong.toml", "[authority]\norigin = \"http://auth.example\"\n[key_store]\n");
    let refused = check(&wrong);
    assert_eq!((refused.code, refused.stderr.as_str()), (1, ""));
    assert!(refused.stdout.contains("wrong.toml:2:10: "), "{refused:?}");
    assert_eq!(check(&place.folder.path("none.toml")).code, 2);
    let default = keyward(&["authority", "config", "default"], "");
    assert!(default.stdout.contains("[key_store]"), "{default:?}");
    let serve = keyward(&["authority", "serve", "--config", &wrong], "");
    assert_eq!((serve.code, serve.stdout.as_str()), (2, ""));
    assert!(serve.stderr.contains("wrong.toml:2:10: "), "{serve:?}");
}
