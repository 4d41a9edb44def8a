//! Every event that the gateway writes to the log: there is no other place that names one. Those of the library are
//! [`keyward::event::LOGGED`].

use std::fmt::Write as _;

use keyward::event::{LOGGED, LoggedEvent};

macro_rules! events {
    ($($constant:ident = $label:literal, [$($level:literal),+], [$($field:literal),*], $meaning:literal;)+) => {
        $(pub(crate) const $constant: &str = $label;)+

        /// Those of the gateway, in the order of their labels.
        const EVENTS: &[LoggedEvent] =
            &[$(LoggedEvent::new($label, &[$($level),+], &[$($field),*], $meaning)),+];
    };
}

events! {
    ACCEPT_FAILED = "accept_failed", ["warn"], ["left_out", "listener"],
        "a connection could not be accepted, mostly for want of file descriptors";
    CONFIG_NEEDS_RESTART = "config_needs_restart", ["warn"], [],
        "something changed that [a restart only](../how-to/reload-configuration.md) takes in";
    CONFIG_REFUSED = "config_refused", ["error"], [],
        "a changed configuration cannot be used, and the old one goes on deciding";
    CONFIG_RELOADED = "config_reloaded", ["info"], [],
        "a changed configuration decides from now on";
    CONFIG_WARNING = "config_warning", ["warn"], [],
        "a certificate of a listener is over, or soon; its key can be read by others; what is declared as an anchor is none; \
         a Redis, or the receiver of traces, is reached without TLS";
    FALLBACK_VERDICT = "fallback_verdict", ["warn"], ["cause", "correlation_id", "issuer", "left_out", "route"],
        "a token was accepted by the second way, because the first could not tell";
    GATEWAY_DRAIN_CUT = "gateway_drain_cut", ["warn"], [],
        "requests were still open after the drain timeout";
    GATEWAY_DRAINING = "gateway_draining", ["info"], [],
        "no new connections are taken; open requests may end";
    GATEWAY_LEAVING = "gateway_leaving", ["info"], [],
        "`/readyz` says no from now on; new connections are still taken";
    GATEWAY_STARTED = "gateway_started", ["info"], ["admin_listen", "listen", "version"],
        "the gateway listens";
    GATEWAY_STOPPED = "gateway_stopped", ["info"], [],
        "the gateway ends";
    INTROSPECTION_CACHE_FORGOTTEN = "introspection_cache_forgotten", ["info"], ["forgotten", "left_out", "named"],
        "somebody called `/cache/forget`";
    JWT_VALIDATION_FAILED = "jwt_validation_failed", ["info"],
        ["correlation_id", "kid", "left_out", "reason", "route", "trace_id"],
        "a token was rejected";
    JWT_VALIDATION_UNDECIDED = "jwt_validation_undecided", ["warn"],
        ["correlation_id", "kid", "left_out", "reason", "route", "trace_id"],
        "nobody could tell";
    RECORDER_DUMP_FAILED = "recorder_dump_failed", ["error"], ["path"],
        "what was recorded could not be written to a file";
    RECORDER_DUMPED = "recorder_dumped", ["info", "warn"],
        ["accepted", "cause", "count", "fallbacks", "family", "path", "rejected", "since_s", "undecided"],
        "[what was recorded](../how-to/flight-recorder.md) is kept: somebody sent SIGUSR1 (`signal`), or verdicts of a \
         `family` multiplied (`spike`: a warning, with their `count` in the last 10 s)";
    REQUEST_UNCLEAR = "request_unclear", ["warn"], ["correlation_id", "left_out"],
        "400: the proxy's headers do not tell the request; `X-Keyward-Reason` says so, too";
    TLS_HANDSHAKE_FAILED = "tls_handshake_failed", ["info"], ["left_out", "listener", "peer"],
        "a TLS connection did not come about, but for clients that just went away";
    TRACES_FAILED = "traces_failed", ["warn"], [],
        "[spans](../how-to/traces.md) are lost, because the receiver does not take them; told once a minute while that goes on";
    TRACES_RECOVERED = "traces_recovered", ["info"], [],
        "the receiver takes spans again";
}

/// Every event of the log, the library's too, in the order of their labels.
pub fn events() -> Vec<LoggedEvent> {
    let mut events: Vec<_> = EVENTS.iter().chain(LOGGED).copied().collect();
    events.sort_by_key(|event| event.label);
    events
}

/// The same as a table in Markdown.
pub fn event_table() -> String {
    let mut table = "| `event` | level | what | fields |\n|---|---|---|---|\n".to_owned();
    for LoggedEvent { label, levels, fields, meaning, .. } in events() {
        let fields = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        // Writing to a string does not fail.
        let _ = writeln!(table, "| `{label}` | {} | {meaning} | {fields} |", levels.join(" or "));
    }
    table
}
