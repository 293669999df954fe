//! Rows to search, and what they hold as plain values.

use std::collections::BTreeMap;

use tokenhouse_authority::{Caller, verify};
use tokenhouse_e2e::House;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::env::Random;
use tokenhouse_model::role::{Grant, HolderKind, Namespace, RoleKind};
use tokenhouse_model::{
    Account, Assignment, Group, GroupKind, NEVER, PermissionSet, Reach, Result, Role, Scopes, Surface, Token,
    TokenKind, TokenState, Uuid, id, name,
};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store, Tx, accounts, groups, roles, tokens};

use super::naive::{Holds, Seen};
use super::random::Dice;

/// What somebody was given: a role, or a permission by itself.
struct Source {
    holder: Uuid,
    role: Option<(Uuid, String)>,
    permissions: PermissionSet,
}

/// The time of the house.
pub const NOW: i64 = 1_800_000_000_000;

/// Names that try to be something else.
const NAMES: [&str; 20] = [
    "",
    "ci",
    "CI",
    "deploy",
    "Deploy prod",
    "deploy-prod 2",
    "a%b",
    "a_b",
    "A_B",
    "axb",
    "back\\slash",
    "quo\"te",
    "it's",
    "\u{c4}\u{d6}\u{fc} Stra\u{df}e",
    "\u{3a3}\u{3af}\u{3b3}\u{3bc}\u{3b1}",
    "\u{30c8}\u{30fc}\u{30af}\u{30f3}",
    "cafe\u{301}",
    "caf\u{e9}",
    "\u{1f600} smile",
    "xx%_\\xx",
];

/// A house full of rows.
pub struct World {
    pub caller: Caller,
    pub tokens: Vec<Seen>,
    pub accounts: Vec<Seen>,
    pub groups: Vec<Seen>,
    pub roles: Vec<Seen>,
    /// Texts of which random searches are made.
    pub needles: Vec<String>,
    pub store: Store,
    pub org: Uuid,
    /// A token after whose model others can be made.
    model: Option<Token>,
    _folder: tempfile::TempDir,
}

/// What is written, twice: for this org and for another, of which nothing may be found.
#[derive(Default)]
struct Rows {
    accounts: Vec<Account>,
    groups: Vec<Group>,
    roles: Vec<Role>,
    tokens: Vec<Token>,
    members: Vec<(usize, Uuid)>,
    assignments: Vec<Assignment>,
    grants: Vec<Grant>,
    used: Vec<(Uuid, i64)>,
}

fn permissions(dice: &mut Dice) -> PermissionSet {
    let all =
        ["house:read", "house:verify", "user_management", "token_management", "external/Shop/Buyer", "external/x/y"];
    let count = dice.below(4);
    PermissionSet::parse((0..count).map(|_| *dice.of(&all))).unwrap()
}

impl Rows {
    fn make(org: Uuid, dice: &mut Dice, random: &Random) -> Self {
        let mut rows = Self::default();
        let made = |dice: &mut Dice| NOW - 1000 * i64::try_from(dice.below(40)).unwrap();
        for number in 0..30_i64 {
            let service = dice.one_in(2);
            let text = dice.of(&NAMES).replace([' ', '\\'], "");
            let identifier =
                if service { format!("sa::{text}{number}") } else { format!("{text}{number}@example.test") };
            let created_at = made(dice);
            rows.accounts.push(Account {
                id: id::new(created_at, random),
                org_id: org,
                identity_id: Uuid::nil(),
                kind: if service { AccountKind::Service } else { AccountKind::User },
                identifier: name::fold(&identifier),
                identifier_fold: name::fold(&identifier),
                description: (*dice.of(&NAMES)).to_owned(),
                state: if dice.one_in(4) { AccountState::Inactive } else { AccountState::Active },
                created_at,
                created_by: Uuid::nil(),
                updated_at: created_at,
                tombstone: Uuid::nil(),
            });
        }
        for number in 0..12 {
            let (created_at, text) = (made(dice), format!("{}{number}", dice.of(&NAMES)));
            rows.groups.push(Group {
                id: id::new(created_at, random),
                org_id: org,
                name: text.trim().to_owned(),
                name_fold: name::fold(&text),
                description: (*dice.of(&NAMES)).to_owned(),
                created_at,
                updated_at: created_at,
                kind: GroupKind::Custom,
            });
            let (created_at, text) = (made(dice), format!("{} role {number}", dice.of(&NAMES)));
            rows.roles.push(Role {
                id: id::new(created_at, random),
                org_id: org,
                kind: RoleKind::Custom,
                namespace: *dice.of(&[Namespace::House, Namespace::Wavefront]),
                name: text.trim().to_owned(),
                name_fold: name::fold(&text),
                description: (*dice.of(&NAMES)).to_owned(),
                permissions: permissions(dice),
                created_at,
                updated_at: made(dice),
            });
        }
        rows.give(org, dice);
        for _ in 0..220 {
            let owner = dice.of(&rows.accounts);
            let (owner_id, service) = (owner.id, owner.kind == AccountKind::Service);
            rows.token(org, owner_id, service, made(dice), dice, random);
        }
        rows
    }

