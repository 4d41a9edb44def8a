//! nginx with `auth_request`. See `xtask/interop/nginx.conf` for what it takes to pass on 400 and 503.

use std::path::Path;
use std::process::Command;

use super::{Ports, write_config};
use crate::interop::error::Error;
use crate::interop::workshop::Workshop;

/// One process that stays in the foreground.
pub(super) fn command(_: &Workshop, ports: &Ports, folder: &Path) -> Result<Command, Error> {
    let config = folder.join("nginx.conf");
    write_config(&config, include_str!("../../../interop/nginx.conf"), ports)?;
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c"]).arg(config);
    Ok(command)
}
