//! rotel, a receiver of OTLP that writes what it gets into its log.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::super::error::Error;
use super::super::process::{Daemon, free_port};
use super::super::workshop::Workshop;

/// How long a span may take to arrive: a second for its batch, and what a busy machine needs.
const ARRIVES_WITHIN: Duration = Duration::from_secs(15);

/// It, running.
#[derive(Debug)]
pub(super) struct Receiver {
    daemon: Daemon,
}

/// A span as the log shows it.
#[derive(Debug, Default)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) parent_id: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) attributes: BTreeMap<String, String>,
}

impl Receiver {
    /// Starts it, to listen on this port for http/protobuf.
    pub(super) fn start(workshop: &Workshop, port: u16) -> Result<Self, Error> {
        let folder = workshop.subfolder(&format!("rotel-{port}"))?;
        let mut command = Command::new(workshop.installed.rotel());
        command
            .arg("start")
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", free_port()?)])
            .args(["--debug-log", "traces", "--debug-log-verbosity", "detailed", "--exporter", "blackhole"]);
        let mut daemon = Daemon::start("rotel", &command, &folder)?;
        daemon.wait_until(&workshop.http, &format!("http://127.0.0.1:{port}/"), 404)?;
        Ok(Self { daemon })
    }

    /// The first span that is so, once it is there; none where none comes.
    pub(super) fn span(&self, is_it: impl Fn(&Span) -> bool) -> Option<Span> {
        let started = Instant::now();
        loop {
            let found = spans(&self.daemon.log()).into_iter().find(|span| is_it(span));
            if found.is_some() || started.elapsed() > ARRIVES_WITHIN {
                return found;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn log_tail(&self) -> String {
        self.daemon.log_tail()
    }
}

impl Span {
    /// An attribute; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(&format!("keyward.{name}")).map_or("", String::as_str)
    }
}

/// Each begins with a line `Span #0`; then come lines `Name : value`, and attributes as `-> name: Str(value)`.
fn spans(log: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for line in log.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") {
            // The resource's attributes are not the last span's.
            spans.push(Span::default());
        }
        if line.starts_with("Span #") {
            spans.push(Span::default());
        }
        let Some(span) = spans.last_mut() else { continue };
        if let Some((name, value)) = line.strip_prefix("-> ").and_then(|line| line.split_once(": ")) {
            let value = value.split_once('(').map_or(value, |(_, value)| value.trim_end_matches(')'));
            span.attributes.insert(name.to_owned(), value.to_owned());
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let place = match name.trim() {
            "Trace ID" => &mut span.trace_id,
            "Parent ID" => &mut span.parent_id,
            "ID" => &mut span.id,
            "Name" => &mut span.name,
            "Status code" => &mut span.status,
            _ => continue,
        };
        value.trim().clone_into(place);
    }
    spans.retain(|span| !span.id.is_empty());
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_rotel_writes_it() {
        let log = "ResourceSpans #0\nResource attributes:\n     -> service.name: Str(x)\nScopeSpans #0\nSpan #0\n    \
                   Trace ID       : 4bf9\n    Parent ID      : \n    ID             : 00f0\n    Name           : a\n    \
                   Status code    : STATUS_CODE_ERROR\nAttributes:\n     -> keyward.route: Int(3)\n     \
                   -> keyward.reason: Str(expired)\n";
        let spans = spans(log);
        assert_eq!(spans.len(), 1);
        let Span { trace_id, parent_id, id, name, .. } = &spans[0];
        assert_eq!([trace_id, parent_id, id, name].map(String::as_str), ["4bf9", "", "00f0", "a"]);
        assert_eq!((spans[0].attribute("route"), spans[0].attribute("reason")), ("3", "expired"));
    }
}
