//! `keyward drill lab`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use keyward_lab::control::Control;
use keyward_lab::plan::{IssuerPlan, LabPlan};
use keyward_lab::{Lab, Sockets};

use crate::exit::{Exit, Failure};
use crate::output::{Output, tell};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward drill lab
  keyward drill lab --control 127.0.0.1:9390
  curl -d '{\"fault\": {\"jwks\": \"hang\"}}' http://127.0.0.1:9390/command
  curl -d '{\"mend\": [\"all\"]}' http://127.0.0.1:9390/command
  curl -d '{}' http://127.0.0.1:9390/token

It prints its addresses as one JSON object and runs until it is interrupted. The page on the lab in the reference
has every fault and command.")]
pub(crate) struct LabArgs {
    /// Its issuers, as in a drill's file under [provider]: [issuer.NAME] each. Default: one that is called main
    #[arg(value_name = "PLAN")]
    plan: Option<PathBuf>,
    /// A recording that its one issuer answers with
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    replay: Option<PathBuf>,
    /// The first port; each issuer takes four. Default: free ones
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Where it takes commands
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Where its certificate authority is kept as authority.pem, and its key
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &LabArgs) -> Result<Exit, Failure> {
    let plan = match &args.plan {
        Some(path) => {
            let shown = || path.display().to_string();
            let text =
                std::fs::read_to_string(path).map_err(|cause| Failure::File { path: shown(), cause })?;
            toml::from_str(&text)
                .map_err(|error| Failure::Plan { path: shown(), error: error.to_string() })?
        }
        None => {
            let main = IssuerPlan { replay: args.replay.clone(), ..IssuerPlan::default() };
            LabPlan { issuer: [("main".to_owned(), main)].into() }
        }
    };
    let sockets = Sockets { first_port: args.port, folder: args.folder.clone() };
    runtime::full()?.block_on(async {
        let lab = Lab::on_sockets(&plan, &sockets).await?;
        let control = Control::bind(&lab, args.control).await?;
        let mut output = Output::stdout();
        output.json(&serde_json::json!({
            "control": format!("http://{}", control.address()),
            "issuers": lab.describe(),
        }))?;
        output.flush()?;
        tell("the lab runs until it is interrupted");
        tokio::signal::ctrl_c().await.map_err(Failure::Signals)?;
        Ok(Exit::Yes)
    })
}
