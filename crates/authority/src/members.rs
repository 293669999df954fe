//! Members: the people of an org with the roles that VMware Cloud Services know (csp.md 3, 6). Roles are given and taken
//! by their names, all that one asks for or nothing; people are taken in with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::named::{Meant, Named};
use tokenhouse_model::role::{Namespace, RoleKind};
use tokenhouse_model::{Account, Done, Error, Millis, NEVER, Permission, Refusal, Result, Uuid, name};
use tokenhouse_store::{Tx, accounts as rows, holders, roles};

use crate::accounts::{self, Holdings, Kind, NewAccount};
use crate::caller::{Caller, Fresh, change};
use crate::holdings::{Given, Hands, Holder};
use crate::views::AccountView;
use crate::{Ctx, Outcome};

/// A role that is to be given, and until when.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Which.
    pub role: Named,
    /// Until when, in epoch milliseconds; `None` for good.
    pub until: Option<Millis>,
}

/// What is to become of somebody's roles.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// These are taken first.
    pub take: Vec<Named>,
    /// Then these are given.
    pub give: Vec<NewRole>,
}

/// The most roles that are named at once.
pub const MOST_NAMED: usize = 200;

impl RoleChange {
    /// Checks what needs no rows.
    fn check(&self, now: Millis) -> Result<()> {
        let named = self.take.len() + self.give.len();
        if !(1..=MOST_NAMED).contains(&named) {
            return Err(Error::invalid("roles", format_args!("must be 1 to {MOST_NAMED}")));
        }
        if self.give.iter().any(|new| new.until.is_some_and(|until| until <= now)) {
            return Err(Error::invalid("expiresAt", "must be in the future"));
        }
        let all = self.take.iter().chain(self.give.iter().map(|new| &new.role));
        all.map(Named::meant).try_for_each(|meant| meant.map(|_| ()))
    }

    /// Whether somebody may be less of an owner by it.
    fn lessens_owners(&self) -> bool {
        let ends = self.give.iter().filter(|new| new.until.is_some()).map(|new| &new.role);
        self.take.iter().chain(ends).any(|role| match role.meant() {
            Ok(Meant::Builtin(role)) => role.permissions.contains(&Permission::CspOrgOwner),
            _ => false,
        })
    }
}

/// The account of a caller: of an org token there is none.
///
/// # Errors
/// `forbidden`.
pub fn own(caller: &Caller) -> Result<&Account> {
    caller.account().ok_or_else(|| Error::forbidden("nobody is signed in with an org token"))
}

/// One of the org's people, by id or e-mail address, or whoever is calling.
///
/// # Errors
/// `missing_permission`, `not_found`; `forbidden` where nobody is calling but an org token.
pub async fn get(ctx: &Ctx, caller: &Caller, text: Option<&str>) -> Result<AccountView> {
    let Some(text) = text else { return accounts::get(ctx, caller, own(caller)?.id).await };
    let is_own = |own: &Account| own.id.to_string() == text || own.identifier_fold == name::fold(text);
    if !caller.account().is_some_and(is_own) {
        caller.may(Act::SeePeople)?;
    }
    let id = accounts::find(ctx, caller, text).await.map_err(no_user)?;
    let view = accounts::get(ctx, caller, id).await.map_err(no_user)?;
    if view.account.kind == AccountKind::User { Ok(view) } else { Err(Error::not_found("user")) }
}

fn no_user(error: Error) -> Error {
    match error.refusal() {
        Refusal::NoSuch(_) => Error::not_found("user"),
        _ => error,
    }
}

/// Gives roles to one of the org's people, named by id or e-mail address, and takes others, all of it or nothing. What he
/// has already as it should be is left as it is. The caller must cover what he gives, and takes no rank above his own.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found` for the person; `invalid_field` for a role that does not exist, an end
/// that is past, and where nobody would be left who owns the org for good.
pub async fn reassign(ctx: &Arc<Ctx>, caller: &Caller, who: &str, wanted: RoleChange) -> Result<Done<Outcome>> {
    caller.may(Act::GiveRoles)?;
    wanted.check(ctx.now())?;
    let id = accounts::find(ctx, caller, who).await.map_err(no_user)?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::GiveRoles)?;
        let account = accounts::of_org(tx.conn(), fresh.org.id, id).await.map_err(no_user)?;
        if account.kind != AccountKind::User {
            return Err(Error::not_found("user"));
        }
        let touched = arrange(tx, fresh, &[id], &wanted).await?;
        Ok(Outcome { touched, ..Outcome::of(id) })
    })
    .await
}

/// People who are to be members, with what they are to be.
#[derive(Clone, Debug, Default)]
pub struct Invitation {
    /// Their e-mail addresses.
    pub emails: Vec<String>,
    /// Their roles.
    pub give: Vec<NewRole>,
    /// The groups that they are put into.
    pub groups: Vec<Uuid>,
}

/// The most people who are invited at once.
pub const MOST_INVITED: usize = 50;
/// The most groups that they are put into at once.
pub const MOST_GROUPS: usize = 15;

