//! Roles: named sets of permissions, and who holds them until when.

use uuid::Uuid;

use crate::macros::words;
use crate::permission::{Permission as P, PermissionSet};
use crate::{Millis, Result, asked, name};

words! {
    /// What a role is about.
    pub enum RoleKind ("kind") {
        /// A rank or duty in the org.
        Organization = "organization",
        /// A role of a service behind us.
        Service = "service",
        /// Made by the org itself.
        Custom = "custom",
    }
}

words! {
    /// Whose word a role or permission is. A dialect's role API sees and assigns only its own (design 5.2).
    pub enum Namespace ("namespace") {
        /// The native one.
        House = "house",
        /// Wavefront's.
        Wavefront = "wavefront",
        /// VMware Cloud Services'.
        Csp = "csp",
        /// Splunk Observability Cloud's.
        Splunk = "splunk",
    }
}

words! {
    /// What can hold roles and permissions.
    pub enum HolderKind ("holder") {
        /// An account.
        Account = "account",
        /// A group, for its members.
        Group = "group",
        /// A token with roles of its own (design 5.5).
        Token = "token",
    }
}

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Row id; built-in roles have the same one everywhere.
    pub id: Uuid,
    /// The org that made it; nil for a built-in role.
    pub org_id: Uuid,
    /// What it is about.
    pub kind: RoleKind,
    /// Whose word it is.
    pub namespace: Namespace,
    /// Its name, unique within its org.
    pub name: String,
    /// The name folded for comparing.
    pub name_fold: String,
    /// Free text.
    pub description: String,
    /// What it gives.
    pub permissions: PermissionSet,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl Role {
    /// Whether it came with the program and can't be changed.
    pub fn builtin(&self) -> bool {
        self.org_id.is_nil()
    }
}

/// Checks a custom role's name. Names of built-in roles are taken.
///
/// # Errors
/// `invalid_field`, `duplicate`.
pub fn check_name(text: &str) -> Result<()> {
    name::check("name", text, name::NAME)?;
    if text.contains('/') {
        return Err(crate::Error::invalid("name", "must not contain a slash"));
    }
    let folded = name::fold(text);
    if BUILTIN.iter().any(|role| name::fold(role.name) == folded) {
        return Err(crate::Error::duplicate("a role"));
    }
    Ok(())
}

impl Namespace {
    /// Whether a role of this namespace may hold these permissions: a house role any, one of VMware Cloud Services those
    /// of services, another only those of its own namespace, so that whoever sees no other words is never shown half a
    /// role. A rank is no custom role's: it would be held where nobody looks for it.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check_role(self, permissions: &PermissionSet) -> Result<()> {
        let why = match self {
            Self::House => return Ok(()),
            Self::Csp if permissions.management().within(Self::Wavefront) => return Ok(()),
            Self::Csp => {
                "must be those of services: external/<service>/<role>, or what such roles stand for".to_owned()
            }
            _ if permissions.within(self) => return Ok(()),
            _ => format!("of a {self} role must all be permissions of {self}"),
        };
        Err(crate::Error::invalid("permissions", why))
    }
}

/// A role held by someone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Who holds it.
    pub holder_id: Uuid,
    /// What the holder is.
    pub holder_kind: HolderKind,
    /// The role.
    pub role_id: Uuid,
    /// The org in which it counts.
    pub org_id: Uuid,
    /// When it ends by itself; `NEVER` if it does not.
    pub expires_at: Millis,
    /// When it was given.
    pub created_at: Millis,
}

/// A permission held directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who holds it.
    pub holder_id: Uuid,
    /// What the holder is.
    pub holder_kind: HolderKind,
    /// The permission's string.
    pub permission: String,
    /// The org in which it counts.
    pub org_id: Uuid,
    /// When it ends by itself; `NEVER` if it does not.
    pub expires_at: Millis,
    /// When it was given.
    pub created_at: Millis,
}

/// A role that comes with the program.
#[derive(Debug)]
pub struct Builtin {
    /// Its number, from which its id is made; never reused.
    pub number: u8,
    /// What it is about.
    pub kind: RoleKind,
    /// Its name, unique over all namespaces.
    pub name: &'static str,
    /// Whose word it is.
    pub namespace: Namespace,
    /// What it is for.
    pub description: &'static str,
    /// What it gives.
    pub permissions: &'static [P],
}

/// The service behind us that has built-in roles: Operations for Applications, as VMware Cloud Services name it. Its id is
/// ours; nothing depends on which one it is.
pub const OPERATIONS: &str = "a0a00000-0000-4000-8000-000000000001";

/// A built-in role of that service (csp.md 3.2). It gives its own word, and what it stands for among wavefront's permissions.
const fn aoa(number: u8, name: &'static str, description: &'static str, permissions: &'static [P]) -> Builtin {
    Builtin { number, kind: RoleKind::Service, name, namespace: Namespace::Csp, description, permissions }
}

