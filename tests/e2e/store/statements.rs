//! Every statement runs on both databases.

use tokenhouse_e2e::{Backend, Database};
use tokenhouse_model::account::{AccountKind, AccountState, IdentityKind, PasswordHash};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::job::{Failed, Held, Job, JobKind, JobState, Task, Why};
use tokenhouse_model::org::OrgState;
use tokenhouse_model::role::{Grant, HolderKind, Namespace, RoleKind};
use tokenhouse_model::search::{Condition, Match, On, Test, TokenField};
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{
    Account, Assignment, Group, GroupKind, Identity, NEVER, Org, PermissionSet, Policy, Reach, Result, Role, Scopes,
    Secret, Token, TokenKind, TokenState, Uuid,
};
use tokenhouse_store::journal::{Entry, Journal};
use tokenhouse_store::once::Kept;
use tokenhouse_store::usage::{UsageDay, Uses};
use tokenhouse_store::{
    Checkpoints, Conn, MasterKey, Settings, Store, Tx, accounts, groups, jobs, ledger, moved, once, orgs, roles,
    signing, tokens, usage,
};

const fn n(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) const ORG: Uuid = n(1);
const IDENTITY: Uuid = n(2);
pub(super) const ACCOUNT: Uuid = n(3);
pub(super) const GROUP: Uuid = n(4);
pub(super) const ROLE: Uuid = n(5);
const TOKEN: Uuid = n(6);
const SECRET: Uuid = n(7);

/// A row of each table, each cell with a value of its own, so that two that are mixed up are seen.
struct Rows {
    org: Org,
    identity: Identity,
    account: Account,
    group: Group,
    role: Role,
    token: Token,
    secret: Secret,
}

fn rows() -> Rows {
    Rows {
        org: Org {
            id: ORG,
            name: "Örg \"1\"".to_owned(),
            name_fold: "örg \"1\"".to_owned(),
            state: OrgState::Active,
            onboarded: true,
            data_key: vec![0, 1, 255],
            created_at: 11,
            updated_at: 12,
        },
        identity: Identity {
            id: IDENTITY,
            kind: IdentityKind::Person,
            login: "A@example.test".to_owned(),
            login_fold: "a@example.test".to_owned(),
            password: PasswordHash("$argon2id$not".to_owned()),
            default_org: ORG,
            created_at: 21,
            updated_at: 22,
        },
        account: Account {
            id: ACCOUNT,
            org_id: ORG,
            identity_id: IDENTITY,
            kind: AccountKind::User,
            identifier: "A@example.test".to_owned(),
            identifier_fold: "a@example.test".to_owned(),
            description: "who?\n'quoted' \u{1F600}".to_owned(),
            state: AccountState::Active,
            created_at: 31,
            created_by: n(32),
            updated_at: 33,
            tombstone: Uuid::nil(),
        },
        group: Group {
            id: GROUP,
            org_id: ORG,
            name: "Group".to_owned(),
            name_fold: "group".to_owned(),
            description: "of some".to_owned(),
            created_at: 41,
            updated_at: 42,
            kind: GroupKind::ServiceAccounts,
        },
        role: Role {
            id: ROLE,
            org_id: ORG,
            kind: RoleKind::Custom,
            namespace: Namespace::House,
            name: "Role".to_owned(),
            name_fold: "role".to_owned(),
            description: "a role".to_owned(),
            permissions: PermissionSet::parse(["house:read", "external/x/y"]).unwrap(),
            created_at: 51,
            updated_at: 52,
        },
        token: Token {
            id: TOKEN,
            short_id: "AAAAAAAAAAA".to_owned(),
            org_id: ORG,
            owner_id: ACCOUNT,
            kind: TokenKind::User,
            name: "Token".to_owned(),
            name_fold: "token".to_owned(),
            state: TokenState::Active,
            scopes: Scopes::Only(PermissionSet::parse(["house:read"]).unwrap()),
            reach: Reach::ALL,
            addresses: AddressRules::parse(["10.0.0.0/8", "fd00::/8"]).unwrap(),
            created_at: 61,
            created_by: n(62),
            created_through: n(63),
            updated_at: 64,
            not_before: 65,
            expires_at: NEVER,
            idle_limit: 66,
            last_used_at: 0,
            last_used_address: String::new(),
            revoked_at: 0,
        },
        secret: Secret {
            id: SECRET,
            token_id: TOKEN,
            org_id: ORG,
            digest: Digest([7; 32]),
            last4: "wxyz".to_owned(),
            created_at: 71,
            good_until: NEVER,
            sealed: vec![9, 0, 9],
        },
    }
}

