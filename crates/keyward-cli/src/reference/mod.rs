//! The pages of the reference that are made from the code. `cargo xtask generate` writes them.

mod authority;
mod causes;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use keyward::wire;
use keyward_drill::drill::Runs;
use keyward_drill::{authority::ALL as AUTHORITY_DRILLS, catalogue};
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
        let facts = [
            ("Incidents", first.incidents.join(", ")),
            ("Phases", first.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join("; ")),
            ("Variants", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            ("Runs", runs(first.runs).to_owned()),
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

fn metrics() -> String {
    let names = keyward_gateway::metric_names("keyward");
    let mut page = format!(
        "# Metrics\n\n{MADE}\n\n\
         `/metrics` on the admin listener, in the text format of OpenMetrics. `keyward` stands for \
         `gateway.metrics_namespace`. A counter's samples end in `_total`, a histogram's in `_bucket`, `_sum` and \
         `_count`.\n\n| name | kind | meaning |\n|---|---|---|\n"
    );
    let word = |line: &str, word: &str| Some(line.strip_prefix(word)?.to_owned());
    let helps = names.lines().filter_map(|line| word(line, "# HELP "));
    let types: Vec<_> = names.lines().filter_map(|line| word(line, "# TYPE ")).collect();
    for help in helps {
        let (name, meaning) = help.split_once(' ').unwrap_or((&help, ""));
        let kind = types.iter().filter_map(|line| line.split_once(' ')).find(|(of, _)| *of == name);
        let kind = kind.map_or("", |(_, kind)| kind);
        let _ = writeln!(page, "| `{name}` | {kind} | {} |", meaning.trim_end_matches('.'));
    }
    page
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
