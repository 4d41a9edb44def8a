//! A folder with an authority in it, and a node that serves it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::*;

/// A folder with `authority.toml` for a free port.
pub(crate) struct Place {
    pub(crate) folder: Folder,
    pub(crate) config: String,
    pub(crate) origin: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let origin = format!("http://{address}");
        folder.secret("master-key", &"0f".repeat(32));
        let config = folder.write(
            "authority.toml",
            &format!(
                "[authority]\norigin = \"{origin}\"\nlisten = \"{address}\"\nadmin_listen = \"127.0.0.1:0\"\n\
                 [key_store]\nmaster_key_file = \"master-key\"\n"
            ),
        );
        Self { folder, config, origin }
    }

    pub(crate) fn bootstrap(&self) -> Run {
        let file = self.folder.secret("bootstrap.toml", "key_file = \"administrator.json\"\n");
        keyward(&["authority", "bootstrap", "--config", &self.config, &file], "")
    }

    /// With its first administrator, and a node that serves it.
    pub(crate) fn served() -> (Self, Serving) {
        let place = Self::new();
        assert_eq!(place.bootstrap().code, 0);
        let serving = Serving::start(&place);
        (place, serving)
    }

    /// The issuer of a realm.
    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.origin)
    }

    /// Runs a command that asks the authority, as the administrator.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Run {
        let key = self.folder.path("administrator.json");
        let who = ["--server", &self.origin, "--key-file", &key];
        keyward(&[&["authority"], arguments, &who].concat(), "")
    }

    /// The same, which has to be done.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let run = self.ask(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        run.stdout
    }
}

impl Folder {
    /// A file that nobody else may read.
    pub(crate) fn secret(&self, name: &str, text: &str) -> String {
        let path = self.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

pub(crate) struct Serving(Child);

impl Serving {
    pub(crate) fn start(place: &Place) -> Self {
        let serving = Self(
            command(&["authority", "serve", "--config", &place.config])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let begun = Instant::now();
        let address = place.origin.strip_prefix("http://").unwrap();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never listens");
            std::thread::sleep(Duration::from_millis(10));
        }
        serving
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
