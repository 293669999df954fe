//! The statements that ask about many people, groups and roles at once.

use tokenhouse_model::role::{HolderKind, Namespace};
use tokenhouse_model::{GroupKind, PermissionSet, Result, Uuid};
use tokenhouse_store::{Conn, accounts, groups, holders, roles};

use super::statements::{ACCOUNT, GROUP, ORG, ROLE};

/// Two that nobody has, before and after the one that is there, and more of them than one statement takes.
fn among(id: Uuid) -> Vec<Uuid> {
    let strangers = |from: u128| (from..from + 100).map(Uuid::from_u128);
    strangers(1 << 64).chain([id]).chain(strangers(1 << 65)).collect()
}

/// Runs them over an account that is in a group, both with the role and one more permission for good.
pub(super) async fn run(conn: &mut Conn<'_>) -> Result<()> {
    assert_eq!(accounts::by_ids(conn, &among(ACCOUNT)).await?.len(), 1);
    let named: Vec<String> =
        (0..70).map(|i| format!("{i}@example.test")).chain(["a@example.test".to_owned()]).collect();
    assert_eq!(accounts::by_identifiers(conn, ORG, &named).await?[0].id, ACCOUNT);
    assert!(accounts::by_identifiers(conn, ACCOUNT, &named).await?.is_empty());

    assert!(groups::has(conn, GROUP, ACCOUNT).await? && !groups::has(conn, GROUP, GROUP).await?);
    assert_eq!(groups::by_kind(conn, ORG, GroupKind::ServiceAccounts).await?.unwrap().id, GROUP);
    assert!(groups::by_kind(conn, ORG, GroupKind::Everyone).await?.is_none());
    assert_eq!(groups::by_ids(conn, &among(GROUP)).await?[0].id, GROUP);
    assert_eq!(groups::of_accounts(conn, &among(ACCOUNT)).await?[0].group_id, GROUP);
    assert_eq!(groups::sizes(conn, &among(GROUP)).await?[0].members, 1);
    assert_eq!((groups::size_up_to(conn, GROUP, 5).await?, groups::size_up_to(conn, GROUP, 0).await?), (1, 0));
    let sample = groups::samples(conn, &among(GROUP)).await?;
    assert_eq!((sample.len(), sample[0].of, sample[0].identifier.as_str()), (1, GROUP, "A@example.test"));
    groups::note_settled(conn, "half").await?;
    groups::note_settled(conn, "done").await?;
    assert_eq!(groups::settled(conn).await?.as_deref(), Some("done"));

    assert_eq!(roles::by_ids(conn, &among(ROLE)).await?[0].id, ROLE);
    assert_eq!(roles::list(conn, ORG, Some(Namespace::House), ROLE, 1000).await?.len(), 5);
    assert_eq!(roles::assignment(conn, ACCOUNT, ROLE).await?.unwrap().holder_kind, HolderKind::Account);
    assert_eq!(roles::assigned_to(conn, &among(GROUP), 10).await?.len(), 1);
    assert_eq!(roles::granted(conn, GROUP, "house:verify").await?.unwrap().holder_kind, HolderKind::Group);
    assert_eq!(roles::granted_to(conn, &among(ACCOUNT), 10).await?.len(), 1);

    let counts = holders::counts(conn, ORG, &among(ROLE), 10).await?;
    assert_eq!(counts.iter().map(|count| count.holders).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(holders::sample_accounts(conn, ORG, &among(ROLE), 10).await?.len(), 1);
    assert_eq!(holders::sample_groups(conn, ORG, &among(ROLE), 10).await?[0].group_id, GROUP);
    assert!(holders::counts(conn, ACCOUNT, &[ROLE], 10).await?.is_empty());
    let all = PermissionSet::parse(["house:read", "house:verify", "external/x/y"]).unwrap();
    assert_eq!(holders::around_group(conn, GROUP, 10).await?, all);
    assert_eq!(holders::around_role(conn, ORG, ROLE, 10).await?, all);
    assert!(holders::around_role(conn, ACCOUNT, ROLE, 10).await?.is_empty());
    assert_eq!(
        (holders::gaining(conn, ORG, ROLE, 10, 9).await?, holders::gaining(conn, ORG, ROLE, 10, 2).await?),
        (3, 2)
    );
    for permission in ["house:read", "house:verify", "external/x/y"] {
        assert_eq!(holders::holding(conn, ORG, permission, 10, Uuid::nil(), 10).await?[0].id, ACCOUNT);
    }
    // Neither part of a permission nor another case of it is it.
    for permission in ["external/x", "EXTERNAL/x/y", "house:ledger", "%", "\\"] {
        assert!(holders::holding(conn, ORG, permission, 10, Uuid::nil(), 10).await?.is_empty());
    }
    Ok(())
}
