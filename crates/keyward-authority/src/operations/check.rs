//! What names, texts and lists may be.

use keyward::address::is_acceptable;
use keyward::fetch::{FetchError, vet};
use url::Url;

use super::OperationError;

/// The longest name of a client, an account and the like, in characters: they stand in tokens and in paths.
const NAME_LIMIT: usize = 128;

/// The longest name of a realm: it stands in every address, as a label of DNS would.
const REALM_LIMIT: usize = 63;

/// The longest text for people, and the longest name that others give, in characters.
const TEXT_LIMIT: usize = 512;

/// The longest address.
const ADDRESS_LIMIT: usize = 2048;

/// The most scopes or audiences in a list: they all stand in a token.
const LIST_LIMIT: usize = 100;

/// The last second that RFC 3339 can write.
const LAST_TIME: i64 = 253_402_300_799;

/// A name in a path and a token: nothing that has to be escaped in either, and no slash.
pub(super) fn name(what: &'static str, name: &str) -> Result<(), OperationError> {
    let is_character = |octet: u8| octet.is_ascii_alphanumeric() || b"._~-@".contains(&octet);
    let begins_well = name.bytes().next().is_some_and(|octet| octet.is_ascii_alphanumeric());
    if name.len() <= NAME_LIMIT && begins_well && name.bytes().all(is_character) {
        return Ok(());
    }
    let why =
        format!("must be 1 to {NAME_LIMIT} of A-Z a-z 0-9 . _ ~ - @ and begin with a letter or a digit");
    Err(OperationError::Invalid { what, why })
}

/// A key's name: what tools call keys, and thumbprints, which may begin with `-` or `_`.
pub(super) fn kid(what: &'static str, kid: &str) -> Result<(), OperationError> {
    let is_character = |octet: u8| octet.is_ascii_alphanumeric() || b"._~-@:=+".contains(&octet);
    let is_path = kid == "." || kid == "..";
    if (1..=NAME_LIMIT).contains(&kid.len()) && !is_path && kid.bytes().all(is_character) {
        return Ok(());
    }
    let why = format!("must be 1 to {NAME_LIMIT} of A-Z a-z 0-9 . _ ~ - @ : = +");
    Err(OperationError::Invalid { what, why })
}

/// The name of a realm.
pub(super) fn realm(what: &'static str, name: &str) -> Result<(), OperationError> {
    if is_realm_name(name) {
        return Ok(());
    }
    let why = format!("must be 1 to {REALM_LIMIT} of a-z 0-9 - and not begin with -");
    Err(OperationError::Invalid { what, why })
}

/// Whether a realm can be called so: what cannot is looked for nowhere.
pub(crate) fn is_realm_name(name: &str) -> bool {
    let is_character = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    let begins_well = name.bytes().next().is_some_and(|octet| octet != b'-');
    name.len() <= REALM_LIMIT && begins_well && name.bytes().all(is_character)
}

/// A text for people.
pub(super) fn text(what: &'static str, text: &str) -> Result<(), OperationError> {
    if text.chars().count() <= TEXT_LIMIT && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let why = format!("must be at most {TEXT_LIMIT} characters without control characters");
    Err(OperationError::Invalid { what, why })
}

/// A name that others give: a text, and not empty.
pub(super) fn foreign_name(what: &'static str, name: &str) -> Result<(), OperationError> {
    if name.is_empty() {
        return Err(OperationError::invalid(what, "must not be empty"));
    }
    text(what, name)
}

/// What stands in `aud`: an absolute URI without a fragment (RFC 8707 §2), or a plain name.
pub(super) fn audience(what: &'static str, audience: &str) -> Result<(), OperationError> {
    let is_uri = || {
        let no_space = !audience.chars().any(|it| it.is_whitespace() || it.is_control());
        audience.len() <= TEXT_LIMIT
            && no_space
            && Url::parse(audience).is_ok_and(|url| url.fragment().is_none() && url.password().is_none())
    };
    if name(what, audience).is_ok() || is_uri() {
        return Ok(());
    }
    let why =
        format!("must be an absolute URI of at most {TEXT_LIMIT} octets without a fragment, or a plain name");
    Err(OperationError::Invalid { what, why })
}

/// A list of audiences, each once.
pub(super) fn audiences(what: &'static str, audiences: &[String]) -> Result<(), OperationError> {
    each_once(what, audiences)?;
    audiences.iter().try_for_each(|one| audience(what, one))
}

