//! `keyward authority events`: who did what in a realm, and when.

use std::time::Duration;

use clap::Args;
use http::StatusCode;
use serde_json::Value;

use super::api::{Api, ApiError, Page};
use super::kind::RealmOf;
use super::table::{Column, Form};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority events --realm main --server https://auth.example --key-file administrator.json
  keyward authority events --realm main --after 1204 --json ...
  keyward authority events --realm main --after 1204 --follow ...

A line an event: its place in the log, when, who, what was done, and to whom. With --json it says how that one is since then as
well, without secrets. --follow goes on with what is done from then on, until Ctrl-C.")]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    of: RealmOf,
    /// Begin behind this place in the log
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// Go on with what is done from then on
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    form: Form,
}

/// How long it rests at the end of the log.
const REST: Duration = Duration::from_secs(1);

const COLUMNS: &[(Column, usize)] = &[
    (Column("position", "/position"), 8),
    (Column("when", "/at_ms"), 20),
    (Column("who", "/actor"), 30),
    (Column("what", "/action"), 30),
    (Column("whom", "/id"), 0),
];

pub(crate) fn run(args: &EventsArgs) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        let mut api = Api::open(&args.of.api).await?;
        let mut after = args.after.map(|position| position.to_string());
        loop {
            let page = page(args, &mut api, after.as_deref()).await?;
            let mut output = Output::stdout();
            page.items.iter().try_for_each(|event| args.form.line(&mut output, COLUMNS, event))?;
            output.flush()?;
            let last = page.items.last().and_then(|event| event.get("position")).map(Value::to_string);
            after = last.or(after);
            if page.next.is_none() {
                if !args.follow {
                    return Ok(Exit::Yes);
                }
                tokio::time::sleep(REST).await;
            }
        }
    })
}

/// A token is good for some minutes, and who follows stays for longer.
async fn page(args: &EventsArgs, api: &mut Api, after: Option<&str>) -> Result<Page, Failure> {
    let path = args.of.all("events");
    match api.page(&path, after).await {
        Err(Failure::Api(ApiError::Refused { status: StatusCode::UNAUTHORIZED, .. })) => {
            *api = Api::open(&args.of.api).await?;
            api.page(&path, after).await
        }
        other => other,
    }
}
