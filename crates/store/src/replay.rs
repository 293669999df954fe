//! At start: does the database remember what the journal knows? If not, it was restored from an older copy, and the
//! authority that was taken away since is taken away again before anyone is served.

use tokenhouse_model::event::{Actor, Body, Event, EventKind, Recorded, Removal};
use tokenhouse_model::hex::unhex;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Error, PermissionSet, Result, Uuid};

use crate::conn::Conn;
use crate::journal::Entry;
use crate::ledger;
use crate::sql::{Bind as _, args, row, statements};
use crate::tx::Tx;

statements! {
    REVOKE_TOKEN = "UPDATE token SET state = 'revoked', revoked_at = $2, updated_at = $2 WHERE id = $1 AND state <> 'revoked'";
    END_SECRETS_OF = "UPDATE secret SET good_until = $2, sealed = $3 WHERE token_id = $1 AND good_until > $2";
    SWITCH_OFF = "UPDATE token SET state = 'inactive', updated_at = $2 WHERE id = $1 AND state = 'active'";
    END_TOKEN = "UPDATE token SET expires_at = $3, updated_at = $2 WHERE id = $1 AND expires_at > $3";
    SWITCH_OFF_ACCOUNT = "UPDATE account SET state = 'inactive', updated_at = $2 WHERE id = $1";
    DELETE_ACCOUNT = "UPDATE account SET tombstone = id, state = 'inactive', updated_at = $2 WHERE id = $1";
    REVOKE_TOKENS_OF = "UPDATE token SET state = 'revoked', revoked_at = $2, updated_at = $2
        WHERE owner_id = $1 AND state <> 'revoked'";
    OFFBOARD = "UPDATE org SET onboarded = $3, updated_at = $2 WHERE id = $1";
    SUSPEND = "UPDATE org SET state = 'suspended', updated_at = $2 WHERE id = $1";
    CLEAR_PASSWORD = "UPDATE identity SET password = '', updated_at = $2 WHERE id = $1";
    LEAVE_GROUP = "DELETE FROM group_member WHERE group_id = $1 AND account_id = $2";
    LEAVE_ALL_OF = "DELETE FROM group_member WHERE group_id = $1";
    ROLE = "SELECT permissions FROM role WHERE id = $1";
    NARROW_ROLE = "UPDATE role SET permissions = $3, updated_at = $2 WHERE id = $1";
    LOSE_ROLE = "DELETE FROM role_assignment WHERE holder_id = $1 AND role_id = $2";
    LOSE_PERMISSION = "DELETE FROM permission_grant WHERE holder_id = $1 AND permission = $2";
}

/// How the database stands to the journal.
#[derive(Debug)]
pub(crate) struct Compared {
    /// Epoch and revision of the last event on which both agree; 0 if none.
    pub(crate) agreed: (i64, i64),
    /// What the journal knows and the database does not.
    pub(crate) lost: Vec<Entry>,
    /// The highest epoch that the journal knows.
    pub(crate) epoch: i64,
}

/// Finds the last entry that the database still has, and what comes after it.
pub(crate) async fn compare(conn: &mut Conn<'_>, mut entries: Vec<Entry>) -> Result<Compared> {
    let epoch = entries.iter().map(|entry| entry.epoch).max().unwrap_or(0);
    let mut lost = Vec::new();
    while let Some(entry) = entries.pop() {
        let event = ledger::event(conn, entry.revision).await?;
        if event.is_some_and(|event| {
            event.epoch == entry.epoch && unhex(&entry.hash).is_some_and(|hash| event.hash == hash)
        }) {
            lost.reverse();
            return Ok(Compared { agreed: (entry.epoch, entry.revision), lost, epoch });
        }
        lost.push(entry);
    }
    lost.reverse();
    Ok(Compared { agreed: (0, 0), lost, epoch })
}

/// What an event took away, read back from its stored body.
pub(crate) fn removals(event: &Recorded) -> Result<Vec<Removal>> {
    if event.salt.is_empty() {
        // Redacted: who redacts a body leaves its removals to the journal.
        return Ok(Vec::new());
    }
    serde_json::from_str::<Body>(&event.body).map(|body| body.removals).map_err(Error::internal)
}

