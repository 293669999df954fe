//! The JSON of api tokens and of the roles that they carry (csp.md 1.3, 3.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenhouse_authority::api_tokens::ApiTokenView;
use tokenhouse_model::account::Account;
use tokenhouse_model::asked::{Asked, ServiceRoles};
use tokenhouse_model::search::Found;
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Error, NEVER, PermissionSet, Result, SecretText, Uuid};

/// A role by its name. Some clients say more of it, which is passed over.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct RoleName {
    name: String,
}

impl RoleName {
    pub(super) fn all(names: &[String]) -> Vec<Self> {
        names.iter().map(|name| Self { name: name.clone() }).collect()
    }
}

/// Roles of the organization, or of one service.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Roles {
    #[serde(skip_serializing_if = "Option::is_none")]
    service_definition_id: Option<String>,
    all_permissions: bool,
    all_roles: bool,
    roles: Vec<RoleName>,
    /// Always empty: permissions are had through roles.
    #[serde(skip_deserializing)]
    permissions: [(); 0],
}

/// `allowedScopes`: the roles that an api token or an app is to have.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AllowedScopes {
    general_scopes: Vec<String>,
    organization_scopes: Roles,
    services_scopes: Vec<Roles>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_roles: Vec<RoleName>,
    #[serde(skip_serializing)]
    all_roles: bool,
}

impl AllowedScopes {
    /// In our words.
    ///
    /// # Errors
    /// `invalid_field` for all roles of everything, which is refused here (csp.md 4.1).
    pub(super) fn asked(self) -> Result<Asked> {
        let scopes = self;
        if scopes.all_roles {
            return Err(Error::invalid("allRoles", "is not allowed here: name the roles, or all of one service"));
        }
        let names = |roles: Vec<RoleName>| roles.into_iter().map(|role| role.name).collect();
        let of =
            |roles: Roles| ServiceRoles { all: roles.all_roles || roles.all_permissions, roles: names(roles.roles) };
        let mut services = BTreeMap::new();
        for roles in scopes.services_scopes {
            let service = service_id(roles.service_definition_id.clone().unwrap_or_default());
            let named: &mut ServiceRoles = services.entry(service).or_default();
            let roles = of(roles);
            named.all |= roles.all;
            named.roles.extend(roles.roles);
        }
        Ok(Asked {
            general: scopes.general_scopes,
            organization: of(scopes.organization_scopes),
            services,
            custom: names(scopes.custom_roles),
        })
    }
}

/// The id of a service. Some send the link, of which the id is the end (csp.md 3.2).
pub(super) fn service_id(text: String) -> String {
    text.rsplit_once('/').map(|(_, id)| id.to_owned()).unwrap_or(text)
}

impl From<&Asked> for AllowedScopes {
    fn from(asked: &Asked) -> Self {
        let names = RoleName::all;
        let of = |roles: &ServiceRoles, service| Roles {
            service_definition_id: service,
            all_roles: roles.all,
            roles: names(&roles.roles),
            ..Roles::default()
        };
        Self {
            general_scopes: asked.general.clone(),
            organization_scopes: of(&asked.organization, None),
            services_scopes: asked.services.iter().map(|(id, roles)| of(roles, Some(id.clone()))).collect(),
            custom_roles: names(&asked.custom),
            all_roles: false,
        }
    }
}

/// What an api token is (csp.md 1.3). Times are in milliseconds since the epoch (G14).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    acct: String,
    allowed_scopes: AllowedScopes,
    created_at: i64,
    deactivated: bool,
    domain: String,
    /// -1 for never.
    expires_at: i64,
    expired: bool,
    idp_id: String,
    last_used_at: i64,
    notify_before_expiry: i64,
    org_id: Uuid,
    scope: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<SecretText>,
    token_id: Uuid,
    token_name: String,
    user_id: Uuid,
    username: String,
}

impl Details {
    /// With the value only for whoever sent it himself.
    pub(super) fn of(api: &ApiTokenView, value: Option<SecretText>) -> Self {
        let (view, terms) = (&api.view, &api.terms);
        let token = &view.token;
        let owner = view.owner.as_ref().map(|owner| owner.identifier.clone()).unwrap_or_default();
        Self {
            domain: domain(&owner).to_owned(),
            idp_id: domain(&owner).to_owned(),
            acct: owner.clone(),
            username: owner,
            allowed_scopes: AllowedScopes::from(&terms.asked),
            created_at: token.created_at,
            deactivated: view.standing == Standing::Inactive,
            expires_at: if view.ends_at == NEVER { -1 } else { view.ends_at },
            expired: view.standing == Standing::Expired,
            last_used_at: token.last_used_at,
            notify_before_expiry: terms.notice_days,
            org_id: token.org_id,
            scope: token.scopes.only().map(PermissionSet::names).unwrap_or_default(),
            token: value,
            token_id: token.id,
            token_name: token.name.clone(),
            user_id: token.owner_id,
        }
    }
}

