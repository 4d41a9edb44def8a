//! Who shakes hands with clients and sees their certificates: our own listener, or a proxy that tells the gateway.

mod cases;

use std::path::Path;
use std::process::Command;

use super::certificates::{Authority, Certified, write_private};
use super::error::Error;
use super::proxies::Ports;
use super::workshop::Workshop;

pub(crate) use self::cases::{MUTUAL_TLS_CASES, MutualTlsBackdrop, MutualTlsBench};

/// How it is called and started.
pub(crate) struct FrontKind {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// What the gateway has to be told, where `@WORK@` is the folder.
    settings: &'static str,
    /// The proxy; none where the gateway itself listens.
    proxy: Option<Proxy>,
}

/// A proxy that tells the gateway of certificates.
struct Proxy {
    /// Its configuration, and the file's name.
    template: (&'static str, &'static str),
    /// What to run over it.
    command: fn(&Workshop, &Ports, &Path) -> Command,
    /// What a client would have to send to be taken for another one.
    forged: fn(&Certified) -> (&'static str, String),
}

/// Everything that is known to tell of certificates.
pub(crate) const FRONTS: [FrontKind; 5] = [
    FrontKind {
        name: "keyward",
        settings: "[gateway.tls]\ncertificate_file = \"@WORK@/server.pem\"\nkey_file = \"@WORK@/server.key\"\n\
                   client_certificate = \"optional\"\nclient_ca_files = [\"@WORK@/authority.pem\"]\n\n\
                   [gateway.client_certificate]\nfrom = \"client_cert\"\ntrusted_peers = [\"127.0.0.3\"]\n",
        proxy: None,
    },
    FrontKind {
        name: "nginx",
        settings: "[gateway.client_certificate]\nfrom = \"nginx\"\nheader = \"X-Client-Cert\"\n\
                   trusted_peers = [\"127.0.0.1\"]\n",
        proxy: Some(Proxy {
            template: (include_str!("../../../interop/mutual_tls/nginx.conf"), "nginx.conf"),
            command: |_, _, config| command("nginx", &["-e", "stderr", "-c"], config),
            forged: |certificate| ("X-Client-Cert", escaped(&certificate.pem)),
        }),
    },
    FrontKind {
        name: "envoy",
        settings: "[gateway.client_certificate]\nfrom = \"xfcc\"\ntrusted_peers = [\"127.0.0.1\"]\n",
        proxy: Some(Proxy {
            template: (include_str!("../../../interop/mutual_tls/envoy.yaml"), "envoy.yaml"),
            command: |workshop, _, config| {
                let arguments = ["--disable-hot-restart", "--log-level", "error", "--config-path"];
                command(workshop.installed.envoy(), &arguments, config)
            },
            forged: |certificate| {
                ("X-Forwarded-Client-Cert", format!("Cert=\"{}\"", escaped(&certificate.pem)))
            },
        }),
    },
    FrontKind {
        name: "traefik",
        settings: "[gateway.client_certificate]\nfrom = \"traefik\"\ntrusted_peers = [\"127.0.0.1\"]\n",
        proxy: Some(Proxy {
            template: (include_str!("../../../interop/mutual_tls/traefik.yml"), "traefik.yml"),
            command: |workshop, ports, config| {
                let mut traefik = Command::new(workshop.installed.pip_program("traefik"));
                traefik
                    .arg(format!("--entryPoints.service.address=127.0.0.1:{}", ports.proxy))
                    .arg(format!("--providers.file.filename={}", config.display()))
                    .args(["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"]);
                traefik
            },
            forged: |certificate| ("X-Forwarded-Tls-Client-Cert", certificate.base64.clone()),
        }),
    },
    FrontKind {
        name: "caddy",
        settings: "[gateway.client_certificate]\nfrom = \"client_cert\"\ntrusted_peers = [\"127.0.0.1\"]\n",
        proxy: Some(Proxy {
            template: (include_str!("../../../interop/mutual_tls/Caddyfile"), "Caddyfile"),
            command: |workshop, _, config| {
                let program = workshop.installed.pip_program("caddy");
                let mut caddy = command(program, &["run", "--adapter", "caddyfile", "--config"], config);
                let folder = config.parent().unwrap_or(config);
                caddy.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
                caddy
            },
            forged: |certificate| ("Client-Cert", format!(":{}:", certificate.base64)),
        }),
    },
];

impl FrontKind {
    /// What a client would have to send, in the forms of all that are believed anywhere.
    fn forgeries(&self, certificate: &Certified) -> Vec<(&'static str, String)> {
        match &self.proxy {
            Some(proxy) => vec![(proxy.forged)(certificate)],
            None => {
                FRONTS.iter().filter_map(|kind| Some((kind.proxy.as_ref()?.forged)(certificate))).collect()
            }
        }
    }
}

/// A program whose last argument is its configuration.
fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], config: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(config);
    command
}

/// What a server needs for TLS: its certificate, its key, and the authority of its clients.
fn write_certificates(folder: &Path, authority: &Authority) -> Result<(), Error> {
    authority.server()?.write(folder, "server")?;
    write_private(&folder.join("authority.pem"), &authority.pem())
}

/// Percent-encoded, as nginx and Envoy do it.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => c.to_string(),
        c => format!("%{:02X}", u32::from(c)),
    };
    text.chars().map(escape).collect()
}