/// A list of scopes (RFC 6749 §3.3), each once.
pub(super) fn scopes(what: &'static str, scopes: &[String]) -> Result<(), OperationError> {
    each_once(what, scopes)?;
    let is_character = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    for scope in scopes {
        if !(1..=NAME_LIMIT).contains(&scope.len()) || !scope.bytes().all(is_character) {
            let why = format!(
                "each must be 1 to {NAME_LIMIT} printable characters of ASCII, without space, \" and \\"
            );
            return Err(OperationError::Invalid { what, why });
        }
    }
    Ok(())
}

fn each_once(what: &'static str, list: &[String]) -> Result<(), OperationError> {
    if list.len() > LIST_LIMIT {
        return Err(OperationError::invalid(what, format!("must be at most {LIST_LIMIT}")));
    }
    let unlike: std::collections::BTreeSet<_> = list.iter().collect();
    if unlike.len() != list.len() {
        return Err(OperationError::invalid(what, "must name each once"));
    }
    Ok(())
}

/// Where something is fetched from: by https, or by http from this machine.
pub(super) fn address(what: &'static str, address: &str) -> Result<(), OperationError> {
    let is_good = address.len() <= ADDRESS_LIMIT
        && Url::parse(address).is_ok_and(|url| is_acceptable(&url) && url.fragment().is_none());
    if is_good {
        return Ok(());
    }
    Err(OperationError::invalid(
        what,
        "must be an https address (http only of this machine), without a fragment",
    ))
}

/// Where a client's or a service account's keys are, where it says so (RFC 7591 §2). What its name resolves to is looked at with
/// each fetch.
pub(super) fn jwks_uri(address: Option<&str>) -> Result<(), OperationError> {
    let Some(address) = address else { return Ok(()) };
    let refused = |why: &str| Err(OperationError::invalid("jwks_uri", why));
    let url = match Url::parse(address) {
        Ok(url) if address.len() <= ADDRESS_LIMIT => url,
        _ => return refused("must be an https address of at most 2048 octets"),
    };
    // What leads to the keys stands in events and exports, where no secret belongs.
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return refused("must be without user, password and fragment");
    }
    match vet(&url, &url, &[]) {
        Ok(()) => Ok(()),
        Err(FetchError::ForbiddenAddress { class, .. }) => {
            refused(&format!("must not be {class}: no set of keys is fetched from there"))
        }
        Err(_) => refused("must be an https address (http only of this machine)"),
    }
}

/// How long something is good, in seconds.
pub(super) fn lifetime(what: &'static str, seconds: u64, most: u64) -> Result<(), OperationError> {
    if (1..=most).contains(&seconds) {
        return Ok(());
    }
    Err(OperationError::invalid(what, format!("must be 1 to {most} seconds")))
}

/// A time, in seconds since 1970.
pub(super) fn time(what: &'static str, at: Option<i64>) -> Result<(), OperationError> {
    match at {
        Some(at) if !(0..=LAST_TIME).contains(&at) => {
            Err(OperationError::invalid(what, "must be a time in seconds since 1970, before the year 10000"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_stand_in_a_path_and_never_leads_elsewhere() {
        for good in ["a", "robot-1", "A.b_c~d@example.org", "0"] {
            assert!(name("id", good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a/b", "a b", "a%2fb", "ä", "a\0", &"a".repeat(129)] {
            assert!(name("id", bad).is_err(), "{bad:?}");
        }
        assert!(
            kid("kid", "-Xy_thumbprint").is_ok() && kid("kid", "..").is_err() && kid("kid", "a/b").is_err()
        );
        assert!(
            realm("name", "main").is_ok() && realm("name", "Main").is_err() && realm("name", "-a").is_err()
        );
    }

    #[test]
    fn an_audience_is_a_uri_or_a_plain_name() {
        for good in ["api", "https://api.example/v1?a=b", "urn:keyward:authority"] {
            assert!(audience("audience", good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "https://api.example/#f", "/api", "https://u:p@x/", "https://api.example/\n"] {
            assert!(audience("audience", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_list_names_each_once_and_a_scope_is_one_of_rfc_6749() {
        let list =
            |scopes_: &[&str]| scopes("scopes", &scopes_.iter().map(|&s| s.into()).collect::<Vec<_>>());
        assert!(list(&["read", "write:main"]).is_ok());
        assert!(list(&["read", "read"]).is_err() && list(&["a b"]).is_err() && list(&[""]).is_err());
        let many: Vec<_> = (0..=LIST_LIMIT).map(|number| number.to_string()).collect();
        assert!(scopes("scopes", &many).is_err());
    }
}