/// What is written must be read back as it was.
macro_rules! same {
    ($read:expr, $written:expr) => {{
        let read = $read.await?;
        assert_eq!(format!("{:?}", read), format!("{:?}", $written));
    }};
}

async fn people(conn: &mut Conn<'_>) -> Result<()> {
    let Rows { mut org, mut identity, mut account, .. } = rows();
    orgs::insert(conn, &org).await?;
    same!(orgs::by_id(conn, ORG), Some(&org));
    same!(orgs::by_name(conn, &org.name_fold), Some(&org));
    (org.state, org.updated_at) = (OrgState::Suspended, 13);
    orgs::update(conn, &org).await?;
    same!(orgs::list(conn, Uuid::nil(), 10), [&org]);
    same!(orgs::count(conn), 1);
    let mut policy = Policy::default();
    same!(orgs::policy(conn, ORG), policy);
    for limit in [3, 4] {
        policy.user.limit = limit;
        orgs::set_policy(conn, ORG, &policy, 1).await?;
        same!(orgs::policy(conn, ORG), policy);
    }
    accounts::insert_identity(conn, &identity).await?;
    same!(accounts::identity(conn, IDENTITY), Some(&identity));
    identity.password = PasswordHash("other".to_owned());
    identity.updated_at = 23;
    accounts::set_password(conn, IDENTITY, &identity.password, 23).await?;
    same!(accounts::identity_by_login(conn, &identity.login_fold), Some(&identity));
    accounts::insert(conn, &account).await?;
    same!(accounts::by_id(conn, ACCOUNT), Some(&account));
    "changed".clone_into(&mut account.description);
    accounts::update(conn, &account).await?;
    same!(accounts::by_identifier(conn, ORG, &account.identifier_fold), Some(&account));
    same!(accounts::of_identity(conn, IDENTITY), [&account]);
    let filter = accounts::Filter { kind: Some(AccountKind::User), state: None, prefix: "a@".to_owned() };
    same!(accounts::list(conn, ORG, &filter, Uuid::nil(), 10), [&account]);
    let filter = accounts::Filter { prefix: "a_".to_owned(), ..filter };
    same!(accounts::list(conn, ORG, &filter, Uuid::nil(), 10), Vec::<Account>::new());
    Ok(())
}

async fn holdings(conn: &mut Conn<'_>) -> Result<()> {
    let Rows { mut group, mut role, .. } = rows();
    groups::insert(conn, &group).await?;
    same!(groups::by_id(conn, GROUP), Some(&group));
    "changed".clone_into(&mut group.description);
    groups::update(conn, &group).await?;
    same!(groups::by_name(conn, ORG, "group"), Some(&group));
    same!(groups::list(conn, ORG, Uuid::nil(), 10), [&group]);
    same!(groups::add(conn, &group, ACCOUNT, 1), true);
    same!(groups::add(conn, &group, ACCOUNT, 2), false);
    assert_eq!(groups::members(conn, GROUP, Uuid::nil(), 10).await?[0].id, ACCOUNT);

    roles::insert(conn, &role).await?;
    same!(roles::by_id(conn, ORG, ROLE), Some(&role));
    "changed".clone_into(&mut role.description);
    roles::update(conn, &role).await?;
    same!(roles::by_name(conn, ORG, "role"), Some(&role));
    assert!(roles::list(conn, ORG, None, Uuid::nil(), 1000).await?.len() > 1);
    for (holder_id, holder_kind) in [(ACCOUNT, HolderKind::Account), (GROUP, HolderKind::Group)] {
        for expires_at in [5, NEVER] {
            let one = Assignment { holder_id, holder_kind, role_id: ROLE, org_id: ORG, expires_at, created_at: 1 };
            roles::assign(conn, &one).await?;
            let permission = "house:verify".to_owned();
            let one = Grant { holder_id, holder_kind, permission, org_id: ORG, expires_at, created_at: 1 };
            roles::grant(conn, &one).await?;
        }
    }
    assert_eq!(roles::sources(conn, ACCOUNT, 10).await?.len(), 4);
    super::people::run(conn).await?;
    assert!(roles::held(conn, ACCOUNT, 10).await?.contains("external/x/y"));
    Ok(())
}