    fn token(&mut self, org: Uuid, owner_id: Uuid, service: bool, created_at: i64, dice: &mut Dice, random: &Random) {
        let kind = if service { TokenKind::Service } else { TokenKind::User };
        let text = *dice.of(&NAMES);
        let revoked = dice.one_in(8);
        let token = Token {
            id: id::new(created_at, random),
            short_id: id::short(random),
            org_id: org,
            owner_id,
            kind: match dice.below(20) {
                0 => TokenKind::Api,
                1 | 2 => TokenKind::Session,
                _ => kind,
            },
            name: text.to_owned(),
            name_fold: name::fold(text),
            state: match (revoked, dice.one_in(8)) {
                (true, _) => TokenState::Revoked,
                (false, true) => TokenState::Inactive,
                (false, false) => TokenState::Active,
            },
            scopes: Scopes::All,
            reach: Reach::ALL,
            addresses: AddressRules::default(),
            created_at,
            created_by: Uuid::nil(),
            created_through: Uuid::nil(),
            updated_at: created_at,
            not_before: 0,
            expires_at: *dice.of(&[NEVER, NEVER, NOW + 1, NOW, NOW - 1]),
            idle_limit: NEVER,
            last_used_at: 0,
            last_used_address: String::new(),
            revoked_at: if revoked { NOW } else { 0 },
        };
        if dice.one_in(2) {
            self.used.push((token.id, NOW - 1000 * i64::try_from(dice.below(20)).unwrap()));
        }
        self.tokens.push(token);
    }

    /// Members, roles and permissions: some of them over.
    fn give(&mut self, org: Uuid, dice: &mut Dice) {
        for _ in 0..50 {
            let account = dice.of(&self.accounts).id;
            self.members.push((dice.below(self.groups.len()), account));
        }
        for _ in 0..60 {
            let (holder_id, holder_kind) = if dice.one_in(3) {
                (dice.of(&self.groups).id, HolderKind::Group)
            } else {
                (dice.of(&self.accounts).id, HolderKind::Account)
            };
            let expires_at = *dice.of(&[NEVER, NEVER, NOW + 1, NOW]);
            if dice.one_in(2) {
                let role_id = dice.of(&self.roles).id;
                self.assignments.push(Assignment {
                    holder_id,
                    holder_kind,
                    role_id,
                    org_id: org,
                    expires_at,
                    created_at: 1,
                });
            } else {
                let permission = (*dice.of(&["house:read", "user_management", "external/Shop/Buyer"])).to_owned();
                self.grants.push(Grant { holder_id, holder_kind, permission, org_id: org, expires_at, created_at: 1 });
            }
        }
    }

    async fn write(&self, tx: &mut Tx<'_>) -> Result<()> {
        let conn = tx.conn();
        for account in &self.accounts {
            accounts::insert(conn, account).await?;
        }
        for role in &self.roles {
            roles::insert(conn, role).await?;
        }
        for group in &self.groups {
            groups::insert(conn, group).await?;
        }
        for (group, account) in &self.members {
            groups::add(conn, &self.groups[*group], *account, 1).await?;
        }
        for assignment in &self.assignments {
            roles::assign(conn, assignment).await?;
        }
        for grant in &self.grants {
            roles::grant(conn, grant).await?;
        }
        for token in &self.tokens {
            tokens::insert(conn, token).await?;
        }
        let used = self.used.iter();
        let used = used.map(|(token, at)| tokens::Used { token: *token, at: *at, address: String::new() });
        tokens::used(conn, &used.collect::<Vec<_>>(), 1).await?;
        Ok(())
    }
}

/// Somebody's session on the native surface, as an operation takes it.
pub async fn caller(house: &House, token: &str) -> Caller {
    let presented = Presented::new(token.as_bytes());
    verify::caller(&house.ctx, &presented, Surface::Native, None, "test").await.unwrap()
}

