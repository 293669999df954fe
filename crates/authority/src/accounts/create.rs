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

/// The most accounts that are made at once.
pub const MOST_CREATED: usize = 200;

/// Everything random or slow about a new account, made before the transaction, which may run more than once.
pub(crate) struct Draft {
    account: Uuid,
    identity: Uuid,
    identifier: String,
    hash: Option<PasswordHash>,
    new: NewAccount,
}

impl Draft {
    /// E-mail address or `sa::name`, folded.
    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }
}

pub(crate) async fn draft(ctx: &Ctx, mut new: NewAccount) -> Result<Draft> {
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
    let hash = match new.password.take() {
        None => None,
        Some(password) => {
            check_password(password.expose())?;
            Some(passwords::hash(ctx, password).await?)
        }
    };
    let now = ctx.now();
    Ok(Draft { account: id::new(now, &ctx.random), identity: id::new(now, &ctx.random), identifier, hash, new })
}

/// Makes an account: it joins the group of its kind, and gets what it is to hold. The caller must cover all of it.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewAccount) -> Result<Done<Outcome>> {
    create_many(ctx, caller, vec![new]).await
}

/// Makes accounts, all of them or none; the outcome is about the last, and its `ids` name all.
///
/// # Errors
/// As [`create`], and `invalid_field` for none or too many.
pub async fn create_many(ctx: &Arc<Ctx>, caller: &Caller, new: Vec<NewAccount>) -> Result<Done<Outcome>> {
    caller.may(Act::ManageAccounts)?;
    if !(1..=MOST_CREATED).contains(&new.len()) {
        return Err(Error::invalid("accounts", format_args!("must be 1 to {MOST_CREATED}")));
    }
    let mut drafts = Vec::with_capacity(new.len());
    for new in new {
        drafts.push(draft(ctx, new).await?);
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let mut outcome = Outcome::default();
        for draft in &drafts {
            outcome.id = make(tx, fresh, draft).await?;
            outcome.ids.push(outcome.id);
        }
        Ok(outcome)
    })
    .await
}

pub(crate) async fn make(tx: &mut Tx<'_>, fresh: &Fresh, draft: &Draft) -> Result<Uuid> {
    let (now, new, identifier) = (tx.now(), &draft.new, &draft.identifier);
    if accounts::by_identifier(tx.conn(), fresh.org.id, identifier).await?.is_some() {
        return Err(Error::duplicate("an account"));
    }
    let identity_id = match new.kind {
        AccountKind::User => identity(tx, fresh, draft.identity, identifier, draft.hash.as_ref()).await?,
        AccountKind::Service | AccountKind::App => Uuid::nil(),
    };
    let state = if new.active { AccountState::Active } else { AccountState::Inactive };
    let account = Account {
        id: draft.account,
        org_id: fresh.org.id,
        identity_id,
        kind: new.kind,
        identifier: identifier.clone(),
        identifier_fold: identifier.clone(),
        description: new.description.clone(),
        state,
        created_at: now,
        created_by: fresh.account_id(),
        updated_at: now,
        tombstone: Uuid::nil(),
    };
    accounts::insert(tx.conn(), &account).await?;
    let mut hands = Hands::of(fresh, new.within);
    let event = begin(tx, &mut hands, &account).await?;
    tx.record(&fresh.actor, if new.active { event } else { event.with("state", state.as_str()) });
    endow(tx, &mut hands, account.id, &new.holdings).await?;
    Ok(account.id)
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
