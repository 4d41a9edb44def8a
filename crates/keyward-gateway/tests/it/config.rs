//! What a configuration may say, what it means where it says nothing, and where its errors are.

use std::path::Path;
use std::time::Duration;

use keyward::KeySource;
use keyward_gateway::Config;
use keyward_gateway::config::{Access, DEFAULT_FILE, LogFormat, LogLevel, Place};
use proptest::prelude::*;

use crate::support::{Folder, SECRET};
use crate::wrappers::authority_pem;

const ISSUER: &str = "[[issuer]]\nname = \"main\"\nissuer = \"https://idp.example/realms/main\"\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("short", "short\n");
    folder.write("empty", "");
    folder.write("no.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder
}

#[test]
fn the_default_file_says_what_holds_without_it() {
    let nowhere = Path::new("/nowhere");
    let default = Config::parse(DEFAULT_FILE, nowhere).unwrap();
    let minimal = Config::parse(&format!("{ISSUER}[[route]]\n"), nowhere).unwrap();
    assert_eq!(format!("{default:#?}"), format!("{minimal:#?}"));
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = Config::parse(&format!("{ISSUER}[[route]]\n"), Path::new("/nowhere")).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:9080");
    assert_eq!(config.metrics_namespace, "keyward");
    assert_eq!(config.limits.connections, 10_000);
    assert_eq!(config.limits.head_octets, 65_536);
    assert_eq!(config.limits.head_timeout, Duration::from_secs(75));
    assert_eq!(config.limits.drain_grace, Duration::ZERO);
    assert_eq!(config.limits.drain_timeout, Duration::from_secs(30));
    assert_eq!((config.log_format, config.log_level), (LogFormat::Json, LogLevel::Info));
    assert_eq!(config.verdict_cache_octets, 32 * 1024 * 1024);
    assert_eq!(config.snapshot_folder, None);
    assert!(config.files.is_empty());
    let [issuer] = &config.issuers[..] else { panic!("one issuer") };
    assert_eq!(issuer.source, Some(KeySource::Discovery));
    assert_eq!(issuer.key_set.ttl, Duration::from_secs(300));
    assert_eq!(issuer.key_set.stale_limit, Duration::from_secs(3600));
    assert_eq!(issuer.key_set.retries, 3);
    assert_eq!(issuer.fetch_timeout, Duration::from_secs(5));
    assert_eq!(issuer.policy.leeway, Duration::from_secs(60));
    assert_eq!(issuer.policy.token_size_limit, 16_384);
    assert_eq!(issuer.policy.audiences.len(), 0);
    assert_eq!(issuer.policy.algorithms, keyward::AlgorithmSet::asymmetric());
    assert!(format!("{:?}", config.routes).contains(&format!("access: {:?}", Access::Required)));
}

/// The settings of `[issuer.introspection]`, its credential and `[issuer.fallback]`, and what needs these tables.
const IN_TABLES: [&str; 19] = [
    "endpoint",
    "timeout",
    "concurrency",
    "hedge",
    "answers",
    "audience",
    "token_types",
    "active_for",
    "inactive_for",
    "cache_octets",
    "method",
    "client_id",
    "secret_file",
    "gives_up",
    "younger_than",
    "routes",
    "header",
    "name",
    "opaque_tokens",
];

/// The default file with these tables in use.
pub(crate) fn with_introspection() -> String {
    let in_use = |line: &&str| {
        let setting = line.strip_prefix("# ").unwrap_or_default();
        let is_head = setting.starts_with("[issuer.") && setting.ends_with(']');
        is_head || setting.split_once(" = ").is_some_and(|(name, _)| IN_TABLES.contains(&name))
    };
    let (gateway, rest) = DEFAULT_FILE.split_at(DEFAULT_FILE.find("[[issuer]]").unwrap());
    let lines = rest.lines().filter(|line| !line.contains("audience = \"gateway\""));
    let lines = lines.map(|line| if in_use(&line) { &line[2..] } else { line });
    gateway
        .lines()
        .chain(lines)
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .replace("strategy = \"key_set\"", "strategy = \"introspection_then_key_set\"")
}

