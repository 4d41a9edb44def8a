//! Every metric: its name, kind, unit, labels and what it says. There is no other place that names one.

use keyward_server::metric::{Kind, Label, Metric, Prefix};

use super::label;

macro_rules! metrics {
    ($($constant:ident = $prefix:ident $kind:ident $name:literal, $unit:expr, [$($label:ident),*], $help:literal;)+) => {
        $(pub(super) const $constant: Metric = {
            const LABELS: &[Label] = &[$(label::$label),*];
            Metric {
                name: $name,
                prefix: Prefix::$prefix,
                kind: Kind::$kind,
                unit: $unit,
                labels: LABELS,
                help: $help,
            }
        };)+

        /// Every metric of the gateway, in the order of the reference.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

const SECONDS: Option<&str> = Some("seconds");
const OCTETS: Option<&str> = Some("octets");

metrics! {
    INVALID = Nothing Counter "auth_jwt_invalid", None, [REASON],
        "Tokens that were rejected, by reason; what could not be decided is not among them";
    VERDICTS = Namespace Counter "verdicts", None, [VERDICT, REASON],
        "Verdicts, by verdict and reason";
    DURATION = Namespace Histogram "jwt_validation_duration_seconds", SECONDS, [],
        "Time from a request's arrival to its verdict, waits for keys included";
    PUBLIC_REQUESTS = Namespace Counter "public_requests", None, [],
        "Requests that passed without a look at tokens";
    UNCLEAR_REQUESTS = Namespace Counter "unclear_requests", None, [],
        "Requests of which a proxy's headers did not tell the route";
    CONNECTIONS = Namespace Gauge "connections", None, [],
        "Open connections to the forward-auth listener";
    CACHE_ENTRIES = Namespace Gauge "verdict_cache_entries", None, [],
        "Remembered verdicts";
    CACHE_OCTETS = Namespace Gauge "verdict_cache_octets", OCTETS, [],
        "Memory of remembered verdicts, in octets";
    BUILD_INFO = Namespace Gauge "build_info", None, [VERSION],
        "1 for the version that runs";
    CONFIG_RELOADS = Namespace Counter "config_reloads", None, [RELOAD],
        "Changes of the configuration, by outcome";
    CONFIG_REFUSED = Namespace Gauge "config_refused", None, [],
        "1 where the last change of the configuration was refused, and the one before is at work";
    LOG_LINES_LEFT_OUT = Namespace Counter "log_lines_left_out", None, [EVENT],
        "Lines of the log that were not written because there were too many of their kind, by event";
    TRACE_SPANS = Namespace Counter "trace_spans", None, [SPAN_OUTCOME],
        "Spans by what became of them: sent, left out because too many waited, or lost because the receiver did not take them";

    JWKS_REFRESHES = Namespace Counter "jwks_refreshes", None, [ISSUER, REFRESHED],
        "Fetches of key sets, by issuer and outcome";
    JWKS_REFRESH_FAILURES = Namespace Gauge "jwks_refresh_failures", None, [ISSUER],
        "Failed fetches in a row, by issuer";
    JWKS_AGE = Namespace Gauge "jwks_age_seconds", SECONDS, [ISSUER],
        "Age of the key set, by issuer";
    JWKS_USABLE_FOR = Namespace Gauge "jwks_usable_for_seconds", SECONDS, [ISSUER],
        "Time until the key set reaches its stale limit, by issuer";
    JWKS_STALE_LIMIT = Namespace Gauge "jwks_stale_limit_seconds", SECONDS, [ISSUER],
        "How old the key set may become, by issuer";
    JWKS_USABLE = Namespace Gauge "jwks_usable", None, [ISSUER],
        "1 where the issuer's tokens can be verified";
    JWKS_KEYS = Namespace Gauge "jwks_keys", None, [ISSUER, KEY_STATE],
        "Keys of the set, by issuer and state";
    JWKS_SNAPSHOT_IN_USE = Namespace Gauge "jwks_snapshot_in_use", None, [ISSUER],
        "1 where the keys came from the disk";
    CLOCK_AHEAD = Namespace Gauge "clock_ahead_seconds", SECONDS, [ISSUER],
        "By how much the issuer's clock is certainly ahead of ours, negative where it is behind, 0 where they may agree, by issuer";
    KEY_VERDICTS = Namespace Counter "key_verdicts", None, [ISSUER, KID],
        "Tokens that a key verified and that were accepted, or refused for its certificate alone, by issuer and kid";
    EXPIRED_WRAPPER_VERDICTS = Namespace Counter "expired_wrapper_verdicts", None, [ISSUER, KID],
        "Those of key_verdicts that came while the X.509 certificate around the key was over, by issuer and kid";
    WRAPPER_EXPIRES_IN = Namespace Gauge "wrapper_certificate_expires_in_seconds", SECONDS, [ISSUER, KID],
        "Time until the X.509 certificate around a key is over, negative once it is, by issuer and kid; not there where the policy is ignore";

    INTROSPECTION_CALLS = Namespace Counter "introspection_calls", None, [ISSUER, INTROSPECTED],
        "Calls of introspection endpoints, by issuer and outcome: active, inactive, or why it could not tell";
    INTROSPECTION_DURATION = Namespace Histogram "introspection_duration_seconds", SECONDS, [ISSUER],
        "Time that calls of introspection endpoints took, by issuer";
    INTROSPECTION_CACHE_HITS = Namespace Counter "introspection_cache_hits", None, [ISSUER, ANSWER],
        "Answers that were remembered, by issuer and answer";
    INTROSPECTION_BREAKER_STATE = Namespace Gauge "introspection_breaker_state", None, [ISSUER, BREAKER_STATE],
        "1 for the state that the breaker of the issuer's endpoint is in";
    INTROSPECTION_BREAKER_TRANSITIONS = Namespace Counter "introspection_breaker_transitions", None, [ISSUER, BREAKER_TO],
        "Changes of the breaker, by issuer and the state after";
    INTROSPECTION_LAST_SUCCESS = Namespace Gauge "introspection_last_success_seconds", SECONDS, [ISSUER],
        "Time since the issuer's endpoint last answered";
    CREDENTIAL_STATE = Namespace Gauge "credential_state", None, [ISSUER, CREDENTIAL_STATE],
        "1 for the state that our credential at the issuer is in; rejected until it is taken again";
    CREDENTIAL_AGE = Namespace Gauge "credential_age_seconds", SECONDS, [ISSUER],
        "Age of the bearer token that we hold at the issuer";
    FALLBACK_VERDICTS = Namespace Counter "fallback_verdicts", None, [ISSUER, CAUSE],
        "Tokens that were accepted by the second way, by issuer and why the first could not tell";
    FALLBACK_FAILURES = Namespace Counter "fallback_failures", None, [ISSUER],
        "Tokens that could not be decided because the second way could not tell either, by issuer";

    TLS_HANDSHAKES = Namespace Counter "tls_handshakes", None, [LISTENER, HANDSHAKE],
        "TLS handshakes with our listeners, by listener and outcome: completed, failed, closed by the client or timed out";
    TLS_CERTIFICATE_NOT_AFTER = Namespace Gauge "tls_certificate_not_after_seconds", SECONDS, [LISTENER],
        "When the certificate chain of a listener is over, in seconds since 1970, by listener";
    DPOP_USED_PROOFS = Namespace Gauge "dpop_used_proofs", None, [],
        "DPoP proofs that are remembered as used";
    DPOP_SHARED_MEMORY_REQUESTS = Namespace Counter "dpop_shared_memory_requests", None, [PROOF_OUTCOME],
        "Questions to the shared memory of used DPoP proofs, by outcome: the proof is new and remembered, or replayed; it refused, timed out or was unreachable";
    DPOP_UNSHARED_PROOFS = Namespace Counter "dpop_unshared_proofs", None, [],
        "DPoP proofs that passed without the shared memory, which could not be asked (when_down = local)";
}
