//! The pages of the reference that are made from the code. `cargo xtask generate` writes them.

mod authority;
mod causes;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use keyward::fetch::FetchError;
use keyward::wire;
use keyward_drill::drill::Runs;
use keyward_drill::{authority::ALL as AUTHORITY_DRILLS, catalogue};
use keyward_gateway::{Label, METRICS, Values};
use keyward_verify::{Reason, Verdict};

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ReferenceArgs {
    /// The page
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    AuthorityApi,
    AuthorityCauses,
    AuthorityConfiguration,
    AuthorityMetrics,
    Commands,
    Configuration,
    Drills,
    Events,
    Metrics,
    Reasons,
}

/// Under each page's title.
const MADE: &str = "<!-- Made from the code by `cargo xtask generate`. -->";

pub(crate) fn run(args: &ReferenceArgs) -> Result<Exit, Failure> {
    let page = match args.page {
        Page::AuthorityApi => authority::api(),
        Page::AuthorityCauses => authority::causes(),
        Page::AuthorityConfiguration => authority::configuration(),
        Page::AuthorityMetrics => authority::metrics(),
        Page::Commands => commands(),
        Page::Configuration => configuration(),
        Page::Drills => drills()?,
        Page::Events => events(),
        Page::Metrics => metrics(),
        Page::Reasons => reasons(),
    };
    let mut output = Output::stdout();
    output.octets(page.as_bytes())?;
    output.flush()?;
    Ok(Exit::Yes)
}

fn commands() -> String {
    let mut page = format!("# Commands\n\n{MADE}\n");
    // Wrapped at a width of its own, whatever the terminal has.
    let mut command = crate::cli::command().term_width(100);
    command.build();
    add_command(&mut page, command);
    page
}

fn add_command(page: &mut String, mut command: clap::Command) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    let shown = |inner: &&clap::Command| !inner.is_hide_set() && inner.get_name() != "help";
    for inner in command.get_subcommands().filter(shown) {
        add_command(page, inner.clone().term_width(100));
    }
}

fn configuration() -> String {
    format!(
        "# Configuration\n\n{MADE}\n\n\
         `keyward config default` prints this file, `keyward config check FILE` says what is wrong with another, \
         and where.\n\n```toml\n{}```\n",
        keyward_gateway::config::DEFAULT_FILE
    )
}

fn drills() -> Result<String, Failure> {
    let mut page = format!(
        "# Drills\n\n{MADE}\n\n\
         The drills that come along. `keyward drill show NAME` prints the file of one. [Drill files](drill-files.md) \
         says how\nthey are written, [Run the drills](../how-to/run-the-drills.md) how they are run.\n"
    );
    for (file, drills) in catalogue::files()? {
        let Some(first) = drills.first() else {
            continue;
        };
        let _ = write!(page, "\n## {file}\n\n**{}.** {}\n", first.title, first.about);
        let names: Vec<_> =
            drills.iter().filter_map(|drill| drill.name.strip_prefix(file)?.strip_prefix('-')).collect();
        let phases = || drills.iter().flat_map(|drill| &drill.phases);
        let findings: BTreeSet<_> = phases().flat_map(|phase| phase.doctor.codes()).collect();
        let findings = findings.iter().map(|code| format!("[{code}](../how-to/runbook/{code}.md)"));
        let alerts: BTreeSet<_> = phases().flat_map(|phase| &phase.alerts).map(String::as_str).collect();
        let facts = [
            ("Incidents", first.incidents.join(", ")),
            ("Phases", first.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join("; ")),
            ("Variants", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            ("Runs", runs(first.runs).to_owned()),
            ("The doctor names first", findings.collect::<Vec<_>>().join(", ")),
            ("Alerts", alerts.into_iter().collect::<Vec<_>>().join(", ")),
        ];
        let facts = facts.iter().filter(|(_, text)| !text.is_empty());
        let _ =
            write!(page, "\n{}", facts.map(|(name, text)| format!("- {name}: {text}\n")).collect::<String>());
    }
    for drill in AUTHORITY_DRILLS {
        let _ = write!(page, "\n## {}\n\n**{}.** {}\n", drill.name, drill.title, drill.about);
        let nodes =
            if drill.wants_two_nodes { "two, on PostgreSQL" } else { "one on SQLite, or two on PostgreSQL" };
        let (incidents, phases) = (drill.incidents.join(", "), drill.phases.join("; "));
        let _ = write!(
            page,
            "\n- Incidents: {incidents}\n- Phases: {phases}\n- Nodes of the authority: {nodes}\n"
        );
    }
    Ok(page)
}

fn runs(runs: Runs) -> &'static str {
    match runs {
        Runs::Both => "",
        Runs::Sockets => "over sockets only",
        Runs::VirtualTime => "in virtual time only",
    }
}

