//! Real identity providers and real proxies, installed, started and put through Keyward.
//!
//! A row is a pair: an issuer, a provider that is asked by introspection, or a proxy; and a case that each of them
//! goes through. Beside them there are the certificates around an issuer's keys, tokens that are bound to a key or to a
//! certificate, our alerts in a Prometheus, and our traces in a receiver.

mod authority;
mod case;
mod certificates;
mod credential_cases;
mod dpop_cases;
mod error;
mod gateway;
mod install;
mod introspection_cases;
mod issuer_cases;
mod issuers;
mod mutual_tls;
mod outcome;
mod process;
mod prometheus;
mod proxies;
mod proxy_cases;
mod rotation;
mod shared_proofs_cases;
mod token;
mod traces;
mod upstream;
mod workshop;
mod wrapper_cases;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::report::{Report, Row};

pub(crate) use self::authority::{ADDRESS as TEST_POSTGRES, Measured, Postgres};
use self::case::{Bench, Case};
use self::dpop_cases::{DPOP_CASES, DpopBackdrop, DpopBench};
pub(crate) use self::error::Error;
pub(crate) use self::install::Installed;
use self::install::progress;
use self::introspection_cases::{INTROSPECTED, IntrospectedKind, IntrospectionBench, IntrospectionCase};
use self::issuer_cases::{ISSUER_CASES, IssuerBench};
use self::issuers::{ISSUERS, IssuerKind, Way};
use self::mutual_tls::{FRONTS, FrontKind, MUTUAL_TLS_CASES, MutualTlsBackdrop, MutualTlsBench};
use self::outcome::Outcome;
pub(crate) use self::process::{Daemon, ending_with_us};
use self::prometheus::{ALERT_CASES, FILE_CASES, PrometheusBench};
use self::proxies::{PROXIES, ProxyKind};
use self::proxy_cases::{Backdrop, PROXY_CASES, ProxyBench};
use self::shared_proofs_cases::{SHARED_PROOFS_CASES, SharedProofsBench};
use self::traces::{TRACES_CASES, TracesBench};
pub(crate) use self::workshop::{Workshop, write_template};
use self::wrapper_cases::{WRAPPER_CASES, WrapperBench};

/// `cargo xtask interop`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Run only rows whose name contains one of these, such as `nginx` or `rotation`.
    names: Vec<String>,
    /// Print the names of the rows and run nothing.
    #[arg(long)]
    list: bool,
    /// Print a JSON object a line in place of the table.
    #[arg(long)]
    json: bool,
    /// The binary under test, in place of the release build.
    #[arg(long, value_name = "FILE")]
    keyward: Option<PathBuf>,
}

/// Runs what is named, everything where nothing is; `true` where every row passed.
///
/// `keyward` is the binary under test; `folder` is where npm and PyPI packages are kept between runs. Call
/// it from the main thread: servers end with the thread that started them.
pub(crate) fn run(options: &Options, keyward: &Path, folder: &Path) -> Result<bool, Error> {
    if options.list {
        return list().map(|()| true).map_err(Error::io("write the list"));
    }
    let selection = Selection::new(&options.names)?;
    let workshop = Workshop::open(Installed::ensure(folder)?, keyward)?;
    let mut report = Report::new(options.json);
    for kind in &ISSUERS {
        run_issuer(&workshop, kind, &selection, &mut report)?;
    }
    for kind in &INTROSPECTED {
        run_introspected(&workshop, kind, &selection, &mut report)?;
    }
    run_proxies(&workshop, &selection, &mut report)?;
    run_wrappers(&workshop, &selection, &mut report)?;
    run_dpop(&workshop, &selection, &mut report)?;
    run_shared_proofs(&workshop, &selection, &mut report)?;
    run_mutual_tls(&workshop, &selection, &mut report)?;
    run_prometheus(&workshop, &selection, &mut report)?;
    run_traces(&workshop, &selection, &mut report)?;
    authority::run(&workshop, &selection, &mut report)?;
    report.finish().map_err(Error::io("write the report"))
}

