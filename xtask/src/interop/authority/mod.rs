//! The authority, with the programs that would go to it: clients, and those who take its tokens.

mod client_cases;
mod conformance;
mod consumer_cases;
mod consumers;
mod document;
mod front;
mod libraries;
mod measured;
mod mod_oauth2;
mod nodes;
mod postgres;
mod realm;

use super::error::Error;
use super::install::progress;
use super::issuers::OidcProvider;
use super::workshop::Workshop;
use super::{Selection, could_not_run, did_not_start, push, run_cases};
use crate::report::Report;

use self::client_cases::{
    BEHIND, CLIENT_CASES, ClientBench, ClientCase, ClientKind, MUTUAL_TLS, ROTATION, Site,
};
pub(crate) use self::conformance::ADDRESS;
use self::consumer_cases::{CONSUMER_CASES, ConsumerBench, Source};
use self::consumers::{CONSUMERS, ConsumerKind};
use self::libraries::LIBRARIES;
pub(crate) use self::measured::Measured;
use self::nodes::Engine;
pub(crate) use self::postgres::Postgres;

const CONFORMANCE: &str = "authority/conformance-postgres";

const DOCUMENT: &str = "authority/schemathesis/document";

/// The rows of all of it.
pub(super) fn row_names() -> Vec<String> {
    let of_clients = LIBRARIES.iter().flat_map(|kind| {
        let on = |postgres: bool| cases(kind).map(move |case| client_row(kind, postgres, case.name));
        on(false).chain(on(true)).chain(apart(kind).map(|case| client_row(kind, false, case.name)))
    });
    let of_consumers =
        CONSUMERS.iter().flat_map(|kind| CONSUMER_CASES.iter().map(|case| consumer_row(kind, case.name)));
    of_clients.chain(of_consumers).chain([DOCUMENT, CONFORMANCE].map(str::to_owned)).collect()
}

fn cases(kind: &ClientKind) -> impl Iterator<Item = &'static ClientCase> {
    CLIENT_CASES.iter().filter(|case| kind.cases.contains(&case.name))
}

/// Those that need an authority by itself.
fn apart(kind: &ClientKind) -> impl Iterator<Item = &'static ClientCase> {
    [Some(&ROTATION), kind.is_certified.then_some(&MUTUAL_TLS)].into_iter().flatten()
}

fn client_row(kind: &ClientKind, postgres: bool, case: &str) -> String {
    format!("authority/{}{}/{case}", kind.name, if postgres { "-postgres" } else { "" })
}

fn consumer_row(kind: &ConsumerKind, case: &str) -> String {
    format!("authority/{}/{case}", kind.name)
}

/// Runs what is wanted.
pub(super) fn run(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    if !row_names().iter().any(|row| selection.holds(row)) {
        return Ok(());
    }
    progress("PostgreSQL, and an issuer whose tokens are exchanged");
    let postgres = Postgres::start().map_err(|error| did_not_start("PostgreSQL", &error));
    let signer = OidcProvider::start(workshop).map_err(|error| did_not_start("oidc-provider", &error));
    let engine = || postgres.as_ref().map(Engine::Postgres).map_err(String::clone);
    let site = |name: &str, engine: Engine<'_>, behind: Option<i64>| {
        let signer = signer.as_ref().map_err(String::clone)?;
        // An authority in another time takes no token of an issuer in ours.
        let signer = behind.is_none().then_some(signer);
        Site::start(workshop, name, engine, signer, behind)
            .map_err(|error| did_not_start("the authority", &error))
    };
    run_clients(selection, report, false, || site("authority-sqlite", Engine::Sqlite, None))?;
    run_clients(selection, report, true, || site("authority-postgres", engine()?, None))?;
    run_apart(selection, report, &ROTATION, || site("authority-rotated", engine()?, Some(BEHIND)))?;
    run_apart(selection, report, &MUTUAL_TLS, || {
        Site::start_tls(workshop, "authority-tls").map_err(|error| did_not_start("the authority", &error))
    })?;
    run_consumers(workshop, selection, report, engine)?;
    if selection.holds(DOCUMENT) {
        progress("schemathesis");
        let outcome = document::schemathesis(workshop).map_err(|error| could_not_run(DOCUMENT, &error, ""));
        push(report, DOCUMENT.to_owned(), "answers as documented, no 5xx", outcome)?;
    }
    if selection.holds(CONFORMANCE) {
        let outcome = postgres.as_ref().map_err(String::clone).and_then(|postgres| {
            conformance::on_postgres(postgres)
                .map_err(|error| could_not_run(CONFORMANCE, &error, &postgres.log_tail()))
        });
        push(report, CONFORMANCE.to_owned(), "all tests pass", outcome)?;
    }
    Ok(())
}

fn run_clients<'a>(
    selection: &Selection<'_>,
    report: &mut Report,
    postgres: bool,
    start: impl FnOnce() -> Result<Site<'a>, String>,
) -> Result<(), Error> {
    let rows = |kind: &'static ClientKind| {
        let rows = cases(kind).map(|case| (client_row(kind, postgres, case.name), case));
        rows.filter(|(name, _)| selection.holds(name)).collect::<Vec<_>>()
    };
    if LIBRARIES.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress(if postgres { "an authority of two nodes on PostgreSQL" } else { "an authority on SQLite" });
    run_libraries(report, &start(), rows)
}

/// The one case that needs an authority by itself.
fn run_apart<'a>(
    selection: &Selection<'_>,
    report: &mut Report,
    case: &'static ClientCase,
    start: impl FnOnce() -> Result<Site<'a>, String>,
) -> Result<(), Error> {
    let rows = |kind: &'static ClientKind| {
        let rows = apart(kind).filter(|other| other.name == case.name);
        let rows = rows.map(|case| (client_row(kind, false, case.name), case));
        rows.filter(|(name, _)| selection.holds(name)).collect::<Vec<_>>()
    };
    if LIBRARIES.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress(&format!("an authority for {}", case.name));
    run_libraries(report, &start(), rows)
}

fn run_libraries(
    report: &mut Report,
    site: &Result<Site<'_>, String>,
    rows: impl Fn(&'static ClientKind) -> Vec<(String, &'static ClientCase)>,
) -> Result<(), Error> {
    for kind in &LIBRARIES {
        let bench = site.as_ref().map(|site| ClientBench { kind, site });
        run_cases(report, bench.as_ref().map_err(|why| *why), rows(kind))?;
    }
    Ok(())
}

fn run_consumers<'a>(
    workshop: &Workshop,
    selection: &Selection<'_>,
    report: &mut Report,
    engine: impl FnOnce() -> Result<Engine<'a>, String>,
) -> Result<(), Error> {
    let rows = |kind: &ConsumerKind| selection.rows(&CONSUMER_CASES, |case| consumer_row(kind, case));
    if CONSUMERS.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress("an authority of two nodes for those who take its tokens");
    let source = engine().and_then(|engine| {
        Source::start(workshop, "authority-consumed", engine, BEHIND)
            .map_err(|error| did_not_start("the authority", &error))
    });
    for kind in &CONSUMERS {
        let rows = rows(kind);
        if rows.is_empty() {
            continue;
        }
        progress(kind.name);
        let bench = source.as_ref().map_err(String::clone).and_then(|source| {
            ConsumerBench::start(source, kind).map_err(|error| did_not_start(kind.name, &error))
        });
        run_cases(report, bench.as_ref(), rows)?;
    }
    Ok(())
}
