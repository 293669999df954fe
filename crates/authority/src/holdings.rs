//! Holdings: the roles, permissions and memberships that are given and taken. Whoever gives or takes, one by one or many
//! at once, does it through [`Hands`].

use std::collections::HashMap;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::role::{Assignment, Grant, HolderKind, Namespace};
use tokenhouse_model::{
    Account, Done, Error, Group, Millis, NEVER, Permission, PermissionSet, Result, Role, Uuid, grant, name, permission,
};
use tokenhouse_store::{Tx, groups, holders, roles};

use crate::caller::{Caller, Fresh, change};
use crate::{Ctx, Outcome, accounts};

/// Who holds, or is to hold, a role or permission.
#[derive(Clone, Copy, Debug)]
pub enum Holder {
    /// An account.
    Account(Uuid),
    /// A group, for its members.
    Group(Uuid),
}

impl Holder {
    fn kind(self) -> HolderKind {
        match self {
            Self::Account(_) => HolderKind::Account,
            Self::Group(_) => HolderKind::Group,
        }
    }

    pub(crate) fn id(self) -> Uuid {
        match self {
            Self::Account(id) | Self::Group(id) => id,
        }
    }
}

/// What can be given and taken.
#[derive(Clone, Debug)]
pub enum Given {
    /// A role, by its id.
    Role(Uuid),
    /// A permission, by its string.
    Permission(String),
}

impl Given {
    /// Checks what is to be given.
    pub(crate) fn check(&self, within: Option<Namespace>) -> Result<()> {
        let Self::Permission(text) = self else { return Ok(()) };
        match within {
            Some(_) => in_words_of(within, text),
            None => permission::check(text),
        }
    }

    /// Checks what is to be taken: not whether it is known, as one that no longer is can still be taken.
    fn check_taking(&self, within: Option<Namespace>) -> Result<()> {
        let Self::Permission(text) = self else { return Ok(()) };
        name::check("permission", text, name::PERMISSION)?;
        in_words_of(within, text)
    }

    fn removal(&self, holder: Uuid) -> Removal {
        match self {
            Self::Role(role) => Removal::Assignment { holder, role: *role },
            Self::Permission(text) => Removal::Permission { holder, permission: text.clone() },
        }
    }
}

fn in_words_of(within: Option<Namespace>, text: &str) -> Result<()> {
    match within {
        Some(namespace) if Permission::parse(text).map(Permission::namespace).ok() != Some(namespace) => {
            Err(Error::invalid("permission", format_args!("must be a permission of {namespace}")))
        }
        _ => Ok(()),
    }
}

/// Something that is to be given, and until when.
#[derive(Clone, Debug)]
pub struct Giving {
    /// To whom.
    pub holder: Holder,
    /// What.
    pub what: Given,
    /// Until when, in epoch milliseconds; `None` for good.
    pub until: Option<Millis>,
}

/// One step of a rearrangement. What is so already is left as it is.
#[derive(Clone, Debug)]
pub enum Step {
    /// Gives a role or a permission for good.
    Give(Holder, Given),
    /// Takes a role or a permission.
    Take(Holder, Given),
    /// Puts an account into a group.
    Join {
        /// The account.
        account: Uuid,
        /// The group.
        group: Uuid,
    },
    /// Takes an account out of a group.
    Leave {
        /// The account.
        account: Uuid,
        /// The group.
        group: Uuid,
    },
}

/// The most steps of one rearrangement: they hold up the writer together.
pub const MOST_STEPS: usize = 1000;

/// Gives and takes many things, all of them or none, in this order. With `within`, roles of other namespaces are not
/// there and permissions of others are refused.
///
/// # Errors
/// As [`give`], [`take`] and those of [`crate::groups::add`]; `invalid_field` for more than [`MOST_STEPS`]. The outcome
/// tells how many steps changed something.
pub async fn arrange(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    steps: Vec<Step>,
    within: Option<Namespace>,
) -> Result<Done<Outcome>> {
    if steps.len() > MOST_STEPS {
        return Err(Error::invalid("steps", format_args!("must be at most {MOST_STEPS}")));
    }
    for step in &steps {
        match step {
            Step::Give(_, what) => what.check(within)?,
            Step::Take(_, what) => what.check_taking(within)?,
            Step::Join { .. } | Step::Leave { .. } => {}
        }
    }
    change(ctx, caller, async move |tx, fresh| {
        let mut hands = Hands::of(fresh, within);
        let mut touched = 0;
        for step in &steps {
            touched += i64::from(match step {
                Step::Give(holder, what) => hands.give(tx, *holder, what, NEVER).await?,
                Step::Take(holder, what) => hands.take(tx, *holder, what).await?,
                Step::Join { account, group } => hands.join(tx, *account, *group).await?,
                Step::Leave { account, group } => hands.leave(tx, *account, *group).await?,
            });
        }
        Ok(Outcome { touched, ..Outcome::default() })
    })
    .await
}

