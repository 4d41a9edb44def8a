//! The pages about the authority.

use std::fmt::Write as _;

use keyward_authority::metrics::{Label, METRICS, Values};
use keyward_authority::{admin, config};
use serde_json::Value;

use super::{MADE, causes};

pub(super) fn api() -> String {
    let mut page = format!(
        "# The authority's API\n\n{MADE}\n\n\
         ## For clients\n\n\
         Of a realm, under `https://HOST/realms/NAME`. Forms are `application/x-www-form-urlencoded`, at most 40 KiB; \
         errors are those of\nRFC 6749 §5.2, and behind each stands a [cause](authority-causes.md). A realm that is not \
         there, or is disabled, is 404.\n\n\
         | | what | who |\n|---|---|---|\n\
         | `POST /token` | a token, by a grant ([how](../how-to/ask-for-tokens.md)) | a client, or a service account |\n\
         | `POST /introspect` | what a token is (RFC 7662, signed by RFC 9701) | a client that may ask, or a bearer with \
         the scope `introspect` |\n\
         | `POST /revoke` | the end of a token (RFC 7009) | the client that got it |\n\
         | `GET /jwks` | the realm's keys (RFC 7517) | everybody |\n\
         | `GET /.well-known/openid-configuration`, `GET /.well-known/oauth-authorization-server` | discovery; the \
         latter is at `/.well-known/oauth-authorization-server/realms/NAME` of the host as well \
         (RFC 8414 §3) | everybody |\n\n\
         ## For operators\n\n\
         On `admin_listen`: `GET /healthz`, `GET /readyz`, `GET /metrics` ([metrics](authority-metrics.md)).\n\n\
         ## For administrators\n\n\
         Under `{path}`. The OpenAPI 3.1 document at `{path}/openapi.json` describes each body and answer; it is made of \
         the routes\nthemselves, and so is this table. A request carries `Authorization: Bearer` with an access token of \
         realm `admin` for\n`{audience}`. Its scope has to be the one below, or `{write}`, or one of both with `:REALM` \
         behind it for the realm of the\npath. Making, listing and deleting realms takes the scopes without a realm. \
         [Administrate an authority](../how-to/administrate-an-authority.md) says\nhow changes, versions and pages \
         work.\n\n\
         | | what | scope |\n|---|---|---|\n",
        path = admin::PATH,
        audience = admin::AUDIENCE,
        write = admin::WRITE,
    );
    let document: Value = serde_json::from_str(admin::document()).unwrap_or_default();
    for (path, operations) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let Some(summary) = operation.get("summary").and_then(Value::as_str) else { continue };
            // What is open says so by an empty requirement.
            let scope = match (operation.get("security").is_some(), method.as_str()) {
                (true, _) => String::new(),
                (false, "get") => format!("`{}`", admin::READ),
                (false, _) => format!("`{}`", admin::WRITE),
            };
            let _ = writeln!(page, "| `{} {path}` | {summary} | {scope} |", method.to_uppercase());
        }
    }
    page
}

pub(super) fn causes() -> String {
    let mut page = format!("# Causes\n\n{MADE}\n\n");
    causes::page(&mut page);
    page
}

pub(super) fn configuration() -> String {
    format!(
        "# The authority's configuration\n\n{MADE}\n\n\
         `keyward authority config default` prints this file, `keyward authority config check FILE` says what is wrong \
         with another, and\nwhere. It is read at the start. What is in realms is not here: that is \
         [administrated](../how-to/administrate-an-authority.md).\n\n```toml\n{}```\n",
        config::DEFAULT_FILE
    )
}

pub(super) fn metrics() -> String {
    let mut page = format!(
        "# The authority's metrics\n\n{MADE}\n\n\
         `/metrics` on the authority's admin listener, in the text format of OpenMetrics. `keyward` stands for \
         `authority.metrics_namespace`. A\ncounter's samples end in `_total`, a histogram's in `_bucket`, `_sum` and \
         `_count`.\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n"
    );
    let mut labels: Vec<&Label> = Vec::new();
    for metric in METRICS {
        let names: Vec<_> = metric.labels.iter().map(|label| format!("`{}`", label.name)).collect();
        let (kind, names) = (metric.kind.label(), names.join(", "));
        let _ = writeln!(page, "| `keyward_{}` | {kind} | {names} | {} |", metric.name, metric.help);
        for label in metric.labels {
            if !labels.iter().any(|known| said(known) == said(label)) {
                labels.push(label);
            }
        }
    }
    page.push_str("\n| label | values |\n|---|---|\n");
    labels.sort_by_key(|label| said(label));
    for label in labels {
        let _ = writeln!(page, "{}", said(label));
    }
    page
}

/// A label's line.
fn said(label: &Label) -> String {
    let values = match label.values {
        Values::OneOf(values) => {
            values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        }
        Values::From { what, at_most } => format!("{what}; {at_most}"),
    };
    format!("| `{}` | {values} |", label.name)
}
