use crate::account::AccountKind as A;
use crate::{ErrorKind, GroupKind as G};

#[test]
fn every_kind_of_account_joins_at_most_one_group_by_itself() {
    assert_eq!(
        A::ALL.iter().map(|kind| G::joined_by(*kind)).collect::<Vec<_>>(),
        [Some(G::Everyone), Some(G::ServiceAccounts), None]
    );
    assert_eq!(G::SYSTEM.map(G::system), [true, true]);
    assert!(!G::Custom.system());
}

#[test]
fn a_system_group_has_a_name_that_a_client_looks_for() {
    // wavefront.md 7.2: exactly one group named exactly so.
    assert_eq!(G::SYSTEM.map(|kind| kind.naming().0), ["Everyone", "Service Accounts"]);
}

#[test]
fn who_may_be_put_into_a_group_and_taken_out() {
    let lawful = |checked: crate::Result<()>| match checked {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict);
            false
        }
    };
    let joining = |group: G| [A::User, A::Service, A::App].map(|account| lawful(group.check_joining(account)));
    assert_eq!(joining(G::Custom), [true, true, true]);
    assert_eq!(joining(G::Everyone), [false, false, false]);
    assert_eq!(joining(G::ServiceAccounts), [false, true, false]);
    let kinds = [G::Custom, G::Everyone, G::ServiceAccounts];
    assert_eq!(kinds.map(|kind| lawful(kind.check_leaving())), [true, false, true]);
    assert_eq!(kinds.map(|kind| lawful(kind.check_renaming())), [true, false, false]);
    assert_eq!(kinds.map(|kind| lawful(kind.check_deleting())), [true, false, false]);
}
