//! What can happen: the kinds of ledger events, and what of them takes authority away.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Millis;
use crate::macros::words;
use crate::permission::PermissionSet;
use crate::secret::Digest;

words! {
    /// The kind of a ledger event. The word before the dot says what the subject is.
    pub enum EventKind ("kind") {
        /// The installation was made.
        HouseInitialized = "house.initialized",
        /// A restore was found; the authority that the journal knows is dead was taken away again.
        JournalReplayed = "house.journal_replayed",
        /// S, the time for which nodes may answer from memory, changed.
        FreshnessChanged = "house.freshness_changed",
        /// An org was made.
        OrgCreated = "org.created",
        /// An org's name changed.
        OrgRenamed = "org.renamed",
        /// An org's credentials stopped working.
        OrgSuspended = "org.suspended",
        /// An org's credentials work again.
        OrgResumed = "org.resumed",
        /// An org's access tokens became the way in.
        OrgOnboarded = "org.onboarded",
        /// An org went back to tokens as they were before access tokens.
        OrgOffboarded = "org.offboarded",
        /// An org's rules changed.
        PolicyChanged = "policy.changed",
        /// An integration came into an org's list, or what is said of it there changed.
        IntegrationListed = "integration.listed",
        /// An integration is no longer in an org's list.
        IntegrationRemoved = "integration.removed",
        /// A password was set or taken away.
        PasswordChanged = "identity.password_changed",
        /// An account was made.
        AccountCreated = "account.created",
        /// An account's description changed.
        AccountUpdated = "account.updated",
        /// An account's tokens work again.
        AccountActivated = "account.activated",
        /// An account's tokens stopped working.
        AccountDeactivated = "account.deactivated",
        /// An account is gone, its tokens with it.
        AccountDeleted = "account.deleted",
        /// A group was made.
        GroupCreated = "group.created",
        /// A group's name or description changed.
        GroupUpdated = "group.updated",
        /// A group is gone, what it gave with it.
        GroupDeleted = "group.deleted",
        /// An account came into a group.
        MemberAdded = "group.member_added",
        /// An account left a group.
        MemberRemoved = "group.member_removed",
        /// A role was made.
        RoleCreated = "role.created",
        /// A role's name, description or permissions changed.
        RoleUpdated = "role.updated",
        /// A role is gone, what it gave with it.
        RoleDeleted = "role.deleted",
        /// Someone was given a role.
        RoleAssigned = "role.assigned",
        /// Someone lost a role.
        RoleUnassigned = "role.unassigned",
        /// Someone was given a permission.
        PermissionGranted = "permission.granted",
        /// Someone lost a permission.
        PermissionRevoked = "permission.revoked",
        /// A token was made.
        TokenIssued = "token.issued",
        /// Tokens that were made elsewhere moved in.
        TokensImported = "token.imported",
        /// A token's name changed.
        TokenRenamed = "token.renamed",
        /// A token's end changed.
        TokenExpiryChanged = "token.expiry_changed",
        /// A token was switched off.
        TokenDeactivated = "token.deactivated",
        /// A token was switched on.
        TokenReactivated = "token.reactivated",
        /// A token has a new secret.
        TokenRotated = "token.rotated",
        /// A token's older secret ended before its overlap was over.
        RotationFinished = "token.rotation_finished",
        /// A token is over for good.
        TokenRevoked = "token.revoked",
        /// Many tokens are over for good; a job did it.
        TokensRevoked = "token.revoked_many",
        /// A new key signs access tokens, or will.
        SigningKeyMade = "signing_key.made",
        /// A key signs no more, or never will.
        SigningKeyRetired = "signing_key.retired",
        /// Somebody else may have a key: nothing that it signed is believed.
        SigningKeyCompromised = "signing_key.compromised",
        /// Signing keys are replaced after another number of days.
        SigningScheduleChanged = "house.signing_schedule_changed",
        /// The installation issues by another name as well.
        IssuerAdded = "house.issuer_added",
        /// What was asked for an app changed, other than its roles.
        AppUpdated = "app.updated",
        /// A search is kept.
        SavedSearchCreated = "saved_search.created",
        /// A kept search changed.
        SavedSearchUpdated = "saved_search.updated",
        /// A search is no longer kept.
        SavedSearchDeleted = "saved_search.deleted",
        /// Somebody confirmed that the time is right; a job that was held goes on.
        JobConfirmed = "job.confirmed",
        /// Somebody asked for a job.
        JobStarted = "job.started",
        /// Somebody stopped a job.
        JobCancelled = "job.cancelled",
        /// A job that somebody asked for is over.
        JobEnded = "job.ended",
    }
}

impl EventKind {
    /// What the event's subject is.
    pub fn subject_kind(self) -> &'static str {
        self.as_str().split_once('.').map_or("house", |(subject, _)| subject)
    }
}

