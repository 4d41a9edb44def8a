//! `keyward token verify` over a stream of distinct tokens, against the library on one core.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use keyward_jose::{Algorithm, DecodeBuffer};

use crate::interleave::median;
use crate::row::Rows;
use crate::verify::Whole;
use crate::{Failure, sample};

/// Signing these takes longer than all of the measuring.
const TOKENS: u32 = 10_000;

/// How often the tokens go through the command in one run: a million tokens, of which so many differ.
const REPEATS: usize = 100;

const ROUNDS: usize = 3;

pub(crate) fn measure(rows: &mut Rows, keyward: &Path) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let keys = folder.path().join("keys.json");
    let signer = sample::signer(Algorithm::Rs256)?;
    fs::write(&keys, sample::jwk_set(&signer)?)?;
    let tokens =
        (0..TOKENS).map(|number| sample::token(&signer, number)).collect::<Result<Vec<_>, Failure>>()?;
    let whole = Whole::new(Algorithm::Rs256, Some(sample::jwk_set(&signer)))?;

    let mut ratios = Vec::new();
    let mut peak = 0;
    for _ in 0..ROUNDS {
        let library = library_rate(&whole, &tokens)?;
        let (command, octets) = command_rate(keyward, &keys, &tokens)?;
        ratios.push(command / library);
        peak = peak.max(octets);
    }
    rows.at_least("token-verify-to-library", median(ratios), 0.7, "  (a million tokens on stdin)");
    rows.at_most("token-verify-peak-mib", peak as f64 / (1024.0 * 1024.0), 32.0, "");
    Ok(())
}

fn library_rate(whole: &Whole, tokens: &[String]) -> Result<f64, Failure> {
    let mut buffer = DecodeBuffer::new();
    let started = Instant::now();
    if !tokens.iter().all(|token| whole.accepts(token, &mut buffer)) {
        return Err("a sample token is not accepted".into());
    }
    Ok(tokens.len() as f64 / started.elapsed().as_secs_f64())
}

/// Tokens a second, and the largest memory that the command was seen with.
fn command_rate(keyward: &Path, keys: &Path, tokens: &[String]) -> Result<(f64, u64), Failure> {
    let started = Instant::now();
    let mut command = Command::new(keyward)
        .args(["token", "verify", "--issuer", sample::ISSUER, "--audience", sample::AUDIENCE, "--jwks"])
        .arg(keys)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut stdin = command.stdin.take().ok_or("no stdin")?;
    let lines = tokens.join("\n") + "\n";
    let mut peak = 0;
    for _ in 0..REPEATS {
        stdin.write_all(lines.as_bytes())?;
        peak = peak.max(peak_memory(command.id())?);
    }
    drop(stdin);
    let status = command.wait()?;
    if !status.success() {
        return Err(format!("keyward token verify: {status}").into());
    }
    Ok(((tokens.len() * REPEATS) as f64 / started.elapsed().as_secs_f64(), peak))
}

fn peak_memory(process: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = kib.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<u64>()? * 1024)
}
