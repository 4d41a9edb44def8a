//! What a configuration may say of introspection, credentials and fallbacks, and where its errors are.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use keyward::credentials::{
    Audience, ClientSettings, CredentialSettings, Grant, KeyFileSettings, PermissionsTooWide,
};
use keyward::endpoint::EndpointPlace;
use keyward::{AnswerForm, GivenUp, IntrospectionSettings, Strategy};
use keyward_gateway::Config;
use keyward_gateway::config::ConfigWarning;

use crate::config::{assert_errors, with_introspection};
use crate::support::Folder;

const SECRET: &str =
    "method = \"client_secret_basic\"\nclient_id = \"gateway\"\nsecret_file = \"client-secret\"\n";

/// An Ed25519 key that was made for this.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_secret("client-secret", "s3cret\n");
    folder.write_secret("token", "a-token\n");
    folder.write_secret("empty", "");
    folder.write_secret("key.pem", PEM);
    let pem = PEM.replace('\n', "\\n");
    let zitadel = |kind: &str, whose: &str| {
        format!("{{\"type\": \"{kind}\", \"keyId\": \"k1\", \"key\": \"{pem}\", {whose}}}")
    };
    let application = zitadel("application", "\"appId\": \"a\", \"clientId\": \"gateway@project\"");
    folder.write_secret("application.json", &application);
    folder.write_secret("service.json", &zitadel("serviceaccount", "\"userId\": \"u\""));
    folder
}

/// An issuer with these lines of its own, in `[issuer.introspection]` and in the credential.
fn issuer(own: &str, introspection: &str, credential: &str) -> String {
    format!(
        "[[issuer]]\nname = \"main\"\nissuer = \"https://idp.example\"\n{own}\n[issuer.introspection]\n\
         {introspection}\n[issuer.introspection.credential]\n{credential}\n"
    )
}

fn credential(folder: &Folder, lines: &str) -> CredentialSettings {
    let config = folder.parse(&issuer("", "", lines)).unwrap_or_else(|error| panic!("{lines}\n{error}"));
    config.issuers.into_iter().next().unwrap().introspection.unwrap().credential
}

#[test]
fn the_default_file_shows_the_defaults_of_tables_that_are_commented_out() {
    let folder = folder();
    let config = folder.parse(&with_introspection()).unwrap();
    let issuer = &config.issuers[0];
    assert_eq!(issuer.strategy, Strategy::IntrospectionThenKeySet);
    let credential = CredentialSettings::Client(ClientSettings::ClientSecretBasic {
        client_id: "gateway".to_owned(),
        secret_file: folder.path("client-secret"),
    });
    let mut default = IntrospectionSettings::new(credential);
    default.endpoint = EndpointPlace::Url("https://idp.example/realms/main/introspect".parse().unwrap());
    assert_eq!(issuer.introspection, Some(default));
    let fallback = issuer.fallback.as_ref().unwrap();
    assert_eq!(fallback.gives_up, [GivenUp::Revocation]);
    assert_eq!(fallback.fallback.younger_than, Some(Duration::from_secs(900)));
    assert_eq!(config.routes.told_headers(), ["x-keyward-fallback"]);
}

#[test]
fn nothing_is_asked_and_nothing_given_up_unless_somebody_says_so() {
    let config = folder().parse("[[issuer]]\nname = \"main\"\nissuer = \"https://idp.example\"\n").unwrap();
    let issuer = &config.issuers[0];
    assert_eq!((issuer.strategy, &issuer.introspection, &issuer.fallback), (Strategy::KeySet, &None, &None));
}