/// What stands behind the at sign.
pub(super) fn domain(identifier: &str) -> &str {
    identifier.split_once('@').map_or("", |(_, domain)| domain)
}

/// A page of this dialect.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paged<T> {
    pub(super) results: Vec<T>,
    pub(super) total_results: usize,
    pub(super) next_link: Option<String>,
    pub(super) prev_link: Option<String>,
}

impl<T> Paged<T> {
    /// All there are, on one page.
    pub(super) fn whole(results: Vec<T>) -> Self {
        Self { total_results: results.len(), results, next_link: None, prev_link: None }
    }

    pub(super) fn map<U>(self, of: impl FnMut(T) -> U) -> Paged<U> {
        let Self { results, total_results, next_link, prev_link } = self;
        Paged { results: results.into_iter().map(of).collect(), total_results, next_link, prev_link }
    }
}

/// Which page is asked for: from which item on, the first being 1, and how many (csp.md 6).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paging {
    page_start: Option<usize>,
    page_limit: Option<u32>,
}

/// The most items of a page, and how many it has unless told.
const LARGEST: u32 = 200;

impl Paging {
    /// The first item that is asked for, counted from 1, and how many.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn bounds(&self) -> Result<(usize, u32)> {
        let (start, limit) = (self.page_start.unwrap_or(1), self.page_limit.unwrap_or(LARGEST));
        if start == 0 {
            return Err(Error::invalid("pageStart", "must be at least 1"));
        }
        if !(1..=LARGEST).contains(&limit) {
            return Err(Error::invalid("pageLimit", format_args!("must be 1 to {LARGEST}")));
        }
        Ok((start, limit))
    }

    /// Cuts the page out of all there are.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn cut<T>(&self, all: Vec<T>, path: &str) -> Result<Paged<T>> {
        let (start, limit) = self.bounds()?;
        let (total, limit) = (all.len(), limit as usize);
        let more = total.saturating_sub(limit) >= start;
        self.linked(all.into_iter().skip(start - 1).take(limit).collect(), total, more, path)
    }

    /// The page that a search found.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn of<T>(&self, found: Found<T>, path: &str) -> Result<Paged<T>> {
        let total = usize::try_from(found.total).unwrap_or(0);
        self.linked(found.items, total, found.more, path)
    }

    fn linked<T>(&self, results: Vec<T>, total_results: usize, more: bool, path: &str) -> Result<Paged<T>> {
        let (start, limit) = self.bounds()?;
        let with = if path.contains('?') { '&' } else { '?' };
        let link = |start: usize| format!("{path}{with}pageStart={start}&pageLimit={limit}");
        Ok(Paged {
            next_link: more.then(|| link(start.saturating_add(limit as usize))),
            prev_link: (start > 1).then(|| link(start.saturating_sub(limit as usize).max(1))),
            results,
            total_results,
        })
    }
}

/// Who is signed in (csp.md 6).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    acct: String,
    username: String,
    user_id: Uuid,
    email: String,
    email_verified: bool,
    first_name: String,
    last_name: String,
    domain: String,
    idp_id: String,
    user_profile: Profile,
    ref_link: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_org_id: Uuid,
    is_federated: bool,
    language: &'static str,
    locale: &'static str,
}

impl Person {
    /// Of an account. We know no names but the e-mail address.
    pub(super) fn of(account: &Account) -> Self {
        let email = account.identifier.clone();
        let domain = domain(&email).to_owned();
        Self {
            acct: email.clone(),
            username: email.clone(),
            user_id: account.id,
            email_verified: email.contains('@'),
            email,
            first_name: String::new(),
            last_name: String::new(),
            idp_id: domain.clone(),
            domain,
            user_profile: Profile { default_org_id: account.org_id, is_federated: false, language: "en", locale: "en" },
            ref_link: format!("/csp/gateway/am/api/users/{}", account.id),
        }
    }
}
