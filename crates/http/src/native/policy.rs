//! `/v1/policy`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::policies;
use tokenhouse_model::Policy;
use tokenhouse_model::policy::KindPolicy;
use utoipa::ToSchema;

use super::shapes::{Changed, millis, seconds};
use super::{Answer, Native, changed, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body};

/// The rules for one kind of token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KindRules {
    /// How many tokens that are neither revoked nor expired an owner may have.
    limit: i64,
    /// The longest life, counted from the making; it ends older tokens too. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_lifetime_seconds: Option<i64>,
    /// The life of a token whose maker names none. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_lifetime_seconds: Option<i64>,
    /// The longest rest. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_idle_seconds: Option<i64>,
}

impl From<KindPolicy> for KindRules {
    fn from(rules: KindPolicy) -> Self {
        Self {
            limit: rules.limit,
            max_lifetime_seconds: seconds(rules.max_lifetime),
            default_lifetime_seconds: seconds(rules.default_lifetime),
            max_idle_seconds: seconds(rules.max_idle),
        }
    }
}

impl From<KindRules> for KindPolicy {
    fn from(rules: KindRules) -> Self {
        Self {
            limit: rules.limit,
            max_lifetime: millis(rules.max_lifetime_seconds),
            default_lifetime: millis(rules.default_lifetime_seconds),
            max_idle: millis(rules.max_idle_seconds),
        }
    }
}

/// The rules by kind of token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Kinds {
    user: KindRules,
    service: KindRules,
    api: KindRules,
    client_secret: KindRules,
    session: KindRules,
    org: KindRules,
}

/// The rules to set: all of them, so that nobody resets one by leaving it out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesRequest {
    kinds: Kinds,
    widen_reach: bool,
    recoverable: bool,
    session_by_user_token: bool,
}

/// An org's rules for its tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rules {
    kinds: Kinds,
    /// Whether a token may be issued with more reach than the one that makes it.
    widen_reach: bool,
    /// Whether secrets of wavefront tokens can be shown again.
    recoverable: bool,
    /// Whether an administrator's native user token counts where splunk asks for his session.
    session_by_user_token: bool,
}

impl From<Policy> for Rules {
    fn from(policy: Policy) -> Self {
        Self {
            kinds: Kinds {
                user: policy.user.into(),
                service: policy.service.into(),
                api: policy.api.into(),
                client_secret: policy.client_secret.into(),
                session: policy.session.into(),
                org: policy.org.into(),
            },
            widen_reach: policy.widen_reach,
            recoverable: policy.recoverable,
            session_by_user_token: policy.session_by_user_token,
        }
    }
}

impl From<RulesRequest> for Policy {
    fn from(rules: RulesRequest) -> Self {
        Self {
            user: rules.kinds.user.into(),
            service: rules.kinds.service.into(),
            api: rules.kinds.api.into(),
            client_secret: rules.kinds.client_secret.into(),
            session: rules.kinds.session.into(),
            org: rules.kinds.org.into(),
            widen_reach: rules.widen_reach,
            recoverable: rules.recoverable,
            session_by_user_token: rules.session_by_user_token,
        }
    }
}

/// Shows the org's policy.
#[utoipa::path(get, path = "/v1/policy", tag = "policy", responses((status = 200, description = "The policy", body = Rules)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native) -> Reply<Answer<Rules>> {
    Ok(found(policies::get(&ctx, &caller).await?.into()))
}

/// Sets the org's policy. It holds for the tokens that there are, too.
#[utoipa::path(put, path = "/v1/policy", tag = "policy", request_body = RulesRequest, responses((status = 200, description = "Set", body = Changed<Rules>)))]
pub(super) async fn set(
    State(ctx): House,
    As(caller, _): Native,
    Body(rules): Body<RulesRequest>,
) -> Reply<Answer<Changed<Rules>>> {
    let done = policies::set(&ctx, &caller, rules.into()).await?;
    Ok(changed(&done, shown(policies::get(&ctx, &caller).await)?.into()))
}
