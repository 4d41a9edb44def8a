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
fn a_file_that_is_not_there_is_no_bad_configuration() {
    let run = keyward(&["config", "check", "/nowhere/keyward.toml"], "");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("/nowhere/keyward.toml"));
    assert_eq!(keyward(&["gateway", "--config", "/nowhere/keyward.toml"], "").code, 2);
}
