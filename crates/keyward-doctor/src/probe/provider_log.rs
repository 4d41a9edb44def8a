//! Reads what a log of the provider says of our requests: the only place where an opaque answer has a cause.
//!
//! Zitadel, Keycloak, Ory Hydra and our own authority write each in their own way, as text or as JSON, and all are read alike: a
//! line counts where it speaks of a client that was refused, and nothing of it is kept but what it means, a code of the program's
//! own, and when it was. The authority's lines have a label for each cause, its realm, and how many lines were left out.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::authority::AuthorityCause;
use crate::facts::{AuthorityLine, IssuerFacts, ProviderLogCause, ProviderLogFacts, ProviderLogLine};
use crate::said::{INTROSPECTION, TOKEN, cause_in};

/// So much of a log is read, from its end.
const LOG_LIMIT: usize = 16 * 1024 * 1024;

/// So much of a line is looked at.
const LINE_LIMIT: usize = 16 * 1024;

/// So many kinds of lines are told.
const KINDS: usize = 64;

/// What is recognised in `log`, as far as it is about us or does not say about whom.
pub(super) fn provider_log(log: &[u8], issuers: &[IssuerFacts]) -> ProviderLogFacts {
    let credentials = issuers.iter().filter_map(|issuer| Some(&issuer.introspection.as_ref()?.credential));
    let names = credentials.flat_map(|credential| {
        let owner = credential.key_file.as_ref().and_then(|file| file.owner.clone());
        [credential.client_id.clone(), credential.subject.clone(), owner]
    });
    read(log, &names.flatten().collect::<Vec<_>>())
}

fn read(log: &[u8], names: &[String]) -> ProviderLogFacts {
    let start = log.len().saturating_sub(LOG_LIMIT);
    let mut facts = ProviderLogFacts::default();
    for line in log.get(start..).unwrap_or_default().split(|octet| *octet == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        facts.lines = facts.lines.saturating_add(1);
        let text = String::from_utf8_lossy(line.get(..LINE_LIMIT).unwrap_or(line));
        // The quotes of JSON inside a line, so that all lines are read alike.
        let line = Line(text.replace("\\\"", "\"").into());
        if !line.is_ours(names) {
            continue;
        }
        if let Some((cause, left_out, authority)) = line.of_authority(names) {
            note(&mut facts.recognised, cause, left_out, line.at(), Some(authority));
        } else if let Some(what) = line.recognised() {
            note(&mut facts.recognised, what, 0, line.at(), None);
        }
    }
    facts.recognised.reverse();
    facts
}

/// Counts a line and those that were left out before it, and puts its kind last.
fn note(
    kinds: &mut Vec<ProviderLogLine>,
    (cause, code): (ProviderLogCause, Option<&str>),
    left_out: u64,
    at: Option<i64>,
    authority: Option<AuthorityLine>,
) {
    let is_kind = |kind: &ProviderLogLine| {
        kind.cause == cause && kind.code.as_deref() == code && kind.authority == authority
    };
    let mut kind = match kinds.iter().position(is_kind) {
        Some(place) => kinds.remove(place),
        None => {
            let code = code.map(str::to_owned);
            ProviderLogLine { cause, count: 0, code, first_at: at, last_at: at, authority }
        }
    };
    kind.count = kind.count.saturating_add(1).saturating_add(left_out);
    kind.last_at = at.or(kind.last_at);
    if kinds.len() < KINDS {
        kinds.push(kind);
    }
}

/// The events of our own authority's log that say why it refused, and the endpoint that they are of.
const AUTHORITY_EVENTS: &[(&str, &str)] =
    &[("introspection_refused", INTROSPECTION), ("token_refused", TOKEN)];

/// The longest name of a realm.
const REALM_LIMIT: usize = 128;

