//! The libraries, each with a program of ours in `xtask/interop`.

use std::process::Command;

use super::client_cases::ClientKind;
use crate::interop::error::Error;
use crate::interop::workshop::{Workshop, write_template};

/// What a library supports that knows all of the RFCs.
const EVERY_CASE: [&str; 10] = [
    "discovery",
    "client-credentials",
    "private-key-jwt",
    "jwt-bearer",
    "token-exchange",
    "refresh",
    "introspection",
    "revocation",
    "dpop",
    "refused",
];

/// It knows no DPoP.
const OF_AUTHLIB: [&str; 9] = [
    "discovery",
    "client-credentials",
    "private-key-jwt",
    "jwt-bearer",
    "token-exchange",
    "refresh",
    "introspection",
    "revocation",
    "refused",
];

/// Neither assertions of clients, nor questions about tokens.
const OF_GO: [&str; 6] =
    ["discovery", "client-credentials", "jwt-bearer", "token-exchange", "refresh", "refused"];

/// Every library that goes to the authority.
pub(super) const LIBRARIES: [ClientKind; 4] = [
    ClientKind {
        name: "openid-client",
        cases: &EVERY_CASE,
        is_told_the_time: true,
        is_certified: true,
        command: |workshop| Ok(node(workshop, "authority_openid_client.mjs")),
    },
    ClientKind {
        name: "oauth4webapi",
        cases: &EVERY_CASE,
        is_told_the_time: true,
        is_certified: false,
        command: |workshop| Ok(node(workshop, "authority_oauth4webapi.mjs")),
    },
    ClientKind {
        name: "authlib",
        cases: &OF_AUTHLIB,
        is_told_the_time: true,
        is_certified: true,
        command: authlib,
    },
    ClientKind {
        name: "go-oidc",
        cases: &OF_GO,
        // Its programs ask the kernel, not the library that fakes the time.
        is_told_the_time: false,
        is_certified: false,
        command: |workshop| Ok(Command::new(workshop.installed.go_client()?)),
    },
];

fn node(workshop: &Workshop, script: &str) -> Command {
    let installed = &workshop.installed;
    let mut command = Command::new(installed.node());
    command.arg(installed.script(script));
    command
}

fn authlib(workshop: &Workshop) -> Result<Command, Error> {
    let folder = workshop.subfolder("authlib")?;
    let script = folder.join("authority_authlib.py");
    write_template(&script, include_str!("../../../interop/authority_authlib.py"), &[])?;
    let mut command = workshop.installed.provider_python(&folder);
    command.arg(script);
    Ok(command)
}
