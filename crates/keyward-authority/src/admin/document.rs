//! The OpenAPI 3.1 document.

use std::sync::LazyLock;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder, Server};

use super::{PATH, routes};

/// The OpenAPI 3.1 document of all that [`super::router`] serves, in JSON.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(written);
    &DOCUMENT
}

fn written() -> String {
    let routes = routes();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("at+jwt")
        .description(Some("An access token of realm admin for urn:keyward:authority"));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(routes.schemas)
        .security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    let info = InfoBuilder::new().title("Keyward authority: administration").version("1").description(Some(
        "Realms, and what is in them. An entity's ETag is the position of its last event.",
    ));
    let document = OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([Server::new(PATH)]))
        .paths(routes.paths)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new("bearer", Vec::<String>::new())]));
    document.build().to_json().unwrap_or_default()
}
