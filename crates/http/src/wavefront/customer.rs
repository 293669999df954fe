//! `/api/v2/customer` and `/api/v2/cluster`: what clients ask about the org itself (wavefront.md 7.2).

use axum::extract::State;
use serde::Serialize;
use tokenhouse_authority::groups;
use tokenhouse_model::GroupKind;

use super::people::UserGroup;
use super::permissions;
use super::read::Wavefront;
use super::words::{Answer, Wrapped, ok};
use crate::House;
use crate::dialect::Reply;
use crate::extract::As;

/// A permission as the UI tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    group_name: &'static str,
    display_name: &'static str,
    description: &'static str,
}

/// Every permission that there is.
pub(super) async fn all_permissions(_: Wavefront) -> Reply<Answer<Wrapped<Vec<Described>>>> {
    let described = |(group_name, display_name, description)| Described { group_name, display_name, description };
    Ok(ok(permissions::all().map(described).collect()))
}

/// The groups that a new user is in.
pub(super) async fn default_groups(
    State(ctx): House,
    As(caller, _): Wavefront,
) -> Reply<Answer<Wrapped<Vec<UserGroup>>>> {
    let everyone = groups::of_kind(&ctx, &caller, GroupKind::Everyone).await?;
    Ok(ok(vec![UserGroup::new(&everyone, caller.org())]))
}

/// What a new account gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Preferences {
    customer_id: String,
    default_user_groups: Vec<UserGroup>,
    invite_permissions: Vec<&'static str>,
}

/// The org's settings as far as they are about accounts.
pub(super) async fn preferences(State(ctx): House, As(caller, _): Wavefront) -> Reply<Answer<Wrapped<Preferences>>> {
    let everyone = groups::of_kind(&ctx, &caller, GroupKind::Everyone).await?;
    Ok(ok(Preferences {
        customer_id: caller.org().name.clone(),
        default_user_groups: vec![UserGroup::new(&everyone, caller.org())],
        invite_permissions: Vec::new(),
    }))
}

/// Where one is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cluster {
    cluster_alias: String,
    status_page_link: Option<String>,
}

/// The installation's name as its clients see it: the org's, as there is nothing above an org that they could be told.
pub(super) async fn cluster(As(caller, _): Wavefront) -> Reply<Answer<Wrapped<Cluster>>> {
    Ok(ok(Cluster { cluster_alias: caller.org().name.clone(), status_page_link: None }))
}
