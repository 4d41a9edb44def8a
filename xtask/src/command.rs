//! The commands that tasks are made of.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::Failure;
use crate::interop::ending_with_us;

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Where tools that are no part of the workspace are installed.
pub(crate) fn tools() -> PathBuf {
    workspace().join(".interop").join("tools")
}

/// A binary of the release profile.
pub(crate) fn release_binary(name: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("release").join(name)
}

/// Cargo, in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// Builds what is measured and drilled, in the release profile: always both packages, since one by itself has its
/// dependencies with other features, and would build most of them twice.
pub(crate) fn build_release() -> Result<(), Failure> {
    if run(&mut release_build())? { Ok(()) } else { Err(Failure("the release build failed".to_owned())) }
}

/// The same, beside what is done meanwhile: its crates wait for each other, and leave a core to others most of the time.
/// Whoever builds it after that waits for it, and is told what was wrong with it.
pub(crate) fn begin_release_build() -> Result<Child, Failure> {
    let mut build = ending_with_us(release_build().arg("--quiet"));
    build.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(Failure::from)
}

fn release_build() -> Command {
    cargo(&["build", "--release", "--locked", "--package", "keyward-bench", "--package", "keyward-cli"])
}

/// Runs a command with its output on stderr, and tells what runs and how long it took; `true` where it
/// succeeded.
pub(crate) fn run(command: &mut Command) -> Result<bool, Failure> {
    let name = describe(command);
    writeln!(io::stderr(), "\n=== {name}")?;
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| Failure(format!("{name}: {error}")))?;
    writeln!(io::stderr(), "=== {status} after {:.1} s: {name}", started.elapsed().as_secs_f64())?;
    Ok(status.success())
}

/// What a command prints on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let name = describe(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure(format!("{name}: {error}")))?;
    if !output.status.success() {
        return Err(Failure(format!("{name}: {}", output.status)));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program.to_string_lossy()).chain(words).collect::<Vec<_>>().join(" ")
}