async fn credentials(conn: &mut Conn<'_>) -> Result<()> {
    let Rows { mut token, mut secret, .. } = rows();
    tokens::insert(conn, &token).await?;
    same!(tokens::by_id(conn, TOKEN), Some(&token));
    same!(tokens::by_ids(conn, &[n(99), TOKEN]), [&token]);
    "changed".clone_into(&mut token.name);
    tokens::update(conn, &token).await?;
    let mut filter = tokens::Filter { owner: None, kind: Some(TokenKind::User), state: Some(TokenState::Active) };
    same!(tokens::list(conn, ORG, filter, Uuid::nil(), 10), [&token]);
    filter.owner = Some(ACCOUNT);
    same!(tokens::list(conn, ORG, filter, Uuid::nil(), 10), [&token]);
    same!(tokens::count_live(conn, ACCOUNT, TokenKind::User, 100, 0), 1);
    same!(tokens::count_live_of_org(conn, ORG, TokenKind::User, 100, 0), 0);
    same!(tokens::live_of(conn, ACCOUNT, Uuid::nil(), 10), [&token]);
    same!(tokens::live_of_owners(conn, &[n(99), ACCOUNT], 0, 10), [&token]);
    for (at, address, newer) in [(90, "192.0.2.1", 1), (80, "192.0.2.2", 1), (95, "192.0.2.3", 10)] {
        let address = address.to_owned();
        tokens::used(conn, &[tokens::Used { token: TOKEN, at, address }], newer).await?;
    }
    (token.last_used_at, token.last_used_address) = (90, "192.0.2.1".to_owned());
    same!(tokens::by_id(conn, TOKEN), Some(&token));
    assert_eq!(tokens::use_of_owners(conn, &[ACCOUNT]).await?[0].last_used_at, 90);
    super::apps::kept(conn, IDENTITY, TOKEN).await?;

    tokens::insert_secret(conn, &secret).await?;
    same!(tokens::secret(conn, &secret.digest), Some(&secret));
    same!(tokens::secret_by_id(conn, secret.id), Some(&secret));
    same!(tokens::secrets(conn, TOKEN, 100), [&secret]);
    same!(tokens::secrets_by_digest(conn, &[Digest([99; 32]), secret.digest]), [&secret]);
    same!(moved::dead(conn, &[secret.digest]), Vec::<Digest>::new());
    same!(tokens::secrets_of(conn, &[TOKEN], 100), [&secret]);
    same!(tokens::orgs_with_sealed(conn), [ORG]);
    same!(tokens::wipe_sealed(conn, n(99), 10), 0);
    same!(tokens::end_secret(conn, &secret.digest, 500), 1);
    same!(tokens::end_secret(conn, &secret.digest, 600), 0);
    same!(tokens::end_secrets(conn, TOKEN, 450), 1);
    same!(tokens::end_secrets_of_owner(conn, ACCOUNT, 400), 1);
    same!(tokens::revoke_of_owner(conn, n(99), 400), 0);
    same!(tokens::revoke_all(conn, &[n(98), n(99)], 400), 0);
    (secret.good_until, secret.sealed) = (400, Vec::new());
    same!(tokens::secret(conn, &secret.digest), Some(&secret));
    Ok(())
}

