//! The authority's administration, held against the OpenAPI document that it serves.

use crate::interop::error::Error;
use crate::interop::outcome::Outcome;
use crate::interop::process::run;
use crate::interop::workshop::{Workshop, write_template};

use super::nodes::{Engine, Nodes};
use super::realm::Realm;

/// No 5xx, and every answer as the document says: status, type, body and headers.
pub(super) fn schemathesis(workshop: &Workshop) -> Result<Outcome, Error> {
    const NAME: &str = "authority-document";
    let nodes = Nodes::start(workshop, NAME, Engine::Sqlite, &Realm::new(workshop, None)?, None)?;
    let folder = workshop.subfolder(NAME)?;
    let script = folder.join("authority_schemathesis.py");
    write_template(&script, include_str!("../../../interop/authority_schemathesis.py"), &[])?;
    // Read from where it runs.
    let settings = include_str!("../../../interop/schemathesis.toml");
    write_template(&folder.join("schemathesis.toml"), settings, &[])?;
    let mut python = workshop.installed.provider_python(&folder);
    python.current_dir(&folder).arg(script).arg(nodes.origin()).arg(nodes.key_file());
    let printed = run(python.arg(workshop.installed.schemathesis()))?;
    let generated =
        printed.lines().find_map(|line| line.trim().split_once(" generated")?.0.parse::<u32>().ok());
    let generated = generated.unwrap_or_default();
    Ok(Outcome { measured: format!("{generated} requests, each answered so"), passed: generated > 500 })
}