impl World {
    pub async fn make(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::read(&house.folder.path().join("master.key")).unwrap();
        let settings = Settings {
            location: house.database.location.clone(),
            journal: folder.path().join("journal"),
            checkpoints: Checkpoints::default(),
            readers: 2,
            misses: 1,
        };
        let store = Store::open(&settings, key, house.clock.clone(), Random::system()).await.unwrap();
        let org = Uuid::try_parse(&house.org).unwrap();
        let (other, _) = house.neighbour("other").await;
        let random = Random::fixed(7);
        for org in [org, Uuid::try_parse(&other).unwrap()] {
            let rows = Rows::make(org, &mut Dice::new(5), &random);
            store.write(async move |tx: &mut Tx<'_>| rows.write(tx).await).await.unwrap();
        }
        let caller = caller(house, &house.admin).await;
        let empty = || Vec::new();
        let (tokens, accounts, groups, roles) = (empty(), empty(), empty(), empty());
        let mut world = Self {
            caller,
            tokens,
            accounts,
            groups,
            roles,
            needles: Vec::new(),
            store,
            org,
            model: None,
            _folder: folder,
        };
        world.look().await;
        world
    }

    /// Reads every row by other ways than searching.
    pub async fn look(&mut self) {
        let mut reader = self.store.read().await.unwrap();
        let conn = &mut reader.conn();
        let people = accounts::list(conn, self.org, &accounts::Filter::default(), Uuid::nil(), 10_000).await.unwrap();
        let listed = tokens::list(conn, self.org, tokens::Filter::default(), Uuid::nil(), 10_000).await.unwrap();
        let groups = groups::list(conn, self.org, Uuid::nil(), 10_000).await.unwrap();
        let ids: Vec<Uuid> = people.iter().map(|account| account.id).collect();
        let memberships = groups::of_accounts(conn, &ids).await.unwrap();
        let ids: Vec<Uuid> = ids.into_iter().chain(groups.iter().map(|group| group.id)).collect();
        let roles = roles::list(conn, self.org, None, Uuid::nil(), 10_000).await.unwrap();
        let mut given: Vec<Source> = Vec::new();
        for row in roles::assigned_to(conn, &ids, NOW).await.unwrap() {
            let role = roles.iter().find(|role| role.id == row.role_id).unwrap();
            let (role, permissions) = (Some((role.id, role.name.clone())), role.permissions.clone());
            given.push(Source { holder: row.holder_id, role, permissions });
        }
        for row in roles::granted_to(conn, &ids, NOW).await.unwrap() {
            let permissions = PermissionSet::parse([row.permission.as_str()]).unwrap();
            given.push(Source { holder: row.holder_id, role: None, permissions });
        }

        let owners: BTreeMap<Uuid, &Account> = people.iter().map(|account| (account.id, account)).collect();
        let found = |token: &&Token| {
            let kind = matches!(token.kind, TokenKind::User | TokenKind::Service);
            kind && token.state != TokenState::Revoked && token.expires_at > NOW
        };
        self.model = listed.iter().find(found).cloned();
        self.tokens = listed.iter().filter(found).map(|token| seen_token(token, owners[&token.owner_id])).collect();
        let in_groups = |account: &Account| -> Vec<(String, Option<Uuid>)> {
            let own = memberships.iter().filter(|membership| membership.account_id == account.id);
            let group = |id: Uuid| groups.iter().find(|group| group.id == id).unwrap();
            own.map(|membership| (group(membership.group_id).name.clone(), Some(membership.group_id))).collect()
        };
        let account = |account: &Account| {
            let own = listed.iter().filter(|token| token.owner_id == account.id && token.state != TokenState::Revoked);
            let ever = listed.iter().filter(|token| token.owner_id == account.id);
            let used = ever.map(|token| token.last_used_at).max().unwrap_or(0);
            let tokens = i64::try_from(own.count()).unwrap();
            let sessions =
                listed.iter().filter(|token| token.owner_id == account.id && token.kind == TokenKind::Session);
            let login = sessions.map(|token| token.created_at).max().unwrap_or(0);
            let holders: Vec<Uuid> =
                in_groups(account).into_iter().filter_map(|(_, id)| id).chain([account.id]).collect();
            let held: Vec<&Source> = given.iter().filter(|source| holders.contains(&source.holder)).collect();
            let direct: Vec<&Source> = held.iter().copied().filter(|source| source.holder == account.id).collect();
            let granted = direct.iter().copied().filter(|source| source.role.is_none()).collect::<Vec<_>>();
            row(
                account.id,
                &["identifier", "description"],
                [
                    ("identifier", Holds::Text(account.identifier.clone())),
                    ("description", Holds::Text(account.description.clone())),
                    ("kind", Holds::Text(account.kind.to_string())),
                    ("state", Holds::Text(account.state.to_string())),
                    ("created_at", Holds::Number(account.created_at)),
                    ("last_used_at", Holds::Number(used)),
                    ("tokens", Holds::Number(tokens)),
                    ("last_login_at", Holds::Number(login)),
                    ("group", Holds::Several(in_groups(account))),
                    ("role", Holds::Several(names(&direct))),
                    ("held_role", Holds::Several(names(&held))),
                    ("permission", Holds::Several(texts(&granted))),
                    ("held", Holds::Several(texts(&held))),
                ],
            )
        };
        self.accounts = people.iter().map(account).collect();
        let group = |group: &Group| {
            let members = memberships.iter().filter(|membership| membership.group_id == group.id);
            let members = members.map(|membership| named(owners[&membership.account_id])).collect::<Vec<_>>();
            let gives: Vec<&Source> = given.iter().filter(|source| source.holder == group.id).collect();
            let roles = names(&gives);
            row(
                group.id,
                &["name", "description"],
                [
                    ("name", Holds::Text(group.name.clone())),
                    ("description", Holds::Text(group.description.clone())),
                    ("created_at", Holds::Number(group.created_at)),
                    ("members", Holds::Number(i64::try_from(members.len()).unwrap())),
                    ("member", Holds::Several(members)),
                    ("roles", Holds::Number(i64::try_from(roles.len()).unwrap())),
                    ("role", Holds::Several(roles)),
                ],
            )
        };
        self.groups = groups.iter().map(group).collect();
        let role = |role: &Role| {
            let of_role = given.iter().filter(|source| source.role.as_ref().is_some_and(|(id, _)| *id == role.id));
            let accounts: Vec<_> =
                of_role.clone().filter_map(|source| owners.get(&source.holder)).map(|a| named(a)).collect();
            let grouped = of_role.filter_map(|source| groups.iter().find(|group| group.id == source.holder));
            let grouped: Vec<_> = grouped.map(|group| (group.name.clone(), Some(group.id))).collect();
            row(
                role.id,
                &["name", "description"],
                [
                    ("name", Holds::Text(role.name.clone())),
                    ("description", Holds::Text(role.description.clone())),
                    (
                        "permission",
                        Holds::Several(role.permissions.names().into_iter().map(|name| (name, None)).collect()),
                    ),
                    ("created_at", Holds::Number(role.created_at)),
                    ("updated_at", Holds::Number(role.updated_at)),
                    ("accounts", Holds::Number(i64::try_from(accounts.len()).unwrap())),
                    ("groups", Holds::Number(i64::try_from(grouped.len()).unwrap())),
                    ("account", Holds::Several(accounts)),
                    ("group", Holds::Several(grouped)),
                ],
            )
        };
        self.roles = roles.iter().map(role).collect();
        self.needles = self.texts();
    }

    /// A token after whose model others can be made.
    pub fn token(&self) -> Token {
        self.model.clone().unwrap()
    }

    fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for row in self.tokens.iter().chain(&self.accounts).chain(&self.groups).chain(&self.roles) {
            for holds in row.fields.values() {
                match holds {
                    Holds::Id(id) => texts.push(id.to_string()),
                    Holds::Text(text) => texts.push(text.clone()),
                    Holds::Number(number) => texts.push(number.to_string()),
                    Holds::Several(several) => {
                        texts.extend(several.iter().map(|(text, _)| text.clone()));
                        texts.extend(several.iter().filter_map(|(_, id)| id.map(|id| id.to_string())));
                    }
                }
            }
        }
        texts.sort();
        texts.dedup();
        texts
    }
}