/// Gives a role or a permission, or changes until when it is held. The caller must cover it.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`.
pub async fn give(ctx: &Arc<Ctx>, caller: &Caller, giving: Giving) -> Result<Done<Outcome>> {
    giving.what.check(None)?;
    let until = giving.until.unwrap_or(NEVER);
    if until <= ctx.now() {
        return Err(Error::invalid("expires_at", "must be in the future"));
    }
    change(ctx, caller, async move |tx, fresh| {
        Hands::of(fresh, None).give(tx, giving.holder, &giving.what, until).await?;
        Ok(Outcome::of(giving.holder.id()))
    })
    .await
}

/// Takes a role or a permission. What is not held is not missed: that changes nothing.
///
/// # Errors
/// `missing_permission`, `not_found`, `invalid_field`.
pub async fn take(ctx: &Arc<Ctx>, caller: &Caller, from: Holder, what: Given) -> Result<Done<Outcome>> {
    what.check_taking(None)?;
    change(ctx, caller, async move |tx, fresh| {
        Hands::of(fresh, None).take(tx, from, &what).await?;
        Ok(Outcome::of(from.id()))
    })
    .await
}

/// The most accounts at whose permissions one change looks for wavefront's exception; beyond them it counts as if one
/// held everything.
const MOST_LOOKED_AT: i64 = 5000;

/// What somebody may hold at most.
fn everything() -> PermissionSet {
    PermissionSet::of(Permission::ALL)
}

/// A caller's giving and taking within one transaction.
pub(crate) struct Hands<'a> {
    fresh: &'a Fresh,
    within: Option<Namespace>,
    /// What lets the caller give and take roles and permissions.
    by: Act,
    /// Rows that steps name again and again; none of them changes or goes on the way.
    accounts: HashMap<Uuid, Account>,
    groups: HashMap<Uuid, Group>,
    roles: HashMap<Uuid, Role>,
    /// What holders hold who were looked at, until something changes that.
    seen: HashMap<Uuid, PermissionSet>,
    looked_at: i64,
}

impl<'a> Hands<'a> {
    pub(crate) fn of(fresh: &'a Fresh, within: Option<Namespace>) -> Self {
        let (accounts, groups, roles) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { fresh, within, by: Act::GiveRoles, accounts, groups, roles, seen: HashMap::new(), looked_at: 0 }
    }

    /// Giving to apps and taking from them, which needs no more than managing them; what is given must be covered all the
    /// same.
    pub(crate) fn of_apps(fresh: &'a Fresh) -> Self {
        Self { by: Act::ManageApps, ..Self::of(fresh, None) }
    }

    async fn account(&mut self, tx: &mut Tx<'_>, id: Uuid) -> Result<Account> {
        if let Some(known) = self.accounts.get(&id) {
            return Ok(known.clone());
        }
        let account = accounts::of_org(tx.conn(), self.fresh.org.id, id).await?;
        self.accounts.insert(id, account.clone());
        Ok(account)
    }

    async fn group(&mut self, tx: &mut Tx<'_>, id: Uuid) -> Result<Group> {
        if let Some(known) = self.groups.get(&id) {
            return Ok(known.clone());
        }
        let group = crate::groups::of_org(tx.conn(), self.fresh.org.id, id).await?;
        self.groups.insert(id, group.clone());
        Ok(group)
    }

    async fn role(&mut self, tx: &mut Tx<'_>, id: Uuid) -> Result<Role> {
        if let Some(known) = self.roles.get(&id) {
            return Ok(known.clone());
        }
        let role = crate::roles::of_org(tx.conn(), self.fresh.org.id, id, self.within).await?;
        self.roles.insert(id, role.clone());
        Ok(role)
    }

