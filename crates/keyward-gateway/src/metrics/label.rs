//! The labels, and how many values each can have.

use keyward_server::metric::Label;

/// How a configuration was taken.
pub(super) const RELOADS: &[&str] = &["refused", "reloaded"];

/// The states of a breaker.
pub(super) const BREAKER_STATES: &[&str] = &["closed", "half_open", "open"];

/// How our credential at an issuer stands.
pub(super) const CREDENTIAL_STATES: &[&str] = &["obtaining", "rejected", "unavailable", "usable"];

/// What becomes of a key of a set.
pub(super) const KEY_STATES: &[&str] = &["skipped", "usable"];

/// The log's events of which lines are left out when there are too many.
pub(super) const SPARED_EVENTS: &[&str] = &[
    "accept_failed",
    "fallback_verdict",
    "introspection_cache_forgotten",
    "jwt_validation_failed",
    "jwt_validation_undecided",
    "request_unclear",
    "tls_handshake_failed",
];

/// Our listeners, and how TLS handshakes with them end.
pub(super) const LISTENERS: &[&str] = &["admin", "gateway"];
pub(super) const HANDSHAKES: &[&str] = &["closed", "completed", "failed", "timed_out"];

/// What becomes of spans.
pub(super) const SPAN_OUTCOMES: &[&str] = &["left_out", "lost", "sent"];

/// How questions to a shared memory of used proofs end.
pub(super) const PROOF_OUTCOMES: &[&str] = &["refused", "remembered", "replayed", "timed_out", "unreachable"];

pub(super) const ANSWER: Label = Label::one_of("answer", &["active", "inactive"]);
pub(super) const BREAKER_STATE: Label = Label::one_of("state", BREAKER_STATES);
pub(super) const BREAKER_TO: Label = Label::one_of("to", BREAKER_STATES);
pub(super) const CAUSE: Label = Label::from(
    "cause",
    "a [failure of introspection](../explanation/when-introspection-fails.md#who-is-told-what), `keys_unavailable`, \
     `keys_stale_limit` or `key_refresh_limited`",
    "one for each failure and these three",
);
pub(super) const CREDENTIAL_STATE: Label = Label::one_of("state", CREDENTIAL_STATES);
pub(super) const EVENT: Label = Label::one_of("event", SPARED_EVENTS);
pub(super) const HANDSHAKE: Label = Label::one_of("outcome", HANDSHAKES);
pub(super) const INTROSPECTED: Label = Label::from(
    "outcome",
    "`active`, `inactive`, or a [failure of introspection](../explanation/when-introspection-fails.md#who-is-told-what)",
    "one for each failure and these two",
);
pub(super) const ISSUER: Label =
    Label::from("issuer", "the `name` of an issuer in the configuration", "one for each of these");
pub(super) const KEY_STATE: Label = Label::one_of("state", KEY_STATES);
pub(super) const KID: Label = Label::from(
    "kid",
    "the `kid` of a key that the issuer publishes now; its thumbprint where that is longer than 128 octets, empty where \
     it has none",
    "256 for each issuer, which is how many keys a set may have",
);
pub(super) const LISTENER: Label = Label::one_of("listener", LISTENERS);
pub(super) const PROOF_OUTCOME: Label = Label::one_of("outcome", PROOF_OUTCOMES);
pub(super) const REASON: Label = Label::from(
    "reason",
    "a [reason](reasons/README.md); empty where the token was accepted",
    "one for each reason",
);
pub(super) const REFRESHED: Label = Label::from(
    "outcome",
    "`refreshed`, `crashed`, or a [`cause`](events.md) of `jwks_refresh_failed`",
    "one for each cause and these two",
);
pub(super) const RELOAD: Label = Label::one_of("outcome", RELOADS);
pub(super) const SPAN_OUTCOME: Label = Label::one_of("outcome", SPAN_OUTCOMES);
pub(super) const VERDICT: Label = Label::one_of("verdict", &["accept", "reject", "undecided"]);
pub(super) const VERSION: Label = Label::from("version", "the version of this gateway", "one");
