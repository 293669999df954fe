//! The groups that every org has: made with the org, and for orgs from before when a node starts.

use std::sync::Arc;

use tokenhouse_model::env::Random;
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::{Error, Group, GroupKind, Millis, Result, Uuid, id, name};
use tokenhouse_store::{Tx, accounts, groups, orgs, roles};

use crate::Ctx;

/// The ids of an org's system groups, made before the transaction, which may run more than once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids([Uuid; 2]);

impl Ids {
    pub(crate) fn new(now: Millis, random: &Random) -> Self {
        Self([id::new(now, random), id::new(now, random)])
    }

    fn each(self) -> impl Iterator<Item = (GroupKind, Uuid)> {
        GroupKind::SYSTEM.into_iter().zip(self.0)
    }
}

/// Makes a new org's system groups, and gives back the one that every user account is in.
pub(crate) async fn found(tx: &mut Tx<'_>, actor: &Actor, org: Uuid, ids: Ids) -> Result<Group> {
    let Ids([everyone, service_accounts]) = ids;
    make(tx, actor, org, GroupKind::ServiceAccounts, service_accounts).await?;
    make(tx, actor, org, GroupKind::Everyone, everyone).await
}

async fn make(tx: &mut Tx<'_>, actor: &Actor, org_id: Uuid, kind: GroupKind, id: Uuid) -> Result<Group> {
    let (now, (text, description)) = (tx.now(), kind.naming());
    let group = Group {
        id,
        org_id,
        name: text.to_owned(),
        name_fold: name::fold(text),
        description: description.to_owned(),
        created_at: now,
        updated_at: now,
        kind,
    };
    groups::insert(tx.conn(), &group).await?;
    let event = Event::new(EventKind::GroupCreated, org_id, id).with("name", text).with("kind", kind.as_str());
    tx.record(actor, event);
    Ok(group)
}

/// Accounts of one transaction: small, so that a revocation never waits long behind it.
const CHUNK: i64 = 500;
/// What is noted when every org has its groups.
const DONE: &str = "done";

/// How far the walk over orgs and their accounts came: up to this account of this org.
#[derive(Clone, Copy, Debug)]
struct Place {
    org: Uuid,
    account: Uuid,
}

impl Place {
    const START: Self = Self::after(Uuid::nil());

    /// Behind the last account of an org.
    const fn after(org: Uuid) -> Self {
        Self { org, account: Uuid::max() }
    }

    fn read(text: &str) -> Result<Self> {
        let read = text.split_once(' ').and_then(|(org, account)| {
            Some(Self { org: Uuid::try_parse(org).ok()?, account: Uuid::try_parse(account).ok()? })
        });
        read.ok_or_else(|| Error::internal("the place that system groups were made up to can't be read"))
    }

    fn write(self) -> String {
        format!("{} {}", self.org, self.account)
    }
}

