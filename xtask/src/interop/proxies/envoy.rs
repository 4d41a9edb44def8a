//! Envoy with `ext_authz` by HTTP.

use std::path::Path;
use std::process::Command;

use super::{Ports, write_config};
use crate::interop::error::Error;
use crate::interop::workshop::Workshop;

/// One process without an admin page.
pub(super) fn command(workshop: &Workshop, ports: &Ports, folder: &Path) -> Result<Command, Error> {
    let config = folder.join("envoy.yaml");
    write_config(&config, include_str!("../../../interop/envoy.yaml"), ports)?;
    let mut command = Command::new(workshop.installed.envoy());
    command.args(["--disable-hot-restart", "--log-level", "error", "--config-path"]).arg(config);
    Ok(command)
}