async fn remembered(conn: &mut Conn<'_>) -> Result<()> {
    let kept = Kept {
        id: vec![1; 32],
        org_id: ORG,
        token_id: TOKEN,
        secret_id: SECRET,
        operation: "issue".to_owned(),
        body_digest: vec![2; 32],
        answer: vec![3; 8],
        epoch: 1,
        revision: 2,
        purged: false,
        expires_at: 1000,
    };
    once::keep(conn, &kept).await?;
    once::keep(conn, &kept).await?;
    same!(once::find(conn, &kept.id, 999), Some(&kept));
    same!(once::find(conn, &kept.id, 1000), None::<Kept>);
    same!(once::purge_owner(conn, n(99)), 0);
    same!(once::purge_tokens(conn, &[n(99)]), 0);
    same!(once::purge_token(conn, TOKEN), 1);
    same!(once::purge_secret(conn, SECRET), 0);
    same!(once::count_expired(conn, 1000, 10), 1);
    same!(once::forget(conn, 1000, 10), 1);
    let mut day = UsageDay {
        token_id: TOKEN,
        day: 20_000,
        outcome: "good".to_owned(),
        uses: 2,
        last_at: 5,
        addresses: "192.0.2.1".to_owned(),
    };
    // More than stand in one statement; of the first day three times, once without an address.
    let other = |day_of: i64| UsageDay { day: day_of, ..day.clone() };
    let many: Vec<UsageDay> = (0..20).map(|more| other(20_000 + more)).collect();
    usage::add(conn, &many).await?;
    usage::add(conn, &[UsageDay { last_at: 4, addresses: "192.0.2.2".to_owned(), ..day.clone() }]).await?;
    usage::add(conn, &[UsageDay { last_at: 3, addresses: String::new(), ..day.clone() }]).await?;
    usage::add(conn, &[]).await?;
    same!(usage::good_of_tokens(conn, &[n(99), TOKEN], 20_000), [Uses { token_id: TOKEN, uses: 38 }]);
    same!(usage::count_before(conn, 20_020, 100), 20);
    assert_eq!(usage::of_token(conn, TOKEN).await?[1..], many[1..]);
    same!(usage::forget_before(conn, 19_999, 100), 0);
    (day.uses, day.addresses) = (6, "192.0.2.1 192.0.2.2".to_owned());
    assert_eq!(usage::of_token(conn, TOKEN).await?[0], day);
    same!(usage::count_before(conn, 20_001, 10), 1);
    same!(usage::forget_before(conn, 20_001, 10), 1);
    same!(usage::forget_before(conn, 20_020, 100), 19);
    let job = Job::new(JobKind::Forget, 1);
    jobs::add(conn, &job).await?;
    let mut taken = job.take(n(8), 2, 3).unwrap();
    taken.body.held = Some(Held { why: Why::TimeJumped, by: 4, at: 5, node: n(9) });
    jobs::update(conn, &taken, 0).await?;
    jobs::add(conn, &job).await?;
    same!(jobs::by_id(conn, job.id), Some(&taken));
    assert!(jobs::update(conn, &job, 0).await.is_err());
    same!(jobs::list(conn, Uuid::nil(), 10), [&taken]);
    let task = Task {
        conditions: vec![Condition {
            on: On::Field(TokenField::Name),
            test: Test::Text { how: Match::Prefix, any_of: vec!["ci-".to_owned()] },
            negated: true,
        }],
        until: 7,
        cursor: Some("here".to_owned()),
        skipped: 1,
        failed: Some(Failed::Refused),
        asker: Actor { account: ACCOUNT, token: TOKEN, address: "192.0.2.1".to_owned(), request_id: "r".to_owned() },
    };
    let asked = Job::asked(JobKind::RevokeTokens, n(60), ORG, task, 1, 9);
    jobs::add(conn, &asked).await?;
    same!(jobs::list_of_org(conn, ORG, Uuid::nil(), 10), [&asked]);
    same!(jobs::list_of_org(conn, n(99), Uuid::nil(), 10), [] as [Job; 0]);
    same!(jobs::open(conn, JobKind::RevokeTokens, Uuid::nil(), 10), [&asked]);
    same!(jobs::open(conn, JobKind::RevokeTokens, asked.id, 10), [] as [Job; 0]);
    same!(jobs::count_open(conn, ORG), 1);
    jobs::update(conn, &asked.finish(JobState::Done, None, 2), 0).await?;
    same!(jobs::count_open(conn, ORG), 0);
    same!(jobs::count_ended(conn, 3, 10), 1);
    same!(jobs::forget(conn, 2, 10), 0);
    same!(jobs::forget(conn, 3, 10), 1);
    same!(jobs::list_of_org(conn, ORG, Uuid::nil(), 10), [] as [Job; 0]);
    Ok(())
}

async fn removed(conn: &mut Conn<'_>) -> Result<()> {
    same!(roles::unassign(conn, ACCOUNT, ROLE), true);
    same!(roles::unassign(conn, ACCOUNT, ROLE), false);
    same!(roles::revoke(conn, ACCOUNT, "house:verify"), true);
    same!(roles::strip(conn, GROUP), 2);
    same!(roles::delete(conn, ROLE), 0);
    same!(groups::remove(conn, GROUP, ACCOUNT), true);
    same!(groups::remove_from_all(conn, ACCOUNT), 0);
    groups::delete(conn, GROUP).await?;
    Ok(())
}

/// One of each kind.
fn removals() -> Vec<Removal> {
    let at = 1;
    vec![
        Removal::Secret { digest: "07".repeat(32), until: at },
        Removal::TokenInactive { id: TOKEN },
        Removal::TokenEnds { id: TOKEN, at },
        Removal::Token { id: TOKEN },
        Removal::AccountInactive { id: ACCOUNT },
        Removal::Account { id: ACCOUNT },
        Removal::Org { id: ORG },
        Removal::Onboarding { org: ORG },
        Removal::Policy { org: ORG, policy: Box::new(Policy::default()) },
        Removal::Password { id: IDENTITY },
        Removal::SigningKey { id: super::signing::LEAKED },
        Removal::Member { group: GROUP, account: ACCOUNT },
        Removal::Group { id: GROUP },
        Removal::Role { id: ROLE, permissions: PermissionSet::none() },
        Removal::Assignment { holder: ACCOUNT, role: ROLE },
        Removal::Permission { holder: ACCOUNT, permission: "house:verify".to_owned() },
    ]
}

