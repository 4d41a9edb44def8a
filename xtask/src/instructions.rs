//! Counts the instructions of the hot paths by callgrind, and holds them against those in the repository.
//!
//! Only the repetitions of a path are counted, not what makes it ready. aws-lc's own functions are left
//! out: which of them run depends on the processor, and no change of ours changes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::report::{Report, Row};
use crate::{Failure, command};

const PATHS: [&str; 11] = [
    "verify",
    "cached",
    "forward-auth",
    "introspected",
    "fallback",
    "dpop",
    "chain",
    "wrapped",
    "client-credentials",
    "introspection",
    "jwk-set",
];

const REPETITIONS: u32 = 1000;

/// The function that repeats a path.
const MEASURED: &str = "keyward_bench::hot_path::measured*";

/// A regression over this share fails.
const TOLERANCE: f64 = 0.03;

/// `cargo xtask instructions`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Count only these paths: verify, cached, forward-auth, introspected, fallback, dpop, chain, wrapped, client-credentials,
    /// introspection, jwk-set.
    names: Vec<String>,
    /// Write what was counted into the repository.
    #[arg(long)]
    bless: bool,
    /// Print a JSON object a line in place of the table.
    #[arg(long)]
    json: bool,
}

type Counts = BTreeMap<String, f64>;

/// Counts what is named, everything where nothing is; `false` where a path regressed.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    require_valgrind()?;
    command::build_release()?;
    let kept: Counts = fs::read_to_string(kept_file())
        .map_err(Failure::from)
        .and_then(|text| Ok(serde_json::from_str(&text)?))
        .or_else(|failure| if options.bless { Ok(Counts::new()) } else { Err(failure) })?;
    let mut counted = kept.clone();
    let mut report = Report::new(options.json);
    let wanted = |path: &&str| options.names.is_empty() || options.names.iter().any(|name| name == path);
    for path in PATHS.into_iter().filter(wanted) {
        let count = count(path)?;
        let most = kept.get(path).map_or(f64::NAN, |kept| kept * (1.0 + TOLERANCE));
        report.push(Row {
            name: format!("instructions-{path}"),
            measured: format!("{count:.0}"),
            target: format!("at most {most:.0}"),
            passed: options.bless || count <= most,
        })?;
        counted.insert(path.to_owned(), count.round());
    }
    if options.bless {
        fs::write(kept_file(), serde_json::to_string_pretty(&counted)? + "\n")?;
    }
    Ok(report.finish()?)
}

fn kept_file() -> PathBuf {
    command::workspace().join("crates/keyward-bench/instructions.json")
}

fn require_valgrind() -> Result<(), Failure> {
    if Command::new("valgrind").arg("--version").output().is_ok() {
        return Ok(());
    }
    let update = command::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let install = command::run(Command::new("apt-get").args(["install", "--yes", "--quiet", "valgrind"]))?;
    if update && install { Ok(()) } else { Err(Failure("valgrind could not be installed".to_owned())) }
}

/// The instructions of one repetition.
fn count(path: &str) -> Result<f64, Failure> {
    let folder = tempfile::tempdir()?;
    let profile = folder.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(command::release_binary("keyward-bench"))
        .args(["hot", path, &REPETITIONS.to_string()]);
    if !command::run(&mut valgrind)? {
        return Err(Failure(format!("the hot path {path} failed under callgrind")));
    }
    match own_instructions(&fs::read_to_string(profile)?) {
        0 => Err(Failure(format!("callgrind saw nothing of {MEASURED}"))),
        count => Ok(count as f64 / f64::from(REPETITIONS)),
    }
}

/// Adds up a profile's own costs of each function that is not aws-lc's.
///
/// The format is callgrind's (valgrind manual, "Callgrind Format Specification"): `fn=` opens a function,
/// by number and at first by name; a line of position and cost belongs to it, unless a `calls=` line stands
/// before, whose cost is the callee's.
fn own_instructions(profile: &str) -> i64 {
    let mut names: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut counts, mut is_callee, mut sum) = (true, false, 0);
    for line in profile.lines() {
        if let Some((place, function)) =
            line.split_once("fn=").filter(|(place, _)| matches!(*place, "" | "c"))
        {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                names.insert(number, is_ours(name));
            }
            if place.is_empty() {
                counts = names.get(number).copied().unwrap_or(true);
            }
        } else if line.starts_with("calls=") {
            is_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            if counts && !is_callee {
                sum += line.split(' ').nth(1).and_then(|cost| cost.parse::<i64>().ok()).unwrap_or(0);
            }
            is_callee = false;
        }
    }
    sum
}

/// aws-lc's functions bear its prefix; those of its assembly that do not are named after what they compute.
fn is_ours(name: &str) -> bool {
    const ASSEMBLY: [&str; 7] = ["25519", "ecp_nistz256", "jent_", "sha256_", "bn_", "beeu_", "CRYPTO_"];
    !name.starts_with("aws_lc") && !ASSEMBLY.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_own_costs_and_leaves_out_callees_and_aws_lc() {
        let profile = "fl=(1) a.rs\nfn=(1) keyward::decide\n10 5\n+2 7\ncfn=(2) aws_lc_0_1_verify\ncalls=1 40\n\
                       * 1000\nfn=(2)\n40 1000\nfn=(3) serde_json::read\n7 11\n\ntotals: 1023\n";
        assert_eq!(own_instructions(profile), 5 + 7 + 11);
    }
}