    /// Refuses a gain that the caller does not cover. Whoever gains is looked at only where it matters.
    async fn cover(&mut self, tx: &mut Tx<'_>, holder: Holder, gained: &PermissionSet) -> Result<()> {
        if !grant::depends(&self.fresh.effective, gained) {
            return grant::cover(&self.fresh.effective, gained, &everything());
        }
        let holds = match self.seen.get(&holder.id()) {
            Some(holds) => holds.clone(),
            None => {
                let holds = self.look(tx, holder).await?;
                self.seen.insert(holder.id(), holds.clone());
                holds
            }
        };
        grant::cover(&self.fresh.effective, gained, &holds)
    }

    /// What a holder holds: for a group, what it or any of its members does.
    async fn look(&mut self, tx: &mut Tx<'_>, holder: Holder) -> Result<PermissionSet> {
        let now = tx.now();
        match holder {
            Holder::Account(id) => accounts::held(tx, id).await,
            Holder::Group(id) => {
                let left = MOST_LOOKED_AT - self.looked_at;
                let members = groups::size_up_to(tx.conn(), id, left + 1).await?;
                self.looked_at += members.min(left);
                if members > left { Ok(everything()) } else { holders::around_group(tx.conn(), id, now).await }
            }
        }
    }

    /// Refuses what the caller does not cover of what the holders of a role gain with it.
    pub(crate) async fn cover_holders(&mut self, tx: &mut Tx<'_>, role: &Role, gained: &PermissionSet) -> Result<()> {
        let mut holds = everything();
        if grant::depends(&self.fresh.effective, gained) {
            let (org, now, left) = (self.fresh.org.id, tx.now(), MOST_LOOKED_AT - self.looked_at);
            let holders = holders::gaining(tx.conn(), org, role.id, now, left + 1).await?;
            self.looked_at += holders.min(left);
            if holders <= left {
                holds = holders::around_role(tx.conn(), org, role.id, now).await?;
            }
        }
        self.changed(gained);
        grant::cover(&self.fresh.effective, gained, &holds)
    }

    /// Forgets what holders hold where that is no longer known to be wavefront permissions alone.
    fn changed(&mut self, permissions: &PermissionSet) {
        if !permissions.within(Namespace::Wavefront) {
            self.seen.clear();
        }
    }

    async fn holder(&mut self, tx: &mut Tx<'_>, holder: Holder, gets: Option<&Given>) -> Result<()> {
        match (holder, gets) {
            (Holder::Account(id), Some(Given::Permission(text))) => {
                self.account(tx, id).await?.kind.check_permission(text)
            }
            (Holder::Account(id), _) => self.account(tx, id).await.map(|_| ()),
            (Holder::Group(id), _) => self.group(tx, id).await.map(|_| ()),
        }
    }

    /// Gives something, or changes until when it is held; false where it was so before.
    pub(crate) async fn give(
        &mut self,
        tx: &mut Tx<'_>,
        holder: Holder,
        what: &Given,
        expires_at: Millis,
    ) -> Result<bool> {
        self.fresh.may(self.by)?;
        self.holder(tx, holder, Some(what)).await?;
        let (holder_id, holder_kind, org_id, created_at) = (holder.id(), holder.kind(), self.fresh.org.id, tx.now());
        let (before, event) = match what {
            Given::Role(id) => {
                let role = self.role(tx, *id).await?;
                self.cover(tx, holder, &role.permissions).await?;
                let before = roles::assignment(tx.conn(), holder_id, role.id).await?.map(|row| row.expires_at);
                let role_id = role.id;
                let row = Assignment { holder_id, holder_kind, role_id, org_id, expires_at, created_at };
                if before != Some(expires_at) {
                    roles::assign(tx.conn(), &row).await?;
                }
                self.changed(&role.permissions);
                let event = Event::new(EventKind::RoleAssigned, org_id, holder_id);
                (before, event.with("role", role.id.to_string()).with("name", role.name))
            }
            Given::Permission(text) => {
                let mut gained = PermissionSet::none();
                gained.insert(text);
                self.cover(tx, holder, &gained).await?;
                let before = roles::granted(tx.conn(), holder_id, text).await?.map(|row| row.expires_at);
                let permission = text.clone();
                let row = Grant { holder_id, holder_kind, permission, org_id, expires_at, created_at };
                if before != Some(expires_at) {
                    roles::grant(tx.conn(), &row).await?;
                }
                self.changed(&gained);
                let event = Event::new(EventKind::PermissionGranted, org_id, holder_id);
                (before, event.with("permission", text.as_str()))
            }
        };
        if before == Some(expires_at) {
            return Ok(false);
        }
        let mut event = event.with("holder", holder_kind.as_str());
        if before.is_some_and(|before| before > expires_at) {
            // An earlier end takes authority away; after a restore it is gone altogether.
            event = event.removing(what.removal(holder_id));
        }
        let event = if expires_at == NEVER { event } else { event.with("expires_at", expires_at) };
        tx.record(&self.fresh.actor, event);
        Ok(true)
    }

