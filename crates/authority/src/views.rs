//! What readers get to see: rows joined with what belongs to them.

use std::collections::HashMap;

use tokenhouse_model::cursor::Listed;
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Account, Group, Millis, Policy, Result, Secret, Token, Uuid};
use tokenhouse_store::roles::Source;
use tokenhouse_store::tokens::OwnerUse;
use tokenhouse_store::{Conn, accounts, groups, roles, tokens};

/// A role or permission that someone was given directly.
#[derive(Clone, Debug)]
pub struct Given {
    /// The role's id and name; `None` for a permission.
    pub role: Option<(Uuid, String)>,
    /// The permissions that it gives.
    pub permissions: Vec<String>,
    /// Until when; `NEVER` if it does not end.
    pub expires_at: Millis,
}

impl From<Source> for Given {
    fn from(source: Source) -> Self {
        Self { role: source.role, permissions: source.permissions.names(), expires_at: source.expires_at }
    }
}

/// An account with what it was given.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The row.
    pub account: Account,
    /// Roles and permissions given directly.
    pub given: Vec<Given>,
    /// The groups that it is in: ids and names.
    pub groups: Vec<(Uuid, String)>,
    /// When one of its tokens was last used; 0 if none ever was.
    pub last_used_at: Millis,
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
    /// Roles and permissions that it gives to them.
    pub given: Vec<Given>,
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
    /// The secrets that are good now.
    pub secrets: Vec<Secret>,
}

fn ends<T>(items: &[T], id: impl Fn(&T) -> Uuid) -> Option<(Uuid, Uuid)> {
    Some((items.first().map(&id)?, items.last().map(&id)?))
}

fn given(sources: Vec<Source>) -> HashMap<Uuid, Vec<Given>> {
    let mut by_holder: HashMap<Uuid, Vec<Given>> = HashMap::new();
    for source in sources {
        by_holder.entry(source.holder).or_default().push(source.into());
    }
    by_holder
}

/// Joins accounts, in the order of their ids, with what belongs to them: four statements however many they are.
pub(crate) async fn accounts(conn: &mut Conn<'_>, page: Listed<Account>, now: Millis) -> Result<Listed<AccountView>> {
    let Some(range) = ends(&page.items, |account| account.id) else { return Ok(page.map(AccountView::bare)) };
    let mut given = given(roles::direct_between(conn, range, now).await?);
    let mut member: HashMap<Uuid, Vec<(Uuid, String)>> = HashMap::new();
    for membership in groups::between(conn, range).await? {
        member.entry(membership.account_id).or_default().push((membership.group_id, membership.name));
    }
    let mut used: HashMap<Uuid, OwnerUse> = HashMap::new();
    for owner in tokens::use_between(conn, range).await? {
        used.insert(owner.owner_id, owner);
    }
    Ok(page.map(|account| {
        let used = used.remove(&account.id);
        AccountView {
            given: given.remove(&account.id).unwrap_or_default(),
            groups: member.remove(&account.id).unwrap_or_default(),
            last_used_at: used.map_or(0, |used| used.last_used_at),
            tokens: used.map_or(0, |used| used.tokens),
            account,
        }
    }))
}

impl AccountView {
    fn bare(account: Account) -> Self {
        Self { account, given: Vec::new(), groups: Vec::new(), last_used_at: 0, tokens: 0 }
    }
}

/// Joins groups, in the order of their ids, with what belongs to them.
pub(crate) async fn groups(conn: &mut Conn<'_>, page: Listed<Group>, now: Millis) -> Result<Listed<GroupView>> {
    let range = ends(&page.items, |group| group.id).unwrap_or_default();
    let mut given = given(roles::direct_between(conn, range, now).await?);
    let sizes = groups::counts_between(conn, range).await?;
    let mut sizes: HashMap<Uuid, i64> = sizes.into_iter().map(|size| (size.group_id, size.members)).collect();
    Ok(page.map(|group| GroupView {
        members: sizes.remove(&group.id).unwrap_or(0),
        given: given.remove(&group.id).unwrap_or_default(),
        group,
    }))
}

/// Joins an org's tokens, in the order of their ids, with what belongs to them.
pub(crate) async fn tokens(
    conn: &mut Conn<'_>,
    org: Uuid,
    policy: &Policy,
    page: Listed<Token>,
    now: Millis,
) -> Result<Listed<TokenView>> {
    let range = ends(&page.items, |token| token.id).unwrap_or_default();
    let owners = accounts::owners_between(conn, org, range).await?;
    let owners: HashMap<Uuid, Account> = owners.into_iter().map(|account| (account.id, account)).collect();
    let mut secrets: HashMap<Uuid, Vec<Secret>> = HashMap::new();
    for secret in tokens::secrets_between(conn, org, range, now).await? {
        secrets.entry(secret.token_id).or_default().push(secret);
    }
    Ok(page.map(|token| TokenView {
        owner: owners.get(&token.owner_id).cloned(),
        standing: token.standing(policy, now),
        ends_at: token.ends_at(policy),
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
