//! The drills that come along.

use std::path::Path;

use crate::drill::Drill;
use crate::error::DrillError;

macro_rules! drills {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of each, in the order in which they run.
        const TEXTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../drills/", $name, ".toml")))),+];
    };
}

drills! {
    "a1-exchange-answers-500",
    "a1-for-two-weeks",
    "a1-key-of-an-application",
    "a2-kinds-of-refusal",
    "a2-our-credential-is-refused",
    "a2-wrong-address",
    "a3-wrong-key-set-address",
    "a5-known-30-days-ahead",
    "a5-wrapper-expired",
    "algorithm-changed",
    "audience-elsewhere",
    "b12-timeouts-are-not-401",
    "b13-forgotten-at-once",
    "b13-revocation-shows",
    "b22-expiry-does-not-remove-the-key",
    "b22-restart-keeps-the-key",
    "b22-the-only-key-vanishes",
    "bad-set-duplicate-kid",
    "bad-set-without-kids",
    "bad-set",
    "clients-mistakes",
    "clients-tokens",
    "clock-skew",
    "cold-start-during-outage",
    "denied-key",
    "discovery-broken",
    "flapping",
    "harmless-answers",
    "header-on-the-way",
    "id-token-sent",
    "introspection-and-keys-are-down",
    "introspection-fails",
    "introspection-flaps",
    "introspection-instead-of-keys",
    "introspection-junk",
    "introspection-of-young-tokens-only",
    "introspection-token-endpoint-down",
    "issuer-to-the-letter",
    "junk-guesses-the-next-kid",
    "junk",
    "kid-in-another-spelling",
    "leeway-too-small",
    "name-does-not-resolve",
    "neighbours-under-load",
    "neighbours",
    "nodes-that-differ",
    "outage-of-an-hour",
    "outage-tls",
    "outage-under-load",
    "outage",
    "removal",
    "restart-during-outage",
    "restart-with-damaged-snapshot",
    "restart-with-old-snapshot",
    "rotation-behind-a-cache",
    "rotation-behind-a-short-cache",
    "rotation-every-ten-seconds",
    "rotation-for-a-year",
    "rotation-overlapping",
    "rotation-replacing",
    "rotation-rolled-back",
    "rotation-signs-before-publishing",
    "signed-by-another-key",
    "ssrf-allowed-host",
    "ssrf",
    "staging-issuer",
    "wrapper-mismatch",
    "wrapper-untrusted",
}

/// The drills of each file, by its name.
///
/// # Errors
/// [`DrillError`], where a file makes no sense; a test holds that none does.
pub fn files() -> Result<Vec<(&'static str, Vec<Drill>)>, DrillError> {
    TEXTS.iter().map(|(name, text)| Ok((*name, Drill::parse(name, text)?))).collect()
}

/// All of them.
///
/// # Errors
/// As [`files`].
pub fn all() -> Result<Vec<Drill>, DrillError> {
    Ok(files()?.into_iter().flat_map(|(_, drills)| drills).collect())
}

/// One of them by its name, all variants of one by theirs, or those of a file where the name ends in `.toml`.
///
/// # Errors
/// [`DrillError`].
pub fn find(name: &str) -> Result<Vec<Drill>, DrillError> {
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name)
            .map_err(|cause| DrillError::File { path: name.to_owned(), cause })?;
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        return Drill::parse(stem, &text);
    }
    if let Some(text) = text(name) {
        return Drill::parse(name, text);
    }
    let drill = all()?.into_iter().find(|drill| drill.name == name);
    Ok(vec![drill.ok_or_else(|| DrillError::Unknown { name: name.to_owned() })?])
}

/// The text of the file of this name, to be read or changed.
pub fn text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The text of the file that a drill, or a variant, comes from.
pub fn text_of(name: &str) -> Option<&'static str> {
    let is_of =
        |file: &str| name == file || name.strip_prefix(file).is_some_and(|rest| rest.starts_with('-'));
    let files = TEXTS.iter().filter(|(file, _)| is_of(file));
    files.max_by_key(|(file, _)| file.len()).map(|(_, text)| *text)
}