#[test]
fn every_setting_that_is_commented_out_can_be_used() {
    let folder = Folder::new();
    folder.write("idp-ca.pem", "");
    folder.write("signer.pem", "");
    folder.write("signers-ca.pem", &authority_pem());
    let mut tried = 0;
    // Those of tables that are commented out as a whole are used together, in other tests.
    let mut in_whole_table = false;
    for line in DEFAULT_FILE.lines() {
        if line.ends_with(']') && line.trim_start_matches("# ").starts_with('[') {
            in_whole_table = line.starts_with("# [gateway.") || line == "# [traces]";
        }
        if in_whole_table {
            continue;
        }
        let Some(setting) = line.strip_prefix("# ") else { continue };
        // What has a space in its name is a sentence that mentions a setting.
        if setting.split_once(" = ").is_none_or(|(name, _)| name.contains(' ')) {
            continue;
        }
        // It needs one of those tables.
        if setting == "binding = \"any\"" {
            continue;
        }
        if IN_TABLES.contains(&setting.split_once(" = ").unwrap().0) || setting == "strategy = \"both\"" {
            continue;
        }
        // The tables' heads are commented out with what is in them.
        let head = match setting.split_once(" = ").unwrap().0 {
            "\"/realm_access/roles\"" => "[route.claims]\n",
            "\"X-Auth-Subject\"" => "[route.headers]\n",
            "certificate_kid" => "certificate_file = \"signer.pem\"\n",
            _ => "",
        };
        let text = DEFAULT_FILE.replace(line, &format!("{head}{setting}"));
        assert_ne!(text, DEFAULT_FILE);
        folder.parse(&text).unwrap_or_else(|error| panic!("{setting}: {error}"));
        tried += 1;
    }
    assert!(tried >= 16, "{tried}");
}

#[test]
fn an_issuer_with_a_secret_alone_fetches_nothing_and_takes_no_other_algorithm() {
    let folder = folder();
    let config = folder.parse(&format!("{ISSUER}discovery = false\nhmac_secret_file = \"secret\"")).unwrap();
    assert_eq!(config.issuers[0].source, None);
    assert!(config.issuers[0].policy.algorithms.iter().all(|algorithm| algorithm.name().starts_with("HS")));
    let error = folder.parse(&format!("{ISSUER}discovery = false")).unwrap_err();
    assert!(error.message().contains("neither a source of keys nor a secret"), "{error}");
}

#[test]
fn to_say_where_the_keys_are_and_that_there_is_no_discovery_is_no_contradiction() {
    let config = folder().parse(&format!("{ISSUER}discovery = false\njwks_file = \"keys.json\"")).unwrap();
    assert!(matches!(config.issuers[0].source, Some(KeySource::File(_))));
}

#[test]
fn an_allowed_host_is_allowed_for_its_issuer() {
    let text = format!("{ISSUER}jwks_uri = \"https://169.254.1.1/keys\"\nallow_hosts = [\"169.254.1.1\"]\n");
    let other = "[[issuer]]\nname = \"other\"\nissuer = \"https://other.example\"\n";
    let config = folder().parse(&format!("{text}{other}")).unwrap();
    assert_eq!(config.issuers[0].allowed_hosts, ["169.254.1.1".parse().unwrap()]);
    assert_eq!(config.issuers[1].allowed_hosts, []);
}

#[test]
fn files_are_found_beside_the_configuration_and_watched() {
    let folder = folder();
    let text = format!(
        "{ISSUER}jwks_file = \"keys.json\"\nhmac_secret_file = \"secret\"\n[snapshot]\nfolder = \"snapshots\""
    );
    folder.write("keyward.toml", &text);
    let config = Config::load(&folder.path("keyward.toml")).unwrap();
    assert_eq!(config.files, ["keyward.toml", "keys.json", "secret"].map(|name| folder.path(name)));
    assert_eq!(config.snapshot_folder, Some(folder.path("snapshots")));
    assert_eq!(config.issuers[0].source, Some(KeySource::File(folder.path("keys.json"))));
    assert!(!format!("{config:?}").contains(SECRET));
}