/// Codes of programs that say a cause by themselves. What says more stands first.
const CODES: &[(&str, ProviderLogCause)] = &[
    // Zitadel: the query of a key by `kid` and subject, today and before.
    ("QUERY-Tha6f", ProviderLogCause::KeyNotFound),
    ("QUERY-SDf32", ProviderLogCause::KeyNotFound),
    ("AuthNKey.NotFound", ProviderLogCause::KeyNotFound),
    // Keycloak: `error` of its events.
    ("client_not_found", ProviderLogCause::ClientUnknown),
    ("client_disabled", ProviderLogCause::ClientDisabled),
    ("invalid_client_credentials", ProviderLogCause::SecretWrong),
    ("expired_client_secret", ProviderLogCause::SecretExpired),
    // Our own lab, and whoever writes labels.
    ("key_not_projected", ProviderLogCause::ProjectionBehind),
    ("key_disabled", ProviderLogCause::KeyDisabled),
    ("key_expired", ProviderLogCause::KeyExpired),
    ("unknown_key", ProviderLogCause::KeyNotFound),
    ("unknown_client", ProviderLogCause::ClientUnknown),
    ("wrong_audience", ProviderLogCause::AssertionAudience),
    ("wrong_issuer", ProviderLogCause::WrongIssuer),
    ("wrong_kind", ProviderLogCause::WrongKind),
    ("wrong_secret", ProviderLogCause::SecretWrong),
    ("not_yet_valid", ProviderLogCause::AssertionTimes),
    ("no_kid", ProviderLogCause::NoKid),
    ("assertion_expired", ProviderLogCause::AssertionTimes),
];

/// What a line has to say beside a cause to be about a client that was refused: any of these.
const REFUSALS: &[&str] = &[
    "CLIENT_LOGIN_ERROR",
    "INTROSPECT_TOKEN_ERROR",
    "client refused",
    "client_refused",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "oidc_error",
    "AuthNKey",
    "OIDC-AhX2u",
    "client_assertion",
];

/// Zitadel's tables that are behind its events: their names, and what is said of them.
const PROJECTIONS: &[&str] = &["projections.authn_keys", "authn_keys2", "authn_keys"];

