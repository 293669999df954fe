//! The Wavefront dialect: `/api/v2`, `/api/daemon` and `/report` (wavefront.md).

mod accounts;
mod customer;
mod daemon;
mod found;
mod groups;
mod people;
mod permissions;
mod query;
mod read;
mod roles;
mod saved;
mod search;
mod service_accounts;
mod shapes;
mod stream;
mod swagger;
mod tokens;
pub mod upstream;
mod users;
mod words;

use axum::Router;
use axum::routing::{any, delete, get, post, put};

use crate::App;
use swagger::{Operation, Told};

pub(crate) use words::envelope;

/// Its routes. What stands there word for word comes before what is named by the caller (gotcha 14): the router sees to
/// that, whatever the order here.
pub(crate) fn router() -> Router<App> {
    routes()
        .route("/api/v2/swagger.json", get(swagger::show))
        .route("/api/v2/wfproxy/{*rest}", any(upstream::proxy))
        .route("/report", post(upstream::report))
}

/// Declares endpoints: as routes, and as what `swagger.json` says of them.
macro_rules! served {
    ($($tag:literal { $($method:ident $path:literal $handler:path, $summary:literal, $body:literal -> $told:expr;)+ })+) => {
        fn routes() -> Router<App> {
            Router::new()$($(.route($path, $method($handler)))+)+
        }

        /// Every endpoint whose answer is ours to say.
        static SERVED: &[Operation] = &[$($(Operation {
            tag: $tag,
            method: stringify!($method),
            path: $path,
            id: stringify!($handler),
            summary: $summary,
            body: $body,
            told: $told,
        }),+),+];
    };
}

use Told::{Bare, Wrapped};

