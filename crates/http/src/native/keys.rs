//! `/v1/keys`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::keys::{self, KeyView};
use tokenhouse_model::id::parse;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Done, Uuid};
use utoipa::ToSchema;

use super::shapes::{Changed, time};
use super::{Answer, Native, changed, created, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path};

/// A key that access tokens are signed with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKey {
    /// What it signs names it as `kid`.
    id: Uuid,
    /// `RS256`, `ES256` or `EdDSA`.
    #[schema(example = "RS256")]
    algorithm: &'static str,
    /// `next` until it signs, `signing`, `verifying` while what it signed is believed, `retired`, or `compromised`.
    #[schema(example = "signing")]
    state: &'static str,
    created_at: i64,
    /// When it begins to sign, or began.
    signs_from: i64,
    /// When another takes over; absent while none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    signs_until: Option<i64>,
    /// Until when what it signed is believed; absent while no other takes over.
    #[serde(skip_serializing_if = "Option::is_none")]
    believed_until: Option<i64>,
}

impl From<KeyView> for SigningKey {
    fn from(view: KeyView) -> Self {
        let KeyView { key, phase, signs_until, believed_until } = view;
        Self {
            id: key.id,
            algorithm: key.algorithm.as_str(),
            state: phase.as_str(),
            created_at: key.created_at,
            signs_from: key.signs_from,
            signs_until: time(signs_until),
            believed_until: time(believed_until),
        }
    }
}

/// The keys of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKeys {
    /// In the order in which they sign.
    items: Vec<SigningKey>,
    /// After how many days a key is replaced by itself; 0 for never.
    rotate_days: i64,
}

/// Lists the keys that access tokens are signed with, those that are over included.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, description = "The keys", body = SigningKeys)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<SigningKeys>> {
    let keys::Keys { keys, days } = keys::list(&ctx, &caller).await?;
    Ok(found(SigningKeys { items: keys.into_iter().map(SigningKey::from).collect(), rotate_days: days }))
}

/// After how many days a key shall be replaced by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleRequest {
    /// 0 for never.
    #[schema(minimum = 0, maximum = 3650)]
    rotate_days: i64,
}

/// After how many days a key is replaced by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Schedule {
    /// 0 for never.
    rotate_days: i64,
}

/// Says after how many days a key is replaced by itself.
#[utoipa::path(patch, path = "/v1/keys", tag = "keys", request_body = ScheduleRequest, responses((status = 200, description = "Set", body = Changed<Schedule>)))]
pub(super) async fn schedule(
    State(ctx): House,
    As(caller, _): Native,
    Body(ScheduleRequest { rotate_days }): Body<ScheduleRequest>,
) -> Reply<Answer<Changed<Schedule>>> {
    let done = keys::set_days(&ctx, &caller, rotate_days).await?;
    Ok(changed(&done, Schedule { rotate_days }))
}

/// What is to be replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// `RS256`, `ES256` or `EdDSA`.
    #[schema(example = "RS256")]
    algorithm: String,
    /// Whether it signs at once; else an hour later, when whoever keeps a copy of the published keys knows it.
    #[serde(default)]
    at_once: bool,
}

/// Makes a new key of an algorithm. What the present one signed is believed until it is over.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys", request_body = RotateRequest, responses((status = 201, description = "The new key", body = Changed<SigningKey>)))]
pub(super) async fn rotate(
    State(ctx): House,
    As(caller, _): Native,
    Body(RotateRequest { algorithm, at_once }): Body<RotateRequest>,
) -> Reply<Answer<Changed<SigningKey>>> {
    let done = keys::rotate(&ctx, &caller, Algorithm::parse(&algorithm)?, at_once).await?;
    let key = shown(keys::get(&ctx, &caller, done.value.id).await)?;
    Ok(created(&done, SigningKey::from(key)))
}

/// How a key is ended.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetireRequest {
    /// Whether somebody else may have it: then nothing that it signed is believed from now on.
    #[serde(default)]
    compromised: bool,
}

/// Ends a key. One that signs is replaced at once, and what it signed is believed until it is over, unless the key is
/// compromised.
#[utoipa::path(post, path = "/v1/keys/{id}/retire", tag = "keys", params(("id" = String, Path)), request_body = RetireRequest, responses((status = 200, description = "Ended", body = Changed<SigningKey>)))]
pub(super) async fn retire(
    State(ctx): House,
    As(caller, _): Native,
    Path(id): Path<String>,
    Body(RetireRequest { compromised }): Body<RetireRequest>,
) -> Reply<Answer<Changed<SigningKey>>> {
    let done: Done<_> = keys::retire(&ctx, &caller, parse("signing key", &id)?, compromised).await?;
    let key = shown(keys::get(&ctx, &caller, done.value.id).await)?;
    Ok(changed(&done, SigningKey::from(key)))
}