#[test]
fn each_method_takes_what_is_its_own() {
    let folder = folder();
    assert_eq!(
        credential(&folder, &SECRET.replace("basic", "post")),
        CredentialSettings::Client(ClientSettings::ClientSecretPost {
            client_id: "gateway".to_owned(),
            secret_file: folder.path("client-secret"),
        })
    );
    let key = |name: &str| KeyFileSettings::new(folder.path(name));
    let private_key_jwt = |client_id: Option<&str>, key, audience| {
        CredentialSettings::Client(ClientSettings::PrivateKeyJwt {
            client_id: client_id.map(str::to_owned),
            key,
            audience,
        })
    };
    let application = "method = \"private_key_jwt\"\nkey_file = \"application.json\"";
    assert_eq!(
        credential(&folder, application),
        private_key_jwt(None, key("application.json"), Audience::Issuer)
    );
    let with_all = "method = \"private_key_jwt\"\nclient_id = \"c\"\nkey_file = \"key.pem\"\nkey_id = \"k\"\n\
                    algorithm = \"EdDSA\"\nassertion_audience = \"endpoint\"";
    let mut pem = key("key.pem");
    (pem.kid, pem.algorithm) = (Some("k".to_owned()), Some(keyward::Algorithm::EdDsa));
    assert_eq!(credential(&folder, with_all), private_key_jwt(Some("c"), pem, Audience::Endpoint));
    let named = format!("{application}\nassertion_audience = \"https://idp.example/token\"");
    let audience = Audience::Named("https://idp.example/token".to_owned());
    assert_eq!(credential(&folder, &named), private_key_jwt(None, key("application.json"), audience));
    assert_eq!(
        credential(&folder, "method = \"bearer_file\"\ntoken_file = \"token\""),
        CredentialSettings::BearerFile { token_file: folder.path("token") }
    );
}

#[test]
fn a_bearer_is_obtained_by_either_grant() {
    let folder = folder();
    let lines = "method = \"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"service.json\"\nscope = \"openid\"\n\
                 token_endpoint = \"https://idp.example/token\"";
    let CredentialSettings::Bearer(bearer) = credential(&folder, lines) else { panic!("a bearer") };
    assert_eq!(bearer.scope.as_deref(), Some("openid"));
    assert_eq!(bearer.token_endpoint, EndpointPlace::Url("https://idp.example/token".parse().unwrap()));
    assert!(matches!(bearer.grant, Grant::JwtBearer { subject: None, audience: Audience::Issuer, .. }));

    let lines = SECRET.replace("client_secret_basic", "bearer");
    let lines = format!("{lines}grant = \"client_credentials\"\n");
    let CredentialSettings::Bearer(bearer) = credential(&folder, &lines) else { panic!("a bearer") };
    assert_eq!((&bearer.scope, &bearer.token_endpoint), (&None, &EndpointPlace::Discovery));
    assert!(matches!(bearer.grant, Grant::ClientCredentials(ClientSettings::ClientSecretBasic { .. })));
    let lines = format!("{lines}client_authentication = \"client_secret_post\"");
    let CredentialSettings::Bearer(bearer) = credential(&folder, &lines) else { panic!("a bearer") };
    assert!(matches!(bearer.grant, Grant::ClientCredentials(ClientSettings::ClientSecretPost { .. })));
}

#[test]
fn signed_answers_are_for_our_client() {
    let folder = folder();
    let form = |introspection: &str| {
        let config = folder.parse(&issuer("", introspection, SECRET)).unwrap();
        config.issuers[0].introspection.clone().unwrap().form
    };
    assert_eq!(form(""), AnswerForm::Plain);
    assert_eq!(form("answers = \"signed\""), AnswerForm::Signed { audience: "gateway".into() });
    assert_eq!(
        form("answers = \"plain_or_signed\"\naudience = \"us\""),
        AnswerForm::PlainOrSigned { audience: "us".into() }
    );
}

#[test]
fn an_issuer_may_have_an_endpoint_and_nothing_else() {
    let own = "discovery = false\nstrategy = \"introspection\"";
    let config =
        folder().parse(&issuer(own, "endpoint = \"https://idp.example/introspect\"", SECRET)).unwrap();
    assert_eq!(config.issuers[0].source, None);
}

