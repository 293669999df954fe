//! What readers get to see: rows joined with what belongs to them. The rows of a page may be in any order, and however
//! many they are, each kind of thing that belongs to them is read at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokenhouse_model::cursor::Listed;
use tokenhouse_model::role::HolderKind;
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Account, Group, Millis, PermissionSet, Policy, Result, Role, Secret, Token, TokenKind, Uuid};
use tokenhouse_store::tokens::OwnerUse;
use tokenhouse_store::{Conn, accounts, groups, holders, integrations, roles, tokens};

/// A role or permission that someone was given directly.
#[derive(Clone, Debug)]
pub struct Given {
    /// The role; `None` for a permission.
    pub role: Option<Arc<Role>>,
    /// The permissions that it gives.
    pub permissions: PermissionSet,
    /// Until when; `NEVER` if it does not end.
    pub expires_at: Millis,
    /// When it was given.
    pub created_at: Millis,
}

/// An account with what it was given and what that comes to.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The row.
    pub account: Account,
    /// Roles and permissions given directly.
    pub given: Vec<Given>,
    /// The groups that it is in, the oldest first.
    pub groups: Vec<Arc<GroupView>>,
    /// Every permission that it holds: directly, through roles, through groups.
    pub held: PermissionSet,
    /// Every role that it holds, directly or through groups, each once.
    pub held_roles: Vec<Arc<Role>>,
    /// When one of its tokens was last used; 0 if none ever was.
    pub last_used_at: Millis,
    /// When its newest session was made; 0 if there was none.
    pub last_login_at: Millis,
    /// How many tokens it has that are not revoked.
    pub tokens: i64,
}

/// A group with what it gives.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// The row.
    pub group: Group,
    /// How many members it has.
    pub members: i64,
    /// The identifiers of up to ten of them.
    pub sample: Vec<String>,
    /// Roles and permissions that it gives to them.
    pub given: Vec<Given>,
}

/// A role with those of the org who hold it themselves.
#[derive(Clone, Debug)]
pub struct RoleView {
    /// The row.
    pub role: Role,
    /// How many accounts hold it.
    pub accounts: i64,
    /// How many groups hold it.
    pub groups: i64,
    /// The identifiers of up to ten of the accounts.
    pub sample_accounts: Vec<String>,
    /// Up to ten of the groups.
    pub sample_groups: Vec<Arc<GroupView>>,
}

/// A token with its owner and its secrets' last characters.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// The row.
    pub token: Token,
    /// Its owner; `None` for an org token.
    pub owner: Option<Account>,
    /// Its state as it is now.
    pub standing: Standing,
    /// When it ends, by itself or by the org's policy; `NEVER` if it does not.
    pub ends_at: Millis,
    /// The integration whose proxies it is for, if it is for one.
    pub integration: Option<String>,
    /// The secrets that are good now.
    pub secrets: Vec<Secret>,
}

