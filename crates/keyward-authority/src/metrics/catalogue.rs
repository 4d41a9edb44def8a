//! Every metric: its name, kind, unit, labels and what it says. There is no other place that names one.

use keyward_server::metric::{Kind, Label, Metric, Prefix};

use super::label;

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal, $unit:expr, [$($label:ident),*], $help:literal;)+) => {
        $(pub(super) const $constant: Metric = {
            const LABELS: &[Label] = &[$(label::$label),*];
            Metric {
                name: $name,
                prefix: Prefix::Namespace,
                kind: Kind::$kind,
                unit: $unit,
                labels: LABELS,
                help: $help,
            }
        };)+

        /// Every metric of the authority, in the order of the reference.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

const SECONDS: Option<&str> = Some("seconds");

metrics! {
    BUILD_INFO = Gauge "authority_build_info", None, [VERSION],
        "1 for the version that runs";
    CONFIG_RELOADS = Counter "authority_config_reloads", None, [RELOAD],
        "Changes of the configuration or of a file that it names, by outcome";
    CONFIG_REFUSED = Gauge "authority_config_refused", None, [],
        "1 where the last change of the configuration was refused, and the one before is at work";
    CONNECTIONS = Gauge "authority_connections", None, [],
        "Open connections to the clients' listener";
    REQUESTS = Counter "authority_requests", None, [ENDPOINT, STATUS],
        "Requests, by endpoint and status of the answer";
    REQUEST_DURATION = Histogram "authority_request_duration_seconds", SECONDS, [ENDPOINT],
        "Time from a request's arrival to its answer, by endpoint";
    TOKENS_ISSUED = Counter "authority_tokens_issued", None, [REALM, GRANT, FORMAT],
        "Access tokens, by realm, grant and format";
    REFUSALS = Counter "authority_refusals", None, [REALM, ENDPOINT, CAUSE],
        "Requests that were refused, by realm, endpoint and cause";
    AUTHENTICATIONS = Counter "authority_authentications", None, [REALM, METHOD, OUTCOME],
        "Attempts of clients to authenticate themselves, by realm, method and outcome";
    KEY_SET_FETCHES = Counter "authority_key_set_fetches", None, [REALM, FETCH_OUTCOME],
        "Fetches of sets of keys at addresses of clients and service accounts, by realm and outcome";
    HASH_WAIT = Histogram "authority_hash_wait_seconds", SECONDS, [],
        "Time that a secret waited for its turn to be hashed by argon2id";
    HASH_DURATION = Histogram "authority_hash_duration_seconds", SECONDS, [],
        "Time that argon2id took";
    SIGNING_DURATION = Histogram "authority_signing_duration_seconds", SECONDS, [ALGORITHM],
        "Time that signatures took, by algorithm";
    SIGNING_KEYS = Gauge "authority_signing_keys", None, [REALM, ALGORITHM, KEY_STATE],
        "Signing keys that are published, by realm, algorithm and state";
    SIGNING_KEY_NEXT_STEP = Gauge "authority_signing_key_next_step_seconds", SECONDS, [REALM, ALGORITHM, KEY_STATE],
        "When something is to be done next with a signing key, in seconds since 1970, by realm, algorithm and state: a published one signs, one that signs gets a successor or is relieved by it, a passive one is withdrawn";
    SIGNING_KEYS_CLOSED = Gauge "authority_signing_keys_closed", None, [REALM],
        "1 where this node cannot open a key that signs or is going to, by realm";
    LOG_POSITION = Gauge "authority_log_position", None, [],
        "The position up to which this node has read the log";
    LOG_BEHIND = Gauge "authority_log_behind", None, [],
        "Events of the log that this node has not read yet; not there where the database cannot be asked";
    LOG_AGE = Gauge "authority_log_age_seconds", SECONDS, [],
        "Time since this node last was at the log's head; it answers nothing from memory beyond 0.7 s";
    HEAD_WAIT = Histogram "authority_storage_head_wait_seconds", SECONDS, [],
        "Time that a command waited for a connection and for the commands before it, on all nodes";
    COMMIT_DURATION = Histogram "authority_storage_commit_duration_seconds", SECONDS, [STORAGE_WRITE],
        "Time that the database took to commit, by what: a command, or what was used once";
    STORAGE_ERRORS = Counter "authority_storage_errors", None, [STORAGE_ERROR],
        "What the database was asked and did not do, by kind of error";
    LOG_LINES_LEFT_OUT = Counter "authority_log_lines_left_out", None, [EVENT],
        "Lines of the log that were not written because there were too many of their kind, by event";
    TLS_HANDSHAKES = Counter "authority_tls_handshakes", None, [HANDSHAKE],
        "TLS handshakes, by outcome: completed, failed, closed by the client or timed out";
    TLS_CERTIFICATE_NOT_AFTER = Gauge "authority_tls_certificate_not_after_seconds", SECONDS, [],
        "When the certificate chain of the clients' listener is over, in seconds since 1970; not there without TLS";
}