/// Takes people in, all of them or none: each is a member from now on, with these roles. Who is one already gets the roles.
/// The outcome's `ids` are their accounts in order, and it tells how many are new.
///
/// # Errors
/// `missing_permission`, `not_covered`, `invalid_field`.
pub async fn invite(ctx: &Arc<Ctx>, caller: &Caller, invitation: Invitation) -> Result<Done<Outcome>> {
    caller.may(Act::ManageAccounts)?;
    let Invitation { emails, give, groups } = invitation;
    if !(1..=MOST_INVITED).contains(&emails.len()) {
        return Err(Error::invalid("usernames", format_args!("must be 1 to {MOST_INVITED}")));
    }
    if groups.len() > MOST_GROUPS {
        return Err(Error::invalid("customGroupsIds", format_args!("must be at most {MOST_GROUPS}")));
    }
    if !give.iter().any(|new| matches!(new.role, Named::Organization(_))) {
        return Err(Error::invalid("organizationRoles", "must name at least one role, org_member perhaps"));
    }
    let wanted = RoleChange { take: Vec::new(), give };
    wanted.check(ctx.now())?;
    let mut drafts = Vec::with_capacity(emails.len());
    let mut seen = BTreeSet::new();
    for email in emails {
        if !seen.insert(name::email("usernames", &email)?) {
            return Err(Error::invalid("usernames", "name somebody twice"));
        }
        drafts.push(accounts::draft(ctx, person(email)).await?);
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let mut outcome = Outcome::default();
        for draft in &drafts {
            let known = rows::by_identifier(tx.conn(), fresh.org.id, draft.identifier()).await?;
            outcome.touched += i64::from(known.is_none());
            outcome.ids.push(match known {
                Some(known) => known.id,
                None => accounts::make(tx, fresh, draft).await?,
            });
        }
        arrange(tx, fresh, &outcome.ids, &wanted).await?;
        let mut hands = Hands::of(fresh, Some(Namespace::Csp));
        for account in &outcome.ids {
            for group in &groups {
                hands.join(tx, *account, *group).await.map_err(no_group)?;
            }
        }
        Ok(outcome)
    })
    .await
}

/// A group that a body names is a fault of the body, not of the path.
fn no_group(error: Error) -> Error {
    match error.refusal() {
        Refusal::NoSuch("group") => Error::invalid("customGroupsIds", "name a group that does not exist"),
        _ => error,
    }
}

fn person(identifier: String) -> NewAccount {
    NewAccount {
        kind: Kind::User,
        identifier,
        description: String::new(),
        password: None,
        active: true,
        holdings: Holdings::default(),
        within: Some(Namespace::Csp),
    }
}

/// Gives and takes; tells how much of it changed something.
async fn arrange(tx: &mut Tx<'_>, fresh: &Fresh, to: &[Uuid], wanted: &RoleChange) -> Result<i64> {
    let owned = wanted.lessens_owners() && owned_for_good(tx, fresh.org.id).await?;
    let mut taken = Vec::with_capacity(wanted.take.len());
    for role in &wanted.take {
        taken.push(given(tx, fresh, role).await?);
    }
    let mut granted = Vec::with_capacity(wanted.give.len());
    for new in &wanted.give {
        granted.push((given(tx, fresh, &new.role).await?, new.until.unwrap_or(NEVER)));
    }
    let (mut hands, mut touched) = (Hands::of(fresh, Some(Namespace::Csp)), 0);
    for account in to.iter().map(|id| Holder::Account(*id)) {
        for what in &taken {
            touched += i64::from(hands.take(tx, account, what).await?);
        }
        for (what, until) in &granted {
            touched += i64::from(hands.give(tx, account, what, *until).await?);
        }
    }
    if owned && !owned_for_good(tx, fresh.org.id).await? {
        return Err(Error::invalid("roles", "must leave the organization an owner whose role does not end"));
    }
    Ok(touched)
}

/// What a name stands for in the caller's org. Only roles of this namespace are there (design 5.2).
async fn given(tx: &mut Tx<'_>, fresh: &Fresh, named: &Named) -> Result<Given> {
    Ok(match named.meant()? {
        Meant::Builtin(role) => Given::Role(role.id()),
        Meant::Word(word) => Given::Permission(word.word()),
        Meant::Custom(text) => {
            let role = roles::by_name(tx.conn(), fresh.org.id, &name::fold(text)).await?;
            let role = role.filter(|role| role.kind == RoleKind::Custom && role.namespace == Namespace::Csp);
            Given::Role(role.ok_or_else(|| named.missing())?.id)
        }
    })
}

/// How many owners are read at once.
const AT_ONCE: i64 = 100;

/// Whether somebody who can act is an owner of the org without an end.
async fn owned_for_good(tx: &mut Tx<'_>, org: Uuid) -> Result<bool> {
    let (owner, mut after) = (Permission::CspOrgOwner.as_str(), Uuid::nil());
    loop {
        // Whatever is held then does not end.
        let owners = holders::holding(tx.conn(), org, owner, NEVER - 1, after, AT_ONCE).await?;
        if owners.iter().any(|account| account.state == AccountState::Active) {
            return Ok(true);
        }
        let Some(last) = owners.last() else { return Ok(false) };
        after = last.id;
    }
}