impl Options {
    /// Whether the release build is needed: not where only names are asked for, nor where a binary is named.
    pub(crate) fn wants_release(&self) -> bool {
        !self.list && self.keyward.is_none()
    }

    /// The binary under test.
    pub(crate) fn keyward(&self) -> Option<&Path> {
        self.keyward.as_deref()
    }
}

/// Which rows to run.
#[derive(Debug)]
struct Selection<'a> {
    names: &'a [String],
}

impl<'a> Selection<'a> {
    fn new(names: &'a [String]) -> Result<Self, Error> {
        let rows = row_names();
        match names.iter().find(|name| !rows.iter().any(|row| row.contains(name.as_str()))) {
            Some(name) => Err(Error::NothingNamed { name: name.clone() }),
            None => Ok(Self { names }),
        }
    }

    /// Those of the cases that are wanted, by the names of their rows.
    fn rows<B: Bench>(
        &self,
        cases: &'static [Case<B>],
        row: impl Fn(&str) -> String,
    ) -> Vec<(String, &'static Case<B>)> {
        let rows = cases.iter().map(|case| (row(case.name), case));
        rows.filter(|(name, _)| self.holds(name)).collect()
    }

    fn holds(&self, row: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| row.contains(name.as_str()))
    }
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    row_names().iter().try_for_each(|name| writeln!(out, "{name}"))
}

fn row_names() -> Vec<String> {
    let issuers = ISSUERS.iter().flat_map(|kind| ISSUER_CASES.iter().map(|case| issuer_row(kind, case.name)));
    let introspected = INTROSPECTED.iter().flat_map(|kind| {
        let rows = |(way, cases): &'static (Way, &'static [IntrospectionCase])| {
            cases.iter().map(|case| introspection_row(kind, *way, case.name))
        };
        kind.ways.iter().flat_map(rows)
    });
    let proxies = PROXIES.iter().flat_map(|kind| PROXY_CASES.iter().map(|case| proxy_row(kind, case.name)));
    let wrappers = WRAPPER_CASES.iter().map(|case| wrapper_row(case.name));
    let dpop = PROXIES.iter().flat_map(|kind| DPOP_CASES.iter().map(|case| dpop_row(kind, case.name)));
    let shared_proofs = SHARED_PROOFS_CASES.iter().map(|case| shared_proofs_row(case.name));
    let dpop = dpop.chain(shared_proofs);
    let mutual_tls =
        FRONTS.iter().flat_map(|kind| MUTUAL_TLS_CASES.iter().map(|case| mutual_tls_row(kind, case.name)));
    let prometheus = FILE_CASES.iter().chain(&ALERT_CASES).map(|case| prometheus_row(case.name));
    let proxied = proxies.chain(wrappers).chain(dpop).chain(mutual_tls);
    let traces = TRACES_CASES.iter().map(|case| traces_row(case.name));
    let authority = authority::row_names();
    issuers.chain(introspected).chain(proxied).chain(prometheus).chain(traces).chain(authority).collect()
}

fn issuer_row(kind: &IssuerKind, case: &str) -> String {
    format!("issuer/{}/{case}", kind.name)
}

/// Names the way in which the gateway says who it is, but for the first.
fn introspection_row(kind: &IntrospectedKind, way: Way, case: &str) -> String {
    let name = kind.name;
    match kind.ways.first() {
        Some((first, _)) if *first == way => format!("introspection/{name}/{case}"),
        _ => format!("introspection/{name}-{}/{case}", way.label()),
    }
}

fn proxy_row(kind: &ProxyKind, case: &str) -> String {
    format!("proxy/{}/{case}", kind.name)
}

fn wrapper_row(case: &str) -> String {
    format!("wrapper/oidc-provider/{case}")
}

fn dpop_row(kind: &ProxyKind, case: &str) -> String {
    format!("dpop/{}/{case}", kind.name)
}