fn events() -> String {
    format!(
        "# Events of the log\n\n{MADE}\n\n\
         One JSON object a line on stderr; `log.format = \"text\"` for a person. Each has `timestamp`, `level`, `message`, \
         which is for\npeople and may change, and `event`, which is what to search by. A field is left out where it does \
         not apply. No line holds\na token, or a claim of one that was not verified.\n\n\
         - `left_out`: a flood says the same thing ten thousand times, so of these lines at most 20 a second are \
         written for each\n  reason and cause (of `accept_failed`, one a second); this is how many were not since the last \
         one.\n  `keyward_log_lines_left_out_total` counts them by event. All others come about as often as keys are \
         fetched, which is\n  bounded for each issuer, or as an operator acts.\n\
         - `kid` is there where a configured issuer publishes a key of that name.\n\
         - `route` is the route's number in the configuration, from 1; it is missing where none matched.\n\
         - `reason` is a [reason](reasons/README.md).\n\
         - `cause` of a fallback and of `introspection_failed` is a label of [When introspection\n  \
         fails](../explanation/when-introspection-fails.md), or a reason of the keys; that of `jwks_refresh_failed` is one \
         of\n  {}.\n\
         - `issuer` is our name for it. What ends in `_s` is in seconds, in `_ms` in milliseconds.\n\n{}",
        refresh_causes(),
        keyward_gateway::event_table()
    )
}

/// Why a fetch of keys fails.
fn refresh_causes() -> String {
    let mut causes = FetchError::LABELS.to_vec();
    causes.push("no_usable_key");
    causes.sort_unstable();
    causes.iter().map(|cause| format!("`{cause}`")).collect::<Vec<_>>().join(", ")
}

fn metrics() -> String {
    let mut page = format!(
        "# Metrics\n\n{MADE}\n\n\
         `/metrics` on the admin listener, in the text format of OpenMetrics. `keyward` stands for \
         `gateway.metrics_namespace`. A counter's samples end in `_total`, a histogram's in `_bucket`, `_sum` and \
         `_count`.\n\n| name | kind | in | labels | meaning |\n|---|---|---|---|---|\n"
    );
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
        let (name, kind, unit) =
            (metric.full_name("keyward"), metric.kind.label(), metric.unit.unwrap_or(""));
        let _ = writeln!(page, "| `{name}` | {kind} | {unit} | {} | {} |", labels.join(", "), metric.help);
    }
    page.push_str(
        "\n## Labels\n\nNo label holds what a stranger sent. How many values one can have is bounded by us, or by what \
         is configured and published.\n\n| label | of | values | at most |\n|---|---|---|---|\n",
    );
    for (label, values, at_most) in labels() {
        let of = METRICS.iter().filter(|metric| {
            metric.labels.iter().any(|other| other.name == label && values_of(other).0 == values)
        });
        let of: Vec<_> = of.map(|metric| format!("`{}`", metric.full_name("keyward"))).collect();
        let of = if of.len() > 4 { format!("{} of the above", of.len()) } else { of.join(", ") };
        let _ = writeln!(page, "| `{label}` | {of} | {values} | {at_most} |");
    }
    page
}

/// Each label once, with its values and how many those can be, by name.
fn labels() -> BTreeSet<(&'static str, String, String)> {
    let labels = METRICS.iter().flat_map(|metric| metric.labels);
    let rows = labels.map(|label| {
        let (values, at_most) = values_of(label);
        (label.name, values, at_most)
    });
    rows.collect()
}

fn values_of(label: &Label) -> (String, String) {
    match label.values {
        Values::OneOf(values) => {
            let words: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            (words.join(", "), values.len().to_string())
        }
        Values::From { what, at_most } => (what.to_owned(), at_most.to_owned()),
    }
}

fn reasons() -> String {
    let mut page = format!(
        "# Reasons\n\n{MADE}\n\n\
         Why a token was not accepted. The label is the same in metrics, logs, answers and command-line output; \
         it\ncomes from `Reason` in `crates/keyward-verify/src/reason.rs`, and each has a page here.\n\n\
         An answer with a reason has `Cache-Control: no-store`, the headers that its page names, and this body:\n\n\
         ```json\n{}\n```\n\n\
         The gateway adds `X-Keyward-Reason` with the label, and `X-Correlation-Id`. `description` is fixed text:\n\
         nothing of the token is in it.\n\n\
         | label | kind | HTTP status | meaning |\n|---|---|---|---|\n",
        wire::body(Reason::Expired, Some("…"))
    );
    let mut reasons = Reason::ALL.to_vec();
    reasons.sort_by_key(|reason| reason.label());
    for reason in reasons {
        let (label, kind) = (reason.label(), Verdict::from(reason).label());
        let status = wire::status(reason).as_u16();
        let meaning = reason.documentation().split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| [`{label}`]({label}.md) | {kind} | {status} | {meaning} |");
    }
    page
}
