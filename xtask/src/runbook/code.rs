//! The codes of findings, as their source lists them.

use std::fmt;

use crate::Failure;

/// A code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) number: u16,
    pub(super) title: String,
    who: Who,
}

/// Who can mend what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Client,
    Provider,
    Us,
}

/// The codes in `source`, whose lines are `1203 SomeKeysUnusable Provider "Some of …"`.
pub(super) fn parse(source: &str) -> Result<Vec<Code>, Failure> {
    let table = source.split_once("codes! {\n").and_then(|(_, rest)| rest.split_once("\n}"));
    let (table, _) = table.ok_or_else(|| Failure("the source has no codes! { … }".to_owned()))?;
    let line = |line: &str| {
        parse_line(line).ok_or_else(|| Failure(format!("this is no code of a finding: {}", line.trim())))
    };
    table.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
}

fn parse_line(line: &str) -> Option<Code> {
    let mut parts = line.trim().splitn(4, ' ');
    let number = parts.next()?.parse().ok()?;
    let _name = parts.next()?;
    let who = match parts.next()? {
        "Client" => Who::Client,
        "Provider" => Who::Provider,
        "Us" => Who::Us,
        _ => return None,
    };
    let title = parts.next()?.strip_prefix('"')?.strip_suffix('"')?.to_owned();
    Some(Code { number, title, who })
}

impl Code {
    pub(super) fn who(&self) -> &'static str {
        match self.who {
            Who::Client => "the clients",
            Who::Provider => "the provider",
            Who::Us => "us",
        }
    }

    pub(super) fn family(&self) -> &'static str {
        match self.number / 100 {
            11 => "The way to the keys",
            12 => "The published keys",
            13 => "The gateway's keys",
            21 => "Our own token, or our key",
            22 => "Our credential",
            23 => "Introspection",
            31 => "Clients' tokens",
            41 => "Our configuration",
            51 => "Certificates",
            61 => "Clocks",
            72 => "The authority",
            _ => "The gateway",
        }
    }

    /// What shows it best once the doctor has named it.
    pub(super) fn first_command(&self) -> &'static str {
        match self.number {
            1121 | 1201..=1299 | 5101..=5106 => "keyward keys check --issuer ISSUER",
            2101..=2299 => "keyward doctor --config keyward.toml --provider-log LOG",
            3101..=3199 => "keyward token inspect --config keyward.toml < TOKEN",
            7201..=7299 => "keyward doctor --authority http://127.0.0.1:9085",
            4107 | 4108 | 4110 | 5107 => "keyward config check keyward.toml",
            _ => "keyward doctor --config keyward.toml --since 5m",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KW{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_code_and_another_is_an_error() {
        let source = "x\ncodes! {\n    1203 SomeKeysUnusable Provider \"Some \\keys\"\n\n}\nimpl";
        let codes = parse(source).unwrap_or_default();
        let wanted = Code { number: 1203, title: "Some \\keys".to_owned(), who: Who::Provider };
        assert_eq!(codes, [wanted]);
        assert!(parse("codes! {\n    1203 SomeKeysUnusable Nobody \"Some\"\n}").is_err());
        assert!(parse("macro_rules! codes").is_err());
    }
}