fn shared_proofs_row(case: &str) -> String {
    format!("dpop/redis/{case}")
}

fn mutual_tls_row(kind: &FrontKind, case: &str) -> String {
    format!("mutual-tls/{}/{case}", kind.name)
}

fn prometheus_row(case: &str) -> String {
    format!("prometheus/{case}")
}

fn traces_row(case: &str) -> String {
    format!("traces/{case}")
}

fn run_issuer(
    workshop: &Workshop,
    kind: &IssuerKind,
    selection: &Selection<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let rows = selection.rows(&ISSUER_CASES, |case| issuer_row(kind, case));
    if rows.is_empty() {
        return Ok(());
    }
    progress(kind.name);
    let issuer = (kind.start)(workshop);
    let bench = issuer.as_ref().map_err(|error| did_not_start(kind.name, error)).and_then(|issuer| {
        IssuerBench::start(workshop, kind.name, issuer.as_ref())
            .map_err(|error| did_not_start("a gateway", &error))
    });
    run_cases(report, bench.as_ref(), rows)?;
    Ok(())
}

fn run_introspected(
    workshop: &Workshop,
    kind: &IntrospectedKind,
    selection: &Selection<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let rows = |way: Way, cases: &'static [IntrospectionCase]| {
        selection.rows(cases, |case| introspection_row(kind, way, case))
    };
    if kind.ways.iter().all(|(way, cases)| rows(*way, cases).is_empty()) {
        return Ok(());
    }
    progress(&format!("{}, to be asked", kind.name));
    let provider = (kind.start)(workshop).map_err(|error| did_not_start(kind.name, &error));
    for (way, cases) in kind.ways {
        let rows = rows(*way, cases);
        if rows.is_empty() {
            continue;
        }
        let bench = provider.as_ref().map_err(String::clone).and_then(|provider| {
            IntrospectionBench::start(workshop, kind.name, provider.as_ref(), *way)
                .map_err(|error| did_not_start("a gateway", &error))
        });
        run_cases(report, bench.as_ref(), rows)?;
    }
    Ok(())
}

fn run_proxies(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let rows = |kind: &ProxyKind| selection.rows(&PROXY_CASES, |case| proxy_row(kind, case));
    if PROXIES.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress("an issuer, a gateway and an upstream for the proxies");
    let backdrop =
        Backdrop::start(workshop).map_err(|error| did_not_start("what is behind the proxies", &error));
    for kind in &PROXIES {
        let rows = rows(kind);
        if rows.is_empty() {
            continue;
        }
        progress(kind.name);
        let bench = backdrop.as_ref().map_err(String::clone).and_then(|backdrop| {
            ProxyBench::start(workshop, kind, backdrop).map_err(|error| did_not_start(kind.name, &error))
        });
        run_cases(report, bench.as_ref(), rows)?;
    }
    Ok(())
}

fn run_wrappers(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let rows = selection.rows(&WRAPPER_CASES, wrapper_row);
    if rows.is_empty() {
        return Ok(());
    }
    progress("oidc-provider, with certificates around its keys");
    let bench = WrapperBench::start(workshop).map_err(|error| did_not_start("oidc-provider", &error));
    run_cases(report, bench.as_ref(), rows)?;
    Ok(())
}

fn run_dpop(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let rows = |kind: &ProxyKind| selection.rows(&DPOP_CASES, |case| dpop_row(kind, case));
    if PROXIES.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress("an issuer and an upstream for openid-client");
    let backdrop =
        DpopBackdrop::start(workshop).map_err(|error| did_not_start("what openid-client goes to", &error));
    for kind in &PROXIES {
        let rows = rows(kind);
        if rows.is_empty() {
            continue;
        }
        progress(&format!("{}, for openid-client", kind.name));
        let bench = backdrop.as_ref().map_err(String::clone).and_then(|backdrop| {
            DpopBench::start(workshop, kind, backdrop).map_err(|error| did_not_start(kind.name, &error))
        });
        run_cases(report, bench.as_ref(), rows)?;
    }
    Ok(())
}

