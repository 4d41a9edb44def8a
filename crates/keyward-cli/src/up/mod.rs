//! `keyward up`: everything on this machine, to try it.

mod echo;
mod issuer;
mod listener;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use keyward_gateway::{Config, Gateway};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use self::echo::Echo;
use self::issuer::DevelopmentIssuer;
use crate::exit::{Exit, Failure};
use crate::output::{Output, tell};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward up
  keyward up --service-port 3000 --json

It starts, on this machine only:
  an issuer   an authority with one realm; its keys and a client's secret are made now and gone at the end
  a gateway   which verifies tokens of that issuer, as `keyward gateway` does
  a service   which asks the gateway about each request, as nginx would, and shows what reaches it
It prints two curl lines, one that gets 200 and one that gets 401, and stays until Ctrl-C. A port that is
taken is replaced by a free one.")]
pub(crate) struct UpArgs {
    /// The service's port
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    service_port: u16,
    /// The gateway's port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    gateway_port: u16,
    /// The gateway's port for operators: /healthz, /readyz, /metrics, /debug/jwks-cache
    #[arg(long, value_name = "PORT", default_value_t = 9080)]
    admin_port: u16,
    /// The issuer's port
    #[arg(long, value_name = "PORT", default_value_t = 8085)]
    issuer_port: u16,
    /// The issuer's port for operators: /healthz, /readyz, /metrics
    #[arg(long, value_name = "PORT", default_value_t = 9085)]
    issuer_admin_port: u16,
    /// Print the addresses and a token as one JSON object
    #[arg(long)]
    json: bool,
}

/// What is running, for whoever wants to use it.
#[derive(Serialize)]
struct Running {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    issuer_admin: String,
    client_id: &'static str,
    client_secret: String,
    gateway: String,
    admin: String,
    service: String,
    token: String,
}

/// The configuration is the one that a person would write.
fn gateway_config(issuer: &str, gateway: SocketAddr, admin: SocketAddr) -> String {
    format!(
        r#"
[gateway]
listen = "{gateway}"
admin_listen = "{admin}"

[log]
format = "text"
level = "warn"

[[issuer]]
name = "development"
issuer = "{issuer}"
audiences = ["{audience}"]

[[route]]
access = "required"
[route.headers]
"X-Auth-Subject" = "/sub"
"#,
        audience = issuer::AUDIENCE
    )
}

pub(crate) fn run(args: &UpArgs) -> Result<Exit, Failure> {
    runtime::full()?.block_on(serve(args))?;
    Ok(Exit::Yes)
}

async fn serve(args: &UpArgs) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;

    let [listen, admin] = listener::free([args.issuer_port, args.issuer_admin_port]).await?;
    let DevelopmentIssuer { url: issuer, client_secret, node, folder } =
        DevelopmentIssuer::new(listen, admin).await?;
    let issuer_addresses = node.addresses().ok_or_else(listener::unknown)?;
    let (ending_issuer, issuer_ends) = oneshot::channel::<()>();
    let serving_tokens = tokio::spawn(node.serve(async {
        // It ends, too, where we do.
        let _ = issuer_ends.await;
    }));
    let token_endpoint = format!("{issuer}/token");
    let token = issuer::token(&token_endpoint, &client_secret).await?;

    let gateway = bind_gateway(&issuer, args).await?;
    let addresses = gateway.addresses().ok_or_else(listener::unknown)?;
    let service_listener = listener::on(args.service_port).await?;
    let running = Running {
        token_endpoint,
        jwks_uri: format!("{issuer}/jwks"),
        issuer_admin: format!("http://{}", issuer_addresses.admin_listen),
        client_id: issuer::CLIENT_ID,
        client_secret: client_secret.to_string(),
        issuer,
        gateway: format!("http://{}", addresses.listen),
        admin: format!("http://{}", addresses.admin_listen),
        service: url(&service_listener)?,
        token,
    };
    let echo = Echo::new(running.gateway.clone())?;
    let serving_requests = tokio::spawn(axum::serve(service_listener, echo.router()).into_future());
    let end = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let announce = async {
        running.wait_until_ready().await;
        print(&running, args.json)
    };
    let answer = async {
        gateway.serve(end).await;
        Ok(())
    };
    // The gateway has to serve before it can say that it is ready.
    tokio::try_join!(answer, announce)?;
    serving_requests.abort();
    drop(ending_issuer);
    let _ = serving_tokens.await;
    drop(folder);
    Ok(())
}

/// The gateway, on free ports where the wanted ones are taken.
async fn bind_gateway(issuer: &str, args: &UpArgs) -> Result<Gateway, Failure> {
    let [listen, admin] = listener::free([args.gateway_port, args.admin_port]).await?;
    let config = Config::parse(&gateway_config(issuer, listen, admin), Path::new("."))?;
    Ok(Gateway::bind(config).await?)
}

fn url(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr().map_err(|_| listener::unknown())?;
    Ok(format!("http://{address}"))
}

/// How long one question about readiness may take; the next one follows at once.
const PATIENCE: Duration = Duration::from_millis(200);

impl Running {
    /// Until the gateway has the issuer's keys: half a second at most, for they are on this machine.
    async fn wait_until_ready(&self) {
        let ready = format!("{}/readyz", self.admin);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap_or_default();
        for _ in 0..25 {
            if client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tell("the gateway has no keys yet; `curl` its /readyz to see why");
    }
}

fn print(running: &Running, json: bool) -> Result<(), Failure> {
    let mut output = Output::stdout();
    if json {
        output.json(running)?;
        return output.flush();
    }
    let Running {
        issuer,
        token_endpoint,
        issuer_admin,
        client_id,
        client_secret,
        gateway,
        admin,
        service,
        ..
    } = running;
    output.line(format_args!(
        "\
Keyward is up, for trying it: THE KEYS AND THE SECRET ARE FOR DEVELOPMENT, made now and gone at the end.
Everything listens on this machine only.

  issuer   {issuer}   (discovery, keys, tokens; /metrics and more on {issuer_admin})
  gateway  {gateway}   (what nginx, Traefik or Caddy asks; /metrics and more on {admin})
  service  {service}   (asks the gateway, then shows what reached it)

This gets 200:

  curl -i {service}/hello -H \"Authorization: Bearer $(curl -s {token_endpoint} \\
    -u {client_id}:{client_secret} -d grant_type=client_credentials \\
    | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\"

This gets 401:

  curl -i {service}/hello -H \"Authorization: Bearer not-a-token\"

Ctrl-C ends it."
    ))?;
    output.flush()
}