    /// Takes something; false where it was not held. A rank is taken by who could give it.
    pub(crate) async fn take(&mut self, tx: &mut Tx<'_>, holder: Holder, what: &Given) -> Result<bool> {
        self.fresh.may(self.by)?;
        self.holder(tx, holder, None).await?;
        let (id, org) = (holder.id(), self.fresh.org.id);
        let (taken, event) = match what {
            Given::Role(role) => {
                let role = self.role(tx, *role).await?;
                grant::demote(&self.fresh.effective, &role.permissions)?;
                let event = Event::new(EventKind::RoleUnassigned, org, id).with("role", role.id.to_string());
                (roles::unassign(tx.conn(), id, role.id).await?, event.with("name", role.name))
            }
            Given::Permission(text) => {
                let mut lost = PermissionSet::none();
                lost.insert(text);
                grant::demote(&self.fresh.effective, &lost)?;
                let event = Event::new(EventKind::PermissionRevoked, org, id).with("permission", text.as_str());
                (roles::revoke(tx.conn(), id, text).await?, event)
            }
        };
        if taken {
            self.seen.clear();
            tx.record(&self.fresh.actor, event.with("holder", holder.kind().as_str()).removing(what.removal(id)));
        }
        Ok(taken)
    }

    /// Puts an account into a group, where somebody may do that; false where it was in it. The account gains what the
    /// group gives, so the caller must cover that.
    pub(crate) async fn join(&mut self, tx: &mut Tx<'_>, account: Uuid, group: Uuid) -> Result<bool> {
        self.fresh.may(Act::ManageGroups)?;
        let group = self.group(tx, group).await?;
        let account = self.account(tx, account).await?;
        if groups::has(tx.conn(), group.id, account.id).await? {
            return Ok(false);
        }
        group.kind.check_joining(account.kind)?;
        self.enter(tx, &account, &group).await?;
        let event = Event::new(EventKind::MemberAdded, group.org_id, group.id);
        tx.record(&self.fresh.actor, event.with("account", account.id.to_string()));
        Ok(true)
    }

    /// Puts an account into a group that it must be in, or that somebody may put it into. The caller records it.
    pub(crate) async fn enter(&mut self, tx: &mut Tx<'_>, account: &Account, group: &Group) -> Result<()> {
        let gained = accounts::held(tx, group.id).await?;
        self.cover(tx, Holder::Account(account.id), &gained).await?;
        let now = tx.now();
        groups::add(tx.conn(), group, account.id, now).await?;
        self.changed(&gained);
        Ok(())
    }

    /// Refuses a caller who takes a rank from those in a group that he could not give.
    pub(crate) async fn demote(&self, tx: &mut Tx<'_>, group: Uuid) -> Result<()> {
        let lost = accounts::held(tx, group).await?;
        grant::demote(&self.fresh.effective, &lost)
    }

    /// Takes an account out of a group, where somebody may do that; false where it was not in it.
    pub(crate) async fn leave(&mut self, tx: &mut Tx<'_>, account: Uuid, group: Uuid) -> Result<bool> {
        self.fresh.may(Act::ManageGroups)?;
        let group = self.group(tx, group).await?;
        let account = self.account(tx, account).await?;
        group.kind.check_leaving()?;
        self.demote(tx, group.id).await?;
        let left = groups::remove(tx.conn(), group.id, account.id).await?;
        if left {
            self.seen.clear();
            let event = Event::new(EventKind::MemberRemoved, group.org_id, group.id)
                .with("account", account.id.to_string())
                .removing(Removal::Member { group: group.id, account: account.id });
            tx.record(&self.fresh.actor, event);
        }
        Ok(left)
    }
}