#[test]
fn a_secret_that_others_can_read_is_warned_about_and_not_watched() {
    let folder = folder();
    let path = folder.path("client-secret");
    let text = issuer("", "", SECRET);
    folder.write("keyward.toml", &text);
    let config = Config::load(&folder.path("keyward.toml")).unwrap();
    assert_eq!((config.warnings, config.files), (Vec::new(), vec![folder.path("keyward.toml")]));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let config = folder.parse(&text).unwrap();
    let too_wide = PermissionsTooWide { path: path.clone(), mode: 0o640 };
    assert_eq!(config.warnings, [ConfigWarning::Credential(too_wide)]);
    // One that is missing is waited for.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(folder.parse(&text).unwrap_err().files(), [path]);
}

#[test]
fn an_error_shows_no_secret() {
    let folder = folder();
    folder.write_secret("client-secret", "planted\u{1}secret");
    folder.write_secret("key.pem", &PEM.replace("MC4C", "plantedAAAA"));
    for lines in [SECRET, "method = \"private_key_jwt\"\nclient_id = \"c\"\nkey_file = \"key.pem\""] {
        let error = folder.parse(&issuer("", "", lines)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
    }
}

/// Each with « where the error is said to be, and some of what it says. I, T and C at a line's start stand for an
/// issuer, for the head of its introspection, and for both tables with a good credential.
const ERRORS: &[(&str, &str)] = &[
    // Strategies.
    ("Istrategy = «\"keyset\"", "unknown variant `keyset`, expected one of `both`, `introspection`"),
    (
        "Istrategy = «\"introspection\"",
        "\"main\" has none: add [issuer.introspection] and [issuer.introspection.cr",
    ),
    (
        "Istrategy = «\"both\"",
        "the strategy both asks an introspection endpoint, and the issuer \"main\" has none",
    ),
    (
        "Istrategy = «\"introspection_then_key_set\"\nC",
        "gives up the revocation of tokens when it falls back, and that has to be said: add [issuer.fallback] with \
         gives_up = [\"revocation\"] to the issuer \"main\"",
    ),
    (
        "Istrategy = «\"key_set_then_introspection\"\nC",
        "add [issuer.fallback] with gives_up = [\"signature\"] to the issuer \"main\"",
    ),
    (
        "Istrategy = «\"key_set_then_introspection\"\nC[issuer.fallback]\ngives_up = [\"revocation\"]",
        "add \"signature\" to gives_up in [issuer.fallback] of the issuer \"main\"",
    ),
    (
        "Idiscovery = false\nstrategy = «\"both\"\nTendpoint = \"https://a.example/i\"\nD",
        "needs keys, and the issuer \"main\"",
    ),
    // Fallbacks.
    (
        "IC«[issuer.fallback]\ngives_up = [\"revocation\"]",
        "nothing to fall back to with the strategy key_set: leave this out",
    ),
    (
        "Istrategy = \"introspection\"\nC«[issuer.fallback]\ngives_up = [\"revocation\"]",
        "nothing to fall back to with the strategy introspection: leave this out",
    ),
    (
        "Istrategy = \"both\"\nC[issuer.fallback]\ngives_up = [\"revocation\", «\"signature\"]",
        "the strategy both does not give up the signature: leave it out",
    ),
    (
        "Istrategy = \"both\"\nC«[issuer.fallback]\ngives_up = []",
        "a fallback says what it goes without: add gives_up",
    ),
    (
        "Istrategy = \"both\"\nC«[issuer.fallback]\nyounger_than = \"1m\"",
        "a fallback says what it goes without",
    ),
    (
        "Istrategy = \"both\"\nC[issuer.fallback]\ngives_up = [«\"everything\"]",
        "unknown variant `everything`, expected `revoc",
    ),
    (
        "Istrategy = \"both\"\nC[issuer.fallback]\n«older_than = \"1m\"",
        "unknown field `older_than`, expected one of",
    ),
    ("Istrategy = \"both\"\nCF\nyounger_than = «\"0s\"", "longer than zero"),
    ("Istrategy = \"both\"\nCF\nyounger_than = «\"young\"", "is no time"),
    ("Istrategy = \"both\"\nCF\nroutes = «[]", "leave routes out for all, or the table for none"),
    (
        "Istrategy = \"both\"\nCF\nroutes = [«\"read\"]",
        "no [[route]] has a name: add one, such as name = \"read\"",
    ),
    (
        "Istrategy = \"both\"\nCF\nroutes = [\"a\", «\"read\"]\n[[route]]\nname = \"a\"\n[[route]]\nname = \"b\"",
        "no [[route]] has this name; there are: a, b",
    ),
    ("Istrategy = \"both\"\nCF\nheader = «\"X Fallback\"", "this header cannot mark a fallback"),
    ("Istrategy = \"both\"\nCF\nheader = «\"\"", "this header cannot mark a fallback"),
    ("Istrategy = \"both\"\nCF\nheader = «\"X-Keyward-Reason\"", "this header cannot mark a fallback"),
    ("Istrategy = \"both\"\nCF\nheader = «\"Set-Cookie\"", "this header cannot mark a fallback"),
    (
        "Istrategy = \"both\"\nCF\nheader = \"x-how\"\n[[route]]\n[route.headers]\n«X-How = \"/sub\"",
        "this header marks fallbacks: see header in [issuer.fallback]",
    ),
    // Endpoints.
    (
        "I«[issuer.introspection]\ntimeout = \"1s\"",
        "who we are at the endpoint belongs into [issuer.introspection.credential]",
    ),
    (
        "Idiscovery = false\njwks_file = \"keys.json\"\n«TD",
        "without discovery the endpoint's address has to stand here",
    ),
    ("ITendpoint = «\"/introspect\"\nD", "this is no URL"),
    ("ITendpoint = «\"http://idp.example/introspect\"\nD", "https, or by http from loopback"),
    ("ITendpoint = «\"https://169.254.169.254/i\"\nD", "that is a cloud's metadata address"),
    ("ITtimeout = «\"0s\"\nD", "longer than zero"),
    ("ITconcurrency = «0\nD", "at least 1 "),
    ("ITactive_for = «\"6m\"\nD", "at most 5m is possible here: for as long as an answer is remembered"),
    ("ITinactive_for = «\"301s\"\nD", "at most 5m is possible here"),
    ("ITtoken_types = «[]\nD", "every token would be refused"),
    ("ITanswers = «\"encrypted\"\nD", "unknown variant `encrypted`, expected one of `plain`"),
    ("ITaudience = «\"us\"\nD", "only signed answers have an audience"),
    ("ITanswers = «\"signed\"\nB\ntoken_file = \"token\"", "the credential has no client_id: add audience"),
    (
        "Idiscovery = false\nstrategy = \"introspection\"\nTendpoint = \"https://a.example/i\"\nanswers = «\"signed\"\nD",
        "signed answers are verified with the issuer's keys, and it has none",
    ),
    ("IT«cache = \"30s\"\nD", "unknown field `cache`, expected one of `endpoint`"),
    // Credentials.
    ("IT«[issuer.introspection.credential]\nclient_id = \"gateway\"", "a credential needs a method, such as"),
    (
        "IT[issuer.introspection.credential]\nmethod = «\"none\"",
        "unknown variant `none`, expected one of `bearer`",
    ),
    ("IM«\"client_secret_basic\"\nsecret_file = \"client-secret\"", "client_secret_basic needs client_id"),
    ("IM«\"client_secret_post\"\nclient_id = \"c\"", "client_secret_post needs secret_file"),
    ("IM\"client_secret_basic\"\nclient_id = «\"\"\nsecret_file = \"client-secret\"", "this is empty"),
    ("IM\"client_secret_basic\"\nclient_id = \"c\"\nsecret_file = «\"missing\"", "missing: cannot be read"),
    ("IM\"client_secret_basic\"\nclient_id = \"c\"\nsecret_file = «\"empty\"", "empty: it is empty"),
    (
        "IM\"client_secret_basic\"\nclient_id = \"c\"\nsecret_file = \"client-secret\"\ntoken_file = «\"token\"",
        "token_file is no setting of client_secret_basic, which takes client_id, secret_file",
    ),
    (
        "IM\"bearer_file\"\ntoken_file = \"token\"\nclient_id = «\"c\"",
        "client_id is no setting of bearer_file, which takes token_file",
    ),
    ("IM«\"bearer_file\"", "this method needs token_file"),
    ("IM«\"private_key_jwt\"\nclient_id = \"c\"", "this needs key_file"),
    ("IM\"private_key_jwt\"\nkey_file = «\"key.pem\"", "it names no client, and no client id is configured"),
    (
        "IM\"private_key_jwt\"\nkey_file = «\"service.json\"",
        "private_key_jwt asks for the key of an application",
    ),
    (
        "IM\"private_key_jwt\"\nkey_file = \"key.pem\"\nclient_id = \"c\"\nalgorithm = «\"HS256\"",
        "nothing is signed with this algorithm; there are",
    ),
    (
        "IM\"private_key_jwt\"\nkey_file = «\"key.pem\"\nclient_id = \"c\"\nalgorithm = \"RS256\"",
        "the algorithm is not for this kind of key",
    ),
    (
        "IM\"private_key_jwt\"\nkey_file = \"key.pem\"\nclient_id = \"c\"\nsubject = «\"s\"",
        "subject is no setting of private_key_jwt",
    ),
    (
        "IM«\"tls_client_auth\"\nclient_id = \"c\"\nkey_file = \"key.pem\"",
        "tls_client_auth needs certificate_file",
    ),
    (
        "IM\"tls_client_auth\"\nclient_id = \"c\"\ncertificate_file = «\"token\"\nkey_file = \"key.pem\"",
        "there is no certificate",
    ),
    (
        "IM«\"bearer\"\nkey_file = \"key.pem\"",
        "a bearer is obtained by a grant: \"client_credentials\" or \"jwt_bearer\"",
    ),
    (
        "IM\"bearer\"\ngrant = «\"password\"",
        "unknown variant `password`, expected `client_credentials` or `jwt_bearer`",
    ),
    (
        "IM\"bearer\"\ngrant = «\"client_credentials\"\nsecret_file = \"client-secret\"",
        "client_secret_basic needs client_id",
    ),
    (
        "IM\"bearer\"\ngrant = \"client_credentials\"\nclient_authentication = «\"private_key_jwt\"\nclient_id = \"c\"",
        "this needs key_file",
    ),
    (
        "IM\"bearer\"\ngrant = \"client_credentials\"\nclient_id = \"c\"\nsecret_file = \"client-secret\"\nsubject = «\"s\"",
        "subject is no setting of the grant client_credentials with client_secret_basic, which takes grant, token_end",
    ),
    (
        "IM\"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"service.json\"\nclient_id = «\"c\"",
        "client_id is no setting of the grant jwt_bearer",
    ),
    ("IM\"bearer\"\ngrant = «\"jwt_bearer\"", "this needs key_file"),
    (
        "IM\"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = «\"key.pem\"",
        "names no service account, and no subject is configured",
    ),
    // A1.
    (
        "IM\"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = «\"application.json\"",
        "the JWT-bearer grant looks for keys of service accounts only: Zitadel would answer server_error for ever. \
         Use it as private_key_jwt at the introspection endpoint",
    ),
    (
        "IM\"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"service.json\"\ntoken_endpoint = «\"token\"",
        "this is no URL",
    ),
    (
        "IM\"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"service.json\"\ntoken_endpoint = «\"http://idp.example/t\"",
        "https, or by http from loopback",
    ),
    // Routes.
    ("I[[route]]\nname = «\"\"", "this is empty"),
    ("I[[route]]\nname = \"a\"\n[[route]]\nname = «\"a\"", "two routes are called \"a\""),
    (
        "I[[route]]\nstrategy = «\"both\"",
        "the strategy both asks an introspection endpoint, and the issuer \"main\" has none",
    ),
    (
        "IC[[route]]\nstrategy = «\"introspection_then_key_set\"",
        "add [issuer.fallback] with gives_up = [\"revocation\"]",
    ),
    ("I[[route]]\nopaque_tokens = «\"other\"", "no [[issuer]] has this name; there are: main"),
    ("I[[route]]\nopaque_tokens = «\"main\"", "this issuer has no [issuer.introspection]"),
    (
        "IC[[issuer]]\nname = \"b\"\nissuer = \"https://b.example\"\n[[route]]\nissuers = [\"b\"]\nopaque_tokens = «\"main\"",
        "the route's issuers do not name this one",
    ),
];

#[test]
fn every_error_says_what_and_where() {
    let table = "[issuer.introspection]\n";
    let credential = "[issuer.introspection.credential]\n";
    let issuer = "[[issuer]]\nname = \"main\"\nissuer = \"https://idp.example\"\n";
    let errors: Vec<(String, &str)> = ERRORS
        .iter()
        .map(|(short, says)| {
            let mut text = String::new();
            let mut at_start = true;
            for letter in short.chars() {
                match letter {
                    'I' if at_start => text += issuer,
                    'T' if at_start => text += table,
                    'C' if at_start => text += &format!("{table}{credential}{SECRET}"),
                    'D' if at_start => text += &format!("{credential}{SECRET}"),
                    'B' if at_start => text += &format!("{credential}method = \"bearer_file\""),
                    'F' if at_start => text += "[issuer.fallback]\ngives_up = [\"revocation\"]",
                    'M' if at_start => text += &format!("{table}{credential}method = "),
                    letter => {
                        text.push(letter);
                        at_start = matches!(letter, '\n' | '«') && (letter == '\n' || at_start);
                    }
                }
            }
            (text, *says)
        })
        .collect();
    let errors: Vec<_> = errors.iter().map(|(text, says)| (text.as_str(), *says)).collect();
    assert_errors(&folder(), &errors);
}

#[test]
fn a_fallback_of_a_route_is_one_that_the_issuer_has_use_for() {
    // The issuer's own strategy has none; that of a route has.
    let text = issuer("", "", SECRET) + "[issuer.fallback]\ngives_up = [\"revocation\"]\n";
    assert!(folder().parse(&text).is_err());
    for strategy in ["both", "introspection_then_key_set"] {
        folder().parse(&format!("{text}[[route]]\nstrategy = \"{strategy}\"")).unwrap();
    }
    let other = "[[issuer]]\nname = \"b\"\nissuer = \"https://b.example\"\n";
    // A route for others only is of no use to it.
    let text = format!("{text}{other}[[route]]\nissuers = [\"b\"]\nstrategy = \"key_set\"");
    assert!(folder().parse(&text).unwrap_err().message().contains("nothing to fall back to"));
}

/// Who is woken up by A1 can look at everything else, too.
#[test]
fn a_credential_of_no_use_is_told_to_whoever_looks_and_refused_otherwise() {
    let folder = folder();
    let lines = "method = \"bearer\"\ngrant = \"jwt_bearer\"\nkey_file = \"application.json\"";
    folder.write("keyward.toml", &issuer("", "", lines));
    let path = folder.path("keyward.toml");
    assert!(Config::load(&path).is_err());
    let config = Config::inspect(&path).unwrap();
    let [ConfigWarning::CredentialUnusable { path, why }] = &config.warnings[..] else {
        panic!("{:?}", config.warnings);
    };
    assert!(path.ends_with("application.json") && why.contains("service accounts only"), "{why}");
    assert_eq!(config.issuers.len(), 1);
}
