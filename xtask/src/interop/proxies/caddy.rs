//! Caddy with `forward_auth`.

use std::path::Path;
use std::process::Command;

use super::{Ports, write_config};
use crate::interop::error::Error;
use crate::interop::workshop::Workshop;

/// Keeps its own files in `folder`.
pub(super) fn command(workshop: &Workshop, ports: &Ports, folder: &Path) -> Result<Command, Error> {
    let config = folder.join("Caddyfile");
    write_config(&config, include_str!("../../../interop/Caddyfile"), ports)?;
    let mut command = Command::new(workshop.installed.pip_program("caddy"));
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
    Ok(command)
}