fn row<const N: usize>(id: Uuid, anything: &'static [&'static str], fields: [(&'static str, Holds); N]) -> Seen {
    Seen { id, fields: [("id", Holds::Id(id))].into_iter().chain(fields).collect(), anything }
}

fn named(account: &Account) -> (String, Option<Uuid>) {
    (account.identifier.clone(), Some(account.id))
}

fn names(sources: &[&Source]) -> Vec<(String, Option<Uuid>)> {
    sources.iter().filter_map(|source| source.role.clone()).map(|(id, name)| (name, Some(id))).collect()
}

fn texts(sources: &[&Source]) -> Vec<(String, Option<Uuid>)> {
    sources.iter().flat_map(|source| source.permissions.names()).map(|name| (name, None)).collect()
}

fn seen_token(token: &Token, owner: &Account) -> Seen {
    let off = owner.kind == AccountKind::Service && owner.state == AccountState::Inactive;
    let owner_type = if off { "inactive_service" } else { owner.kind.as_str() };
    row(
        token.id,
        &["name", "owner", "id"],
        [
            ("name", Holds::Text(token.name.clone())),
            ("owner", Holds::Text(owner.identifier.clone())),
            ("owner_type", Holds::Text(owner_type.to_owned())),
            ("created_at", Holds::Number(token.created_at)),
            ("last_used_at", Holds::Number(token.last_used_at)),
        ],
    )
}
