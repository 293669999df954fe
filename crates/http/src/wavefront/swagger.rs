//! `GET /api/v2/swagger.json`: what is served, as Swagger 2.0, made from the very table that the routes are made from
//! (wavefront.md 1.1). Generators of clients fetch it without a credential; it tells nothing of the installation.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::SERVED;

/// An endpoint.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) tag: &'static str,
    /// In lower case.
    pub(super) method: &'static str,
    /// With `{names}` for what the caller says.
    pub(super) path: &'static str,
    /// The handler, by which it has a name of its own.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// The body's type; `form` for a form, empty for none.
    pub(super) body: &'static str,
    pub(super) told: Told,
}

/// An answer's type, `[T]` for a list of `T`.
#[derive(Debug)]
pub(super) enum Told {
    /// Under `response`, in the envelope.
    Wrapped(&'static str),
    /// As it is.
    Bare(&'static str),
}

/// The members of each type, with theirs: `string`, `integer`, `boolean`, `object`, a type of this table, or `[T]`.
const TYPES: &[(&str, &[(&str, &str)])] = &[
    ("ResponseStatus", &[("result", "string"), ("message", "string"), ("code", "integer")]),
    (
        "UserApiToken",
        &[
            ("tokenID", "string"),
            ("tokenName", "string"),
            ("account", "string"),
            ("accountType", "string"),
            ("dateGenerated", "integer"),
            ("lastUsed", "integer"),
        ],
    ),
    // Ours: in an onboarded organization a service account's token is for an integration.
    ("ServiceAccountTokenWrite", &[("tokenName", "string"), ("integration", "string")]),
    (
        "ApiTokenModel",
        &[
            ("id", "string"),
            ("name", "string"),
            ("account", "string"),
            ("accountType", "string"),
            ("customer", "string"),
            ("createdEpochMillis", "integer"),
            ("dateGenerated", "integer"),
            ("lastUsed", "integer"),
        ],
    ),
    (
        "Account",
        &[
            ("identifier", "string"),
            ("groups", "[string]"),
            ("roles", "[string]"),
            ("userGroups", "[string]"),
            ("unitedRoles", "[string]"),
            ("unitedPermissions", "[string]"),
        ],
    ),
    (
        "ServiceAccount",
        &[
            ("identifier", "string"),
            ("active", "boolean"),
            ("description", "string"),
            ("groups", "[string]"),
            ("roles", "[RoleDTO]"),
            ("userGroups", "[UserGroupModel]"),
            ("tokens", "[UserApiToken]"),
            ("lastUsed", "integer"),
            ("unitedRoles", "[string]"),
            ("unitedPermissions", "[string]"),
        ],
    ),
    (
        "ServiceAccountWrite",
        &[
            ("identifier", "string"),
            ("active", "boolean"),
            ("description", "string"),
            ("groups", "[string]"),
            ("roles", "[string]"),
            ("userGroups", "[string]"),
            ("tokens", "[string]"),
        ],
    ),
    (
        "UserToCreate",
        &[("emailAddress", "string"), ("groups", "[string]"), ("userGroups", "[string]"), ("roles", "[string]")],
    ),
    (
        "UserRequestDTO",
        &[("identifier", "string"), ("groups", "[string]"), ("userGroups", "[string]"), ("roles", "[string]")],
    ),
    ("UserModel", USER),
    ("UserDTO", USER),
    ("ValidatedUsersDTO", &[("validUsers", "[UserDTO]"), ("invalidIdentifiers", "[string]")]),
    (
        "CustomerFacingUserObject",
        &[
            ("identifier", "string"),
            ("id", "string"),
            ("escapedIdentifier", "string"),
            ("customer", "string"),
            ("self", "boolean"),
            ("groups", "[string]"),
            ("userGroups", "[string]"),
            ("unitedPermissions", "[string]"),
            ("unitedRoles", "[string]"),
            ("lastSuccessfulLogin", "integer"),
        ],
    ),
    (
        "UserGroupPropertiesDTO",
        &[("nameEditable", "boolean"), ("usersEditable", "boolean"), ("rolesEditable", "boolean")],
    ),
    (
        "UserGroupModel",
        &[
            ("id", "string"),
            ("name", "string"),
            ("description", "string"),
            ("customer", "string"),
            ("createdEpochMillis", "integer"),
            ("users", "[string]"),
            ("userCount", "integer"),
            ("roles", "[RoleDTO]"),
            ("roleCount", "integer"),
            ("permissions", "[string]"),
            ("properties", "UserGroupPropertiesDTO"),
        ],
    ),
    ("UserGroupWrite", &[("name", "string"), ("description", "string"), ("roleIDs", "[string]")]),
    (
        "RoleDTO",
        &[
            ("id", "string"),
            ("name", "string"),
            ("description", "string"),
            ("customer", "string"),
            ("permissions", "[string]"),
            ("createdEpochMillis", "integer"),
            ("lastUpdatedMs", "integer"),
            ("linkedAccountsCount", "integer"),
            ("linkedGroupsCount", "integer"),
            ("sampleLinkedAccounts", "[string]"),
            ("sampleLinkedGroups", "[UserGroupModel]"),
        ],
    ),
    ("RoleWrite", &[("name", "string"), ("description", "string"), ("permissions", "[string]")]),
    (
        "SearchQuery",
        &[
            ("key", "string"),
            ("value", "string"),
            ("values", "[string]"),
            ("matchingMethod", "string"),
            ("negated", "boolean"),
            ("start", "integer"),
            ("end", "integer"),
        ],
    ),
    ("Sorting", &[("field", "string"), ("ascending", "boolean"), ("default", "boolean")]),
    (
        "SortableSearchRequest",
        &[
            ("query", "[SearchQuery]"),
            ("limit", "integer"),
            ("offset", "integer"),
            ("cursor", "string"),
            ("sort", "Sorting"),
        ],
    ),
    (
        "FacetsSearchRequestContainer",
        &[
            ("facets", "[string]"),
            ("query", "[SearchQuery]"),
            ("limit", "integer"),
            ("facetQuery", "string"),
            ("facetQueryMatchingMethod", "string"),
        ],
    ),
    (
        "FacetSearchRequestContainer",
        &[
            ("query", "[SearchQuery]"),
            ("limit", "integer"),
            ("offset", "integer"),
            ("facetQuery", "string"),
            ("facetQueryMatchingMethod", "string"),
        ],
    ),
    ("FacetsResponseContainer", &[("facets", "object"), ("limit", "integer")]),
    (
        "SavedSearch",
        &[
            ("id", "string"),
            ("entityType", "string"),
            ("query", "object"),
            ("userId", "string"),
            ("creatorId", "string"),
            ("updaterId", "string"),
            ("createdEpochMillis", "integer"),
            ("updatedEpochMillis", "integer"),
        ],
    ),
    ("Permission", &[("groupName", "string"), ("displayName", "string"), ("description", "string")]),
    (
        "Preferences",
        &[("customerId", "string"), ("defaultUserGroups", "[UserGroupModel]"), ("invitePermissions", "[string]")],
    ),
    ("ClusterInfo", &[("clusterAlias", "string"), ("statusPageLink", "string")]),
];

const USER: &[(&str, &str)] = &[
    ("identifier", "string"),
    ("customer", "string"),
    ("groups", "[string]"),
    ("roles", "[RoleDTO]"),
    ("userGroups", "[UserGroupModel]"),
    ("lastSuccessfulLogin", "integer"),
];

/// What has query parameters, and which: all are optional.
const QUERIES: &[(&str, &[(&str, &str)])] = &[
    ("/api/v2/account", PAGING),
    ("/api/v2/usergroup", PAGING),
    ("/api/v2/role", PAGING),
    ("/api/v2/savedsearch", PAGING),
    ("/api/v2/savedsearch/type/{entitytype}", PAGING),
    ("/api/v2/account/user", &[("sendEmail", "boolean")]),
    ("/api/v2/user", &[("sendEmail", "boolean")]),
    ("/api/daemon/test", &[("token", "string")]),
];

const PAGING: &[(&str, &str)] = &[("offset", "integer"), ("limit", "integer")];

/// A type as a schema.
fn schema(name: &str) -> Value {
    if let Some(item) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return json!({"type": "array", "items": schema(item)});
    }
    match name {
        "integer" => json!({"type": "integer", "format": "int64"}),
        "string" | "boolean" | "object" => json!({"type": name}),
        _ => json!({"$ref": format!("#/definitions/{name}")}),
    }
}

/// `PagedT`, whose items are of `T`.
fn paged(name: &str) -> Option<&str> {
    name.strip_prefix("Paged").map(|item| if item == "String" { "string" } else { item })
}

fn members(members: impl Iterator<Item = (&'static str, Value)>) -> Value {
    let properties: Map<String, Value> = members.map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"type": "object", "properties": properties})
}

