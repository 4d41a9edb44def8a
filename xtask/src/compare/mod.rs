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
    command::build_release()?;
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

/// How many drills that measure no time run side by side on each of the others.
const SIDE_BY_SIDE: usize = 4;

/// A column for each of the others.
fn theirs(workshop: &Workshop, drills: &[Drill]) -> Result<Vec<Column>, Failure> {
    let mut columns = Vec::new();
    for rival in &RIVALS {
        let title = (rival.title)(&workshop.installed)?;
        columns.push(Column { name: rival.name, title, verdicts: Vec::new() });
    }
    let mut done = 0;
    for drills in drills.chunk_by(|one, next| !one.wants_the_machine && !next.wants_the_machine) {
        for drills in drills.chunks(SIDE_BY_SIDE) {
            for (drill, verdicts) in drills.iter().zip(attempts(workshop, drills)?) {
                done += 1;
                writeln!(io::stderr(), "compare: {done} {}", drill.name)?;
                for (column, verdict) in columns.iter_mut().zip(verdicts) {
                    writeln!(io::stderr(), "compare:   {}: {}", column.name, verdict.lines().join("; "))?;
                    column.verdicts.push(verdict);
                }
            }
        }
    }
    Ok(columns)
}

/// For each drill, what came of it on each of the others: side by side, or one after the other where the machine's time
/// is measured.
fn attempts(workshop: &Workshop, drills: &[Drill]) -> Result<Vec<Vec<Verdict>>, Failure> {
    let start = |rival: &Rival, drill: &Drill| Attempt::start(workshop, rival, drill);
    let alone = |drill: &Drill| RIVALS.iter().map(|rival| start(rival, drill)?.finish()).collect();
    if drills.iter().any(|drill| drill.wants_the_machine) {
        return drills.iter().map(alone).collect();
    }
    let all = |drill: &Drill| RIVALS.iter().map(|rival| start(rival, drill)).collect();
    let running: Vec<Vec<Attempt>> = drills.iter().map(all).collect::<Result<_, Failure>>()?;
    let finish = |attempts: Vec<Attempt>| attempts.into_iter().map(Attempt::finish).collect();
    running.into_iter().map(finish).collect()
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