/// What a line of our own authority's log says: the cause and its label, how many lines were left out, and where it was.
type Refused = ((ProviderLogCause, Option<&'static str>), u64, AuthorityLine);

/// One line, without the escapes of JSON.
struct Line<'a>(Cow<'a, str>);

impl Line<'_> {
    fn recognised(&self) -> Option<(ProviderLogCause, Option<&'static str>)> {
        let text = &*self.0;
        if let Some(projection) = PROJECTIONS.iter().find(|name| text.contains(**name)) {
            let is_behind = ["behind", "lag", "failed", "timeout"].iter().any(|word| text.contains(word));
            return is_behind.then_some((ProviderLogCause::ProjectionBehind, Some(*projection)));
        }
        let refusal = REFUSALS.iter().find(|word| text.contains(**word))?;
        let is_code = |code: &str| {
            let label = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            text.match_indices(code).any(|(at, _)| {
                let before = text.get(..at).and_then(|text| text.chars().next_back());
                let after = text.get(at + code.len()..).and_then(|text| text.chars().next());
                !before.is_some_and(label) && !after.is_some_and(label)
            })
        };
        if let Some((code, cause)) = CODES.iter().find(|(code, _)| is_code(code)) {
            return Some((*cause, Some(*code)));
        }
        match cause_in(text) {
            Some(cause) => Some((cause, None)),
            None => Some((ProviderLogCause::Untold, Some(*refusal))),
        }
    }

    /// Why our own authority refused, how many lines like it were not written, and where that was.
    fn of_authority(&self, names: &[String]) -> Option<Refused> {
        let event = self.field("event")?;
        let (_, endpoint) = AUTHORITY_EVENTS.iter().find(|(name, _)| *name == event)?;
        let known = AuthorityCause::of(self.field("cause")?)?;
        let realm = self.field("realm").filter(|realm| realm.len() <= REALM_LIMIT)?;
        let left_out = self.field("left_out").and_then(|count| count.parse().ok()).unwrap_or(0);
        let line = AuthorityLine {
            endpoint: (*endpoint).to_owned(),
            realm: realm.to_owned(),
            names_us: !names.is_empty() && self.named().next().is_some(),
        };
        Some(((known.cause, Some(known.label)), left_out, line))
    }

    /// Whether it is about us, or does not say about whom.
    fn is_ours(&self, names: &[String]) -> bool {
        let named: Vec<&str> = self.named().collect();
        named.is_empty() || names.is_empty() || named.iter().any(|name| names.iter().any(|ours| ours == name))
    }

    /// The clients that it names.
    fn named(&self) -> impl Iterator<Item = &str> {
        ["client_id", "clientId", "client"].iter().filter_map(|name| self.field(name))
    }

    /// When it was written, in seconds since 1970.
    fn at(&self) -> Option<i64> {
        let stamp = ["time", "timestamp", "ts", "@timestamp"].iter().find_map(|name| self.field(name));
        let stamp = stamp
            .or_else(|| self.0.split([' ', '[']).find(|word| word.contains('T') && word.contains(':')))?;
        if let Ok(at) = humantime::parse_rfc3339_weak(stamp) {
            return i64::try_from(at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok();
        }
        // Keycloak's JSON counts milliseconds.
        let number: i64 = stamp.parse().ok()?;
        Some(if number > 100_000_000_000 { number / 1000 } else { number })
    }

    /// The value of `name=value`, `name="value"` or `"name": "value"`.
    fn field(&self, name: &str) -> Option<&str> {
        let text = &*self.0;
        text.match_indices(name).find_map(|(at, _)| {
            let before = text.get(..at)?.chars().next_back();
            if before.is_some_and(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter)) {
                return None;
            }
            let rest = text.get(at + name.len()..)?;
            let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
            let rest = rest.strip_prefix(['=', ':'])?.trim_start();
            let value = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next()?,
                None => rest.split([' ', ',', '}', ']']).next()?,
            };
            (!value.is_empty() && value != "null").then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZITADEL: &str = "time=\"2026-11-21T17:00:00Z\" level=error msg=\"request error\" \
        oidc_error.parent=\"ID=OIDC-AhX2u Message=Errors.Internal Parent=(invalid signature (error fetching keys: \
        ID=QUERY-Tha6f Message=Errors.AuthNKey.NotFound Parent=(sql: no rows in result set)))\" \
        oidc_error.description=Errors.Internal oidc_error.type=server_error status_code=500";

    fn only(line: &str) -> ProviderLogLine {
        let facts = read(line.as_bytes(), &["gateway".to_owned()]);
        assert_eq!((facts.lines, facts.recognised.len()), (1, 1), "{line}: {facts:?}");
        facts.recognised.into_iter().next().expect("one")
    }

    #[test]
    fn lines_of_several_providers_are_recognised() {
        for (line, cause, code) in [
            (ZITADEL, ProviderLogCause::KeyNotFound, Some("QUERY-Tha6f")),
            (
                "time=\"2026-11-21T17:00:00Z\" oidc_error.parent=\"ID=OIDC-AhX2u Parent=(invalid signature (the key is disabled))\"",
                ProviderLogCause::KeyDisabled,
                None,
            ),
            (
                "{\"time\":\"2026-11-21T17:00:00Z\",\"msg\":\"projection lag\",\"projection\":\"projections.authn_keys2\",\"behind\":22814}",
                ProviderLogCause::ProjectionBehind,
                Some("projections.authn_keys"),
            ),
            (
                "2026-11-21 17:00:00,123 WARN  [org.keycloak.events] (executor-thread-1) type=\"CLIENT_LOGIN_ERROR\", \
                 realmId=\"a\", clientId=\"gateway\", userId=\"null\", error=\"invalid_client_credentials\"",
                ProviderLogCause::SecretWrong,
                Some("invalid_client_credentials"),
            ),
            (
                "{\"timestamp\":\"2026-11-21T17:00:00.123Z\",\"message\":\"type=\\\"CLIENT_LOGIN_ERROR\\\", \
                 clientId=\\\"gateway\\\", error=\\\"client_not_found\\\"\"}",
                ProviderLogCause::ClientUnknown,
                Some("client_not_found"),
            ),
            (
                "time=2026-11-21T17:00:00Z level=info msg=access denied error=map[debug: message:invalid_client \
                 reason:Unable to verify the integrity of the 'client_assertion' value: signature]",
                ProviderLogCause::Signature,
                None,
            ),
            (
                "time=2026-11-21T17:00:00Z level=error msg=An error occurred error=map[message:invalid_client \
                 description:Client authentication failed (e.g., unknown client, no client authentication included).]",
                ProviderLogCause::Untold,
                Some("invalid_client"),
            ),
            (
                "time=\"2026-11-21T17:00:00Z\" level=error msg=\"client refused\" endpoint=introspection status=401 \
                 error=invalid_client cause=\"the secret is wrong\"",
                ProviderLogCause::SecretWrong,
                None,
            ),
            (
                "time=2026-11-21T17:00:00Z event=client_refused endpoint=token client=gateway cause=key_not_projected",
                ProviderLogCause::ProjectionBehind,
                Some("key_not_projected"),
            ),
        ] {
            let found = only(line);
            assert_eq!((found.cause, found.code.as_deref()), (cause, code), "{line}");
        }
    }

    #[test]
    fn lines_of_one_kind_are_counted_with_the_first_and_the_last_time_and_the_last_kind_stands_first() {
        let other = ZITADEL.replace("17:00:00", "17:00:10");
        let disabled = "time=2026-11-21T17:01:00Z event=client_refused client=gateway cause=key_disabled";
        let facts = read(format!("{ZITADEL}\nstarted\n{other}\r\n\n{disabled}\n").as_bytes(), &[]);
        assert_eq!((facts.lines, facts.recognised.len()), (4, 2));
        assert_eq!(facts.recognised[0].cause, ProviderLogCause::KeyDisabled);
        let lost = &facts.recognised[1];
        assert_eq!((lost.count, lost.first_at, lost.last_at), (2, Some(1_795_280_400), Some(1_795_280_410)));
    }

    #[test]
    fn lines_of_our_own_authority_are_recognised_in_both_forms_with_those_that_were_left_out() {
        let json = "{\"timestamp\":\"2026-11-21T17:00:00.123456Z\",\"level\":\"INFO\",\"event\":\"token_refused\",\
                    \"realm\":\"main\",\"endpoint\":\"token\",\"cause\":\"assertion_key_disabled\",\"left_out\":7,\
                    \"message\":\"a request was refused\",\"client\":\"gateway\"}";
        let text = "2026-11-21T17:00:05.123456Z  INFO a request was refused event=\"introspection_refused\" \
                    realm=\"main\" endpoint=\"introspect\" cause=\"secret_wrong\" left_out=0";
        for (line, cause, code, count, endpoint, names_us) in [
            (json, ProviderLogCause::KeyDisabled, "assertion_key_disabled", 8, "token", true),
            (text, ProviderLogCause::SecretWrong, "secret_wrong", 1, "introspection", false),
        ] {
            let found = only(line);
            assert_eq!(
                (found.cause, found.code.as_deref(), found.count),
                (cause, Some(code), count),
                "{line}"
            );
            let authority = found.authority.expect("of an authority");
            assert_eq!((&*authority.realm, &*authority.endpoint), ("main", endpoint));
            assert_eq!(authority.names_us, names_us);
            assert!(found.last_at.is_some_and(|at| at / 10 == 179_528_040), "{:?}", found.last_at);
        }
        // Another client's, a cause that is none of a credential, and a label that there is none of.
        for line in [
            json.replace("gateway", "somebody-else"),
            json.replace("assertion_key_disabled", "refresh_token_reused"),
            json.replace("assertion_key_disabled", "eyJhbGciOiJub25lIn0"),
        ] {
            assert_eq!(read(line.as_bytes(), &["gateway".to_owned()]).recognised, [], "{line}");
        }
    }

    #[test]
    fn lines_about_others_and_about_nothing_are_left_out() {
        for line in [
            "type=CLIENT_LOGIN_ERROR, clientId=somebody-else, error=invalid_client_credentials",
            "event=client_refused client=somebody-else cause=key_disabled",
            "level=info msg=\"token issued\" client=gateway",
            "the signature of the contract has expired",
        ] {
            assert_eq!(read(line.as_bytes(), &["gateway".to_owned()]).recognised, [], "{line}");
        }
    }

    #[test]
    fn nothing_of_a_line_is_kept_but_its_code_and_its_time() {
        let line = format!("{ZITADEL} client_secret=planted-s3cret Bearer eyJhbGciOiJub25lIn0.planted.");
        let facts = serde_json::to_string(&read(line.as_bytes(), &[])).expect("JSON");
        assert!(
            !facts.contains("planted") && !facts.contains("no rows") && facts.contains("QUERY-Tha6f"),
            "{facts}"
        );
    }

    #[test]
    fn a_huge_log_a_huge_line_and_octets_that_are_no_text_are_read_in_bounds() {
        let mut log = vec![b'x'; LOG_LIMIT];
        log.extend_from_slice(b"\n\xff\xfe invalid_client\n");
        log.extend_from_slice(&vec![b'y'; LINE_LIMIT]);
        log.extend_from_slice(b"invalid_client\n");
        let facts = read(&log, &[]);
        assert_eq!((facts.lines, facts.recognised.len()), (3, 1));
        assert_eq!(facts.recognised[0].cause, ProviderLogCause::Untold);
    }
}
