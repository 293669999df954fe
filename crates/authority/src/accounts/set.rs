//! Changing an account as a whole: what is told replaces what is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, GroupKind, NEVER, Permission, Result, Uuid, name};
use tokenhouse_store::{Tx, groups, roles};

use super::{not_above, not_oneself, of_org, reword, switch_off, switch_on};
use crate::caller::{Caller, change};
use crate::holdings::{Given, Hands, Holder, MOST_STEPS};
use crate::{Ctx, Outcome};

/// What an account is to be; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Free text.
    pub description: Option<String>,
    /// Whether its tokens work.
    pub active: Option<bool>,
    /// The permissions that it is to hold directly.
    pub permissions: Option<Vec<String>>,
    /// The roles that it is to hold directly.
    pub roles: Option<Vec<Uuid>>,
    /// The groups that it is to be in. The one that nobody can leave may stand in it or not.
    pub groups: Option<Vec<Uuid>>,
    /// The namespace of the permissions and roles that are seen and replaced; others stay.
    pub within: Option<Namespace>,
}

impl Wanted {
    fn check(&self) -> Result<()> {
        if let Some(text) = &self.description {
            name::check_optional("description", text, name::DESCRIPTION)?;
        }
        let lengths = [
            self.permissions.as_ref().map_or(0, Vec::len),
            self.roles.as_ref().map_or(0, Vec::len),
            self.groups.as_ref().map_or(0, Vec::len),
        ];
        if lengths.iter().sum::<usize>() > MOST_STEPS {
            return Err(Error::invalid("holdings", format_args!("must be at most {MOST_STEPS}")));
        }
        let permissions = self.permissions.iter().flatten();
        permissions.cloned().map(Given::Permission).try_for_each(|given| given.check(self.within))
    }
}

/// Brings an account to what it is to be, all of it or nothing. What it holds already and keeps is not touched, so it
/// ends when it would have ended; the caller must cover what it gains.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`, `unlawful_state` for switching oneself off.
pub async fn set(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, wanted: Wanted) -> Result<Done<Outcome>> {
    wanted.check()?;
    if wanted.active == Some(false) {
        not_oneself(caller, id)?;
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let mut account = of_org(tx.conn(), fresh.org.id, id).await?;
        let kind = account.kind;
        if let Some(text) = &wanted.description {
            reword(tx, &fresh.actor, &mut account, text).await?;
        }
        match wanted.active {
            Some(true) => switch_on(tx, &fresh.actor, account).await?,
            Some(false) => {
                not_above(tx, fresh, id).await?;
                switch_off(tx, &fresh.actor, account).await?;
            }
            None => {}
        }
        let mut hands = Hands::of(fresh, wanted.within);
        if let Some(list) = &wanted.permissions {
            permissions(tx, &mut hands, id, list, wanted.within).await?;
        }
        if let Some(list) = &wanted.roles {
            assignments(tx, &mut hands, Holder::Account(id), list, wanted.within).await?;
        }
        if let Some(list) = &wanted.groups {
            let own = GroupKind::joined_by(kind);
            memberships(tx, &mut hands, id, list, own).await?;
        }
        Ok(Outcome::of(id))
    })
    .await
}

async fn permissions(
    tx: &mut Tx<'_>,
    hands: &mut Hands<'_>,
    id: Uuid,
    wanted: &[String],
    within: Option<Namespace>,
) -> Result<()> {
    let now = tx.now();
    let seen = |text: &str| within.is_none() || Permission::parse(text).ok().map(Permission::namespace) == within;
    let granted = roles::granted_to(tx.conn(), &[id], now).await?;
    let present: BTreeSet<String> = granted.into_iter().map(|row| row.permission).filter(|text| seen(text)).collect();
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    for text in present.difference(&wanted) {
        hands.take(tx, Holder::Account(id), &Given::Permission(text.clone())).await?;
    }
    for text in wanted.difference(&present) {
        hands.give(tx, Holder::Account(id), &Given::Permission(text.clone()), NEVER).await?;
    }
    Ok(())
}

/// Brings the roles that an account or group is given directly to those that are wanted, as far as they are seen.
pub(crate) async fn assignments(
    tx: &mut Tx<'_>,
    hands: &mut Hands<'_>,
    holder: Holder,
    wanted: &[Uuid],
    within: Option<Namespace>,
) -> Result<()> {
    let now = tx.now();
    let assigned = roles::assigned_to(tx.conn(), &[holder.id()], now).await?;
    let assigned: Vec<Uuid> = assigned.into_iter().map(|row| row.role_id).collect();
    let named = roles::by_ids(tx.conn(), &assigned).await?;
    let seen = named.iter().filter(|role| within.is_none_or(|namespace| role.namespace == namespace));
    let present: BTreeSet<Uuid> = seen.map(|role| role.id).collect();
    let wanted: BTreeSet<Uuid> = wanted.iter().copied().collect();
    for role in present.difference(&wanted) {
        hands.take(tx, holder, &Given::Role(*role)).await?;
    }
    for role in wanted.difference(&present) {
        hands.give(tx, holder, &Given::Role(*role), NEVER).await?;
    }
    Ok(())
}

async fn memberships(
    tx: &mut Tx<'_>,
    hands: &mut Hands<'_>,
    id: Uuid,
    wanted: &[Uuid],
    own: Option<GroupKind>,
) -> Result<()> {
    let present = groups::of_accounts(tx.conn(), &[id]).await?;
    let present: BTreeSet<Uuid> = present.into_iter().map(|membership| membership.group_id).collect();
    let wanted: BTreeSet<Uuid> = wanted.iter().copied().collect();
    let leaving: Vec<Uuid> = present.difference(&wanted).copied().collect();
    for group in groups::by_ids(tx.conn(), &leaving).await? {
        if group.kind != GroupKind::Everyone || own != Some(GroupKind::Everyone) {
            hands.leave(tx, id, group.id).await?;
        }
    }
    for group in wanted.difference(&present) {
        hands.join(tx, id, *group).await?;
    }
    Ok(())
}
