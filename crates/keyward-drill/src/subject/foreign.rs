//! Somebody else's gateway, at an address.

use std::process::Stdio;

use http::Uri;
use tokio::process::Command;

use super::asker::Asker;
use super::{Facts, Subject};
use crate::drill::{GatewayStep, Header};
use crate::error::RunError;
use crate::expectation::Detail;
use crate::seen::Outcome;

/// A gateway of which only the address is known.
#[derive(Debug)]
pub(crate) struct Foreign {
    asker: Asker,
    restart_command: Option<String>,
}

impl Foreign {
    pub(crate) fn new(address: Uri, restart_command: Option<String>) -> Self {
        Self { asker: Asker::new(address), restart_command }
    }

    /// Whether it can do this.
    pub(crate) fn can(step: &GatewayStep, restart_command: Option<&str>) -> bool {
        matches!(step, GatewayStep::Restart) && restart_command.is_some()
    }
}

impl Subject for Foreign {
    fn detail(&self) -> Detail {
        Detail::Status
    }

    async fn ask(&self, token: &str, header: Header) -> Outcome {
        self.asker.ask(token, header).await
    }

    async fn step(&self, _restart: &GatewayStep) -> Result<(), RunError> {
        let Some(command) = &self.restart_command else {
            return Ok(());
        };
        let status = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .await
            .map_err(RunError::io("run the restart command"))?;
        if status.success() {
            Ok(())
        } else {
            Err(RunError::Gateway { what: format!("the restart command ends with {status}"), log: None })
        }
    }

    async fn facts(&self) -> Result<Option<Facts>, RunError> {
        Ok(None)
    }
}