/// Authority that an event took away, told so that it can be taken away again in a database that forgot it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "dead", rename_all = "snake_case")]
pub enum Removal {
    /// This secret proves nothing from `until` on. The digest is lower-case hexadecimal.
    Secret {
        /// SHA-256 of the secret.
        digest: String,
        /// From then on, in epoch milliseconds.
        until: Millis,
    },
    /// This token is revoked.
    Token {
        /// Its id.
        id: Uuid,
    },
    /// This token is switched off.
    TokenInactive {
        /// Its id.
        id: Uuid,
    },
    /// This token ends then at the latest.
    TokenEnds {
        /// Its id.
        id: Uuid,
        /// Epoch milliseconds.
        at: Millis,
    },
    /// This account is switched off.
    AccountInactive {
        /// Its id.
        id: Uuid,
    },
    /// This account is deleted, its tokens revoked.
    Account {
        /// Its id.
        id: Uuid,
    },
    /// This org is suspended.
    Org {
        /// Its id.
        id: Uuid,
    },
    /// Access tokens of this org reach no further than what they came from.
    Onboarding {
        /// The org's id.
        org: Uuid,
    },
    /// This org's policy was tightened to this one.
    Policy {
        /// The org's id.
        org: Uuid,
        /// Its rules.
        policy: Box<crate::Policy>,
    },
    /// This identity's password is no longer good.
    Password {
        /// The identity's id.
        id: Uuid,
    },
    /// This account is no longer in this group.
    Member {
        /// The group's id.
        group: Uuid,
        /// The account's id.
        account: Uuid,
    },
    /// This group is gone.
    Group {
        /// Its id.
        id: Uuid,
    },
    /// This role gives at most these permissions; none if it is gone.
    Role {
        /// Its id.
        id: Uuid,
        /// What is left.
        permissions: PermissionSet,
    },
    /// This holder does not have this role.
    Assignment {
        /// The holder's id.
        holder: Uuid,
        /// The role's id.
        role: Uuid,
    },
    /// Nothing that this key signed is believed.
    SigningKey {
        /// Its id.
        id: Uuid,
    },
    /// This holder does not have this permission.
    Permission {
        /// The holder's id.
        holder: Uuid,
        /// Its string.
        permission: String,
    },
}

/// What an event says beside its columns. It is stored as one JSON text, and part of the event's hash.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Body {
    /// Names and values for people; never a secret.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// What it took away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removals: Vec<Removal>,
    /// The digests of secrets that it made, in lower-case hexadecimal: whoever remembers that there is no such secret
    /// must forget it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<String>,
}

/// An event on its way into the ledger.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// In which org; nil where it is of the whole installation.
    pub org_id: Uuid,
    /// To whom or what.
    pub subject: Uuid,
    /// The rest.
    pub body: Body,
}

impl Event {
    /// An event without details.
    pub fn new(kind: EventKind, org_id: Uuid, subject: Uuid) -> Self {
        Self { kind, org_id, subject, body: Body::default() }
    }

    /// With one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.body.details.insert(name.to_owned(), value.into());
        self
    }

    /// With a secret that it makes.
    #[must_use]
    pub fn making(mut self, digest: &Digest) -> Self {
        self.body.made.push(digest.to_hex());
        self
    }

    /// With something that it takes away.
    #[must_use]
    pub fn removing(mut self, removal: Removal) -> Self {
        self.body.removals.push(removal);
        self
    }

    /// With all of these taken away.
    #[must_use]
    pub fn removing_all(mut self, removals: impl IntoIterator<Item = Removal>) -> Self {
        self.body.removals.extend(removals);
        self
    }
}

/// Who makes a change, as the ledger tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The acting account; nil for the system.
    pub account: Uuid,
    /// The token with which it acts; nil where it acts by password or on the machine itself.
    pub token: Uuid,
    /// From where; empty if unknown.
    pub address: String,
    /// The request; empty for a command on the machine.
    pub request_id: String,
}

/// An event as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its position.
    pub revision: i64,
    /// The epoch in which it was written.
    pub epoch: i64,
    /// When, in epoch milliseconds.
    pub at: Millis,
    /// In which org.
    pub org_id: Uuid,
    /// What happened.
    pub kind: EventKind,
    /// To whom or what.
    pub subject: Uuid,
    /// The acting account.
    pub actor_account: Uuid,
    /// The acting token.
    pub actor_token: Uuid,
    /// From where.
    pub address: String,
    /// The request.
    pub request_id: String,
    /// The body's JSON text.
    pub body: String,
    /// The salt of the body's hash; empty once the body was redacted.
    pub salt: Vec<u8>,
    /// The salted hash of everything above from `at` on.
    pub body_hash: Vec<u8>,
    /// The hash of the chain up to here.
    pub hash: Vec<u8>,
}
