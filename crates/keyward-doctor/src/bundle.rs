//! Facts that travel: gathered where the access is, diagnosed anywhere.

use serde::Deserialize;

use crate::facts::{Facts, VERSION};

/// Octets of a bundle that are read. One of a hundred issuers with a hundred keys each has a tenth of it.
pub const SIZE_LIMIT: usize = 32 * 1024 * 1024;

/// Why facts cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is no JSON, or has no version.
    #[error("this is no bundle of `keyward doctor collect`: {0}")]
    Foreign(serde_json::Error),
    /// A member is missing, or is not what it should be, or is unknown: its name is in the error.
    #[error("the bundle cannot be read: {0}")]
    Malformed(serde_json::Error),
    /// It is over the limit.
    #[error("the bundle is over the limit of {SIZE_LIMIT} octets")]
    TooLarge,
    /// It has another form.
    #[error(
        "the bundle is of version {found}, and this keyward reads version {VERSION}: read it with the one that made it"
    )]
    Version {
        /// Its version.
        found: u64,
    },
}

/// What comes first, so that a bundle of another form is told from a damaged one.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// Reads what `keyward doctor collect` wrote.
///
/// # Errors
/// [`BundleError`].
pub fn read(octets: &[u8]) -> Result<Facts, BundleError> {
    if octets.len() > SIZE_LIMIT {
        return Err(BundleError::TooLarge);
    }
    let Versioned { version } = serde_json::from_slice(octets).map_err(BundleError::Foreign)?;
    if version != u64::from(VERSION) {
        return Err(BundleError::Version { found: version });
    }
    serde_json::from_slice(octets).map_err(BundleError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text.as_bytes()).expect_err("no bundle").to_string()
    }

    #[test]
    fn a_bundle_says_why_it_cannot_be_read() {
        assert!(refused("<html>").starts_with("this is no bundle"));
        assert!(refused("{}").contains("missing field `version`"));
        assert!(refused(r#"{"version":2,"gathered_by":"a later keyward"}"#).contains("is of version 2"));
        let unknown = r#"{"version":1,"gathered_at":0,"took_ms":0,"since_s":0,"tokens":["eyJ"]}"#;
        let error = refused(unknown);
        assert!(error.contains("unknown field `tokens`") && error.contains("line 1"), "{error}");
        assert!(!error.contains("eyJ"), "{error}");
        let large = vec![b' '; SIZE_LIMIT + 1];
        assert!(matches!(read(&large), Err(BundleError::TooLarge)));
    }

    #[test]
    fn what_was_written_is_read_again() {
        let facts = Facts { version: VERSION, gathered_at: 5, took_ms: 6, since_s: 7, ..Facts::default() };
        let written = serde_json::to_vec(&facts).expect("JSON");
        assert_eq!(read(&written).expect("a bundle"), facts);
    }
}
