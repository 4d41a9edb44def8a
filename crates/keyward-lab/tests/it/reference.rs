//! The reference page says what the lab understands.

use keyward_lab::client::{Cause, ClientCommand};
use keyward_lab::command::{Beside, Command, JwksUri};
use keyward_lab::exchange::Exchange;
use keyward_lab::fault::Fault;
use keyward_lab::plan::{LabPlan, WrapperPlan};
use keyward_lab::token::{Kid, Signature, TokenPlan};
use serde::de::DeserializeOwned;

const PAGE: &str = include_str!("../../../../docs/reference/lab.md");

/// What stands under a heading.
fn section(heading: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// The rows of a section's tables, cell by cell.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What is in backquotes in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    section.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_fault_of_the_page_is_one() {
    let faults: Vec<Fault> =
        rows(section("Faults")).iter().flat_map(|row| quoted(row[0])).map(read).collect();
    assert_eq!(faults.len(), 33);
}

#[test]
fn every_command_of_the_page_is_one() {
    let commands = section("Commands");
    let mut members = 0;
    for row in rows(commands).iter().filter(|row| row.len() == 3) {
        let member = quoted(row[0]).next().unwrap();
        for example in quoted(row[2]) {
            read::<Command>(&format!(r#"{{"{member}": {example}}}"#));
        }
        members += 1;
    }
    assert_eq!(members, 21);
    for json in blocks(commands, "json") {
        read::<Command>(json);
    }
    let (_, beside) = commands.split_once("What can stand").unwrap();
    let beside: Vec<Beside> = rows(beside).iter().flat_map(|row| quoted(row[0])).map(read).collect();
    assert_eq!(beside.len(), 9);
    let uris = rows(commands).into_iter().find(|row| row[0] == "`jwks_uri`").unwrap();
    let uris: Vec<JwksUri> = quoted(uris[2]).map(read).collect();
    assert_eq!(uris.len(), 6);
}

#[test]
fn every_change_of_a_client_of_the_page_is_one() {
    let (plans, changes) = section("Clients").split_once("changes them by name").unwrap();
    for row in rows(changes) {
        let member = quoted(row[0]).next().unwrap();
        for example in quoted(row[2]) {
            read::<ClientCommand>(&format!(r#"{{"{member}": {example}}}"#));
        }
    }
    assert_eq!((rows(plans).len(), rows(changes).len()), (8, 6));
    let (_, causes) = changes.split_once("What can be wrong:").unwrap();
    let causes: Vec<Cause> = quoted(causes).map(|cause| read(&format!("\"{cause}\""))).collect();
    assert_eq!(causes.len(), 15);
}

#[test]
fn plans_and_recordings_of_the_page_are_ones() {
    for plan in blocks(section("The plan"), "toml") {
        toml::from_str::<LabPlan>(plan).unwrap();
    }
    for plan in blocks(section("Clients"), "toml") {
        toml::from_str::<LabPlan>(plan).unwrap();
    }
    let (_, wrapper) = section("The plan").split_once("A wrapper has").unwrap();
    let members = rows(wrapper);
    for row in &members {
        for example in quoted(row[1]).filter(|text| text.starts_with('"')) {
            let member = quoted(row[0]).next().unwrap();
            read::<WrapperPlan>(&format!(r#"{{"{member}": {example}}}"#));
        }
    }
    assert_eq!(members.len(), 4);
    let tokens = section("Token plans");
    for plan in blocks(tokens, "json") {
        read::<TokenPlan>(plan);
    }
    let of = |name: &str| {
        let row = rows(tokens).into_iter().find(|row| row[0] == name).unwrap();
        quoted(row[1]).map(str::to_owned).collect::<Vec<_>>()
    };
    let kids: Vec<Kid> = of("`kid`").iter().map(|text| read(text)).collect();
    let signatures: Vec<Signature> = of("`signature`").iter().map(|text| read(text)).collect();
    assert_eq!((kids.len(), signatures.len()), (4, 3));
    for line in blocks(section("Recordings"), "json").iter().flat_map(|block| block.lines()) {
        read::<Exchange>(line);
    }
}