fn definitions() -> Map<String, Value> {
    let mut all: Map<String, Value> = TYPES
        .iter()
        .map(|(name, own)| ((*name).to_owned(), members(own.iter().map(|(member, of)| (*member, schema(of))))))
        .collect();
    for operation in SERVED {
        let (Told::Wrapped(name) | Told::Bare(name)) = &operation.told;
        let Some(item) = paged(name) else { continue };
        let page = [
            ("items", schema(&format!("[{item}]"))),
            ("offset", schema("integer")),
            ("limit", schema("integer")),
            ("totalItems", schema("integer")),
            ("moreItems", schema("boolean")),
            ("cursor", schema("string")),
            ("sort", schema("Sorting")),
        ];
        all.insert((*name).to_owned(), members(page.into_iter()));
    }
    all
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let named = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> =
        named.map(|name| json!({"name": name, "in": "path", "required": true, "type": "string"})).collect();
    let get_or_post = QUERIES.iter().find(|(path, _)| *path == operation.path);
    for (name, of) in get_or_post.iter().flat_map(|(_, names)| *names) {
        // `sendEmail` is of the making, not of the list at the same path.
        if (*name == "sendEmail") == (operation.method == "post") || operation.tag == "Daemon" {
            all.push(json!({"name": name, "in": "query", "required": false, "type": of}));
        }
    }
    match operation.body {
        "" => {}
        "form" => all.push(json!({"name": "group", "in": "formData", "required": true, "type": "string"})),
        body => all.push(json!({"name": "body", "in": "body", "required": false, "schema": schema(body)})),
    }
    all
}