/// Takes away again what the entries took away, and records that in a new epoch.
pub(crate) async fn replay(tx: &mut Tx<'_>, compared: &Compared) -> Result<u64> {
    let now = tx.now();
    let mut changed = 0;
    for removal in compared.lost.iter().flat_map(|entry| &entry.removals) {
        changed += take_away(tx.conn(), removal, now).await?;
    }
    let last = compared.lost.last();
    tx.raise_epoch(compared.epoch.max(tx.position().0) + 1);
    let event = Event::new(EventKind::JournalReplayed, Uuid::nil(), Uuid::nil())
        .with("kept_epoch", compared.agreed.0)
        .with("kept_revision", compared.agreed.1)
        .with("lost_epoch", last.map_or(0, |entry| entry.epoch))
        .with("lost_to", last.map_or(0, |entry| entry.revision))
        .with("entries", compared.lost.len())
        .with("rows_changed", changed)
        // The removals again, so that a second restore between the two finds them in one place.
        .removing_all(compared.lost.iter().flat_map(|entry| entry.removals.iter().cloned()));
    tx.record(&Actor::default(), event);
    Ok(changed)
}

async fn take_away(conn: &mut Conn<'_>, removal: &Removal, now: i64) -> Result<u64> {
    let none: Vec<u8> = Vec::new();
    match removal {
        Removal::Secret { digest, until } => match Digest::from_hex(digest) {
            Some(digest) => {
                // One that this database forgot altogether could move in a second time.
                crate::moved::bury(conn, &digest, *until).await?;
                crate::tokens::end_secret(conn, &digest, *until).await
            }
            None => Ok(0),
        },
        Removal::Token { id } => {
            conn.run(&END_SECRETS_OF, args![*id, now, none]).await?;
            conn.run(&REVOKE_TOKEN, args![*id, now]).await
        }
        Removal::TokenInactive { id } => conn.run(&SWITCH_OFF, args![*id, now]).await,
        Removal::TokenEnds { id, at } => conn.run(&END_TOKEN, args![*id, now, *at]).await,
        Removal::AccountInactive { id } => {
            let changed = conn.run(&SWITCH_OFF_ACCOUNT, args![*id, now]).await?;
            crate::tokens::retype(conn, *id).await.map(|()| changed)
        }
        Removal::Account { id } => {
            conn.run(&DELETE_ACCOUNT, args![*id, now]).await?;
            conn.run(&REVOKE_TOKENS_OF, args![*id, now]).await
        }
        Removal::Org { id } => conn.run(&SUSPEND, args![*id, now]).await,
        Removal::Onboarding { org } => conn.run(&OFFBOARD, args![*org, now, false]).await,
        Removal::Policy { org, policy } => crate::orgs::set_policy(conn, *org, policy, now).await.map(|()| 1),
        Removal::Password { id } => conn.run(&CLEAR_PASSWORD, args![*id, now]).await,
        Removal::Member { group, account } => conn.run(&LEAVE_GROUP, args![*group, *account]).await,
        // The group itself stays, empty: it gives nothing to anyone, and its name is there to be seen.
        Removal::Group { id } => conn.run(&LEAVE_ALL_OF, args![*id]).await,
        Removal::Role { id, permissions } => narrow(conn, *id, permissions, now).await,
        Removal::Assignment { holder, role } => conn.run(&LOSE_ROLE, args![*holder, *role]).await,
        Removal::SigningKey { id } => crate::signing::end(conn, *id, now, true).await,
        Removal::Permission { holder, permission } => conn.run(&LOSE_PERMISSION, args![*holder, *permission]).await,
    }
}

/// What a role holds.
struct Holds {
    permissions: PermissionSet,
}

row!(Holds: "" { permissions });

/// Leaves a role only what it has of these permissions: what it had been given besides, when they were taken from it, a
/// restored one may never have had.
async fn narrow(conn: &mut Conn<'_>, id: Uuid, left: &PermissionSet, now: i64) -> Result<u64> {
    let Some(holds) = conn.one::<Holds>(&ROLE, args![id]).await? else { return Ok(0) };
    conn.run(&NARROW_ROLE, args![id, now, holds.permissions.intersection(left)]).await
}
