//! Traefik with the `forwardAuth` middleware.

use std::path::Path;
use std::process::Command;

use super::{Ports, write_config};
use crate::interop::error::Error;
use crate::interop::workshop::Workshop;

/// Its routes come from a file, the rest from arguments.
pub(super) fn command(workshop: &Workshop, ports: &Ports, folder: &Path) -> Result<Command, Error> {
    let config = folder.join("traefik.yml");
    write_config(&config, include_str!("../../../interop/traefik.yml"), ports)?;
    let mut command = Command::new(workshop.installed.pip_program("traefik"));
    command
        .arg(format!("--entryPoints.service.address=127.0.0.1:{}", ports.proxy))
        .arg(format!("--providers.file.filename={}", config.display()))
        .args(["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false", "--log.noColor=true"]);
    Ok(command)
}
