//! The labels, and how many values each can have.

use crate::entity::{ClientAuthMethod, GrantType, TokenFormat};
use crate::storage::StoreError;
use keyward_server::metric::Label;

/// How TLS handshakes end.
pub(super) const HANDSHAKES: &[&str] = &["closed", "completed", "failed", "timed_out"];

/// The log's events of which lines are left out when there are too many.
pub(super) const SPARED_EVENTS: &[&str] = &[
    "introspection_refused",
    "request_refused",
    "revocation_refused",
    "tls_handshake_failed",
    "token_refused",
];

/// What comes of a changed configuration.
pub(super) const RELOADS: &[&str] = &["refused", "reloaded"];

/// The states of a signing key.
pub(super) const KEY_STATES: &[&str] = &["active", "passive", "published"];

pub(super) const ALGORITHM: Label = Label::one_of("algorithm", &["ES256", "EdDSA", "PS256", "RS256"]);
pub(super) const CAUSE: Label =
    Label::from("cause", "a [cause](authority-causes.md) of a refusal", "one for each cause");
pub(super) const ENDPOINT: Label =
    Label::one_of("endpoint", &["admin", "discovery", "introspect", "jwks", "none", "revoke", "token"]);
pub(super) const EVENT: Label = Label::one_of("event", SPARED_EVENTS);
pub(super) const FETCH_OUTCOME: Label = Label::from(
    "outcome",
    "`fetched`, `no_usable_key`, `crashed`, or why a fetch failed, as in `cause` of `jwks_refresh_failed`",
    "20",
);
pub(super) const FORMAT: Label = Label::one_of("format", &["jwt", "opaque"]);
pub(super) const GRANT: Label =
    Label::one_of("grant", &["client_credentials", "jwt_bearer", "refresh_token", "token_exchange"]);
pub(super) const HANDSHAKE: Label = Label::one_of("outcome", HANDSHAKES);
pub(super) const KEY_STATE: Label = Label::one_of("state", KEY_STATES);
pub(super) const METHOD: Label = Label::one_of(
    "method",
    &[
        "client_secret_basic",
        "client_secret_post",
        "none",
        "private_key_jwt",
        "self_signed_tls_client_auth",
        "tls_client_auth",
    ],
);
pub(super) const OUTCOME: Label = Label::one_of("outcome", &["failed", "succeeded"]);
pub(super) const REALM: Label = Label::from(
    "realm",
    "the name of a realm; empty where the request was refused before one was found",
    "one for each realm, and the empty one",
);
pub(super) const RELOAD: Label = Label::one_of("outcome", RELOADS);
pub(super) const STATUS: Label =
    Label::from("status", "the status of the answer", "those that are ever answered, about 15");
pub(super) const STORAGE_ERROR: Label = Label::one_of("error", StoreError::KINDS);
pub(super) const STORAGE_WRITE: Label = Label::one_of("commit", &["command", "uses"]);
pub(super) const VERSION: Label = Label::from("version", "the version that runs", "one");

pub(super) const fn of_method(method: ClientAuthMethod) -> &'static str {
    match method {
        ClientAuthMethod::ClientSecretBasic => "client_secret_basic",
        ClientAuthMethod::ClientSecretPost => "client_secret_post",
        ClientAuthMethod::None => "none",
        ClientAuthMethod::PrivateKeyJwt => "private_key_jwt",
        ClientAuthMethod::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        ClientAuthMethod::TlsClientAuth => "tls_client_auth",
    }
}

pub(super) const fn of_grant(grant: GrantType) -> &'static str {
    match grant {
        GrantType::ClientCredentials => "client_credentials",
        GrantType::JwtBearer => "jwt_bearer",
        GrantType::RefreshToken => "refresh_token",
        GrantType::TokenExchange => "token_exchange",
    }
}

pub(super) const fn of_format(format: TokenFormat) -> &'static str {
    match format {
        TokenFormat::Jwt => "jwt",
        TokenFormat::Opaque => "opaque",
    }
}
