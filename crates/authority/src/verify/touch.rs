//! What an event touches: one exhaustive match from kinds of events to keys, so that a new kind of event does not
//! compile without an answer.

use tokenhouse_model::Uuid;
use tokenhouse_model::event::{Body, EventKind, Recorded, Removal};
use tokenhouse_model::secret::Digest;

use super::board::Key;

/// What an event touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// These keys.
    Keys(Vec<Key>),
    /// Perhaps anything: the memory is dropped.
    Everything,
}

/// What an event touches.
pub(crate) fn touched(event: &Recorded) -> Touched {
    use EventKind as K;
    let (org, subject) = (event.org_id, event.subject);
    let mut keys = match event.kind {
        K::JournalReplayed => return Touched::Everything,
        // Nothing that is remembered.
        K::HouseInitialized
        | K::FreshnessChanged
        | K::SigningScheduleChanged
        | K::JobConfirmed
        | K::JobStarted
        | K::JobCancelled
        | K::JobEnded
        | K::SavedSearchCreated
        | K::SavedSearchUpdated
        | K::SavedSearchDeleted
        | K::IntegrationListed
        | K::IntegrationRemoved => Vec::new(),
        // Sessions that end with a password, and tokens that end together, stand among the removals below.
        K::PasswordChanged | K::TokensRevoked => Vec::new(),
        K::OrgCreated | K::OrgRenamed | K::OrgSuspended | K::OrgResumed | K::OrgOnboarded | K::OrgOffboarded => {
            vec![Key::Org(subject)]
        }
        K::PolicyChanged => vec![Key::Org(org)],
        K::AppUpdated
        | K::AccountCreated
        | K::AccountUpdated
        | K::AccountActivated
        | K::AccountDeactivated
        | K::AccountDeleted => {
            vec![Key::Holder(subject)]
        }
        // Who is touched by a group or a role is not written in the event: everyone of the org.
        K::GroupCreated
        | K::GroupUpdated
        | K::GroupDeleted
        | K::MemberAdded
        | K::MemberRemoved
        | K::RoleCreated
        | K::RoleUpdated
        | K::RoleDeleted
        | K::RoleAssigned
        | K::RoleUnassigned
        | K::PermissionGranted
        | K::PermissionRevoked => vec![Key::Org(org)],
        K::IssuerAdded | K::SigningKeyMade | K::SigningKeyRetired | K::SigningKeyCompromised => vec![Key::Signing],
        // Which tokens and secrets moved in stands in the body.
        K::TokensImported => Vec::new(),
        // The secrets that these make stand in the body.
        K::TokenIssued
        | K::RotationFinished
        | K::TokenRenamed
        | K::TokenExpiryChanged
        | K::TokenDeactivated
        | K::TokenReactivated
        | K::TokenRotated
        | K::TokenRevoked => vec![Key::Token(subject)],
    };
    // A body that was redacted or can't be read hides what else was touched.
    let Ok(body) = serde_json::from_str::<Body>(&event.body) else { return Touched::Everything };
    if event.salt.is_empty() {
        return Touched::Everything;
    }
    if event.kind == K::TokensImported {
        let Some(ids) = imported(&body) else { return Touched::Everything };
        keys.extend(ids.into_iter().map(Key::Token));
    }
    for digest in &body.made {
        let Some(digest) = Digest::from_hex(digest) else { return Touched::Everything };
        keys.push(Key::Digest(digest.0));
    }
    for removal in &body.removals {
        if let Some(key) = removed(removal)
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    Touched::Keys(keys)
}

/// The ids of the tokens that an import made.
fn imported(body: &Body) -> Option<Vec<Uuid>> {
    let owners = body.details.get("tokens")?.as_object()?.values();
    let ids = owners.map(|ids| ids.as_array()).collect::<Option<Vec<_>>>()?;
    ids.into_iter().flatten().map(|id| Uuid::try_parse(id.as_str()?).ok()).collect()
}

/// What a removal touches beyond its event's kind.
fn removed(removal: &Removal) -> Option<Key> {
    match removal {
        // Its token is the event's subject, or stands beside it.
        Removal::Secret { .. } => None,
        Removal::Token { id } | Removal::TokenInactive { id } | Removal::TokenEnds { id, .. } => Some(Key::Token(*id)),
        Removal::AccountInactive { id } | Removal::Account { id } => Some(Key::Holder(*id)),
        Removal::Org { id } | Removal::Policy { org: id, .. } | Removal::Onboarding { org: id } => Some(Key::Org(*id)),
        // A password is not remembered here.
        Removal::Password { .. } => None,
        Removal::SigningKey { .. } => Some(Key::Signing),
        // Their kinds touch the whole org.
        Removal::Member { .. }
        | Removal::Group { .. }
        | Removal::Role { .. }
        | Removal::Assignment { .. }
        | Removal::Permission { .. } => None,
    }
}
