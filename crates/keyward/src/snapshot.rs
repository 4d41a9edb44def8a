//! The last good set on the disk: dated, whole or not there, and readable by nobody else.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest;
use keyward_jose::{JwkSet, JwkSetLimits};
use keyward_verify::UnixTime;
use serde::{Deserialize, Serialize};

use crate::KeySource;
use crate::clock::rfc3339;

/// Where one issuer's set is kept.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    path: PathBuf,
    issuer: Box<str>,
    source: String,
}

/// The file's content. The set is a string, as it came, so that its digest is over what was read.
#[derive(Deserialize, Serialize)]
struct Content {
    format: u32,
    issuer: String,
    /// The place that the settings named.
    source: String,
    fetched_at: String,
    sha256: String,
    jwk_set: String,
}

const FORMAT: u32 = 1;

/// A set of 512 KiB, with every character of it escaped.
const SIZE_LIMIT: u64 = 4 * 1024 * 1024;

/// Why a snapshot is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("it is damaged, or only half written")]
    Damaged,
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is of another issuer")]
    OtherIssuer,
    #[error("its keys came from another place")]
    OtherSource,
}

impl Snapshot {
    /// The snapshot of `issuer`, whose keys are at `source`, in `folder`. Its file is named by a digest, for
    /// an issuer's name is no path.
    pub(crate) fn new(folder: &Path, issuer: &str, source: &KeySource) -> Self {
        let name: String = hex(issuer.as_bytes()).chars().take(32).collect();
        Self { path: folder.join(format!("{name}.jwks.json")), issuer: issuer.into(), source: source.place() }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The set and when it was fetched; none where there is no file.
    pub(crate) fn read(&self) -> Result<Option<(JwkSet, UnixTime)>, SnapshotError> {
        let file = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut text = Vec::new();
        file.take(SIZE_LIMIT).read_to_end(&mut text)?;
        let content: Content = serde_json::from_slice(&text).map_err(|_| SnapshotError::Damaged)?;
        if content.issuer != *self.issuer {
            return Err(SnapshotError::OtherIssuer);
        }
        // Who takes another place for an issuer's keys may do so because of what the old one said.
        if content.source != self.source {
            return Err(SnapshotError::OtherSource);
        }
        if content.format != FORMAT || content.sha256 != hex(content.jwk_set.as_bytes()) {
            return Err(SnapshotError::Damaged);
        }
        let fetched_at = parse_time(&content.fetched_at).ok_or(SnapshotError::Damaged)?;
        let set = JwkSet::parse(content.jwk_set.as_bytes(), JwkSetLimits::default())
            .map_err(|_| SnapshotError::Damaged)?;
        Ok(Some((set, fetched_at)))
    }

    /// Puts a set in the place of the last one, at once or not at all. Only its owner may read it.
    pub(crate) fn write(&self, text: &[u8], fetched_at: UnixTime) -> io::Result<()> {
        let jwk_set = std::str::from_utf8(text).map_err(io::Error::other)?.to_owned();
        let content = Content {
            format: FORMAT,
            issuer: self.issuer.to_string(),
            source: self.source.clone(),
            fetched_at: rfc3339(fetched_at),
            sha256: hex(jwk_set.as_bytes()),
            jwk_set,
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Made with mode 0600, written out, and only then given the name.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&content)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        fs::File::open(folder)?.sync_all()
    }
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write;
    digest::digest(&digest::SHA256, octets).as_ref().iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn parse_time(text: &str) -> Option<UnixTime> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(UnixTime)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SET: &[u8] =
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const FETCHED_AT: UnixTime = UnixTime(1_795_000_000);

    #[test]
    fn comes_back_as_it_was_written_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot =
            Snapshot::new(&folder.path().join("new"), "https://idp.example", &KeySource::Discovery);
        assert!(snapshot.read().expect("no file is no error").is_none());
        snapshot.write(SET, FETCHED_AT).expect("written");
        let (set, fetched_at) = snapshot.read().expect("read").expect("there");
        assert_eq!(set.keys().len(), 1);
        assert_eq!(fetched_at, FETCHED_AT);
        let mode = fs::metadata(snapshot.path()).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(folder.path().join("new")).expect("a folder").count();
        assert_eq!(names, 1, "nothing half written stays behind");
    }

    #[test]
    fn refuses_every_damage() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot = Snapshot::new(folder.path(), "https://idp.example", &KeySource::Discovery);
        snapshot.write(SET, FETCHED_AT).expect("written");
        let whole = fs::read(snapshot.path()).expect("read");
        for end in 0..whole.len() {
            fs::write(snapshot.path(), &whole[..end]).expect("written");
            assert!(matches!(snapshot.read(), Err(SnapshotError::Damaged)), "cut at {end}");
        }
        let text = String::from_utf8(whole).expect("text");
        for (from, to) in [("11qYAYKx", "11qYAYKy"), ("\"format\": 1", "\"format\": 2"), ("2026", "MMXX")] {
            fs::write(snapshot.path(), text.replacen(from, to, 1)).expect("written");
            assert!(matches!(snapshot.read(), Err(SnapshotError::Damaged)), "{from} to {to}");
        }
    }

    #[test]
    fn refuses_the_set_of_another_issuer() {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot = Snapshot::new(folder.path(), "https://idp.example", &KeySource::Discovery);
        let other = Snapshot::new(folder.path(), "https://other.example", &KeySource::Discovery);
        assert_ne!(snapshot.path(), other.path());
        other.write(SET, FETCHED_AT).expect("written");
        fs::rename(other.path(), snapshot.path()).expect("renamed");
        assert!(matches!(snapshot.read(), Err(SnapshotError::OtherIssuer)));
    }
}