/// Each with « where the error is said to be, and some of what it says.
const ERRORS: &[(&str, &str)] = &[
    // Words.
    (
        "[gateway]\n«lissten = \"127.0.0.1:1\"\nI",
        "unknown field `lissten`, expected one of `listen`, `admin_listen`",
    ),
    ("[«gatewey]\nI", "unknown field `gatewey`, expected one of `gateway`, `log`"),
    ("I«jwks_url = \"https://idp.example/k\"", "unknown field `jwks_url`, expected one of `name`, `issuer`"),
    ("I[issuer.key_set]\n«time_to_live = \"300s\"", "unknown field `time_to_live`, expected one of `ttl`"),
    ("I[[route]]\n  «path = [\"/\"]", "unknown field `path`, expected one of `name`, `hosts`, `paths`"),
    ("I[log]\nformat = «\"xml\"", "unknown variant `xml`, expected `json` or `text`"),
    ("I[log]\nlevel = «\"loud\"", "unknown variant `loud`, expected one of `error`"),
    ("I[[route]]\naccess = «\"maybe\"", "unknown variant `maybe`, expected one of `required`"),
    ("«[[issuer]]\nissuer = \"https://idp.example\"", "missing field `name`"),
    ("«[[issuer]]\nname = \"main\"", "missing field `issuer`"),
    ("I«name = \"again\"", "duplicate key"),
    ("[log]\nlevel = \"info\"\n[«log]\nformat = \"text\"\nI", "duplicate key"),
    ("I[[route]]\nhosts = [\"a\"«", "unclosed array"),
    ("I[[route]]\naccess = «public", "string"),
    // Types.
    ("[gateway]\nlisten = «8080\nI", "invalid type: integer `8080`, expected a string"),
    ("[gateway.limits]\nconnections = «\"many\"\nI", "invalid type: string \"many\", expected usize"),
    ("[gateway.limits]\nconnections = «-1\nI", "invalid value: integer `-1`"),
    ("[gateway.limits]\nconnections = «1.5\nI", "invalid type: floating point"),
    ("issuer = «\"https://idp.example\"", "invalid type: string"),
    ("I[[route]]\npaths = «\"/api/\"", "invalid type: string \"/api/\", expected a sequence"),
    ("I[[route]]\n[route.headers]\nX-User = «[\"/sub\"]", "invalid type: sequence, expected a string"),
    // Times and sizes.
    ("[gateway.limits]\nhead_timeout = «\"soon\"\nI", "\"soon\" is no time; write one such as \"300s\""),
    ("[gateway.limits]\nhead_timeout = «10\nI", "invalid type: integer `10`"),
    ("[gateway.limits]\nhead_timeout = «\"0s\"\nI", "longer than zero"),
    ("[gateway.limits]\ndrain_timeout = «\"0s\"\nI", "longer than zero"),
    ("[gateway.limits]\nconnections = «0\nI", "at least 1 "),
    ("[gateway.limits]\nconnections = «9223372036854775807\nI", "at most "),
    ("[gateway.limits]\nhead_octets = «8191\nI", "at least 8192 "),
    ("Ileeway = «\"-1s\"", "is no time"),
    ("Itoken_octets = «0", "at least "),
    ("I[issuer.key_set]\nttl = «\"0s\"", "longer than zero"),
    ("I[issuer.key_set]\ntimeout = «\"0s\"", "longer than zero"),
    ("I[issuer.key_set]\nttl = \"300s\"\nstale_limit = «\"299s\"", "must not be shorter than the TTL"),
    ("I[issuer.key_set]\nttl = «\"2h\"", "must not be shorter than the TTL"),
    // Addresses.
    (
        "[gateway]\nlisten = «\"localhost:8080\"\nI",
        "this is no address; write one such as \"127.0.0.1:8080\"",
    ),
    ("[gateway]\nadmin_listen = «\":9080\"\nI", "this is no address"),
    ("[gateway]\nlisten = \"127.0.0.1:1\"\nadmin_listen = «\"127.0.0.1:1\"\nI", "same address"),
    ("[gateway]\nmetrics_namespace = «\"Key ward\"\nI", "small letters"),
    ("[gateway]\nmetrics_namespace = «\"\"\nI", "small letters"),
    ("[[issuer]]\nname = \"a\"\nissuer = «\"http://idp.example\"", "https, or by http from loopback"),
    ("[[issuer]]\nname = \"a\"\nissuer = «\"idp.example\"", "https, or by http from loopback"),
    ("[[issuer]]\nname = \"a\"\nissuer = «\"\"", "https, or by http from loopback"),
    ("Ijwks_uri = «\"http://idp.example/keys\"", "https, or by http from loopback"),
    ("Ijwks_uri = «\"/keys\"", "this is no URL"),
    ("Ijwks_uri = «\"file:///etc/passwd\"", "https, or by http from loopback"),
    // Issuers.
    ("«", "no [[issuer]] is configured"),
    ("[gateway]\nlisten = \"127.0.0.1:1\"", "no [[issuer]] is configured"),
    ("[[issuer]]\nname = «\"\"\nissuer = \"https://idp.example\"", "needs a name"),
    ("I[[issuer]]\nname = «\"main\"\nissuer = \"https://b.example\"", "two issuers"),
    ("I[[issuer]]\nname = \"b\"\nissuer = «\"https://idp.example/realms/main\"", "two issuers"),
    ("Ijwks_uri = \"https://idp.example/k\"\njwks_file = «\"keys.json\"", "exclude each other"),
    ("Idiscovery = «true\njwks_uri = \"https://idp.example/k\"", "discovery excludes jwks_uri"),
    ("Idiscovery = «true\njwks_file = \"keys.json\"", "discovery excludes jwks_file"),
    ("Ijwks_uri = «\"https://169.254.169.254/keys\"", "that is a cloud's metadata address"),
    ("Iallow_hosts = [\"a.example\", «\"https://b.example\"]", "this is no host; write one such as"),
    ("Iallow_hosts = [«\"*.example\"]", "this is no host"),
    ("Iallow_hosts = [«\"10.0.0.0/8\"]", "this is no host"),
    ("Iallow_hosts = «\"a.example\"", "invalid type: string \"a.example\", expected a sequence"),
    ("Ideny = «\"kid\"", "invalid type: string \"kid\", expected a sequence"),
    ("Ideny = [«7]", "invalid type: integer `7`, expected a string"),
    ("Ijwks_file = «\"missing.json\"", "missing.json cannot be read"),
    ("Ihmac_secret_file = «\"missing\"", "missing cannot be read"),
    ("Ihmac_secret_file = «\"short\"", "HMAC secret cannot be used"),
    ("Ihmac_secret_file = «\"empty\"", "HMAC secret cannot be used"),
    ("Ica_file = «\"missing.pem\"", "missing.pem cannot be read"),
    ("Ica_file = «\"no.pem\"", "no HTTP client can be made"),
    ("Ialgorithms = [\"RS256\", «\"none\"]", "this algorithm is not supported; there are EdDSA"),
    ("Ialgorithms = [«\"rs256\"]", "this algorithm is not supported"),
    ("Ialgorithms = «[]", "every token would be refused"),
    ("Itoken_types = «[]", "every token would be refused"),
    ("Ialgorithms = [\"RS256\", «\"HS256\"]", "needs hmac_secret_file"),
    // Routes.
    ("I[[route]]\nissuers = [\"main\", «\"mian\"]", "no [[issuer]] has this name; there are: main"),
    ("I[[route]]\nhosts = [«\"app.example:443\"]", "a host is a name without port"),
    ("I[[route]]\nhosts = [«\"*example.com\"]", "a host is a name without port"),
    ("I[[route]]\nhosts = [«\"a.*.com\"]", "a host is a name without port"),
    ("I[[route]]\nhosts = [«\"https://a.example\"]", "a host is a name without port"),
    ("I[[route]]\nhosts = [«\"a.example.\"]", "a host is a name without port"),
    ("I[[route]]\nhosts = [«\"\"]", "a host is a name without port"),
    ("I[[route]]\npaths = [\"/a\", «\"api/\"]", "a path begins with"),
    ("I[[route]]\npaths = [«\"/a/../b\"]", "a path begins with"),
    ("I[[route]]\npaths = [«\"/a//b\"]", "a path begins with"),
    ("I[[route]]\npaths = [«\"/a%20b\"]", "a path begins with"),
    ("I[[route]]\npaths = [«\"/a?b\"]", "a path begins with"),
    ("I[[route]]\npaths = [«\"/a;b\"]", "a path begins with"),
    ("I[[route]]\nmethods = [\"GET\", «\"get\"]", "this is no method"),
    ("I[[route]]\nmethods = [«\"GET POST\"]", "this is no method"),
    ("I[[route]]\nmethods = [«\"\"]", "this is no method"),
    ("I[[route]]\nscopes = [«\"read write\"]", "a scope is one word"),
    ("I[[route]]\nscopes = [«\"re\\\"ad\"]", "a scope is one word"),
    ("I[[route]]\nscopes = [«\"\"]", "a scope is one word"),
    ("I[[route]]\ncookie = «\"a b\"", "this is no name of a cookie"),
    ("I[[route]]\ncookie = «\"a=b\"", "this is no name of a cookie"),
    ("I[[route]]\ncookie = «\"\"", "this is no name of a cookie"),
    ("I[[route]]\n[route.claims]\n\"/roles\" = «[]", "a claim needs true"),
    ("I[[route]]\n[route.claims]\n\"/roles\" = «false", "a claim needs true"),
    ("I[[route]]\n[route.claims]\n\"/roles\" = «\"admin\"", "a claim needs true"),
    ("I[[route]]\n[route.claims]\n«roles = [\"admin\"]", "a JSON Pointer begins with \"/\""),
    ("I[[route]]\n[route.claims]\n«\"/a~2b\" = [\"admin\"]", "a JSON Pointer begins with \"/\""),
    ("I[[route]]\n[route.headers]\nX-User = «\"sub\"", "a JSON Pointer begins with \"/\""),
    ("I[[route]]\n[route.headers]\n«\"X User\" = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\n«\"\" = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\n«Authorization = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\n«x-keyward-reason = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\n«X-Correlation-Id = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\n«Cache-Control = \"/sub\"", "this header cannot carry an identity"),
    ("I[[route]]\n[route.headers]\nX-User = \"/sub\"\n«x-user = \"/name\"", "twice"),
];

