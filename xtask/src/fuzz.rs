//! Long runs of the fuzz targets. `cargo test` replays the corpus; this looks for more.

use std::fs;

use crate::{Failure, command};

const CARGO_FUZZ: &str = "0.13.2";

/// `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The target: assertion, basic, claims, dpop, form, introspection, jwk_set, key_file, realm_file, token, trace_context,
    /// uploaded_key or x509.
    target: String,
    /// How long to look.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Fuzzes one target; `false` where an input broke it.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let binary = command::tools().join("bin").join("cargo-fuzz");
    if !binary.exists() {
        let mut install = command::cargo(&["install", "cargo-fuzz", "--locked", "--debug", "--version"]);
        if !command::run(install.arg(CARGO_FUZZ).arg("--root").arg(command::tools()))? {
            return Err(Failure("cargo-fuzz could not be installed".to_owned()));
        }
    }
    // What is found goes into a folder of its own; the repository's corpus is only read.
    let found = format!("target/fuzz/corpus/{}", options.target);
    fs::create_dir_all(command::workspace().join(&found))?;
    let mut fuzz = std::process::Command::new(binary);
    // The sanitizers' flags are unstable ones, which the stable compiler takes with this set.
    fuzz.env("RUSTC_BOOTSTRAP", "1")
        .args(["fuzz", "run", "--features", "libfuzzer", "--target-dir", "target/fuzz", &options.target])
        .args([&found, &format!("fuzz/corpus/{}", options.target), "--", "-timeout=10"])
        .arg(format!("-max_total_time={}", options.seconds))
        .current_dir(command::workspace());
    command::run(&mut fuzz)
}
