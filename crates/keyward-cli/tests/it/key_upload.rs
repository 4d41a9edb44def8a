//! `keyward authority key upload`: of whatever file people have, the public half under the right name, and nothing else.

use std::process::Command;

use serde_json::Value;

use crate::place::Place;
use crate::support::*;

/// A token for `api`, or why there is none.
fn request(place: &Place, arguments: &[&str]) -> Run {
    keyward(&[&["token", "request", "--issuer", &place.issuer("main")], arguments].concat(), "")
}

fn prepared() -> (Place, crate::place::Serving) {
    let (place, serving) = Place::served();
    place.done(&["realm", "create", "main"]);
    place.done(&["resource-server", "create", "api", "--realm", "main", "--scope", "read"]);
    let allowed = ["--realm", "main", "--audience", "api", "--scope", "read"];
    place.done(&[&["service-account", "create", "robot"], &allowed[..]].concat());
    place.done(&[&["client", "create", "app", "--method", "private-key-jwt"], &allowed[..]].concat());
    (place, serving)
}

/// A key file of Zitadel's, as its console hands one out, that nobody knows the public half of yet.
fn zitadel_file(place: &Place, owner: &[&str], kid: &str, more: &str) -> String {
    let made =
        [&["key", "generate", "--realm", "main", "--algorithm", "RS256", "--format", "zitadel"], owner];
    let mut file: Value = serde_json::from_str(&place.done(&made.concat())).unwrap();
    let generated = file["keyId"].as_str().unwrap().to_owned();
    place.done(&[&["key", "delete", &generated, "--realm", "main"], owner].concat());
    file["keyId"] = kid.into();
    file["expirationDate"] = "2099-01-01T00:00:00Z".into();
    place.folder.secret(&format!("{kid}{more}.json"), &file.to_string())
}

#[test]
fn a_key_file_of_zitadel_says_whose_it_is_and_goes_on_as_it_was() {
    let (place, _serving) = prepared();
    let file = zitadel_file(&place, &["--service-account", "robot"], "218000000000000001", "");
    let upload = ["key", "upload", "--realm", "main", "--file", &file, "--json"];
    let added = place.ask(&upload);
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert!(added.stderr.contains("its public half was sent, and nothing else"), "{}", added.stderr);
    let key = &added.objects()[0];
    assert_eq!((&key["kid"], &key["jwk"]["kty"]), (&"218000000000000001".into(), &"RSA".into()));
    assert_eq!(key["expires_at"], 4_070_908_800_i64, "as the file says");
    let members: Vec<_> = key["jwk"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["e", "kid", "kty", "n", "use"]);
    let token = request(&place, &["--key-file", &file]);
    assert_eq!((token.code, token.stderr.as_str()), (0, ""));
    let inspected = keyward(&["token", "inspect"], &token.stdout);
    assert!(inspected.stdout.contains("robot"), "{}", inspected.stdout);

    // The same name twice, and a file of the other kind.
    assert!(place.ask(&upload).stderr.contains("409"));
    let wrong = place.ask(&[&upload[..], &["--client", "app"]].concat());
    assert_eq!(wrong.code, 64, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("of a service account"), "{}", wrong.stderr);

    let file = zitadel_file(&place, &["--client", "app"], "218000000000000002", "");
    let added = place.ask(&["key", "upload", "--realm", "main", "--file", &file]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert_eq!(request(&place, &["--key-file", &file]).code, 0, "by private_key_jwt");
    let as_account = request(&place, &["--key-file", &file, "--service-account", "robot"]);
    assert_eq!(as_account.code, 64, "{}", as_account.stderr);
    place.done(&["service-account", "create", "other", "--realm", "main"]);
    let file = zitadel_file(&place, &["--service-account", "robot"], "218000000000000003", "");
    let elsewhere =
        place.ask(&["key", "upload", "--realm", "main", "--service-account", "other", "--file", &file]);
    assert!(elsewhere.stderr.contains("calls itself \"robot\""), "{}", elsewhere.stderr);
}

#[test]
fn either_half_is_taken_as_jwk_and_as_pem_and_a_certificate() {
    let (place, _serving) = prepared();
    // Of an account that is called like the form.
    let generate = |format: &str| {
        let allowed = ["--realm", "main", "--audience", "api", "--scope", "read"];
        place.done(&[&["service-account", "create", format], &allowed[..]].concat());
        let of = ["--realm", "main", "--service-account", format];
        let file = place.done(&[&["key", "generate", "--format", format], &of[..]].concat());
        let file = place.folder.secret(&format!("robot.{format}"), &file);
        let keys = place.done(&[&["key", "list", "--json"], &of[..]].concat());
        let key: Value = serde_json::from_str(keys.trim()).unwrap();
        let kid = key["kid"].as_str().unwrap().to_owned();
        place.done(&[&["key", "delete", &kid], &of[..]].concat());
        (file, kid, key["jwk"].to_string())
    };
    let upload = |account: &str, file: &str, more: &[&str]| {
        let of = ["key", "upload", "--realm", "main", "--service-account", account, "--json", "--file", file];
        let run = place.ask(&[&of[..], more].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.objects()[0].clone()
    };
    let (jwk, kid, public) = generate("jwk");
    assert_eq!(upload("jwk", &jwk, &[])["kid"], kid.as_str());
    let public = place.folder.write("public.jwk", &public);
    assert_eq!(upload("jwk", &public, &["--kid", "again"])["jwk"]["kid"], "again");
    assert_eq!(request(&place, &["--service-account", "jwk", "--key-file", &jwk]).code, 0);

    let (pem, kid, _) = generate("pem");
    assert_eq!(upload("pem", &pem, &[])["kid"], kid.as_str(), "its thumbprint");
    let named = upload("pem", &pem, &["--kid", "named", "--expires-in", "1d"]);
    assert_eq!(named["kid"], "named");
    let owner = ["--service-account", "pem", "--key-file", &pem];
    assert_eq!(request(&place, &[&owner[..], &["--kid", "named"]].concat()).code, 0);
    let unnamed = request(&place, &owner);
    assert_eq!(unnamed.code, 2);
    assert!(unnamed.stderr.contains("invalid_grant"), "{}", unnamed.stderr);

    // openssl is not Keyward's to install.
    let certificate = place.folder.path("robot.crt");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-new",
            "-key",
            &pem,
            "-subj",
            "/CN=robot",
            "-days",
            "30",
            "-out",
            &certificate,
        ])
        .output();
    if made.is_ok_and(|made| made.status.success()) {
        let added =
            place.ask(&["key", "upload", "--realm", "main", "--client", "app", "--file", &certificate]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        assert!(added.stderr.contains("of the certificate its key alone is kept"), "{}", added.stderr);
    }
    let nothing = place.folder.write("nothing", "hunter2\n");
    let refused = place.ask(&["key", "upload", "--realm", "main", "--client", "app", "--file", &nothing]);
    assert_eq!(refused.code, 2);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    let nobody = place.ask(&["key", "upload", "--realm", "main", "--file", &pem]);
    assert_eq!(nobody.code, 64, "{}", nobody.stderr);
}
