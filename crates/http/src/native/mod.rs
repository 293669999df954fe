//! The native API under `/v1`.

mod accounts;
mod api_tokens;
mod apps;
mod bulk;
mod export;
mod groups;
mod guest_apps;
mod import;
mod integrations;
mod jobs;
mod keys;
mod ledger;
mod nodes;
mod openapi;
mod orgs;
mod policy;
mod reports;
mod roles;
mod scopes;
mod session;
mod shapes;
mod tokens;
mod verify;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokenhouse_model::Done;
use tokenhouse_model::cursor::Listed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::dialect::shown;
use crate::extract::{As, NativeDoor};
use shapes::{Changed, List, Where};
pub(crate) use verify::{VERIFY, ask};

/// A caller of the native API.
pub(crate) type Native = As<NativeDoor>;

/// Its routes, and the document that describes them at `/v1/openapi.json`.
pub(crate) fn router() -> Router<App> {
    let (router, document) = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(session::whoami))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(orgs::list, orgs::create))
        .routes(routes!(orgs::get, orgs::rename))
        .routes(routes!(orgs::suspend))
        .routes(routes!(orgs::resume))
        .routes(routes!(orgs::onboard))
        .routes(routes!(orgs::offboard))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(export::accounts))
        .routes(routes!(accounts::get, accounts::describe, accounts::delete))
        .routes(routes!(accounts::activate))
        .routes(routes!(accounts::deactivate))
        .routes(routes!(accounts::set_password))
        .routes(routes!(accounts::permissions))
        .routes(routes!(accounts::assign, accounts::unassign))
        .routes(routes!(accounts::grant, accounts::revoke))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::get, groups::update, groups::delete))
        .routes(routes!(groups::members))
        .routes(routes!(groups::add, groups::remove))
        .routes(routes!(groups::assign, groups::unassign))
        .routes(routes!(groups::grant, groups::revoke))
        .routes(routes!(roles::list, roles::create))
        .routes(routes!(roles::get, roles::update, roles::delete))
        .routes(routes!(policy::get, policy::set))
        .routes(routes!(integrations::list))
        .routes(routes!(integrations::get, integrations::put, integrations::remove))
        .routes(routes!(reports::old_tokens))
        .routes(routes!(tokens::list, tokens::issue))
        .routes(routes!(import::import_tokens))
        .routes(routes!(export::tokens))
        .routes(routes!(tokens::get, tokens::update))
        .routes(routes!(tokens::deactivate))
        .routes(routes!(tokens::reactivate))
        .routes(routes!(tokens::rotate))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::usage))
        .routes(routes!(bulk::revoke))
        .routes(routes!(verify::verify))
        .routes(routes!(ledger::list))
        .routes(routes!(export::ledger))
        .routes(routes!(nodes::list, nodes::set))
        .routes(routes!(keys::list, keys::schedule))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::retire))
        .routes(routes!(api_tokens::list, api_tokens::create))
        .routes(routes!(api_tokens::get, api_tokens::revoke))
        .routes(routes!(api_tokens::regenerate))
        .routes(routes!(apps::list, apps::create))
        .routes(routes!(apps::get, apps::update, apps::delete))
        .routes(routes!(apps::rotate, apps::finish))
        .routes(routes!(guest_apps::list, guest_apps::add))
        .routes(routes!(guest_apps::get, guest_apps::update, guest_apps::remove))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::confirm))
        .routes(routes!(jobs::cancel))
        .split_for_parts();
    openapi::serve(router, document)
}

/// An answer that must not be kept by anyone on the way: it may carry a secret.
#[derive(Debug)]
pub(crate) struct Answer<T>(StatusCode, T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = (self.0, axum::Json(self.1)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// What was read.
pub(crate) fn found<T>(value: T) -> Answer<T> {
    Answer(StatusCode::OK, value)
}

/// What was changed, with its receipt.
pub(crate) fn changed<T, U>(done: &Done<T>, value: U) -> Answer<Changed<U>> {
    Answer(StatusCode::OK, Changed { value, receipt: Where::of(done) })
}

/// What was made, with its receipt.
pub(crate) fn created<T, U>(done: &Done<T>, value: U) -> Answer<Changed<U>> {
    Answer(StatusCode::CREATED, Changed { value, receipt: Where::of(done) })
}

/// A page.
pub(crate) fn listed<T, U: From<T>>(page: Listed<T>) -> Answer<List<U>> {
    let next = page.next.map(|cursor| cursor.encode());
    found(List { items: page.items.into_iter().map(U::from).collect(), next })
}