/// Gives every org from before its system groups and puts its accounts into them. To be called when a node starts: it
/// goes on where it was left, several nodes do it together, and once it is done it reads one row.
///
/// Nobody gains anything by it: a group of such a name that carries something keeps its members and gets another name.
///
/// # Errors
/// `unavailable`.
pub async fn settle(ctx: &Arc<Ctx>) -> Result<()> {
    if groups::settled(&mut ctx.store.read().await?.conn()).await?.as_deref() == Some(DONE) {
        return Ok(());
    }
    loop {
        let ids = Ids::new(ctx.now(), &ctx.random);
        let done = ctx.store.write(async move |tx: &mut Tx<'_>| step(tx, ids).await).await?;
        if done.value {
            return Ok(());
        }
    }
}

/// One step of the walk; true when it is over. Where it stands is read in the transaction, so that two nodes that walk
/// at once share the way.
async fn step(tx: &mut Tx<'_>, ids: Ids) -> Result<bool> {
    let noted = groups::settled(tx.conn()).await?;
    let mut place = match noted.as_deref() {
        Some(DONE) => return Ok(true),
        Some(text) => Place::read(text)?,
        None => Place::START,
    };
    if place.account.is_max() {
        let Some(org) = orgs::list(tx.conn(), place.org, 1).await?.pop() else {
            groups::note_settled(tx.conn(), DONE).await?;
            return Ok(true);
        };
        place = Place { org: org.id, account: Uuid::nil() };
        // An org that was made with its groups is left as it is: who was taken out of one stays out.
        if !lay(tx, org.id, ids).await? {
            place = Place::after(org.id);
        }
    }
    if !place.account.is_max() {
        place = fill(tx, place).await?;
    }
    groups::note_settled(tx.conn(), &place.write()).await?;
    Ok(false)
}

/// Makes sure that an org has its groups; false where it had them.
async fn lay(tx: &mut Tx<'_>, org: Uuid, ids: Ids) -> Result<bool> {
    let mut made = false;
    for (kind, id) in ids.each() {
        if groups::by_kind(tx.conn(), org, kind).await?.is_some() {
            continue;
        }
        made = true;
        let (text, _) = kind.naming();
        match groups::by_name(tx.conn(), org, &name::fold(text)).await? {
            Some(group) if carries_nothing(tx, group.id).await? => adopt(tx, group, kind).await?,
            Some(group) => {
                step_aside(tx, group).await?;
                make(tx, &Actor::default(), org, kind, id).await?;
            }
            None => {
                make(tx, &Actor::default(), org, kind, id).await?;
            }
        }
    }
    Ok(made)
}

async fn carries_nothing(tx: &mut Tx<'_>, group: Uuid) -> Result<bool> {
    let now = tx.now();
    let roles = roles::assigned_to(tx.conn(), &[group], now).await?;
    Ok(roles.is_empty() && roles::granted_to(tx.conn(), &[group], now).await?.is_empty())
}

/// Makes a system group of a custom one. Who can't be in it leaves it, and loses nothing.
async fn adopt(tx: &mut Tx<'_>, mut group: Group, kind: GroupKind) -> Result<()> {
    let mut after = Uuid::nil();
    loop {
        let members = groups::members(tx.conn(), group.id, after, CHUNK).await?;
        let Some(last) = members.last() else { break };
        after = last.id;
        for account in members.iter().filter(|account| GroupKind::joined_by(account.kind) != Some(kind)) {
            groups::remove(tx.conn(), group.id, account.id).await?;
            let event = Event::new(EventKind::MemberRemoved, group.org_id, group.id)
                .with("account", account.id.to_string())
                .removing(Removal::Member { group: group.id, account: account.id });
            tx.record(&Actor::default(), event);
        }
    }
    let (text, _) = kind.naming();
    let event = Event::new(EventKind::GroupUpdated, group.org_id, group.id).with("kind", kind.as_str());
    tx.record(&Actor::default(), event.with("from", group.name.as_str()).with("name", text));
    text.clone_into(&mut group.name);
    group.kind = kind;
    group.updated_at = tx.now();
    groups::update(tx.conn(), &group).await
}

/// Gives a custom group another name, because a system group needs its own.
async fn step_aside(tx: &mut Tx<'_>, mut group: Group) -> Result<()> {
    let from = group.name.clone();
    let mut number = 1;
    while groups::by_name(tx.conn(), group.org_id, &group.name_fold).await?.is_some() {
        group.name = if number == 1 { format!("{from} (custom)") } else { format!("{from} (custom {number})") };
        group.name_fold = name::fold(&group.name);
        number += 1;
    }
    group.updated_at = tx.now();
    groups::update(tx.conn(), &group).await?;
    let event = Event::new(EventKind::GroupUpdated, group.org_id, group.id).with("from", from);
    tx.record(&Actor::default(), event.with("name", group.name.as_str()));
    tracing::warn!(org = %group.org_id, group = %group.id, name = group.name, "a group was renamed: its name is a system group's");
    Ok(())
}

/// Puts the next accounts of an org into the groups that they join by themselves; one event for each group.
async fn fill(tx: &mut Tx<'_>, place: Place) -> Result<Place> {
    let all = accounts::Filter::default();
    let chunk = accounts::list(tx.conn(), place.org, &all, place.account, CHUNK).await?;
    let now = tx.now();
    for kind in GroupKind::SYSTEM {
        let Some(group) = groups::by_kind(tx.conn(), place.org, kind).await? else { continue };
        let mut added = Vec::new();
        for account in chunk.iter().filter(|account| GroupKind::joined_by(account.kind) == Some(kind)) {
            if groups::add(tx.conn(), &group, account.id, now).await? {
                added.push(account.id.to_string());
            }
        }
        if !added.is_empty() {
            let event = Event::new(EventKind::MemberAdded, group.org_id, group.id).with("accounts", added);
            tx.record(&Actor::default(), event);
        }
    }
    let full = i64::try_from(chunk.len()).is_ok_and(|length| length == CHUNK);
    Ok(match chunk.last() {
        Some(last) if full => Place { account: last.id, ..place },
        _ => Place::after(place.org),
    })
}
