//! Every event that the library writes to the log: the one place that says what a line means and holds. A test of the
//! gateway's holds it against the sources.

/// An event of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedEvent {
    /// What stands in `event`.
    pub label: &'static str,
    /// `error`, `warn`, `info` or `trace`; several where it depends on what it means.
    pub levels: &'static [&'static str],
    /// The fields beside `event`, in alphabetical order. Some are left out where they do not apply.
    pub fields: &'static [&'static str],
    /// What happened, in Markdown.
    pub meaning: &'static str,
}

impl LoggedEvent {
    /// One more, of whoever embeds the library and logs beside it.
    pub const fn new(
        label: &'static str,
        levels: &'static [&'static str],
        fields: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self { label, levels, fields, meaning }
    }
}

const ERROR: &[&str] = &["error"];
const INFO: &[&str] = &["info"];
const TRACE: &[&str] = &["trace"];
const WARN: &[&str] = &["warn"];

/// Those of the library, in the order of their labels.
pub const LOGGED: &[LoggedEvent] = &[
    LoggedEvent::new(
        "cache_fallback",
        WARN,
        &["age_s", "issuer", "keys_cached", "state", "usable_for_s"],
        "as `jwks_cache`, where the set is stale because fetches failed; or keys from the disk serve at the start, \
         without `state` and `usable_for_s`",
    ),
    LoggedEvent::new("credential_accepted", INFO, &["issuer"], "the provider takes our credential again"),
    LoggedEvent::new(
        "credential_dropped",
        WARN,
        &["cause", "issuer"],
        "the provider does not take the token that we have, and another one is obtained",
    ),
    LoggedEvent::new(
        "credential_exposed",
        WARN,
        &["issuer", "path"],
        "others than its owner can use a file of our credential",
    ),
    LoggedEvent::new(
        "credential_failed",
        WARN,
        &["cause", "failures", "issuer", "retry_in_ms"],
        "our token was not obtained, because the provider failed or cannot be reached; the one that is there serves until \
         it is over",
    ),
    LoggedEvent::new(
        "credential_obtained",
        INFO,
        &["issuer", "took_ms", "usable_for_s"],
        "a token of ours was obtained",
    ),
    LoggedEvent::new(
        "credential_refused",
        ERROR,
        &["cause", "failures", "issuer", "retry_in_ms"],
        "our token was not obtained, because the provider refuses us: somebody has to mend that, see \
         [Say who you are to a provider](../how-to/client-credentials.md#when-the-provider-says-no)",
    ),
    LoggedEvent::new(
        "credential_rejected",
        ERROR,
        &["cause", "issuer", "rejections", "retry_in_ms"],
        "the provider refuses what we show it, and it is not shown again for a while: somebody has to mend that, see \
         [Say who you are to a provider](../how-to/client-credentials.md#when-the-provider-says-no)",
    ),
    LoggedEvent::new(
        "credential_reload_refused",
        ERROR,
        &["issuer", "path"],
        "a file of our credential changed and is of no use; the old credential still counts",
    ),
    LoggedEvent::new(
        "credential_reloaded",
        INFO,
        &["issuer"],
        "a file of our credential changed, and what is in it counts from now on",
    ),
    LoggedEvent::new(
        "introspection_called",
        TRACE,
        &["issuer", "outcome", "took_ms"],
        "a call of the endpoint came to an end",
    ),
    LoggedEvent::new(
        "introspection_circuit_closed",
        INFO,
        &["from", "issuer"],
        "the endpoint is called again",
    ),
    LoggedEvent::new(
        "introspection_circuit_half_opened",
        INFO,
        &["from", "issuer"],
        "one call tries whether the endpoint answers",
    ),
    LoggedEvent::new(
        "introspection_circuit_opened",
        WARN,
        &["from", "issuer", "retry_in_ms"],
        "too many calls failed: the endpoint is not called for a while",
    ),
    LoggedEvent::new(
        "introspection_failed",
        WARN,
        &["cause", "failures", "issuer", "since_s"],
        "the endpoint cannot tell: the first failure, then one line a minute",
    ),
    LoggedEvent::new(
        "introspection_recovered",
        INFO,
        &["after_s", "failures", "issuer"],
        "the endpoint can tell again",
    ),
    LoggedEvent::new(
        "jwks_cache",
        INFO,
        &["age_s", "issuer", "keys_cached", "state", "usable_for_s"],
        "after each fetch, failed ones too while the set is fresh: what there is to verify with",
    ),
    LoggedEvent::new(
        "jwks_refresh_crashed",
        ERROR,
        &["failures", "issuer", "retry_in_ms"],
        "the task that refreshes an issuer's keys panicked and is started again: report it",
    ),
    LoggedEvent::new(
        "jwks_refresh_failed",
        WARN,
        &["cause", "failures", "issuer", "retry_in_ms"],
        "a fetch failed; the old set serves",
    ),
    LoggedEvent::new(
        "jwks_refreshed",
        INFO,
        &["added", "issuer", "key_count", "removed", "skipped", "took_ms"],
        "a set was fetched; `added` and `removed` are key ids",
    ),
    LoggedEvent::new(
        "proof_memory_asked",
        TRACE,
        &["outcome", "took_ms"],
        "the memory of used proofs that gateways share was asked",
    ),
    LoggedEvent::new(
        "proof_memory_bypassed",
        TRACE,
        &[],
        "a request passed although that memory could not be asked",
    ),
    LoggedEvent::new(
        "proof_memory_failed",
        ERROR,
        &["cause", "failures", "since_s", "when_down"],
        "that memory cannot tell: the first failure, then one line a minute. `cause` is `refused`, `timed_out` or \
         `unreachable`",
    ),
    LoggedEvent::new("proof_memory_recovered", INFO, &["after_s", "failures"], "that memory can tell again"),
    LoggedEvent::new("snapshot_refused", WARN, &["issuer", "path"], "keys on the disk are not used"),
    LoggedEvent::new(
        "snapshot_write_failed",
        ERROR,
        &["issuer", "path"],
        "keys could not be written to the disk: a restart during an outage will find none, or old ones",
    ),
    LoggedEvent::new(
        "wrapper_certificate_expired",
        &["error", "warn"],
        &["issuer", "kid", "not_after", "policy", "serial", "since_s", "subject"],
        "the certificate around a key is over; an error where its tokens are refused from then on",
    ),
    LoggedEvent::new(
        "wrapper_certificate_expiring",
        WARN,
        &["issuer", "kid", "left_s", "not_after", "policy", "serial", "subject"],
        "the certificate around a key will be over: at 30, 14, 7, 3 and 1 days before; see \
         [Keys with X.509 certificates](../how-to/wrapper-certificates.md#know-it-ahead)",
    ),
    LoggedEvent::new(
        "wrapper_certificate_mismatch",
        WARN,
        &["cause", "issuer", "kid", "policy", "serial", "subject"],
        "the certificate around a key is of another key",
    ),
    LoggedEvent::new(
        "wrapper_certificate_untrusted",
        WARN,
        &["cause", "issuer", "kid", "left_s", "policy", "serial", "subject"],
        "the certificate around a key leads to no anchor, cannot be read, is missing, or begins in the future (`left_s`)",
    ),
];