/// The roles that come with the program.
pub const BUILTIN: &[Builtin] = &[
    Builtin {
        number: 1,
        kind: RoleKind::Organization,
        name: "operator",
        namespace: Namespace::House,
        description: "Runs this installation: makes, suspends and resumes orgs",
        permissions: &[P::Orgs],
    },
    Builtin {
        number: 2,
        kind: RoleKind::Organization,
        name: "administrator",
        namespace: Namespace::House,
        description: "Everything within one org",
        permissions: &[
            P::Accounts,
            P::Groups,
            P::Roles,
            P::Tokens,
            P::IssueTokens,
            P::ImportTokens,
            P::Policy,
            P::Ledger,
            P::Verify,
            P::Read,
        ],
    },
    Builtin {
        number: 3,
        kind: RoleKind::Organization,
        name: "member",
        namespace: Namespace::House,
        description: "Issues tokens for oneself and sees who is there",
        permissions: &[P::IssueTokens, P::Read],
    },
    Builtin {
        number: 4,
        kind: RoleKind::Organization,
        name: "auditor",
        namespace: Namespace::House,
        description: "Reads the ledger and sees who is there",
        permissions: &[P::Ledger, P::Read],
    },
    Builtin {
        number: 5,
        kind: RoleKind::Organization,
        name: "verifier",
        namespace: Namespace::House,
        description: "Asks whether credentials are good, as an API server does",
        permissions: &[P::Verify],
    },
    Builtin {
        number: 16,
        kind: RoleKind::Organization,
        name: "org_owner",
        namespace: Namespace::Csp,
        description: "Organization Owner",
        permissions: &[P::CspOrgOwner],
    },
    Builtin {
        number: 17,
        kind: RoleKind::Organization,
        name: "org_admin",
        namespace: Namespace::Csp,
        description: "Organization Administrator",
        permissions: &[P::CspOrgAdmin],
    },
    Builtin {
        number: 18,
        kind: RoleKind::Organization,
        name: "org_member",
        namespace: Namespace::Csp,
        description: "Organization Member",
        permissions: &[P::CspOrgMember],
    },
    Builtin {
        number: 19,
        kind: RoleKind::Organization,
        name: "developer",
        namespace: Namespace::Csp,
        description: "Developer: manages OAuth apps",
        permissions: &[P::CspDeveloper],
    },
    Builtin {
        number: 32,
        kind: RoleKind::Organization,
        name: "admin",
        namespace: Namespace::Splunk,
        description: "admin",
        permissions: &[P::SplunkAdmin],
    },
    Builtin {
        number: 33,
        kind: RoleKind::Organization,
        name: "power",
        namespace: Namespace::Splunk,
        description: "power",
        permissions: &[P::SplunkPower],
    },
    Builtin {
        number: 34,
        kind: RoleKind::Organization,
        name: "usage",
        namespace: Namespace::Splunk,
        description: "usage",
        permissions: &[P::SplunkUsage],
    },
    Builtin {
        number: 35,
        kind: RoleKind::Organization,
        name: "read_only",
        namespace: Namespace::Splunk,
        description: "read_only",
        permissions: &[P::SplunkReadOnly],
    },
    // Who manages accounts and tokens in an onboarded org is aoa:admin.
    aoa(
        48,
        "aoa:admin",
        "Admin: manages accounts, groups, roles and their tokens",
        &[P::UserManagement, P::TokenManagement, P::SamlSsoManagement],
    ),
    aoa(49, "aoa:alerts", "Alerts", &[P::AlertsManagement]),
    aoa(50, "aoa:applications", "Applications", &[P::ApplicationManagement]),
    aoa(51, "aoa:batchQueryPriority", "Batch Query Priority", &[P::BatchQueryPriority]),
    aoa(52, "aoa:chartsEmbedding", "Charts Embedding", &[P::EmbeddedCharts]),
    aoa(53, "aoa:dashboards", "Dashboards", &[P::DashboardManagement]),
    aoa(54, "aoa:derivedMetrics", "Derived Metrics", &[P::DerivedMetricsManagement]),
    aoa(55, "aoa:directDataIngestion", "Direct Data Ingestion", &[P::Ingestion]),
    aoa(56, "aoa:events", "Events", &[P::EventsManagement]),
    aoa(57, "aoa:externalLinks", "External Links", &[P::ExternalLinksManagement]),
    aoa(58, "aoa:ingestionPolicies", "Ingestion Policies", &[P::IngestionPolicyManagement]),
    aoa(59, "aoa:integrations", "Integrations", &[P::MonitoredApplicationServiceManagement]),
    aoa(60, "aoa:logs", "Logs", &[P::LogManagement]),
    aoa(61, "aoa:metrics", "Metrics", &[P::MetricsManagement]),
    aoa(62, "aoa:proxies", "Proxies", &[P::AgentManagement]),
    aoa(63, "aoa:sources", "Sources", &[P::HostTagManagement]),
    aoa(64, "aoa:superAdmin", "Super Admin: everything", P::WAVEFRONT),
    aoa(65, "aoa:viewer", "Viewer: sees and changes nothing of its own", &[]),
];

impl Builtin {
    /// Its id, the same in every installation.
    pub const fn id(&self) -> Uuid {
        Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 + self.number as u128)
    }

    /// What people call it: how its description begins.
    pub fn title(&self) -> &'static str {
        self.description.split_once(':').map_or(self.description, |(title, _)| title)
    }

    /// It as a row.
    pub fn role(&self) -> Role {
        let mut permissions = PermissionSet::of(self.permissions);
        if self.kind == RoleKind::Service {
            permissions.insert(&asked::external(OPERATIONS, self.name));
        }
        Role {
            id: self.id(),
            org_id: Uuid::nil(),
            kind: self.kind,
            namespace: self.namespace,
            name: self.name.to_owned(),
            name_fold: name::fold(self.name),
            description: self.description.to_owned(),
            permissions,
            created_at: 0,
            updated_at: 0,
        }
    }
}

/// The built-in role of this name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|role| role.name == name)
}
