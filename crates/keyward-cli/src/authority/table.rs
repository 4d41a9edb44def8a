//! What was found, for a person as a table or line by line, and for a program as one JSON object a line.

use clap::Args;
use keyward::UnixTime;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};
use crate::time::format_rfc3339;

/// For whom it is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// A column: what it is called, and where it stands in an object (RFC 6901).
#[derive(Debug)]
pub(crate) struct Column(pub(super) &'static str, pub(super) &'static str);

/// Between two columns.
const GAP: usize = 2;

impl Form {
    /// A list.
    pub(super) fn list(self, columns: &[Column], items: &[Value]) -> Result<Exit, Failure> {
        let mut output = Output::stdout();
        if self.json {
            items.iter().try_for_each(|item| output.json(item))?;
        } else {
            let titles = columns.iter().map(|Column(title, _)| (*title).to_owned()).collect();
            let cells = |item: &Value| columns.iter().map(|column| column.cell(item)).collect();
            let rows: Vec<Vec<_>> = std::iter::once(titles).chain(items.iter().map(cells)).collect();
            lines(&rows).try_for_each(|line| output.line(line))?;
        }
        output.flush()?;
        Ok(Exit::Yes)
    }

    /// One entity, what it is called before everything else.
    pub(super) fn one(self, entity: &Value, name: &str) -> Result<Exit, Failure> {
        let mut output = Output::stdout();
        if self.json {
            output.json(entity)?;
        } else {
            let mut rows = Vec::new();
            flatten("", entity, &mut rows);
            rows.sort_by_key(|row| row.first().is_none_or(|member| member != name));
            lines(&rows).try_for_each(|line| output.line(line))?;
        }
        output.flush()?;
        Ok(Exit::Yes)
    }

    /// A line of a list that goes on; the columns are as wide as they are told.
    pub(super) fn line(
        self,
        output: &mut Output,
        columns: &[(Column, usize)],
        item: &Value,
    ) -> Result<(), Failure> {
        if self.json {
            return output.json(item);
        }
        let cells = columns.iter().map(|(column, width)| (column.cell(item), *width));
        output.line(joined(cells))
    }
}

impl Column {
    fn cell(&self, item: &Value) -> String {
        let Self(_, pointer) = self;
        let name = pointer.rsplit('/').next().unwrap_or_default();
        item.pointer(pointer).map_or_else(|| "-".to_owned(), |value| text(name, value))
    }
}

/// The members of an object, and those of what is in it.
fn flatten(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(&name, value, rows);
            }
        }
        _ => {
            let member = name.rsplit('.').next().unwrap_or_default();
            rows.push(vec![Printable(name).to_string(), text(member, value)]);
        }
    }
}

/// A value in a cell. Whoever named things may have put anything into the names.
fn text(name: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(|item| text_of(name, item)).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}={}", text_of(name, value)));
            members.collect::<Vec<_>>().join(" ")
        }
        Value::Number(number) => match number.as_i64() {
            Some(seconds) if is_time(name) => format_rfc3339(UnixTime(seconds)),
            Some(milliseconds) if name == "at_ms" => format_rfc3339(UnixTime(milliseconds.div_euclid(1000))),
            _ => number.to_string(),
        },
    };
    Printable(&text).to_string()
}

fn text_of(name: &str, value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => value.to_string(),
        _ => text(name, value),
    }
}

/// Times are called so in the API.
fn is_time(name: &str) -> bool {
    name.ends_with("_at") || name.ends_with("_since")
}

/// Rows whose cells stand below each other.
fn lines(rows: &[Vec<String>]) -> impl Iterator<Item = String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(move |row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    rows.iter().map(move |row| joined(row.iter().cloned().zip(widths.iter().copied())))
}

fn joined(cells: impl Iterator<Item = (String, usize)>) -> String {
    let mut line = String::new();
    for (cell, width) in cells {
        let filled = cell.chars().count();
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(filled) + GAP));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_stand_below_each_other_and_say_what_people_read() {
        let columns =
            [Column("kid", "/kid"), Column("enabled", "/enabled"), Column("expires", "/expires_at")];
        let items = [
            json!({ "kid": "a", "enabled": true, "expires_at": 1_795_233_600 }),
            json!({ "kid": "a\u{1b}[2Jb", "enabled": false }),
        ];
        let rows: Vec<Vec<String>> =
            items.iter().map(|item| columns.iter().map(|column| column.cell(item)).collect()).collect();
        assert_eq!(
            lines(&rows).collect::<Vec<_>>(),
            ["a            yes  2026-11-21T04:00:00Z", "a\\u001b[2Jb  no   -"]
        );
    }

    #[test]
    fn what_is_within_is_named_by_where_it_is() {
        let mut rows = Vec::new();
        flatten("", &json!({ "name": "main", "rotation": { "algorithms": ["ES256", "EdDSA"] } }), &mut rows);
        assert_eq!(rows, [["name", "main"], ["rotation.algorithms", "ES256 EdDSA"]]);
    }
}