fn run_shared_proofs(
    workshop: &Workshop,
    selection: &Selection<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let rows = selection.rows(&SHARED_PROOFS_CASES, shared_proofs_row);
    if rows.is_empty() {
        return Ok(());
    }
    progress("Redis, and two gateways that share it");
    let bench = SharedProofsBench::start(workshop).map_err(|error| did_not_start("Redis", &error));
    run_cases(report, bench.as_ref(), rows)?;
    Ok(())
}

fn run_mutual_tls(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let rows = |kind: &FrontKind| selection.rows(&MUTUAL_TLS_CASES, |case| mutual_tls_row(kind, case));
    if FRONTS.iter().all(|kind| rows(kind).is_empty()) {
        return Ok(());
    }
    progress("an issuer, an upstream and certificates");
    let backdrop = MutualTlsBackdrop::start(workshop)
        .map_err(|error| did_not_start("what clients with certificates go to", &error));
    for kind in &FRONTS {
        let rows = rows(kind);
        if rows.is_empty() {
            continue;
        }
        progress(&format!("{}, asking for certificates", kind.name));
        let bench = backdrop.as_ref().map_err(String::clone).and_then(|backdrop| {
            MutualTlsBench::start(workshop, kind, backdrop).map_err(|error| did_not_start(kind.name, &error))
        });
        run_cases(report, bench.as_ref(), rows)?;
    }
    Ok(())
}

fn run_prometheus(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let mut rows = selection.rows(&FILE_CASES, prometheus_row);
    rows.extend(selection.rows(&ALERT_CASES, prometheus_row));
    if rows.is_empty() {
        return Ok(());
    }
    progress("Prometheus and Alertmanager, with gateways on which faults run");
    let bench = PrometheusBench::start(workshop).map_err(|error| did_not_start("Prometheus", &error));
    run_cases(report, bench.as_ref(), rows)?;
    Ok(())
}

fn run_traces(workshop: &Workshop, selection: &Selection<'_>, report: &mut Report) -> Result<(), Error> {
    let rows = selection.rows(&TRACES_CASES, traces_row);
    if rows.is_empty() {
        return Ok(());
    }
    progress("an issuer, two gateways, and rotel for their traces");
    let bench = TracesBench::start(workshop).map_err(|error| did_not_start("rotel", &error));
    run_cases(report, bench.as_ref(), rows)?;
    Ok(())
}

/// A row for each case, whether its bench could be started or not.
fn run_cases<B: Bench>(
    report: &mut Report,
    bench: Result<&B::On<'_>, &String>,
    rows: Vec<(String, &Case<B>)>,
) -> Result<(), Error> {
    for (name, case) in rows {
        let outcome = bench.map_err(String::clone).and_then(|bench| {
            (case.run)(bench).map_err(|error| could_not_run(&name, &error, &bench.log_tail()))
        });
        push(report, name, case.target, outcome)?;
    }
    Ok(())
}

/// Says on standard error why, all of it; what it returns goes into every row that needed the server.
fn did_not_start(name: &str, error: &Error) -> String {
    progress(&format!("{name} did not start: {error}"));
    format!("{name} did not start")
}

/// Says on standard error why, with the servers' logs; what it returns goes into the row.
fn could_not_run(row: &str, error: &Error, log: &str) -> String {
    progress(&format!("{row}: {error}\n{log}"));
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// What could not be found out has failed.
fn push(
    report: &mut Report,
    name: String,
    target: &str,
    outcome: Result<Outcome, String>,
) -> Result<(), Error> {
    let outcome = outcome.unwrap_or_else(|measured| Outcome { measured, passed: false });
    let row = Row { name, measured: outcome.measured, target: target.to_owned(), passed: outcome.passed };
    report.push(row).map_err(Error::io("write the report"))
}