#[test]
fn every_error_says_what_and_where() {
    assert_errors(&folder(), ERRORS);
}

/// That each of these is an error at its « which says that.
pub(crate) fn assert_errors(folder: &Folder, errors: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (marked, says) in errors {
        let marked = if marked.contains("I[") || marked.contains("\nI") || marked.starts_with('I') {
            // Only a capital I of its own stands for the issuer: at a line's start.
            let whole = format!("\n{marked}").replace("\nI", &format!("\n{ISSUER}"));
            whole[1..].to_owned()
        } else {
            (*marked).to_owned()
        };
        let text = marked.replace('«', "");
        let place = marked.find('«').filter(|_| !text.is_empty()).map(|at| {
            let before = &marked[..at];
            let line = before.rsplit('\n').next().unwrap();
            Place { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
        });
        match folder.parse(&text) {
            Ok(_) => wrong.push(format!("{marked:?} is taken")),
            Err(error) if error.place() == place && error.message().contains(says) => {
                assert_eq!(
                    error.to_string().contains(": "),
                    place.is_some() || error.message().contains(": ")
                );
            }
            Err(error) => wrong.push(format!("{marked:?}\n    {:?} {error}", error.place())),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), errors.len(), wrong.join("\n"));
}

#[test]
fn a_file_is_named_with_its_error() {
    let folder = folder();
    let path = folder.path("keyward.toml");
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot be read: ", path.display())), "{error}");
    folder.write("keyward.toml", "[log]\n  é = 1");
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:2:3: ", path.display())), "{error}");
    std::fs::write(&path, b"[log]\n# \xff").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
    let error = Config::load(folder.path("").as_path()).unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn columns_count_characters() {
    let error = folder().parse("[log]\nformat = {é = 1, ö = 2}\n").unwrap_err();
    assert_eq!(error.place().unwrap().line, 2);
    let error = folder().parse(&format!("{ISSUER}audiences = [\"éé\", 7]")).unwrap_err();
    assert_eq!(error.place(), Some(Place { line: 4, column: 20 }));
}

#[test]
fn an_error_shows_no_secret() {
    let folder = folder();
    folder.write("secret", "tiny-secret");
    let error = folder.parse(&format!("{ISSUER}hmac_secret_file = \"secret\"")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("tiny-secret"), "{error}");
}

#[test]
fn a_secret_may_be_all_an_issuer_has() {
    let folder = folder();
    let text = "[[issuer]]\nname = \"main\"\nissuer = \"supabase\"\nhmac_secret_file = \"secret\"";
    let config = folder.parse(text).unwrap();
    assert_eq!(config.issuers[0].source, None);
    let text = format!("{ISSUER}hmac_secret_file = \"secret\"\nalgorithms = [\"HS256\", \"RS256\"]");
    assert_eq!(folder.parse(&text).unwrap().issuers[0].source, Some(KeySource::Discovery));
}

/// Words and marks of which most of a configuration is made.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "[gateway]\n",
        "[gateway.limits]\n",
        "[[issuer]]\n",
        "[issuer.key_set]\n",
        "[issuer.introspection]\n",
        "[issuer.introspection.credential]\n",
        "[issuer.fallback]\n",
        "method = \"client_secret_basic\"\n",
        "method = \"bearer\"\n",
        "grant = \"jwt_bearer\"\n",
        "client_id = ",
        "secret_file = ",
        "strategy = \"both\"\n",
        "strategy = ",
        "gives_up = [\"revocation\"]\n",
        "younger_than = ",
        "routes = ",
        "opaque_tokens = ",
        "[[route]]\n",
        "[route.claims]\n",
        "[route.headers]\n",
        "[log]\n",
        "[snapshot]\n",
        "[verdict_cache]\n",
        "name = \"a\"\n",
        "listen = ",
        "issuer = ",
        "issuer = \"https://a.example\"\n",
        "paths = ",
        "hosts = ",
        "methods = ",
        "ttl = ",
        "stale_limit = ",
        "leeway = ",
        "octets = ",
        "connections = ",
        "head_octets = ",
        "jwks_file = ",
        "ca_file = ",
        "\"/sub\" = ",
        "\"X-User\" = ",
        "true\n",
        "-1\n",
        "0\n",
        "9223372036854775807\n",
        "1e400\n",
        "\"\"\n",
        "[]\n",
        "[\"*.\"]\n",
        "[\"/\"]\n",
        "\"1h\"\n",
        "\"99999999999y\"\n",
        "\"18446744073709551615s 999999999999ns\"\n",
        "\"é\"\n",
        "\"\\u0000\"\n",
        "nan\n",
        "1979-05-27T07:32:00Z\n",
        "{ a = 1 }\n",
        "[[1], [\"a\"]]\n",
        "\n",
        "=",
        "\"",
        "'''",
        "«",
    ];
    prop_oneof![6 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(fragments in prop::collection::vec(fragment(), 0..24)) {
        let text = fragments.concat();
        if let Err(error) = Config::parse(&text, Path::new("/nowhere")) {
            let lines = text.split('\n').count();
            if let Some(Place { line, column }) = error.place() {
                prop_assert!((1..=lines).contains(&line) && column >= 1, "{error}");
            }
            prop_assert!(!error.message().is_empty());
        }
    }

    #[test]
    fn a_misspelt_setting_is_told_what_there_is(place in 0..1000_usize, letter in "[a-z]") {
        let settings: Vec<_> = DEFAULT_FILE.lines().filter(|line| !line.starts_with('#') && line.contains(" = ")).collect();
        let line = settings[place % settings.len()];
        let (name, value) = line.split_once(" = ").unwrap();
        let text = DEFAULT_FILE.replace(&format!("\n{line}\n"), &format!("\n{name}{letter} = {value}\n"));
        let error = Config::parse(&text, Path::new("/nowhere")).unwrap_err();
        let line = text.lines().position(|line| line.starts_with(&format!("{name}{letter} = "))).unwrap() + 1;
        if error.message().starts_with("missing field") {
            return Ok(());
        }
        prop_assert!(error.message().starts_with(&format!("unknown field `{name}{letter}`, expected ")), "{error}");
        prop_assert_eq!(error.place(), Some(Place { line, column: 1 }));
    }
}
