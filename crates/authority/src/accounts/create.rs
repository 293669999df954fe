//! Making an account, with what it is to hold.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState, PasswordHash, check_password};
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Account, Done, Error, GroupKind, NEVER, Result, SecretText, Uuid, id, name};
use tokenhouse_store::{Tx, accounts, groups};

use crate::caller::{Caller, Fresh, change};
use crate::holdings::{Given, Hands, Holder, MOST_STEPS};
use crate::{Ctx, Outcome, orgs, passwords};

/// A new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// A user or a service account.
    pub kind: AccountKind,
    /// E-mail address or `sa::name`.
    pub identifier: String,
    /// Free text.
    pub description: String,
    /// The password of a person who is new to this installation.
    pub password: Option<SecretText>,
    /// Whether its tokens will work.
    pub active: bool,
    /// What it is to hold from the start.
    pub holdings: Holdings,
    /// The namespace outside which roles are not there and permissions are refused.
    pub within: Option<Namespace>,
}

/// What an account is to hold.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// Permissions given directly.
    pub permissions: Vec<String>,
    /// Roles given directly.
    pub roles: Vec<Uuid>,
    /// The groups that it is in, beside the one that it joins by itself.
    pub groups: Vec<Uuid>,
}

impl Holdings {
    fn check(&self, within: Option<Namespace>) -> Result<()> {
        if self.permissions.len() + self.roles.len() + self.groups.len() > MOST_STEPS {
            return Err(Error::invalid("holdings", format_args!("must be at most {MOST_STEPS}")));
        }
        self.permissions.iter().try_for_each(|text| Given::Permission(text.clone()).check(within))
    }
}

/// Makes an account: it joins the group of its kind, and gets what it is to hold. The caller must cover all of it.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewAccount) -> Result<Done<Outcome>> {
    caller.may(Act::ManageAccounts)?;
    name::check_optional("description", &new.description, name::DESCRIPTION)?;
    let identifier = match new.kind {
        AccountKind::User => name::email("identifier", &new.identifier)?,
        AccountKind::Service => name::service("identifier", &new.identifier)?,
        AccountKind::App => return Err(Error::invalid("kind", "must be user or service")),
    };
    if new.kind != AccountKind::User && new.password.is_some() {
        return Err(Error::invalid("password", "is for persons only"));
    }
    new.holdings.check(new.within)?;
    let hash = match new.password {
        None => None,
        Some(password) => {
            check_password(password.expose())?;
            Some(passwords::hash(ctx, password).await?)
        }
    };
    let now = ctx.now();
    let (account_id, identity_id) = (id::new(now, &ctx.random), id::new(now, &ctx.random));
    let (kind, description, holdings, within) = (new.kind, new.description, new.holdings, new.within);
    let state = if new.active { AccountState::Active } else { AccountState::Inactive };
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let now = tx.now();
        if accounts::by_identifier(tx.conn(), fresh.org.id, &identifier).await?.is_some() {
            return Err(Error::duplicate("an account"));
        }
        let identity_id = match kind {
            AccountKind::User => identity(tx, fresh, identity_id, &identifier, hash.as_ref()).await?,
            AccountKind::Service | AccountKind::App => Uuid::nil(),
        };
        let account = Account {
            id: account_id,
            org_id: fresh.org.id,
            identity_id,
            kind,
            identifier: identifier.clone(),
            identifier_fold: identifier.clone(),
            description: description.clone(),
            state,
            created_at: now,
            created_by: fresh.account_id(),
            updated_at: now,
            tombstone: Uuid::nil(),
        };
        accounts::insert(tx.conn(), &account).await?;
        let mut hands = Hands::of(fresh, within);
        let event = begin(tx, &mut hands, &account).await?;
        tx.record(&fresh.actor, if new.active { event } else { event.with("state", state.as_str()) });
        endow(tx, &mut hands, account.id, &holdings).await?;
        Ok(Outcome::of(account.id))
    })
    .await
}

/// The identity of a person who becomes a member: known here, or new.
async fn identity(
    tx: &mut Tx<'_>,
    fresh: &Fresh,
    new_id: Uuid,
    login: &str,
    hash: Option<&PasswordHash>,
) -> Result<Uuid> {
    match accounts::identity_by_login(tx.conn(), login).await? {
        Some(_) if hash.is_some() => {
            Err(Error::invalid("password", "can't be set: this person is known here and has his own"))
        }
        Some(known) => Ok(known.id),
        None => {
            let person = orgs::person(new_id, login, hash.cloned().unwrap_or_default(), fresh.org.id, tx.now());
            accounts::insert_identity(tx.conn(), &person).await?;
            Ok(new_id)
        }
    }
}

/// Puts a new account into the group that it joins by itself, and gives back the event of its making. Nobody remembers
/// anything of a new account, so there is no event of its own for joining.
async fn begin(tx: &mut Tx<'_>, hands: &mut Hands<'_>, account: &Account) -> Result<Event> {
    let event = Event::new(EventKind::AccountCreated, account.org_id, account.id)
        .with("identifier", account.identifier.as_str())
        .with("kind", account.kind.as_str());
    let Some(kind) = GroupKind::joined_by(account.kind) else { return Ok(event) };
    // An org from before may not have its groups yet: then the walk that makes them finds this account.
    let Some(group) = groups::by_kind(tx.conn(), account.org_id, kind).await? else { return Ok(event) };
    hands.enter(tx, account, &group).await?;
    Ok(event.with("group", group.id.to_string()))
}

async fn endow(tx: &mut Tx<'_>, hands: &mut Hands<'_>, account: Uuid, holdings: &Holdings) -> Result<()> {
    for permission in &holdings.permissions {
        hands.give(tx, Holder::Account(account), &Given::Permission(permission.clone()), NEVER).await?;
    }
    for role in &holdings.roles {
        hands.give(tx, Holder::Account(account), &Given::Role(*role), NEVER).await?;
    }
    for group in &holdings.groups {
        hands.join(tx, account, *group).await?;
    }
    Ok(())
}