/// The ids of rows, each once.
fn ids<T>(items: &[T], id: impl Fn(&T) -> Uuid) -> Vec<Uuid> {
    items.iter().map(id).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What each of these holders was given directly, as far as it counts now: roles first.
async fn given(conn: &mut Conn<'_>, holders: &[Uuid], now: Millis) -> Result<HashMap<Uuid, Vec<Given>>> {
    let assignments = roles::assigned_to(conn, holders, now).await?;
    let named = roles::by_ids(conn, &ids(&assignments, |assignment| assignment.role_id)).await?;
    let named: HashMap<Uuid, Arc<Role>> = named.into_iter().map(|role| (role.id, Arc::new(role))).collect();
    let mut by_holder: HashMap<Uuid, Vec<Given>> = HashMap::new();
    for assignment in assignments {
        let Some(role) = named.get(&assignment.role_id) else { continue };
        by_holder.entry(assignment.holder_id).or_default().push(Given {
            permissions: role.permissions.clone(),
            role: Some(role.clone()),
            expires_at: assignment.expires_at,
            created_at: assignment.created_at,
        });
    }
    for grant in roles::granted_to(conn, holders, now).await? {
        let mut permissions = PermissionSet::none();
        permissions.insert(&grant.permission);
        let one = Given { role: None, permissions, expires_at: grant.expires_at, created_at: grant.created_at };
        by_holder.entry(grant.holder_id).or_default().push(one);
    }
    Ok(by_holder)
}

/// Joins accounts with what belongs to them.
pub(crate) async fn accounts(conn: &mut Conn<'_>, page: Listed<Account>, now: Millis) -> Result<Listed<AccountView>> {
    let wanted = ids(&page.items, |account| account.id);
    let mut given = given(conn, &wanted, now).await?;
    let memberships = groups::of_accounts(conn, &wanted).await?;
    let known = groups_by_id(conn, &ids(&memberships, |membership| membership.group_id), now).await?;
    let mut member: HashMap<Uuid, Vec<Arc<GroupView>>> = HashMap::new();
    for membership in memberships {
        let group = known.get(&membership.group_id).cloned();
        member.entry(membership.account_id).or_default().extend(group);
    }
    let mut used: HashMap<Uuid, OwnerUse> = HashMap::new();
    for owner in tokens::use_of_owners(conn, &wanted).await? {
        used.insert(owner.owner_id, owner);
    }
    Ok(page.map(|account| {
        let used = used.remove(&account.id);
        let given = given.remove(&account.id).unwrap_or_default();
        let groups = member.remove(&account.id).unwrap_or_default();
        let (held, held_roles) = united(&given, &groups);
        AccountView {
            given,
            groups,
            held,
            held_roles,
            last_used_at: used.map_or(0, |used| used.last_used_at),
            last_login_at: used.map_or(0, |used| used.last_login_at),
            tokens: used.map_or(0, |used| used.tokens),
            account,
        }
    }))
}

/// What an account holds altogether.
fn united(given: &[Given], groups: &[Arc<GroupView>]) -> (PermissionSet, Vec<Arc<Role>>) {
    let (mut held, mut roles) = (PermissionSet::none(), Vec::<Arc<Role>>::new());
    for one in given.iter().chain(groups.iter().flat_map(|group| &group.given)) {
        held.extend(&one.permissions);
        if let Some(role) = &one.role
            && !roles.iter().any(|known| known.id == role.id)
        {
            roles.push(role.clone());
        }
    }
    (held, roles)
}

async fn groups_by_id(conn: &mut Conn<'_>, ids: &[Uuid], now: Millis) -> Result<HashMap<Uuid, Arc<GroupView>>> {
    let items = groups::by_ids(conn, ids).await?;
    let page = groups(conn, Listed { items, next: None }, now).await?;
    Ok(page.items.into_iter().map(|view| (view.group.id, Arc::new(view))).collect())
}

/// Joins groups with what belongs to them.
pub(crate) async fn groups(conn: &mut Conn<'_>, page: Listed<Group>, now: Millis) -> Result<Listed<GroupView>> {
    let wanted = ids(&page.items, |group| group.id);
    let mut given = given(conn, &wanted, now).await?;
    let sizes = groups::sizes(conn, &wanted).await?;
    let sizes: HashMap<Uuid, i64> = sizes.into_iter().map(|size| (size.group_id, size.members)).collect();
    let mut samples = by_key(groups::samples(conn, &wanted).await?, |sample| (sample.of, sample.identifier));
    Ok(page.map(|group| GroupView {
        members: sizes.get(&group.id).copied().unwrap_or(0),
        sample: samples.remove(&group.id).unwrap_or_default(),
        given: given.remove(&group.id).unwrap_or_default(),
        group,
    }))
}

fn by_key<T, U>(items: Vec<T>, split: impl Fn(T) -> (Uuid, U)) -> HashMap<Uuid, Vec<U>> {
    let mut all: HashMap<Uuid, Vec<U>> = HashMap::new();
    for (key, value) in items.into_iter().map(split) {
        all.entry(key).or_default().push(value);
    }
    all
}

/// Joins roles with those of the org who hold them.
pub(crate) async fn roles(conn: &mut Conn<'_>, org: Uuid, page: Listed<Role>, now: Millis) -> Result<Listed<RoleView>> {
    let wanted = ids(&page.items, |role| role.id);
    let mut counts: HashMap<(Uuid, HolderKind), i64> = HashMap::new();
    for count in holders::counts(conn, org, &wanted, now).await? {
        counts.insert((count.role_id, count.kind), count.holders);
    }
    let samples = holders::sample_accounts(conn, org, &wanted, now).await?;
    let mut accounts = by_key(samples, |sample| (sample.of, sample.identifier));
    let carriers = holders::sample_groups(conn, org, &wanted, now).await?;
    let known = groups_by_id(conn, &ids(&carriers, |carrier| carrier.group_id), now).await?;
    let mut groups = by_key(carriers, |carrier| (carrier.role_id, known.get(&carrier.group_id).cloned()));
    let count = |role: Uuid, kind| counts.get(&(role, kind)).copied().unwrap_or(0);
    Ok(page.map(|role| RoleView {
        accounts: count(role.id, HolderKind::Account),
        groups: count(role.id, HolderKind::Group),
        sample_accounts: accounts.remove(&role.id).unwrap_or_default(),
        sample_groups: groups.remove(&role.id).unwrap_or_default().into_iter().flatten().collect(),
        role,
    }))
}

/// Joins tokens with what belongs to them.
pub(crate) async fn tokens(
    conn: &mut Conn<'_>,
    policy: &Policy,
    page: Listed<Token>,
    now: Millis,
) -> Result<Listed<TokenView>> {
    let owners = accounts::by_ids(conn, &ids(&page.items, |token| token.owner_id)).await?;
    let owners: HashMap<Uuid, Account> = owners.into_iter().map(|account| (account.id, account)).collect();
    let secrets = tokens::secrets_of(conn, &ids(&page.items, |token| token.id), now).await?;
    let mut secrets = by_key(secrets, |secret| (secret.token_id, secret));
    let services = page.items.iter().filter(|token| token.kind == TokenKind::Service).map(|token| token.id);
    let integrations = integrations::of_tokens(conn, &services.collect::<Vec<_>>()).await?;
    let mut integrations: HashMap<Uuid, String> =
        integrations.into_iter().map(|one| (one.token_id, one.integration)).collect();
    Ok(page.map(|token| TokenView {
        owner: owners.get(&token.owner_id).cloned(),
        standing: token.standing(policy, now),
        ends_at: token.ends_at(policy),
        integration: integrations.remove(&token.id),
        secrets: secrets.remove(&token.id).unwrap_or_default(),
        token,
    }))
}

/// The one item of a page of one.
pub(crate) fn single<T>(page: Listed<T>, what: &'static str) -> Result<T> {
    page.items.into_iter().next().ok_or_else(|| tokenhouse_model::Error::not_found(what))
}

/// A page of one.
pub(crate) fn one<T>(item: T) -> Listed<T> {
    Listed { items: vec![item], next: None }
}