served! {
    "ApiToken" {
        get "/api/v2/apitoken" tokens::own, "All tokens of one's own", "" -> Wrapped("[UserApiToken]");
        post "/api/v2/apitoken" tokens::create_own, "Make a token of one's own, last in the list", "UserApiToken" -> Wrapped("[UserApiToken]");
        put "/api/v2/apitoken/{token}" tokens::rename_own, "Rename a token of one's own", "UserApiToken" -> Wrapped("UserApiToken");
        delete "/api/v2/apitoken/{token}" tokens::revoke_own, "Revoke a token of one's own", "" -> Wrapped("[UserApiToken]");
        get "/api/v2/apitoken/serviceaccount/{id}" tokens::of_service, "All tokens of a service account", "" -> Wrapped("[UserApiToken]");
        post "/api/v2/apitoken/serviceaccount/{id}" tokens::create_for_service, "Make a token of a service account, last in the list", "ServiceAccountTokenWrite" -> Wrapped("[UserApiToken]");
        put "/api/v2/apitoken/serviceaccount/{id}/{token}" tokens::rename_for_service, "Rename a token of a service account", "UserApiToken" -> Wrapped("UserApiToken");
        delete "/api/v2/apitoken/serviceaccount/{id}/{token}" tokens::revoke_for_service, "Revoke a token of a service account", "" -> Wrapped("[UserApiToken]");
        get "/api/v2/apitoken/customertokens" tokens::everyones, "All tokens of the organization", "" -> Wrapped("[ApiTokenModel]");
        put "/api/v2/apitoken/customertokens/revoke" tokens::revoke_any, "Revoke any token of the organization", "UserApiToken" -> Wrapped("UserApiToken");
        get "/api/v2/apitoken/customertokens/{token}" tokens::get, "One token of the organization", "" -> Wrapped("ApiTokenModel");
    }
    "Account" {
        get "/api/v2/account" search::all_accounts, "A page of all accounts", "" -> Wrapped("PagedAccount");
        get "/api/v2/account/{id}" accounts::get, "One account", "" -> Wrapped("Account");
        delete "/api/v2/account/{id}" accounts::delete, "Delete an account", "" -> Wrapped("Account");
        post "/api/v2/account/deleteAccounts" accounts::delete_many, "Delete accounts", "[string]" -> Wrapped("[string]");
        post "/api/v2/account/validateAccounts" accounts::validate, "Tell which accounts are there", "[string]" -> Wrapped("ValidatedUsersDTO");
        get "/api/v2/account/{id}/businessFunctions" users::business_functions, "What an account may do", "" -> Wrapped("[string]");
        post "/api/v2/account/{id}/grant/{permission}" accounts::grant, "Give an account a permission", "" -> Bare("UserModel");
        post "/api/v2/account/{id}/revoke/{permission}" accounts::revoke, "Take a permission from an account", "" -> Bare("UserModel");
        post "/api/v2/account/grant/{permission}" accounts::grant_many, "Give accounts a permission", "[string]" -> Bare("UserModel");
        post "/api/v2/account/revoke/{permission}" accounts::revoke_many, "Take a permission from accounts", "[string]" -> Bare("UserModel");
        post "/api/v2/account/{id}/addRoles" accounts::add_roles, "Give an account roles", "[string]" -> Bare("UserModel");
        post "/api/v2/account/{id}/removeRoles" accounts::remove_roles, "Take roles from an account", "[string]" -> Bare("UserModel");
        post "/api/v2/account/{id}/addUserGroups" accounts::add_groups, "Put an account into groups", "[string]" -> Bare("UserModel");
        post "/api/v2/account/{id}/removeUserGroups" accounts::remove_groups, "Take an account out of groups", "[string]" -> Bare("UserModel");
        get "/api/v2/account/serviceaccount" service_accounts::list, "All service accounts", "" -> Wrapped("[ServiceAccount]");
        post "/api/v2/account/serviceaccount" service_accounts::create, "Make a service account", "ServiceAccountWrite" -> Wrapped("ServiceAccount");
        get "/api/v2/account/serviceaccount/{id}" service_accounts::get, "One service account", "" -> Wrapped("ServiceAccount");
        put "/api/v2/account/serviceaccount/{id}" service_accounts::update, "Change a service account", "ServiceAccountWrite" -> Wrapped("ServiceAccount");
        post "/api/v2/account/serviceaccount/{id}/activate" service_accounts::activate, "Let a service account's tokens work again", "" -> Wrapped("ServiceAccount");
        post "/api/v2/account/serviceaccount/{id}/deactivate" service_accounts::deactivate, "Stop a service account's tokens", "" -> Wrapped("ServiceAccount");
        get "/api/v2/account/user" users::list, "All users", "" -> Wrapped("[UserDTO]");
        post "/api/v2/account/user" users::create, "Make a user", "UserToCreate" -> Bare("UserModel");
        get "/api/v2/account/user/admin" users::admins, "The users who hold Accounts", "" -> Wrapped("[string]");
        post "/api/v2/account/user/invite" users::invite, "Make users who are asked to come", "[UserToCreate]" -> Bare("UserModel");
        get "/api/v2/account/user/{id}" users::get, "One user", "" -> Bare("UserModel");
        put "/api/v2/account/user/{id}" users::update, "Change what a user holds", "UserRequestDTO" -> Bare("UserModel");
    }
    "User" {
        get "/api/v2/user" users::list_bare, "All users", "" -> Bare("[UserModel]");
        post "/api/v2/user" users::create, "Make a user", "UserToCreate" -> Bare("UserModel");
        get "/api/v2/user/{id}" users::get, "One user", "" -> Bare("UserModel");
        put "/api/v2/user/{id}" users::update, "Change what a user holds", "UserRequestDTO" -> Bare("UserModel");
        delete "/api/v2/user/{id}" users::delete, "Delete a user", "" -> Bare("[UserModel]");
        get "/api/v2/user/{id}/businessFunctions" users::functions_of, "One user", "" -> Bare("UserModel");
        post "/api/v2/user/{id}/grant" accounts::grant_by_form, "Give a user a permission", "form" -> Bare("UserModel");
        post "/api/v2/user/{id}/revoke" accounts::revoke_by_form, "Take a permission from a user", "form" -> Bare("UserModel");
        post "/api/v2/user/grant/{permission}" accounts::grant_many, "Give users a permission", "[string]" -> Bare("UserModel");
        post "/api/v2/user/revoke/{permission}" accounts::revoke_many, "Take a permission from users", "[string]" -> Bare("UserModel");
        post "/api/v2/user/{id}/addUserGroups" accounts::add_groups, "Put a user into groups", "[string]" -> Bare("UserModel");
        post "/api/v2/user/{id}/removeUserGroups" accounts::remove_groups, "Take a user out of groups", "[string]" -> Bare("UserModel");
        post "/api/v2/user/invite" users::invite, "Make users who are asked to come", "[UserToCreate]" -> Bare("UserModel");
        post "/api/v2/user/deleteUsers" accounts::delete_many, "Delete users", "[string]" -> Wrapped("[string]");
        post "/api/v2/user/validateUsers" accounts::validate, "Tell which users are there", "[string]" -> Wrapped("ValidatedUsersDTO");
    }
    "UserGroup" {
        get "/api/v2/usergroup" search::all_groups, "A page of all groups", "" -> Wrapped("PagedUserGroupModel");
        post "/api/v2/usergroup" groups::create, "Make a group", "UserGroupWrite" -> Wrapped("UserGroupModel");
        get "/api/v2/usergroup/{id}" groups::get, "One group", "" -> Wrapped("UserGroupModel");
        put "/api/v2/usergroup/{id}" groups::update, "Change a group", "UserGroupWrite" -> Wrapped("UserGroupModel");
        delete "/api/v2/usergroup/{id}" groups::delete, "Delete a group", "" -> Wrapped("UserGroupModel");
        post "/api/v2/usergroup/{id}/addUsers" groups::add_users, "Put accounts into a group", "[string]" -> Wrapped("UserGroupModel");
        post "/api/v2/usergroup/{id}/removeUsers" groups::remove_users, "Take accounts out of a group", "[string]" -> Wrapped("UserGroupModel");
        post "/api/v2/usergroup/{id}/addRoles" groups::add_roles, "Give a group roles", "[string]" -> Wrapped("UserGroupModel");
        post "/api/v2/usergroup/{id}/removeRoles" groups::remove_roles, "Take roles from a group", "[string]" -> Wrapped("UserGroupModel");
    }
    "Role" {
        get "/api/v2/role" search::all_roles, "A page of all roles", "" -> Wrapped("PagedRoleDTO");
        post "/api/v2/role" roles::create, "Make a role", "RoleWrite" -> Wrapped("RoleDTO");
        get "/api/v2/role/{id}" roles::get, "One role", "" -> Wrapped("RoleDTO");
        put "/api/v2/role/{id}" roles::update, "Change a role", "RoleWrite" -> Wrapped("RoleDTO");
        delete "/api/v2/role/{id}" roles::delete, "Delete a role", "" -> Wrapped("RoleDTO");
        post "/api/v2/role/{id}/addAssignees" roles::add_assignees, "Give accounts and groups a role", "[string]" -> Wrapped("RoleDTO");
        post "/api/v2/role/{id}/removeAssignees" roles::remove_assignees, "Take a role from accounts and groups", "[string]" -> Wrapped("RoleDTO");
        post "/api/v2/role/grant/{permission}" roles::grant, "Add a permission to roles", "[string]" -> Wrapped("RoleDTO");
        post "/api/v2/role/revoke/{permission}" roles::revoke, "Take a permission from roles", "[string]" -> Wrapped("RoleDTO");
    }
    "Search" {
        post "/api/v2/search/token" search::tokens, "Search for tokens", "SortableSearchRequest" -> Wrapped("PagedApiTokenModel");
        post "/api/v2/search/token/facets" search::token_facets, "The values of fields of tokens", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/token/{facet}" search::token_facet, "The values of a field of tokens", "FacetSearchRequestContainer" -> Wrapped("PagedString");
        post "/api/v2/search/account" search::accounts, "Search for accounts", "SortableSearchRequest" -> Wrapped("PagedAccount");
        post "/api/v2/search/account/facets" search::account_facets, "The values of fields of accounts", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/account/{facet}" search::account_facet, "The values of a field of accounts", "FacetSearchRequestContainer" -> Wrapped("PagedString");
        post "/api/v2/search/serviceaccount" search::services, "Search for service accounts", "SortableSearchRequest" -> Wrapped("PagedServiceAccount");
        post "/api/v2/search/serviceaccount/facets" search::service_facets, "The values of fields of service accounts", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/serviceaccount/{facet}" search::service_facet, "The values of a field of service accounts", "FacetSearchRequestContainer" -> Wrapped("PagedString");
        post "/api/v2/search/user" search::users, "Search for users", "SortableSearchRequest" -> Wrapped("PagedCustomerFacingUserObject");
        post "/api/v2/search/user/facets" search::user_facets, "The values of fields of users", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/user/{facet}" search::user_facet, "The values of a field of users", "FacetSearchRequestContainer" -> Wrapped("PagedString");
        post "/api/v2/search/usergroup" search::groups, "Search for groups", "SortableSearchRequest" -> Wrapped("PagedUserGroupModel");
        post "/api/v2/search/usergroup/facets" search::group_facets, "The values of fields of groups", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/usergroup/{facet}" search::group_facet, "The values of a field of groups", "FacetSearchRequestContainer" -> Wrapped("PagedString");
        post "/api/v2/search/role" search::roles, "Search for roles", "SortableSearchRequest" -> Wrapped("PagedRoleDTO");
        post "/api/v2/search/role/facets" search::role_facets, "The values of fields of roles", "FacetsSearchRequestContainer" -> Wrapped("FacetsResponseContainer");
        post "/api/v2/search/role/{facet}" search::role_facet, "The values of a field of roles", "FacetSearchRequestContainer" -> Wrapped("PagedString");
    }
    "SavedSearch" {
        get "/api/v2/savedsearch" saved::list, "A page of one's own saved searches", "" -> Wrapped("PagedSavedSearch");
        post "/api/v2/savedsearch" saved::create, "Save a search", "SavedSearch" -> Wrapped("SavedSearch");
        get "/api/v2/savedsearch/type/{entitytype}" saved::list_of, "A page of one's own saved searches for one sort of thing", "" -> Wrapped("PagedSavedSearch");
        get "/api/v2/savedsearch/{id}" saved::get, "One saved search", "" -> Wrapped("SavedSearch");
        put "/api/v2/savedsearch/{id}" saved::update, "Replace a saved search", "SavedSearch" -> Wrapped("SavedSearch");
        delete "/api/v2/savedsearch/{id}" saved::delete, "Delete a saved search", "" -> Wrapped("SavedSearch");
    }
    "Customer" {
        get "/api/v2/customer/permissions" customer::all_permissions, "Every permission that there is", "" -> Wrapped("[Permission]");
        get "/api/v2/customer/preferences" customer::preferences, "The organization's settings as far as they are about accounts", "" -> Wrapped("Preferences");
        get "/api/v2/customer/preferences/defaultUserGroups" customer::default_groups, "The groups that a new user is in", "" -> Wrapped("[UserGroupModel]");
        get "/api/v2/cluster/info" customer::cluster, "Where one is", "" -> Wrapped("ClusterInfo");
    }
    "Logout" {
        post "/api/logout/{id}" users::logout, "Sign a user out everywhere", "" -> Bare("UserModel");
    }
    "Daemon" {
        get "/api/daemon/test" daemon::test, "Whether a token is good for a proxy", "" -> Wrapped("object");
        post "/api/daemon/test" daemon::test, "Whether a token is good for a proxy", "" -> Wrapped("object");
    }
}
