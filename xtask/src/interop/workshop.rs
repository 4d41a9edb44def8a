//! What every server here is started with: the programs, a folder to write to, an HTTP client.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder};
use tempfile::TempDir;

use super::error::Error;
use super::install::Installed;

/// Lives as long as the run; its folder goes with it.
#[derive(Debug)]
pub(crate) struct Workshop {
    /// The servers' programs.
    pub(crate) installed: Installed,
    /// The binary under test.
    pub(crate) keyward: PathBuf,
    /// Asks servers on loopback: no proxy, no redirects, no waiting for ever.
    pub(crate) http: Client,
    folder: TempDir,
}

impl Workshop {
    /// An empty folder for this run.
    pub(crate) fn open(installed: Installed, keyward: &Path) -> Result<Self, Error> {
        let http = Self::client().build().map_err(Error::http("build an HTTP client"))?;
        let folder = TempDir::new().map_err(Error::io("create a temporary folder"))?;
        Ok(Self { installed, keyward: keyward.to_owned(), http, folder })
    }

    /// For servers on loopback: no proxy, no redirects, no waiting for ever.
    pub(crate) fn client() -> ClientBuilder {
        Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
    }

    /// A new folder for one server.
    pub(crate) fn subfolder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).map_err(Error::io(format!("create {}", path.display())))?;
        Ok(path)
    }
}

/// Writes one of `xtask/interop`'s templates to `path`, each `@NAME@` replaced by its value.
pub(crate) fn write_template(path: &Path, template: &str, values: &[(&str, &str)]) -> Result<(), Error> {
    let text = values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value));
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}