fn answers(told: &Told) -> Value {
    let good = match told {
        Told::Bare(name) => schema(name),
        Told::Wrapped(name) => members([("status", schema("ResponseStatus")), ("response", schema(name))].into_iter()),
    };
    let bad = members([("status", schema("ResponseStatus"))].into_iter());
    json!({
        "200": {"description": "Done", "schema": good},
        "default": {"description": "Refused: status.code is the HTTP status", "schema": bad},
    })
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut paths: Map<String, Value> = Map::new();
    for operation in SERVED {
        let at = paths.entry(operation.path).or_insert_with(|| json!({}));
        let id = format!("{}_{}", operation.tag, operation.id.replace("::", "_").replace(' ', ""));
        let consumes = if operation.body == "form" { "application/x-www-form-urlencoded" } else { "application/json" };
        if let Some(methods) = at.as_object_mut() {
            let id = if methods.is_empty() { id } else { format!("{id}_{}", operation.method) };
            methods.insert(
                operation.method.to_owned(),
                json!({
                    "tags": [operation.tag],
                    "summary": operation.summary,
                    "operationId": id,
                    "consumes": [consumes],
                    "produces": ["application/json"],
                    "parameters": parameters(operation),
                    "responses": answers(&operation.told),
                }),
            );
        }
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Wavefront REST API, as Tokenhouse serves it", "version": "v2"},
        "basePath": "/",
        "securityDefinitions": {"api_key": {"type": "apiKey", "name": "X-AUTH-TOKEN", "in": "header"}},
        "security": [{"api_key": []}],
        "paths": paths,
        "definitions": definitions(),
    })
});

/// The document.
pub(super) async fn show() -> Json<&'static Value> {
    Json(&DOCUMENT)
}