async fn every_statement(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = Database::create(backend, folder.path()).await else { return };
    let (clock, random) = (Clock::manual(1_800_000_000_000), Random::system());
    let key = MasterKey::create(&folder.path().join("master.key"), &random).unwrap();
    Store::create(&database.location, &key, &clock, &random).await.unwrap();
    let settings = Settings {
        location: database.location.clone(),
        journal: folder.path().join("journal"),
        checkpoints: Checkpoints::default(),
        readers: 2,
        misses: 2,
    };
    let store = Store::open(&settings, key.clone(), clock.clone(), random.clone()).await.unwrap();
    let write = async |tx: &mut Tx<'_>| {
        people(tx.conn()).await?;
        holdings(tx.conn()).await?;
        credentials(tx.conn()).await?;
        super::saved::kept(tx.conn(), ORG, ACCOUNT).await?;
        super::signing::kept(tx.conn()).await?;
        remembered(tx.conn()).await?;
        // 127 events: one statement of each width.
        for _ in 0..127 {
            tx.record(&Actor::default(), Event::new(EventKind::OrgCreated, ORG, ORG));
        }
        Ok(())
    };
    store.write(write).await.unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    let read = async {
        let conn = &mut snapshot.conn();
        assert_eq!(ledger::head(conn).await?.revision, 127);
        assert_eq!(ledger::after(conn, 0, 1000).await?.len(), 127);
        assert_eq!(ledger::after_of_org(conn, ORG, 100, 1000).await?.len(), 27);
        ledger::event(conn, 127).await
    };
    assert!(read.await.unwrap().is_some());
    snapshot.end(Ok(())).await.unwrap();
    super::nodes::beats(&store, 127).await;

    // A journal that knows more than the database: what it tells of is taken away again.
    let mut entry = Entry::checkpoint(1, 500, &[1; 32], 1);
    entry.removals = removals();
    let journal = Journal::at(&settings.journal, store.database(), key.clone());
    journal.writer().unwrap().append(&[entry]).unwrap();
    store.close().await;
    let store = Store::open(&settings, key, clock, random).await.unwrap();
    let gone = async |tx: &mut Tx<'_>| {
        let conn = tx.conn();
        let token = tokens::by_id(conn, TOKEN).await?.unwrap();
        assert_eq!((token.state, token.expires_at), (TokenState::Revoked, 1));
        assert_eq!(tokens::secret(conn, &Digest([7; 32])).await?.unwrap().good_until, 1);
        assert!(accounts::by_id(conn, ACCOUNT).await?.unwrap().deleted());
        assert_eq!(accounts::identity(conn, IDENTITY).await?.unwrap().password.0, "");
        let leaked = signing::all(conn).await?.into_iter().find(|key| key.id == super::signing::LEAKED).unwrap();
        assert!(leaked.compromised && leaked.sealed.is_empty());
        assert_eq!(groups::sizes(conn, &[GROUP]).await?.len(), 0);
        assert_eq!(roles::sources(conn, ACCOUNT, 10).await?.len(), 0);
        assert!(roles::by_id(conn, ORG, ROLE).await?.unwrap().permissions.is_empty());
        assert_eq!(orgs::policy(conn, ORG).await?, Policy::default());
        // And back, for the statements that take away one by one.
        let group = groups::by_id(conn, GROUP).await?.unwrap();
        groups::add(conn, &group, ACCOUNT, 1).await?;
        let (holder_kind, org_id, expires_at, created_at) = (HolderKind::Account, ORG, NEVER, 1);
        let role = Assignment { holder_id: ACCOUNT, holder_kind, role_id: ROLE, org_id, expires_at, created_at };
        roles::assign(conn, &role).await?;
        let permission = "house:verify".to_owned();
        let grant = Grant { holder_id: ACCOUNT, holder_kind, permission, org_id, expires_at, created_at };
        roles::grant(conn, &grant).await?;
        removed(conn).await
    };
    store.write(gone).await.unwrap();
    store.close().await;

    let statements = tokenhouse_store::statements();
    assert!(statements.len() > 80, "{}", statements.len());
    let never = statements.iter().filter(|statement| statement.runs(backend == Backend::Sqlite) == 0);
    let never: Vec<&str> = never.map(|statement| statement.text).collect();
    assert!(never.is_empty(), "never run on {backend:?}: {never:#?}");
    drop(store);
    database.remove().await;
}

#[tokio::test]
async fn every_statement_runs_on_sqlite() {
    every_statement(Backend::Sqlite).await;
}

#[tokio::test]
async fn every_statement_runs_on_postgres() {
    every_statement(Backend::Postgres).await;
}
