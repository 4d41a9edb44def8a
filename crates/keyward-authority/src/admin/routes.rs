//! The routes and their description, which are one: what is served is described, and nothing else is.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    ContentBuilder, Header, HttpMethod, Ref, RefOr, Required, ResponseBuilder, request_body,
};

use super::problem::ProblemBody;
use crate::authority::Authority;

/// Routes, and what is said of them.
pub(super) struct Routes {
    pub(super) router: Router<Authority>,
    pub(super) paths: Paths,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// What is said of an operation.
pub(super) struct Described {
    operation: OperationBuilder,
    id: String,
    has_body: bool,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// What stands in `If-Match`: an `ETag` of ours, or whatever is there.
const VERSION: &str = r#"^(\*|"[0-9]{1,18}")$"#;

/// What is said of a success.
const JSON: &str = "application/json";

impl Routes {
    pub(super) fn new() -> Self {
        let mut schemas = Vec::new();
        collect::<ProblemBody>(&mut schemas);
        Self { router: Router::new(), paths: Paths::new(), schemas }
    }

    /// Serves `path`, of which what stands in braces are parameters.
    pub(super) fn add<H, T>(
        mut self,
        method: HttpMethod,
        path: &str,
        handler: H,
        described: Described,
    ) -> Self
    where
        H: Handler<T, Authority>,
        T: 'static,
    {
        let filter = match method {
            HttpMethod::Delete => MethodFilter::DELETE,
            HttpMethod::Post => MethodFilter::POST,
            HttpMethod::Put => MethodFilter::PUT,
            _ => MethodFilter::GET,
        };
        self.router = self.router.route(path, on(filter, handler));
        let mut operation = described.operation.operation_id(Some(described.id));
        for name in names(path) {
            operation = operation.parameter(parameter(ParameterIn::Path, name, Required::True, text()));
        }
        let mut problems = vec![
            ("400", "the request cannot be read"),
            ("401", "the token is not accepted"),
            ("403", "the token's scope is not enough"),
            ("404", "there is none such"),
            ("429", "too many tokens were not accepted"),
            ("503", "it cannot be known or done just now"),
        ];
        if method != HttpMethod::Get {
            problems.push(("409", "something else is in the way"));
        }
        if described.has_body {
            problems.extend([
                ("413", "the body is too large"),
                ("415", "the body is no JSON"),
                ("422", "it cannot be so"),
            ]);
        }
        if matches!(method, HttpMethod::Put | HttpMethod::Delete) {
            problems.extend([("412", "it was changed meanwhile"), ("428", "If-Match is missing")]);
        }
        for (status, description) in problems {
            let content = ContentBuilder::new().schema(Some(reference::<ProblemBody>())).build();
            let problem =
                ResponseBuilder::new().description(description).content("application/problem+json", content);
            operation = operation.response(status, problem.build());
        }
        self.paths.add_path_operation(path, vec![method], operation.build());
        self.schemas.extend(described.schemas);
        self
    }
}

impl Described {
    /// By a name that is nobody else's, and a sentence.
    pub(super) fn new(id: impl Into<String>, summary: impl Into<String>) -> Self {
        let operation = OperationBuilder::new().summary(Some(summary.into()));
        Self { operation, id: id.into(), has_body: false, schemas: Vec::new() }
    }

    /// Under which heading it stands.
    pub(super) fn tag(mut self, tag: &str) -> Self {
        self.operation = self.operation.tag(tag);
        self
    }

    /// It takes a body.
    pub(super) fn takes<T: ToSchema>(mut self) -> Self {
        collect::<T>(&mut self.schemas);
        let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
        let body = request_body::RequestBodyBuilder::new().content(JSON, content);
        self.operation = self.operation.request_body(Some(body.required(Some(Required::True)).build()));
        self.has_body = true;
        self
    }

    /// It answers with this, and its `ETag`.
    pub(super) fn gives<T: ToSchema>(mut self, status: &str, description: &str) -> Self {
        collect::<T>(&mut self.schemas);
        let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content(JSON, content)
            .header("ETag", Header::new(text()));
        self.operation = self.operation.response(status, response.build());
        self
    }

    /// It answers with a part of a list of these, and takes `after` and `limit`.
    pub(super) fn lists<T: ToSchema>(mut self, limit: u32) -> Self {
        collect::<T>(&mut self.schemas);
        let items = utoipa::openapi::ArrayBuilder::new().items(reference::<T>());
        let list = ObjectBuilder::new().property("items", items).required("items").property(
            "next",
            described("what to send as after to go on; it is missing at the end", Type::String),
        );
        let content = ContentBuilder::new().schema(Some(Schema::from(list.build()))).build();
        let response = ResponseBuilder::new().description("a part of the list").content(JSON, content);
        let limited = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(limit));
        self.operation = self
            .operation
            .response("200", response.build())
            .parameter(parameter(ParameterIn::Query, "after", Required::False, text()))
            .parameter(parameter(ParameterIn::Query, "limit", Required::False, limited.build()));
        self
    }

    /// It answers with JSON that is described elsewhere.
    pub(super) fn gives_document(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(Schema::from(ObjectBuilder::new().build()))).build();
        let response = ResponseBuilder::new().description("the document").content(JSON, content);
        self.operation = self.operation.response("200", response.build());
        self
    }

    /// It answers without a body.
    pub(super) fn gives_nothing(mut self) -> Self {
        let response = ResponseBuilder::new().description("it is done");
        self.operation = self.operation.response("204", response.build());
        self
    }

    /// It goes by a version.
    pub(super) fn versioned(mut self, required: Required) -> Self {
        let version = ObjectBuilder::new().schema_type(Type::String).pattern(Some(VERSION));
        self.operation =
            self.operation.parameter(parameter(ParameterIn::Header, "If-Match", required, version.build()));
        self
    }

    /// It needs no token.
    pub(super) fn open(mut self) -> Self {
        self.operation = self.operation.security(utoipa::openapi::security::SecurityRequirement::default());
        self
    }
}

/// What stands in braces.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(place: ParameterIn, name: &str, required: Required, schema: Object) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    parameter.schema(Some(Schema::from(schema))).build()
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

fn described(description: &str, schema_type: Type) -> Object {
    ObjectBuilder::new().schema_type(schema_type).description(Some(description)).build()
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// A type, and all that it is made of.
fn collect<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
