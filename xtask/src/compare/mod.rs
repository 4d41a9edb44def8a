//! The drills against other gateways, and the table of what each of them does.

mod attempt;
mod drill;
mod rival;
mod table;
mod verdict;

use std::io::{self, Write};
use std::process::{Command, Stdio};

use self::attempt::Attempt;
use self::drill::Drill;
use self::rival::{RIVALS, Rival};
use self::table::{Column, Table};
use self::verdict::{Outcome, Report, Verdict};
use crate::interop::{Installed, Workshop};
use crate::report::Row;
use crate::{Failure, Selection, command};

/// The page with the table.
const PAGE: &str = "docs/explanation/comparison.md";

/// Runs the drills that are named against each gateway, or all of them and writes the page; `true` where Keyward
/// passes and all could be measured. What the others do is what is measured, and no failure of ours.
pub(crate) fn run(selection: &Selection) -> Result<bool, Failure> {
    command::build_release(&["keyward-cli"])?;
    let keyward = command::release_binary("keyward");
    let mut drills = Drill::all(&keyward)?;
    drills.retain(|drill| selection.wants(&drill.name));
    if selection.list {
        return Selection::print_list(&drills.iter().map(|drill| drill.name.as_str()).collect::<Vec<_>>());
    }
    if drills.is_empty() {
        return Err(Failure("no drill is called that; --list shows what there is".to_owned()));
    }
    let installed = Installed::ensure_compared(&command::workspace().join(".interop"))?;
    let workshop = Workshop::open(installed, &keyward)?;
    let mut columns = vec![ours(&workshop, &drills)?];
    columns.extend(theirs(&workshop, &drills)?);
    let table = Table::new(columns);
    if selection.json {
        print_rows(&table)?
    } else {
        write!(io::stdout(), "{}", table.markdown())?
    }
    if selection.names.is_empty() {
        table.write(&command::workspace().join(PAGE))?;
    }
    Ok(is_well(&table))
}

/// Keyward's column, by the engine's own way to run it, which judges what it says of itself as well.
fn ours(workshop: &Workshop, drills: &[Drill]) -> Result<Column, Failure> {
    let version = command::output(Command::new(&workshop.keyward).arg("--version"))?;
    let title = version.trim().replacen("keyward", "Keyward", 1);
    let mut command = Command::new(&workshop.keyward);
    command.args(["drill", "run", "--json"]).args(drills.iter().map(|drill| &drill.name));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let report: Report = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure(format!("{command:?} has no report ({error}): {}", output.status)))?;
    if !report.drills.iter().map(|verdict| &verdict.name).eq(drills.iter().map(|drill| &drill.name)) {
        return Err(Failure("the report has other drills than those that were asked for".to_owned()));
    }
    Ok(Column { name: "keyward", title, verdicts: report.drills })
}

/// A column for each of the others. They run side by side in a drill that measures no time.
fn theirs(workshop: &Workshop, drills: &[Drill]) -> Result<Vec<Column>, Failure> {
    let mut columns = Vec::new();
    for rival in &RIVALS {
        let title = (rival.title)(&workshop.installed)?;
        columns.push(Column { name: rival.name, title, verdicts: Vec::new() });
    }
    for (number, drill) in drills.iter().enumerate() {
        writeln!(io::stderr(), "compare: {}/{} {}", number + 1, drills.len(), drill.name)?;
        for (column, verdict) in columns.iter_mut().zip(attempts(workshop, drill)?) {
            writeln!(io::stderr(), "compare:   {}: {}", column.name, verdict.lines().join("; "))?;
            column.verdicts.push(verdict);
        }
    }
    Ok(columns)
}

fn attempts(workshop: &Workshop, drill: &Drill) -> Result<Vec<Verdict>, Failure> {
    let start = |rival: &Rival| Attempt::start(workshop, rival, drill);
    if drill.wants_the_machine {
        return RIVALS.iter().map(|rival| start(rival)?.finish()).collect();
    }
    let running: Result<Vec<Attempt>, Failure> = RIVALS.iter().map(start).collect();
    running?.into_iter().map(Attempt::finish).collect()
}

/// A JSON object for each drill on each gateway.
fn print_rows(table: &Table) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for column in table.columns() {
        for verdict in &column.verdicts {
            let row = Row {
                name: format!("{}/{}", column.name, verdict.name),
                measured: verdict.lines().join("; "),
                target: "passed".to_owned(),
                passed: verdict.result == Outcome::Passed,
            };
            serde_json::to_writer(&mut out, &row)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn is_well(table: &Table) -> bool {
    let all = |column: &Column, is_well: fn(Outcome) -> bool| {
        column.verdicts.iter().all(|verdict| is_well(verdict.result))
    };
    table.columns().iter().all(|column| all(column, |outcome| outcome != Outcome::Broken))
        && table.columns().first().is_some_and(|ours| all(ours, |outcome| outcome == Outcome::Passed))
}
