//! The OpenAPI document of the native API.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::openapi::content::Content;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::App;
use crate::problem::Problem;

const DESCRIPTION: &str = "Issue, verify, rotate, revoke and govern API tokens. Times are epoch milliseconds, durations \
    whole seconds. Every change answers with a receipt: the position of the change in the ledger. Any change but \
    signing in and out may carry an `Idempotency-Key`: a repeated request gets the first one's answer, for ten minutes.";

/// Every refusal that any operation may answer with.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The request can't be read, or a field of it is wrong"),
    ("401", "No good credential"),
    ("403", "The credential may not do this"),
    ("404", "It is not there, or not for this caller to see"),
    ("405", "This path is not served with this method"),
    ("409", "It contradicts what is there: a duplicate, a limit, a state"),
    ("413", "The body is too large"),
    ("415", "The body is not JSON"),
    ("422", "The idempotency key was used with another request"),
    ("503", "Not now, or the outcome is unknown; repeating is safe"),
];

/// The document's frame.
pub(super) fn base() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A Tokenhouse token"));
    let mut components = Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Tokenhouse").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION)))
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build()
}

/// Finishes the document and serves it beside its routes.
pub(super) fn serve(router: Router<App>, mut document: OpenApi) -> Router<App> {
    for item in document.paths.paths.values_mut() {
        finish(item);
        name(item);
    }
    // It is made once; a document that can't be written would be found by the first test.
    let text = document.to_json().unwrap_or_default();
    router.route("/v1/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], text)))
}

/// What every operation has in common stands in one place: refusals, request id, idempotency key.
fn finish(item: &mut PathItem) {
    let changes = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    for operation in changes.into_iter().flatten() {
        refusals(operation);
        if operation.tags.iter().flatten().any(|tag| tag == "session") {
            // Signing in twice makes two sessions: nobody is known yet to whom a key could be bound.
            continue;
        }
        let key = Parameter::builder()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .description(Some("1 to 128 visible ASCII characters"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,128}$"))))
            .build();
        let wait = Parameter::builder()
            .name("wait")
            .parameter_in(ParameterIn::Query)
            .description(Some("`nodes`: answer only when no node answers from before this change any more"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["nodes"]))))
            .build();
        operation.parameters.get_or_insert_default().extend([RefOr::T(key), RefOr::T(wait)]);
    }
    if let Some(operation) = &mut item.get {
        refusals(operation);
    }
}

/// Operation ids are unique over the document: the handler's name with its resource before it.
fn name(item: &mut PathItem) {
    let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    for operation in operations.into_iter().flatten() {
        let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
    }
}

fn refusals(operation: &mut Operation) {
    for (status, description) in REFUSALS {
        let mut response = Response::new(*description);
        let schema = RefOr::Ref(Ref::from_schema_name(Problem::name()));
        response.content.insert("application/problem+json".to_owned(), RefOr::T(Content::new(Some(schema))));
        operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::T(response));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let id = Header::new(ObjectBuilder::new().schema_type(Type::String));
            response.headers.insert("X-Request-Id".to_owned(), id.into());
        }
    }
}
