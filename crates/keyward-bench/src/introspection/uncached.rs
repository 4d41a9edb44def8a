//! A request whose token nobody knows yet: what the gateway adds to the time that its provider takes to answer.

use std::time::Instant;

use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::runtime::Runtime;

use super::gateway::Gateway;
use crate::forward_auth::request;
use crate::interleave::median;
use crate::load::Connection;
use crate::row::Rows;
use crate::server::Server;
use crate::{Failure, sample};

/// How many calls are made one after another, before it is the other's turn.
const TURN: u32 = 50;

const ROUNDS: u32 = 100;

/// The most that the gateway may add to the median.
const MOST_MICROSECONDS: f64 = 150.0;

pub(super) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    let provider = Server::start_provider()?;
    let gateway = Gateway::introspecting(provider.address)?;
    let url = format!("http://{}/introspect", provider.address);
    measure_one(rows, "jwt", &url, &gateway, |number| gateway.token(number))?;
    measure_one(rows, "opaque", &url, &gateway, |number| Ok(sample::opaque_token(number)))
}

fn measure_one(
    rows: &mut Rows,
    kind: &str,
    url: &str,
    gateway: &Gateway,
    token: impl Fn(u32) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let bare = Bare::new()?;
    let mut connection = Connection::open(gateway.server.address)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for number in round * TURN..(round + 1) * TURN {
            let token = token(number)?;
            let started = Instant::now();
            bare.introspect(url, &token)?;
            without.push(started.elapsed().as_secs_f64() * 1e6);
        }
        for number in round * TURN..(round + 1) * TURN {
            let request = request(&token(number)?);
            let started = Instant::now();
            connection.send(&request)?;
            connection.receive()?;
            with.push(started.elapsed().as_secs_f64() * 1e6);
        }
        if round == 0 {
            // The first one warms up.
            (with, without) = (Vec::new(), Vec::new());
        }
    }
    let (with, without) = (median(with), median(without));
    let note = format!("  ({with:.0} µs through the gateway, {without:.0} µs by reqwest alone, at p50)");
    let name = format!("introspection-uncached-{kind}-microseconds");
    rows.at_most(&name, with - without, MOST_MICROSECONDS, &note);
    Ok(())
}

/// What a program does without Keyward: one call of the provider by reqwest.
struct Bare {
    client: Client,
    runtime: Runtime,
}

impl Bare {
    fn new() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: Client::builder().no_proxy().build()?, runtime })
    }

    fn introspect(&self, url: &str, token: &str) -> Result<(), Failure> {
        let sending = self
            .client
            .post(url)
            .basic_auth("gateway", Some("a secret"))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={token}&token_type_hint=access_token"));
        let said =
            self.runtime.block_on(async { sending.send().await?.error_for_status()?.bytes().await })?;
        if said.is_empty() { Err("the provider says nothing".into()) } else { Ok(()) }
    }
}
